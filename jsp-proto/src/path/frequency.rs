//! How often the peer is asked to acknowledge (`spec/07-recovery.md`, section 7.1.1;
//! draft-ietf-quic-ack-frequency).
//!
//! ```text
//!  in flight      |--------|--------|--------|--------|     a quarter of the flight, at most 256 packets,
//!                          ^ an acknowledgement for each    or a quarter of a round trip
//! ```
//!
//! Two packets are acknowledged together unless the peer is asked for something else, and a transfer of a thousand
//! packets a round trip needs no 500 acknowledgements: a few keep the window moving. But while the window grows with
//! the flight, slow start's exit wants eight samples a round trip. A path with little in flight is left as it is.

use crate::recovery::{AckPolicy, MAX_THRESHOLD};
use crate::rtt::Rtt;
use crate::time::{Duration, Time};
use crate::wire::frame::AckFrequencyFrame;
use alloc::boxed::Box;

/// A request is not worth its bytes if fewer packets than this could be acknowledged together.
const MIN_THRESHOLD: u64 = 8;

/// What the peer was asked for, and what it may therefore do.
#[derive(Debug)]
pub struct AckFrequency {
    /// The longest that the peer holds acknowledgements back: what it promised.
    promised: Duration,
    /// The shortest delay that it can be asked for; `None`: it takes no requests.
    min_delay: Option<Duration>,
    /// The largest flight lately, in bytes.
    flight: u64,
    /// What it was asked for; most connections never ask.
    requests: Option<Box<Requests>>,
}

/// The requests of a connection that has made some.
#[derive(Debug)]
struct Requests {
    /// What the newest says, sent or owed.
    asked: AckPolicy,
    /// The most patient of the policies that may hold until the newest is acknowledged.
    before: AckPolicy,
    /// The sequence number of the next.
    next: u64,
    owed: bool,
    /// When the peer was last asked for something new.
    since: Time,
}

impl AckFrequency {
    /// Before anything is known of the peer.
    pub(super) const fn new() -> Self {
        Self { promised: Duration::ZERO, min_delay: None, flight: 0, requests: None }
    }

    /// Takes the peer's promise, and what it can be asked for; nothing was asked before.
    pub fn set_peer(&mut self, max_delay: Duration, min_delay: Option<Duration>) {
        self.promised = max_delay;
        self.min_delay = min_delay.filter(|min| *min <= max_delay);
    }

    /// The longest that the peer holds acknowledgements back.
    pub const fn promised(&self) -> Duration {
        self.promised
    }

    /// What holds without a request.
    const fn usual(&self) -> AckPolicy {
        AckPolicy::new(self.promised)
    }

    /// Whether the peer takes ACK_FREQUENCY and IMMEDIATE_ACK.
    pub const fn is_negotiated(&self) -> bool {
        self.min_delay.is_some()
    }

    /// The most patient that the peer may be: requests that it may not have yet, and those before, count.
    pub fn policy(&self) -> AckPolicy {
        self.requests.as_ref().map_or(self.usual(), |requests| requests.policy())
    }

    /// The request to send, if one is owed; it counts as sent.
    pub fn next_request(&mut self) -> Option<AckFrequencyFrame> {
        let requests = self.requests.as_mut().filter(|requests| requests.owed)?;
        requests.owed = false;
        let sequence = requests.next;
        requests.next += 1;
        let asked = &requests.asked;
        Some(AckFrequencyFrame {
            sequence,
            threshold: u64::from(asked.threshold),
            max_delay_micros: u64::try_from(asked.max_delay.as_micros()).unwrap_or(0),
            reordering: asked.reordering,
        })
    }

    /// The request of this sequence number arrived.
    pub fn on_acked(&mut self, sequence: u64) {
        if let Some(requests) = &mut self.requests
            && sequence + 1 == requests.next
            && !requests.owed
        {
            requests.before = requests.asked;
        }
    }

    /// The request of this sequence number was lost: the newest is made again.
    pub fn on_lost(&mut self, sequence: u64) {
        if let Some(requests) = &mut self.requests {
            requests.owed |= sequence + 1 == requests.next;
        }
    }

    /// Packets were acknowledged of `flight` bytes that were outstanding, under a window of `window` bytes.
    pub(super) fn on_ack(&mut self, now: Time, flight: u64, window: u64, mtu: u16, rtt: &Rtt) {
        self.flight = flight.max(self.flight - self.flight / 8);
        let Some(min_delay) = self.min_delay else { return };
        let share = if flight.saturating_mul(2) >= window { 8 } else { 4 };
        let share = share * u64::from(mtu.max(1));
        if self.requests.is_none() && self.flight < MIN_THRESHOLD * share {
            // Where most paths are most of the time: the usual policy holds, and nothing else was asked for.
            return;
        }
        let packets = self.flight / share;
        let usual = self.usual();
        let wanted = if packets < MIN_THRESHOLD {
            usual
        } else {
            AckPolicy {
                threshold: packets.min(u64::from(MAX_THRESHOLD)) as u32,
                max_delay: (rtt.smoothed() / 4).max(min_delay).min(self.promised),
                ..usual
            }
        };
        match &mut self.requests {
            Some(requests) => {
                let settled = now.since(requests.since) >= rtt.smoothed();
                if settled && differs(&wanted, &requests.asked) {
                    requests.before = requests.policy();
                    requests.asked = wanted;
                    requests.owed = true;
                    requests.since = now;
                }
            }
            None if differs(&wanted, &usual) => {
                let (asked, before) = (wanted, usual);
                let first = Requests { asked, before, next: 0, owed: true, since: now };
                self.requests = Some(Box::new(first));
            }
            None => {}
        }
    }
}

