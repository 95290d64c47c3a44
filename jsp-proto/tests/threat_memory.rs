//! What strangers and hostile peers make an end keep, by a counting allocator.

#![cfg(feature = "rustcrypto")]
#![allow(clippy::unwrap_used, reason = "a test that fails here has failed")]

#[path = "support/counting.rs"]
mod counting;

use counting::{Counting, live, peak};
use jsp_proto::connection::{Connection, TransportConfig};
use jsp_proto::crypto::{IdentitySecret, Provider, rustcrypto::RustCrypto};
use jsp_proto::endpoint::{ClientConfig, Endpoint, EndpointConfig, Routed, ServerConfig};
use jsp_proto::handshake::{self, AcceptAny, Assembler, Identity, IdentitySet};
use jsp_proto::ids::Ecn;
use jsp_proto::record::Received;
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::{Duration, Time};
use std::net::SocketAddr;
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const START: Time = Time::from_nanos(1_000_000_000);

fn from(remote: SocketAddr) -> Received {
    Received { remote, local: None, ecn: Ecn::NotEct }
}

fn endpoint(seed: u64) -> Endpoint {
    Endpoint::new(EndpointConfig::new(Arc::new(RustCrypto)), &Seed::from_u64(seed))
}

fn server() -> Endpoint {
    let provider: Arc<dyn Provider> = Arc::new(RustCrypto);
    let secret = IdentitySecret { ed25519: [1; 32], ml_dsa: Some([2; 32]) };
    let identity = Identity::new(&RustCrypto, provider.signer(&secret).unwrap().public().clone());
    let mut endpoint = endpoint(1);
    endpoint.set_server(Some(Arc::new(ServerConfig {
        handshake: Arc::new(handshake::ServerConfig::new(provider, IdentitySet::single(identity))),
        transport: Arc::new(TransportConfig::default()),
    })));
    endpoint
}

/// A client's first flight.
fn flight(seed: u64) -> Vec<Vec<u8>> {
    let verifier = Arc::new(AcceptAny);
    let config = ClientConfig {
        handshake: Arc::new(handshake::ClientConfig::new(Arc::new(RustCrypto), verifier)),
        transport: Arc::new(TransportConfig::default()),
    };
    let remote = "198.51.100.1:2000".parse().unwrap();
    let mut client = endpoint(seed).connect(START, &config, remote, None).unwrap();
    flush(&mut client, START)
}

fn flush(connection: &mut Connection, now: Time) -> Vec<Vec<u8>> {
    let mut out = vec![0; 65_535];
    let mut datagrams = Vec::new();
    while let Some(transmit) = connection.poll_transmit(now, &mut out, 1) {
        datagrams.push(out[..transmit.len].to_vec());
    }
    datagrams
}

/// A million Initials in ten seconds, each from an address of its own: the first fragments of
/// ClientHellos, parts of them without the first, and ones that do not open.
#[test]
fn a_million_spoofed_first_packets_leave_the_heap_flat() {
    let mut endpoint = server();
    let flight = flight(7);
    let mut rng = Rng::new(&Seed::from_u64(9), "sources");
    let mut datagram = Vec::with_capacity(1500);
    let mut reply = [0; 1500];
    let before = live();
    let mut peaks = [0; 10];
    for n in 0..1_000_000u32 {
        let now = START + Duration::from_micros(10) * n;
        let [a, b, c, d] = rng.u32().to_be_bytes();
        let remote = SocketAddr::from(([1 + a % 200, b, c, d], 1024 + (n % 60_000) as u16));
        datagram.clear();
        datagram.extend_from_slice(&flight[n as usize % flight.len()]);
        if n % 4 == 3 {
            datagram[100 + n as usize % 1000] ^= 1;
        }
        match endpoint.handle(now, &from(remote), &mut datagram, &mut reply) {
            Routed::Dropped => {}
            Routed::Reply(transmit) => assert!(transmit.len < 200),
            other => panic!("{other:?}"),
        }
        if n % 100_000 == 99_999 {
            peaks[n as usize / 100_000] = peak() - before;
        }
    }
    let (first, most) = (peaks[0], *peaks.iter().max().unwrap());
    assert!(most < 8 << 20, "{peaks:?}");
    assert!(most - first < 64 << 10, "it grows: {peaks:?}");
    assert!(endpoint.partial_hellos() <= 1024);
    endpoint.handle_timeout(START + Duration::from_secs(12));
    assert_eq!((endpoint.partial_hellos(), endpoint.next_timeout()), (0, None));
    // What is left is the tables' room.
    assert!(live() - before < 128 << 10, "{} bytes are left", live() - before);
}

/// Whole ClientHellos, too: what the quota lets through becomes connections, which never hear from
/// their clients and end.
#[test]
fn spoofed_whole_hellos_make_no_more_connections_than_the_quota() {
    let mut endpoint = server();
    let flight = flight(7);
    let mut reply = [0; 1500];
    let before = live();
    let mut connections = Vec::new();
    for n in 0..2000u32 {
        let now = START + Duration::from_micros(100) * n;
        let [_, a, b, c] = n.to_be_bytes();
        let remote = SocketAddr::from(([10 + a, b, c, 7], 4000));
        for datagram in &flight {
            let mut bytes = datagram.clone();
            let routed = endpoint.handle(now, &from(remote), &mut bytes, &mut reply);
            if let Routed::Incoming(incoming) = routed {
                connections.push(endpoint.accept(now, &incoming, None, &mut reply).unwrap());
            }
        }
    }
    let rate = 512 + 512 / 5 + 1;
    assert!((512..=rate).contains(&connections.len()), "{}", connections.len());
    let each = (live() - before) / connections.len().cast_signed();
    assert!(each < 48 << 10, "{each} bytes for each");
    let end = START + Duration::from_secs(60);
    for mut connection in connections.drain(..) {
        flush(&mut connection, START);
        connection.handle_timeout(end);
        assert!(connection.is_drained());
        endpoint.release(connection.handle());
    }
    endpoint.handle_timeout(end);
    assert_eq!((endpoint.connections(), endpoint.next_timeout()), (0, None));
    drop(connections);
    let left = live() - before;
    assert!(left < 256 << 10, "{left} bytes are left: the tables' room");
}

/// Handshake data costs what arrived, not what its offsets promise.
#[test]
fn handshake_data_far_ahead_costs_what_arrived_and_not_what_its_offset_says() {
    let mut assembler = Assembler::new(Assembler::MAX_LEN, Assembler::MAX_GAPS);
    let before = live();
    peak();
    assembler.insert(u64::from(Assembler::MAX_LEN) - 1, b"x").unwrap();
    assert!(peak() - before < 512, "{}", live() - before);
    for n in 1..Assembler::MAX_GAPS as u64 {
        assembler.insert(n * 500, b"x").unwrap();
    }
    assert!(peak() - before < 8 << 10, "{}", live() - before);
    assert!(assembler.insert(499 * 33, b"x").is_err(), "too many gaps");
    assert!(assembler.insert(u64::from(Assembler::MAX_LEN), b"x").is_err(), "too far");
    assert!(assembler.insert(u64::MAX, b"x").is_err(), "much too far");
    assert!(live() - before < 8 << 10);
    // All of it, in pieces of one byte, backwards: as much as there is room for, and no more.
    for at in (0..u64::from(Assembler::MAX_LEN)).rev() {
        let _ = assembler.insert(at, b"y");
    }
    assert!(peak() - before < 48 << 10, "{}", live() - before);
}
