//! Spreads packets over the round trip: a token bucket in bytes (RFC 9002, section 7.7).
//!
//! The bucket holds what the rate delivers in 1 ms, but never less than ten packets: a burst of the
//! initial window's size harms nobody, and below it timers would cost more than bursts. Tokens are
//! counted in billionths of a byte, so that nothing is lost to rounding at any rate and any interval
//! between two calls; only a wait needs a division. On a loopback (50 us, GB/s) the bucket is many
//! windows deep and the window alone decides.

use crate::time::{Duration, Time};

/// Tokens for one byte.
const BYTE: u128 = 1_000_000_000;

/// The burst that is always allowed, in packets (RFC 9002, section 7.7).
const BURST_PACKETS: u64 = 10;

/// The burst that the rate allows: 1 ms worth of it.
const BURSTS_PER_SECOND: u64 = 1000;

/// See the module's documentation.
#[derive(Clone, Debug)]
pub struct Pacer {
    /// Bytes per second; without one, nothing is paced.
    rate: Option<u64>,
    mtu: u64,
    tokens: u128,
    updated: Time,
}

impl Pacer {
    /// A full bucket for packets of `mtu` bytes, without a rate yet.
    pub fn new(now: Time, mtu: u16) -> Self {
        let mtu = u64::from(mtu);
        Self { rate: None, mtu, tokens: u128::from(BURST_PACKETS * mtu) * BYTE, updated: now }
    }

    /// Paces at `rate` bytes per second from now on.
    pub fn set_rate(&mut self, now: Time, rate: Option<u64>) {
        if self.rate != rate {
            self.settle(now);
            self.rate = rate;
        }
    }

    /// Packets have `mtu` bytes from now on.
    pub fn set_mtu(&mut self, mtu: u16) {
        self.mtu = u64::from(mtu);
    }

    /// The rate, in bytes per second.
    pub fn rate(&self) -> Option<u64> {
        self.rate
    }

    /// How many bytes may be sent now.
    pub fn allowance(&self, now: Time) -> u64 {
        if self.rate.is_none() {
            return u64::MAX;
        }
        u64::try_from(self.tokens_at(now) / BYTE).unwrap_or(u64::MAX)
    }

    /// Whether as much as `bytes` may be sent now: what [`allowance`](Self::allowance) tells, without a division.
    pub fn allows(&self, now: Time, bytes: u64) -> bool {
        self.rate.is_none() || self.tokens_at(now) >= u128::from(bytes) * BYTE
    }

    /// When `bytes` bytes, or a full bucket if that is less, may be sent; `None` if now.
    pub fn next_time(&self, now: Time, bytes: u64) -> Option<Time> {
        let rate = u128::from(self.rate?.max(1));
        let wanted = u128::from(bytes.min(self.capacity())) * BYTE;
        let missing = wanted.checked_sub(self.tokens_at(now)).filter(|&missing| missing > 0)?;
        let wait = u64::try_from(missing.div_ceil(rate)).unwrap_or(u64::MAX);
        Some(now + Duration::from_nanos(wait))
    }

    /// How many bytes are worth waiting for once the bucket is empty: half of the burst that the rate
    /// allows, at least one packet. It keeps timers to two in a millisecond.
    pub fn quantum(&self) -> u64 {
        (self.rate.unwrap_or(0) / BURSTS_PER_SECOND / 2).max(self.mtu)
    }

    /// `bytes` bytes were sent.
    pub fn on_sent(&mut self, now: Time, bytes: u64) {
        self.settle(now);
        self.tokens = self.tokens.saturating_sub(u128::from(bytes) * BYTE);
    }

    /// How many bytes may leave at once after a pause.
    pub fn burst(&self) -> u64 {
        self.capacity()
    }

    fn capacity(&self) -> u64 {
        (BURST_PACKETS * self.mtu).max(self.rate.unwrap_or(0) / BURSTS_PER_SECOND)
    }

    fn tokens_at(&self, now: Time) -> u128 {
        let earned = u128::from(now.nanos_since(self.updated)) * u128::from(self.rate.unwrap_or(0));
        self.tokens.saturating_add(earned).min(u128::from(self.capacity()) * BYTE)
    }

    fn settle(&mut self, now: Time) {
        self.tokens = self.tokens_at(now);
        self.updated = self.updated.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;
    const START: Time = Time::from_nanos(1_000_000_000);

    fn pacer(rate: u64) -> Pacer {
        let mut pacer = Pacer::new(START, 1200);
        pacer.set_rate(START, Some(rate));
        pacer
    }

    #[test]
    fn ten_packets_leave_at_once_and_then_the_rate_rules() {
        // 1,200 bytes in 1 ms.
        let mut p = pacer(1_200_000);
        assert_eq!(p.allowance(START), 12_000);
        assert!(p.allows(START, 12_000) && !p.allows(START, 12_001));
        p.on_sent(START, 12_000);
        assert_eq!(p.allowance(START), 0);
        assert_eq!(p.next_time(START, 1200), Some(START + MS(1)));
        let later = START + MS(1);
        assert_eq!(p.next_time(later, 1200), None);
        p.on_sent(later, 1200);
        assert_eq!(p.next_time(later, 1200), Some(later + MS(1)));
    }

    #[test]
    fn what_is_sent_in_a_second_is_the_rate_however_often_it_is_asked() {
        // Steps of 777 ns at 1,000,003 bytes per second: 0.777 bytes each.
        let mut p = pacer(1_000_003);
        let mut sent: u64 = 0;
        let mut now = START;
        while now < START + MS(1000) {
            while p.allowance(now) >= 1200 {
                p.on_sent(now, 1200);
                sent += 1200;
            }
            p.on_sent(now, 0);
            now += Duration::from_nanos(777);
        }
        assert!((1_000_003 + 12_000 - sent) < 1300, "{sent}");
    }

    #[test]
    fn a_fast_rate_bursts_for_a_millisecond() {
        let p = pacer(1_000_000_000);
        let later = START + MS(1000);
        assert_eq!(p.allowance(later), 1_000_000);
        assert_eq!(p.quantum(), 500_000);
    }

    #[test]
    fn a_loopback_is_never_limited() {
        // 1 MB each 50 us, paced at a quarter more.
        let window = 1_000_000;
        let mut p = pacer(window * 20_000 * 5 / 4);
        let mut now = START + MS(1);
        for _ in 0..10_000 {
            assert_eq!(p.next_time(now, window), None);
            p.on_sent(now, window);
            now += Duration::from_micros(50);
        }
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let mut p = Pacer::new(START, 1200);
        p.on_sent(START, 1 << 40);
        assert_eq!((p.allowance(START), p.next_time(START, 1 << 50)), (u64::MAX, None));
    }

    #[test]
    fn no_rate_and_no_clock_overflows() {
        let mut p = pacer(u64::MAX);
        let end = Time::from_nanos(u64::MAX);
        assert!(p.allowance(end) > 1 << 50);
        p.on_sent(end, u64::MAX);
        let mut p = pacer(0);
        p.on_sent(START, u64::MAX);
        assert!(p.next_time(START, u64::MAX) > Some(START + MS(1)));
        // A clock that runs back gives nothing.
        assert_eq!(p.allowance(Time::ZERO), 0);
    }
}
