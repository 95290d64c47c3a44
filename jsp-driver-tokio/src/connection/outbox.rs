//! When what a call of the application led to is sent: at once, or when the endpoint's task has its
//! next turn.
//!
//! ```text
//!   turn of the task   ── datagrams in, readers woken ── its acknowledgements wait for what they answer
//!     reader: read     ── credit for the peer waits, as the task comes again anyway
//!     reader: write    ── at once, with acknowledgement and credit: nothing was sent in this turn yet
//!     reader: write    ── waits for more to share its datagram with
//!   next turn          ── what waited is sent
//! ```
//!
//! So a write that stands alone is never held back, an answer takes one datagram, and many small writes
//! share a few. What waits does so until the tasks that are ready to run have run.

use crate::net::Turn;
use jsp_proto::time::{Duration, Time};

/// What may wait at most, in bytes: about a train of segments.
const TRAIN: usize = 64 << 10;
/// Writes further apart than this do not belong together.
const BURST: Duration = Duration::from_micros(50);

/// What a call of the application left to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    Nothing,
    /// Credit for what was read, perhaps. Nobody minds if it waits a little.
    Credit,
    /// So many bytes of data, or the end of some.
    Data(usize),
    /// Something that is not to wait.
    Urgent,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Outbox {
    /// The task knows that it is to look after this connection.
    enlisted: bool,
    /// There is, or may be, something for it to send then.
    owes: bool,
    /// Bytes of data that wait.
    waiting: usize,
    /// In which turn data were sent last by a call of the application, and when.
    sent: Option<(u64, Time)>,
}

impl Outbox {
    pub(super) const fn new() -> Self {
        Self { enlisted: false, owes: false, waiting: 0, sent: None }
    }

    /// Whether what a call left is to be sent now. If not, and it is something, it is owed.
    pub(super) fn sends_now(&mut self, left: Left, now: Time, turn: Turn) -> bool {
        let waits = match left {
            Left::Nothing => return false,
            Left::Urgent => false,
            Left::Credit => self.enlisted,
            Left::Data(bytes) => {
                let again = self.sent.is_some_and(|(n, at)| n == turn.number && now - at < BURST);
                let waits = again && turn.here && self.waiting + bytes < TRAIN;
                if waits {
                    self.waiting += bytes;
                } else {
                    self.sent = Some((turn.number, now));
                }
                waits
            }
        };
        self.owes |= waits;
        !waits
    }

    /// Leaves what there is to send to the task's next turn.
    pub(super) fn leave(&mut self) {
        self.owes = true;
    }

    /// What waits, as something that is not to.
    pub(super) fn owed(&self) -> Left {
        if self.owes { Left::Urgent } else { Left::Nothing }
    }

    /// Everything was sent for which there is room.
    pub(super) fn clear(&mut self) {
        self.owes = false;
        self.waiting = 0;
    }

    /// Whether the task has to be told: it is owed something, and does not know of it.
    pub(super) fn enlists(&mut self) -> bool {
        self.owes && !std::mem::replace(&mut self.enlisted, true)
    }

    /// The task looks after this connection; returns whether there is something to send.
    pub(super) fn on_turn(&mut self) -> bool {
        self.enlisted = false;
        self.owes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Turn = Turn { number: 7, here: true };
    const NOW: Time = Time::from_nanos(1_000_000);

    #[test]
    fn the_first_write_of_a_turn_goes_at_once_and_the_others_share() {
        let mut outbox = Outbox::new();
        assert!(outbox.sends_now(Left::Data(10), NOW, HERE));
        assert!(!outbox.enlists(), "nothing is left");
        assert!(!outbox.sends_now(Left::Data(10), NOW, HERE));
        assert!(outbox.enlists());
        assert!(!outbox.sends_now(Left::Data(10), NOW, HERE));
        assert!(!outbox.enlists(), "the task knows");
        assert!(outbox.on_turn());
        outbox.clear();
        assert!(outbox.sends_now(Left::Data(10), NOW, Turn { number: 8, here: true }));
    }

    #[test]
    fn what_fills_a_train_waits_no_longer() {
        let mut outbox = Outbox::new();
        assert!(outbox.sends_now(Left::Data(1 << 10), NOW, HERE));
        let waits = (0..).take_while(|_| !outbox.sends_now(Left::Data(1 << 10), NOW, HERE));
        assert_eq!(waits.count(), 63);
    }

    #[test]
    fn writes_far_apart_or_on_another_thread_do_not_wait() {
        let mut outbox = Outbox::new();
        assert!(outbox.sends_now(Left::Data(10), NOW, HERE));
        assert!(outbox.sends_now(Left::Data(10), NOW + BURST, HERE));
        assert!(outbox.sends_now(Left::Data(10), NOW + BURST, Turn { here: false, ..HERE }));
    }

    #[test]
    fn credit_waits_only_for_a_task_that_comes_anyway() {
        let mut outbox = Outbox::new();
        assert!(outbox.sends_now(Left::Credit, NOW, HERE));
        outbox.leave();
        assert!(outbox.enlists());
        assert!(!outbox.sends_now(Left::Credit, NOW, HERE));
        outbox.clear();
        assert!(!outbox.on_turn(), "somebody has sent it meanwhile");
    }
}
