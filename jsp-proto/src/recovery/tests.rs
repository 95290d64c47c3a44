//! What recovery promises, told through its public face.

use super::*;
use crate::ids::Ecn;
use crate::rng::Seed;
use crate::wire::frame::{AckFrame, Frame, Frames};
use alloc::vec::Vec;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// A sender with a path of its own whose packets have 1,000 bytes and a stream frame each.
struct Bench {
    recovery: Recovery,
    rtt: Rtt,
    rng: Rng,
    now: Time,
    told: Told,
    context: TimerContext,
}

#[derive(Default)]
struct Told {
    acked: Vec<SentFrame>,
    lost: Vec<SentFrame>,
}

impl Sink for Told {
    fn acked(&mut self, _: Space, frame: SentFrame) {
        self.acked.push(frame);
    }
    fn lost(&mut self, _: Space, frame: SentFrame) {
        self.lost.push(frame);
    }
}

const CONFIRMED: TimerContext = TimerContext {
    max_ack_delay: Duration::from_millis(25),
    acks: AckPolicy::new(Duration::from_millis(25)),
    stage: Stage::Confirmed,
    peer_validated_address: true,
    can_send: true,
};

impl Bench {
    fn new(side: Side) -> Self {
        let now = Time::ZERO + MS(1000);
        Self {
            recovery: Recovery::new(side, now),
            rtt: Rtt::new(INITIAL_RTT),
            rng: Rng::new(&Seed::from_u64(1), "recovery"),
            now,
            told: Told::default(),
            context: CONFIRMED,
        }
    }

    fn wait(&mut self, millis: u64) -> &mut Self {
        self.now += MS(millis);
        self
    }

    fn send_in(&mut self, space: Space, size: u16) -> u64 {
        let number = self.recovery.next_number(space, &mut self.rng);
        let packet = SentPacket {
            time: self.now,
            size,
            ack_eliciting: size > 0,
            mtu_probe: false,
            ecn: Ecn::Ect0,
        };
        let frames: &[SentFrame] = if size > 0 { &[frame(number.0)] } else { &[] };
        self.recovery.on_sent(space, number, &packet, frames);
        number.0
    }

    fn send(&mut self) -> u64 {
        self.send_in(Space::Data, 1000)
    }

    fn send_many(&mut self, count: usize) -> Vec<u64> {
        (0..count).map(|_| self.send()).collect()
    }

    fn ack_in(&mut self, space: Space, ranges: &[(u64, u64)]) -> Result<AckReport, TransportError> {
        let mut bytes = [0; 4096];
        let mut writer = crate::wire::Writer::new(&mut bytes);
        let ranges = ranges.iter().map(|&(start, end)| start..=end);
        AckFrame::write(&mut writer, 4000, ranges, Duration::ZERO, None).unwrap();
        let Some(Ok((_, Frame::Ack(ack)))) = Frames::new(writer.written()).next() else {
            panic!("an ACK that was written does not parse");
        };
        let delay = self.context.max_ack_delay;
        let mut report = AckReport::default();
        let Self { now, recovery, rtt, told, .. } = self;
        recovery.on_ack(*now, space, &ack, rtt, delay, told, &mut report)?;
        Ok(report)
    }

    fn ack(&mut self, ranges: &[(u64, u64)]) -> AckReport {
        self.ack_in(Space::Data, ranges).unwrap()
    }

    fn timeout(&self) -> Option<Time> {
        self.recovery.timeout(&self.rtt, &self.context)
    }

    /// Lets the timer expire.
    fn expire(&mut self) -> TimeoutReport {
        self.now = self.now.max(self.timeout().unwrap());
        self.recovery.on_timeout(self.now, &self.rtt, &self.context, &mut self.told)
    }

    /// A round-trip time of 20 ms is known and nothing is in flight.
    fn settled(side: Side) -> Self {
        let mut bench = Self::new(side);
        for _ in 0..20 {
            let number = bench.send();
            bench.wait(20).ack(&[(number, number)]);
        }
        bench.told = Told::default();
        bench
    }
}

