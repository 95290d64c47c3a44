//! When to acknowledge, and with what delay and ECN counts (RFC 9000, section 13.2).
//!
//! An acknowledgement is due at once after two ack-eliciting packets, after one that arrived out of
//! order or marked by the network, and always during the handshake; otherwise within the
//! `max_ack_delay` that was promised. The connection asks after each batch of datagrams, so that a
//! batch is acknowledged once; and it adds an ACK to whatever is sent anyway.

use crate::ids::{Ecn, Space};
use crate::time::{Duration, Time};
use crate::wire::frame::EcnCounts;

/// How many ack-eliciting packets are acknowledged together (RFC 9000, section 13.2.2).
const THRESHOLD: u32 = 2;

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
    counts: EcnCounts,
    /// Whether any packet was marked: without one, ACKs carry no counts.
    marked: bool,
}

impl AckScheduler {
    /// Nothing received yet in `space`.
    pub const fn new(space: Space) -> Self {
        Self {
            urgent: !matches!(space, Space::Data),
            unsent: false,
            eliciting: 0,
            deadline: None,
            largest: None,
            counts: EcnCounts { ect0: 0, ect1: 0, ce: 0 },
            marked: false,
        }
    }

    /// A packet was received for the first time. `out_of_order`: it is not the one after the
    /// largest. `max_ack_delay` is what this end promised.
    pub fn on_received(
        &mut self,
        now: Time,
        number: u64,
        ack_eliciting: bool,
        out_of_order: bool,
        ecn: Ecn,
        max_ack_delay: Duration,
    ) {
        self.count(ecn);
        self.unsent = true;
        if self.largest.is_none_or(|(largest, _)| number > largest) {
            self.largest = Some((number, now));
        }
        if !ack_eliciting {
            return;
        }
        self.eliciting += 1;
        let at_once = self.urgent || out_of_order || ecn == Ecn::Ce || self.eliciting >= THRESHOLD;
        let by = if at_once { now } else { now + max_ack_delay };
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

    fn count(&mut self, ecn: Ecn) {
        match ecn {
            Ecn::NotEct => return,
            Ecn::Ect0 => self.counts.ect0 += 1,
            Ecn::Ect1 => self.counts.ect1 += 1,
            Ecn::Ce => self.counts.ce += 1,
        }
        self.marked = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_millis(25);
    const START: Time = Time::from_nanos(1_000_000_000);

    fn receive(acks: &mut AckScheduler, number: u64, eliciting: bool) {
        acks.on_received(START, number, eliciting, false, Ecn::NotEct, DELAY);
    }

    #[test]
    fn the_first_packet_waits_and_the_second_does_not() {
        let mut acks = AckScheduler::new(Space::Data);
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
            let mut acks = AckScheduler::new(space);
            receive(&mut acks, 0, true);
            assert!(acks.is_due(START));
        }
    }

    #[test]
    fn gaps_and_marks_are_told_at_once() {
        for (out_of_order, ecn) in [(true, Ecn::NotEct), (false, Ecn::Ce)] {
            let mut acks = AckScheduler::new(Space::Data);
            acks.on_received(START, 0, true, out_of_order, ecn, DELAY);
            assert!(acks.is_due(START));
        }
    }

    #[test]
    fn what_asks_for_nothing_is_never_due() {
        let mut acks = AckScheduler::new(Space::Data);
        (0..10).for_each(|number| receive(&mut acks, number, false));
        assert_eq!(acks.timeout(), None);
        assert!(acks.has_unsent(), "but it may ride along");
    }

    #[test]
    fn the_delay_is_that_of_the_largest() {
        let mut acks = AckScheduler::new(Space::Data);
        receive(&mut acks, 5, true);
        let later = START + Duration::from_millis(10);
        acks.on_received(later, 4, true, true, Ecn::NotEct, DELAY);
        assert_eq!(acks.delay(later), Duration::from_millis(10));
    }

    #[test]
    fn marks_are_counted_once_there_is_one() {
        let mut acks = AckScheduler::new(Space::Data);
        receive(&mut acks, 0, true);
        assert_eq!(acks.counts(), None);
        for ecn in [Ecn::Ect0, Ecn::Ect0, Ecn::Ce, Ecn::NotEct] {
            acks.on_received(START, 1, true, false, ecn, DELAY);
        }
        assert_eq!(acks.counts(), Some(EcnCounts { ect0: 2, ect1: 0, ce: 1 }));
    }
}
