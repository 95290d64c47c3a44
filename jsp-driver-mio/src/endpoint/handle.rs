//! An endpoint as an application holds it.

use super::core::Core;
use super::door::{self, Door, Incoming, Porch};
use super::mail::{Mail, Steered};
use crate::config::{ClientConfig, EndpointOptions, ServerConfig};
use crate::connection::ConnectionMut;
use crate::error::ConnectError;
use crate::event::Event;
use crate::identity::system_seed;
use crate::net::{Batch, Socket, canonical};
use jsp_proto::endpoint as router;
use jsp_proto::error::{AppCode, TransportError};
use jsp_proto::ids::{ConnectionHandle, Shard};
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::Time;
use mio::event::Source;
use mio::{Interest, Registry, Token};
use std::collections::VecDeque;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A socket with all connections over it, as client, as server, or both; driven by the caller.
///
/// It is a mio event source: register it with a `Poll` (which interest is asked for does not matter, the
/// endpoint knows what it waits for), and after each poll, whatever it woke for:
///
/// 1. [`drive`](Self::drive): receives, and lets time pass;
/// 2. [`poll_event`](Self::poll_event) until there is none, and whatever the application does about them;
/// 3. [`flush`](Self::flush): sends what all of this led to, in as few datagrams as it fits into;
/// 4. poll again, for at most [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct Endpoint {
    core: Core,
    porch: Porch,
    batch: Batch,
    closed: bool,
}

impl Endpoint {
    /// Binds a UDP socket to `address`. Port 0 is any free port; `[::]` hears IPv4, too.
    ///
    /// # Errors
    /// The address cannot be used, or the operating system has no randomness.
    pub fn bind(address: SocketAddr, options: EndpointOptions) -> io::Result<Self> {
        let seed = options.seed.clone().map_or_else(system_seed, Ok)?;
        Self::open(address, options, &seed, Shard::ONLY)
    }

    /// Endpoints that share an address, and pass on to each other what came to the wrong one.
    pub(crate) fn bind_shards(
        mut address: SocketAddr,
        count: NonZeroU8,
        mut options: EndpointOptions,
    ) -> io::Result<Vec<Self>> {
        let seed = options.seed.take().map_or_else(system_seed, Ok)?;
        options.socket.share_address = true;
        let mut endpoints = Vec::new();
        for (shard, mail) in Shard::all(count).zip(Mail::for_all(count)) {
            let mut endpoint = Self::open(address, options.clone(), &seed, shard)?;
            endpoint.core.mail = Some(mail);
            address = endpoint.local_addr();
            endpoints.push(endpoint);
        }
        Ok(endpoints)
    }

    fn open(
        address: SocketAddr,
        options: EndpointOptions,
        seed: &Seed,
        shard: Shard,
    ) -> io::Result<Self> {
        let EndpointOptions { provider, reset_key, limits, backlog, socket, .. } = options;
        let config = router::EndpointConfig { provider, reset_key, shard, limits };
        let socket = Socket::bind(address, &socket)?;
        tracing::debug!(local = %socket.local_addr(), "endpoint bound");
        let router = router::Endpoint::new(config, seed);
        let rng = Rng::new(seed, &format!("driver {}", shard.index().0));
        Ok(Self {
            core: Core::new(socket, router, rng),
            porch: Porch { door: Door::Open, server: None, waiting: VecDeque::new(), backlog },
            batch: Batch::new(),
            closed: false,
        })
    }

    /// An endpoint at any free port that reaches both address families, where the host has IPv6; IPv4
    /// alone, elsewhere.
    ///
    /// # Errors
    /// As [`Self::bind`].
    pub fn client() -> io::Result<Self> {
        let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        Self::bind(any, EndpointOptions::default()).or_else(|_| {
            Self::bind(SocketAddr::from(([0, 0, 0, 0], 0)), EndpointOptions::default())
        })
    }

    /// An endpoint at `address` that takes connections as `config` says.
    ///
    /// # Errors
    /// As [`Self::bind`].
    pub fn server(address: SocketAddr, config: ServerConfig) -> io::Result<Self> {
        let mut endpoint = Self::bind(address, EndpointOptions::default())?;
        endpoint.set_server(Some(config));
        Ok(endpoint)
    }

