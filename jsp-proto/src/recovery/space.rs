//! One packet-number space: its ring, what was acknowledged of it, and what it probes.

use super::loss::LossRun;
use super::ring::Ring;
use super::sent::Sent;
use crate::ids::PacketNumber;
use crate::rng::Rng;
use crate::time::Time;

/// The smallest mean distance between skipped numbers, in packets.
const MIN_SKIP_DISTANCE: u64 = 32;

/// ACK-only packets in a row after which one should carry a PING.
const MAX_SILENT: u32 = 64;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct SpaceState {
    pub(super) ring: Ring,
    pub(super) largest_acked: Option<PacketNumber>,
    /// When the oldest outstanding packet below `largest_acked` counts as lost.
    pub(super) loss_time: Option<Time>,
    /// Ack-eliciting packets outstanding.
    pub(super) eliciting: u64,
    /// Bytes outstanding.
    pub(super) bytes: u64,
    /// When the newest ack-eliciting packet was sent.
    pub(super) last_eliciting: Time,
    /// Probes that may still be sent beyond the congestion window.
    pub(super) probes: u8,
    pub(super) run: LossRun,
    /// The next number that will not be used.
    skip: Option<u64>,
    /// Packets sent since the last ack-eliciting one.
    silent: u32,
}

impl Default for SpaceState {
    fn default() -> Self {
        Self::new()
    }
}

impl SpaceState {
    /// Nothing was sent yet.
    pub(super) const fn new() -> Self {
        Self {
            ring: Ring::new(),
            largest_acked: None,
            loss_time: None,
            eliciting: 0,
            bytes: 0,
            last_eliciting: Time::ZERO,
            probes: 0,
            run: LossRun::new(),
            skip: None,
            silent: 0,
        }
    }

    /// The number for the next packet. Asked twice, it answers the same.
    ///
    /// Once in a window, at random, a number is left out: a peer that acknowledges what it did not
    /// receive, to make this end send faster, acknowledges it sooner or later (RFC 9000, section
    /// 21.4).
    pub(super) fn next_number(&mut self, rng: &mut Rng) -> PacketNumber {
        let next = self.ring.next();
        let skip = match self.skip {
            Some(skip) if skip >= next => skip,
            _ => {
                let window = self.eliciting.max(MIN_SKIP_DISTANCE);
                next + 1 + rng.below(2 * window)
            }
        };
        self.skip = Some(skip);
        PacketNumber(if skip == next { next + 1 } else { next })
    }

    /// Whether the oldest outstanding packet is older than one that was acknowledged, or must go to make room.
    pub(super) fn is_overtaken(&mut self) -> bool {
        let (oldest, passed_acked) = self.ring.oldest_outstanding();
        let oldest = oldest.map(|(number, _)| number);
        if passed_acked {
            self.run.on_acked();
        }
        let must_go = self.ring.is_full();
        oldest.zip(self.largest_acked).is_some_and(|(oldest, acked)| acked.0 > oldest || must_go)
    }

    /// Whether the peer should be asked for an acknowledgement, so that it need not be told of the
    /// same packets for ever.
    pub(super) fn ping_due(&self) -> bool {
        self.silent >= MAX_SILENT
    }

    pub(super) fn on_sent(&mut self, time: Time, size: u16, ack_eliciting: bool) {
        self.bytes += u64::from(size);
        if ack_eliciting {
            self.last_eliciting = time;
            self.eliciting += 1;
            self.probes = self.probes.saturating_sub(1);
            self.silent = 0;
        } else {
            self.silent = self.silent.saturating_add(1);
        }
    }

    /// An outstanding packet no longer is. Returns its bytes.
    pub(super) fn settle(&mut self, sent: &Sent) -> u64 {
        let size = u64::from(sent.size);
        self.bytes = self.bytes.saturating_sub(size);
        self.eliciting = self.eliciting.saturating_sub(u64::from(sent.ack_eliciting));
        size
    }

    /// Outstanding packets of `bytes` bytes in all, `eliciting` of them ack-eliciting, no longer are.
    pub(super) fn settle_all(&mut self, bytes: u64, eliciting: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.eliciting = self.eliciting.saturating_sub(eliciting);
    }

    /// Forgets what was sent and gives the memory back; numbers go on.
    pub(super) fn forget(&mut self) {
        self.ring.clear();
        self.run = LossRun::new();
        self.loss_time = None;
        self.eliciting = 0;
        self.bytes = 0;
        self.probes = 0;
    }
}