impl Requests {
    fn policy(&self) -> AckPolicy {
        patient(self.asked, self.before)
    }
}

/// What is at least as patient as each of two policies.
fn patient(one: AckPolicy, other: AckPolicy) -> AckPolicy {
    AckPolicy {
        threshold: one.threshold.max(other.threshold),
        max_delay: one.max_delay.max(other.max_delay),
        ..one
    }
}

/// Whether two policies differ by much: by a factor of two.
fn differs(one: &AckPolicy, other: &AckPolicy) -> bool {
    let twice = |a: u128, b: u128| a >= 2 * b || b >= 2 * a;
    twice(one.threshold.into(), other.threshold.into())
        || (one.threshold > 2 && twice(one.max_delay.as_nanos(), other.max_delay.as_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;
    const AT: fn(u64) -> Time = |ms| Time::from_nanos(ms * 1_000_000);

    fn frequency() -> AckFrequency {
        let mut frequency = AckFrequency::new();
        frequency.set_peer(MS(25), Some(MS(1)));
        frequency
    }

    fn rtt(ms: u64) -> Rtt {
        let mut rtt = Rtt::new(MS(100));
        rtt.update(MS(ms), MS(0));
        rtt
    }

    #[test]
    fn a_transfer_asks_for_a_quarter_of_its_flight_and_a_growing_one_for_an_eighth() {
        for (window, threshold) in [(4_000_000, 100), (500_000, 50)] {
            let mut frequency = frequency();
            frequency.on_ack(AT(0), 480_000, window, 1200, &rtt(40));
            let request = frequency.next_request().unwrap();
            assert_eq!((request.threshold, request.max_delay_micros), (threshold, 10_000));
            assert_eq!(frequency.next_request(), None);
        }
    }

    #[test]
    fn requests_stay_within_what_the_peer_takes() {
        for (flight, ms, expected) in [(1 << 40, 10_000, (256, 25_000)), (1 << 40, 0, (256, 1000))]
        {
            let mut frequency = frequency();
            frequency.on_ack(AT(0), flight, 1 << 50, 1200, &rtt(ms));
            let request = frequency.next_request().unwrap();
            assert_eq!((request.threshold, request.max_delay_micros), expected);
        }
    }

    #[test]
    fn little_in_flight_and_peers_that_take_no_requests_are_left_alone() {
        let mut frequency = frequency();
        frequency.on_ack(AT(0), 7 * 4 * 1200, 1 << 30, 1200, &rtt(40));
        assert_eq!(frequency.next_request(), None);
        let mut old = AckFrequency::new();
        old.set_peer(MS(25), None);
        old.on_ack(AT(0), 1 << 30, 1 << 40, 1200, &rtt(40));
        assert_eq!((old.next_request(), old.policy()), (None, AckPolicy::new(MS(25))));
    }

    #[test]
    fn a_request_is_renewed_when_the_flight_changed_by_much_and_at_most_once_a_round_trip() {
        let mut frequency = frequency();
        let ask = |frequency: &mut AckFrequency, ms, flight| {
            frequency.on_ack(AT(ms), flight, 1 << 40, 1200, &rtt(40));
            frequency.next_request().map(|request| request.threshold)
        };
        assert_eq!(ask(&mut frequency, 0, 480_000), Some(100));
        assert_eq!(ask(&mut frequency, 10, 960_000), None, "too soon");
        assert_eq!(ask(&mut frequency, 40, 960_000), Some(200));
        assert_eq!(ask(&mut frequency, 100, 1_000_000), None, "nearly the same");
        let fallen = (0..30).find_map(|n| ask(&mut frequency, 200 + n, 10_000));
        assert!(fallen.is_some_and(|threshold| threshold <= 100), "{fallen:?}");
    }

    #[test]
    fn a_lost_request_is_made_again_and_until_it_arrives_the_peer_may_follow_either() {
        let mut frequency = frequency();
        frequency.on_ack(AT(0), 480_000, 1 << 40, 1200, &rtt(40));
        let first = frequency.next_request().unwrap();
        assert_eq!((frequency.policy().threshold, frequency.policy().max_delay), (100, MS(25)));
        frequency.on_lost(first.sequence);
        let second = frequency.next_request().unwrap();
        assert_eq!((second.sequence, second.threshold), (first.sequence + 1, first.threshold));
        frequency.on_lost(first.sequence);
        assert_eq!(frequency.next_request(), None, "an older one means nothing");
        frequency.on_acked(first.sequence);
        assert_eq!(frequency.policy().max_delay, MS(25));
        frequency.on_acked(second.sequence);
        assert_eq!(frequency.policy().max_delay, MS(10));
    }
}
