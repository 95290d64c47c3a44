//! JetStreamProto on mio: the engine in one thread and one loop, beside whatever else you poll.
//!
//! An [`Endpoint`] is a socket with everything that runs over it, and a mio event source. Nothing of it
//! runs by itself: no thread, no task, no lock, no callback. The caller's loop drives it, and is told
//! what happened by [`Event`]s.
//!
//! ```
//! use jsp_driver_mio::{
//!     AppCode, ClientConfig, Dir, Endpoint, Event, Identity, ReadError, ServerConfig, default_provider,
//! };
//! use mio::{Events, Interest, Poll, Token};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let identity = Identity::generate(&*default_provider())?;
//! let mut server = Endpoint::server("[::1]:0".parse()?, ServerConfig::with_identity(&identity))?;
//! let mut client = Endpoint::client()?;
//!
//! // One loop for both, and for whatever else is registered.
//! let mut poll = Poll::new()?;
//! poll.registry().register(&mut server, Token(0), Interest::READABLE)?;
//! poll.registry().register(&mut client, Token(1), Interest::READABLE)?;
//! let mut events = Events::with_capacity(8);
//!
//! // A client that trusts this identity, and no other.
//! let config = ClientConfig::pinned(identity.fingerprint());
//! let connection = client.connect(&config, server.local_addr())?;
//! let mut answer = Vec::new();
//! while client.connections() > 0 {
//!     let timeout = server.poll_timeout().into_iter().chain(client.poll_timeout()).min();
//!     poll.poll(&mut events, timeout)?;
//!
//!     // The server echoes what it gets on each stream.
//!     server.drive()?;
//!     while let Some((handle, event)) = server.poll_event() {
//!         let Some(mut connection) = server.connection(handle) else { continue };
//!         match event {
//!             Event::Opened { dir } => while connection.accept(dir).is_some() {},
//!             Event::Readable(id) => loop {
//!                 let mut buffer = [0; 100];
//!                 match connection.read(id, &mut buffer) {
//!                     Ok(read) => drop(connection.write(id, &buffer[..read])),
//!                     Err(ReadError::Finished) => drop(connection.finish(id)),
//!                     Err(_) => break,
//!                 }
//!             },
//!             _ => {}
//!         }
//!     }
//!     server.flush();
//!
//!     client.drive()?;
//!     while let Some((handle, event)) = client.poll_event() {
//!         let Some(mut connection) = client.connection(handle) else { continue };
//!         match event {
//!             Event::Connected => {
//!                 let id = connection.open(Dir::Bi).ok_or("no stream is allowed")?;
//!                 connection.write(id, b"hello")?;
//!                 connection.finish(id)?;
//!             }
//!             Event::Readable(id) => {
//!                 let read = connection.with_chunk(id, |chunk| {
//!                     answer.extend_from_slice(chunk);
//!                     chunk.len()
//!                 });
//!                 if answer == b"hello" {
//!                     connection.close(AppCode(0), b"done");
//!                 }
//!             }
//!             _ => {}
//!         }
//!     }
//!     client.flush();
//! }
//! assert_eq!(answer, b"hello");
//! # Ok(())
//! # }
//! ```
//!
//! Who has nothing else to poll takes a [`Driver`], which has a loop of its own, and can spin. A server
//! that needs more than one thread takes [`Shards`].
//!
//! # What it promises
//!
//! A turn of the loop is bounded, whatever arrives or is written: [`Endpoint::poll_timeout`] is zero
//! while there is more. All writes of a turn leave together, in full trains where the system can segment
//! them. Nothing is allocated for a packet. What the socket does not take waits for it, and the peer's
//! windows bound what waits behind. `tracing` tells of connections' lives at `debug`, of single
//! datagrams at `trace` only, and never of a secret.
//!
//! Configuration and identities are the same types in this driver and in the one for tokio, which
//! takes them from here, with what [`parts`] holds.
#![forbid(unsafe_code)]

mod clock;
mod config;
mod connection;
mod driver;
mod endpoint;
mod error;
mod event;
mod identity;
mod net;
mod pins;
mod provider;
mod shards;
mod signing;
mod timers;

pub use config::{ClientConfig, EndpointOptions, ServerConfig};
pub use connection::ConnectionMut;
pub use driver::Driver;
pub use endpoint::{Door, Endpoint, Incoming, Steered};
pub use error::ConnectError;
pub use event::Event;
pub use identity::{Identity, IdentityFileError};
pub use net::SocketOptions;
pub use pins::{FilePins, MemoryPins};
pub use provider::{default_provider, portable_provider, provider_by_name};
pub use shards::Shards;
pub use signing::{AsyncSigner, SignWith, Signing};

pub use jsp_proto;
pub use jsp_proto::connection::{Stats, TransportConfig};
pub use jsp_proto::crypto::Fingerprint;
pub use jsp_proto::error::{AppCode, CloseReason};
pub use jsp_proto::ids::{ConnectionHandle, Dir, StreamId};
pub use jsp_proto::record::{Received, Transmit};
pub use jsp_proto::rng::Seed;
pub use jsp_proto::stream::{ClosedStream, ReadError, WriteError};

/// What a driver is made of, whatever it runs on: for those who write another one.
pub mod parts {
    pub use crate::identity::system_seed;
    pub use crate::net::{Batch, Message, Offloads, SendOutcome, canonical};
    pub use crate::signing::Signers;
    pub use crate::timers::Timers;
}
