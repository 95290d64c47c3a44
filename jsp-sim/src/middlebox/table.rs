//! Entries that live as long as they are used.

use jsp_proto::time::Time;
use std::collections::{BTreeMap, BTreeSet};

/// A map whose entries end at times of their own; at most `limit` of them.
///
/// Prolonging is one look-up: an entry's deadline in the queue may lie before its end, and is put off
/// when it comes. There is one deadline for each entry, so the queue is bounded like the map.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    entries: BTreeMap<K, Entry<V>>,
    deadlines: BTreeSet<(Time, K)>,
    limit: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    ends: Time,
}

/// The table holds as many entries as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

impl<K: Copy + Ord, V: Copy> Table<K, V> {
    /// An empty table for at most `limit` entries.
    pub(super) const fn new(limit: usize) -> Self {
        Self { entries: BTreeMap::new(), deadlines: BTreeSet::new(), limit }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        self.entries.get(key).map(|entry| entry.value)
    }

    /// When the entry ends, if nothing prolongs it.
    pub(super) fn ends(&self, key: &K) -> Option<Time> {
        self.entries.get(key).map(|entry| entry.ends)
    }

    /// The first key at or after `key`.
    pub(super) fn at_or_after(&self, key: K) -> Option<K> {
        self.entries.range(key..).next().map(|(key, _)| *key)
    }

    /// All entries, in the order of their keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (K, V)> {
        self.entries.iter().map(|(key, entry)| (*key, entry.value))
    }

    /// Adds an entry that is not there yet.
    pub(super) fn insert(&mut self, key: K, value: V, ends: Time) -> Result<(), Full> {
        debug_assert!(!self.entries.contains_key(&key), "an entry is made once");
        if self.entries.len() >= self.limit {
            return Err(Full);
        }
        self.entries.insert(key, Entry { value, ends });
        self.deadlines.insert((ends, key));
        Ok(())
    }

    /// Lets an entry live until `until` at the least. Whether there is such an entry.
    pub(super) fn prolong(&mut self, key: &K, until: Time) -> bool {
        let Some(entry) = self.entries.get_mut(key) else { return false };
        entry.ends = entry.ends.max(until);
        true
    }

    /// Removes what has ended by `now`, and tells `forgotten` of each.
    pub(super) fn expire(&mut self, now: Time, mut forgotten: impl FnMut(K, V)) {
        while let Some(&(deadline, key)) = self.deadlines.first() {
            if deadline > now {
                break;
            }
            self.deadlines.pop_first();
            match self.entries.get(&key) {
                Some(entry) if entry.ends > now => {
                    self.deadlines.insert((entry.ends, key));
                }
                Some(entry) => {
                    forgotten(key, entry.value);
                    self.entries.remove(&key);
                }
                None => debug_assert!(false, "each deadline has its entry"),
            }
        }
    }

    /// Removes everything.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.deadlines.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secs;
    use quickcheck::quickcheck;

    const fn at(second: u64) -> Time {
        Time::from_nanos(second * 1_000_000_000)
    }

    #[test]
    fn an_entry_ends_when_its_time_has_come_unless_it_was_prolonged() {
        let mut table = Table::new(9);
        table.insert('a', 1, at(10)).unwrap();
        table.insert('b', 2, at(10)).unwrap();
        assert!(table.prolong(&'b', at(15)));
        assert!(table.prolong(&'b', at(12)), "an earlier end changes nothing");
        let mut ended = Vec::new();
        for now in [9, 10, 14, 15] {
            table.expire(at(now), |key, _| ended.push((now, key)));
        }
        assert_eq!(ended, [(10, 'a'), (15, 'b')]);
        assert_eq!((table.len(), table.deadlines.len()), (0, 0));
    }

    #[test]
    fn a_full_table_takes_nothing_more() {
        let mut table = Table::new(1);
        assert_eq!(table.insert('a', (), at(1)), Ok(()));
        assert_eq!(table.insert('b', (), at(1)), Err(Full));
        table.expire(at(1), |_, ()| ());
        assert_eq!(table.insert('b', (), at(2)), Ok(()));
    }

    quickcheck! {
        fn nothing_lives_past_its_end_and_each_entry_has_one_deadline(touches: Vec<(u8, u8, bool)>) -> bool {
            let (mut table, mut ends, mut now) = (Table::new(64), BTreeMap::new(), Time::ZERO);
            touches.into_iter().all(|(key, wait, prolong)| {
                now += secs(u64::from(wait));
                table.expire(now, |_, ()| ());
                ends.retain(|_, end| *end > now);
                let end = now + secs(100);
                let known = ends.contains_key(&key);
                if if known { prolong && table.prolong(&key, end) } else { table.insert(key, (), end).is_ok() } {
                    ends.insert(key, end);
                }
                table.iter().map(|(key, ())| key).eq(ends.keys().copied())
                    && table.deadlines.len() == table.len()
                    && table.len() <= 64
            })
        }
    }
}
