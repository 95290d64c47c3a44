//! Threats: malformed packets, flipped bits, replayed packets. Whatever reaches an end beside its
//! peer's packets, at any moment of a connection's life, neither panics nor ends nor opens it.

use super::pair::{Pair, client_address, closed, craft_payload, fault, from, server_address};
use crate::connection::Event;
use crate::error::{AppCode, CloseReason};
use crate::ids::{Dir, Space, StreamId};
use crate::rng::{Rng, Seed};
use crate::stream::ReadError;
use crate::time::Duration;
use alloc::vec;
use alloc::vec::Vec;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Makes, of a datagram that is about to arrive, what arrives before it.
type Noise<'a> = &'a mut dyn FnMut(&[(bool, Vec<u8>)], &[u8]) -> Vec<Vec<u8>>;

/// A connection's whole life: handshake, data both ways, key updates, close. Before each datagram
/// comes what `noise` makes of it, from the same address.
fn live_with(noise: Noise<'_>) -> Pair {
    let mut pair = Pair::new();
    step_until(&mut pair, noise, |pair| {
        pair.client.confirmed && pair.server.as_ref().is_some_and(|server| server.confirmed)
    });
    assert!(pair.client.peer_identity().is_some());
    for round in 0..3u8 {
        let data: Vec<u8> = (0..20_000u32).map(|n| n as u8 ^ round).collect();
        let id = pair.client.open_stream(Dir::Bi).unwrap();
        assert_eq!(pair.client.write(id, &data).unwrap(), data.len());
        pair.client.finish(id).unwrap();
        let mut arrived = Vec::new();
        step_until(&mut pair, noise, |pair| {
            let server = pair.server.as_mut().unwrap();
            server.accept_stream(Dir::Bi);
            read_all(server, id, &mut arrived)
        });
        assert!(arrived == data, "{} bytes", arrived.len());
        pair.server().write(id, &data).unwrap();
        pair.server().finish(id).unwrap();
        let mut echoed = Vec::new();
        step_until(&mut pair, noise, |pair| read_all(&mut pair.client, id, &mut echoed));
        assert!(echoed == data);
        pair.client.update_keys();
        // The keys of the generation before last are gone after this.
        for _ in 0..60 {
            step(&mut pair, noise);
        }
    }
    assert_eq!(pair.client.stats().counts.key_updates, 3);
    assert!(closed(&pair.client_events).is_none() && closed(&pair.server_events).is_none());
    pair.client.close(pair.now, AppCode(5), b"bye");
    step_until(&mut pair, noise, |pair| pair.client.is_drained() && pair.server().is_drained());
    let bye = CloseReason::Remote { code: AppCode(5), reason: "bye".into() };
    assert_eq!(closed(&pair.server_events), Some(&bye));
    for events in [&pair.client_events, &pair.server_events] {
        let ends = events.iter().filter(|event| matches!(event, Event::Closed(_))).count();
        let begins = events.iter().filter(|event| matches!(event, Event::Connected)).count();
        assert_eq!((begins, ends), (1, 1));
    }
    pair
}

fn read_all(
    connection: &mut crate::connection::Connection,
    id: StreamId,
    into: &mut Vec<u8>,
) -> bool {
    let mut buf = [0; 4096];
    loop {
        match connection.read(id, &mut buf) {
            Ok(n) => into.extend_from_slice(&buf[..n]),
            Err(ReadError::Finished) => return true,
            Err(_) => return false,
        }
    }
}

fn step_until(pair: &mut Pair, noise: Noise<'_>, mut done: impl FnMut(&mut Pair) -> bool) {
    for _ in 0..2000 {
        step(pair, noise);
        if done(pair) {
            return;
        }
    }
    panic!("it takes too long: {:?} {:?}", pair.client_events, pair.server_events);
}

