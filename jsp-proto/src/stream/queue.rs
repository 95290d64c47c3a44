//! A queue of streams that wait for something, each in it at most once.

use crate::ids::StreamId;
use alloc::collections::VecDeque;

/// Streams in the order in which they began to wait. Each stream keeps a flag that says whether it is
/// in the queue. It is exact: a stream that no longer waits is taken out (seldom, and at the cost of a
/// search), so that an empty queue means that nothing waits.
#[derive(Debug, Default)]
pub(super) struct Queue {
    ids: VecDeque<StreamId>,
}

impl Queue {
    /// Whether no stream waits.
    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The stream that has waited longest.
    pub(super) fn front(&self) -> Option<StreamId> {
        self.ids.front().copied()
    }

    /// Gives back the room of streams that wait no longer.
    pub(super) fn shrink(&mut self) {
        self.ids.shrink_to_fit();
    }

    /// Puts `id` at the end, or takes it out, if `queued` says that it is not there, or there.
    pub(super) fn set(&mut self, id: StreamId, queued: &mut bool, wanted: bool) {
        match (*queued, wanted) {
            (false, true) => self.ids.push_back(id),
            (true, false) if self.front() == Some(id) => drop(self.ids.pop_front()),
            (true, false) => self.ids.retain(|&other| other != id),
            _ => {}
        }
        *queued = wanted;
    }

    /// The turn of `id`, if it was its turn, is over: it goes on waiting behind all others.
    pub(super) fn end_turn(&mut self, id: StreamId) {
        if self.front() == Some(id) {
            self.ids.rotate_left(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_take_turns_and_wait_once() {
        let mut queue = Queue::default();
        let mut flags = [false; 3];
        for _ in 0..2 {
            for (id, flag) in flags.iter_mut().enumerate() {
                queue.set(StreamId(id as u64), flag, true);
            }
        }
        queue.end_turn(StreamId(7));
        queue.end_turn(StreamId(0));
        assert_eq!(queue.ids, [StreamId(1), StreamId(2), StreamId(0)]);
        queue.set(StreamId(2), &mut flags[2], false);
        queue.set(StreamId(1), &mut flags[1], false);
        assert_eq!((queue.front(), flags), (Some(StreamId(0)), [true, false, false]));
    }
}
