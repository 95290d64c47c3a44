//! A set of offsets, as sorted ranges that neither overlap nor touch. It holds a few ranges: what a
//! handshake's packets cut its bytes into.

use alloc::vec::Vec;
use core::ops::Range;

/// The set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(Vec<Range<u32>>);

impl Ranges {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The range with the lowest offsets.
    pub(super) fn first(&self) -> Option<Range<u32>> {
        self.0.first().cloned()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Range<u32>> + '_ {
        self.0.iter().cloned()
    }

    /// The memory that the ranges take.
    pub(super) fn capacity_bytes(&self) -> usize {
        self.0.capacity() * size_of::<Range<u32>>()
    }

    /// Adds offsets.
    pub(super) fn insert(&mut self, mut range: Range<u32>) {
        if range.is_empty() {
            return;
        }
        self.0.retain(|other| {
            let apart = other.end < range.start || range.end < other.start;
            if !apart {
                range = range.start.min(other.start)..range.end.max(other.end);
            }
            apart
        });
        let at = self.0.partition_point(|other| other.start < range.start);
        self.0.insert(at, range);
    }

    /// Takes offsets away.
    pub(super) fn remove(&mut self, range: &Range<u32>) {
        if range.is_empty() {
            return;
        }
        let mut rest = Vec::with_capacity(self.0.len() + 1);
        for other in self.0.drain(..) {
            let before = other.start..other.end.min(range.start);
            let after = other.start.max(range.end)..other.end;
            rest.extend([before, after].into_iter().filter(|part| !part.is_empty()));
        }
        self.0 = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;
    use std::collections::BTreeSet;

    quickcheck! {
        fn it_holds_what_a_set_of_offsets_holds(steps: Vec<(bool, u8, u8)>) -> bool {
            let (mut ranges, mut model) = (Ranges::default(), BTreeSet::new());
            for (insert, start, len) in steps {
                let range = u32::from(start)..u32::from(start) + u32::from(len % 32);
                if insert {
                    ranges.insert(range.clone());
                    model.extend(range);
                } else {
                    ranges.remove(&range);
                    model.retain(|n| !range.contains(n));
                }
            }
            let apart = ranges.0.windows(2).all(|w| w[0].end < w[1].start);
            apart && ranges.iter().flatten().eq(model)
        }
    }
}
