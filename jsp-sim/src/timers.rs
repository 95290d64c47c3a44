//! One timer for each of many: who is next is known at once.

use jsp_proto::time::Time;
use std::collections::{BTreeMap, BTreeSet};

/// Timers by key. At equal times the smaller key comes first.
#[derive(Clone, Debug)]
pub struct Timers<K> {
    times: BTreeMap<K, Time>,
    order: BTreeSet<(Time, K)>,
}

impl<K: Copy + Ord> Timers<K> {
    /// No timer is set.
    pub const fn new() -> Self {
        Self { times: BTreeMap::new(), order: BTreeSet::new() }
    }

    /// Sets or stops the timer of `key`.
    pub fn set(&mut self, key: K, time: Option<Time>) {
        let old = match time {
            Some(time) => self.times.insert(key, time),
            None => self.times.remove(&key),
        };
        if old != time {
            if let Some(old) = old {
                self.order.remove(&(old, key));
            }
            if let Some(time) = time {
                self.order.insert((time, key));
            }
        }
    }

    /// When the timer of `key` fires.
    pub fn get(&self, key: K) -> Option<Time> {
        self.times.get(&key).copied()
    }

    /// The timer that fires next.
    pub fn first(&self) -> Option<(Time, K)> {
        self.order.first().copied()
    }
}

impl<K: Copy + Ord> Default for Timers<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    quickcheck! {
        fn the_first_timer_is_the_earliest_that_is_set(changes: Vec<(u8, Option<u8>)>) -> bool {
            let mut timers = Timers::new();
            let mut model = BTreeMap::new();
            changes.into_iter().all(|(key, time)| {
                let time = time.map(|t| Time::from_nanos(u64::from(t)));
                timers.set(key, time);
                model.insert(key, time);
                let first = model.iter().filter_map(|(key, time)| time.map(|t| (t, *key))).min();
                timers.first() == first && timers.get(key) == time
            })
        }
    }
}
