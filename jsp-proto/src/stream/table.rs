//! The states of a connection's streams, found by their IDs.
//!
//! The streams of a kind are numbered as they are opened, and most end in about that order. So each kind has
//! a window of slots that slides along with the numbers: a stream is found by its number's low bits,
//! without a search. One that outlives the window moves aside, into a tree:
//!
//! ```text
//!    moved aside (a tree)        the window, a power of two of slots
//!   .--------------------.   .------------------------------------------.
//!    3   17                   base . . live . ended . live . live . skipped
//! ```
//!
//! The window is at most four times as large as the most streams that were live at once, however far the
//! peer jumps ahead: opening a stream costs as many steps at most as there are numbers skipped, and the
//! peer is given those in proportion to the streams that have ended.

use super::state::Stream;
use crate::ids::{Dir, Side, StreamId};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;

/// The smallest window, in slots.
const MIN_WINDOW: usize = 4;

/// All streams of a connection that have a state.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// By the low bits of their IDs: initiator and direction. A kind without streams takes no memory.
    kinds: [Option<Box<Kind>>; 4],
}

/// The streams of one initiator and direction.
#[derive(Debug, Default)]
struct Kind {
    /// The stream of index `i` is at `i` modulo the length, a power of two (or 0).
    slots: Box<[Option<Box<Stream>>]>,
    /// The first index that the window covers.
    base: u64,
    /// Streams in the window.
    live: usize,
    /// Streams with lower indices.
    aside: BTreeMap<u64, Box<Stream>>,
}

const fn kind(id: StreamId) -> usize {
    (id.0 & 3) as usize
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as maps take their keys")]
impl Table {
    /// The state of a stream.
    pub(super) fn get(&self, id: &StreamId) -> Option<&Stream> {
        self.kinds[kind(*id)].as_ref()?.get(id.index())
    }

    /// The same, to change.
    pub(super) fn get_mut(&mut self, id: &StreamId) -> Option<&mut Stream> {
        self.kinds[kind(*id)].as_mut()?.get_mut(id.index())
    }

    /// Adds a stream, which has no state yet.
    pub(super) fn insert(&mut self, id: StreamId, stream: Box<Stream>) {
        self.kinds[kind(id)].get_or_insert_default().insert(id.index(), stream);
    }

    /// Takes a stream out.
    pub(super) fn remove(&mut self, id: &StreamId) -> Option<Box<Stream>> {
        self.kinds[kind(*id)].as_mut()?.remove(id.index())
    }

    /// How many streams have a state.
    pub(super) fn len(&self) -> usize {
        self.kinds.iter().flatten().map(|kind| kind.len()).sum()
    }

    /// How many that `side` opened.
    pub(super) fn opened_by(&self, side: Side) -> usize {
        let kinds = Dir::ALL
            .iter()
            .filter_map(|&dir| self.kinds[kind(StreamId::new(side, dir, 0))].as_ref());
        kinds.map(|kind| kind.len()).sum()
    }

    /// All states, kind by kind.
    pub(super) fn values(&self) -> impl Iterator<Item = &Stream> {
        self.kinds.iter().flatten().flat_map(|kind| {
            kind.aside.values().chain(kind.slots.iter().flatten()).map(|stream| &**stream)
        })
    }

    /// The same, to change.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.kinds.iter_mut().flatten().flat_map(|kind| {
            let slots = kind.slots.iter_mut().flatten();
            kind.aside.values_mut().chain(slots).map(|stream| &mut **stream)
        })
    }

    /// Gives back the slots that are not needed.
    pub(super) fn shrink(&mut self) {
        for entry in &mut self.kinds {
            match entry {
                Some(kind) if kind.len() > 0 => kind.shrink(),
                _ => *entry = None,
            }
        }
    }
}

impl Kind {
    fn len(&self) -> usize {
        self.live + self.aside.len()
    }

    /// Where the window has its slot for a stream, if it covers it.
    fn place(&self, index: u64) -> Option<usize> {
        let covered = index.checked_sub(self.base)? < self.slots.len() as u64;
        covered.then(|| slot_of(index, self.slots.len()))
    }

    fn get(&self, index: u64) -> Option<&Stream> {
        match self.place(index) {
            Some(place) => self.slots.get(place)?.as_deref(),
            None => self.aside.get(&index).map(|stream| &**stream),
        }
    }

    fn get_mut(&mut self, index: u64) -> Option<&mut Stream> {
        match self.place(index) {
            Some(place) => self.slots.get_mut(place)?.as_deref_mut(),
            None => self.aside.get_mut(&index).map(|stream| &mut **stream),
        }
    }

    fn insert(&mut self, index: u64, stream: Box<Stream>) {
        self.cover(index);
        self.put(index, stream);
    }

    fn remove(&mut self, index: u64) -> Option<Box<Stream>> {
        match self.place(index) {
            Some(place) => {
                let stream = self.slots.get_mut(place)?.take();
                self.live -= usize::from(stream.is_some());
                stream
            }
            None => self.aside.remove(&index),
        }
    }

    /// Lets the window grow or slide until it covers `index`, unless that is below it.
    fn cover(&mut self, index: u64) {
        let len = self.slots.len() as u64;
        if index < self.base + len {
            return;
        }
        if 2 * self.live >= self.slots.len() {
            self.rebuild(self.base, (2 * self.slots.len()).max(MIN_WINDOW));
        }
        let len = self.slots.len() as u64;
        let base = self.base.max((index + 1).saturating_sub(len));
        for old in self.base..base.min(self.base + len) {
            let place = slot_of(old, self.slots.len());
            if let Some(stream) = self.slots[place].take() {
                self.live -= 1;
                self.aside.insert(old, stream);
            }
        }
        self.base = base;
    }

