//! When a packet counts as lost, and what follows if that was wrong.
//!
//! The rule is RACK's (RFC 8985; RFC 9002, section 6.1.2): a packet is lost when a later one was
//! acknowledged and more than a round trip plus a *reordering window* went by since it was sent. The
//! window begins at an eighth of a round trip, as RFC 9002 has it, and learns: whenever a packet
//! that was declared lost is acknowledged after all, it grows to cover that packet's delay, up to one
//! smoothed round trip. After [`MEMORY`] episodes of loss that were all real it shrinks by half.
//!
//! The packet threshold of RFC 9002, section 6.1.1 (three later packets acknowledged) is only a
//! hint: it holds until reordering was observed, that is, until a packet was newly acknowledged below
//! the largest acknowledged one. A network that reorders thus pays once; and since the losses were
//! spurious the controller's window is restored. The threshold comes back with the smallest window.

use crate::ids::PacketNumber;
use crate::rtt::{GRANULARITY, Rtt};
use crate::time::{Duration, Time};

/// How many episodes of real loss it takes until reordering is forgotten by half (RFC 8985, section
/// 6.2, step 4, says 16 recoveries).
pub const MEMORY: u8 = 16;

/// RFC 9002, section 6.1.1.
const PACKET_THRESHOLD: u64 = 3;

/// RFC 9002, section 7.6.1.
const PERSISTENT_THRESHOLD: u32 = 3;

/// How much reordering a path showed, and the losses that wait for proof that they were real.
#[derive(Debug)]
pub(super) struct Reordering {
    /// The reordering window in eighths of a round trip: 1 to 8.
    eighths: u32,
    /// Whether a packet arrived behind one that was sent after it.
    seen: bool,
    /// Episodes of real loss since the window last grew.
    real: u8,
    episode: Option<Episode>,
}

/// Losses that a controller answers once: those of packets sent before the first was noticed.
#[derive(Debug)]
struct Episode {
    started: Time,
    /// Packets declared lost and not acknowledged since.
    lost: u32,
}

impl Reordering {
    pub(super) fn new() -> Self {
        Self { eighths: 1, seen: false, real: 0, episode: None }
    }

    /// How long after it was sent a packet counts as lost, if a later one was acknowledged.
    pub(super) fn loss_delay(&self, rtt: &Rtt) -> Duration {
        let round_trip = rtt.smoothed().max(rtt.latest());
        let window = (round_trip * self.eighths / 8).min(rtt.smoothed());
        (round_trip + window.max(round_trip / 8)).max(GRANULARITY)
    }

    /// Whether `number` counts as lost whatever its age, now that `largest` was acknowledged.
    pub(super) fn is_behind(&self, number: u64, largest: PacketNumber) -> bool {
        !self.seen && largest.0.saturating_sub(number) >= PACKET_THRESHOLD
    }

    /// A packet arrived behind one that was sent after it.
    pub(super) fn on_reordered(&mut self) {
        self.seen = true;
    }

    /// A packet sent at `sent` is declared lost.
    pub(super) fn on_lost(&mut self, now: Time, sent: Time) {
        match &mut self.episode {
            Some(episode) if sent <= episode.started => episode.lost += 1,
            episode => {
                if episode.as_ref().is_some_and(|ended| ended.lost > 0) {
                    self.real += 1;
                    if self.real >= MEMORY {
                        self.real = 0;
                        self.eighths = (self.eighths / 2).max(1);
                        self.seen &= self.eighths > 1;
                    }
                }
                self.episode = Some(Episode { started: now, lost: 1 });
            }
        }
    }

    /// A packet sent at `sent` that was declared lost is acknowledged at `now`. Returns whether it
    /// was the last of its episode, so that there was no loss at all and its effects should be undone.
    pub(super) fn on_late(&mut self, now: Time, sent: Time, rtt: &Rtt) -> bool {
        self.seen = true;
        self.real = 0;
        let round_trip = rtt.smoothed().max(rtt.latest());
        let late = (now - sent).saturating_sub(round_trip);
        // The eighths that cover the delay, and one to spare.
        let needed = 8 * late.as_nanos() / round_trip.as_nanos().max(1) + 2;
        let needed = u32::try_from(needed).unwrap_or(8);
        self.eighths = self.eighths.max(needed).min(8);
        let Some(episode) = self.episode.as_mut().filter(|episode| sent <= episode.started) else {
            return false;
        };
        episode.lost = episode.lost.saturating_sub(1);
        let undone = episode.lost == 0;
        if undone {
            self.episode = None;
        }
        undone
    }
}

/// Persistent congestion (RFC 9002, section 7.6): everything that was sent over several probe
/// timeouts was lost.
#[derive(Debug)]
pub(super) struct LossRun {
    /// When the first ack-eliciting packet was sent of those lost in a row.
    start: Option<Time>,
}

impl LossRun {
    /// Nothing lost yet.
    pub(super) const fn new() -> Self {
        Self { start: None }
    }

    /// A packet was acknowledged between those lost.
    pub(super) fn on_acked(&mut self) {
        self.start = None;
    }

    /// An ack-eliciting packet sent at `sent` was lost. Returns whether the run is now long enough;
    /// then the next begins. Nothing counts that was sent before `sampled`, the time of the first
    /// round-trip sample ("a persistent congestion period SHOULD NOT start until there is at least
    /// one RTT sample").
    pub(super) fn on_lost(
        &mut self,
        sent: Time,
        sampled: Option<Time>,
        rtt: &Rtt,
        max_ack_delay: Duration,
    ) -> bool {
        if sampled.is_none_or(|first| sent < first) {
            return false;
        }
        let start = *self.start.get_or_insert(sent);
        let period = (rtt.pto_base() + max_ack_delay) * PERSISTENT_THRESHOLD;
        let persistent = sent - start > period;
        if persistent {
            self.start = None;
        }
        persistent
    }
}
