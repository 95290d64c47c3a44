//! A path, recovery and CUBIC together, over a small model of a network.

use super::*;
use crate::ids::Side;
use crate::record::SentFrame;
use crate::recovery::{AckPolicy, Recovery, Sink, Stage, TimerContext};
use crate::rng::{Rng, Seed};
use crate::wire::frame::{AckFrame, EcnCounts, Frame, Frames};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::Ipv6Addr;

const MS: fn(u64) -> Duration = Duration::from_millis;
const START: Time = Time::from_nanos(1_000_000_000);

#[derive(Default)]
struct Count {
    acked: BTreeSet<u64>,
    lost: u64,
}

impl Sink for Count {
    fn acked(&mut self, _: Space, frame: SentFrame) {
        if let SentFrame::Stream { start, .. } = frame {
            self.acked.insert(start);
        }
    }
    fn lost(&mut self, _: Space, _: SentFrame) {
        self.lost += 1;
    }
}

fn path(config: &PathConfig, validated: bool) -> Path {
    Path::new(config, START, (Ipv6Addr::LOCALHOST, 1).into(), None, validated)
}

/// A bulk sender behind a bottleneck with a queue, to a receiver that acknowledges each packet.
struct Link {
    /// In bytes per second.
    rate: u64,
    /// In bytes.
    queue: u64,
    /// One way, each way.
    delay: Duration,
    /// Of 100 packets, how many are held back ...
    held: u64,
    /// ... and for how long.
    hold: Duration,
    /// Of 100 packets, how many are dropped.
    dropped: u64,
    /// Whether the bottleneck marks when its queue is half full.
    marks: bool,
}

struct Outcome {
    stats: PathStats,
    /// Frames told lost, and packets that the network really dropped.
    lost: u64,
    dropped: u64,
    /// Distinct packets' worth of data delivered.
    delivered: u64,
}

impl Link {
    const GOOD: Self = Self {
        rate: 12_500_000,
        queue: 250_000,
        delay: Duration::from_millis(10),
        held: 0,
        hold: Duration::ZERO,
        dropped: 0,
        marks: false,
    };

    fn run(&self, config: &PathConfig, time: Duration) -> Outcome {
        let mut rng = Rng::new(&Seed::from_u64(7), "network");
        let mut path = path(config, true);
        let mut recovery = Recovery::new(Side::Client, START);
        let context = TimerContext {
            max_ack_delay: Duration::ZERO,
            acks: AckPolicy::new(Duration::ZERO),
            stage: Stage::Confirmed,
            peer_validated_address: true,
            can_send: true,
        };
        let mut told = Count::default();
        let mut now = START;
        // When packets arrive, and acknowledgements with all that had arrived by then.
        let mut arrivals: BTreeMap<(Time, u64), Ecn> = BTreeMap::new();
        let mut acks: BTreeMap<(Time, u64), (Ranges, EcnCounts)> = BTreeMap::new();
        let mut received: BTreeSet<u64> = BTreeSet::new();
        let mut counts = EcnCounts::default();
        let mut free = START;
        let mut dropped = 0;
        while now - START < time {
            // The sender's turn.
            let wake = loop {
                match path.quota(now, recovery.in_flight()) {
                    Quota::Window if recovery.probes(Space::Data) == 0 => break None,
                    Quota::Paced(at) if recovery.probes(Space::Data) == 0 => break Some(at),
                    _ => {}
                }
                let size = path.mtu();
                let number = recovery.next_number(Space::Data, &mut rng);
                let ecn = path.codepoint();
                let packet =
                    SentPacket { time: now, size, ack_eliciting: true, mtu_probe: false, ecn };
                let id = crate::ids::StreamId(0);
                let frame = SentFrame::Stream { id, start: number.0, len: 1, fin: false };
                recovery.on_sent(Space::Data, number, &packet, &[frame]);
                path.on_datagrams_sent(size.into(), 1);
                path.on_packet_sent(Space::Data, number, &packet, recovery.in_flight());
                // The network's.
                let wait = free.since(now);
                let queued = crate::time::nanos(wait) * self.rate / 1_000_000_000;
                if queued + u64::from(size) > self.queue || rng.below(100) < self.dropped {
                    dropped += 1;
                    continue;
                }
                let busy = Duration::from_nanos(u64::from(size) * 1_000_000_000 / self.rate);
                free = free.max(now) + busy;
                let held = if rng.below(100) < self.held { self.hold } else { Duration::ZERO };
                let marked = self.marks && ecn == Ecn::Ect0 && queued > self.queue / 2;
                let ecn = if marked { Ecn::Ce } else { ecn };
                arrivals.insert((free + self.delay + held, number.0), ecn);
            };
            // Whatever comes next.
            let timer = recovery.timeout(path.rtt(), &context);
            let arrival = arrivals.first_key_value().map(|(key, _)| key.0);
            let ack = acks.first_key_value().map(|(key, _)| key.0);
            let Some(next) = [wake, timer, arrival, ack].into_iter().flatten().min() else {
                panic!("nothing will ever happen again");
            };
            now = now.max(next);
            if arrival == Some(next) {
                let ((at, number), ecn) = arrivals.pop_first().unwrap();
                received.insert(number);
                counts.ect0 += u64::from(ecn == Ecn::Ect0);
                counts.ce += u64::from(ecn == Ecn::Ce);
                acks.insert((at + self.delay, number), (newest(&received), counts));
            } else if ack == Some(next) {
                let (_, (ranges, counts)) = acks.pop_first().unwrap();
                let mut bytes = [0; 2048];
                let mut w = crate::wire::Writer::new(&mut bytes);
                let ranges = ranges.into_iter();
                AckFrame::write(&mut w, 2048, ranges, Duration::ZERO, Some(counts)).unwrap();
                let Some(Ok((_, Frame::Ack(ack)))) = Frames::new(w.written()).next() else {
                    panic!("an ACK that was written does not parse");
                };
                let zero = Duration::ZERO;
                let (mut report, rtt) = (AckReport::default(), path.measures().0);
                recovery.on_ack(now, Space::Data, &ack, rtt, zero, &mut told, &mut report).unwrap();
                path.on_ack(now, Space::Data, &report, recovery.in_flight());
            } else if timer == Some(next) {
                let report = recovery.on_timeout(now, path.rtt(), &context, &mut told);
                path.on_timeout(now, &report);
            }
        }
        let delivered = told.acked.len() as u64;
        Outcome { stats: path.stats(), lost: told.lost, dropped, delivered }
    }