fn frame(number: u64) -> SentFrame {
    SentFrame::NewConnectionId(number)
}

fn frames(numbers: &[u64]) -> Vec<SentFrame> {
    numbers.iter().map(|&number| frame(number)).collect()
}

#[test]
fn each_frame_is_told_acknowledged_once() {
    let mut b = Bench::settled(Side::Client);
    let sent = b.send_many(3);
    assert_eq!(b.recovery.in_flight(), 3000);
    b.wait(20);
    for _ in 0..2 {
        b.ack(&[(sent[0], sent[2])]);
    }
    let mut acked = b.told.acked.clone();
    acked.reverse();
    assert_eq!(acked, frames(&sent));
    assert_eq!(b.recovery.in_flight(), 0);
    assert_eq!(b.rtt.latest(), MS(20));
}

#[test]
fn a_range_that_covers_everything_ever_sent_and_more_costs_nothing_but_a_violation() {
    let mut b = Bench::settled(Side::Client);
    let sent = b.send_many(3);
    b.wait(20);
    // Huge but truthful at the top: cut down to what is remembered, which includes no skipped number.
    b.ack(&[(sent[0], sent[2])]);
    let beyond = b.recovery.next_number(Space::Data, &mut b.rng).0;
    let error = b.ack_in(Space::Data, &[(0, beyond)]).unwrap_err();
    assert_eq!(error.code, Code::PROTOCOL_VIOLATION);
}

#[test]
fn who_acknowledges_blindly_hits_a_skipped_number() {
    let mut b = Bench::settled(Side::Server);
    let mut caught = None;
    for round in 0..10 {
        let sent = b.send_many(40);
        b.wait(20);
        if b.ack_in(Space::Data, &[(sent[0], sent[39])]).is_err() {
            caught = Some(round);
            break;
        }
    }
    assert!(caught.is_some());
}

#[test]
fn a_packet_is_lost_an_eighth_of_a_round_trip_after_it_should_have_been_acknowledged() {
    let mut b = Bench::settled(Side::Client);
    let sent = b.send_many(2);
    b.wait(20);
    let report = b.ack(&[(sent[1], sent[1])]);
    assert_eq!(report.losses, LossReport::default());
    let due = b.now + MS(20) / 8;
    assert_eq!(b.timeout(), Some(due));
    let report = b.expire();
    assert_eq!(b.now, due);
    assert_eq!((report.losses.packets, report.losses.bytes), (1, 1000));
    assert_eq!(report.losses.congestion.unwrap().in_flight, 0);
    assert_eq!(b.told.lost, frames(&sent[..1]));
    // One second later the memory is all that is left to see to.
    assert_eq!(b.timeout(), None);
}

#[test]
fn reordering_is_noticed_undone_and_borne_from_then_on() {
    let mut b = Bench::settled(Side::Client);
    let sent = b.send_many(4);
    // Three later packets arrive: as long as nothing was ever reordered, that is enough.
    let report = b.wait(20).ack(&[(sent[1], sent[3])]);
    assert_eq!(report.losses.packets, 1);
    assert_eq!(b.told.lost, frames(&sent[..1]));
    assert!(!report.spurious);
    // It was only late, by 5 ms.
    let report = b.wait(5).ack(&[(sent[0], sent[3])]);
    assert!(report.spurious);
    assert_eq!(b.told.acked.last(), Some(&frame(sent[0])), "there is no need to send it again");
    assert_eq!(report.losses.packets, 0);
    // The next one that is late by as much is waited for.
    let sent = b.send_many(5);
    let report = b.wait(20).ack(&[(sent[1], sent[4])]);
    assert_eq!(report.losses.packets, 0);
    assert!(b.timeout() > Some(b.now + MS(5)), "{:?}", b.timeout());
    let report = b.wait(5).ack(&[(sent[0], sent[4])]);
    assert_eq!((report.packets, report.losses.packets, report.spurious), (1, 0, false));
}