/// One step of the wire, noise before each datagram.
fn step(pair: &mut Pair, noise: Noise<'_>) {
    let mut under_way = Vec::new();
    pair.run_with(super::pair::DELAY / 2, |from_client, datagram| {
        under_way.push((from_client, datagram.clone()));
        Some(datagram)
    });
    // Noise is made of what has just been sent, and arrives first.
    for (from_client, datagram) in under_way {
        for forged in noise(&pair.log, &datagram) {
            if from_client {
                pair.at_server(client_address(), &forged);
            } else {
                pair.at_client(&forged);
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_a_header_and_one_of_each_byte_behind_it_changes_nothing() {
    let mut flips = 0;
    let pair = live_with(&mut |_, datagram| {
        let bits = (0..datagram.len() * 8).filter(|bit| bit / 8 < 48 || bit % 8 == bit / 8 % 8);
        // In full while the handshake lasts and in each short packet, in a few of the bulk's.
        let stride = if datagram[0] & 0x80 == 0 && datagram.len() > 200 { 37 } else { 1 };
        let flipped: Vec<_> = bits
            .step_by(stride)
            .map(|bit| {
                let mut flipped = datagram.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                flipped
            })
            .collect();
        flips += flipped.len();
        flipped
    });
    assert!(flips > 10_000, "{flips}");
    assert!(pair.client.stats().counts.packets_refused > 1000);
}

#[test]
fn a_truncated_packet_changes_nothing_wherever_it_is_cut() {
    live_with(&mut |_, datagram| {
        let stride = if datagram.len() > 200 { 7 } else { 1 };
        (0..datagram.len()).step_by(stride).map(|len| datagram[..len].to_vec()).collect()
    });
}

#[test]
fn a_packet_with_garbage_behind_it_is_read_up_to_the_garbage() {
    let mut rng = Rng::new(&Seed::from_u64(1), "garbage");
    live_with(&mut |_, datagram| {
        let mut longer = datagram.to_vec();
        let mut garbage = vec![0; rng.below(60) as usize];
        rng.fill(&mut garbage);
        longer.extend_from_slice(&garbage);
        vec![longer]
    });
}

#[test]
fn each_packet_replayed_at_once_later_reordered_and_across_key_updates_changes_nothing() {
    let mut rng = Rng::new(&Seed::from_u64(2), "replay");
    let pair = live_with(&mut |log, datagram| {
        // Of both directions: a packet may come back to its sender, too.
        let mut replayed: Vec<_> =
            log.iter().rev().take(12).map(|(_, datagram)| datagram.clone()).collect();
        for _ in 0..6 {
            replayed.push(log[rng.below(log.len() as u64) as usize].1.clone());
        }
        replayed.extend(log.iter().take(8).map(|(_, datagram)| datagram.clone()));
        replayed.retain(|replay| replay != datagram);
        replayed
    });
    assert!(pair.client.stats().counts.packets_refused > 100);
    assert_eq!(pair.server_endpoint.connections(), 1, "no second connection");
}

#[test]
fn a_packet_that_comes_twice_in_a_row_is_processed_once() {
    let mut pair = Pair::connected();
    let packet = craft_payload(&mut pair.client, Space::Data, &[1]);
    let before = pair.server().stats().counts.packets_received;
    for _ in 0..5 {
        pair.at_server(client_address(), &packet);
    }
    assert_eq!(pair.server().stats().counts.packets_received, before + 1);
}

#[test]
fn random_datagrams_with_and_without_a_believable_header_change_nothing() {
    let mut rng = Rng::new(&Seed::from_u64(3), "random");
    live_with(&mut |_, datagram| {
        (0..24)
            .map(|n| {
                let mut random = vec![0; rng.below(1400) as usize];
                rng.fill(&mut random);
                // A part of the true packet's header in front, growing.
                let kept = (n * 2).min(random.len()).min(datagram.len());
                random[..kept].copy_from_slice(&datagram[..kept]);
                random
            })
            .collect()
    });
}

#[test]
fn random_frames_from_the_peer_itself_never_panic() {
    let mut rng = Rng::new(&Seed::from_u64(4), "frames");
    let mut survived = 0;
    for _ in 0..40 {
        let mut pair = Pair::connected();
        for _ in 0..30 {
            // Short ones are often well formed.
            let most = 300 >> rng.below(9);
            let mut payload = vec![0; 1 + rng.below(most) as usize];
            rng.fill(&mut payload);
            // Mostly types that exist.
            payload[0] = if rng.below(3) == 0 { payload[0] | 0x80 } else { payload[0] & 0x1f };
            let packet = craft_payload(&mut pair.client, Space::Data, &payload);
            pair.at_server(client_address(), &packet);
            pair.run(MS(5));
            if pair.server().is_closed() {
                break;
            }
            survived += 1;
        }
        assert!(fault(&pair.server_events).is_some() || !pair.server_events.is_empty());
    }
    assert!(survived > 0, "some are legal");
}

#[test]
fn packets_from_another_address_change_nothing() {
    let mut pair = Pair::connected();
    let stranger = "203.0.113.9:999".parse().unwrap();
    let before = (pair.server().stats().counts, pair.server().next_timeout());
    let mut packet = craft_payload(&mut pair.client, Space::Data, &[1]);
    pair.at_server(stranger, &packet);
    assert_eq!((pair.server().stats().counts, pair.server().next_timeout()), before);
    assert!(pair.flush_server().is_empty());
    assert_eq!(pair.server().remote(), client_address());
    // The very same packet from the right address is taken.
    pair.at_server(client_address(), &packet);
    assert_eq!(pair.server().stats().counts.packets_received, before.0.packets_received + 1);

    let (now, len) = (pair.now, packet.len());
    let received = pair.client.stats().counts;
    pair.client.handle_datagrams(now, &from(stranger), &mut packet, len);
    assert_eq!(pair.client.stats().counts, received);
    assert_eq!(pair.client.remote(), server_address());
}

#[test]
fn empty_and_tiny_datagrams_and_odd_segments_change_nothing() {
    let mut pair = Pair::connected();
    let before = pair.client.stats().counts;
    let meta = from(server_address());
    for len in 0..64 {
        for segment in [0, 1, 3, len, 1200, usize::MAX] {
            let mut bytes = vec![0x40 | len as u8; len];
            pair.client.handle_datagrams(pair.now, &meta, &mut bytes, segment);
            pair.at_server(client_address(), &bytes);
        }
    }
    let after = pair.client.stats().counts;
    assert_eq!(before.packets_received, after.packets_received);
    assert!(pair.client.is_established() && pair.server().is_established());
}
