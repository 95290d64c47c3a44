//! What an application may choose about a connection's transport.

use super::tap::TapFactory;
use crate::congestion::{ControllerFactory, CubicFactory};
use crate::path::{MtuConfig, PathConfig};
use crate::recovery::INITIAL_RTT;
use crate::stream::StreamConfig;
use crate::time::Duration;
use crate::wire::VARINT_MAX;
use alloc::sync::Arc;

/// The transport's settings. The defaults suit most applications; each bounds memory. A value beyond a
/// stated bound counts as the bound.
#[derive(Clone, Debug)]
pub struct TransportConfig {
    /// How long silence is borne before the connection counts as dead; the smaller of both ends'
    /// values holds. `None` is for ever. Default: 30 s.
    pub idle_timeout: Option<Duration>,
    /// How long the handshake may take. Default: 10 s.
    pub handshake_timeout: Duration,
    /// Sends a PING after this much silence, so that the connection and the NATs on its way stay
    /// alive; at least 1 ms. Default: `None`, no packet without a reason.
    pub keep_alive: Option<Duration>,
    /// The longest that an acknowledgement is held back; below 2^14 ms. Default: 25 ms.
    pub max_ack_delay: Duration,
    /// The round-trip time that is assumed before the first sample; it is the first probe timeout,
    /// too; 1 ms to 60 s. Default: [`INITIAL_RTT`].
    pub initial_rtt: Duration,
    /// Datagram sizes. Default: 1200 bytes at first, then what the path is found to carry.
    pub mtu: MtuConfig,
    /// Streams, and the buffers and windows of their data.
    pub streams: StreamConfig,
    /// Makes the congestion controller of each path. Default: CUBIC with HyStart++.
    pub controller: Arc<dyn ControllerFactory>,
    /// Whether packets are marked ECN-capable where the path bears it. Default: yes.
    pub ecn: bool,
    /// Makes a [`Tap`](super::Tap) that sees each packet of a connection. Default: none.
    pub taps: Option<Arc<dyn TapFactory>>,
}

impl Default for TransportConfig {
    fn default() -> Self {
        Self {
            idle_timeout: Some(Duration::from_secs(30)),
            handshake_timeout: Duration::from_secs(10),
            keep_alive: None,
            max_ack_delay: Duration::from_millis(25),
            initial_rtt: INITIAL_RTT,
            mtu: MtuConfig::default(),
            streams: StreamConfig::default(),
            controller: Arc::new(CubicFactory),
            ecn: true,
            taps: None,
        }
    }
}

/// The longest acknowledgement delay that the wire can express.
const MAX_ACK_DELAY: Duration = Duration::from_millis((1 << 14) - 1);
/// The longest idle timeout that the wire can express.
const MAX_IDLE: Duration = Duration::from_millis(VARINT_MAX);
/// Keep-alives are no denser than this.
const MIN_KEEP_ALIVE: Duration = Duration::from_millis(1);
/// The largest UDP payload.
const MAX_DATAGRAM: u16 = 65_527;
/// No path is known to be faster, or is slower, than this.
const INITIAL_RTTS: [Duration; 2] = [Duration::from_millis(1), Duration::from_secs(60)];

impl TransportConfig {
    /// The same settings, each within what the protocol can express; shared where they are.
    pub(super) fn clamped(self: Arc<Self>) -> Arc<Self> {
        let idle_timeout = self.idle_timeout.map(|timeout| timeout.min(MAX_IDLE));
        let keep_alive = self.keep_alive.map(|interval| interval.max(MIN_KEEP_ALIVE));
        let max_ack_delay = self.max_ack_delay.min(MAX_ACK_DELAY);
        let initial_rtt = self.initial_rtt.clamp(INITIAL_RTTS[0], INITIAL_RTTS[1]);
        let min = self.mtu.min.clamp(MtuConfig::BASE, MAX_DATAGRAM);
        let max = self.mtu.max.clamp(min, MAX_DATAGRAM);
        let mtu = MtuConfig { min, max, ..self.mtu };
        let same = idle_timeout == self.idle_timeout
            && keep_alive == self.keep_alive
            && max_ack_delay == self.max_ack_delay
            && initial_rtt == self.initial_rtt
            && mtu == self.mtu;
        if same {
            return self;
        }
        let rest = Self::clone(&self);
        Arc::new(Self { idle_timeout, keep_alive, max_ack_delay, initial_rtt, mtu, ..rest })
    }

    /// The part that concerns a path.
    pub(super) fn path(&self) -> PathConfig {
        PathConfig {
            initial_rtt: self.initial_rtt,
            controller: Arc::clone(&self.controller),
            mtu: self.mtu,
            ecn: self.ecn,
        }
    }
}