#[test]
fn one_real_loss_among_reordered_packets_is_not_undone() {
    let mut b = Bench::settled(Side::Client);
    let sent = b.send_many(6);
    assert_eq!(b.wait(20).ack(&[(sent[2], sent[5])]).losses.packets, 2);
    assert!(!b.wait(5).ack(&[(sent[1], sent[5])]).spurious);
}

#[test]
fn the_reordering_window_never_exceeds_a_round_trip() {
    let mut b = Bench::settled(Side::Client);
    for late in [10, 20, 40, 80] {
        let sent = b.send_many(5);
        b.wait(20).ack(&[(sent[1], sent[4])]);
        if b.timeout().is_some() && b.recovery.ack_eliciting_in_flight(Space::Data) {
            b.expire();
        }
        b.wait(late).ack(&[(sent[0], sent[4])]);
    }
    let sent = b.send_many(2);
    b.wait(20).ack(&[(sent[1], sent[1])]);
    let base = b.rtt.smoothed().max(b.rtt.latest());
    assert!(b.timeout().unwrap() + MS(20) <= b.now + base + b.rtt.smoothed());
}

#[test]
fn a_lost_flight_that_spans_three_probe_timeouts_is_persistent_congestion() {
    for (wait, persistent) in [(400, true), (10, false)] {
        let mut b = Bench::settled(Side::Client);
        b.send();
        b.wait(wait).send();
        let last = b.wait(10).send();
        let report = b.wait(20).ack(&[(last, last)]);
        assert_eq!(report.losses.packets, 2);
        assert_eq!(report.losses.congestion.unwrap().persistent, persistent, "{wait}");
    }
    // Something arrived in between.
    let mut b = Bench::settled(Side::Client);
    b.send();
    let middle = b.wait(200).send();
    b.wait(200).send();
    let last = b.wait(10).send();
    let report = b.wait(20).ack(&[(last, last), (middle, middle)]);
    assert_eq!(report.losses.packets, 2);
    assert!(!report.losses.congestion.unwrap().persistent);
}

#[test]
fn a_lost_mtu_probe_is_no_congestion() {
    let mut b = Bench::settled(Side::Client);
    let number = b.recovery.next_number(Space::Data, &mut b.rng);
    let probe = SentPacket {
        time: b.now,
        size: 1452,
        ack_eliciting: true,
        mtu_probe: true,
        ecn: Ecn::NotEct,
    };
    b.recovery.on_sent(Space::Data, number, &probe, &[]);
    let last = b.wait(10).send();
    let report = b.wait(20).ack(&[(last, last)]);
    let expected = LossReport { mtu_probe: Some(1452), ..LossReport::default() };
    assert_eq!(report.losses, expected);
    assert_eq!(b.recovery.in_flight(), 0);
}

#[test]
fn the_last_packet_is_probed_with_what_it_carried() {
    let mut b = Bench::settled(Side::Client);
    let mut sent = b.send_many(1);
    let due = b.now + b.recovery.pto(&b.rtt, MS(25));
    assert_eq!(b.timeout(), Some(due), "a lone packet's acknowledgement may be held back");
    sent.extend(b.send_many(2));
    assert_eq!(b.timeout(), Some(due - MS(25)), "that of several is not");
    assert!(b.expire().probe);
    assert_eq!(b.told.lost, frames(&sent[..2]), "the two oldest");
    assert_eq!((b.recovery.probes(Space::Data), b.recovery.in_flight()), (2, 3000));
    b.send();
    b.send();
    assert_eq!(b.recovery.probes(Space::Data), 0);
    // The next probe has the third; nothing is told lost twice.
    b.expire();
    assert_eq!(b.told.lost[..3], frames(&sent)[..]);
    b.ack(&[(sent[0], sent[2])]);
    assert_eq!(b.told.lost.iter().filter(|f| **f == frame(sent[0])).count(), 1);
    assert_eq!((b.recovery.pto_count(), b.recovery.probes(Space::Data)), (0, 0));
}

