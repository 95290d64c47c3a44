//! What an application may choose about a connection's transport.

use crate::congestion::{ControllerFactory, CubicFactory};
use crate::path::{MtuConfig, PathConfig};
use crate::recovery::INITIAL_RTT;
use crate::stream::StreamConfig;
use crate::time::Duration;
use alloc::sync::Arc;

/// The transport's settings. The defaults suit most applications; each bounds memory.
#[derive(Clone, Debug)]
pub struct TransportConfig {
    /// How long silence is borne before the connection counts as dead; the smaller of both ends'
    /// values holds. `None` is for ever. Default: 30 s.
    pub idle_timeout: Option<Duration>,
    /// How long the handshake may take. Default: 10 s.
    pub handshake_timeout: Duration,
    /// Sends a PING after this much silence, so that the connection and the NATs on its way stay
    /// alive. Default: `None`, no packet without a reason.
    pub keep_alive: Option<Duration>,
    /// The longest that an acknowledgement is held back; below 2^14 ms. Default: 25 ms.
    pub max_ack_delay: Duration,
    /// The round-trip time that is assumed before the first sample; it is the first probe timeout,
    /// too. Default: [`INITIAL_RTT`].
    pub initial_rtt: Duration,
    /// Datagram sizes. Default: 1200 bytes at first, then what the path is found to carry.
    pub mtu: MtuConfig,
    /// Streams, and the buffers and windows of their data.
    pub streams: StreamConfig,
    /// Makes the congestion controller of each path. Default: CUBIC with HyStart++.
    pub controller: Arc<dyn ControllerFactory>,
    /// Whether packets are marked ECN-capable where the path bears it. Default: yes.
    pub ecn: bool,
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
        }
    }
}

impl TransportConfig {
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
