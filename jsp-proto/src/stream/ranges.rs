//! A small sorted set of byte ranges: what was received beyond a gap, acknowledged, or lost.
//!
//! Ranges are kept disjoint and never touch. They lie in one deque: near either end, where all
//! traffic is, inserting and removing moves little; the worst case moves half of them. Whoever feeds
//! the set from the network bounds its length.

use alloc::collections::VecDeque;
use core::ops::Range;

/// A set of offsets, as ranges in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RangeSet {
    ranges: VecDeque<Range<u64>>,
}

impl RangeSet {
    /// Number of ranges.
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// The memory that the ranges take, by capacity.
    pub(super) fn capacity_bytes(&self) -> usize {
        self.ranges.capacity() * size_of::<Range<u64>>()
    }

    /// Whether nothing is in the set.
    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The lowest range.
    pub(super) fn first(&self) -> Option<Range<u64>> {
        self.ranges.front().cloned()
    }

    /// The end of the highest range.
    pub(super) fn end(&self) -> Option<u64> {
        self.ranges.back().map(|last| last.end)
    }

    /// Adds `range`.
    pub(super) fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        // Those from `from` up to `to` overlap or touch the new one.
        let from = self.ranges.partition_point(|r| r.end < range.start);
        let to = self.ranges.partition_point(|r| r.start <= range.end);
        if from == to {
            return self.ranges.insert(from, range);
        }
        let last = self.ranges[to - 1].end;
        let first = &mut self.ranges[from];
        *first = first.start.min(range.start)..last.max(range.end);
        if from + 1 < to {
            self.ranges.drain(from + 1..to);
        }
    }

    /// Takes `range` out, whatever of it is there. Returns whether anything was.
    pub(super) fn remove(&mut self, range: &Range<u64>) -> bool {
        let from = self.ranges.partition_point(|r| r.end <= range.start);
        let to = self.ranges.partition_point(|r| r.start < range.end);
        if from >= to || range.is_empty() {
            return false;
        }
        let left = self.ranges[from].start..range.start;
        let right = range.end..self.ranges[to - 1].end;
        self.ranges.drain(from..to);
        for rest in [right, left] {
            if !rest.is_empty() {
                self.ranges.insert(from, rest);
            }
        }
        true
    }

    /// Takes out every range that `edge` reaches, and returns how far `edge` moves by that.
    pub(super) fn absorb(&mut self, mut edge: u64) -> u64 {
        while let Some(first) = self.ranges.front()
            && first.start <= edge
        {
            edge = edge.max(first.end);
            self.ranges.pop_front();
        }
        edge
    }

    /// The ranges that overlap `range`, which is not empty, in ascending order.
    pub(super) fn overlapping(&self, range: Range<u64>) -> impl Iterator<Item = &Range<u64>> {
        let from = self.ranges.partition_point(|r| r.end <= range.start);
        self.ranges.range(from..).take_while(move |r| r.start < range.end)
    }

    /// Forgets everything, and gives the memory back.
    pub(super) fn clear(&mut self) {
        self.ranges = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    fn elements(set: &RangeSet) -> Vec<u64> {
        set.ranges.iter().cloned().flatten().collect()
    }

    fn is_canonical(set: &RangeSet) -> bool {
        set.ranges.iter().all(|r| !r.is_empty())
            && set.ranges.iter().zip(set.ranges.iter().skip(1)).all(|(a, b)| a.end < b.start)
    }

    quickcheck! {
        fn it_behaves_as_a_set_of_numbers(steps: Vec<(bool, u8, u8)>) -> bool {
            let (mut set, mut model) = (RangeSet::default(), BTreeSet::new());
            steps.into_iter().all(|(insert, start, len)| {
                let range = u64::from(start)..u64::from(start) + u64::from(len % 16);
                if insert {
                    model.extend(range.clone());
                    set.insert(range);
                } else {
                    let hit = range.clone().any(|n| model.contains(&n));
                    model.retain(|n| !range.contains(n));
                    assert_eq!(set.remove(&range), hit);
                }
                is_canonical(&set) && elements(&set).iter().eq(model.iter())
            })
        }

        fn overlaps_are_those_that_share_a_number(ranges: Vec<(u8, u8)>, start: u8, len: u8) -> bool {
            let mut set = RangeSet::default();
            for (start, len) in ranges {
                set.insert(u64::from(start)..u64::from(start) + u64::from(len % 16));
            }
            let probe = u64::from(start)..u64::from(start) + u64::from(len) + 1;
            let shared = |r: &&Range<u64>| (**r).clone().any(|n| probe.contains(&n));
            set.overlapping(probe.clone()).eq(set.ranges.iter().filter(shared))
        }
    }

    #[test]
    fn an_edge_absorbs_what_it_reaches() {
        let mut set = RangeSet::default();
        for range in [5..7, 10..12, 20..30] {
            set.insert(range);
        }
        assert_eq!(set.absorb(4), 4);
        assert_eq!(set.absorb(5), 7);
        assert_eq!(set.absorb(11), 12);
        assert_eq!((set.first(), set.end(), set.len()), (Some(20..30), Some(30), 1));
    }
}
