//! CUBIC's window as a function of time (RFC 9438, section 4.2), in integers.
//!
//! ```text
//!  window
//!    |                                   /
//!  W_max - - - - - - - - ___-----------''   past K: probing for more
//!    |            __--'''|
//!    |        _-'        |
//!  start  - -'           K                        time since the epoch began
//! ```
//!
//! `W(t) = C (t - K)^3 + W_max` with `C` = 0.4 packets/s^3 and `K = cbrt((W_max - start) / C)`: steep
//! far from the window where the last loss was, flat near it. Times are in microseconds and windows
//! in bytes; 128-bit products make both exact enough for any link.

use crate::time::{Duration, Time};

/// The course of a window since the last congestion event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Curve {
    start: Time,
    /// The window where the curve is flat: `W_max`, in bytes.
    plateau: u64,
    /// When it is reached, in microseconds since `start`.
    k: u64,
}

impl Curve {
    /// The curve that begins at `now` with `window` and flattens at `plateau`, or at `window` if that
    /// is larger.
    pub(super) fn new(now: Time, window: u64, plateau: u64, mtu: u64) -> Self {
        let plateau = plateau.max(window);
        // K^3 = (W_max - window) / (0.4 mtu), in s^3; 1 s^3 is 10^18 us^3.
        let cube =
            u128::from(plateau - window) * 2_500_000_000_000_000_000 / u128::from(mtu.max(1));
        Self { start: now, plateau, k: cube_root(cube) }
    }

    /// The window at `at`, in bytes.
    pub(super) fn window(&self, at: Time, mtu: u64) -> u64 {
        let t = u64::try_from((at - self.start).as_micros()).unwrap_or(u64::MAX);
        // 2^32 us are 71 minutes, after which any window has long been exceeded.
        let distance = u128::from(t.abs_diff(self.k).min(1 << 32));
        let offset = 4 * u128::from(mtu) * distance.pow(3) / 10_000_000_000_000_000_000;
        let offset = u64::try_from(offset).unwrap_or(u64::MAX);
        if t < self.k {
            self.plateau.saturating_sub(offset)
        } else {
            self.plateau.saturating_add(offset)
        }
    }

    /// Time in which the window could not have been used does not count.
    pub(super) fn shift(&mut self, by: Duration) {
        self.start += by;
    }
}

/// The largest integer whose cube is at most `n`.
fn cube_root(n: u128) -> u64 {
    let mut root: u128 = 0;
    // 2^42 is the largest power of two whose cube fits 128 bits.
    for bit in (0..=42).rev() {
        let next = root | 1 << bit;
        if next.checked_pow(3).is_some_and(|cube| cube <= n) {
            root = next;
        }
    }
    root as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    const MTU: u64 = 1200;
    const START: Time = Time::from_nanos(5_000_000_000);

    fn after(micros: u64) -> Time {
        START + Duration::from_micros(micros)
    }

    quickcheck! {
        fn a_cube_root_is_the_largest_that_fits(n: u128) -> bool {
            let root = u128::from(cube_root(n));
            root.pow(3) <= n && (root + 1).checked_pow(3).is_none_or(|cube| cube > n)
        }
    }

    #[test]
    fn the_curve_begins_at_the_window_and_is_flat_at_the_plateau() {
        let curve = Curve::new(START, 700 * MTU, 1000 * MTU, MTU);
        // K = cbrt(300 / 0.4) = 9.0856 s.
        assert_eq!(curve.k, 9_085_602);
        assert!(curve.window(START, MTU).abs_diff(700 * MTU) <= 1);
        assert_eq!(curve.window(after(curve.k), MTU), 1000 * MTU);
        // One second on either side of K: 0.4 packets.
        assert_eq!(curve.window(after(curve.k - 1_000_000), MTU), 1000 * MTU - 480);
        assert_eq!(curve.window(after(curve.k + 1_000_000), MTU), 1000 * MTU + 480);
    }

    #[test]
    fn a_curve_that_begins_above_its_plateau_only_grows() {
        let curve = Curve::new(START, 1000 * MTU, 0, MTU);
        assert_eq!(curve.window(START, MTU), 1000 * MTU);
        assert!(curve.window(after(2_000_000), MTU) > 1000 * MTU);
    }

    #[test]
    fn extremes_saturate() {
        let curve = Curve::new(START, 0, u64::MAX, 0);
        assert!(curve.window(START, 65_527) < u64::MAX);
        let curve = Curve::new(START, u64::MAX, 0, u64::MAX);
        assert_eq!(curve.window(Time::from_nanos(u64::MAX), 65_527), u64::MAX);
        let curve = Curve::new(Time::ZERO, 1 << 40, 1 << 40, 65_527);
        assert!(curve.window(Time::from_nanos(u64::MAX), 65_527) > 1 << 40);
    }
}
