//! When to acknowledge, and with what delay and ECN counts (RFC 9000, section 13.2).
//!
//! An acknowledgement is due at once after two ack-eliciting packets, after one that arrived out of
//! order or marked by the network, and always during the handshake; otherwise within the
//! `max_ack_delay` that was promised. A peer that sends much may ask for fewer ([`AckPolicy`];
//! draft-ietf-quic-ack-frequency). The connection tells after each batch of datagrams what arrived in it, so
//! that a batch is acknowledged once; and it adds an ACK to whatever is sent anyway.

use crate::ids::{Ecn, PacketNumber, Space};
use crate::time::{Duration, Time};
use crate::wire::frame::{AckFrequencyFrame, EcnCounts};

/// The most ack-eliciting packets that are acknowledged together, whatever the peer asks for: a quarter of the
/// packets that an ACK can tell of.
pub const MAX_THRESHOLD: u32 = 256;

/// An acknowledgement is held back for so long at least, if at all: timers are no finer.
pub const MIN_ACK_DELAY: Duration = Duration::from_millis(1);

/// When the packets of a space are acknowledged that ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckPolicy {
    /// How many are acknowledged together (RFC 9000, section 13.2.2, says two).
    pub threshold: u32,
    /// For how long fewer are held back.
    pub max_delay: Duration,
    /// By how much a number must differ from the one that was next for an acknowledgement at once; 0: none does.
    pub reordering: u64,
}

impl AckPolicy {
    /// What holds unless the peer asks for something else; `max_delay` is what this end promised.
    pub const fn new(max_delay: Duration) -> Self {
        Self { threshold: 2, max_delay, reordering: 1 }
    }

    /// What the peer asks for, within bounds that hold whatever it says: never more than
    /// [`MAX_THRESHOLD`] packets together, and never held back for longer than was promised.
    pub fn requested(frame: &AckFrequencyFrame, promised: Duration) -> Self {
        let threshold = u32::try_from(frame.threshold).unwrap_or(u32::MAX);
        let delay = Duration::from_micros(frame.max_delay_micros);
        Self {
            threshold: threshold.clamp(1, MAX_THRESHOLD),
            max_delay: delay.max(MIN_ACK_DELAY).min(promised),
            reordering: frame.reordering,
        }
    }
}

/// Packets of one space that arrived together, under one ECN codepoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    packets: u64,
    /// Those that must be acknowledged.
    eliciting: u32,
    largest: u64,
    /// How far, at most, the number of one of these was from the next.
    displaced: u64,
}

impl Arrivals {
    /// Adds a packet that was received for the first time. `expected` is the number after the largest that was
    /// received before it.
    pub fn add(&mut self, number: PacketNumber, expected: PacketNumber, ack_eliciting: bool) {
        self.packets += 1;
        self.largest = self.largest.max(number.0);
        if ack_eliciting {
            self.eliciting += 1;
            self.displaced = self.displaced.max(number.0.abs_diff(expected.0));
        }
    }

    /// How many there are.
    pub const fn packets(&self) -> u64 {
        self.packets
    }
}

/// Decides when a space's packets are acknowledged.
#[derive(Debug)]
pub struct AckScheduler {
    /// Whether the handshake waits for it.
    urgent: bool,
    /// Something arrived that no ACK told of.
    unsent: bool,
    /// Ack-eliciting packets that no ACK told of.
    eliciting: u32,
    /// By when they are acknowledged.
    deadline: Option<Time>,
    /// The largest number received, and when.
    largest: Option<(u64, Time)>,
    policy: AckPolicy,
    /// The newest request that was taken.
    request: Option<u64>,
    counts: EcnCounts,
    /// Whether any packet was marked: without one, ACKs carry no counts.
    marked: bool,
}

impl AckScheduler {
    /// Nothing received yet in `space`. `max_ack_delay` is what this end promises.
    pub const fn new(space: Space, max_ack_delay: Duration) -> Self {
        Self {
            urgent: !matches!(space, Space::Data),
            unsent: false,
            eliciting: 0,
            deadline: None,
            largest: None,
            policy: AckPolicy::new(max_ack_delay),
            request: None,
            counts: EcnCounts { ect0: 0, ect1: 0, ce: 0 },
            marked: false,
        }
    }

    /// Packets were received for the first time, all of them marked with `ecn`.
    pub fn on_received(&mut self, now: Time, arrived: &Arrivals, ecn: Ecn) {
        if arrived.packets == 0 {
            return;
        }
        self.count(ecn, arrived.packets);
        self.unsent = true;
        if self.largest.is_none_or(|(largest, _)| arrived.largest > largest) {
            self.largest = Some((arrived.largest, now));
        }
        if arrived.eliciting == 0 {
            return;
        }
        self.eliciting = self.eliciting.saturating_add(arrived.eliciting);
        let AckPolicy { threshold, max_delay, reordering } = self.policy;
        let displaced = reordering > 0 && arrived.displaced >= reordering;
        let enough = self.eliciting >= threshold;
        let at_once = self.urgent || displaced || ecn == Ecn::Ce || enough;
        self.answer_by(if at_once { now } else { now + max_delay });
    }