#[test]
fn probes_stay_dense_for_ten_seconds_of_silence_and_then_back_off() {
    let mut b = Bench::settled(Side::Client);
    let mut times = Vec::new();
    let start = b.now;
    while b.now - start < Duration::from_secs(60) {
        b.send();
        b.expire();
        times.push(b.now - start);
    }
    let gaps: Vec<Duration> = times.windows(2).map(|pair| pair[1].abs_diff(pair[0])).collect();
    let (dense, sparse): (Vec<_>, Vec<_>) =
        gaps.iter().zip(&times).partition(|(_, at)| **at < Duration::from_secs(9));
    assert!(dense.len() > 80 && dense.iter().all(|(gap, _)| **gap <= PROBE_FLOOR));
    assert!(sparse.last().unwrap().0 >= &Duration::from_secs(10), "{gaps:?}");
    assert!(gaps.iter().all(|gap| *gap <= Duration::from_secs(60)));
}

#[test]
fn a_silent_handshake_repeats_all_it_sent_quickly() {
    let mut b = Bench::new(Side::Client);
    b.context = TimerContext { stage: Stage::Initial, peer_validated_address: false, ..CONFIRMED };
    let start = b.now;
    let mut sent = 0..0;
    for at in [50, 100, 200, 300] {
        sent = b.send_in(Space::Initial, 1200)..b.send_in(Space::Initial, 1200) + 1;
        b.told = Told::default();
        assert!(b.expire().probe);
        assert_eq!(b.now - start, MS(at));
        assert_eq!(b.told.lost, frames(&[sent.start, sent.start + 1]));
        assert_eq!(b.recovery.in_flight(), 0, "the window does not keep it from being repeated");
    }
    // The copy before last arrives all the same, and gives a sample.
    let early = sent.start - 2;
    b.told = Told::default();
    let report = b.ack_in(Space::Initial, &[(early, early)]).unwrap();
    assert_eq!((report.packets, report.spurious), (1, false));
    assert_eq!(b.told.acked, frames(&[early]));
    assert!(b.rtt.is_sampled());
}

#[test]
fn a_client_prods_a_server_that_may_wait_for_permission_and_a_server_at_its_limit_keeps_quiet() {
    let mut b = Bench::new(Side::Client);
    b.context =
        TimerContext { stage: Stage::Handshake, peer_validated_address: false, ..CONFIRMED };
    let number = b.send_in(Space::Initial, 1200);
    b.wait(30).ack_in(Space::Initial, &[(number, number)]).unwrap();
    assert!(!b.recovery.ack_eliciting_in_flight(Space::Initial));
    assert!(b.expire().probe);
    assert_eq!(b.recovery.probes(Space::Handshake), 2);
    b.context.peer_validated_address = true;
    assert_eq!(b.timeout(), None);

    let mut b = Bench::new(Side::Server);
    b.context = TimerContext { stage: Stage::Handshake, can_send: false, ..CONFIRMED };
    b.send_in(Space::Handshake, 1200);
    assert_eq!(b.timeout(), None);
    b.context.can_send = true;
    assert!(b.timeout().is_some());
}

#[test]
fn application_data_is_not_probed_before_the_handshake_is_confirmed() {
    let mut b = Bench::new(Side::Server);
    b.context.stage = Stage::Handshake;
    b.send();
    assert_eq!(b.timeout(), None);
    b.context.stage = Stage::Confirmed;
    assert!(b.timeout().is_some());
}