    /// Makes the window as small as its streams allow.
    fn shrink(&mut self) {
        let mut indices = self.base..self.base + self.slots.len() as u64;
        let last = indices.rfind(|&index| self.get(index).is_some());
        let len =
            if last.is_some() { (2 * self.live).next_power_of_two().max(MIN_WINDOW) } else { 0 };
        if len < self.slots.len() {
            let end = last.map_or(self.base, |last| last + 1);
            self.rebuild(self.base.max(end.saturating_sub(len as u64)), len);
        }
    }

    /// Moves the streams of the window to another, of `len` slots from `base` on. Those that are below it
    /// move aside; none is behind it.
    fn rebuild(&mut self, base: u64, len: usize) {
        let slots = (0..len).map(|_| None).collect();
        let mut old = core::mem::replace(&mut self.slots, slots);
        let from = core::mem::replace(&mut self.base, base);
        self.live = 0;
        for index in from..from + old.len() as u64 {
            let place = slot_of(index, old.len());
            if let Some(stream) = old[place].take() {
                self.put(index, stream);
            }
        }
    }

    /// Stores a stream where it belongs.
    fn put(&mut self, index: u64, stream: Box<Stream>) {
        match self.place(index).and_then(|place| self.slots.get_mut(place)) {
            Some(slot) => {
                debug_assert!(slot.is_none());
                *slot = Some(stream);
                self.live += 1;
            }
            None => drop(self.aside.insert(index, stream)),
        }
    }
}

/// The slot of a stream in a window of `len` slots, a power of two.
const fn slot_of(index: u64, len: usize) -> usize {
    index as usize & (len - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::send::SendPart;
    use crate::stream::state::{Owed, Queued};
    use quickcheck::quickcheck;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    fn id(kind: u8, index: u64) -> StreamId {
        StreamId(index << 2 | u64::from(kind % 4))
    }

    /// The smallest state there is, with a mark by which it is known again.
    fn stream(mark: u64) -> Box<Stream> {
        Box::new(Stream {
            send: Some(SendPart::new(mark)),
            recv: None,
            owed: Owed::default(),
            queued: Queued::default(),
        })
    }

    fn mark(stream: &Stream) -> u64 {
        stream.send.as_ref().unwrap().credit.limit()
    }

    quickcheck! {
        fn it_holds_what_a_set_would(steps: Vec<(u8, u16, u8)>) -> bool {
            let mut table = Table::default();
            let mut model = BTreeSet::new();
            let mut highest = [0; 4];
            steps.into_iter().all(|(kind, at, what)| {
                let kind = kind % 4;
                let highest = &mut highest[usize::from(kind)];
                // Most streams are new or young, some are skipped or old.
                let index = match what % 8 {
                    0..3 => *highest + u64::from(what / 8),
                    3 => *highest + u64::from(at),
                    _ => highest.saturating_sub(u64::from(at) % 64),
                };
                let id = id(kind, index);
                if what % 8 < 5 && model.insert(id) {
                    *highest = (*highest).max(index + 1);
                    table.insert(id, stream(id.0));
                } else if what % 8 == 7 {
                    table.shrink();
                } else if model.remove(&id) != table.remove(&id).is_some() {
                    return false;
                }
                let marks: BTreeSet<u64> = table.values().map(mark).collect();
                table.len() == model.len()
                    && marks.into_iter().map(StreamId).eq(model.iter().copied())
                    && model.iter().all(|id| table.get(id).is_some_and(|s| mark(s) == id.0))
                    && table.get(&id).is_some() == model.contains(&id)
                    && table.get_mut(&id).is_some() == model.contains(&id)
            })
        }
    }

    #[test]
    fn the_window_is_as_large_as_the_live_streams_ask_for_however_many_there_were() {
        let mut table = Table::default();
        for index in 0..100_000 {
            table.insert(id(0, index), stream(index));
            // One stream stays for ever, of the others ten at a time.
            if index > 10 {
                assert!(table.remove(&id(0, index - 10)).is_some());
            }
        }
        assert_eq!(table.len(), 11);
        let kind = table.kinds[0].as_ref().unwrap();
        assert!(kind.slots.len() <= 32, "{} slots", kind.slots.len());
        assert!(kind.aside.contains_key(&0) && kind.aside.len() == 1);
        assert_eq!(table.opened_by(Side::Client), 11);
        assert_eq!(table.opened_by(Side::Server), 0);
    }

    #[test]
    fn a_peer_that_jumps_ahead_gets_no_larger_window() {
        let mut table = Table::default();
        for index in (0..1 << 40).step_by(1 << 32) {
            table.insert(id(1, index), stream(index));
        }
        assert!(table.kinds[1].as_ref().unwrap().slots.len() <= 512);
        assert_eq!(table.len(), 256);
        assert!((0..1 << 40).step_by(1 << 32).all(|index| table.get(&id(1, index)).is_some()));
    }

    #[test]
    fn what_is_not_needed_is_given_back() {
        let mut table = Table::default();
        (0..1000).for_each(|index| table.insert(id(2, index), stream(index)));
        (0..1000).filter(|index| index % 500 != 7).for_each(|index| {
            table.remove(&id(2, index));
        });
        table.shrink();
        assert_eq!(table.kinds[2].as_ref().unwrap().slots.len(), MIN_WINDOW);
        assert_eq!(table.values().map(mark).collect::<Vec<_>>(), [7, 507]);
        for index in [7, 507] {
            drop(table.remove(&id(2, index)));
        }
        table.shrink();
        assert!(table.kinds[2].is_none());
        table.insert(id(2, 1000), stream(1));
        assert!(table.get(&id(2, 1000)).is_some() && table.get(&id(2, 999)).is_none());
    }
}
