//! Packets that came before their keys: those of a handshake may overtake one another.

use crate::record::{Held, Received};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// How many packets that came before their keys are kept.
const MAX_DEFERRED: usize = 8;
/// The longest such packet, in bytes.
const MAX_DEFERRED_LEN: usize = 1500;

/// Packets whose keys are not there yet: the handshake's packets may overtake one another.
#[derive(Debug, Default)]
pub(super) struct Deferred {
    packets: VecDeque<(Vec<u8>, Received)>,
}

impl Deferred {
    /// Keeps a packet; tells whether there was room.
    pub(super) fn push(&mut self, packet: &[u8], meta: &Received) -> bool {
        let room = self.packets.len() < MAX_DEFERRED && packet.len() <= MAX_DEFERRED_LEN;
        if room {
            self.packets.push_back((packet.to_vec(), *meta));
        }
        room
    }

    /// The memory that they take, by capacity; none without `this`.
    pub(super) fn held(this: Option<&Self>) -> Held {
        let packets = this.into_iter().flat_map(|this| &this.packets);
        let bytes = packets.map(|(packet, _)| packet.capacity()).sum();
        Held::new(bytes, MAX_DEFERRED * MAX_DEFERRED_LEN)
    }

    /// How many are kept.
    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    /// The oldest.
    pub(super) fn pop(&mut self) -> Option<(Vec<u8>, Received)> {
        self.packets.pop_front()
    }
}
