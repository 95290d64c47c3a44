//! What an application may choose about an endpoint.

use crate::connection::TransportConfig;
use crate::crypto::{Provider, Secret};
use crate::handshake;
use crate::ids::Shard;
use crate::time::Duration;
use alloc::sync::Arc;

/// An endpoint's settings.
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// The cryptography of what precedes connections: Initial packets, tokens, connection IDs.
    pub provider: Arc<dyn Provider>,
    /// The key of stateless reset tokens. A server that is to reset connections of an earlier life
    /// keeps it; by default it comes from the seed.
    pub reset_key: Option<Secret>,
    /// Which of a server's shards this is. Default: the only one.
    pub shard: Shard,
    /// What strangers may cost.
    pub limits: Limits,
}

impl EndpointConfig {
    /// The default settings, with `provider`.
    pub fn new(provider: Arc<dyn Provider>) -> Self {
        Self { provider, reset_key: None, shard: Shard::ONLY, limits: Limits::default() }
    }
}

/// What strangers may cost an endpoint (`spec/13-endpoint.md`). A client beyond a limit is asked for
/// proof of its address by Retry; it is never refused for its neighbours' sake.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once, of both roles, at most 2^24. Default: 1,000,000.
    pub connections: u32,
    /// ClientHellos at once of which a part is missing. Each holds at most 4 KiB. Default: 1024.
    pub partial_hellos: usize,
    /// The same, from one /24 (IPv4) or /56 (IPv6) prefix. Default: 64.
    pub partial_hellos_per_prefix: usize,
    /// How long a ClientHello may be incomplete. Default: 1 s.
    pub partial_lifetime: Duration,
    /// Handshakes a second with addresses that are not validated. Default: 512.
    pub unvalidated_per_second: u32,
    /// The same, from one prefix. Default: 128.
    pub unvalidated_per_second_per_prefix: u32,
    /// How long a Retry's token is good. Default: 10 s.
    pub token_lifetime: Duration,
    /// Stateless resets, Version Negotiations and Retries a second. Default: 10,000.
    pub replies_per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1_000_000,
            partial_hellos: 1024,
            partial_hellos_per_prefix: 64,
            partial_lifetime: Duration::from_secs(1),
            unvalidated_per_second: 512,
            unvalidated_per_second_per_prefix: 128,
            token_lifetime: Duration::from_secs(10),
            replies_per_second: 10_000,
        }
    }
}

/// How a client connects.
#[derive(Clone)]
pub struct ClientConfig {
    /// Identity, verification, suites, application protocols.
    pub handshake: Arc<handshake::ClientConfig>,
    /// Everything else.
    pub transport: Arc<TransportConfig>,
}

/// How a server answers.
#[derive(Clone)]
pub struct ServerConfig {
    /// Identities, verification, suites, application protocols.
    pub handshake: Arc<handshake::ServerConfig>,
    /// Everything else.
    pub transport: Arc<TransportConfig>,
}
