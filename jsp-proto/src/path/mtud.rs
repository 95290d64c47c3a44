//! Finds out how large a datagram the path carries (DPLPMTUD, RFC 8899).
//!
//! Sizes are of UDP payloads. A probe is a datagram of a size that is not known to arrive, lost
//! without harm. The search tries what paths usually carry, in this order, and halves the rest:
//!
//! ```text
//!  1200 ... 1452 . 1472 . 1492 ........................ 8952 . 8972 .. maximum
//!   |        |      |      |                             |      '- 9000-byte IPv4
//!   minimum  |      |      '- lost: plain Ethernet, done  '- 9000-byte IPv6
//!            |      '- 1500-byte IPv4
//!            '- 1500-byte IPv6
//! ```
//!
//! so that the common networks are settled with two to six probes. A size is given up after three
//! losses in a row. What was found is looked at again after ten minutes. When packets of the size
//! begin to vanish while smaller ones arrive (a black hole), the path falls back to the minimum and
//! searches anew; probe timeouts make datagrams small, so that there are smaller ones.

use crate::planted::{self, Bug};
use crate::time::{Duration, Time};

/// Sizes that are tried first: what fits 1500- and 9000-byte links under IPv6 and IPv4, and one that
/// shows that a link is larger than Ethernet's.
const USUAL: [u16; 5] = [1452, 1472, 1492, 8952, 8972];

/// The search ends when this much, or less, is left to gain.
const GRANULARITY: u16 = 20;

/// How often a size is tried (RFC 8899, section 5.1.2: `MAX_PROBES`).
const ATTEMPTS: u8 = 3;

/// After how long a larger size is tried again (RFC 8899, section 5.1.1: `PMTU_RAISE_TIMER`).
const RAISE: Duration = Duration::from_mins(10);

/// How many times in a row only large packets must be lost to suspect a black hole.
const SUSPICIONS: u8 = 4;

/// After how many probe timeouts in a row datagrams are kept small. Chance alone may have taken the large
/// ones: only if the small ones arrive where they did not, it is the size.
const PROBE_TIMEOUTS: u32 = 2;

/// The bounds of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MtuConfig {
    /// The size that the path is assumed to carry, at least 1200.
    pub min: u16,
    /// The largest size to try. Equal to `min`: the size is fixed.
    pub max: u16,
    /// Whether to try `max` before anything else: for paths that are known to be short, such as a
    /// loopback.
    pub eager: bool,
}

impl MtuConfig {
    /// Every path carries this much (RFC 9000, section 14).
    pub const BASE: u16 = 1200;

    /// Datagrams of `size` bytes, without a search.
    pub const fn fixed(size: u16) -> Self {
        Self { min: size, max: size, eager: false }
    }

    /// A search from 1200 to 65,000 bytes, largest first: for a loopback.
    pub const LOOPBACK: Self = Self { min: Self::BASE, max: 65_000, eager: true };
}

impl Default for MtuConfig {
    /// From 1200 to 9000 bytes.
    fn default() -> Self {
        Self { min: Self::BASE, max: 9000, eager: false }
    }
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub struct Mtud {
    config: MtuConfig,
    current: u16,
    /// The largest size that was not given up.
    high: u16,
    /// The probe that is under way.
    probe: Option<u16>,
    /// How often it was lost.
    losses: u8,
    /// When the last probe was sent.
    probed: Time,
    /// How often in a row only packets of at least `suspect` bytes were lost.
    suspicions: u8,
    suspect: u16,
}

impl Mtud {
    /// A path of which nothing is known.
    pub fn new(config: MtuConfig) -> Self {
        let config = MtuConfig { max: config.max.max(config.min), ..config };
        Self {
            config,
            current: config.min,
            high: config.max,
            probe: None,
            losses: 0,
            probed: Time::ZERO,
            suspicions: 0,
            suspect: u16::MAX,
        }
    }

    /// The peer takes no datagram larger than `size`, which is at least 1200.
    pub fn set_peer_limit(&mut self, size: u16) {
        let size = size.max(MtuConfig::BASE);
        self.config.min = self.config.min.min(size);
        self.config.max = self.config.max.min(size);
        self.high = self.high.min(size);
        self.current = self.current.min(size);
    }

    /// The size of the largest datagram that may be sent.
    pub fn current(&self) -> u16 {
        self.current
    }

