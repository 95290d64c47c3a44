//! Time as the engine knows it: a reading that the caller passes in.

use core::num::NonZeroU64;
use core::ops::{Add, AddAssign, Sub};
pub use core::time::Duration;

/// A monotonic instant: nanoseconds since an origin that the caller chooses once per process.
///
/// Arithmetic saturates: a clock that jumps cannot make the engine panic, and a difference is never
/// negative. An `Option` of it is no larger: a connection has a dozen timers, and most do not run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(
    /// Nanoseconds since the origin, and one. Neither order nor differences change by that.
    NonZeroU64,
);

impl Time {
    /// The origin.
    pub const ZERO: Self = Self(NonZeroU64::MIN);

    /// An instant `nanos` nanoseconds after the origin, at most 2^64 - 2.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(nanos))
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0.get() - 1
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanos_since(earlier))
    }

    /// The same in nanoseconds: for what counts in them, and is asked with every packet.
    pub const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.get().saturating_sub(earlier.0.get())
    }
}

impl Default for Time {
    fn default() -> Self {
        Self::ZERO
    }
}

impl core::fmt::Debug for Time {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Time").field(&self.as_nanos()).finish()
    }
}

impl Add<Duration> for Time {
    type Output = Self;
    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(nanos(rhs)))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub<Duration> for Time {
    type Output = Self;
    fn sub(self, rhs: Duration) -> Self {
        Self::from_nanos(self.as_nanos().saturating_sub(nanos(rhs)))
    }
}

impl Sub for Time {
    type Output = Duration;
    fn sub(self, rhs: Self) -> Duration {
        self.since(rhs)
    }
}

/// A duration in nanoseconds, at most `u64::MAX` (584 years).
pub const fn nanos(d: Duration) -> u64 {
    d.as_secs().saturating_mul(1_000_000_000).saturating_add(d.subsec_nanos() as u64)
}

/// The rate of `bytes` in `nanos` nanoseconds, in bytes per second; `None` if that is no time.
pub fn per_second(bytes: u64, nanos: u64) -> Option<u64> {
    const SECOND: u64 = 1_000_000_000;
    if let Some(product) = bytes.checked_mul(SECOND) {
        return product.checked_div(nanos);
    }
    // Beyond 18 GB.
    let rate = (u128::from(bytes) * u128::from(SECOND)).checked_div(nanos.into())?;
    Some(u64::try_from(rate).unwrap_or(u64::MAX))
}

/// A wall-clock reading, for what outlives a process: milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallClock(u64);

impl WallClock {
    /// A reading of `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_runs_back_gives_a_zero_difference() {
        assert_eq!(Time::from_nanos(5) - Time::from_nanos(9), Duration::ZERO);
        assert_eq!(Time::from_nanos(5) - Duration::from_nanos(9), Time::ZERO);
    }

    #[test]
    fn rates_are_exact_and_bounded_whatever_the_numbers() {
        assert_eq!(per_second(3, 2_000_000_000), Some(1));
        assert_eq!(per_second(1 << 40, 1 << 40), Some(1_000_000_000));
        assert_eq!(per_second(u64::MAX, 1), Some(u64::MAX));
        assert_eq!((per_second(1, 0), per_second(u64::MAX, 0)), (None, None));
    }

    #[test]
    fn sums_saturate() {
        assert_eq!(Time::from_nanos(u64::MAX) + Duration::MAX, Time::from_nanos(u64::MAX));
    }

    #[test]
    fn a_timer_that_does_not_run_takes_no_room() {
        assert_eq!(size_of::<Option<Time>>(), 8);
        assert_eq!(Time::from_nanos(0).as_nanos(), 0);
        assert_eq!(std::format!("{:?}", Time::from_nanos(7)), "Time(7)");
    }
}
