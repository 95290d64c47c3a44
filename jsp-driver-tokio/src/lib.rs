//! JetStreamProto on tokio: post-quantum secure connections with many streams over one UDP socket.
//!
//! An [`Endpoint`] is a socket with everything that runs over it. It makes and takes [`Connection`]s;
//! those carry streams, which read and write like any other of tokio's. Whom to trust is said by
//! fingerprint: there are no certificates.
//!
//! ```
//! use jsp_driver_tokio::{
//!     AppCode, ClientConfig, Endpoint, Identity, ServerConfig, default_provider,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A server with an identity of its own, that echoes what it gets on each stream.
//! let identity = Identity::generate(&*default_provider())?;
//! let server = Endpoint::server("[::1]:0".parse()?, ServerConfig::with_identity(&identity))?;
//! let address = server.local_addr();
//! tokio::spawn(async move {
//!     server
//!         .serve(|connection| async move {
//!             while let Ok((mut send, mut recv)) = connection.accept_bi().await {
//!                 if let Ok(request) = recv.read_to_end(1 << 20).await {
//!                     let _ = send.write_all(&request).await;
//!                     let _ = send.finish();
//!                 }
//!             }
//!         })
//!         .await;
//! });
//!
//! // A client that trusts this identity, and no other.
//! let client = Endpoint::client()?;
//! let config = ClientConfig::pinned(identity.fingerprint());
//! let connection = client.connect(&config, address)?.await?;
//! let (mut send, mut recv) = connection.open_bi().await?;
//! send.write_all(b"hello").await?;
//! send.finish()?;
//! assert_eq!(recv.read_to_end(100).await?, b"hello");
//!
//! // Nothing that was finished is lost.
//! client.shutdown(AppCode(0), b"done").await;
//! # Ok(())
//! # }
//! ```
//!
//! Configuration and identities are the same types in this driver and in the one for mio, from which
//! they come.
//!
//! # How it runs
//!
//! One task for each endpoint does what the network and the clock begin; there is none for each
//! connection, and no channel between. Calls of the application lock the connection, tell the engine,
//! and send from the calling task at once, so a steady flow wakes nobody. An answer takes the
//! acknowledgement along of what it answers, and writes that follow one another at once share datagrams
//! ([`SendStream`] tells how). Every queue is bounded: a writer waits while the peer's windows or the
//! send buffer are full, and what is not read stops the peer. Nothing is allocated for a packet.
//!
//! Where every microsecond counts, give the endpoint a runtime of one thread, run what talks over it in
//! spawned tasks there (the future of `block_on` itself waits for an extra look at the network), and
//! have it [spin](Endpoint::set_spin) if the processor has a core to spare.
//!
//! Futures are cancel-safe where their documentation says so: one that is dropped has done nothing, and
//! nothing is lost. `tracing` tells of connections' lives at `debug`, of single datagrams at `trace`
//! only, and never of a secret.
//!
//! # Other networks, other time
//!
//! [`Endpoint::with_socket`] takes any [`DatagramSocket`], of which [`UdpSocket`] is only the one for
//! real networks, and the only clock is tokio's. So the tests of an application can run it as it is
//! on a simulated network with paused time, where an hour with a lossy path takes moments:
//! `jsp_sim::tokio` has such a network. With a seed for each endpoint
//! ([`EndpointOptions::reproducible`]) a run is the same each time, datagram by datagram.
#![forbid(unsafe_code)]

mod connection;
mod endpoint;
mod error;
mod net;

pub use connection::{Connecting, Connection, RecvStream, SendStream};
pub use endpoint::{Endpoint, Incoming};
pub use error::{
    ClosedStream, ConnectError, ConnectHostError, ReadError, ReadToEndError, WriteError,
};
pub use net::{DatagramSocket, UdpSocket};

pub use jsp_driver_mio::parts::{Batch, Message, SendOutcome};
pub use jsp_driver_mio::{
    AsyncSigner, ClientConfig, EndpointOptions, FilePins, Identity, IdentityFileError, MemoryPins,
    ServerConfig, SignWith, Signing, SocketOptions, default_provider, portable_provider,
    provider_by_name,
};

pub use jsp_proto;
pub use jsp_proto::connection::{Stats, TransportConfig};
pub use jsp_proto::crypto::Fingerprint;
pub use jsp_proto::error::{AppCode, CloseReason};
pub use jsp_proto::record::{Received, Transmit};
pub use jsp_proto::rng::Seed;