    /// The peer asks for another policy. An older request than the newest that was taken means nothing.
    pub fn on_request(&mut self, frame: &AckFrequencyFrame, promised: Duration) {
        if self.request.is_none_or(|newest| frame.sequence > newest) {
            self.request = Some(frame.sequence);
            self.policy = AckPolicy::requested(frame, promised);
        }
    }

    /// The peer asks for an acknowledgement now.
    pub fn on_immediate(&mut self, now: Time) {
        self.answer_by(now);
    }

    fn answer_by(&mut self, by: Time) {
        self.deadline = Some(self.deadline.map_or(by, |deadline| deadline.min(by)));
    }

    /// Whether an ACK must be sent now, even alone.
    pub fn is_due(&self, now: Time) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Whether an ACK would tell something new: worth adding to a packet that is sent anyway.
    pub const fn has_unsent(&self) -> bool {
        self.unsent
    }

    /// When [`is_due`](Self::is_due) turns true.
    pub const fn timeout(&self) -> Option<Time> {
        self.deadline
    }

    /// An ACK with all ranges was sent.
    pub fn on_sent(&mut self) {
        self.unsent = false;
        self.eliciting = 0;
        self.deadline = None;
    }

    /// For how long the acknowledgement of the largest packet has been held back.
    pub fn delay(&self, now: Time) -> Duration {
        self.largest.map_or(Duration::ZERO, |(_, at)| now - at)
    }

    /// The ECN counts that an ACK carries; `None` if nothing was ever marked.
    pub const fn counts(&self) -> Option<EcnCounts> {
        if self.marked { Some(self.counts) } else { None }
    }

