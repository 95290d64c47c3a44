//! How long a stream's turn at sending is: some packets of a long train, one of a short train.
//!
//! Whatever a packet touches of its stream's state, at both ends, then serves several. The pacer keeps
//! trains short on a slow path: there each packet is another stream's, and nobody waits long. A turn that
//! a train cuts short goes on with the next, so that all streams get the same.

use crate::ids::StreamId;

/// The most packets of a turn.
pub(super) const TURN: usize = 8;
/// Turns that a train has at least.
const TURNS: usize = 4;

/// Whose turn it is, and how many packets of it are used; without any, it is nobody's yet.
#[derive(Debug)]
pub(super) struct Quantum {
    of: StreamId,
    used: u8,
    /// Packets of a turn.
    len: u8,
}

impl Default for Quantum {
    fn default() -> Self {
        Self { of: StreamId(0), used: 0, len: 1 }
    }
}

impl Quantum {
    /// How many packets more `id` may fill in its turn, if that is now.
    pub(super) fn left(&self, id: StreamId) -> usize {
        usize::from(if self.of == id { self.len - self.used } else { self.len })
    }

    /// `id` filled so many packets: more than a turn's, if it was alone. Returns whether its turn is over.
    pub(super) fn spend(&mut self, id: StreamId, packets: usize) -> bool {
        let len = usize::from(self.len);
        let used = len - self.left(id) + packets;
        (self.of, self.used) = (id, (used % len) as u8);
        used >= len
    }

    /// A train of up to so many packets begins: turns are as long as suits it. Returns whose turn is over by
    /// that.
    pub(super) fn begin_train(&mut self, packets: usize) -> Option<StreamId> {
        self.len = (packets / TURNS).clamp(1, TURN) as u8;
        let over = self.used >= self.len;
        self.used = if over { 0 } else { self.used };
        over.then_some(self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_as_long_as_suits_the_train() {
        let mut quantum = Quantum::default();
        for (train, turn) in [(0, 1), (7, 1), (8, 2), (31, 7), (45, 8), (64, 8)] {
            assert_eq!(quantum.begin_train(train), None);
            assert_eq!(quantum.left(StreamId(4)), turn, "{train}");
        }
    }

    #[test]
    fn a_turn_lasts_until_its_packets_are_used_up_or_turns_become_shorter() {
        let (one, other) = (StreamId(4), StreamId(8));
        let mut quantum = Quantum::default();
        quantum.begin_train(45);
        assert!(!quantum.spend(one, 5));
        assert_eq!((quantum.left(one), quantum.left(other)), (3, 8));
        assert_eq!(quantum.begin_train(45), None);
        assert!(quantum.spend(one, 3) && !quantum.spend(other, 2));
        assert_eq!(quantum.begin_train(4), Some(other));
        assert!(quantum.spend(one, 1));
    }
}
