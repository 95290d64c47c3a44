//! A queue of streams that wait for something, each in it at most once.
//!
//! ```text
//!  front                      a ring of nodes, linked both ways: each in a slot of a vector
//!    v
//!   [3] <-> [9] <-> [4] <-> (front)
//! ```
//!
//! Everything takes the same time however many wait: a stream that no longer waits is taken out from
//! wherever it is, and the end of a turn moves the front on by one, past a stream that stays where it is.

use crate::ids::StreamId;
use alloc::vec::Vec;
use core::num::NonZeroU32;

/// Where a stream is in a queue, if it waits there; the stream keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place(Option<NonZeroU32>);

impl Place {
    const fn new(slot: usize) -> Self {
        Self(NonZeroU32::new(slot as u32 + 1))
    }

    /// The slot behind one that nobody is in.
    const fn after(behind: u32) -> Self {
        Self(NonZeroU32::new(behind.wrapping_add(1)))
    }

    fn slot(self) -> Option<usize> {
        self.0.map(|n| n.get() as usize - 1)
    }
}

#[derive(Clone, Copy, Debug)]
struct Node {
    id: StreamId,
    before: u32,
    behind: u32,
}

/// Behind the last slot that nobody is in.
const NOBODY: u32 = u32::MAX;

/// Streams in the order in which they began to wait. It is exact: an empty queue means that nothing waits.
#[derive(Debug, Default)]
pub(super) struct Queue {
    nodes: Vec<Node>,
    front: Place,
    /// The first slot that nobody is in; the others follow behind it.
    free: Place,
}

impl Queue {
    /// Whether no stream waits.
    pub(super) fn is_empty(&self) -> bool {
        self.front == Place::default()
    }

    /// The stream that has waited longest.
    pub(super) fn front(&self) -> Option<StreamId> {
        Some(self.front_node()?.1.id)
    }

    /// Whether one stream waits, and no other.
    pub(super) fn is_alone(&self) -> bool {
        self.front_node().is_some_and(|(at, node)| node.behind as usize == at)
    }

    /// Puts `id` at the end, or takes it out, if `place` says that it is not there, or there.
    #[inline]
    pub(super) fn set(&mut self, id: StreamId, place: &mut Place, wanted: bool) {
        // Seldom is there anything to do.
        if wanted != place.0.is_some() {
            *place = self.moved(id, *place);
        }
    }

    fn moved(&mut self, id: StreamId, place: Place) -> Place {
        match place.slot() {
            None => self.push(id),
            Some(at) => {
                self.remove(at);
                Place::default()
            }
        }
    }

    /// The turn of `id`, if it was its turn, is over: it goes on waiting behind all others.
    pub(super) fn end_turn(&mut self, id: StreamId) {
        if let Some((_, node)) = self.front_node()
            && node.id == id
        {
            self.front = Place::new(node.behind as usize);
        }
    }

    /// Gives back what an empty queue holds.
    pub(super) fn shrink(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }

    fn front_node(&self) -> Option<(usize, &Node)> {
        let at = self.front.slot()?;
        Some((at, self.nodes.get(at)?))
    }

    fn push(&mut self, id: StreamId) -> Place {
        let at = self.free.slot().unwrap_or(self.nodes.len());
        let slot = at as u32;
        let (before, behind) = match self.front_node() {
            Some((front, node)) => (node.before, front as u32),
            None => (slot, slot),
        };
        let node = Node { id, before, behind };
        match self.nodes.get_mut(at) {
            Some(free) => {
                self.free = Place::after(free.behind);
                *free = node;
            }
            None => self.nodes.push(node),
        }
        if self.is_empty() {
            self.front = Place::new(at);
        } else {
            self.link(before, slot);
            self.link(slot, behind);
        }
        Place::new(at)
    }

    fn remove(&mut self, at: usize) {
        let Some(&Node { before, behind, .. }) = self.nodes.get(at) else { return };
        if behind as usize == at {
            // The last one: no slot is in use any more.
            self.front = Place::default();
            self.nodes.clear();
            self.free = Place::default();
            return;
        }
        self.link(before, behind);
        if self.front.slot() == Some(at) {
            self.front = Place::new(behind as usize);
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.behind = self.free.slot().map_or(NOBODY, |slot| slot as u32);
            self.free = Place::new(at);
        }
    }

    fn link(&mut self, before: u32, behind: u32) {
        if let Some(node) = self.nodes.get_mut(before as usize) {
            node.behind = behind;
        }
        if let Some(node) = self.nodes.get_mut(behind as usize) {
            node.before = before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::VecDeque;
    use quickcheck::quickcheck;

    quickcheck! {
        fn it_does_what_a_list_would(steps: Vec<(u8, u8)>) -> bool {
            let (mut queue, mut list) = (Queue::default(), VecDeque::new());
            let mut places = [Place::default(); 8];
            steps.into_iter().all(|(what, n)| {
                let n = n % 8;
                let (id, place) = (StreamId(u64::from(n)), &mut places[usize::from(n)]);
                match what % 3 {
                    0 => {
                        queue.set(id, place, true);
                        if !list.contains(&id) { list.push_back(id) }
                    }
                    1 => {
                        queue.set(id, place, false);
                        list.retain(|&other| other != id);
                    }
                    _ => {
                        queue.end_turn(id);
                        if list.front() == Some(&id) { list.rotate_left(1) }
                    }
                }
                queue.front() == list.front().copied()
                    && queue.is_empty() == list.is_empty()
                    && queue.is_alone() == (list.len() == 1)
                    && queue.nodes.len() <= 8
            })
        }
    }

    #[test]
    fn a_queue_is_small() {
        assert!(size_of::<Queue>() <= 32);
    }

    #[test]
    fn streams_take_turns_and_wait_once() {
        let mut queue = Queue::default();
        let mut places = [Place::default(); 3];
        for _ in 0..2 {
            for (id, place) in places.iter_mut().enumerate() {
                queue.set(StreamId(id as u64), place, true);
            }
        }
        let mut turns = Vec::new();
        while let Some(id) = queue.front()
            && turns.len() < 7
        {
            turns.push(id.0);
            queue.end_turn(id);
        }
        assert_eq!(turns, [0, 1, 2, 0, 1, 2, 0]);
        for (id, place) in places.iter_mut().enumerate() {
            queue.set(StreamId(id as u64), place, false);
        }
        assert_eq!((queue.front(), places), (None, [Place::default(); 3]));
    }
}
