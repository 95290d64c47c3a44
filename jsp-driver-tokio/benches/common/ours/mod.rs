//! Ours, with either driver: a server that counts the bytes of each stream, and a client that sends it
//! some.

mod on_mio;
mod on_tokio;

use super::Round;
use jsp_driver_tokio::jsp_proto::crypto::Suite;
use jsp_driver_tokio::{ClientConfig, Identity, ServerConfig, TransportConfig, default_provider};
use std::net::SocketAddr;

/// How long a server serves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The first connection's end.
    Closed,
    /// The end of the process.
    Killed,
}

/// One of our drivers.
#[derive(Clone, Copy)]
pub struct Driver {
    pub name: &'static str,
    /// Serves on this thread, and first tells where.
    pub serve: fn(ServerConfig, &dyn Fn(SocketAddr), Until),
    /// Sends so many bytes over a connection of its own, until the server's word that all is there.
    pub upload: fn(&ClientConfig, SocketAddr, usize) -> Upload,
}

pub const DRIVERS: [Driver; 2] = [
    Driver { name: "mio", serve: on_mio::serve, upload: on_mio::upload },
    Driver { name: "tokio", serve: on_tokio::serve, upload: on_tokio::upload },
];

/// What came of an upload.
pub struct Upload {
    pub round: Round,
    /// The size of datagrams at its end.
    pub mtu: u16,
}

/// A client and the server that it trusts.
pub fn configs(transport: TransportConfig) -> (ClientConfig, ServerConfig) {
    let identity = Identity::generate(&*default_provider()).unwrap();
    let client = ClientConfig::pinned(identity.fingerprint())
        .with_suites(&[Suite::Aes256Gcm])
        .with_transport(transport.clone());
    (client, ServerConfig::with_identity(&identity).with_transport(transport))
}
