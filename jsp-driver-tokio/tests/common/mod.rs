//! What the tests share: pairs of endpoints on loopback, and bounded waits.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.
#![allow(dead_code, unreachable_pub)] // Each test uses its part.

use jsp_driver_tokio::{
    ClientConfig, Connection, Endpoint, EndpointOptions, Identity, ServerConfig, default_provider,
};
use std::future::{Future, IntoFuture as _};
use std::net::SocketAddr;
use std::time::Duration;

/// Far more than anything here takes: a test that hangs fails.
pub async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    let output = tokio::time::timeout(Duration::from_secs(60), future).await;
    output.unwrap_or_else(|_| panic!("{what}: took too long"))
}

pub fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

pub fn identity() -> Identity {
    Identity::generate(&*default_provider()).unwrap()
}

pub fn endpoint() -> Endpoint {
    Endpoint::bind(loopback(), EndpointOptions::default()).unwrap()
}

/// A server and a client that trusts it.
pub struct Pair {
    pub server: Endpoint,
    pub client: Endpoint,
    pub config: ClientConfig,
}

impl Pair {
    pub fn new() -> Self {
        Self::with(|server| server, |client| client)
    }

    pub fn with(
        server: impl FnOnce(ServerConfig) -> ServerConfig,
        client: impl FnOnce(ClientConfig) -> ClientConfig,
    ) -> Self {
        let identity = identity();
        let config = server(ServerConfig::with_identity(&identity));
        let server = Endpoint::server(loopback(), config).unwrap();
        let config = client(ClientConfig::pinned(identity.fingerprint()));
        Self { server, client: endpoint(), config }
    }

    /// A connection: the client's end, the server's end.
    pub async fn connect(&self) -> (Connection, Connection) {
        let connecting = self.client.connect(&self.config, self.server.local_addr()).unwrap();
        let accepting = async { self.server.accept().await.unwrap().await.unwrap() };
        let (client, server) =
            soon("handshake", async { tokio::join!(connecting.into_future(), accepting) }).await;
        (client.unwrap(), server)
    }
}

/// Bytes that nobody gets right by accident.
pub fn pattern(len: usize, seed: u64) -> Vec<u8> {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (x >> 24) as u8
        })
        .collect()
}
