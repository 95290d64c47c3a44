//! What recovery promises, told through its public face.

use super::*;
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
        self.recovery.on_ack(self.now, space, &ack, &mut self.rtt, delay, &mut self.told)
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
