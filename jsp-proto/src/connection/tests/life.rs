//! The ordinary course of a connection: handshake, data, close.

use super::pair::{Pair, client_address, closed, opening};
use crate::connection::{Event, TransportConfig};
use crate::error::{AppCode, CloseReason};
use crate::ids::Dir;
use crate::path::MtuConfig;
use crate::stream::ReadError;
use crate::time::Duration;
use alloc::vec;
use alloc::vec::Vec;

const MS: fn(u64) -> Duration = Duration::from_millis;

#[test]
fn a_handshake_takes_one_round_trip_until_the_client_is_connected() {
    let mut pair = Pair::new();
    pair.run(MS(26));
    assert!(matches!(pair.client_events[..], [Event::Connected]), "{:?}", pair.client_events);
    assert_eq!(pair.client.stats().handshake, Some(MS(20)));
    pair.run(MS(30));
    assert!(pair.client.confirmed && pair.server().confirmed);
}

#[test]
fn the_first_flight_is_three_full_datagrams_and_the_answer_at_most_thrice_as_long() {
    let mut pair = Pair::new();
    pair.run(MS(16));
    let sizes: Vec<_> = pair.log.iter().filter(|(c, _)| *c).map(|(_, d)| d.len()).collect();
    assert_eq!(sizes, [1200; 3]);
    let answer: usize = pair.log.iter().filter(|(c, _)| !*c).map(|(_, d)| d.len()).sum();
    assert!((5000..=3 * 3600).contains(&answer), "{answer}");
}

#[test]
fn what_a_client_sends_a_server_echoes() {
    let mut pair = Pair::connected();
    let id = pair.client.open_stream(Dir::Bi).unwrap();
    let data: Vec<u8> = (0..100_000u32).map(|n| n as u8).collect();
    let mut sent = 0;
    let mut echoed = Vec::new();
    let mut backlog = Vec::new();
    let mut accepted = None;
    for _ in 0..200 {
        if sent < data.len() {
            sent += pair.client.write(id, &data[sent..]).unwrap_or(0);
            if sent == data.len() {
                pair.client.finish(id).unwrap();
            }
        }
        pair.run(MS(5));
        let server = pair.server.as_mut().unwrap();
        accepted = accepted.or_else(|| server.accept_stream(Dir::Bi));
        let mut buf = [0; 5000];
        let Some(id) = accepted else { continue };
        loop {
            match server.read(id, &mut buf) {
                Ok(n) => backlog.extend_from_slice(&buf[..n]),
                // The end is told once; then the stream may be gone.
                Err(ReadError::Blocked | ReadError::Finished | ReadError::ClosedStream) => break,
                Err(error) => panic!("{error:?}"),
            }
        }
        let n = server.write(id, &backlog).unwrap_or(0);
        backlog.drain(..n);
        while let Ok(n) = pair.client.read(id, &mut buf) {
            echoed.extend_from_slice(&buf[..n]);
        }
        if echoed.len() == data.len() {
            break;
        }
    }
    assert!(echoed == data, "{} of {} bytes", echoed.len(), data.len());
}

#[test]
fn an_application_closes_and_the_other_learns_code_and_reason() {
    let mut pair = Pair::connected();
    pair.client.close(pair.now, AppCode(7), b"done");
    pair.run(MS(2000));
    let reason = CloseReason::Remote { code: AppCode(7), reason: "done".into() };
    assert_eq!(closed(&pair.server_events), Some(&reason));
    assert_eq!(closed(&pair.client_events), Some(&CloseReason::Local { code: AppCode(7) }));
    assert!(pair.client.is_drained() && pair.server().is_drained());
}

#[test]
fn silence_ends_a_connection_after_the_idle_timeout_and_not_before() {
    let mut pair = Pair::connected();
    pair.run(MS(29_000));
    assert!(!pair.client.is_closed());
    pair.run(MS(2_000));
    assert_eq!(closed(&pair.client_events), Some(&CloseReason::IdleTimeout));
    assert_eq!(closed(&pair.server_events), Some(&CloseReason::IdleTimeout));
}

