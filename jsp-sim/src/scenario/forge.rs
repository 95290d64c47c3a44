//! A peer that lies: a packet with an acknowledgement of what was never sent, sealed with the keys of the
//! connection.
//!
//! No engine sends such a packet. It is put together from what the connection's key log and taps tell,
//! and sent from the liar's host.

use crate::datagram::NodeId;
use crate::invariant::{PacketObserver, Who};
use jsp_proto::connection::TapPacket;
use jsp_proto::crypto::rustcrypto::RustCrypto;
use jsp_proto::crypto::{Secret, Suite};
use jsp_proto::handshake::{KeyLog, label};
use jsp_proto::ids::{ConnectionHandle, PacketNumber, PathId, Side};
use jsp_proto::protection::SealKey;
use jsp_proto::time::Duration;
use jsp_proto::wire::frame::AckFrame;
use jsp_proto::wire::header::Kind;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How far beyond what was sent a lie goes: it is no packet number that was skipped on purpose.
const BEYOND: u64 = 1000;
/// How far beyond the liar's own packets the forged one is: within the window of those that are kept
/// apart, and no number that it uses soon.
const AHEAD: u64 = 500;
/// Packet numbers are written in full, as far as that goes.
const NUMBER_LEN: usize = 4;
/// What sealing adds.
const TAG_LEN: usize = 16;

/// The newest application packet of an end.
#[derive(Clone, Debug)]
struct Newest {
    header: Vec<u8>,
    number: u64,
    generation: u64,
}

/// What a liar has to know.
#[derive(Default)]
pub(super) struct Forger {
    newest: Mutex<BTreeMap<(NodeId, ConnectionHandle), Newest>>,
    /// By connection and by the side that seals.
    secrets: Mutex<BTreeMap<(usize, Side), [u8; 32]>>,
}

impl Forger {
    /// What tells it the secrets of a connection.
    pub(super) fn log(self: &Arc<Self>, connection: usize) -> Arc<dyn KeyLog> {
        Arc::new(Log { connection, forger: Arc::clone(self) })
    }

    /// A packet in which `liar`, the end of a side, acknowledges what `victim` never sent. `None` as
    /// long as either has not sent any application packet.
    pub(super) fn forge(
        &self,
        connection: usize,
        side: Side,
        suite: Suite,
        liar: (NodeId, ConnectionHandle),
        victim: (NodeId, ConnectionHandle),
    ) -> Option<Vec<u8>> {
        let secret = *lock(&self.secrets).get(&(connection, side))?;
        let own = lock(&self.newest).get(&liar)?.clone();
        let unsent = lock(&self.newest).get(&victim)?.number + BEYOND;
        let key = SealKey::of_generation(&RustCrypto, suite, &Secret::new(secret), own.generation);
        let number = PacketNumber(own.number + AHEAD);
        // The same header with another number: the low bits of the first byte are the number's length.
        let (first, rest) = own.header.split_first()?;
        let id = rest.get(..rest.len().checked_sub(usize::from(first & 3) + 1)?)?;
        let mut packet = vec![first & !3 | (NUMBER_LEN as u8 - 1)];
        packet.extend(id);
        let number_at = packet.len();
        packet.extend((number.0 as u32).to_be_bytes());
        AckFrame::write(&mut packet, 100, std::iter::once(unsent..=unsent), Duration::ZERO, None)
            .ok()?;
        packet.extend([0; TAG_LEN]);
        key.seal(PathId(0), number, &mut packet, number_at, NUMBER_LEN);
        Some(packet)
    }
}

/// Hears what ends send, for a [`Forger`].
#[derive(Clone)]
pub(super) struct Ears(pub(super) Arc<Forger>);

impl PacketObserver for Ears {
    fn sent(&mut self, who: Who, packet: &TapPacket<'_>) {
        if packet.kind == Kind::Data {
            let header = packet.header.to_vec();
            let (number, generation) = (packet.number.0, packet.generation);
            let newest = Newest { header, number, generation };
            lock(&self.0.newest).insert((who.node, who.handle), newest);
        }
    }

    fn received(&mut self, _: Who, _: &TapPacket<'_>) {}
}

impl fmt::Debug for Ears {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ears").finish_non_exhaustive()
    }
}

struct Log {
    connection: usize,
    forger: Arc<Forger>,
}

impl KeyLog for Log {
    fn log(&self, label: &str, _: &[u8; 32], secret: &[u8]) {
        let side = match label {
            label::CLIENT_TRAFFIC => Side::Client,
            label::SERVER_TRAFFIC => Side::Server,
            _ => return,
        };
        if let Ok(secret) = secret.try_into() {
            lock(&self.forger.secrets).insert((self.connection, side), secret);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
