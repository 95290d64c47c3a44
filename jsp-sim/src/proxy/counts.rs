//! What happened to the datagrams of one direction, and when.

use hdrhistogram::Histogram;
use jsp_proto::time::{Duration, Time, nanos};
use std::collections::BTreeMap;

/// The longest time that is told from longer ones: an hour.
const LONGEST: u64 = 3_600_000_000_000;

/// What happened to the datagrams of one direction.
#[derive(Clone, Debug)]
pub struct Counts {
    /// Datagrams that came.
    pub came: u64,
    /// Their bytes of UDP payload.
    pub came_bytes: u64,
    /// Datagrams that went on, copies included.
    pub left: u64,
    /// Their bytes of UDP payload.
    pub left_bytes: u64,
    /// Datagrams that did not, by the name of the reason ([`crate::link::Dropped::name`]); `refused` are
    /// those that the operating system would not send.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Datagrams that went on after one that had come later.
    pub overtaken: u64,
    /// The number of the latest datagram that went on.
    latest: u64,
    /// How long they took, and by how much too long: nanoseconds.
    delays: Histogram<u64>,
    errors: Histogram<u64>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            came: 0,
            came_bytes: 0,
            left: 0,
            left_bytes: 0,
            dropped: BTreeMap::new(),
            overtaken: 0,
            latest: 0,
            delays: histogram(),
            errors: histogram(),
        }
    }
}

fn histogram() -> Histogram<u64> {
    // One per cent is exact enough for what is rounded when it is shown. These bounds are valid.
    Histogram::new_with_bounds(1, LONGEST, 2).unwrap_or_else(|_| unreachable!())
}

impl Counts {
    /// How long datagrams were in the proxy: what this share of them took at most. `None` before the
    /// first.
    pub fn delay(&self, share: f64) -> Option<Duration> {
        quantile(&self.delays, share)
    }

    /// How much later than the link says datagrams went on: what this share of them was late at most.
    pub fn error(&self, share: f64) -> Option<Duration> {
        quantile(&self.errors, share)
    }

    pub(super) const fn comes(&mut self, len: usize) {
        self.came += 1;
        self.came_bytes += len as u64;
    }

    pub(super) fn drops(&mut self, why: &'static str) {
        *self.dropped.entry(why).or_default() += 1;
    }

    /// The datagram of this number, which came at `came` and should have gone on at `due`, goes on now.
    pub(super) fn leaves(&mut self, now: Time, number: u64, came: Time, due: Time, len: usize) {
        self.left += 1;
        self.left_bytes += len as u64;
        self.overtaken += u64::from(number < self.latest);
        self.latest = self.latest.max(number);
        self.delays.saturating_record(nanos(now.since(came)));
        self.errors.saturating_record(nanos(now.since(due)));
    }
}

fn quantile(histogram: &Histogram<u64>, share: f64) -> Option<Duration> {
    (!histogram.is_empty()).then(|| Duration::from_nanos(histogram.value_at_quantile(share)))
}