    /// The size that needs no proof.
    pub fn assumed(&self) -> u16 {
        self.config.min
    }

    /// The size of the probe to send, if one is due. It is asked when the connection has time for it;
    /// no timer is set for its sake.
    pub fn next_probe(&self, now: Time) -> Option<u16> {
        if self.probe.is_some() {
            return None;
        }
        self.candidate(self.high).or_else(|| {
            let again = self.high < self.config.max && now - self.probed >= RAISE;
            if again { self.candidate(self.config.max) } else { None }
        })
    }

    /// The next size to try if nothing above `high` arrives.
    fn candidate(&self, high: u16) -> Option<u16> {
        let untried = high == self.config.max;
        if self.current >= high || (!untried && high - self.current < GRANULARITY) {
            return None;
        }
        if untried && self.config.eager {
            return Some(high);
        }
        let usual = USUAL.into_iter().find(|&size| size > self.current && size <= high);
        let rest = if untried { high } else { self.current + (high - self.current).div_ceil(2) };
        Some(usual.unwrap_or(rest))
    }

    /// A probe of `size` bytes was sent.
    pub fn on_sent(&mut self, now: Time, size: u16) {
        if size > self.high {
            self.high = self.config.max;
        }
        self.probe = Some(size);
        self.probed = now;
    }

    /// A probe of `size` bytes arrived.
    pub fn on_acked(&mut self, size: u16) {
        if self.probe == Some(size) {
            self.probe = None;
            self.losses = 0;
        }
        // A probe that was believed lost proves as much.
        if size > self.current && size <= self.config.max {
            self.current = size;
            self.high = self.high.max(size);
        }
    }

    /// A probe of `size` bytes was lost.
    pub fn on_lost(&mut self, size: u16) {
        if self.probe != Some(size) {
            return;
        }
        self.probe = None;
        self.losses += 1;
        if planted::is(Bug::MtuOfLostProbe) {
            self.current = self.current.max(size);
        }
        if self.losses >= ATTEMPTS {
            self.losses = 0;
            self.high = size - 1;
        }
    }

    /// Packets that are not probes arrived, the largest of them with `size` bytes.
    pub fn on_data_acked(&mut self, size: u16) {
        if size >= self.suspect {
            self.trust();
        }
    }

    /// Packets that are not probes were lost, the smallest of them with `size` bytes. Returns whether
    /// the size of datagrams fell.
    pub fn on_data_lost(&mut self, size: u16) -> bool {
        if size <= self.config.min {
            // Losses of small packets are congestion, or chance.
            return false;
        }
        self.suspect = self.suspect.min(size);
        self.suspicions += 1;
        self.suspicions >= SUSPICIONS && self.fall()
    }

    /// The size of a datagram that follows `count` probe timeouts in a row: small, once it may be the
    /// size that keeps datagrams from arriving.
    pub fn probe_size(&self, count: u32) -> u16 {
        if count >= PROBE_TIMEOUTS { self.config.min } else { self.current }
    }

    fn trust(&mut self) {
        self.suspicions = 0;
        self.suspect = u16::MAX;
    }

