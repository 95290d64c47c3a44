//! Applications of the tokio driver on a simulated network: unchanged, in virtual time.
//!
//! ```text
//!   your application         as it is in production
//!     Endpoint, Connection   jsp-driver-tokio
//!       SimSocket            Endpoint::with_socket takes it
//!         SimNet ─ Network   segments, boxes and links of this crate
//!           tokio's clock    paused: it jumps to whatever happens next
//! ```
//!
//! An application that is handed its endpoints needs no change at all: it gets real ones in
//! production, and here some on [`SimSocket`]s. Tokio's clock, where it is paused, jumps ahead when
//! every task waits, so an hour with a bad network takes moments.
//!
//! ```
//! use jsp_driver_tokio::{AppCode, ClientConfig, Endpoint, EndpointOptions, ServerConfig};
//! use jsp_driver_tokio::{Identity, portable_provider};
//! use jsp_proto::rng::Seed;
//! use jsp_sim::{link::Link, ms, tokio::SimNet};
//!
//! // In a test: #[tokio::test(start_paused = true)].
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let bad = Link::new().delay(ms(40)).loss(0.1);
//! let net = SimNet::pair(&Seed::from_u64(7), bad.clone(), bad);
//! let endpoint = |address, seed| {
//!     let options = EndpointOptions::reproducible(Seed::from_u64(seed));
//!     Endpoint::with_socket(net.socket((address, 4433))?, options)
//! };
//! let (client, server) = (endpoint(SimNet::CLIENT, 1)?, endpoint(SimNet::SERVER, 2)?);
//!
//! // From here on, nothing knows that the network is not real.
//! let identity = Identity::generate(&*portable_provider())?;
//! server.set_server(Some(ServerConfig::with_identity(&identity)));
//! let config = ClientConfig::pinned(identity.fingerprint());
//! let connecting = client.connect(&config, server.local_addr())?;
//! let accepted = server.accept().await.ok_or("closed")?;
//! let (ours, theirs) = tokio::try_join!(connecting.into_future(), accepted.into_future())?;
//! let mut send = ours.open_uni().await?;
//! send.write_all(b"hello").await?;
//! send.finish()?;
//! assert_eq!(theirs.accept_uni().await?.read_to_end(100).await?, b"hello");
//! ours.shutdown(AppCode(0), b"done").await;
//! # use std::future::IntoFuture as _;
//! # Ok(())
//! # }
//! ```
//!
//! # The same again
//!
//! With the same seeds, a run is the same again, datagram by datagram: [`SimNet::hash`] tells. What
//! that takes beside a seed for the network and one for each endpoint stands at
//! [`EndpointOptions::reproducible`](jsp_driver_tokio::EndpointOptions::reproducible). Where two runs
//! differ all the same, [`SimNet::watch`] both.
//!
//! # Time
//!
//! Begin with the clock paused (`start_paused = true`): the phase of tokio's timers is then the same
//! each time. They tick in milliseconds, so an application gets a datagram up to a millisecond after
//! it came; inside the network all is exact, to the nanosecond. A blocking task
//! (`tokio::task::spawn_blocking`, and what is built on it: files, names of hosts) holds virtual time up while it
//! runs. In a runtime whose clock is not paused, everything works in real time.

mod hub;
mod ports;
mod socket;

pub use socket::SimSocket;

use crate::link::Link;
use crate::network::{Network, NodeId};
use crate::trace::{Entry, Observer, TraceHash};
use hub::{Courier, Hub};
use jsp_proto::rng::Seed;
use jsp_proto::time::Time;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// A simulated network in tokio's time. Cheap to clone; all clones are the same network.
#[derive(Clone)]
pub struct SimNet {
    hub: Arc<Hub>,
}

impl SimNet {
    /// The address of the first host of [`Self::pair`].
    pub const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    /// The address of the second host of [`Self::pair`].
    pub const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    /// Has `network` live from now on; its time begins at zero. A task of the current runtime lets
    /// time pass in it, until the last clone and the last socket are dropped.
    ///
    /// # Panics
    /// This is not within a tokio runtime with time.
    pub fn new(network: Network) -> Self {
        let hub = Hub::new(network);
        ::tokio::spawn(Courier::new(&hub));
        Self { hub }
    }

    /// Two hosts, one at [`Self::CLIENT`] and one at [`Self::SERVER`]: `there` leads from the first to
    /// the second, `back` the other way.
    ///
    /// # Panics
    /// As [`Self::new`].
    pub fn pair(seed: &Seed, there: Link, back: Link) -> Self {
        let mut network = Network::new(seed);
        let between = network.add_segment();
        let client = network.add_node("client");
        network.attach(client, between, Some(Self::CLIENT), there, back);
        let server = network.add_node("server");
        network.attach(server, between, Some(Self::SERVER), Link::new(), Link::new());
        Self::new(network)
    }

    /// Binds a socket to `address`, on the host that has it (the first, where several segments have
    /// such a host). Port 0 is any free port.
    ///
    /// # Errors
    /// No host has this address, or another socket does.
    pub fn socket(&self, address: impl Into<SocketAddr>) -> io::Result<SimSocket> {
        let address = address.into();
        let node = self.hub.look(|state| state.owner(address.ip()));
        self.socket_of(node.ok_or(io::ErrorKind::AddrNotAvailable)?, address)
    }

    /// Binds a socket to `address` on the host `node`. Port 0 is any free port. `0.0.0.0` hears
    /// whatever addresses the host has at the moment, `[::]` those of IPv6, too; such a socket moves
    /// with its host from one network to another.
    ///
    /// # Errors
    /// The host does not have this address, or another socket does.
    pub fn socket_of(&self, node: NodeId, address: impl Into<SocketAddr>) -> io::Result<SimSocket> {
        SimSocket::bind(&self.hub, node, address.into())
    }

    /// The network's time: since it began.
    pub fn now(&self) -> Time {
        self.hub.now()
    }

    /// Looks at the network as it is now, or changes it: links, addresses, boxes. What is sent by hand
    /// belongs to the run as well.
    pub fn change<R>(&self, f: impl FnOnce(&mut Network, Time) -> R) -> R {
        self.hub.act(|state, now| f(&mut state.network, now))
    }

    /// Has somebody watch the datagrams from now on: to print them, or to write them to a file.
    pub fn watch(&self, observer: Box<dyn Observer>) {
        self.hub.look(|state| state.trace.watch(observer));
    }

    /// The hash of everything that happened so far: of two runs, whether they are the same.
    pub fn hash(&self) -> TraceHash {
        self.hub.look(|state| state.trace.hash())
    }

    /// The last things that happened, oldest first: to be printed when a test fails.
    pub fn tail(&self) -> Vec<Entry> {
        self.hub.look(|state| state.trace.tail().copied().collect())
    }
}

impl fmt::Debug for SimNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimNet").field("now", &self.now()).finish_non_exhaustive()
    }
}
