//! How much may be in flight, and how fast it leaves: controllers behind one trait.
//!
//! A controller sees records, never packets: each sent packet's size, one [`AckSample`] for each ACK
//! frame, one [`CongestionEvent`] for each loss pass. It answers with a window and a pacing rate. It
//! does constant work per call. Window-based controllers ([`Cubic`]) use acknowledged bytes and the
//! round-trip time; rate-based ones find delivery rates in the sample.

mod cubic;
mod curve;
mod hystart;

pub use cubic::{Cubic, CubicFactory};

use crate::ids::PacketNumber;
use crate::record::{AckSample, CongestionEvent};
use crate::rtt::Rtt;
use crate::time::{Time, nanos, per_second};
use alloc::boxed::Box;
use core::fmt::Debug;

/// A congestion controller of one path. Sizes are in bytes of UDP payload.
pub trait Controller: Debug + Send {
    /// Packets of `bytes` in all that count as in flight were sent together, the last of them with `number`;
    /// `in_flight` includes them. Whether the application, not the window, limited a flight is told with its
    /// acknowledgements.
    fn on_sent(&mut self, now: Time, bytes: u64, number: PacketNumber, in_flight: u64);

    /// Packets were acknowledged; losses that the same ACK uncovered follow in
    /// [`on_congestion`](Self::on_congestion).
    fn on_ack(&mut self, sample: &AckSample, rtt: &Rtt);

    /// Packets were lost, or marked by the network.
    fn on_congestion(&mut self, event: &CongestionEvent);

    /// Everything that was lost since the last congestion event began has arrived after all: it was
    /// reordered. What the event did is to be undone.
    fn on_spurious(&mut self, now: Time);

    /// How many bytes may be in flight.
    fn window(&self) -> u64;

    /// How fast to send, in bytes per second; `None` as long as nothing is known: no pacing.
    fn pacing_rate(&self, rtt: &Rtt) -> Option<u64>;

    /// The path carries datagrams of `mtu` bytes now.
    fn on_mtu(&mut self, mtu: u16);

    /// The controller's name, for statistics.
    fn name(&self) -> &'static str;
}

/// Makes the controllers of a configuration's connections.
pub trait ControllerFactory: Debug + Send + Sync {
    /// A controller for a new path that carries datagrams of `mtu` bytes.
    fn build(&self, now: Time, mtu: u16) -> Box<dyn Controller>;
}

/// The window of a new path: ten packets, but not more than 14,720 bytes in packets that are larger
/// than usual (RFC 9002, section 7.2), nor less than [`minimum_window`].
pub fn initial_window(mtu: u16) -> u64 {
    (10 * u64::from(mtu)).min(14_720.max(minimum_window(mtu)))
}

/// The window that no congestion makes smaller: four datagrams.
///
/// RFC 9002, section 7.2, recommends two. Of two packets in flight the loss of either leaves nothing behind
/// it that could show it: every loss waits for a probe timeout. Four, BBR's floor, keep loss detection
/// alive (a stated departure, `spec/07-recovery.md`).
pub fn minimum_window(mtu: u16) -> u64 {
    4 * u64::from(mtu)
}

/// The rate that sends `window` bytes in one smoothed round trip, times `gain` fourths.
fn rate_of(window: u64, gain: u64, rtt: &Rtt) -> Option<u64> {
    if !rtt.is_sampled() {
        return None;
    }
    let interval = nanos(rtt.smoothed()).clamp(1, u64::MAX / 4) * 4;
    per_second(window.saturating_mul(gain), interval)
}
