//! How much strangers may ask for: rates, in all and for each address prefix.

use crate::time::{Time, nanos};
use alloc::collections::BTreeMap;
use core::net::IpAddr;

/// A network that counts as one neighbour: /24 of IPv4, /56 of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Prefix([u8; 8]);

impl From<IpAddr> for Prefix {
    fn from(address: IpAddr) -> Self {
        let mut prefix = [0; 8];
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                // The first byte cannot be 0xff in a unicast IPv6 prefix.
                prefix[0] = 0xff;
                prefix[1..4].copy_from_slice(&v4.octets()[..3]);
            }
            IpAddr::V6(v6) => prefix[..7].copy_from_slice(&v6.octets()[..7]),
        }
        Self(prefix)
    }
}

/// A token bucket of `rate` a second that holds one second's worth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    /// Billionths of a token.
    level: u64,
    since: Time,
}

const TOKEN: u64 = 1_000_000_000;

impl Bucket {
    /// A full bucket.
    pub(super) fn new(now: Time, rate: u32) -> Self {
        Self { level: u64::from(rate) * TOKEN, since: now }
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&mut self, now: Time, rate: u32) -> bool {
        let rate = u64::from(rate);
        let gained = nanos(now - self.since).saturating_mul(rate);
        self.level = self.level.saturating_add(gained).min(rate * TOKEN);
        self.since = self.since.max(now);
        let enough = self.level >= TOKEN;
        if enough {
            self.level -= TOKEN;
        }
        enough
    }

    fn is_full(&self, now: Time, rate: u32) -> bool {
        let missing = (u64::from(rate) * TOKEN).saturating_sub(self.level);
        nanos(now - self.since).saturating_mul(u64::from(rate)) >= missing
    }
}

/// How many prefixes are told apart at once; those beyond are refused together.
const MAX_PREFIXES: usize = 4096;

/// A rate in all and one for each prefix.
#[derive(Debug)]
pub(super) struct Quota {
    total: Bucket,
    prefixes: BTreeMap<Prefix, Bucket>,
}

impl Quota {
    pub(super) fn new(total_rate: u32) -> Self {
        Self { total: Bucket::new(Time::ZERO, total_rate), prefixes: BTreeMap::new() }
    }

    /// Whether one more from `prefix` is within both rates; if so it counts.
    pub(super) fn take(&mut self, now: Time, prefix: Prefix, total: u32, each: u32) -> bool {
        if self.prefixes.len() >= MAX_PREFIXES && !self.prefixes.contains_key(&prefix) {
            self.prefixes.retain(|_, bucket| !bucket.is_full(now, each));
            if self.prefixes.len() >= MAX_PREFIXES {
                return false;
            }
        }
        let bucket = self.prefixes.entry(prefix).or_insert_with(|| Bucket::new(now, each));
        bucket.take(now, each) && self.total.take(now, total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    #[test]
    fn a_bucket_gives_its_rate_and_no_more() {
        let mut bucket = Bucket::new(Time::ZERO, 10);
        let mut given = 0;
        for millis in 0..2000 {
            let now = Time::ZERO + Duration::from_millis(millis);
            given += u32::from(bucket.take(now, 10));
        }
        assert!((29..=30).contains(&given), "{given}");
    }

    #[test]
    fn a_greedy_prefix_leaves_the_others_their_share() {
        let mut quota = Quota::new(100);
        let greedy = Prefix::from(IpAddr::from([10, 0, 0, 1]));
        let taken = (0..1000).filter(|_| quota.take(Time::ZERO, greedy, 100, 20)).count();
        assert_eq!(taken, 20);
        let neighbour = Prefix::from(IpAddr::from([10, 0, 0, 200]));
        assert!(!quota.take(Time::ZERO, neighbour, 100, 20));
        let other = Prefix::from(IpAddr::from([10, 0, 1, 1]));
        assert!(quota.take(Time::ZERO, other, 100, 20));
    }

    #[test]
    fn a_million_prefixes_do_not_make_the_table_grow() {
        let mut quota = Quota::new(u32::MAX);
        for n in 0..1_000_000u32 {
            let [a, b, c, _] = (n << 8).to_be_bytes();
            quota.take(Time::ZERO, Prefix::from(IpAddr::from([a, b, c, 1])), u32::MAX, 5);
        }
        assert!(quota.prefixes.len() <= MAX_PREFIXES);
    }
}
