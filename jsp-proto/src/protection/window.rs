//! Which packets of a space arrived: the replay window, and what acknowledgements are made of.
//!
//! ```text
//!   older: refused          the last 1024 numbers, a bit each          newer: accepted
//!  ---------------|-----------------------------------------------|--------------------
//!           next - 1024      ^ floor: nothing below is told      next = largest + 1
//! ```
//!
//! The bit of a number lies at its low 10 bits: sliding clears bits and moves none.

use crate::ids::PacketNumber;
use crate::planted::{self, Bug};
use core::ops::RangeInclusive;

/// How many numbers the window holds.
pub const WINDOW: u64 = 1024;

const WORDS: usize = WINDOW as usize / 64;

/// The received packets of one space, as far back as the window reaches.
#[derive(Clone, Debug, Default)]
pub struct ReceivedWindow {
    /// A set bit for each number that arrived. Of the numbers from `next` on none has a bit.
    words: [u64; WORDS],
    /// The number after the largest that arrived.
    next: u64,
    /// The peer knows about everything below.
    floor: u64,
}

/// Where the word with the bit of `number` is.
const fn word(number: u64) -> usize {
    (number / 64) as usize % WORDS
}

impl ReceivedWindow {
    /// A window in which nothing has arrived.
    pub const fn new() -> Self {
        Self { words: [0; WORDS], next: 0, floor: 0 }
    }

    /// The largest number that arrived.
    pub const fn largest(&self) -> Option<PacketNumber> {
        match self.next {
            0 => None,
            next => Some(PacketNumber(next - 1)),
        }
    }

    /// The number after the largest that arrived: what a truncated number is expanded with.
    pub const fn expected(&self) -> PacketNumber {
        PacketNumber(self.next)
    }

    /// Whether a packet may be taken: it has not arrived before, and would be known if it had.
    pub const fn is_new(&self, number: PacketNumber) -> bool {
        if number.0 >= self.next {
            return true;
        }
        let in_window = self.next - number.0 <= WINDOW;
        in_window && self.words[word(number.0)] >> (number.0 % 64) & 1 == 0
    }

    /// Notes that a packet arrived, which was authenticated and [`is_new`](Self::is_new). At most
    /// 16 words are touched, however far the window slides.
    pub const fn commit(&mut self, number: PacketNumber) {
        debug_assert!(self.is_new(number) && number.0 <= PacketNumber::MAX.0);
        if number.0 == self.next {
            // Where nearly every packet falls. Its bit may be that of a number that leaves the window.
            self.next += 1;
        } else if number.0 < self.next {
            // It came late: the peer cannot know about it, whatever it knows about the others.
            if number.0 < self.floor {
                self.floor = number.0;
            }
        } else {
            self.clear(self.next, number.0);
            self.next = number.0 + 1;
        }
        self.words[word(number.0)] |= 1 << (number.0 % 64);
    }

    /// Clears the bits of `from..=to`.
    const fn clear(&mut self, mut from: u64, to: u64) {
        if to - from >= WINDOW {
            self.words = [0; WORDS];
            return;
        }
        while from <= to {
            let end = if from | 63 < to { from | 63 } else { to };
            let bits = u64::MAX >> (63 - (end - from));
            self.words[word(from)] &= !(bits << (from % 64));
            from = end + 1;
        }
    }

    /// The peer knows what arrived up to `number`: smaller numbers are not told again. Replays of
    /// them are still refused.
    pub const fn set_floor(&mut self, number: PacketNumber) {
        if number.0 > self.floor && number.0 < self.next {
            self.floor = number.0;
        }
    }

    /// What arrived and should be told, the largest first, as ranges that do not touch.
    pub fn ranges(&self) -> ReceivedRanges<'_> {
        let low = self.floor.max(self.next.saturating_sub(WINDOW));
        ReceivedRanges { window: self, low, end: self.next }
    }
}

/// The ranges of a window, the largest first.
#[derive(Clone, Debug)]
pub struct ReceivedRanges<'a> {
    window: &'a ReceivedWindow,
    /// The smallest number that is told.
    low: u64,
    /// Everything from here on was told.
    end: u64,
}

impl ReceivedRanges<'_> {
    /// The largest number in `low..end` whose bit, after `flip`, is set.
    fn largest_below(&self, mut end: u64, flip: u64) -> Option<u64> {
        while end > self.low {
            let last = end - 1;
            // The bit of `last` comes to the top; those of larger numbers fall off.
            let bits = (self.window.words[word(last)] ^ flip) << (63 - last % 64);
            if bits != 0 {
                // Leading zeros stay within the word, so within the numbers below `last`.
                let found = last - u64::from(bits.leading_zeros());
                return (found >= self.low).then_some(found);
            }
            end = last & !63;
        }
        None
    }

    /// Whether the two numbers below `first` are both missing: where there is room for a planted bug.
    fn misses_two_below(&self, first: u64) -> bool {
        let missing = self.largest_below(first, u64::MAX);
        missing
            .is_some_and(|missing| self.largest_below(missing, u64::MAX) == missing.checked_sub(1))
    }
}