    /// The address of the socket.
    pub fn local_addr(&self) -> SocketAddr {
        self.core.socket.local_addr()
    }

    /// What was passed on between this endpoint and the other [`Shards`](crate::Shards) of a server.
    pub fn steered(&self) -> Steered {
        self.core.mail.as_ref().map(|mail| mail.steered).unwrap_or_default()
    }

    /// How many connections there are, those that are closing included.
    pub fn connections(&self) -> usize {
        self.core.table.count()
    }

    /// Sets how connections are taken from now on; `None` takes none. To rotate or to revoke an
    /// identity, set a configuration with another; connections that exist keep theirs.
    pub fn set_server(&mut self, config: Option<ServerConfig>) {
        let config = config.filter(|_| !self.closed);
        self.core.router.set_server(config.as_ref().map(|config| Arc::clone(config.engine())));
        self.porch.server = config;
    }

    /// Sets whether the application decides about each client. Default: [`Door::Open`].
    pub fn set_door(&mut self, door: Door) {
        self.porch.door = door;
    }

    /// Begins a connection to `remote`; [`Event::Connected`] or [`Event::Closed`] tells how that ended.
    pub fn connect(
        &mut self,
        config: &ClientConfig,
        remote: SocketAddr,
    ) -> Result<ConnectionHandle, ConnectError> {
        let remote = canonical(remote);
        if self.closed {
            return Err(ConnectError::EndpointClosed);
        }
        if !self.core.socket.reaches(remote) {
            return Err(ConnectError::AddressFamily);
        }
        let now = self.core.clock.now();
        let engine = self.core.router.connect(now, config.engine(), remote, None)?;
        let handle = self.core.enter(engine, config.signers().clone());
        tracing::debug!(connection = handle.index, %remote, "connecting");
        Ok(handle)
    }

    /// Receives what is there, and lets time pass. Returns whether there was anything to do. A call
    /// that finds nothing costs a system call, and does no harm.
    ///
    /// It receives at most about half a megabyte; [`Self::poll_timeout`] is then zero, so that the next
    /// turn follows at once, after whatever else the caller's loop has to do.
    ///
    /// # Errors
    /// The socket is broken: it failed 100 times in a row.
    pub fn drive(&mut self) -> io::Result<bool> {
        let now = self.core.clock.now();
        let Self { core, porch, batch, .. } = self;
        let expired = core.expire(now);
        let mut door = |core: &mut Core, incoming| porch.announce(core, now, incoming);
        let taken = core.take_letters(now, &mut door);
        let received = core.receive(batch, now, &mut door)?;
        Ok(expired || taken || received)
    }

    /// Looks whether a message is there, and nothing else: time stands still, but for what comes.
    /// Returns whether one was.
    pub(crate) fn glance(&mut self, now: Time) -> io::Result<bool> {
        let Self { core, porch, batch, .. } = self;
        let mut door = |core: &mut Core, incoming| porch.announce(core, now, incoming);
        Ok(core.take_letters(now, &mut door) || core.glance(batch, now, &mut door)?)
    }

    /// Whether something is to be sent that the socket has no room for.
    pub(crate) fn awaits_room(&self) -> bool {
        self.core.outbox.is_full()
    }

    /// The endpoint's time.
    pub(crate) fn now(&self) -> Time {
        self.core.clock.now()
    }

    /// Sends what is due. Small writes of a turn leave together: those that fit share a datagram,
    /// and datagrams share a system call.
    ///
    /// It sends at most a few megabytes; what is left leaves with the next turn, or when the socket
    /// has room for it.
    pub fn flush(&mut self) {
        self.core.flush(self.core.clock.now());
        self.core.release();
    }

    /// The next event of any connection, in the order in which they came about for each of them.
    pub fn poll_event(&mut self) -> Option<(ConnectionHandle, Event)> {
        let clock = self.core.clock;
        let (live, event) = self.core.table.poll_event(&clock)?;
        let handle = live.engine.handle();
        if live.told {
            self.core.on_told(handle.index);
        }
        Some((handle, event))
    }

