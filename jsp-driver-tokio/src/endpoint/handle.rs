//! An endpoint as an application holds it.

use super::desk::Desk;
use super::host::{self, HostPort};
use super::incoming::Incoming;
use super::task::Task;
use crate::connection::{Connecting, Connection};
use crate::error::{ConnectError, ConnectHostError};
use crate::net::{DatagramSocket, UdpSocket, lock};
use jsp_driver_mio::{ClientConfig, EndpointOptions, ServerConfig};
use jsp_proto::error::AppCode;
use std::future::Future;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::Notify;

/// A socket with all connections over it, as client, as server, or both. Cheap to clone.
///
/// A task on the tokio runtime in which it was made serves it. The task ends when all handles of the
/// endpoint are dropped and the last connection has gone; await [`Self::wait_idle`] before the runtime
/// ends, so that peers learn of it.
#[derive(Debug)]
pub struct Endpoint {
    desk: Arc<Desk>,
}

impl Endpoint {
    /// Binds a UDP socket to `address`. Port 0 is any free port; `[::]` hears IPv4, too.
    ///
    /// # Errors
    /// The address cannot be used, or this is not within a tokio runtime with I/O and time.
    pub fn bind(address: SocketAddr, options: EndpointOptions) -> io::Result<Self> {
        let socket = UdpSocket::bind(address, &options.socket)?;
        Self::with_socket(socket, options)
    }

    /// An endpoint on a socket of your own: a simulated network's, or one that wraps a
    /// [`UdpSocket`]. [`Self::set_server`] has it take connections; `options.socket` means nothing
    /// here.
    ///
    /// # Errors
    /// This is not within a tokio runtime with time, or the operating system has no randomness.
    pub fn with_socket(socket: impl DatagramSocket, options: EndpointOptions) -> io::Result<Self> {
        let desk = Desk::open(Box::new(socket), options)?;
        tracing::debug!(local = %desk.io.socket.local_addr(), "endpoint bound");
        // Held before the task begins: it ends where nobody holds the endpoint.
        let endpoint = Self::hold(&desk);
        desk.runtime().spawn(Task::new(Arc::clone(&desk)));
        Ok(endpoint)
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
        let endpoint = Self::bind(address, EndpointOptions::default())?;
        endpoint.set_server(Some(config));
        Ok(endpoint)
    }

    /// The address of the socket.
    pub fn local_addr(&self) -> SocketAddr {
        self.desk.io.socket.local_addr()
    }

    /// How many connections there are, those that are closing included.
    pub fn connections(&self) -> usize {
        lock(&self.desk.book).count()
    }

    /// Sets how long this endpoint, whenever it has had something to do, keeps looking for more before
    /// it sleeps. Default: zero, which sleeps at once.
    ///
    /// What arrives in that time is answered without a wake-up, which takes the system some 20 to 50
    /// us. The price is a processor core that is busy for as long, even if nothing comes; for ever, if
    /// datagrams are never further apart. Other tasks have their turns, the spinning one after each of
    /// them, so this is for a runtime of one thread, with a core to itself, whose tasks are quick: each
    /// turn of the endpoint would wake another thread of a larger runtime. Where others need the
    /// processor, the peer among them, spinning makes everything slower.
    ///
    /// It is for the system's sockets: of others, those do better by it that have
    /// [`DatagramSocket::try_recv`]. With tokio's time paused it would last for ever.
    pub fn set_spin(&self, spin: Duration) {
        self.desk.io.set_spin(spin);
    }

    /// Sets how connections are taken from now on; `None` takes none. To rotate or to revoke an
    /// identity, set a configuration with another; connections that exist keep theirs.
    pub fn set_server(&self, config: Option<ServerConfig>) {
        self.desk.set_server(config);
    }

    /// Begins a connection to `remote`; await the result for the handshake.
    pub fn connect(
        &self,
        config: &ClientConfig,
        remote: SocketAddr,
    ) -> Result<Connecting, ConnectError> {
        self.desk.connect(config, remote).map(|link| Connecting::new(&link))
    }

