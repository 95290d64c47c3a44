//! Batches: a train of packets does what its packets do one by one, and a forged one disturbs none of them.

use super::pair::{Pair, client_address, craft, from};
use crate::connection::{Counts, TransportConfig};
use crate::ids::{Dir, Space, StreamId};
use crate::path::MtuConfig;
use crate::time::{Duration, Time};
use crate::wire::frame::{AckFrequencyFrame, Frame};
use alloc::vec;
use alloc::vec::Vec;
use quickcheck::QuickCheck;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// A pair whose datagrams stay small, so that a window holds several.
fn connected() -> Pair {
    let config = || TransportConfig { mtu: MtuConfig::fixed(1200), ..TransportConfig::default() };
    let mut pair = Pair::with(config(), config());
    pair.run(MS(500));
    assert!(pair.client.is_established() && pair.server().is_established());
    pair
}

/// A train of the client's: the packets of three streams, all of one size but the last.
fn train(pair: &mut Pair) -> (Vec<Vec<u8>>, Vec<StreamId>) {
    let ids: Vec<StreamId> = (0..3).map(|_| pair.client.open_stream(Dir::Uni).unwrap()).collect();
    for (n, id) in ids.iter().enumerate() {
        pair.client.write(*id, &vec![n as u8; 4500]).unwrap();
        pair.client.finish(*id).unwrap();
    }
    let mut out = vec![0; 65_535];
    let sent = pair.client.poll_transmit(pair.now, &mut out, 64).unwrap();
    assert!(sent.len >= 8 * sent.segment, "a train");
    (out[..sent.len].chunks(sent.segment).map(<[u8]>::to_vec).collect(), ids)
}

/// Hands a train to the server in one call, or each packet in a call of its own.
fn deliver(pair: &mut Pair, packets: &[Vec<u8>], together: bool) {
    let (now, meta) = (pair.now, from(client_address()));
    let server = pair.server();
    if together {
        let segment = packets.first().map_or(1, Vec::len);
        server.handle_datagrams(now, &meta, &mut packets.concat(), segment);
    } else {
        for packet in packets {
            server.handle_datagrams(now, &meta, &mut packet.clone(), packet.len());
        }
    }
}

/// All that can be seen of the server after a train.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    counts: Counts,
    read: Vec<Vec<u8>>,
    sent: Vec<Vec<u8>>,
    /// Before and after it sent that.
    timeouts: [Option<Time>; 2],
}

fn seen(pair: &mut Pair, ids: &[StreamId]) -> Seen {
    let server = pair.server();
    let counts = server.stats().counts;
    let before = server.next_timeout();
    let read = ids.iter().map(|id| {
        let mut all = Vec::new();
        let mut piece = [0; 5000];
        while let Ok(n) = server.read(*id, &mut piece) {
            all.extend_from_slice(&piece[..n]);
        }
        all
    });
    let read = read.collect();
    let sent = pair.flush_server();
    let after = pair.server().next_timeout();
    Seen { counts, read, sent, timeouts: [before, after] }
}

/// Loses, damages, repeats and swaps packets of a train; the last, which may be shorter, stays where it is.
fn hurt(packets: &mut Vec<Vec<u8>>, steps: Vec<(u8, u16)>) {
    for (what, at) in steps {
        let last = packets.len() - 1;
        if last < 2 {
            return;
        }
        let n = usize::from(at) % (last - 1);
        match what % 5 {
            0 => drop(packets.remove(n)),
            1 => {
                let byte = usize::from(at / 7) % packets[n].len();
                packets[n][byte] ^= 1 << (what % 8);
            }
            2 => packets.insert(n, packets[n].clone()),
            3 => packets.swap(n, n + 1),
            _ => {}
        }
    }
}

#[test]
fn a_batch_is_its_packets_one_by_one() {
    fn after(steps: Vec<(u8, u16)>, together: bool) -> Seen {
        let mut pair = connected();
        let (mut packets, ids) = train(&mut pair);
        hurt(&mut packets, steps);
        deliver(&mut pair, &packets, together);
        seen(&mut pair, &ids)
    }
    fn same(steps: Vec<(u8, u16)>) -> bool {
        after(steps.clone(), true) == after(steps, false)
    }
    QuickCheck::new().tests(16).quickcheck(same as fn(Vec<(u8, u16)>) -> bool);
}

