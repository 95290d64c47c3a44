//! What an endpoint's handles and its task share: the router, the table of connections, and who
//! waits at the door.

use crate::connection::{Link, Start};
use crate::error::ConnectError;
use crate::net::{DatagramSocket, Io, lock};
use jsp_driver_mio::parts::{Signers, canonical, system_seed};
use jsp_driver_mio::{ClientConfig, EndpointOptions, ServerConfig};
use jsp_proto::endpoint as engine;
use jsp_proto::error::{AppCode, TransportError};
use jsp_proto::ids::ConnectionHandle;
use jsp_proto::record::Transmit;
use jsp_proto::rng::Rng;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use tokio::runtime::Handle;
use tokio::sync::Notify;

/// Room for a stateless answer.
pub(super) const REPLY: usize = 1500;

/// See the module.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) io: Arc<Io>,
    pub(super) book: Mutex<Book>,
    runtime: Handle,
    backlog: usize,
    /// Handles of the application. Without any, the task ends with the last connection.
    pub(super) handles: AtomicUsize,
    /// Somebody is at the door, or it was shut.
    pub(super) door: Notify,
    /// The last connection has gone.
    pub(super) idle: Notify,
}

/// What the desk's lock protects.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) router: engine::Endpoint,
    links: Vec<Option<Arc<Link>>>,
    count: usize,
    server: Option<ServerConfig>,
    waiting: VecDeque<engine::Incoming>,
    /// Whether the endpoint takes and makes no more connections.
    pub(super) closed: bool,
    rng: Rng,
}

impl Desk {
    pub(super) fn open(
        socket: Box<dyn DatagramSocket>,
        options: EndpointOptions,
    ) -> io::Result<Arc<Self>> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let EndpointOptions { provider, reset_key, limits, backlog, socket: _, seed } = options;
        let seed = seed.map_or_else(system_seed, Ok)?;
        let config =
            engine::EndpointConfig { reset_key, limits, ..engine::EndpointConfig::new(provider) };
        Ok(Arc::new(Self {
            io: Arc::new(Io::new(socket)),
            book: Mutex::new(Book {
                router: engine::Endpoint::new(config, &seed),
                links: Vec::new(),
                count: 0,
                server: None,
                waiting: VecDeque::new(),
                closed: false,
                rng: Rng::new(&seed, "driver"),
            }),
            runtime,
            backlog,
            handles: AtomicUsize::new(0),
            door: Notify::new(),
            idle: Notify::new(),
        }))
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub(super) fn set_server(&self, server: Option<ServerConfig>) {
        let mut book = lock(&self.book);
        book.router.set_server(server.as_ref().map(|config| Arc::clone(config.engine())));
        book.server = server;
    }

    /// Begins a connection to `remote`.
    pub(super) fn connect(
        &self,
        config: &ClientConfig,
        remote: SocketAddr,
    ) -> Result<Arc<Link>, ConnectError> {
        let remote = canonical(remote);
        if !self.io.socket.reaches(remote) {
            return Err(ConnectError::AddressFamily);
        }
        let link = {
            let mut book = lock(&self.book);
            if book.closed {
                return Err(ConnectError::EndpointClosed);
            }
            let now = self.io.clock.now();
            let engine = book.router.connect(now, config.engine(), remote, None)?;
            self.enter(&mut book, engine, config.signers().clone())
        };
        tracing::debug!(connection = link.handle().index, %remote, "connecting");
        link.begin();
        Ok(link)
    }

    /// Takes who was at the door.
    pub(super) fn accept(
        &self,
        incoming: &engine::Incoming,
        config: Option<&ServerConfig>,
    ) -> Result<Arc<Link>, TransportError> {
        let link = {
            let mut reply = [0; REPLY];
            let mut book = lock(&self.book);
            let config = config.or(book.server.as_ref()).filter(|_| !book.closed).cloned();
            let now = self.io.clock.now();
            let server = config.as_ref().map(ServerConfig::engine);
            match book.router.accept(now, incoming, server, &mut reply) {
                Ok(engine) => {
                    let signers = config.map(|config| config.signers().clone());
                    self.enter(&mut book, engine, signers.unwrap_or_default())
                }
                Err(refused) => {
                    self.answer(refused.transmit, &reply);
                    return Err(refused.error);
                }
            }
        };
        tracing::debug!(connection = link.handle().index, remote = %incoming.remote(), "accepted");
        link.begin();
        Ok(link)
    }

