//! Timers, one for each connection, at a cost that does not depend on how many there are.
//!
//! A hierarchical wheel (Varghese and Lauck, 1987). A level has 64 slots; a slot of one level is as long
//! as all of the level below it. A timer stands in the lowest level whose slots tell its time from now,
//! in a list that runs through the timers themselves, so that setting and clearing change a few links
//! and nothing is allocated.
//!
//! ```text
//!   level 0    |.|.|o|.|.|...|.|     64 ticks of 16 us          now ─▶ ......, due timers
//!   level 1    |.|o|.|.|.|...|.|     64 times as long each          ▲ a slot that begins is spread
//!   level 2    |.|.|.|.|o|...|.|     ...                            │ over the levels below
//! ```
//!
//! Timers are rounded up to a tick: none is early, and none is later than a tick.

use jsp_proto::time::Time;

/// Nanoseconds of a tick, as a power of two.
const TICK: u32 = 14;
/// Slots of a level, as a power of two.
const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
/// As many as all of time needs.
const LEVELS: usize = (64 - TICK).div_ceil(BITS) as usize;
/// How many timers of a slot are looked at to find the first.
const GLANCE: usize = 8;
/// No timer.
const NONE: u32 = u32::MAX;

/// A timer that is set, in its slot's list.
#[derive(Clone, Copy, Debug)]
struct Entry {
    tick: u64,
    previous: u32,
    next: u32,
    /// Level and slot; [`UNSET`] where no timer is set.
    place: u16,
}

const UNSET: u16 = u16::MAX;

/// See the module. Timers have small numbers: the connections' places in their table.
#[derive(Debug)]
pub struct Timers {
    entries: Vec<Entry>,
    heads: Box<[[u32; SLOTS]; LEVELS]>,
    /// Which slots have timers, a bit for each.
    occupied: [u64; LEVELS],
    /// Ticks that have passed.
    now: u64,
}

impl Timers {
    /// None is set.
    pub fn new() -> Self {
        Self {
            entries: Vec::new(),
            heads: Box::new([[NONE; SLOTS]; LEVELS]),
            occupied: [0; LEVELS],
            now: 0,
        }
    }

    /// Sets timer `index` to `at`, wherever it was set before.
    pub fn set(&mut self, index: u32, at: Time) {
        self.clear(index);
        let at_least = index as usize + 1;
        if self.entries.len() < at_least {
            let unset = Entry { tick: 0, previous: NONE, next: NONE, place: UNSET };
            self.entries.resize(at_least, unset);
        }
        self.insert(index, at.as_nanos().div_ceil(1 << TICK));
    }

    /// Unsets timer `index`.
    pub fn clear(&mut self, index: u32) {
        let Some(&Entry { previous, next, place, .. }) = self.entries.get(index as usize) else {
            return;
        };
        if place == UNSET {
            return;
        }
        let (level, slot) = (usize::from(place) / SLOTS, usize::from(place) % SLOTS);
        match self.entries.get_mut(previous as usize) {
            Some(entry) => entry.next = next,
            None => self.heads[level][slot] = next,
        }
        if let Some(entry) = self.entries.get_mut(next as usize) {
            entry.previous = previous;
        }
        if self.heads[level][slot] == NONE {
            self.occupied[level] &= !(1 << slot);
        }
        self.entries[index as usize].place = UNSET;
    }

    /// When to come again: when the next timer is due, or before, where too many are due at about the
    /// same time to look at each.
    pub fn next(&self) -> Option<Time> {
        let (level, slot, begin) = self.next_slot()?;
        let first = self.heads[level][slot];
        let next = |entry: &&Entry| self.entries.get(entry.next as usize);
        let mut list = std::iter::successors(self.entries.get(first as usize), next);
        let earliest = list.by_ref().take(GLANCE).map(|entry| entry.tick).min();
        let tick = if list.next().is_none() { earliest.unwrap_or(begin) } else { begin };
        Some(Time::from_nanos(tick.saturating_mul(1 << TICK)))
    }

    /// Lets time pass to `now`; timers that are due are unset and added to `due`.
    pub fn expire(&mut self, now: Time, due: &mut Vec<u32>) {
        let now = now.as_nanos() >> TICK;
        while let Some((level, slot, begin)) = self.next_slot().filter(|(.., at)| *at <= now) {
            self.now = self.now.max(begin);
            let mut index = std::mem::replace(&mut self.heads[level][slot], NONE);
            self.occupied[level] &= !(1 << slot);
            while let Some(entry) = self.entries.get_mut(index as usize) {
                let (this, tick) = (index, entry.tick);
                index = entry.next;
                entry.place = UNSET;
                if tick <= now {
                    due.push(this);
                } else {
                    self.insert(this, tick);
                }
            }
        }
        self.now = self.now.max(now);
    }