    fn count(&mut self, ecn: Ecn, packets: u64) {
        match ecn {
            Ecn::NotEct => return,
            Ecn::Ect0 => self.counts.ect0 += packets,
            Ecn::Ect1 => self.counts.ect1 += packets,
            Ecn::Ce => self.counts.ce += packets,
        }
        self.marked = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    const DELAY: Duration = Duration::from_millis(25);
    const START: Time = Time::from_nanos(1_000_000_000);

    /// One packet, `ahead` of the next number.
    fn receive_ahead(acks: &mut AckScheduler, number: u64, ahead: u64, eliciting: bool, ecn: Ecn) {
        let mut arrived = Arrivals::default();
        arrived.add(PacketNumber(number), PacketNumber(number - ahead), eliciting);
        acks.on_received(START, &arrived, ecn);
    }

    fn receive(acks: &mut AckScheduler, number: u64, eliciting: bool) {
        receive_ahead(acks, number, 0, eliciting, Ecn::NotEct);
    }

    fn request(sequence: u64, threshold: u64, micros: u64, reordering: u64) -> AckFrequencyFrame {
        AckFrequencyFrame { sequence, threshold, max_delay_micros: micros, reordering }
    }

    #[test]
    fn the_first_packet_waits_and_the_second_does_not() {
        let mut acks = AckScheduler::new(Space::Data, DELAY);
        receive(&mut acks, 0, true);
        assert!(!acks.is_due(START) && acks.has_unsent());
        assert_eq!(acks.timeout(), Some(START + DELAY));
        assert!(acks.is_due(START + DELAY));
        receive(&mut acks, 1, true);
        assert!(acks.is_due(START));
        acks.on_sent();
        assert!(!acks.is_due(START + DELAY) && !acks.has_unsent());
        assert_eq!(acks.timeout(), None);
    }

    #[test]
    fn the_handshake_does_not_wait() {
        for space in [Space::Initial, Space::Handshake] {
            let mut acks = AckScheduler::new(space, DELAY);
            receive(&mut acks, 0, true);
            assert!(acks.is_due(START));
        }
    }

    #[test]
    fn gaps_and_marks_are_told_at_once() {
        for (ahead, ecn) in [(1, Ecn::NotEct), (0, Ecn::Ce)] {
            let mut acks = AckScheduler::new(Space::Data, DELAY);
            acks.on_request(&request(0, 100, 25_000, 1), DELAY);
            receive_ahead(&mut acks, 1, ahead, true, ecn);
            assert!(acks.is_due(START));
        }
    }

    #[test]
    fn what_asks_for_nothing_is_never_due() {
        let mut acks = AckScheduler::new(Space::Data, DELAY);
        (0..10).for_each(|number| receive(&mut acks, number, false));
        assert_eq!(acks.timeout(), None);
        assert!(acks.has_unsent(), "but it may ride along");
    }

    #[test]
    fn the_delay_is_that_of_the_largest() {
        let mut acks = AckScheduler::new(Space::Data, DELAY);
        receive(&mut acks, 5, true);
        let later = START + Duration::from_millis(10);
        let mut arrived = Arrivals::default();
        arrived.add(PacketNumber(4), PacketNumber(6), true);
        acks.on_received(later, &arrived, Ecn::NotEct);
        assert_eq!(acks.delay(later), Duration::from_millis(10));
    }

    #[test]
    fn marks_are_counted_once_there_is_one() {
        let mut acks = AckScheduler::new(Space::Data, DELAY);
        receive(&mut acks, 0, true);
        assert_eq!(acks.counts(), None);
        for ecn in [Ecn::Ect0, Ecn::Ect0, Ecn::Ce, Ecn::NotEct] {
            receive_ahead(&mut acks, 1, 0, true, ecn);
        }
        assert_eq!(acks.counts(), Some(EcnCounts { ect0: 2, ect1: 0, ce: 1 }));
    }

    #[test]
    fn a_peer_is_given_the_threshold_and_the_delay_that_it_asks_for() {
        let mut acks = AckScheduler::new(Space::Data, DELAY);
        acks.on_request(&request(0, 10, 5000, 1), DELAY);
        (0..9).for_each(|number| receive(&mut acks, number, true));
        assert_eq!(acks.timeout(), Some(START + Duration::from_millis(5)));
        receive(&mut acks, 9, true);
        assert!(acks.is_due(START));
    }

    #[test]
    fn of_requests_that_overtake_one_another_the_newest_holds() {
        let mut acks = AckScheduler::new(Space::Data, DELAY);
        for (sequence, threshold) in [(1, 20), (0, 5), (1, 7)] {
            acks.on_request(&request(sequence, threshold, 25_000, 1), DELAY);
            assert_eq!(acks.policy.threshold, 20);
        }
        acks.on_request(&request(2, 7, 25_000, 1), DELAY);
        assert_eq!(acks.policy.threshold, 7);
    }

    #[test]
    fn a_threshold_on_reordering_spares_small_gaps_and_zero_all() {
        for (reordering, ahead, at_once) in [(3, 2, false), (3, 3, true), (0, 500, false)] {
            let mut acks = AckScheduler::new(Space::Data, DELAY);
            acks.on_request(&request(0, 100, 25_000, reordering), DELAY);
            receive_ahead(&mut acks, 1000, ahead, true, Ecn::NotEct);
            assert_eq!(acks.is_due(START), at_once);
        }
    }

    #[test]
    fn whoever_wants_an_answer_now_gets_it() {
        let mut acks = AckScheduler::new(Space::Data, DELAY);
        acks.on_request(&request(0, 100, 25_000, 1), DELAY);
        acks.on_immediate(START);
        receive(&mut acks, 0, true);
        assert!(acks.is_due(START));
    }

    quickcheck! {
        fn nobody_makes_acknowledgements_denser_or_rarer_than_the_bounds(threshold: u64, micros: u64) -> bool {
            let asked = request(0, threshold >> 2, micros >> 2, 1);
            let policy = AckPolicy::requested(&asked, DELAY);
            (1..=MAX_THRESHOLD).contains(&policy.threshold)
                && (MIN_ACK_DELAY..=DELAY).contains(&policy.max_delay)
        }

        fn a_batch_is_its_packets_one_by_one(packets: Vec<(u8, bool)>, threshold: u8, ecn: u8) -> bool {
            let ecn = [Ecn::NotEct, Ecn::Ect0, Ecn::Ect1, Ecn::Ce][usize::from(ecn % 4)];
            let [mut one, mut all] = [(); 2].map(|()| AckScheduler::new(Space::Data, DELAY));
            let asked = request(0, threshold.into(), 10_000, 3);
            one.on_request(&asked, DELAY);
            all.on_request(&asked, DELAY);
            let (mut batch, mut expected) = (Arrivals::default(), 0);
            for (step, eliciting) in packets {
                let number = expected + u64::from(step / 64);
                let mut single = Arrivals::default();
                for arrived in [&mut single, &mut batch] {
                    arrived.add(PacketNumber(number), PacketNumber(expected), eliciting);
                }
                one.on_received(START, &single, ecn);
                expected = number + 1;
            }
            all.on_received(START, &batch, ecn);
            let state = |acks: &AckScheduler| {
                (acks.deadline, acks.unsent, acks.eliciting, acks.largest, acks.counts())
            };
            state(&one) == state(&all)
        }
    }
}
