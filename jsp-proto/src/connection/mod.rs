//! One connection: the facade that brings the rooms below it together.
//!
//! ```text
//!  datagrams ──▶ input ──▶ frames ──▶ handshake, streams, recovery, path
//!  now ────────▶ timers ─┘                    │
//!  application ─▶ (this file)                 ▼
//!  events ◀───── events        datagrams ◀── output ◀── packet
//! ```
//!
//! It owns no socket and no clock. Every call is legal at any time; a connection that has ended
//! says so once, by [`Event::Closed`].

pub mod audit;
mod batch;
mod close;
mod config;
mod deferred;
mod establish;
mod events;
mod farewell;
mod frames;
mod idle;
mod input;
mod opening;
mod output;
mod packet;
mod spaces;
mod stats;
mod streams;
mod tap;
mod timers;
mod train;

pub use audit::{Amplification, Audit, Idle, Memory, Pacing};
pub use config::TransportConfig;
pub use establish::ExportError;
pub(crate) use establish::{FirstFlight, OpenedInitial, Setup};
pub use events::Event;
pub use stats::{Counts, Stats};
pub use tap::{Refusal, Tap, TapFactory, TapPacket};

use crate::cid::{LocalIds, RemoteIds};
use crate::crypto::{Provider, Secret, Suite};
use crate::handshake::{Identity, PeerIdentity};
use crate::ids::{ConnectionHandle, ConnectionId, Side};
use crate::path::Path;
use crate::record::SentFrame;
use crate::recovery::Recovery;
use crate::rng::Rng;
use crate::stream::Streams;
use crate::time::{Duration, Time};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

/// Where a connection is in its life; see `close.rs` for how it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Handshake,
    Established,
    Closing,
    Draining,
    Drained,
}

impl Phase {
    const fn is_open(self) -> bool {
        matches!(self, Self::Handshake | Self::Established)
    }
}

/// What is to be done with the next packet, beside what other rooms have to send.
#[derive(Debug, Default)]
struct Owed {
    /// The server confirms the handshake.
    handshake_done: bool,
    /// The peer is asked for a sign of life.
    ping: bool,
    /// New packet keys were asked for.
    key_update: bool,
}

/// What a handshake leaves behind.
struct Agreed {
    alpn: Option<Box<[u8]>>,
    peer: Option<PeerIdentity>,
    exporter: Secret,
    /// How long it took.
    took: Duration,
}

/// One connection of an [`Endpoint`](crate::endpoint::Endpoint).
pub struct Connection {
    side: Side,
    handle: ConnectionHandle,
    phase: Phase,
    config: Arc<TransportConfig>,
    provider: Arc<dyn Provider>,
    rng: Rng,
    /// The latest time that was seen: inside, time never runs back.
    now: Time,

    spaces: spaces::Spaces,
    recovery: Recovery,
    path: Path,
    streams: Streams,
    /// Whether there may be something to give back in the next silence: buffers of streams that are empty, the
    /// peer's keys.
    untidy: bool,
    local_ids: LocalIds,
    remote_ids: RemoteIds,

    /// The handshake, until it is confirmed.
    opening: Option<Box<opening::Opening>>,
    /// What it agreed on.
    agreed: Option<Box<Agreed>>,
    /// The peer's public keys, while the connection is young.
    peer_keys: Option<Box<Identity>>,
    suite: Option<Suite>,
    confirmed: bool,
    owed: Owed,
    /// The destination that the last packet named, known to be ours.
    last_dcid: ConnectionId,

    /// Size of the datagram that is being processed.
    datagram: usize,
    idle: idle::Idle,
    paced_until: Option<Time>,
    /// Client: the server has shown that it knows our address to be valid.
    peer_validated: bool,
    close: farewell::Close,
    events: events::Events,
    counts: Counts,
    /// Watches the packets.
    tap: Option<Box<dyn Tap>>,
    /// Records of the frames of the packet that is being written; kept for its capacity.
    sent: Vec<SentFrame>,
}

impl Connection {
    /// What happened, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        if self.events.is_over() {
            return None;
        }
        self.events
            .pop()
            .or_else(|| self.streams.poll_event().map(Event::Stream))
            .or_else(|| self.events.pop_closed())
    }

    /// Asks the peer for a sign of life.
    pub fn ping(&mut self) {
        self.owed.ping = self.phase == Phase::Established;
    }

    /// Moves to new packet keys as soon as that is allowed. The engine does so by itself long before
    /// the cipher's limits.
    pub fn update_keys(&mut self) {
        self.owed.key_update = true;
    }

    /// Which end this is.
    pub fn side(&self) -> Side {
        self.side
    }

    /// The connection's place in its endpoint.
    pub fn handle(&self) -> ConnectionHandle {
        self.handle
    }

    /// The peer's address.
    pub fn remote(&self) -> SocketAddr {
        self.path.remote()
    }

    /// The application protocol that was agreed on, once connected, if any was offered.
    pub fn alpn(&self) -> Option<&[u8]> {
        self.agreed.as_ref()?.alpn.as_deref()
    }

    /// The peer's verified identity, once connected; `None` for a client that has none.
    pub fn peer_identity(&self) -> Option<PeerIdentity> {
        self.agreed.as_ref()?.peer
    }

    /// The peer's verified identity with its public keys. They take 2 KB, so they are kept for a while only: from
    /// [`Event::Connected`], when whoever wants them should ask, until the connection is confirmed and
    /// has been silent for a second.
    pub fn peer_keys(&self) -> Option<&Identity> {
        self.peer_keys.as_deref()
    }

    /// The cipher suite, once it is negotiated.
    pub fn suite(&self) -> Option<Suite> {
        self.suite
    }

    /// Whether the handshake has completed and the connection has not ended.
    pub fn is_established(&self) -> bool {
        self.phase == Phase::Established
    }

    /// Whether the connection has ended; [`Event::Closed`] tells why.
    pub fn is_closed(&self) -> bool {
        !self.phase.is_open()
    }

    /// Whether nothing more will be sent or awaited: the endpoint can release it.
    pub fn is_drained(&self) -> bool {
        self.phase == Phase::Drained
    }

    /// A snapshot of what was measured so far.
    pub fn stats(&self) -> Stats {
        let mut counts = self.counts;
        counts.key_updates = self.spaces.data_keys.as_ref().map_or(0, |keys| keys.generation());
        Stats {
            counts,
            suite: self.suite,
            provider: self.provider.name(),
            handshake: self.agreed.as_ref().map(|agreed| agreed.took),
            streams: self.streams.stats(),
            path: self.path.stats(),
        }
    }

    /// The time to act at: never before one that was seen.
    fn clock(&mut self, now: Time) -> Time {
        self.now = self.now.max(now);
        self.now
    }

    /// How long the peer may hold acknowledgements back.
    fn peer_ack_delay(&self) -> Duration {
        self.path.frequency().promised()
    }
}

impl core::fmt::Debug for Connection {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Connection")
            .field("side", &self.side)
            .field("handle", &self.handle)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(feature = "rustcrypto")]
mod tests;
