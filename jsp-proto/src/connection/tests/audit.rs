//! An audit tells the truth, and limits bound what is held.

use super::pair::{Pair, client_address, craft};
use crate::connection::{Connection, TransportConfig};
use crate::ids::{Dir, Side, Space, StreamId};
use crate::stream::StreamConfig;
use crate::time::Duration;
use crate::wire::frame::{Frame, StreamFrame};

const MS: fn(u64) -> Duration = Duration::from_millis;

fn check(connection: &Connection) {
    let audit = connection.audit();
    assert_eq!(audit.in_flight, audit.in_flight_sum);
    assert_eq!(audit.memory.excess(), None);
    assert!(audit.mtu <= audit.assumed_mtu.max(audit.acked_mtu));
    let limit = &audit.amplification;
    assert!(limit.validated || limit.sent <= 3 * limit.received);
}

#[test]
fn a_lossy_transfer_is_in_order_at_every_step() {
    let mut pair = Pair::new();
    let mut id = None;
    let (mut dropped, mut flights) = (0, 0);
    for step in 0..400u32 {
        let mut n = step;
        pair.run_with(MS(5), |_, datagram| {
            n = n.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            let arrives = (n >> 16) % 10 != 0;
            dropped += u32::from(!arrives);
            arrives.then_some(datagram)
        });
        if pair.client.is_established() {
            let id = *id.get_or_insert_with(|| pair.client.open_stream(Dir::Uni).unwrap());
            let _ = pair.client.write(id, &[7; 5000]);
            let mut buffer = [0; 5000];
            while pair.server().read(id, &mut buffer).is_ok() {}
        }
        flights += u32::from(pair.client.audit().in_flight > 0);
        check(&pair.client);
        if pair.server.is_some() {
            check(pair.server());
        }
    }
    assert!(dropped > 20 && flights > 100, "{dropped} {flights}");
    let audit = pair.client.audit();
    assert!(audit.mtu > 1200 && audit.acked_mtu >= audit.mtu);
    assert_eq!(audit.window, pair.client.stats().path.window);
    assert!(audit.pacing.is_some_and(|pacing| pacing.rate > 0 && pacing.burst >= 12_000));
    assert!(audit.memory.total().bytes > 5000);
}

#[test]
fn the_idle_deadline_is_when_the_connection_ends() {
    let mut pair = Pair::connected();
    let idle = pair.client.audit().idle;
    let (timeout, deadline) = (idle.timeout.unwrap(), idle.deadline.unwrap());
    assert_eq!(timeout, Duration::from_secs(30));
    assert!(deadline >= idle.received + timeout);
    pair.client.handle_timeout(deadline - MS(1));
    assert!(!pair.client.is_closed());
    pair.client.handle_timeout(deadline);
    assert!(pair.client.is_closed());
    assert_eq!(pair.client.audit().idle.deadline, None);
}

fn tight() -> TransportConfig {
    TransportConfig {
        streams: StreamConfig {
            max_streams: [8; 2],
            stream_window: 4000,
            stream_window_max: 16_000,
            connection_window: 10_000,
            connection_window_max: 30_000,
            send_buffer: 20_000,
            send_backlog: 10_000,
        },
        ..TransportConfig::default()
    }
}

#[test]
fn a_greedy_peer_makes_an_end_hold_no_more_than_its_limits() {
    // What the peer sends is kept, whatever the order, until the connection ends.
    for stride in [1u32, 2, 7, 1000] {
        let mut pair = Pair::with(tight(), tight());
        pair.run(MS(500));
        let mut most = 0;
        for n in 0..3000u32 {
            let id = StreamId::new(Side::Client, Dir::Uni, u64::from(n % 8));
            let offset = Some(n / 8 * stride + stride - 1);
            let frame = Frame::Stream(StreamFrame { id, offset, fin: false, data: b"x" });
            let packet = craft(&mut pair.client, Space::Data, &[frame]);
            pair.at_server(client_address(), &packet);
            let memory = pair.server().audit().memory;
            assert_eq!(memory.excess(), None, "stride {stride}, frame {n}");
            most = most.max(memory.streams.unread.bytes);
        }
        assert!(most > 1000 && most <= 30_000, "{most}");
    }
}

#[test]
fn an_end_that_is_never_acknowledged_keeps_no_more_than_its_send_buffer() {
    let mut pair = Pair::with(tight(), TransportConfig::default());
    pair.run(MS(500));
    let ids = [0; 4].map(|_| pair.client.open_stream(Dir::Uni).unwrap());
    for n in 0..200 {
        for id in ids {
            let _ = pair.client.write(id, &[7; 1000]);
        }
        pair.run_with(MS(5), |_, _| None);
        check(&pair.client);
        let held = pair.client.audit().memory.streams.unacknowledged;
        assert!(n < 10 || held.bytes > 9000, "{n}: {held:?}");
    }
    assert_eq!(pair.client.audit().memory.streams.unacknowledged.limit, 20_000);
}

#[test]
fn packets_without_keys_and_handshake_data_are_counted() {
    let mut pair = Pair::new();
    check(&pair.client);
    for datagram in pair.flush_client() {
        pair.at_server(client_address(), &datagram);
    }
    let hello = pair.client.audit().memory.handshake;
    assert!(hello.bytes > 1200, "the ClientHello: {hello:?}");
    // The first datagram, with the ServerHello, comes last.
    let mut flight = pair.flush_server();
    flight.reverse();
    flight.truncate(3);
    for datagram in &flight {
        pair.at_client(datagram);
    }
    let audit = pair.client.audit();
    assert!(audit.memory.deferred.bytes > 1000, "{:?}", audit.memory.deferred);
    assert!(pair.server().audit().memory.handshake.bytes > 3000);
    assert!(audit.handshake_in_flight > 0 && audit.handshake_in_flight == audit.in_flight);
    pair.run(MS(1000));
    assert!(pair.client.is_established());
    assert_eq!(pair.client.audit().memory.deferred.bytes, 0);
    assert_eq!(pair.client.audit().memory.handshake.bytes, 0);
    check(&pair.client);
}