#[test]
fn a_timer_that_comes_early_or_an_hour_late_does_no_harm() {
    let mut b = Bench::settled(Side::Client);
    b.send();
    let report = b.recovery.on_timeout(b.now, &b.rtt, &b.context, &mut b.told);
    assert_eq!(report, TimeoutReport::default());
    b.wait(3_600_000);
    assert!(b.expire().probe);
    assert_eq!(b.recovery.pto_count(), 1);
    assert!(b.timeout().is_some());
}

#[test]
fn after_a_timer_nothing_is_overdue_in_any_space() {
    // The first of two datagrams is lost that carried a packet of each of the handshake's spaces.
    let mut bench = Bench::settled(Side::Server);
    bench.context.stage = Stage::Handshake;
    for space in [Space::Initial, Space::Handshake, Space::Initial, Space::Handshake] {
        bench.send_in(space, 600);
    }
    bench.wait(100);
    bench.ack_in(Space::Initial, &[(1, 1)]).unwrap();
    bench.ack_in(Space::Handshake, &[(1, 1)]).unwrap();
    assert_eq!(bench.expire().losses.packets, 2);
    assert!(bench.timeout().is_none_or(|at| at > bench.now));

    // One space waits for a loss, and the probe timeout of the other goes by meanwhile.
    let mut bench = Bench::settled(Side::Server);
    bench.context.stage = Stage::Handshake;
    for space in [Space::Handshake, Space::Initial, Space::Initial] {
        bench.send_in(space, 600);
    }
    bench.wait(100);
    bench.ack_in(Space::Initial, &[(1, 1)]).unwrap();
    assert_eq!(bench.expire().losses.packets, 1);
    assert!(bench.timeout().is_none_or(|at| at > bench.now), "{:?}", bench.timeout());
}

#[test]
fn a_discarded_space_owes_nothing() {
    let mut b = Bench::new(Side::Client);
    b.send_in(Space::Initial, 1200);
    b.send();
    b.recovery.discard(Space::Initial);
    assert_eq!(b.recovery.in_flight(), 1000);
    assert!(!b.recovery.ack_eliciting_in_flight(Space::Initial));
    assert!(b.told.lost.is_empty());
}

#[test]
fn a_retry_sends_the_first_flight_again_under_new_numbers() {
    let mut b = Bench::new(Side::Client);
    let sent = [b.send_in(Space::Initial, 1200), b.send_in(Space::Initial, 1200)];
    b.recovery.on_retry(&mut b.told);
    assert_eq!(b.told.lost, frames(&sent));
    assert_eq!(b.recovery.in_flight(), 0);
    assert_eq!(b.send_in(Space::Initial, 1200), 2);
    // What is acknowledged of the first attempt says nothing.
    assert_eq!(b.ack_in(Space::Initial, &[(0, 1)]).unwrap().packets, 0);
}

#[test]
fn a_straggler_cannot_hold_more_than_the_capacity() {
    let mut b = Bench::settled(Side::Server);
    let straggler = b.send();
    for _ in 0..2 * CAPACITY / 1000 {
        let sent = b.send_many(1000);
        // No time passes, so that only the capacity gives the straggler up.
        b.recovery.reordering.on_reordered();
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for number in sent.into_iter().rev() {
            match ranges.last_mut() {
                Some(range) if range.0 == number + 1 => range.0 = number,
                _ => ranges.push((number, number)),
            }
        }
        b.ack(&ranges);
        if b.told.lost.is_empty() {
            continue;
        }
        assert_eq!(b.told.lost, frames(&[straggler]));
        assert_eq!(b.recovery.in_flight(), 0);
        assert!(!b.recovery.is_full(Space::Data));
        return;
    }
    panic!("the straggler was kept");
}

#[test]
fn acknowledgements_alone_are_forgotten_and_ask_for_an_answer_now_and_then() {
    let mut b = Bench::settled(Side::Client);
    for _ in 0..100 {
        b.send_in(Space::Data, 0);
    }
    assert!(b.recovery.ping_due(Space::Data));
    for _ in 0..2 * CAPACITY {
        b.send_in(Space::Data, 0);
    }
    assert!(!b.recovery.ack_eliciting_in_flight(Space::Data));
    assert!(!b.recovery.is_full(Space::Data) || b.recovery.in_flight() == 0);
    b.send();
    assert!(!b.recovery.ping_due(Space::Data));
}

