//! Controlled delay (CoDel, RFC 8289): packets that waited too long are dropped as they leave the queue,
//! more and more often for as long as it does not get better. A burst is left alone.

use super::travel::Travel;
use crate::units::Span;
use jsp_proto::ids::Ecn;
use jsp_proto::time::{Duration, Time};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How CoDel manages a queue (RFC 8289, section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Codel {
    /// How long packets may wait all the time; 5 ms by default.
    pub target: Span,
    /// How long they may wait longer than that; 100 ms by default, the longest usual round trip.
    pub interval: Span,
    /// Whether ECN-capable packets are marked instead of dropped.
    pub mark: bool,
}

impl Default for Codel {
    fn default() -> Self {
        Self { target: Span::from_millis(5), interval: Span::from_millis(100), mark: false }
    }
}

/// Bytes that may always wait: a link sends nothing while it waits for the second packet.
const LARGEST_PACKET: u64 = 1500;

/// A managed queue. The names are those of the RFC's pseudocode, section 5.
#[derive(Debug, Default)]
pub(super) struct Managed {
    queue: VecDeque<(Time, Travel)>,
    bytes: u64,
    largest: u64,
    first_above: Option<Time>,
    drop_next: Time,
    count: u64,
    last_count: u64,
    dropping: bool,
}

/// A packet that leaves the queue.
pub(super) struct Leaves {
    /// When it came.
    pub(super) came: Time,
    pub(super) travel: Travel,
    /// Whether it has waited too long.
    ok_to_drop: bool,
}

impl Managed {
    /// Packets that wait.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Bytes that wait.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// When the oldest packet came.
    pub(super) fn oldest(&self) -> Option<Time> {
        self.queue.front().map(|(came, _)| *came)
    }

    /// Takes a packet that comes at `at`.
    pub(super) fn enter(&mut self, at: Time, travel: Travel) {
        let size = size(&travel);
        self.bytes += size;
        self.largest = self.largest.max(size);
        self.queue.push_back((at, travel));
    }

    /// Takes the oldest packet, as it is.
    pub(super) fn pop(&mut self) -> Option<(Time, Travel)> {
        let (came, travel) = self.queue.pop_front()?;
        self.bytes -= size(&travel);
        Some((came, travel))
    }

    /// The packet that the line sends at `now`, if there is one; those that are not sent go to `drop`,
    /// and whether it was marked is told.
    pub(super) fn dequeue(
        &mut self,
        codel: &Codel,
        now: Time,
        mut drop: impl FnMut(Travel),
    ) -> Option<(Leaves, bool)> {
        let mut next = self.take(codel, now)?;
        if self.dropping {
            self.dropping &= next.ok_to_drop;
            while self.dropping && now >= self.drop_next {
                self.count += 1;
                if mark(codel, &mut next.travel) {
                    self.drop_next = control_law(codel, self.drop_next, self.count);
                    return Some((next, true));
                }
                drop(next.travel);
                let Some(after) = self.take(codel, now) else {
                    self.dropping = false;
                    return None;
                };
                next = after;
                if next.ok_to_drop {
                    self.drop_next = control_law(codel, self.drop_next, self.count);
                } else {
                    self.dropping = false;
                }
            }
        } else if next.ok_to_drop {
            self.dropping = true;
            // If it was dropping not long ago, it goes on at about that rate.
            let delta = self.count.saturating_sub(self.last_count);
            let recent = now - self.drop_next < codel.interval.duration().saturating_mul(16);
            self.count = if delta > 1 && recent { delta } else { 1 };
            self.drop_next = control_law(codel, now, self.count);
            self.last_count = self.count;
            if mark(codel, &mut next.travel) {
                return Some((next, true));
            }
            drop(next.travel);
            next = self.take(codel, now)?;
        }
        Some((next, false))
    }

    /// Takes the oldest packet, and judges whether packets have waited too long for too long.
    fn take(&mut self, codel: &Codel, now: Time) -> Option<Leaves> {
        let Some((came, travel)) = self.pop() else {
            self.first_above = None;
            return None;
        };
        let waited = now - came;
        let mut ok_to_drop = false;
        if waited < codel.target.duration() || self.bytes <= self.largest.max(LARGEST_PACKET) {
            self.first_above = None;
        } else {
            let first_above = self.first_above.get_or_insert(now + codel.interval.duration());
            ok_to_drop = now >= *first_above && !codel.interval.is_zero();
        }
        Some(Leaves { came, travel, ok_to_drop })
    }
}

/// When to drop the next packet, after `count` of them: the rate rises with the square root, which
/// lowers the throughput of TCP in a straight line.
fn control_law(codel: &Codel, from: Time, count: u64) -> Time {
    let interval = u128::from(codel.interval.as_nanos());
    let step = (interval * interval / u128::from(count.max(1))).isqrt();
    from + Duration::from_nanos(u64::try_from(step).unwrap_or(u64::MAX))
}

/// Marks a packet, if that is what is done and it can be.
fn mark(codel: &Codel, travel: &mut Travel) -> bool {
    let ecn = &mut travel.packet.datagram.ecn;
    let marks = codel.mark && *ecn != Ecn::NotEct;
    if marks {
        *ecn = Ecn::Ce;
    }
    marks
}

fn size(travel: &Travel) -> u64 {
    travel.packet.datagram.packet_len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::tests::packet;
    use crate::ms;

    fn at(millis: u64) -> Time {
        Time::ZERO + ms(millis)
    }

    /// A queue of packets of 1000 bytes that all came at 0.
    fn standing(count: u64) -> Managed {
        let mut queue = Managed::default();
        for n in 0..count {
            let travel = Travel { packet: packet(n, 1000), owed: Duration::ZERO };
            queue.enter(Time::ZERO, travel);
        }
        queue
    }

    /// Sends one packet each millisecond from `from` on, and tells when packets were dropped.
    fn drops(queue: &mut Managed, codel: &Codel, from: u64, until: u64) -> Vec<u64> {
        let mut drops = Vec::new();
        for ms in from..until {
            queue.dequeue(codel, at(ms), |_| drops.push(ms));
        }
        drops
    }

    #[test]
    fn drops_follow_the_control_law() {
        // Packets wait for more than 5 ms from 5 ms on, so for an interval at 105 ms; from then on each
        // drop follows after 100 ms over the root of the count: 100, 70.7, 57.7, 50 and 44.7 ms.
        let drops = drops(&mut standing(2_000), &Codel::default(), 0, 500);
        assert_eq!(drops, [105, 205, 276, 334, 384, 429, 469]);
    }

    #[test]
    fn a_burst_that_is_gone_within_an_interval_is_left_alone() {
        let mut queue = standing(90);
        assert!(drops(&mut queue, &Codel::default(), 0, 100).is_empty());
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn two_packets_are_no_queue_however_long_they_waited() {
        let mut queue = standing(2);
        assert!(drops(&mut queue, &Codel::default(), 1_000, 1_002).is_empty());
    }

    #[test]
    fn a_queue_that_grows_again_soon_is_dropped_from_at_the_old_rate() {
        let mut queue = standing(700);
        let first = drops(&mut queue, &Codel::default(), 0, 500);
        // One good moment ends the dropping; the queue then stands again, for an interval.
        while queue.pop().is_some() {}
        assert!(drops(&mut queue, &Codel::default(), 500, 501).is_empty());
        for n in 0..1_000 {
            let travel = Travel { packet: packet(n, 1000), owed: Duration::ZERO };
            queue.enter(at(501), travel);
        }
        let second = drops(&mut queue, &Codel::default(), 520, 700);
        assert_eq!(first.len(), 7);
        assert_eq!(second[0], 620);
        // The second time, it begins with a step of 100 ms over the root of 6, not with 100 ms.
        assert_eq!(second[1], 661);
    }

    #[test]
    fn marks_take_the_place_of_drops_for_those_that_can_be_marked() {
        let codel = Codel { mark: true, ..Codel::default() };
        let mut queue = standing(2_000);
        let mut marked = Vec::new();
        for ms in 0..500 {
            if let Some((leaves, true)) = queue.dequeue(&codel, at(ms), |_| panic!("dropped")) {
                assert_eq!(leaves.travel.packet.datagram.ecn, Ecn::Ce);
                marked.push(ms);
            }
        }
        assert_eq!(marked, [105, 205, 276, 334, 384, 429, 469]);
        for (_, travel) in &mut queue.queue {
            travel.packet.datagram.ecn = Ecn::NotEct;
        }
        assert!(!drops(&mut queue, &codel, 500, 600).is_empty());
    }
}
