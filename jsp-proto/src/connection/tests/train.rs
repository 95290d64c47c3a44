//! Runs of full packets: what is on the wire does not depend on how it was written.

use super::pair::Pair;
use super::tap::tapped;
use crate::connection::TransportConfig;
use crate::ids::{Dir, Side, StreamId};
use crate::path::MtuConfig;
use crate::time::Duration;
use crate::wire::frame::{Frame, Frames};
use crate::wire::header::Kind;
use alloc::vec;
use alloc::vec::Vec;

const MS: fn(u64) -> Duration = Duration::from_millis;

fn untapped() -> Pair {
    let config = || TransportConfig { mtu: MtuConfig::fixed(1200), ..TransportConfig::default() };
    Pair::with(config(), config())
}

/// What both ends send over a transfer of two streams, the second shorter, with losses and a key update.
fn story(mut pair: Pair) -> Vec<(bool, Vec<u8>)> {
    pair.run(MS(300));
    let ids = [0; 2].map(|_| pair.client.open_stream(Dir::Uni).unwrap());
    for (id, len) in ids.into_iter().zip([200_000, 50_001]) {
        assert_eq!(pair.client.write(id, &vec![7; len]), Ok(len));
        pair.client.finish(id).unwrap();
    }
    let mut n = 0;
    pair.run_with(MS(100), |_, datagram| {
        n += 1;
        (n % 20 != 0).then_some(datagram)
    });
    pair.client.update_keys();
    pair.run(MS(2000));
    assert_eq!(pair.server().stats().streams.received, 250_001);
    assert_eq!(pair.client.stats().counts.key_updates, 1);
    pair.log
}

#[test]
fn a_tap_changes_no_byte() {
    let (tapped, book) = tapped();
    let seen = story(tapped);
    let sent = book.sent(Side::Client);
    assert!(sent.iter().filter(|packet| packet.size == 1200 && packet.paced).count() > 150);
    assert_eq!(seen, story(untapped()));
}

#[test]
fn a_train_is_what_single_packets_would_be() {
    let flush = |most: usize| {
        let mut pair = untapped();
        pair.run(MS(300));
        let id = pair.client.open_stream(Dir::Uni).unwrap();
        pair.client.write(id, &[7; 11_000]).unwrap();
        let (mut out, mut sent) = (vec![0; 65_535], Vec::new());
        let mut trains = 0;
        while let Some(transmit) = pair.client.poll_transmit(pair.now, &mut out, most) {
            sent.extend_from_slice(&out[..transmit.len]);
            trains += 1;
        }
        assert!(pair.client.next_timeout().is_some_and(|at| at > pair.now));
        let stats = pair.client.stats();
        (sent, stats.counts.packets_sent, stats.path.sent_bytes, pair.client.audit(), trains)
    };
    let ((train, packets, bytes, audit, one), (singles, p, b, a, ten)) = (flush(64), flush(1));
    assert!((one, ten) == (1, 10), "{one} {ten}");
    assert!(train == singles);
    assert_eq!((packets, bytes), (p, b));
    assert_eq!((audit.in_flight, audit.window), (a.in_flight, a.window));
}

#[test]
fn several_streams_take_short_turns_and_get_the_same() {
    let (mut pair, book) = tapped();
    pair.run(MS(300));
    let ids = [0; 3].map(|_| pair.client.open_stream(Dir::Uni).unwrap());
    for id in ids {
        pair.client.write(id, &vec![7; 60_000]).unwrap();
    }
    pair.run(MS(1000));
    assert_eq!(pair.server().stats().streams.received, 180_000);
    let order: Vec<StreamId> = book
        .sent(Side::Client)
        .iter()
        .filter(|packet| packet.kind == Kind::Data && packet.size == 1200)
        .filter_map(|packet| {
            Frames::new(&packet.payload).find_map(|frame| match frame {
                Ok((_, Frame::Stream(frame))) => Some(frame.id),
                _ => None,
            })
        })
        // Later on some have nothing left.
        .take(120)
        .collect();
    assert_eq!(order.len(), 120);
    let longest = order.chunk_by(|a, b| a == b).map(<[StreamId]>::len).max();
    assert!(longest.is_some_and(|turn| turn <= 8), "{order:?}");
    let shares = ids.map(|id| order.iter().filter(|other| **other == id).count());
    assert!(shares.iter().all(|share| share.abs_diff(40) <= 8), "{shares:?}");
}
