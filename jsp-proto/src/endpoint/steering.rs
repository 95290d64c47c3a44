//! Which shard of a server a datagram belongs to.
//!
//! A server may consist of several endpoints, each with a socket and a thread of its own, which share one
//! address (`SO_REUSEPORT`). Its shards have one configuration but for
//! [`EndpointConfig::shard`](super::EndpointConfig::shard), and one seed: the keys of connection IDs and
//! of reset tokens follow from it for all alike, everything else that is random for each differently.
//!
//! ```text
//!  datagram ─▶ route_run ─▶ a connection of this shard
//!                 │ none
//!              steer_run ─▶ an ID of another shard: there it goes, as it came
//!                 │ none
//!               handle ───▶ a first flight, a stateless reset, a stray: of whoever got it
//! ```
//!
//! The kernel hands the datagrams of one client to one socket, and there its connection is made, so that
//! as a rule nothing is steered. When the client's address changes, or the number of sockets, a datagram
//! may come to another shard. Each ID has its shard inside, encrypted with the rest: the shards see whose
//! it is, and nobody else sees that two IDs belong together.

use crate::cid::{CidKey, MAX_SLOTS, Place};
use crate::ids::{ConnectionHandle, ConnectionId, Shard, ShardIndex};
use crate::rng::{Rng, Seed};
use crate::wire::header::{Kind, LONG, Packet, Protected};
use alloc::format;
use alloc::sync::Arc;

/// Bytes of a long header before the length of its destination ID: the first, and the version.
const BEFORE_LENGTH: usize = 1 + 4;

/// What a shard knows of the others: that they issue IDs under its key.
#[derive(Debug)]
pub(super) struct Steering {
    key: Arc<CidKey>,
    shard: Shard,
    /// How many slots each shard may use.
    slots: u32,
}

impl Steering {
    /// For a shard that makes its IDs with `key`, for at most `connections` at once.
    pub(super) fn new(key: Arc<CidKey>, shard: Shard, connections: u32) -> Self {
        Self { key, shard, slots: connections.clamp(1, MAX_SLOTS) }
    }

    /// The other shard that the front of a batch belongs to, and how many bytes of the batch.
    pub(super) fn run(&self, batch: &[u8], segment: usize) -> Option<(ShardIndex, usize)> {
        let mut datagrams = batch.chunks(segment.max(1));
        let first = dcid(datagrams.next()?)?;
        let to = self.issuer(first).filter(|shard| *shard != self.shard.index())?;
        let more = datagrams.take_while(|datagram| dcid(datagram) == Some(first)).count();
        Some((to, batch.len().min((1 + more) * segment.max(1))))
    }

    /// The other shard that an Initial packet hashes to, if its client chose the ID.
    pub(super) fn first_flight(&self, datagram: &[u8]) -> Option<ShardIndex> {
        let Ok(Packet::Protected(Protected { kind: Kind::Initial, dcid, .. })) =
            Packet::parse(datagram)
        else {
            return None;
        };
        if self.issuer(dcid.as_bytes()).is_some() {
            return None;
        }
        let count = u32::from(self.shard.count().get());
        let to = ShardIndex((self.key.hash(dcid.as_bytes()) % count) as u8);
        (to != self.shard.index()).then_some(to)
    }

    /// The shard that may have issued an ID: one that exists, for a slot that it may use.
    fn issuer(&self, id: &[u8]) -> Option<ShardIndex> {
        let Place { shard, handle, .. } = self.key.decode(id.try_into().ok()?);
        let exists = shard.0 < self.shard.count().get();
        (exists && handle.index < self.slots).then_some(shard)
    }

    /// An ID for a client to come back with: at random, but of this shard, which alone can open the token,
    /// and of no connection.
    pub(super) fn retry_id(
        &self,
        rng: &mut Rng,
        is_live: impl FnOnce(ConnectionHandle) -> bool,
    ) -> ConnectionId {
        let Place { mut handle, sequence, .. } = self.key.decode(&rng.array());
        handle.index %= self.slots;
        if is_live(handle) {
            handle.generation = handle.generation.wrapping_add(1 << 15);
        }
        self.key.encode(handle, sequence)
    }
}

/// The destination that a packet names.
fn dcid(datagram: &[u8]) -> Option<&[u8]> {
    if datagram.first()? & LONG == 0 {
        return datagram.get(1..)?.get(..ConnectionId::LEN);
    }
    let (len, rest) = datagram.get(BEFORE_LENGTH..)?.split_first()?;
    rest.get(..usize::from(*len))
}

/// The seed of what the shards of a server do not share.
pub(super) fn shard_seed(seed: &Seed, shard: Shard) -> Seed {
    if shard == Shard::ONLY {
        return seed.clone();
    }
    Rng::new(seed, &format!("shard {}", shard.index().0)).seed()
}
