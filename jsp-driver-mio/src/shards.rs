//! One server on several threads: an endpoint for each, all at one address.
//!
//! ```text
//!            ┌─▶ socket ─ endpoint ─ thread       no lock and no memory is shared but a mailbox each,
//!   kernel ──┼─▶ socket ─ endpoint ─ thread       for the few datagrams that come to the wrong one
//!            └─▶ socket ─ endpoint ─ thread
//! ```
//!
//! The kernel spreads clients over the sockets by their addresses (`SO_REUSEPORT`), so that a connection
//! and all of its datagrams belong to one thread. When a client's address changes, its datagrams may
//! come to another socket; the connection's ID says whose they are, to the shards and nobody else, and
//! they are passed on. Answers leave through the owner's socket, which has the same address.

use crate::config::{EndpointOptions, ServerConfig};
use crate::driver::Driver;
use crate::endpoint::Endpoint;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU8;
use std::thread::{Builder, JoinHandle};

/// See the module.
///
/// ```no_run
/// # use jsp_driver_mio::{Driver, EndpointOptions, Event, ServerConfig, Shards};
/// # fn serve(config: ServerConfig) -> Result<(), Box<dyn std::error::Error>> {
/// let threads = std::thread::available_parallelism()?.try_into()?;
/// let mut shards = Shards::bind("[::]:4433".parse()?, threads, EndpointOptions::default())?;
/// shards.set_server(Some(&config));
/// shards.run(serve_one)?;
///
/// fn serve_one(mut driver: Driver) -> std::io::Result<()> {
///     loop {
///         driver.turn(None)?;
///         while let Some((handle, event)) = driver.poll_event() {
///             // ...
///         }
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Shards {
    endpoints: Vec<Endpoint>,
}

impl Shards {
    /// Binds `count` sockets to `address`. Port 0 is any free port, the same for all. Each shard has
    /// `options` for itself, its limits included, but one reset key and one seed serve all.
    ///
    /// # Errors
    /// The address cannot be used, or the operating system has no randomness, or cannot share an
    /// address between sockets in a way that spreads clients (it is not a Unix).
    pub fn bind(
        address: SocketAddr,
        count: NonZeroU8,
        options: EndpointOptions,
    ) -> io::Result<Self> {
        let endpoints = Endpoint::bind_shards(address, count, options)?;
        Ok(Self { endpoints })
    }

    /// The address of all shards.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.endpoints.first().map(Endpoint::local_addr)
    }

    /// Sets how connections are taken, as [`Endpoint::set_server`], for all shards.
    pub fn set_server(&mut self, config: Option<&ServerConfig>) {
        for endpoint in &mut self.endpoints {
            endpoint.set_server(config.cloned());
        }
    }

    /// Gives each shard a thread, in which `serve` drives it. A panic of one leaves the others alone.
    ///
    /// # Errors
    /// The system has no more threads, or no more means to watch a socket.
    pub fn run<T: Send + 'static>(
        self,
        serve: impl FnMut(Driver) -> T + Clone + Send + 'static,
    ) -> io::Result<Vec<JoinHandle<T>>> {
        let drivers: io::Result<Vec<_>> = self.endpoints.into_iter().map(Driver::new).collect();
        let threads = drivers?.into_iter().enumerate().map(|(index, driver)| {
            let mut serve = serve.clone();
            Builder::new().name(format!("shard {index}")).spawn(move || serve(driver))
        });
        threads.collect()
    }
}

/// The endpoints, for loops and threads of your own. A `Poll` can watch one of them, and then has no
/// other [`Waker`](mio::Waker).
impl IntoIterator for Shards {
    type Item = Endpoint;
    type IntoIter = std::vec::IntoIter<Endpoint>;

    fn into_iter(self) -> Self::IntoIter {
        self.endpoints.into_iter()
    }
}