#[test]
fn a_server_that_never_answers_is_given_up_after_the_handshake_timeout() {
    let mut pair = Pair::new();
    pair.run_with(MS(11_000), |_, _| None);
    assert_eq!(closed(&pair.client_events), Some(&CloseReason::HandshakeTimeout));
    assert!(pair.client.is_drained());
}

#[test]
fn a_slice_that_is_too_small_changes_nothing() {
    let mut pair = Pair::new();
    let mut small = vec![0; 1199];
    assert!(pair.client.poll_transmit(pair.now, &mut small, 64).is_none());
    assert_eq!(small, vec![0; 1199]);
    assert_eq!(pair.flush_client().len(), 3);
}

#[test]
fn a_retry_costs_one_round_trip_and_proves_the_address() {
    let mut pair = Pair::new();
    let flight = pair.flush_client();
    // The server is asked for a Retry by hand: the first flight is whole with its last datagram.
    let mut reply = vec![0; 1500];
    let mut answered = None;
    for mut datagram in flight {
        let meta = super::pair::from(client_address());
        if let crate::endpoint::Routed::Incoming(incoming) =
            pair.server_endpoint.handle(pair.now, &meta, &mut datagram, &mut reply)
        {
            assert!(!incoming.is_validated());
            let transmit = pair.server_endpoint.retry(pair.now, &incoming, &mut reply).unwrap();
            answered = Some(reply[..transmit.len].to_vec());
        }
    }
    pair.at_client(&answered.unwrap());
    // Its parameters must name the Retry, or the client refuses the server.
    assert!(opening(&pair.client).retry_scid.is_some());
    pair.run(MS(60));
    assert!(pair.client.is_established() && pair.server().is_established());
}

#[test]
fn a_connection_that_falls_silent_gives_its_buffers_back() {
    let mut pair = Pair::connected();
    let id = pair.client.open_stream(Dir::Uni).unwrap();
    pair.client.write(id, &vec![7; 60_000]).unwrap();
    pair.run(MS(200));
    let server = pair.server();
    assert_eq!(server.accept_stream(Dir::Uni), Some(id));
    let mut buf = vec![0; 60_000];
    while server.read(id, &mut buf).is_ok() {}
    assert!(server.streams.receive_memory() > 0);
    pair.run(MS(1500));
    assert_eq!(pair.server().streams.receive_memory(), 0);
}

#[test]
fn a_probe_of_the_mtu_is_acknowledged_at_once() {
    let mut pair = Pair::new();
    pair.run(MS(60));
    assert!(pair.client.confirmed);
    // Six probes, a round trip of 20 ms each: holding back each acknowledgement would take twice as long.
    pair.run(MS(140));
    assert_eq!(pair.client.path.mtu(), 9000);
}

#[test]
fn a_train_goes_on_behind_a_packet_without_room_for_the_next_stream() {
    const SIZE: usize = 1200;
    let transport =
        || TransportConfig { mtu: MtuConfig::fixed(SIZE as u16), ..TransportConfig::default() };
    let mut pair = Pair::with(transport(), transport());
    pair.run(MS(100));
    for _ in 0..8 {
        let id = pair.client.open_stream(Dir::Uni).unwrap();
        // Leaves a few bytes of a packet, too few for a piece of another stream.
        pair.client.write(id, &[7; SIZE - 55]).unwrap();
    }
    let mut out = vec![0; 65_535];
    let train = pair.client.poll_transmit(pair.now, &mut out, 64).unwrap();
    assert_eq!((train.segment, train.len / SIZE), (SIZE, 7), "{train:?}");
    assert!(train.len > 7 * SIZE, "the last is as long as its frame");
}

#[test]
fn a_sign_of_life_is_answered_at_once() {
    let mut pair = Pair::connected();
    pair.run(MS(1500));
    let before = pair.server().stats().counts.acks_sent;
    pair.client.ping();
    // A quarter of what the server may hold acknowledgements back for, beyond the way there and back.
    pair.run(MS(20 + 6));
    assert_eq!(pair.server().stats().counts.acks_sent, before + 1);
    assert_eq!(pair.client.recovery.in_flight(), 0);
}
