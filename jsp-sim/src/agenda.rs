//! What is to happen, in order of time; what was planned first comes first at equal times.

use jsp_proto::time::Time;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A queue of things to happen. Its order is a function of what was planned, in which order: the
/// things themselves are never compared.
#[derive(Debug)]
pub struct Agenda<T> {
    heap: BinaryHeap<Entry<T>>,
    planned: u64,
}

#[derive(Debug)]
struct Entry<T> {
    time: Time,
    sequence: u64,
    what: T,
}

impl<T> Agenda<T> {
    /// Nothing planned.
    pub const fn new() -> Self {
        Self { heap: BinaryHeap::new(), planned: 0 }
    }

    /// Plans `what` for `time`.
    pub fn plan(&mut self, time: Time, what: T) {
        self.heap.push(Entry { time, sequence: self.planned, what });
        self.planned += 1;
    }

    /// When the next thing happens, and what it is.
    pub fn peek(&self) -> Option<(Time, &T)> {
        self.heap.peek().map(|entry| (entry.time, &entry.what))
    }

    /// Takes the next thing, if its time has come by `now`.
    pub fn take(&mut self, now: Time) -> Option<T> {
        if self.heap.peek()?.time > now {
            return None;
        }
        self.heap.pop().map(|entry| entry.what)
    }

    /// How many things are planned.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing is planned.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Ord for Entry<T> {
    /// Reversed, because the standard heap gives out its greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.time, other.sequence).cmp(&(self.time, self.sequence))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    quickcheck! {
        fn things_come_in_order_of_time_and_then_of_planning(times: Vec<u8>) -> bool {
            let mut agenda = Agenda::new();
            for (i, t) in times.iter().enumerate() {
                agenda.plan(Time::from_nanos(u64::from(*t)), (*t, i));
            }
            let mut expected: Vec<_> = times.iter().copied().zip(0..).collect();
            expected.sort_unstable();
            let mut got = Vec::new();
            while let Some(thing) = agenda.take(Time::from_nanos(255)) {
                got.push(thing);
            }
            got == expected
        }
    }

    #[test]
    fn nothing_happens_before_its_time() {
        let mut agenda = Agenda::new();
        agenda.plan(Time::from_nanos(5), ());
        assert!(agenda.take(Time::from_nanos(4)).is_none());
        assert_eq!(agenda.len(), 1);
        assert!(agenda.take(Time::from_nanos(5)).is_some());
        assert!(agenda.is_empty());
    }
}
