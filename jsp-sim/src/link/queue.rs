//! A queue in front of a line of limited rate, in closed form: when a packet enters, it is known when
//! it will have left.

use jsp_proto::time::{Duration, Time};
use std::collections::VecDeque;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// The packets that wait for the line. Packets enter in order of time.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Packets that have not left yet: when each will have, and its size.
    waiting: VecDeque<(Time, usize)>,
    bytes: usize,
    /// When the line is free, and the part of a nanosecond beyond it as a numerator over the rate: so
    /// that a busy line sends exactly its rate, however odd.
    free: Time,
    rest: u128,
}

impl Queue {
    /// Bytes that wait at `now`, those of the packet being sent included.
    pub(super) fn waiting(&mut self, now: Time) -> usize {
        while let Some(&(leaves, size)) = self.waiting.front() {
            if leaves > now {
                break;
            }
            self.bytes -= size;
            self.waiting.pop_front();
        }
        self.bytes
    }

    /// Takes a packet of `size` bytes at `now`, and tells when it will have left at `rate` bits per
    /// second (without one, at once after those before it).
    pub(super) fn enter(&mut self, now: Time, size: usize, rate: Option<u64>) -> Time {
        if self.free < now {
            self.free = now;
            self.rest = 0;
        }
        if let Some(rate) = rate.map(u128::from) {
            // A remainder from another rate may exceed this one's; it is below a nanosecond then.
            let work = size as u128 * 8 * NANOS_PER_SECOND + self.rest.min(rate - 1);
            self.free += Duration::from_nanos(u64::try_from(work / rate).unwrap_or(u64::MAX));
            self.rest = work % rate;
        }
        if self.free > now {
            self.waiting.push_back((self.free, size));
            self.bytes += size;
        }
        self.free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_line_sends_exactly_its_rate_however_odd() {
        let mut queue = Queue::default();
        // 3 bits per second: each byte takes 2.666... seconds.
        let left: Vec<_> = (0..3).map(|_| queue.enter(Time::ZERO, 1, Some(3)).as_nanos()).collect();
        assert_eq!(left, [2_666_666_666, 5_333_333_333, 8_000_000_000]);
    }

    #[test]
    fn a_packet_waits_until_it_has_left() {
        let mut queue = Queue::default();
        queue.enter(Time::ZERO, 100, Some(800));
        queue.enter(Time::ZERO, 50, Some(800));
        let at = |millis| Time::ZERO + Duration::from_millis(millis);
        assert_eq!(queue.waiting(at(999)), 150);
        assert_eq!(queue.waiting(at(1000)), 50);
        assert_eq!(queue.waiting(at(1500)), 0);
    }

    #[test]
    fn an_idle_line_saves_nothing_up() {
        let mut queue = Queue::default();
        queue.enter(Time::ZERO, 100, Some(800));
        let late = Time::from_nanos(60_000_000_000);
        assert_eq!(queue.enter(late, 100, Some(800)), late + Duration::from_secs(1));
    }
}
