//! Whether the path carries ECN marks (RFC 9000, section 13.4.2 and appendix A.4).
//!
//! ```text
//!   testing --ten packets marked--> waiting --one acknowledged with plausible counts--> capable
//!      |                               |                                                  |
//!      '------------- counts missing or implausible, or all ten lost ---------------------+--> failed
//! ```
//!
//! Packets are marked ECT(0) while testing and once capable; those of one train are marked alike, so that
//! a few more than ten may be. The peer's counts are checked with every
//! acknowledgement; a path that erases or invents marks is not marked again.

use crate::ids::{Ecn, Space};
use crate::recovery::EcnReport;
use crate::wire::frame::EcnCounts;
use alloc::boxed::Box;

/// How many packets are marked before anything is known of the path.
const TESTED: u32 = 10;

/// See the module's documentation.
#[derive(Clone, Debug)]
pub struct EcnValidation {
    state: State,
    data: Marks,
    /// Those of the Initial and the Handshake space, until the handshake is confirmed.
    handshake: Option<Box<[Marks; 2]>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// This many packets were marked, and of those this many were lost.
    Testing {
        sent: u32,
        lost: u32,
    },
    Capable,
    Failed,
}

/// The marks of one space.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    /// What the peer had counted of ECT(0), and of CE.
    ect0: u64,
    ce: u64,
    /// What was marked.
    sent: u64,
}

impl EcnValidation {
    /// A path of which nothing is known; without `enabled`, nothing is ever marked.
    pub fn new(enabled: bool) -> Self {
        let state = if enabled { State::Testing { sent: 0, lost: 0 } } else { State::Failed };
        Self { state, data: Marks::default(), handshake: None }
    }

    /// The handshake is confirmed: nothing more is sent in its spaces, nor acknowledged.
    pub fn forget_handshake(&mut self) {
        self.handshake = None;
    }

    fn marks(&mut self, space: Space) -> &mut Marks {
        let [initial, handshake] = match space {
            Space::Data => return &mut self.data,
            Space::Initial | Space::Handshake => &mut **self.handshake.get_or_insert_default(),
        };
        if space == Space::Initial { initial } else { handshake }
    }

    /// How to mark the next packet.
    pub fn codepoint(&self) -> Ecn {
        match self.state {
            State::Testing { sent, .. } if sent < TESTED => Ecn::Ect0,
            State::Capable => Ecn::Ect0,
            State::Testing { .. } | State::Failed => Ecn::NotEct,
        }
    }

    /// Whether the path is known to carry marks.
    pub fn is_capable(&self) -> bool {
        self.state == State::Capable
    }

    /// `count` packets were sent that were marked with `ecn`.
    pub fn on_sent(&mut self, space: Space, ecn: Ecn, count: u64) {
        if ecn != Ecn::Ect0 {
            return;
        }
        self.marks(space).sent += count;
        if let State::Testing { sent, .. } = &mut self.state {
            *sent = sent.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        }
    }

    /// `count` marked packets were lost.
    pub fn on_lost(&mut self, count: u32) {
        if let State::Testing { sent, lost } = &mut self.state {
            *lost += count;
            if *lost >= TESTED && *lost >= *sent {
                self.state = State::Failed;
            }
        }
    }

    /// Takes what an ACK told. Returns whether the network marked packets since the last one: a sign
    /// of congestion.
    pub fn on_ack(&mut self, space: Space, report: &EcnReport) -> bool {
        if self.state == State::Failed || (report.counts.is_none() && report.newly_acked == 0) {
            return false;
        }
        // Counts of an ACK that was overtaken are old.
        if report.counts.is_some() && !report.is_newest {
            return false;
        }
        let marks = self.marks(space);
        let Some(marked) = report.counts.and_then(|counts| marks.advance(counts, report)) else {
            self.state = State::Failed;
            return false;
        };
        if report.newly_acked > 0 {
            self.state = State::Capable;
        }
        marked
    }
}

