//! Which connections exist: a slot each, found by the index in their connection IDs.

use crate::cid::{CidKey, MAX_SLOTS};
use crate::ids::ConnectionHandle;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

#[derive(Debug, Default)]
struct Slot {
    generation: u16,
    /// The peer, while the slot is in use.
    remote: Option<SocketAddr>,
}

/// The slots of an endpoint. A slot's generation changes with each use, so that an ID of a connection
/// that is gone leads nowhere. The slot that was freed first is used first: that makes 65,536
/// uses of one slot, after which a generation returns, take as long as possible.
#[derive(Debug)]
pub(super) struct Slots {
    all: Vec<Slot>,
    free: VecDeque<u32>,
    /// Connections by a hash of their peer's address, for stateless resets, which name no connection. Few bytes,
    /// and no set of addresses can be made to collide: the hash has a key.
    peers: BTreeSet<(u32, u32)>,
    key: Arc<CidKey>,
}

impl Slots {
    /// No connections yet. `key` hashes addresses.
    pub(super) const fn new(key: Arc<CidKey>) -> Self {
        Self { all: Vec::new(), free: VecDeque::new(), peers: BTreeSet::new(), key }
    }

    fn hash(&self, remote: SocketAddr) -> u32 {
        let mut bytes = [0; 18];
        let [ip @ .., high, low] = &mut bytes;
        *ip = match remote.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        [*high, *low] = remote.port().to_be_bytes();
        self.key.hash(&bytes)
    }

    /// How many are in use.
    pub(super) fn len(&self) -> usize {
        self.all.len() - self.free.len()
    }

    /// Takes a slot for a connection with `remote`, if fewer than `max` are in use.
    pub(super) fn take(&mut self, remote: SocketAddr, max: u32) -> Option<ConnectionHandle> {
        if self.len() >= max.min(MAX_SLOTS) as usize {
            return None;
        }
        let index = if let Some(index) = self.free.pop_front() {
            index
        } else {
            self.all.push(Slot::default());
            (self.all.len() - 1) as u32
        };
        self.peers.insert((self.hash(remote), index));
        let slot = self.all.get_mut(index as usize)?;
        slot.remote = Some(remote);
        Some(ConnectionHandle { index, generation: slot.generation })
    }

    /// Frees a slot. A handle that is not live does nothing.
    pub(super) fn free(&mut self, handle: ConnectionHandle) {
        if !self.is_live(handle) {
            return;
        }
        let Some(slot) = self.all.get_mut(handle.index as usize) else { return };
        slot.generation = slot.generation.wrapping_add(1);
        if let Some(remote) = slot.remote.take() {
            self.peers.remove(&(self.hash(remote), handle.index));
        }
        self.free.push_back(handle.index);
    }

    /// Whether the handle's connection exists.
    pub(super) fn is_live(&self, handle: ConnectionHandle) -> bool {
        self.all
            .get(handle.index as usize)
            .is_some_and(|slot| slot.remote.is_some() && slot.generation == handle.generation)
    }

    /// The connections with a peer.
    pub(super) fn with_peer(
        &self,
        remote: SocketAddr,
    ) -> impl Iterator<Item = ConnectionHandle> + '_ {
        let hash = self.hash(remote);
        self.peers.range((hash, 0)..=(hash, u32::MAX)).filter_map(move |&(_, index)| {
            let slot = self.all.get(index as usize)?;
            let generation = slot.generation;
            (slot.remote == Some(remote)).then_some(ConnectionHandle { index, generation })
        })
    }
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    use super::*;
    use crate::crypto::Secret;
    use crate::crypto::rustcrypto::RustCrypto;
    use crate::ids::ShardIndex;

    fn slots() -> Slots {
        let key = CidKey::new(&RustCrypto, &Secret::new([1; 32]), ShardIndex(0));
        Slots::new(Arc::new(key))
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn an_old_handle_does_not_reach_the_slots_next_connection() {
        let mut slots = slots();
        let old = slots.take(address(1), 1).unwrap();
        assert!(slots.take(address(2), 1).is_none());
        slots.free(old);
        let new = slots.take(address(2), 1).unwrap();
        assert_eq!(old.index, new.index);
        assert!(!slots.is_live(old) && slots.is_live(new));
        slots.free(old);
        assert!(slots.is_live(new));
    }

    #[test]
    fn connections_are_found_by_their_peer() {
        let mut slots = slots();
        let handles: Vec<_> = [1, 2, 1].map(|port| slots.take(address(port), 9).unwrap()).into();
        let found: Vec<_> = slots.with_peer(address(1)).collect();
        assert_eq!(found, [handles[0], handles[2]]);
        slots.free(handles[0]);
        assert_eq!(slots.with_peer(address(1)).count(), 1);
        // A hash that another address happens to have.
        slots.peers.insert((slots.hash(address(2)), handles[2].index));
        assert_eq!(slots.with_peer(address(2)).collect::<Vec<_>>(), [handles[1]]);
    }
}
