//! Credit: a limit that one end announces and the other uses up.
//!
//! ```text
//!   receiver   consumed          received        advertised
//!   ---------------|-----------------|----------------|------->  bytes
//!                  |<------------ window ------------>|
//!   sender                          used            limit
//! ```
//!
//! [`SendCredit`] counts bytes, or streams. [`ReceiveCredit`] counts bytes and chooses its window:
//! as small as lets the peer send without a pause, because the window is what a peer can make this
//! end store. It doubles whenever a whole window was consumed within two round trips, that is, when
//! the window and not the application was what the peer waited for.

use crate::planted::{self, Bug};
use crate::rtt::GRANULARITY;
use crate::time::{Duration, Time};
use crate::wire::VARINT_MAX;

/// More was used than had been granted; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded;

/// What the peer lets this end use: bytes, or streams.
#[derive(Clone, Debug)]
pub struct SendCredit {
    limit: u64,
    used: u64,
    /// The limit at which the peer was last told that this end waits.
    reported: Option<u64>,
}

impl SendCredit {
    /// Credit up to `limit`, none of it used.
    pub const fn new(limit: u64) -> Self {
        Self { limit, used: 0, reported: None }
    }

    /// Takes a new limit. Limits never fall: a smaller one is old news (RFC 9000, section 4.1).
    /// Returns whether it rose.
    pub fn raise(&mut self, limit: u64) -> bool {
        let raised = limit > self.limit;
        self.limit = self.limit.max(limit.min(VARINT_MAX));
        raised
    }

    /// The limit.
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// What was used of it.
    pub const fn used(&self) -> u64 {
        self.used
    }

    /// What is left of it.
    pub const fn available(&self) -> u64 {
        self.limit - self.used
    }

    /// Uses `n`.
    pub fn spend(&mut self, n: u64) -> Result<(), Exceeded> {
        if n > self.available() {
            return Err(Exceeded);
        }
        self.used += n;
        Ok(())
    }

    /// The limit that is used up and that the peer was not yet told of: once for each limit.
    pub fn unreported_block(&self) -> Option<u64> {
        (self.available() == 0 && self.reported != Some(self.limit)).then_some(self.limit)
    }

    /// The peer is being told that this end waits at the present limit.
    pub fn block_reported(&mut self) {
        self.reported = Some(self.limit);
    }
}

/// The time two round trips before `now`, each of which counts as at least a millisecond: an application does not
/// get its turn more often.
pub fn two_round_trips_ago(now: Time, rtt: Duration) -> Time {
    now - 2 * rtt.max(GRANULARITY)
}

/// What this end lets the peer send, in bytes.
#[derive(Clone, Debug)]
pub struct ReceiveCredit {
    window: u64,
    max_window: u64,
    received: u64,
    consumed: u64,
    advertised: u64,
    /// An announcement was lost.
    again: bool,
    /// Since when, and from which `consumed`, the present window is measured.
    measured: Option<(Time, u64)>,
}

impl ReceiveCredit {
    /// A window of `window` bytes, already announced, that may grow to `max_window`.
    pub fn new(window: u64, max_window: u64) -> Self {
        let window = window.min(VARINT_MAX);
        Self {
            window,
            max_window: max_window.clamp(window, VARINT_MAX),
            received: 0,
            consumed: 0,
            advertised: window,
            again: false,
            measured: None,
        }
    }

    /// The present window, in bytes.
    pub const fn window(&self) -> u64 {
        self.window
    }

    /// Bytes received, or skipped by the peer.
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Bytes that the application is done with.
    pub const fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Whether `n` more bytes are within what was announced.
    pub fn fits(&self, n: u64) -> bool {
        n <= self.advertised - self.received
    }

    /// Counts `n` more bytes as received.
    pub fn receive(&mut self, n: u64) -> Result<(), Exceeded> {
        if !self.fits(n) {
            return Err(Exceeded);
        }
        self.received += n;
        Ok(())
    }

    /// The application is done with `n` more bytes, at most what was received.
    pub fn consume(&mut self, n: u64) {
        debug_assert!(n <= self.received - self.consumed);
        self.consumed += n.min(self.received - self.consumed);
    }

    /// Measures how fast the window is consumed. It is called as data arrives: `now` is then exact,
    /// however long the application took before; what began [`two_round_trips_ago`] or later was fast. Returns
    /// whether the window grew.
    #[inline(never)]
    pub fn tune(&mut self, now: Time, two_round_trips_ago: Time) -> bool {
        let (since, from) = *self.measured.get_or_insert((now, self.consumed));
        let fast = since >= two_round_trips_ago;
        let full = self.consumed - from >= self.window;
        if fast && !full {
            return false;
        }
        self.measured = Some((now, self.consumed));
        fast && full && self.grow_to(self.window.saturating_mul(2))
    }

    /// Makes the window at least `window`, within its maximum. Returns whether it grew.
    pub fn grow_to(&mut self, window: u64) -> bool {
        let before = self.window;
        self.window = before.max(window.min(self.max_window));
        self.window > before
    }

    /// The limit as it would be announced now.
    pub fn limit(&self) -> u64 {
        self.advertised.max(self.consumed.saturating_add(self.window).min(VARINT_MAX))
    }