    /// The share of the link's rate that arrived, in percent.
    fn goodput(&self, outcome: &Outcome, time: Duration) -> u64 {
        let bytes = outcome.delivered * 1200;
        bytes * 100 / (self.rate * time.as_secs())
    }
}

type Ranges = Vec<core::ops::RangeInclusive<u64>>;

/// The ranges of the newest packets.
fn newest(received: &BTreeSet<u64>) -> Ranges {
    let mut ranges = Ranges::new();
    for &number in received.iter().rev().take(200) {
        match ranges.last_mut() {
            Some(range) if *range.start() == number + 1 => *range = number..=*range.end(),
            _ => ranges.push(number..=number),
        }
    }
    ranges
}

fn fixed() -> PathConfig {
    PathConfig { mtu: MtuConfig::fixed(1200), ..PathConfig::default() }
}

const TIME: Duration = Duration::from_secs(5);

#[test]
fn a_clean_link_is_filled() {
    let outcome = Link::GOOD.run(&fixed(), TIME);
    let goodput = Link::GOOD.goodput(&outcome, TIME);
    assert!(goodput >= 95, "{goodput} % {:?}", outcome.stats);
    assert_eq!(outcome.lost, outcome.dropped, "nothing is believed lost that was not");
}

#[test]
fn a_quarter_of_the_packets_reordered_costs_next_to_nothing() {
    let link = Link { held: 25, hold: MS(5), ..Link::GOOD };
    let outcome = link.run(&fixed(), TIME);
    let goodput = link.goodput(&outcome, TIME);
    assert!(goodput >= 95, "{goodput} % {:?}", outcome.stats);
    let spurious = outcome.lost - outcome.dropped.min(outcome.lost);
    assert!(spurious * 100 <= outcome.delivered, "{spurious} of {}", outcome.delivered);
}

#[test]
fn a_network_that_marks_need_not_drop() {
    let link = Link { marks: true, ..Link::GOOD };
    let outcome = link.run(&fixed(), TIME);
    assert!(outcome.stats.ecn);
    assert!(outcome.stats.congestion_events > 0);
    let unmarked = Link::GOOD.run(&fixed(), TIME);
    assert!(outcome.dropped < unmarked.dropped || unmarked.dropped == 0);
    assert!(link.goodput(&outcome, TIME) >= 90);
}

#[test]
fn losses_are_counted_as_they_happened() {
    let link = Link { dropped: 3, ..Link::GOOD };
    let outcome = link.run(&fixed(), TIME);
    assert!(outcome.dropped > 20);
    // The last of them may not have been noticed yet.
    let noticed = outcome.stats.lost_packets;
    assert!(noticed <= outcome.dropped && noticed + 50 > outcome.dropped, "{noticed}");
    assert_eq!(outcome.stats.lost_bytes, noticed * 1200);
}

#[test]
fn an_address_that_is_not_proved_gets_three_times_what_it_sent() {
    let mut path = path(&fixed(), false);
    assert_eq!(path.amplification_budget(), 0);
    path.on_received(1200, 1);
    path.on_datagrams_sent(1200, 1);
    assert_eq!(path.amplification_budget(), 2400);
    path.validate();
    assert_eq!(path.amplification_budget(), u64::MAX);
    let stats = path.stats();
    assert_eq!((stats.received_bytes, stats.sent_bytes), (1200, 1200));
}

#[test]
fn a_size_that_was_proved_reaches_window_and_pacer_and_one_that_fails_leaves_them() {
    let config = PathConfig { mtu: MtuConfig::LOOPBACK, ..PathConfig::default() };
    let mut path = path(&config, true);
    assert_eq!((path.mtu(), path.next_mtu_probe(START)), (1200, Some(65_000)));
    path.set_peer_datagram_limit(9000);
    assert_eq!(path.next_mtu_probe(START), Some(9000));
    let probe = SentPacket {
        time: START,
        size: 9000,
        ack_eliciting: true,
        mtu_probe: true,
        ecn: Ecn::NotEct,
    };
    path.on_packet_sent(Space::Data, PacketNumber(0), &probe, 9000);
    let report = AckReport { mtu_probe: Some(9000), ..AckReport::default() };
    path.on_ack(START, Space::Data, &report, 0);
    assert_eq!(path.mtu(), 9000);
    assert!(path.stats().window >= 2 * 9000);
    assert!(matches!(path.quota(START, 0), Quota::Open(bytes) if bytes >= 9000));
    let lost = LossReport { packets: 1, bytes: 9000, smallest: 9000, ..LossReport::default() };
    let report = TimeoutReport { losses: lost, probe: false };
    (0..4).for_each(|_| path.on_timeout(START, &report));
    assert_eq!((path.mtu(), path.stats().black_holes), (1200, 1));
}
