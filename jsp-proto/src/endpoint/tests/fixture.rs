//! Endpoints, and what clients send to them.

use crate::connection::{Connection, TransportConfig};
use crate::crypto::rustcrypto::RustCrypto;
use crate::crypto::{IdentitySecret, Provider};
use crate::endpoint::{ClientConfig, Endpoint, EndpointConfig, Incoming, Routed, ServerConfig};
use crate::handshake::{self, AcceptAny, Identity, IdentitySet};
use crate::ids::{Ecn, Shard};
use crate::record::Received;
use crate::rng::Seed;
use crate::time::Time;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;

pub(super) const START: Time = Time::from_nanos(1_000_000_000);

pub(super) fn from(remote: SocketAddr) -> Received {
    Received { remote, local: None, ecn: Ecn::NotEct }
}

/// The `n`th address: neighbours share their /24 in groups of 200.
pub(super) fn address(n: u32) -> SocketAddr {
    let [_, a, b, c] = (n / 200).to_be_bytes();
    SocketAddr::from(([a + 20, b, c, (n % 200) as u8 + 1], 4000))
}

pub(super) fn endpoint(seed: u64) -> Endpoint {
    Endpoint::new(EndpointConfig::new(Arc::new(RustCrypto)), &Seed::from_u64(seed))
}

/// An endpoint that takes connections.
pub(super) fn server() -> Endpoint {
    server_shard(Shard::ONLY)
}

/// A shard of a server.
pub(super) fn server_shard(shard: Shard) -> Endpoint {
    let provider: Arc<dyn Provider> = Arc::new(RustCrypto);
    let secret = IdentitySecret { ed25519: [1; 32], ml_dsa: Some([2; 32]) };
    let identity = Identity::new(&RustCrypto, provider.signer(&secret).unwrap().public().clone());
    let identities = IdentitySet::single(identity);
    let config = EndpointConfig { shard, ..EndpointConfig::new(Arc::clone(&provider)) };
    let mut endpoint = Endpoint::new(config, &Seed::from_u64(1));
    endpoint.set_server(Some(Arc::new(ServerConfig {
        handshake: Arc::new(handshake::ServerConfig::new(provider, identities)),
        transport: Arc::new(TransportConfig::default()),
    })));
    endpoint
}

/// A client and its first flight: three datagrams.
pub(super) fn client(seed: u64) -> (Connection, Vec<Vec<u8>>) {
    let config = ClientConfig {
        handshake: Arc::new(handshake::ClientConfig::new(
            Arc::new(RustCrypto),
            Arc::new(AcceptAny),
        )),
        transport: Arc::new(TransportConfig::default()),
    };
    let remote = SocketAddr::from(([198, 51, 100, 1], 2000));
    let mut client = endpoint(seed).connect(START, &config, remote, None).unwrap();
    let flight = flush(&mut client, START);
    (client, flight)
}

/// What a connection has to send.
pub(super) fn flush(connection: &mut Connection, now: Time) -> Vec<Vec<u8>> {
    let mut out = vec![0; 65_535];
    let mut datagrams = Vec::new();
    while let Some(transmit) = connection.poll_transmit(now, &mut out, 1) {
        datagrams.push(out[..transmit.len].to_vec());
    }
    datagrams
}

/// Where a datagram led.
#[derive(Debug)]
pub(super) enum Led {
    Nowhere,
    Incoming(Box<Incoming>),
    Reply(Vec<u8>),
    Connection,
}

pub(super) fn give(endpoint: &mut Endpoint, now: Time, remote: SocketAddr, datagram: &[u8]) -> Led {
    let mut bytes = datagram.to_vec();
    let mut reply = vec![0; 1500];
    match endpoint.handle(now, &from(remote), &mut bytes, &mut reply) {
        Routed::Connection(_) => Led::Connection,
        Routed::Incoming(incoming) => Led::Incoming(Box::new(incoming)),
        Routed::Reply(transmit) => Led::Reply(reply[..transmit.len].to_vec()),
        Routed::Stray | Routed::Dropped => Led::Nowhere,
    }
}

/// The client takes the server's answer and answers in turn.
pub(super) fn answer(client: &mut Connection, now: Time, datagram: &[u8]) -> Vec<Vec<u8>> {
    let mut bytes = datagram.to_vec();
    let len = bytes.len();
    let server = SocketAddr::from(([198, 51, 100, 1], 2000));
    client.handle_datagrams(now, &from(server), &mut bytes, len);
    flush(client, now)
}