    /// Whether an announcement is worth its bytes: a quarter of the window can be given back, or the
    /// last announcement was lost. For a peer that has used everything, 2 KiB are enough: the reader may
    /// hold back what it has until the rest of it comes.
    pub fn is_due(&self) -> bool {
        if planted::is(Bug::WindowStuck) && self.received == self.advertised {
            return false;
        }
        let quarter = (self.window / 4).max(1);
        let enough = if self.received == self.advertised { quarter.min(2048) } else { quarter };
        let limit = self.consumed.saturating_add(self.window).min(VARINT_MAX);
        self.again || limit.saturating_sub(self.advertised) >= enough
    }

    /// The present [`Self::limit`] is being announced.
    pub fn announced(&mut self) {
        self.advertised = self.limit();
        self.again = false;
    }

    /// An announcement was lost; whichever it was, the newest is sent again.
    pub fn announcement_lost(&mut self) {
        self.again = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    const MS: fn(u64) -> Duration = Duration::from_millis;
    const AT: fn(u64) -> Time = |ms| Time::from_nanos(ms * 1_000_000);

    fn tune(credit: &mut ReceiveCredit, now: Time, rtt: Duration) -> bool {
        credit.tune(now, two_round_trips_ago(now, rtt))
    }

    #[test]
    fn a_sender_reports_each_limit_that_stops_it_once() {
        let mut credit = SendCredit::new(10);
        assert_eq!(credit.unreported_block(), None);
        credit.spend(10).unwrap();
        assert_eq!(credit.spend(1), Err(Exceeded));
        assert_eq!(credit.unreported_block(), Some(10));
        credit.block_reported();
        assert_eq!(credit.unreported_block(), None);
        assert!(credit.raise(12));
        credit.spend(2).unwrap();
        assert_eq!(credit.unreported_block(), Some(12));
    }

    #[test]
    fn an_old_limit_takes_nothing_back() {
        let mut credit = SendCredit::new(10);
        assert!(!credit.raise(9));
        assert_eq!(credit.available(), 10);
        assert!(credit.raise(u64::MAX));
        assert_eq!(credit.limit(), VARINT_MAX);
    }

    #[test]
    fn credit_is_announced_when_a_quarter_of_the_window_was_consumed() {
        let mut credit = ReceiveCredit::new(100, 100);
        credit.receive(99).unwrap();
        assert_eq!(credit.receive(2), Err(Exceeded));
        credit.consume(24);
        assert!(!credit.is_due());
        credit.consume(1);
        assert!(credit.is_due());
        credit.announced();
        assert!(!credit.is_due());
        assert_eq!(credit.limit(), 125);
        credit.announcement_lost();
        assert!(credit.is_due());
    }

    #[test]
    fn a_peer_that_used_everything_is_helped_on_before_a_quarter_is_consumed() {
        let mut credit = ReceiveCredit::new(1 << 20, 1 << 20);
        credit.receive(1 << 20).unwrap();
        credit.consume(2047);
        assert!(!credit.is_due());
        credit.consume(1);
        assert!(credit.is_due());
    }

    /// Feeds `windows` windows, one every `ms`, and returns the window after that.
    fn after(windows: u64, ms: u64) -> u64 {
        let mut credit = ReceiveCredit::new(1000, 8000);
        let mut now = 0;
        for _ in 0..windows {
            for _ in 0..4 {
                let n = credit.window() / 4;
                credit.receive(n).unwrap();
                tune(&mut credit, AT(now), MS(10));
                credit.consume(n);
                credit.announced();
                now += ms / 4;
            }
        }
        credit.window()
    }

    #[test]
    fn the_window_grows_to_its_maximum_for_a_peer_that_waits_for_it() {
        assert_eq!(after(20, 12), 8000);
    }

    #[test]
    fn the_window_stays_for_a_slow_reader_or_sender() {
        assert_eq!(after(20, 40), 1000);
    }

    #[test]
    fn a_burst_after_a_pause_is_measured_from_its_start() {
        let mut credit = ReceiveCredit::new(1000, 8000);
        tune(&mut credit, AT(0), MS(10));
        tune(&mut credit, AT(5000), MS(10));
        credit.receive(1000).unwrap();
        credit.consume(1000);
        assert!(tune(&mut credit, AT(5010), MS(10)));
    }

    #[test]
    fn an_application_that_reads_late_is_not_taken_for_a_fast_one() {
        let mut credit = ReceiveCredit::new(1000, 8000);
        credit.receive(1000).unwrap();
        tune(&mut credit, AT(0), MS(10));
        // Everything is read a second later, of which the credit learns with the next arrival only.
        credit.consume(1000);
        assert!(!tune(&mut credit, AT(1000), MS(10)));
        assert_eq!(credit.window(), 1000);
    }

    quickcheck! {
        fn limits_never_fall_and_never_exceed_a_window(steps: Vec<(u16, u16, u16)>) -> bool {
            let mut credit = ReceiveCredit::new(4096, 65_536);
            let mut last = credit.limit();
            let mut now = 0;
            steps.into_iter().all(|(receive, consume, wait)| {
                now += u64::from(wait % 50);
                let _ = credit.receive(u64::from(receive));
                tune(&mut credit, AT(now), MS(10));
                credit.consume(u64::from(consume).min(credit.received() - credit.consumed()));
                if credit.is_due() {
                    credit.announced();
                }
                let limit = credit.limit();
                let holds = limit >= last && limit - credit.consumed() <= 65_536;
                last = limit;
                holds
            })
        }
    }
}