#[test]
fn a_forged_packet_in_a_train_disturbs_none_of_its_neighbours() {
    for place in [0, 1, 9, 12, 13, 28, 600, 1199] {
        let mut pair = connected();
        let (mut packets, _) = train(&mut pair);
        let before = pair.server().stats().counts;
        packets[4][place] ^= 0x20;
        deliver(&mut pair, &packets, true);
        let after = pair.server().stats().counts;
        assert_eq!(after.packets_received - before.packets_received, packets.len() as u64 - 1);
        assert!(pair.server().is_established());
    }
}

#[test]
fn a_train_is_acknowledged_once() {
    let mut pair = connected();
    let (packets, _) = train(&mut pair);
    let before = pair.server().stats().counts.acks_sent;
    deliver(&mut pair, &packets, true);
    pair.flush_server();
    assert_eq!(pair.server().stats().counts.acks_sent, before + 1);
}

#[test]
fn a_transfer_with_much_in_flight_is_acknowledged_a_few_times_a_round_trip() {
    for loss in [0, 37] {
        let mut pair = Pair::connected();
        let id = pair.client.open_stream(Dir::Uni).unwrap();
        let data = vec![7; 1 << 20];
        let (mut read, mut sent) = (0, 0u32);
        for _ in 0..400 {
            let _ = pair.client.write(id, &data);
            pair.run_with(MS(5), |from_client, datagram| {
                sent += u32::from(from_client);
                (loss == 0 || sent % loss != 0).then_some(datagram)
            });
            let mut piece = vec![0; 1 << 20];
            while let Ok(n) = pair.server().read(id, &mut piece) {
                read += n;
            }
        }
        let counts = pair.server().stats().counts;
        assert!(read > 2 << 20, "{read} bytes in two seconds");
        if loss == 0 {
            assert!(pair.client.path.frequency().policy().threshold >= 8);
            assert!(counts.acks_sent * 8 < counts.packets_received, "{counts:?}");
            assert_eq!(pair.client.stats().counts.probe_timeouts, 0);
        }
    }
}

fn request(threshold: u64, max_delay_micros: u64) -> Frame<'static> {
    Frame::AckFrequency(AckFrequencyFrame {
        sequence: 0,
        threshold,
        max_delay_micros,
        reordering: 0,
    })
}

/// When the server acknowledges the packet with `frames`, in milliseconds.
fn acknowledged_after(pair: &mut Pair, frames: &[Frame<'_>]) -> Option<u64> {
    let before = pair.server().stats().counts.acks_sent;
    let packet = craft(&mut pair.client, Space::Data, frames);
    pair.at_server(client_address(), &packet);
    (0..100).find(|_| {
        let now = pair.now;
        pair.server().handle_timeout(now);
        pair.flush_server();
        let done = pair.server().stats().counts.acks_sent > before;
        pair.now += MS(u64::from(!done));
        done
    })
}

#[test]
fn whatever_a_peer_asks_for_it_is_answered_within_what_was_promised() {
    let mut pair = Pair::connected();
    let request = request(1 << 61, 1 << 61);
    assert_eq!(acknowledged_after(&mut pair, &[request]), Some(25));
    assert_eq!(acknowledged_after(&mut pair, &[Frame::Ping]), Some(25));
    assert_eq!(acknowledged_after(&mut pair, &[Frame::ImmediateAck]), Some(0));
}

#[test]
fn a_peer_may_ask_for_an_answer_to_each_packet_and_for_a_delay_no_finer_than_timers() {
    let mut pair = Pair::connected();
    assert_eq!(acknowledged_after(&mut pair, &[request(0, 0)]), Some(0));
    assert_eq!(acknowledged_after(&mut pair, &[Frame::Ping]), Some(0));
    let mut pair = Pair::connected();
    assert_eq!(acknowledged_after(&mut pair, &[request(9, 0)]), Some(1));
}

#[test]
fn never_are_more_than_256_packets_unanswered() {
    let mut pair = Pair::connected();
    let first = craft(&mut pair.client, Space::Data, &[request(1 << 61, 25_000)]);
    pair.at_server(client_address(), &first);
    let before = pair.server().stats().counts.acks_sent;
    for _ in 0..255 {
        let packet = craft(&mut pair.client, Space::Data, &[Frame::Ping]);
        assert_eq!(pair.server().stats().counts.acks_sent, before);
        pair.at_server(client_address(), &packet);
        pair.flush_server();
    }
    assert_eq!(pair.server().stats().counts.acks_sent, before + 1);
}
