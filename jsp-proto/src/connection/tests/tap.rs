//! What a tap sees is what was sent, opened, lost and refused.

use super::pair::{Pair, client_address};
use crate::connection::{Refusal, Tap, TapFactory, TapPacket, TransportConfig};
use crate::ids::{ConnectionHandle, Dir, PacketNumber, Side, Space};
use crate::path::MtuConfig;
use crate::time::{Duration, Time};
use crate::wire::header::Kind;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use std::sync::Mutex;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// A packet, as one end's tap saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "as in what is seen")]
pub(super) struct Seen {
    pub(super) kind: Kind,
    number: PacketNumber,
    generation: u64,
    header: Vec<u8>,
    pub(super) payload: Vec<u8>,
    pub(super) size: usize,
    datagram: usize,
    ack_eliciting: bool,
    in_flight: bool,
    exempt: bool,
    pub(super) paced: bool,
    mtu_probe: bool,
}

#[derive(Debug, Default)]
struct Notes {
    sent: Vec<Seen>,
    received: Vec<Seen>,
    lost: Vec<(Space, PacketNumber)>,
    late: Vec<(Space, PacketNumber)>,
    refused: Vec<(Kind, Refusal)>,
}

/// The notes of the client's tap and of the server's.
#[derive(Clone, Debug, Default)]
pub(super) struct Book(Arc<Mutex<[Notes; 2]>>);

#[derive(Debug)]
struct Writer(Book, Side);

fn seen(packet: &TapPacket<'_>) -> Seen {
    assert_eq!(packet.header.len() + packet.payload.len() + 16, packet.size);
    Seen {
        kind: packet.kind,
        number: packet.number,
        generation: packet.generation,
        header: packet.header.to_vec(),
        payload: packet.payload.to_vec(),
        size: packet.size,
        datagram: packet.datagram,
        ack_eliciting: packet.ack_eliciting,
        in_flight: packet.in_flight,
        exempt: packet.exempt,
        paced: packet.paced,
        mtu_probe: packet.mtu_probe,
    }
}

impl Book {
    fn of<T>(&self, side: Side, read: impl FnOnce(&mut Notes) -> T) -> T {
        read(&mut self.0.lock().unwrap()[usize::from(side == Side::Server)])
    }
}

impl Book {
    /// What a side sent.
    pub(super) fn sent(&self, side: Side) -> Vec<Seen> {
        self.of(side, |notes| notes.sent.clone())
    }
}

impl Tap for Writer {
    fn sent(&mut self, packet: &TapPacket<'_>) {
        self.0.of(self.1, |notes| {
            notes.sent.push(seen(packet));
            assert!(!(packet.paced && packet.exempt));
        });
    }

    fn received(&mut self, packet: &TapPacket<'_>) {
        self.0.of(self.1, |notes| notes.received.push(seen(packet)));
    }

    fn lost(&mut self, _: Time, space: Space, number: PacketNumber) {
        self.0.of(self.1, |notes| notes.lost.push((space, number)));
    }

    fn late(&mut self, _: Time, space: Space, number: PacketNumber) {
        self.0.of(self.1, |notes| notes.late.push((space, number)));
    }

    fn refused(&mut self, _: Time, kind: Kind, why: Refusal) {
        self.0.of(self.1, |notes| notes.refused.push((kind, why)));
    }
}

impl TapFactory for Book {
    fn tap(&self, _: ConnectionHandle, side: Side) -> Option<Box<dyn Tap>> {
        Some(Box::new(Writer(self.clone(), side)))
    }
}

pub(super) fn tapped() -> (Pair, Book) {
    tapped_with(MtuConfig::fixed(1200))
}

fn tapped_with(mtu: MtuConfig) -> (Pair, Book) {
    let book = Book::default();
    let config = || TransportConfig {
        taps: Some(Arc::new(book.clone())),
        mtu,
        ..TransportConfig::default()
    };
    (Pair::with(config(), config()), book)
}

#[test]
fn each_end_receives_what_the_other_sent_from_the_first_packet_on() {
    let (mut pair, book) = tapped();
    pair.run(MS(300));
    let id = pair.client.open_stream(Dir::Uni).unwrap();
    pair.client.write(id, &vec![7; 50_000]).unwrap();
    pair.client.update_keys();
    pair.run(MS(1000));
    assert_eq!(pair.server().stats().streams.received, 50_000);
    for side in [Side::Client, Side::Server] {
        // What only the sender knows is not told of a received packet.
        let told = |sent: &Seen| {
            let sent = sent.clone();
            Seen { in_flight: false, exempt: false, paced: false, mtu_probe: false, ..sent }
        };
        let sent: Vec<_> = book.of(side, |notes| notes.sent.iter().map(told).collect());
        let received = book.of(side.peer(), |notes| notes.received.clone());
        let refused = book.of(side.peer(), |notes| notes.refused.clone());
        // Nothing is lost here, but Initial packets that come after their keys are gone are not opened.
        let arrived: Vec<_> = sent.iter().filter(|packet| received.contains(packet)).collect();
        assert_eq!(arrived.len(), received.len(), "nothing was received that was not sent");
        let missed = sent.len() - arrived.len();
        assert!(missed <= refused.len() + 1, "{missed} {refused:?}");
        assert!(refused.iter().all(|&(_, why)| why == Refusal::NoKeys), "{refused:?}");
        assert_eq!(sent[0].kind, Kind::Initial);
        assert_eq!(received[0], sent[0]);
        for kind in [Kind::Initial, Kind::Handshake, Kind::Data] {
            let numbers: Vec<_> = sent
                .iter()
                .filter(|packet| packet.kind == kind)
                .map(|packet| packet.number)
                .collect();
            assert!(numbers.is_sorted_by(|a, b| a < b));
        }
        let last = received.last().unwrap();
        assert_eq!((last.kind, last.generation), (Kind::Data, 1));
        assert!(received.iter().all(|packet| packet.size <= packet.datagram));
        assert!(received.iter().any(|packet| packet.ack_eliciting));
        assert_eq!(pair.client.stats().counts.key_updates, 1);
    }
    let sent = book.of(Side::Client, |notes| notes.sent.clone());
    assert_eq!(sent.len() as u64, pair.client.stats().counts.packets_sent);
    assert!(sent.iter().filter(|packet| packet.paced).count() > 30);
    let in_flight = sent.iter().filter(|packet| packet.in_flight);
    assert!(in_flight.map(|packet| packet.size).sum::<usize>() > 50_000);
}

