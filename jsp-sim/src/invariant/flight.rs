//! Bytes of data in flight: a book beside the engine's.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

/// What was sent and is neither acknowledged nor lost, by packet number.
#[derive(Debug, Default)]
pub(super) struct Flight {
    /// The number of the first entry.
    first: u64,
    /// Bytes of each packet from there on; 0 for what was not sent, does not count, or is settled.
    sizes: VecDeque<u32>,
    bytes: u64,
}

impl Flight {
    /// All of it, in bytes.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A packet with a number above all others was sent.
    pub(super) fn sent(&mut self, number: u64, size: u32) {
        if self.sizes.is_empty() {
            self.first = number;
        }
        let Some(gap) = number.checked_sub(self.first + self.sizes.len() as u64) else { return };
        self.sizes.extend((0..gap).map(|_| 0));
        self.sizes.push_back(size);
        self.bytes += u64::from(size);
    }

    /// Packets were acknowledged, or given up.
    pub(super) fn settle(&mut self, numbers: &RangeInclusive<u64>) {
        let index = |number: u64| usize::try_from(number - self.first).unwrap_or(usize::MAX);
        if *numbers.end() < self.first {
            return;
        }
        let from = index((*numbers.start()).max(self.first)).min(self.sizes.len());
        let to = index(*numbers.end()).saturating_add(1).min(self.sizes.len());
        for size in self.sizes.range_mut(from..to.max(from)) {
            self.bytes -= u64::from(std::mem::take(size));
        }
        while self.sizes.front() == Some(&0) {
            self.sizes.pop_front();
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;
    use std::collections::BTreeMap;

    quickcheck! {
        fn it_is_the_sum_over_what_is_not_settled(story: Vec<(u8, u8, bool)>) -> bool {
            let (mut flight, mut model, mut next) = (Flight::default(), BTreeMap::new(), 0);
            story.into_iter().all(|(a, b, sends)| {
                if sends {
                    next += 1 + u64::from(a % 3);
                    flight.sent(next, b.into());
                    model.insert(next, u64::from(b));
                } else {
                    let (start, end) = (u64::from(a.min(b)), u64::from(a.max(b)));
                    flight.settle(&(start..=end));
                    model.retain(|number, _| !(start..=end).contains(number));
                }
                flight.bytes() == model.values().sum::<u64>()
            })
        }
    }
}
