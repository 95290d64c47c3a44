//! A connection's examination of itself, for simulators and tests.
//!
//! Everything is read, nothing changes. What others could count for themselves (bytes in flight, what was
//! acknowledged) is here as the engine counts it, so that they can compare.

use super::Connection;
use super::deferred::Deferred;
use crate::handshake::Handshake;
use crate::record::Held;
use crate::stream::StreamMemory;
use crate::time::{Duration, Time};

/// What [`Connection::audit`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Bytes in flight in all spaces, as counted; padding, headers and tags included.
    pub in_flight: u64,
    /// The same, summed over the sent packets that are outstanding. Equal to `in_flight`, always.
    pub in_flight_sum: u64,
    /// Bytes in flight in the Initial and Handshake spaces, as counted: what binds packets of these.
    pub handshake_in_flight: u64,
    /// The congestion window, in bytes. Packets that it binds are sent while bytes in flight (with them) are
    /// at most this; it may shrink below what is in flight.
    pub window: u64,
    /// How packets are spread; `None` until the first acknowledgement, and where nothing is paced.
    pub pacing: Option<Pacing>,
    /// What the anti-amplification limit counts.
    pub amplification: Amplification,
    /// The size of the datagrams that are sent at most, in bytes of UDP payload, probes of the MTU excepted.
    pub mtu: u16,
    /// The size that the configuration (or the peer, by its limit) lets the path be taken to carry without proof.
    pub assumed_mtu: u16,
    /// The largest packet that was acknowledged, in bytes, probes of the MTU included; 0 if none was.
    /// `mtu` is never above both this and `assumed_mtu`.
    pub acked_mtu: u16,
    /// How often this end's Data keys were updated.
    pub generation: u64,
    /// What is held.
    pub memory: Memory,
    /// What ends a silent connection.
    pub idle: Idle,
}

/// A token bucket: it is full at first, and each packet in flight takes its size out, as far as there is
/// anything; packets that the pacer binds find at least one datagram's worth there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pacing {
    /// What flows into the bucket, in bytes per second.
    pub rate: u64,
    /// What the bucket holds, in bytes.
    pub burst: u64,
}

/// What the anti-amplification limit counts, in bytes of UDP payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amplification {
    /// Whether the peer has proved that it receives at its address. Until then `sent` is at most three times
    /// `received`.
    pub validated: bool,
    /// Bytes of datagrams received from the address.
    pub received: u64,
    /// Bytes of datagrams sent to it.
    pub sent: u64,
}

/// What ends a silent connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idle {
    /// The timeout that both ends agreed on (this end's own, before the peer's is known); `None` is for ever.
    pub timeout: Option<Duration>,
    /// When an authentic packet was last received; at first, when the connection began.
    pub received: Time,
    /// When the connection ends if nothing happens: `timeout`, but at least three probe timeouts, after the last
    /// receipt or the first ack-eliciting packet that was sent since. `None` if never, or if it has ended.
    pub deadline: Option<Time>,
}

/// What a connection holds. Two counts of data that limits bound exactly, then buffers by capacity.
///
/// Not counted is what has a fixed size: the connection itself, keys, and the queues of stream IDs and events,
/// which hold a few bytes for each stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What streams hold.
    pub streams: StreamMemory,
    /// The records of sent packets.
    pub sent_packets: Held,
    /// Messages of the handshake, of both directions.
    pub handshake: Held,
    /// Packets that came before their keys.
    pub deferred: Held,
}

impl Memory {
    /// Counts of data, each with its name and the limit that flow control or the configuration sets.
    pub const fn data(&self) -> [(&'static str, Held); 2] {
        [("unread", self.streams.unread), ("unacknowledged", self.streams.unacknowledged)]
    }

    /// Buffers, each with its name and what the configuration lets it take.
    pub const fn buffers(&self) -> [(&'static str, Held); 6] {
        [
            ("receive buffers", self.streams.receive),
            ("send buffers", self.streams.send),
            ("stream states", self.streams.states),
            ("sent packets", self.sent_packets),
            ("handshake", self.handshake),
            ("deferred packets", self.deferred),
        ]
    }

    /// All buffers together.
    pub fn total(&self) -> Held {
        self.buffers().into_iter().fold(Held::default(), |all, (_, one)| Held {
            bytes: all.bytes + one.bytes,
            limit: all.limit.saturating_add(one.limit),
        })
    }

    /// What is beyond its limit, if anything is.
    pub fn excess(&self) -> Option<(&'static str, Held)> {
        self.data().into_iter().chain(self.buffers()).find(|(_, held)| held.is_over())
    }
}

impl Connection {
    /// Examines the connection: for simulators and tests, which compare it with what they see. It changes
    /// nothing, and takes time in proportion to the packets and streams that are remembered.
    pub fn audit(&self) -> Audit {
        let pacer = self.path.pacer();
        let (received, sent) = self.path.transferred();
        Audit {
            in_flight: self.recovery.in_flight(),
            in_flight_sum: self.recovery.outstanding_bytes(),
            handshake_in_flight: self.recovery.handshake_in_flight(),
            window: self.path.window(),
            pacing: pacer.rate().map(|rate| Pacing { rate, burst: pacer.burst() }),
            amplification: Amplification { validated: self.path.is_validated(), received, sent },
            mtu: self.path.mtu(),
            assumed_mtu: self.path.assumed_mtu(),
            acked_mtu: self.path.largest_acked(),
            generation: self.spaces.data_keys.as_ref().map_or(0, |keys| keys.generation()),
            memory: Memory {
                streams: self.streams.memory(&self.config.streams),
                sent_packets: self.recovery.held(),
                handshake: self.handshake().map_or(Held::default(), Handshake::memory),
                deferred: Deferred::held(self.opening.as_ref().map(|opening| &opening.deferred)),
            },
            idle: Idle {
                timeout: self.idle.timeout(),
                received: self.idle.received(),
                deadline: self.idle.expiry(self.pto()).filter(|_| self.phase.is_open()),
            },
        }
    }
}
