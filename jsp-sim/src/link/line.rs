//! A line that carries one packet at a time, and when it has carried it: in closed form, because who
//! comes first is served first.

use super::capacity::{OPPORTUNITY, Opportunity, Trace};
use super::rate::Capacity;
use jsp_proto::time::Time;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// What a line is doing. Packets come in order of time.
#[derive(Debug)]
pub(super) struct Line {
    /// When it has sent what it was given.
    free: Time,
    /// The part of a nanosecond beyond it, as a numerator over the rate: so that a busy line sends
    /// exactly its rate, however odd.
    rest: u64,
    /// With a trace: the opportunity in use or next to be used, and the bytes that are left of it.
    current: Opportunity,
    left: u64,
    /// With a trace: until when the line was busy otherwise.
    since: Time,
}

impl Line {
    pub(super) const fn new() -> Self {
        Self {
            free: Time::ZERO,
            rest: 0,
            current: Trace::first(),
            left: OPPORTUNITY,
            since: Time::ZERO,
        }
    }

    /// Gives up what the line knows about its capacity, for another; what it sends it still sends.
    pub(super) const fn reset(&mut self) {
        *self = Self { free: self.free, since: self.free, ..Self::new() };
    }

    /// When it begins to send a packet that is there from `at` on.
    pub(super) fn ready(&mut self, capacity: &Capacity, at: Time) -> Time {
        match capacity {
            Capacity::Unlimited | Capacity::Constant(_) => self.free.max(at),
            Capacity::Trace(trace) => self.seize(trace, at),
        }
    }

    /// When it would begin to send a packet that is there from `at` on and has `bytes` in front of it.
    pub(super) fn ready_behind(&mut self, capacity: &Capacity, at: Time, bytes: u64) -> Time {
        let ready = self.ready(capacity, at);
        match capacity {
            Capacity::Unlimited => ready,
            Capacity::Constant(rate) => {
                let work = u128::from(bytes) * u128::from(8 * NANOS_PER_SECOND);
                let nanos = work / u128::from(rate.bits_per_second().max(1));
                let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
                Time::from_nanos(ready.as_nanos().saturating_add(nanos))
            }
            Capacity::Trace(trace) => {
                let more = match bytes.checked_sub(self.left) {
                    Some(beyond) => 1 + beyond / OPPORTUNITY,
                    None => 0,
                };
                Time::from_nanos(trace.nanos(trace.after(self.current, more)))
            }
        }
    }

    /// Sends a packet of `size` bytes that is there from `at` on, and tells when it has left.
    pub(super) fn send(&mut self, capacity: &Capacity, at: Time, size: u64) -> Time {
        match capacity {
            Capacity::Unlimited => self.free = self.free.max(at),
            Capacity::Constant(rate) => self.serialise(rate.bits_per_second().max(1), at, size),
            Capacity::Trace(trace) => {
                self.seize(trace, at);
                let rest = size.saturating_sub(self.left);
                let more = rest.div_ceil(OPPORTUNITY);
                self.current = trace.after(self.current, more);
                self.left = self.left + more * OPPORTUNITY - size;
                self.free = Time::from_nanos(trace.nanos(self.current));
            }
        }
        self.free
    }

    /// Takes the first opportunity that has room and comes later than `at`, and tells when it is: what
    /// waits shares one, what comes when it is there has missed it.
    fn seize(&mut self, trace: &Trace, at: Time) -> Time {
        let at = at.max(self.since).as_nanos();
        if trace.nanos(self.current) <= at {
            self.current = trace.later_than(at);
            self.left = OPPORTUNITY;
        } else if self.left == 0 {
            self.current = trace.after(self.current, 1);
            self.left = OPPORTUNITY;
        }
        Time::from_nanos(trace.nanos(self.current))
    }

    fn serialise(&mut self, rate: u64, at: Time, size: u64) {
        if self.free < at {
            self.free = at;
            self.rest = 0;
        }
        let work = u128::from(size) * u128::from(8 * NANOS_PER_SECOND)
            + u128::from(self.rest.min(rate - 1));
        // Packets are small: a division of 64 bits does, unless the rate is beyond all measure.
        let (nanos, rest) = if let Ok(work) = u64::try_from(work) {
            (work / rate, work % rate)
        } else {
            let rate = u128::from(rate);
            (u64::try_from(work / rate).unwrap_or(u64::MAX), (work % rate) as u64)
        };
        self.free = Time::from_nanos(self.free.as_nanos().saturating_add(nanos));
        self.rest = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::BitRate;
    use jsp_proto::time::Duration;

    fn constant(rate: u64) -> Capacity {
        Capacity::Constant(BitRate::new(rate))
    }

    fn millis(at: u64) -> Time {
        Time::ZERO + Duration::from_millis(at)
    }

    #[test]
    fn a_busy_line_sends_exactly_its_rate_however_odd() {
        let mut line = Line::new();
        // 3 bits per second: each byte takes 2.666... seconds.
        let left = (0..3).map(|_| line.send(&constant(3), Time::ZERO, 1).as_nanos());
        assert_eq!(left.collect::<Vec<_>>(), [2_666_666_666, 5_333_333_333, 8_000_000_000]);
    }

    #[test]
    fn an_idle_line_saves_nothing_up() {
        let mut line = Line::new();
        line.send(&constant(800), Time::ZERO, 100);
        assert_eq!(line.send(&constant(800), millis(60_000), 100), millis(61_000));
    }

    #[test]
    fn an_opportunity_carries_1504_bytes_of_what_waits_and_the_rest_is_lost() {
        let capacity = Capacity::Trace(Trace::parse("x", "2\n4\n6\n").unwrap());
        let mut line = Line::new();
        assert_eq!(line.send(&capacity, millis(0), 1000), millis(2));
        assert_eq!(line.send(&capacity, millis(1), 500), millis(2));
        // Four bytes are left of the first opportunity; the next carries the rest.
        assert_eq!(line.send(&capacity, millis(1), 1000), millis(4));
        // Too late for the one at 4 ms, though it has room.
        assert_eq!(line.send(&capacity, millis(4), 100), millis(6));
        assert_eq!(line.send(&capacity, millis(5), 1404), millis(6));
        assert_eq!(line.send(&capacity, millis(5), 1), millis(8));
        assert_eq!(line.send(&capacity, millis(100), 3008), millis(104));
    }

    #[test]
    fn what_waits_in_front_is_sent_first() {
        let mut line = Line::new();
        line.send(&constant(8_000_000), millis(0), 1000);
        assert_eq!(line.ready_behind(&constant(8_000_000), millis(0), 2000), millis(3));
        let capacity = Capacity::Trace(Trace::parse("x", "2\n4\n6\n").unwrap());
        let mut line = Line::new();
        line.send(&capacity, millis(0), 1000);
        let mut ready = |bytes| line.ready_behind(&capacity, millis(0), bytes);
        assert_eq!(ready(503), millis(2));
        assert_eq!(ready(504), millis(4));
        assert_eq!(ready(504 + 1504), millis(6));
    }

    #[test]
    fn a_line_that_changes_ends_what_it_has_begun() {
        let capacity = Capacity::Trace(Trace::parse("x", "2\n4\n6\n").unwrap());
        let mut line = Line::new();
        assert_eq!(line.send(&constant(8_000_000), millis(0), 5000), millis(5));
        line.reset();
        assert_eq!(line.ready(&capacity, millis(1)), millis(6));
    }
}
