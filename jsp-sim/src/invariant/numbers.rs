//! Which packet numbers have been used.

/// A set of packet numbers, small where they are dense: runs and their ends.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// Runs that do not touch, ascending: first and last.
    runs: Vec<(u64, u64)>,
}

impl Numbers {
    /// Adds a number that must be larger than all before; whether it is.
    pub(super) fn ascend(&mut self, number: u64) -> bool {
        match self.runs.last_mut() {
            Some((_, last)) if number <= *last => return false,
            Some((_, last)) if number == *last + 1 => *last = number,
            _ => self.runs.push((number, number)),
        }
        true
    }

    /// Adds a number; whether it was new.
    pub(super) fn insert(&mut self, number: u64) -> bool {
        // The first run that does not lie wholly before the number and does not end just before it.
        let at = self.runs.partition_point(|(_, last)| last.saturating_add(1) < number);
        match self.runs.get(at).copied() {
            Some((first, last)) if (first..=last).contains(&number) => return false,
            Some((first, last)) if last.saturating_add(1) == number => {
                let next = self.runs.get(at + 1).copied();
                match next {
                    Some((start, _)) if start == number => return false,
                    Some((start, end)) if start == number + 1 => {
                        self.runs[at] = (first, end);
                        self.runs.remove(at + 1);
                    }
                    _ => self.runs[at].1 = number,
                }
            }
            Some((first, _)) if first == number + 1 => self.runs[at].0 = number,
            _ => self.runs.insert(at, (number, number)),
        }
        true
    }

    /// The largest.
    pub(super) fn last(&self) -> Option<u64> {
        self.runs.last().map(|(_, last)| *last)
    }

    /// The first number of a range that is not in the set.
    pub(super) fn first_missing(&self, start: u64, end: u64) -> Option<u64> {
        let at = self.runs.partition_point(|(_, last)| *last < start);
        match self.runs.get(at) {
            Some((first, last)) if *first <= start => (*last < end).then(|| last + 1),
            _ => Some(start),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;
    use std::collections::BTreeSet;

    quickcheck! {
        fn it_is_a_set(numbers: Vec<u8>, range: (u8, u8)) -> bool {
            let (mut set, mut model) = (Numbers::default(), BTreeSet::new());
            let same = numbers.iter().all(|n| set.insert((*n).into()) == model.insert(*n));
            let (start, end) = (range.0.min(range.1), range.0.max(range.1));
            let missing = (start..=end).find(|n| !model.contains(n)).map(u64::from);
            let apart = set.runs.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0);
            same && apart && set.first_missing(start.into(), end.into()) == missing
        }

        fn ascending_numbers_are_a_set_too(numbers: BTreeSet<u8>, range: (u8, u8)) -> bool {
            let mut set = Numbers::default();
            let up = numbers.iter().all(|n| set.ascend((*n).into()));
            let again = numbers.iter().any(|n| set.ascend((*n).into()));
            let (start, end) = (range.0.min(range.1), range.0.max(range.1));
            let missing = (start..=end).find(|n| !numbers.contains(n)).map(u64::from);
            up && !again && set.first_missing(start.into(), end.into()) == missing
        }
    }
}