impl Iterator for ReceivedRanges<'_> {
    type Item = RangeInclusive<u64>;

    fn next(&mut self) -> Option<RangeInclusive<u64>> {
        let last = self.largest_below(self.end, 0)?;
        let mut first = self.largest_below(last, u64::MAX).map_or(self.low, |missing| missing + 1);
        if planted::is(Bug::AckRange) && self.misses_two_below(first) {
            first -= 1;
        }
        self.end = first;
        Some(first..=last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    /// The same, without a thought for time and space.
    #[derive(Default)]
    struct Model {
        seen: BTreeSet<u64>,
        floor: u64,
    }

    impl Model {
        fn next(&self) -> u64 {
            self.seen.last().map_or(0, |largest| largest + 1)
        }

        fn is_new(&self, number: u64) -> bool {
            number + WINDOW >= self.next() && !self.seen.contains(&number)
        }

        fn ranges(&self) -> Vec<RangeInclusive<u64>> {
            let low = self.floor.max(self.next().saturating_sub(WINDOW));
            let mut ranges: Vec<RangeInclusive<u64>> = Vec::new();
            for &n in self.seen.range(low..).rev() {
                match ranges.last_mut() {
                    Some(range) if *range.start() == n + 1 => *range = n..=*range.end(),
                    _ => ranges.push(n..=n),
                }
            }
            ranges
        }
    }

    /// Numbers near the largest so far, across the window's edges, and jumps beyond it.
    fn number(next: u64, step: u16) -> u64 {
        match step % 8 {
            0..=2 => next + u64::from(step >> 12),
            3 | 4 => next.saturating_sub(u64::from(step >> 3) % 70),
            5 => next.saturating_sub(1 + WINDOW) + u64::from(step >> 3) % 4,
            6 => next + u64::from(step >> 3) % 2100,
            _ => next.saturating_sub(u64::from(step >> 3) % 1100),
        }
    }

    quickcheck! {
        fn the_window_agrees_with_a_set(steps: Vec<(u16, Option<u16>)>) -> bool {
            let (mut window, mut model) = (ReceivedWindow::new(), Model::default());
            steps.into_iter().all(|(step, floor)| {
                let n = number(model.next(), step);
                let new = model.is_new(n);
                if new != window.is_new(PacketNumber(n)) {
                    return false;
                }
                if new {
                    window.commit(PacketNumber(n));
                    model.seen.insert(n);
                    model.floor = model.floor.min(n);
                }
                if let Some(back) = floor {
                    let floor = model.next().saturating_sub(u64::from(back) % 1200);
                    window.set_floor(PacketNumber(floor));
                    if floor < model.next() {
                        model.floor = model.floor.max(floor);
                    }
                }
                window.largest() == model.seen.last().copied().map(PacketNumber)
                    && window.ranges().collect::<Vec<_>>() == model.ranges()
                    && (0..1200).all(|back| {
                        let n = model.next().saturating_sub(back);
                        window.is_new(PacketNumber(n)) == model.is_new(n)
                    })
            })
        }
    }

    #[test]
    fn nothing_has_arrived_in_a_new_window() {
        let window = ReceivedWindow::new();
        assert_eq!(window.largest(), None);
        assert_eq!(window.ranges().next(), None);
        assert!(window.is_new(PacketNumber(0)) && window.is_new(PacketNumber::MAX));
    }

    #[test]
    fn the_window_reaches_back_exactly_1023_numbers() {
        let mut window = ReceivedWindow::new();
        window.commit(PacketNumber(5000));
        assert!(window.is_new(PacketNumber(5000 - 1023)));
        assert!(!window.is_new(PacketNumber(5000 - 1024)));
        window.commit(PacketNumber(5000 - 1023));
        assert_eq!(window.ranges().collect::<Vec<_>>(), [5000..=5000, 3977..=3977]);
        // One further, the oldest falls out and its bit is free for the newest.
        assert!(window.is_new(PacketNumber(5001)));
        window.commit(PacketNumber(5001));
        assert_eq!(window.ranges().collect::<Vec<_>>(), [5000..=5001]);
    }

    #[test]
    fn the_largest_number_ever_can_arrive() {
        let mut window = ReceivedWindow::new();
        window.commit(PacketNumber::MAX);
        assert!(!window.is_new(PacketNumber::MAX));
        assert_eq!(window.ranges().count(), 1);
    }

    #[test]
    fn what_arrives_late_below_the_floor_is_told() {
        let mut window = ReceivedWindow::new();
        for n in [0, 1, 2, 4, 5] {
            window.commit(PacketNumber(n));
        }
        window.set_floor(PacketNumber(5));
        assert_eq!(window.ranges().collect::<Vec<_>>(), [5..=5]);
        assert!(!window.is_new(PacketNumber(2)));
        window.commit(PacketNumber(3));
        assert_eq!(window.ranges().collect::<Vec<_>>(), [3..=5]);
    }

    #[test]
    fn alternate_numbers_make_no_more_than_512_ranges() {
        let mut window = ReceivedWindow::new();
        for n in (0..10_000).step_by(2) {
            window.commit(PacketNumber(n));
        }
        assert_eq!(window.ranges().count(), 512);
    }
}