    /// The next one at the door, or `None` if the endpoint was closed.
    pub(super) fn next_incoming(&self) -> Poll<Option<engine::Incoming>> {
        let mut book = lock(&self.book);
        match book.waiting.pop_front() {
            None if !book.closed => Poll::Pending,
            next => Poll::Ready(next),
        }
    }

    /// Somebody is at the door.
    pub(super) fn announce(&self, book: &mut Book, incoming: engine::Incoming) {
        if book.closed || book.waiting.len() >= self.backlog {
            tracing::debug!(remote = %incoming.remote(), "too many wait to be accepted");
            if book.closed {
                self.refuse(book, &incoming);
            } else {
                self.retry(book, &incoming);
            }
            return;
        }
        book.waiting.push_back(incoming);
        self.door.notify_waiters();
    }

    pub(super) fn refuse(&self, book: &mut Book, incoming: &engine::Incoming) {
        let mut reply = [0; REPLY];
        let transmit = book.router.refuse(incoming, &mut reply);
        self.answer(transmit, &reply);
    }

    pub(super) fn retry(&self, book: &mut Book, incoming: &engine::Incoming) {
        let mut reply = [0; REPLY];
        let now = self.io.clock.now();
        let transmit = book.router.retry(now, incoming, &mut reply);
        self.answer(transmit, &reply);
    }

    /// Sends a stateless answer; it is lost if the socket is full.
    pub(super) fn answer(&self, transmit: Option<Transmit>, reply: &[u8]) {
        if let Some((transmit, bytes)) = transmit.and_then(|t| Some((t, reply.get(..t.len)?))) {
            let _ = self.io.socket.try_send(&transmit, bytes);
        }
    }

    /// Takes and makes no more connections; who is at the door is sent away.
    pub(super) fn shut(&self) -> Vec<Arc<Link>> {
        let mut book = lock(&self.book);
        book.closed = true;
        book.router.set_server(None);
        book.server = None;
        while let Some(incoming) = book.waiting.pop_front() {
            self.refuse(&mut book, &incoming);
        }
        self.door.notify_waiters();
        book.links.iter().flatten().cloned().collect()
    }

    /// Closes every connection at once, and the door.
    pub(super) fn close(&self, code: AppCode, reason: &[u8]) {
        for link in self.shut() {
            link.close(code, reason);
        }
    }

    fn enter(
        &self,
        book: &mut Book,
        engine: jsp_proto::connection::Connection,
        signers: Signers,
    ) -> Arc<Link> {
        let rng = Rng::new(&book.rng.seed(), "link");
        let runtime = self.runtime.clone();
        let link = Link::new(Arc::clone(&self.io), Start { engine, signers, rng, runtime });
        let index = link.handle().index as usize;
        if book.links.len() <= index {
            book.links.resize(index + 1, None);
        }
        book.links[index] = Some(Arc::clone(&link));
        book.count += 1;
        link
    }

    /// Who has gone leaves the table.
    pub(super) fn release(&self, gone: &mut Vec<ConnectionHandle>) {
        if gone.is_empty() {
            return;
        }
        let mut book = lock(&self.book);
        for handle in gone.drain(..) {
            if book.link(handle).is_some() {
                book.links[handle.index as usize] = None;
                self.io.unschedule(handle);
                book.count -= 1;
            }
            book.router.release(handle);
        }
        if book.count == 0 {
            self.idle.notify_waiters();
        }
    }

    /// Whether there is nothing to do any more, nor ever will be.
    pub(super) fn is_abandoned(&self) -> bool {
        self.handles.load(Ordering::Acquire) == 0 && lock(&self.book).count == 0
    }
}

impl Book {
    /// How many connections there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The connection at a place of the table.
    pub(super) fn link_at(&self, index: u32) -> Option<&Arc<Link>> {
        self.links.get(index as usize)?.as_ref()
    }

    /// A connection of the table.
    pub(super) fn link(&self, handle: ConnectionHandle) -> Option<&Arc<Link>> {
        let link = self.link_at(handle.index)?;
        (link.handle() == handle).then_some(link)
    }
}