    fn insert(&mut self, index: u32, tick: u64) {
        let tick = tick.max(self.now);
        // The highest digit in which the two differ; what is due stands in the slot of now.
        let level = ((tick ^ self.now) | 1).ilog2() / BITS;
        let slot = (tick >> (level * BITS)) as usize % SLOTS;
        let level = level as usize;
        let head = std::mem::replace(&mut self.heads[level][slot], index);
        if let Some(first) = self.entries.get_mut(head as usize) {
            first.previous = index;
        }
        let place = (level * SLOTS + slot) as u16;
        self.entries[index as usize] = Entry { tick, previous: NONE, next: head, place };
        self.occupied[level] |= 1 << slot;
    }

    /// The first slot with timers: its level, its place there, and the tick at which it begins.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        let level = self.occupied.iter().position(|slots| *slots != 0)?;
        // All lie ahead, in what the level above calls the present slot: none has wrapped around.
        let slot = self.occupied[level].trailing_zeros();
        let shift = level as u32 * BITS;
        let above = self.now.checked_shr(shift + BITS).unwrap_or(0);
        let begin = ((above << BITS) | u64::from(slot)) << shift;
        Some((level, slot as usize, begin))
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;
    use std::collections::BTreeMap;

    fn at(nanos: u64) -> Time {
        Time::from_nanos(nanos)
    }

    fn expire(timers: &mut Timers, now: u64) -> Vec<u32> {
        let mut due = Vec::new();
        timers.expire(at(now), &mut due);
        due
    }

    #[test]
    fn a_timer_is_due_once_never_early_and_at_most_a_tick_late() {
        let tick = 1 << TICK;
        for delay in
            [1, tick - 1, tick, 63 * tick, 64 * tick + 1, 1_000_000, 30_000_000_000, u64::MAX >> 1]
        {
            let mut timers = Timers::new();
            expire(&mut timers, 12_345_678);
            let when = 12_345_678 + delay;
            timers.set(3, at(when));
            assert!(timers.next().unwrap() <= at(when + tick));
            assert_eq!(expire(&mut timers, when - 1), []);
            assert_eq!(expire(&mut timers, when + tick), [3], "after {delay}");
            assert_eq!(timers.next(), None);
        }
    }

    #[test]
    fn who_comes_when_told_finds_every_timer_after_a_few_visits() {
        let mut timers = Timers::new();
        for index in 0..=GLANCE as u32 {
            timers.set(index, at(30_000_000_000));
        }
        let mut visits = 0;
        loop {
            visits += 1;
            let next = timers.next().unwrap().as_nanos();
            if !expire(&mut timers, next).is_empty() {
                assert!((30_000_000_000..30_000_020_000).contains(&next));
                break;
            }
        }
        assert!(visits <= LEVELS, "{visits}");
    }

    #[test]
    fn a_lonely_timer_is_told_to_the_tick() {
        let mut timers = Timers::new();
        timers.set(0, at(30_000_000_000));
        assert!((30_000_000_000..30_000_020_000).contains(&timers.next().unwrap().as_nanos()));
    }

    #[test]
    fn what_is_over_is_due_at_once() {
        let mut timers = Timers::new();
        expire(&mut timers, 1 << 40);
        timers.set(7, at(5));
        assert_eq!(expire(&mut timers, 1 << 40), [7]);
    }

    #[test]
    fn the_end_of_time_can_be_waited_for() {
        let mut timers = Timers::new();
        timers.set(0, at(u64::MAX));
        assert_eq!(expire(&mut timers, u64::MAX - (1 << TICK)), []);
        assert!(timers.next().is_some());
    }

    quickcheck! {
        /// A map of deadlines, the plain way, knows the same as the wheel.
        fn the_wheel_knows_what_a_map_knows(steps: Vec<(u8, u32, bool)>) -> bool {
            let (mut timers, mut model) = (Timers::new(), BTreeMap::new());
            let mut now = 0u64;
            steps.into_iter().all(|(index, delay, set)| {
                let delay = u64::from(delay) << (index % 16);
                if set {
                    timers.set(u32::from(index), at(now + delay));
                    model.insert(u32::from(index), (now + delay).div_ceil(1 << TICK));
                } else if index % 3 == 0 {
                    timers.clear(u32::from(index));
                    model.remove(&u32::from(index));
                } else {
                    now += delay;
                    let mut due = expire(&mut timers, now);
                    due.sort_unstable();
                    let expected: Vec<u32> =
                        model.extract_if(.., |_, tick| *tick <= now >> TICK).map(|(index, _)| index).collect();
                    if due != expected {
                        return false;
                    }
                }
                let next = timers.next().map(|at| at.as_nanos() >> TICK);
                match (next, model.values().min()) {
                    (None, None) => true,
                    (Some(next), Some(first)) => next <= *first.max(&(now >> TICK)),
                    _ => false,
                }
            })
        }
    }
}