impl Marks {
    /// Takes new counts; `None` if they cannot be true. Returns whether more packets were marked.
    fn advance(&mut self, counts: EcnCounts, report: &EcnReport) -> Option<bool> {
        let ect0 = counts.ect0.checked_sub(self.ect0)?;
        let ce = counts.ce.checked_sub(self.ce)?;
        let arrived = ect0.checked_add(ce)?;
        // Marks erased; marks that nobody set; more marks than packets.
        let plausible = arrived >= report.newly_acked
            && counts.ect1 == 0
            && counts.ect0.checked_add(counts.ce)? <= self.sent;
        (self.ect0, self.ce) = (counts.ect0, counts.ce);
        plausible.then_some(ce > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;

    fn report(newly_acked: u64, counts: Option<(u64, u64)>) -> EcnReport {
        EcnReport {
            counts: counts.map(|(ect0, ce)| EcnCounts { ect0, ect1: 0, ce }),
            newly_acked,
            is_newest: true,
            sent: Time::ZERO,
        }
    }

    fn tested() -> EcnValidation {
        let mut ecn = EcnValidation::new(true);
        while ecn.codepoint() == Ecn::Ect0 {
            ecn.on_sent(Space::Data, Ecn::Ect0, 1);
        }
        ecn
    }

    #[test]
    fn ten_packets_are_marked_until_one_is_acknowledged_with_counts() {
        let mut ecn = tested();
        assert_eq!(ecn.data.sent, 10);
        assert!(!ecn.on_ack(Space::Data, &report(2, Some((2, 0)))));
        assert!(ecn.is_capable());
        assert_eq!(ecn.codepoint(), Ecn::Ect0);
    }

    #[test]
    fn a_mark_of_the_network_is_told_once() {
        let mut ecn = tested();
        assert!(ecn.on_ack(Space::Data, &report(3, Some((2, 1)))));
        assert!(!ecn.on_ack(Space::Data, &report(1, Some((3, 1)))));
    }

    #[test]
    fn counts_that_cannot_be_true_end_it() {
        let cases = [
            (report(2, None), "missing"),
            (report(3, Some((2, 0))), "a mark was erased"),
            (report(3, Some((11, 0))), "more than were sent"),
            (report(0, Some((u64::MAX, u64::MAX))), "overflow"),
        ];
        for (bad, what) in cases {
            let mut ecn = tested();
            assert!(!ecn.on_ack(Space::Data, &bad), "{what}");
            assert_eq!(ecn.codepoint(), Ecn::NotEct, "{what}");
            assert!(!ecn.on_ack(Space::Data, &report(1, Some((5, 5)))), "{what}");
        }
        let mut ecn = tested();
        ecn.on_ack(Space::Data, &report(2, Some((2, 1))));
        ecn.on_ack(Space::Data, &report(1, Some((3, 0))));
        assert!(!ecn.is_capable(), "a count that fell");
    }

    #[test]
    fn old_counts_of_an_overtaken_acknowledgement_are_ignored() {
        let mut ecn = tested();
        ecn.on_ack(Space::Data, &report(4, Some((4, 0))));
        let old = EcnReport { is_newest: false, ..report(0, Some((2, 0))) };
        assert!(!ecn.on_ack(Space::Data, &old));
        assert!(ecn.is_capable());
    }

    #[test]
    fn spaces_are_counted_apart() {
        let mut ecn = EcnValidation::new(true);
        ecn.on_sent(Space::Initial, Ecn::Ect0, 1);
        ecn.on_sent(Space::Data, Ecn::Ect0, 1);
        ecn.on_ack(Space::Initial, &report(1, Some((1, 0))));
        ecn.on_ack(Space::Data, &report(1, Some((1, 0))));
        assert!(ecn.is_capable());
    }

    #[test]
    fn a_path_that_swallows_marked_packets_is_not_marked_again() {
        let mut ecn = tested();
        ecn.on_lost(9);
        assert_ne!(ecn.state, State::Failed);
        ecn.on_lost(1);
        assert_eq!(ecn.state, State::Failed);
        assert_eq!(EcnValidation::new(false).codepoint(), Ecn::NotEct);
    }
}
