//! JetStreamProto on mio: the engine in one thread and one loop.
//!
//! Configuration and identities are the same types in this driver and in the one for tokio, which
//! takes them from here, with what [`parts`] holds.
#![forbid(unsafe_code)]

mod config;
mod error;
mod identity;
mod net;
mod pins;
mod provider;
mod signing;

pub use config::{ClientConfig, EndpointOptions, ServerConfig};
pub use error::ConnectError;
pub use identity::{Identity, IdentityFileError};
pub use net::SocketOptions;
pub use pins::{FilePins, MemoryPins};
pub use provider::{default_provider, portable_provider, provider_by_name};
pub use signing::{AsyncSigner, SignWith, Signing};

pub use jsp_proto;
pub use jsp_proto::connection::{Stats, TransportConfig};
pub use jsp_proto::crypto::Fingerprint;
pub use jsp_proto::error::{AppCode, CloseReason};
pub use jsp_proto::record::{Received, Transmit};
pub use jsp_proto::rng::Seed;

/// What a driver is made of, whatever it runs on: for those who write another one.
pub mod parts {
    pub use crate::identity::system_seed;
    pub use crate::net::{Batch, Message, Offloads, SendOutcome, canonical};
    pub use crate::signing::Signers;
}