#[test]
fn an_idle_connection_gives_its_memory_back_after_a_second() {
    let mut b = Bench::settled(Side::Client);
    let sent = b.send_many(3);
    b.wait(20).ack(&[(sent[0], sent[2])]);
    b.send_in(Space::Data, 0);
    assert!(b.timeout().is_none(), "a few packets are not worth a timer");
    let sent = b.send_many(50);
    b.wait(20).ack(&[(sent[49], sent[49])]);
    while b.recovery.ack_eliciting_in_flight(Space::Data) {
        b.expire();
        let last = b.send();
        b.wait(20).ack(&[(last, last)]);
    }
    let ring = &b.recovery.spaces[Space::Data.index()].ring;
    assert!(ring.is_large());
    b.expire();
    let ring = &b.recovery.spaces[Space::Data.index()].ring;
    assert!(!ring.is_large());
    assert_eq!(b.timeout(), None);
    // Numbers go on, and old ones are not held against the peer.
    let next = b.send();
    assert!(next > sent[49]);
    b.wait(20).ack(&[(sent[0], sent[0])]);
    assert_eq!(b.ack(&[(next, next)]).packets, 1);
}

#[test]
fn the_delivery_rate_is_that_of_the_bottleneck() {
    let mut b = Bench::settled(Side::Client);
    // 100 packets leave at once; one arrives each millisecond: 1 MB/s.
    let sent = b.send_many(100);
    b.wait(19);
    let mut last = None;
    for number in sent {
        last = b.wait(1).ack(&[(number, number)]).sample;
    }
    let sample = last.unwrap();
    let rate = sample.delivery_rate.unwrap();
    // The first took 20 ms for one packet: 100 packets in 119 ms.
    assert!((830_000..=850_000).contains(&rate), "{rate}");
    assert!(!sample.app_limited);
    b.recovery.on_app_limited();
    let number = b.send();
    assert!(b.wait(20).ack(&[(number, number)]).sample.unwrap().app_limited);
}

#[test]
fn what_the_peer_counted_is_passed_on_with_what_was_marked() {
    let mut b = Bench::settled(Side::Client);
    let sent = b.send_many(3);
    let report = b.wait(20).ack(&[(sent[1], sent[2])]);
    assert_eq!((report.ecn.newly_acked, report.ecn.is_newest), (2, true));
    let report = b.ack(&[(sent[0], sent[1])]);
    assert_eq!((report.ecn.newly_acked, report.ecn.is_newest), (1, false));
}

#[test]
fn what_a_probe_repeated_is_not_told_lost_again() {
    let mut b = Bench::settled(Side::Client);
    let sent = b.send_many(2);
    assert!(b.expire().probe);
    let last = b.send();
    let report = b.wait(20).ack(&[(last, last)]);
    assert_eq!(report.losses.packets, 2);
    assert_eq!(b.told.lost, frames(&sent));
}

#[test]
fn a_lost_mtu_probe_does_not_keep_reordering_from_being_undone() {
    let mut b = Bench::settled(Side::Client);
    let number = b.recovery.next_number(Space::Data, &mut b.rng);
    let probe = SentPacket {
        time: b.now,
        size: 1452,
        ack_eliciting: true,
        mtu_probe: true,
        ecn: Ecn::NotEct,
    };
    b.recovery.on_sent(Space::Data, number, &probe, &[]);
    let sent = b.send_many(4);
    let report = b.wait(20).ack(&[(sent[1], sent[3])]);
    assert_eq!((report.losses.packets, report.losses.mtu_probe), (1, Some(1452)));
    assert!(b.wait(5).ack(&[(sent[0], sent[3])]).spurious);
}
