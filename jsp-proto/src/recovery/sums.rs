//! Sums over packets that meet their fate together: what an ACK acknowledges, what is declared lost.

use super::report::LossReport;
use super::sent::{Fate, Sent, Snapshot};
use crate::ids::{Ecn, PacketNumber};
use crate::record::CongestionEvent;
use crate::time::Time;

/// The packets that one ACK newly acknowledges.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) newest: Option<Newest>,
    pub(super) packets: u32,
    pub(super) bytes: u64,
    pub(super) ack_eliciting: bool,
    pub(super) largest_size: u16,
    pub(super) mtu_probe: Option<u16>,
    pub(super) ect0: u64,
    pub(super) spurious: bool,
    pub(super) outstanding: Outstanding,
}

/// The last that was sent of them.
#[derive(Clone, Copy)]
pub(super) struct Newest {
    pub(super) number: PacketNumber,
    pub(super) time: Time,
    pub(super) snapshot: Snapshot,
}

/// Those of them that were outstanding.
pub(super) struct Outstanding {
    pub(super) bytes: u64,
    pub(super) eliciting: u64,
    /// The largest number there is, if there are none.
    pub(super) lowest: u64,
}

impl Default for Outstanding {
    fn default() -> Self {
        Self { bytes: 0, eliciting: 0, lowest: u64::MAX }
    }
}

impl Gathered {
    /// Adds a packet; they come largest first.
    pub(super) fn add(&mut self, number: u64, sent: &Sent) {
        if self.newest.is_none() {
            let (number, Sent { time, snapshot, .. }) = (PacketNumber(number), *sent);
            self.newest = Some(Newest { number, time, snapshot });
        }
        self.packets += 1;
        self.bytes += u64::from(sent.size);
        if sent.fate == Fate::Outstanding {
            self.outstanding.bytes += u64::from(sent.size);
            self.outstanding.eliciting += u64::from(sent.ack_eliciting);
            // Ranges descend, so the last is the lowest.
            self.outstanding.lowest = number;
        }
        self.ack_eliciting |= sent.ack_eliciting;
        self.ect0 += u64::from(sent.ecn == Ecn::Ect0);
        if sent.mtu_probe {
            self.mtu_probe = Some(sent.size);
        } else {
            self.largest_size = self.largest_size.max(sent.size);
        }
    }
}

/// The packets that are declared lost together.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) report: LossReport,
    pub(super) newest: Option<Time>,
    pub(super) persistent: bool,
}

impl Tally {
    pub(super) fn is_empty(&self) -> bool {
        self.report.is_empty()
    }

    pub(super) fn add(&mut self, sent: &Sent) {
        if sent.mtu_probe {
            self.report.mtu_probe = Some(sent.size);
            return;
        }
        let report = &mut self.report;
        report.packets += 1;
        report.ecn += u32::from(sent.ecn == Ecn::Ect0);
        if sent.size > 0 {
            report.bytes += u64::from(sent.size);
            report.smallest =
                if report.smallest == 0 { sent.size } else { report.smallest.min(sent.size) };
            self.newest = self.newest.max(Some(sent.time));
        }
    }

    pub(super) fn report(self, now: Time, in_flight: u64) -> LossReport {
        let congestion = self.newest.map(|sent| CongestionEvent {
            now,
            sent,
            lost: self.report.bytes,
            in_flight,
            persistent: self.persistent,
            ecn: false,
        });
        LossReport { congestion, ..self.report }
    }
}