#[test]
fn losses_late_arrivals_and_refusals_are_told() {
    let (mut pair, book) = tapped();
    pair.run(MS(300));
    let id = pair.client.open_stream(Dir::Uni).unwrap();
    pair.client.write(id, &vec![7; 20_000]).unwrap();
    let before = book.of(Side::Client, |notes| notes.sent.len());
    let mut held = None;
    pair.run_with(MS(20), |from_client, datagram| {
        if from_client && held.is_none() {
            held = Some(datagram);
            return None;
        }
        Some(datagram)
    });
    pair.run(MS(100));
    let number = book.of(Side::Client, |notes| notes.sent[before].number);
    assert_eq!(book.of(Side::Client, |notes| notes.lost.clone()), [(Space::Data, number)]);
    assert_eq!(book.of(Side::Client, |notes| notes.late.clone()), []);
    let held = held.unwrap();
    pair.at_server(client_address(), &held);
    pair.run(MS(100));
    // The sender remembers a lost packet for a while only.
    let late = book.of(Side::Client, |notes| notes.late.clone());
    assert!(late.iter().all(|&packet| packet == (Space::Data, number)));
    // The same again, and one that was forged.
    pair.at_server(client_address(), &held);
    let mut forged = held;
    *forged.last_mut().unwrap() ^= 1;
    pair.at_server(client_address(), &forged);
    let refused = book.of(Side::Server, |notes| core::mem::take(&mut notes.refused));
    let data = refused.into_iter().filter(|(kind, _)| *kind == Kind::Data);
    assert!(data.eq(vec![(Kind::Data, Refusal::Duplicate), (Kind::Data, Refusal::NotAuthentic)]));
}

#[test]
fn a_packet_that_was_given_up_and_arrives_in_time_is_late() {
    let (mut pair, book) = tapped();
    pair.run(MS(300));
    let id = pair.client.open_stream(Dir::Uni).unwrap();
    pair.client.write(id, &vec![7; 20_000]).unwrap();
    let mut held = Vec::new();
    pair.run_with(MS(15), |from_client, datagram| {
        if from_client && held.is_empty() {
            held = datagram;
            return None;
        }
        Some(datagram)
    });
    pair.at_server(client_address(), &held);
    pair.run(MS(100));
    let lost = book.of(Side::Client, |notes| notes.lost.clone());
    assert_eq!(lost.len(), 1);
    assert_eq!(book.of(Side::Client, |notes| notes.late.clone()), lost);
    assert_eq!(pair.client.stats().path.spurious_events, 1);
}

/// The same, as somebody outside can hold a sender to it with what a tap and an audit tell.
#[test]
fn window_and_pacing_bind_what_is_not_exempt() {
    for (mtu, losses) in
        [(MtuConfig::fixed(1200), 0), (MtuConfig::default(), 0), (MtuConfig::fixed(1200), 3)]
    {
        let (mut pair, book) = tapped_with(mtu);
        pair.run(MS(300));
        let id = pair.client.open_stream(Dir::Uni).unwrap();
        let mut audit = pair.client.audit();
        let (mut tokens, mut last) = (u128::MAX, pair.now);
        let (mut bound, mut paced, mut n) = (0, 0, 0u32);
        for _ in 0..600 {
            while pair.client.write(id, &[7; 10_000]).is_ok() {}
            book.of(Side::Client, |notes| notes.sent.clear());
            let now = pair.now;
            pair.run_with(MS(5), |_, datagram| {
                n = n.wrapping_mul(1_103_515_245).wrapping_add(12_345);
                ((n >> 16) % 100 >= losses).then_some(datagram)
            });
            let mut buffer = [0; 10_000];
            while pair.server().read(id, &mut buffer).is_ok() {}
            let (rate, burst) = audit.pacing.map_or((0, u64::MAX), |p| (p.rate, p.burst));
            let earned = u128::from(rate) * (now - last).as_nanos() / 1_000_000_000 + 1;
            tokens = tokens.saturating_add(earned).min(u128::from(burst));
            (audit, last) = (pair.client.audit(), now);
            let sent = book.of(Side::Client, |notes| notes.sent.clone());
            let mut beyond = 0;
            for packet in sent.iter().filter(|packet| packet.in_flight) {
                let free = packet.exempt || packet.mtu_probe;
                beyond += if free { packet.size as u64 } else { 0 };
                if packet.paced && !packet.mtu_probe {
                    assert!(tokens >= packet.size as u128, "{tokens} at {now:?}");
                    paced += 1;
                }
                tokens = tokens.saturating_sub(packet.size as u128);
            }
            if sent.iter().any(|packet| packet.in_flight && !packet.exempt && !packet.mtu_probe) {
                assert!(audit.in_flight <= audit.window + beyond);
                bound += 1;
            }
        }
        assert!(bound > 100 && paced > 1000, "{bound} {paced}");
    }
}