    /// Back to the minimum, and to a search of what was carried until now.
    fn fall(&mut self) -> bool {
        self.trust();
        let fell = self.current > self.config.min;
        if fell {
            self.high = self.current;
            self.current = self.config.min;
            self.probe = None;
            self.losses = 0;
        }
        fell
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const START: Time = Time::from_nanos(1_000_000_000);

    /// Runs the search over a path that carries `limit` bytes; gives the sizes probed.
    fn search(mtud: &mut Mtud, now: Time, limit: u16) -> Vec<u16> {
        let mut probes = Vec::new();
        while let Some(size) = mtud.next_probe(now) {
            mtud.on_sent(now, size);
            assert_eq!(mtud.next_probe(now), None, "one at a time");
            if size <= limit {
                mtud.on_acked(size);
            } else {
                mtud.on_lost(size);
            }
            probes.push(size);
            assert!(probes.len() < 60);
        }
        probes
    }

    fn found(config: MtuConfig, limit: u16) -> (u16, Vec<u16>) {
        let mut mtud = Mtud::new(config);
        let probes = search(&mut mtud, START, limit);
        (mtud.current(), probes)
    }

    #[test]
    fn usual_networks_are_settled_by_a_few_probes() {
        let (ipv4, probes) = found(MtuConfig::default(), 1472);
        assert_eq!((ipv4, probes), (1472, [1452, 1472, 1492, 1492, 1492].to_vec()));
        let (ipv6, probes) = found(MtuConfig::default(), 1452);
        assert_eq!((ipv6, probes), (1452, [1452, 1472, 1472, 1472].to_vec()));
        let (jumbo, probes) = found(MtuConfig::default(), 8972);
        assert_eq!(jumbo, 8972);
        assert_eq!(probes[..5], [1452, 1472, 1492, 8952, 8972]);
        let (loopback, probes) = found(MtuConfig::LOOPBACK, 65_507);
        assert_eq!((loopback, probes), (65_000, [65_000].to_vec()));
    }

    #[test]
    fn any_limit_is_found_to_within_the_granularity() {
        for config in [MtuConfig::default(), MtuConfig { max: 65_000, ..MtuConfig::default() }] {
            for limit in (1200..config.max).step_by(7) {
                let (found, _) = found(config, limit);
                assert!(found <= limit && limit - found <= GRANULARITY, "{limit}: {found}");
            }
        }
    }

    #[test]
    fn two_losses_of_a_probe_are_bad_luck() {
        let mut mtud = Mtud::new(MtuConfig::default());
        for _ in 0..2 {
            mtud.on_sent(START, 1452);
            mtud.on_lost(1452);
            assert_eq!(mtud.next_probe(START), Some(1452));
        }
        mtud.on_sent(START, 1452);
        mtud.on_acked(1452);
        assert_eq!(mtud.current(), 1452);
    }

    #[test]
    fn a_larger_size_is_tried_again_after_ten_minutes() {
        let mut mtud = Mtud::new(MtuConfig::default());
        search(&mut mtud, START, 1452);
        assert_eq!(mtud.next_probe(START + Duration::from_secs(599)), None);
        let later = START + Duration::from_secs(600);
        assert_eq!(mtud.next_probe(later), Some(1472));
        search(&mut mtud, later, 9000);
        assert_eq!(mtud.current(), 9000);
        assert_eq!(mtud.next_probe(later + Duration::from_secs(6000)), None);
    }

    #[test]
    fn a_black_hole_is_left_and_the_path_searched_again() {
        let mut mtud = Mtud::new(MtuConfig::default());
        search(&mut mtud, START, 1472);
        for _ in 0..3 {
            assert!(!mtud.on_data_lost(1472));
            mtud.on_data_acked(1300);
        }
        assert!(mtud.on_data_lost(1472));
        assert_eq!(mtud.current(), 1200);
        search(&mut mtud, START, 1400);
        assert!((1380..=1400).contains(&mtud.current()));
    }

    #[test]
    fn losses_among_large_packets_that_arrive_are_not_a_black_hole() {
        let mut mtud = Mtud::new(MtuConfig::default());
        search(&mut mtud, START, 1472);
        for _ in 0..100 {
            assert!(!mtud.on_data_lost(1472));
            assert!(!mtud.on_data_lost(1200));
            mtud.on_data_acked(1472);
        }
        assert_eq!(mtud.current(), 1472);
    }

    #[test]
    fn silence_is_broken_by_small_datagrams_which_tell_a_black_hole() {
        let mut mtud = Mtud::new(MtuConfig::default());
        search(&mut mtud, START, 1472);
        assert_eq!((mtud.probe_size(1), mtud.probe_size(2)), (1472, 1200));
        // The small ones get through, and show that the large ones do not.
        for _ in 0..3 {
            mtud.on_data_acked(1200);
            assert!(!mtud.on_data_lost(1472));
        }
        assert!(mtud.on_data_lost(1472));
        assert_eq!((mtud.current(), mtud.next_probe(START)), (1200, Some(1452)));
    }

    #[test]
    fn a_fixed_size_is_neither_searched_nor_left() {
        let mut mtud = Mtud::new(MtuConfig::fixed(1452));
        assert_eq!((mtud.current(), mtud.next_probe(START)), (1452, None));
        assert_eq!(mtud.probe_size(3), 1452);
        mtud.set_peer_limit(1300);
        assert_eq!(mtud.current(), 1300);
    }
}