    /// Connects to a host by name: resolves it, and races its addresses of both families, a quarter of
    /// a second between two attempts (Happy Eyeballs, RFC 8305). The first connection that is
    /// established wins, the others are given up.
    ///
    /// Cancel-safe: a future that is dropped gives all attempts up.
    pub async fn connect_host(
        &self,
        config: &ClientConfig,
        host: &str,
        port: u16,
    ) -> Result<Connection, ConnectHostError> {
        let addresses = host::resolve(HostPort { host, port }).await?;
        self.connect_any(config, &addresses).await
    }

    /// Connects to whichever of `addresses` answers first, as [`Self::connect_host`] does; the order is
    /// the order of the attempts, families in turn.
    pub async fn connect_any(
        &self,
        config: &ClientConfig,
        addresses: &[SocketAddr],
    ) -> Result<Connection, ConnectHostError> {
        let reachable = addresses.iter().copied().filter(|a| self.desk.io.socket.reaches(*a));
        let order = host::alternate(reachable);
        host::race(order, |address| self.connect(config, address)).await
    }

    /// Waits for the next client at the door; `None` once the endpoint is closed.
    ///
    /// Cancel-safe: a future that is dropped takes nobody.
    pub async fn accept(&self) -> Option<Incoming> {
        let next = wait(&self.desk.door, || self.desk.next_incoming()).await;
        next.map(|incoming| Incoming::new(&self.desk, incoming))
    }

    /// Accepts everybody, each in a task of its own that completes the handshake and then runs
    /// `handler`, until the endpoint is closed. Handshakes that fail are told to the log only.
    ///
    /// Dropping the future stops accepting; the tasks go on.
    pub async fn serve<F, H>(&self, handler: H)
    where
        H: Fn(Connection) -> F + Clone + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        while let Some(incoming) = self.accept().await {
            let handler = handler.clone();
            tokio::spawn(async move {
                match incoming.await {
                    Ok(connection) => handler(connection).await,
                    Err(reason) => tracing::debug!(%reason, "handshake failed"),
                }
            });
        }
    }

    /// Closes every connection at once with `code` and `reason`, and takes no more. What was not
    /// acknowledged may be lost; [`Self::shutdown`] waits for it.
    pub fn close(&self, code: AppCode, reason: &[u8]) {
        self.desk.close(code, reason);
    }

    /// Takes no more connections, closes each as soon as everything has arrived that was finished on
    /// it, and waits until all are gone.
    ///
    /// Cancel-safe: once polled, it happens whether or not the future is dropped.
    pub async fn shutdown(&self, code: AppCode, reason: &[u8]) {
        for link in self.desk.shut() {
            link.close_when_delivered(code, reason);
        }
        self.wait_idle().await;
    }

    /// Waits until there is no connection, not even one that is closing. Cancel-safe.
    pub async fn wait_idle(&self) {
        wait(&self.desk.idle, || match lock(&self.desk.book).count() {
            0 => Poll::Ready(()),
            _ => Poll::Pending,
        })
        .await;
    }

    fn hold(desk: &Arc<Desk>) -> Self {
        desk.handles.fetch_add(1, Ordering::Relaxed);
        Self { desk: Arc::clone(desk) }
    }
}

impl Clone for Endpoint {
    fn clone(&self) -> Self {
        Self::hold(&self.desk)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if self.desk.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Nobody can accept any more.
            self.desk.shut();
            self.desk.io.wake_task();
        }
    }
}

/// Waits until `look` finds something; `notify` tells when it is worth another look.
async fn wait<T>(notify: &Notify, mut look: impl FnMut() -> Poll<T>) -> T {
    loop {
        let mut notified = pin!(notify.notified());
        // Before the look, so that nothing that happens after it is missed.
        notified.as_mut().enable();
        if let Poll::Ready(found) = look() {
            return found;
        }
        notified.await;
    }
}