    /// How long to poll: `None` is for ever, zero is not at all, as there is more to do.
    pub fn poll_timeout(&self) -> Option<Duration> {
        if self.core.is_busy() {
            return Some(Duration::ZERO);
        }
        let at = self.core.next_timeout()?;
        Some(at - self.core.clock.now())
    }

    /// When the next timer is due, or a little before: for callers with a clock of their own. `None`
    /// if there is none. It does not tell whether there is something to do before, as
    /// [`Self::poll_timeout`] does.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.core.next_timeout().map(|at| self.core.clock.instant(at))
    }

    /// A connection, unless it is gone.
    pub fn connection(&mut self, handle: ConnectionHandle) -> Option<ConnectionMut<'_>> {
        let clock = self.core.clock;
        self.core.table.get(handle).map(|(live, lists)| ConnectionMut::new(live, lists, clock))
    }

    /// The next client at the door, where that is [`Door::Attended`]. At most
    /// [`EndpointOptions::backlog`] wait there.
    pub fn poll_incoming(&mut self) -> Option<Incoming> {
        self.porch.waiting.pop_front().map(Incoming)
    }

    /// Takes the connection, as [`Self::set_server`] says.
    ///
    /// # Errors
    /// The endpoint was closed or is full ([`Code::REFUSED`](jsp_proto::error::Code::REFUSED)), or the
    /// client's words are at fault. The client is told.
    #[expect(clippy::needless_pass_by_value, reason = "a client is decided about once")]
    pub fn accept(&mut self, incoming: Incoming) -> Result<ConnectionHandle, TransportError> {
        let now = self.core.clock.now();
        self.porch.accept(&mut self.core, now, &incoming.0, None)
    }

    /// Takes the connection, as `config` says.
    ///
    /// # Errors
    /// As [`Self::accept`].
    #[expect(clippy::needless_pass_by_value, reason = "a client is decided about once")]
    pub fn accept_with(
        &mut self,
        incoming: Incoming,
        config: &ServerConfig,
    ) -> Result<ConnectionHandle, TransportError> {
        let now = self.core.clock.now();
        let config = (!self.closed).then_some(config);
        self.porch.accept(&mut self.core, now, &incoming.0, config)
    }

    /// Refuses the connection; the client learns it at once.
    #[expect(clippy::needless_pass_by_value, reason = "a client is decided about once")]
    pub fn refuse(&mut self, incoming: Incoming) {
        door::refuse(&mut self.core, &incoming.0);
    }

    /// Asks for proof of the client's address: it comes again with it, and then
    /// [`Incoming::is_validated`]. A client that has given it already is refused.
    #[expect(clippy::needless_pass_by_value, reason = "a client is decided about once")]
    pub fn retry(&mut self, incoming: Incoming) {
        let now = self.core.clock.now();
        door::retry(&mut self.core, now, &incoming.0);
    }

    /// Leaves the client without an answer.
    #[expect(clippy::needless_pass_by_value, reason = "a client is decided about once")]
    pub fn ignore(&mut self, incoming: Incoming) {
        self.core.router.ignore(&incoming.0);
    }

    /// Closes every connection at once with `code` and `reason`, and takes and makes no more. What was
    /// not acknowledged may be lost. The loop goes on until [`Self::connections`] is 0, so that peers
    /// learn of it.
    pub fn close(&mut self, code: AppCode, reason: &[u8]) {
        self.closed = true;
        self.set_server(None);
        while let Some(incoming) = self.poll_incoming() {
            self.refuse(incoming);
        }
        let clock = self.core.clock;
        for index in self.core.table.indices() {
            if let Some((live, lists)) = self.core.table.at(index) {
                ConnectionMut::new(live, lists, clock).close(code, reason);
            }
        }
    }
}

impl Source for Endpoint {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        self.core.socket.register(registry, token, interests)?;
        self.core.mail.as_ref().map_or(Ok(()), |mail| mail.watch(registry, token))
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        self.core.socket.reregister(registry, token, interests)?;
        self.core.mail.as_ref().map_or(Ok(()), |mail| mail.watch(registry, token))
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        if let Some(mail) = &self.core.mail {
            mail.unwatch();
        }
        self.core.socket.deregister(registry)
    }
}
