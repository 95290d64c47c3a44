//! The connection IDs that this end gave to the peer.
//!
//! IDs are not stored: they follow from the handle and their sequence number. What is stored is
//! which sequence numbers are active, at most four, and which of them have still to be told.

use super::codec::CidKey;
use super::reset::ResetKey;
use crate::error::{Code, TransportError};
use crate::ids::{ConnectionHandle, ConnectionId};
use crate::wire::frame::{NewConnectionId, ResetToken, kind};
use alloc::sync::Arc;

/// How many IDs a connection has given out at a time: one in use and three for what may come. Each costs both ends
/// memory for as long as the connection lives.
pub(super) const MAX_ISSUED: usize = 4;

const NEVER_ISSUED: TransportError =
    TransportError::new(Code::PROTOCOL_VIOLATION, "retires a connection ID that was never issued")
        .in_frame(kind::RETIRE_CONNECTION_ID);
const IN_USE: TransportError =
    TransportError::new(Code::PROTOCOL_VIOLATION, "retires the connection ID that it came to")
        .in_frame(kind::RETIRE_CONNECTION_ID);

/// An ID that the peer may use.
#[derive(Clone, Copy, Debug)]
struct Active {
    sequence: u16,
    /// Whether a NEW_CONNECTION_ID with it has still to be sent.
    to_send: bool,
}

/// The connection IDs that this end gave to the peer: at most four are active, and at most 65,536
/// are ever given.
#[derive(Debug)]
pub struct LocalIds {
    handle: ConnectionHandle,
    key: Arc<CidKey>,
    reset: Arc<ResetKey>,
    slots: [Option<Active>; MAX_ISSUED],
    /// The sequence number of the next ID; beyond 16 bits there is none.
    next_sequence: u32,
    /// How many the peer stores, and this end is willing to have active.
    limit: usize,
    /// Whether the peer should be told of an ID: asked with every packet, so it is kept.
    due: bool,
    /// The ID that the last packet came to: telling it again takes a comparison, not a decryption.
    recent: Option<(ConnectionId, u16)>,
}

impl LocalIds {
    /// The first ID of the connection at `handle`. No other is issued before the peer's limit is
    /// [known](Self::set_peer_limit).
    pub fn new(handle: ConnectionHandle, key: Arc<CidKey>, reset: Arc<ResetKey>) -> Self {
        let mut slots = [None; MAX_ISSUED];
        slots[0] = Some(Active { sequence: 0, to_send: false });
        Self { handle, key, reset, slots, next_sequence: 1, limit: 1, due: false, recent: None }
    }

    /// The ID of sequence number 0, which the handshake tells.
    pub fn first(&self) -> ConnectionId {
        self.key.encode(self.handle, 0)
    }

    /// The reset token of the first ID.
    pub fn first_reset_token(&self) -> ResetToken {
        self.reset.token(&self.first())
    }

    /// Whether `id` is one that the peer may use.
    pub fn is_active(&mut self, id: &ConnectionId) -> bool {
        if self.recent.is_some_and(|(recent, _)| recent == *id) {
            return true;
        }
        let Ok(bytes) = id.as_bytes().try_into() else { return false };
        let Some((handle, sequence)) = self.key.decode_own(bytes) else { return false };
        let active = handle == self.handle && self.slot(u64::from(sequence)).is_some();
        if active {
            self.recent = Some((*id, sequence));
        }
        active
    }

    /// How many IDs are active.
    pub fn active(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    /// The peer stores `limit` IDs. No more than four are used of it.
    pub fn set_peer_limit(&mut self, limit: u64) {
        self.limit = usize::try_from(limit).map_or(MAX_ISSUED, |limit| limit.min(MAX_ISSUED));
        self.review();
    }

    /// Whether [`next_to_issue`](Self::next_to_issue) has one.
    pub const fn has_issue(&self) -> bool {
        self.due
    }

    /// Looks whether there is an ID to issue, after anything has changed that this depends on.
    fn review(&mut self) {
        let room = self.active() < self.limit && u16::try_from(self.next_sequence).is_ok();
        self.due = room || self.slots.iter().flatten().any(|active| active.to_send);
    }

    /// The next ID that the peer should be told of, for the first time or again after a loss. It
    /// counts as told.
    #[cold]
    pub fn next_to_issue(&mut self) -> Option<NewConnectionId> {
        let next = self.issue();
        self.review();
        next
    }

    fn issue(&mut self) -> Option<NewConnectionId> {
        let lost = self.slots.iter_mut().flatten().filter(|active| active.to_send);
        if let Some(active) = lost.min_by_key(|active| active.sequence) {
            active.to_send = false;
            let sequence = active.sequence;
            return Some(self.frame(sequence));
        }
        if self.active() >= self.limit {
            return None;
        }
        let sequence = u16::try_from(self.next_sequence).ok()?;
        let slot = self.slots.iter_mut().find(|slot| slot.is_none())?;
        *slot = Some(Active { sequence, to_send: false });
        self.next_sequence += 1;
        Some(self.frame(sequence))
    }

    /// The NEW_CONNECTION_ID with this sequence number was lost.
    pub fn on_lost(&mut self, sequence: u64) {
        if let Some(active) = self.slot(sequence) {
            active.to_send = true;
            self.due = true;
        }
    }

    /// The peer retired an ID, in a packet that came to `packet_dcid`. A retirement that is repeated
    /// changes nothing.
    pub fn on_retire(
        &mut self,
        sequence: u64,
        packet_dcid: &ConnectionId,
    ) -> Result<(), TransportError> {
        if sequence >= u64::from(self.next_sequence) {
            return Err(NEVER_ISSUED);
        }
        let Some(slot) = self.slots.iter_mut().find(|slot| is(**slot, sequence)) else {
            return Ok(());
        };
        // RFC 9000, section 19.16.
        if self.key.encode(self.handle, sequence as u16) == *packet_dcid {
            return Err(IN_USE);
        }
        *slot = None;
        self.review();
        if self.recent.is_some_and(|(_, recent)| u64::from(recent) == sequence) {
            self.recent = None;
        }
        Ok(())
    }

    fn slot(&mut self, sequence: u64) -> Option<&mut Active> {
        self.slots.iter_mut().find(|slot| is(**slot, sequence))?.as_mut()
    }

    fn frame(&self, sequence: u16) -> NewConnectionId {
        let id = self.key.encode(self.handle, sequence);
        NewConnectionId {
            sequence: u64::from(sequence),
            retire_prior_to: 0,
            id,
            reset_token: self.reset.token(&id),
        }
    }
}

fn is(slot: Option<Active>, sequence: u64) -> bool {
    slot.is_some_and(|active| u64::from(active.sequence) == sequence)
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    use super::*;
    use crate::crypto::Secret;
    use crate::crypto::rustcrypto::RustCrypto;
    use crate::ids::ShardIndex;
    use std::vec::Vec;

    const ELSEWHERE: ConnectionId = ConnectionId::EMPTY;

    fn ids(index: u32) -> LocalIds {
        let key = CidKey::new(&RustCrypto, &Secret::new([1; 32]), ShardIndex(0));
        let reset = ResetKey::new(Arc::new(RustCrypto), Secret::new([2; 32]));
        let handle = ConnectionHandle { index, generation: 3 };
        LocalIds::new(handle, Arc::new(key), Arc::new(reset))
    }

    fn issue_all(ids: &mut LocalIds) -> Vec<NewConnectionId> {
        core::iter::from_fn(|| ids.next_to_issue()).collect()
    }

    #[test]
    fn nothing_is_issued_before_the_peers_limit_is_known() {
        let mut ids = ids(1);
        assert_eq!(ids.next_to_issue(), None);
        let first = ids.first();
        assert!(ids.is_active(&first));
    }

    #[test]
    fn no_more_are_active_than_the_peer_stores_nor_than_four() {
        for (limit, issued) in [(0, 0), (1, 0), (2, 1), (4, 3), (5, 3), (u64::MAX, 3)] {
            let mut ids = ids(1);
            ids.set_peer_limit(limit);
            let frames = issue_all(&mut ids);
            assert_eq!(frames.len(), issued);
            assert_eq!(ids.active(), issued + 1);
            let sequences: Vec<_> = frames.iter().map(|frame| frame.sequence).collect();
            assert_eq!(sequences, (1..=issued as u64).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_id_is_active_from_its_issue_to_its_retirement() {
        let (mut mine, mut other) = (ids(1), ids(2));
        mine.set_peer_limit(4);
        for frame in issue_all(&mut mine) {
            assert!(mine.is_active(&frame.id));
            assert!(!other.is_active(&frame.id));
            assert_ne!(frame.id, mine.first());
            mine.on_retire(frame.sequence, &ELSEWHERE).unwrap();
            assert!(!mine.is_active(&frame.id));
        }
        let unissued = mine.key.encode(mine.handle, 4);
        assert!(!mine.is_active(&unissued));
        assert!(!mine.is_active(&ConnectionId::EMPTY));
        assert!(!mine.is_active(&ConnectionId::new(&[0; 20]).unwrap()));
    }

    #[test]
    fn a_retired_id_is_replaced_once_however_often_it_is_retired() {
        let mut ids = ids(1);
        ids.set_peer_limit(3);
        assert_eq!(issue_all(&mut ids).len(), 2);
        for _ in 0..3 {
            ids.on_retire(1, &ELSEWHERE).unwrap();
        }
        let replaced = issue_all(&mut ids);
        assert_eq!(replaced.len(), 1);
        assert_eq!(replaced[0].sequence, 3);
    }

    #[test]
    fn a_lost_id_is_told_again_unless_it_was_retired() {
        let mut ids = ids(1);
        ids.set_peer_limit(3);
        let frames = issue_all(&mut ids);
        ids.on_lost(2);
        ids.on_lost(1);
        assert_eq!(issue_all(&mut ids), frames, "the same, the oldest first");
        ids.on_retire(1, &ELSEWHERE).unwrap();
        ids.on_lost(1);
        ids.on_lost(77);
        assert_eq!(ids.next_to_issue().unwrap().sequence, 3);
        assert_eq!(ids.next_to_issue(), None);
    }

    #[test]
    fn retiring_what_was_never_issued_or_is_in_use_ends_the_connection() {
        let mut ids = ids(1);
        ids.set_peer_limit(2);
        for sequence in [1, 2, 1 << 20, u64::MAX] {
            assert_eq!(ids.on_retire(sequence, &ELSEWHERE), Err(NEVER_ISSUED));
        }
        let first = ids.first();
        assert_eq!(ids.on_retire(0, &first), Err(IN_USE));
        assert!(ids.is_active(&first));
        issue_all(&mut ids);
        assert_eq!(ids.on_retire(0, &ELSEWHERE), Ok(()));
        assert_eq!(ids.on_retire(2, &ELSEWHERE), Err(NEVER_ISSUED));
    }

    #[test]
    fn a_peer_that_retires_without_end_gets_65536_ids_and_no_more() {
        let mut ids = ids(1);
        ids.set_peer_limit(u64::MAX);
        let mut issued = 1;
        // The oldest stays: what is active lies far apart.
        while let Some(frame) = ids.next_to_issue() {
            issued += 1;
            assert!(ids.active() <= MAX_ISSUED);
            ids.on_retire(frame.sequence, &ELSEWHERE).unwrap();
        }
        assert_eq!(issued, 1 << 16);
        let first = ids.first();
        assert!(ids.is_active(&first));
    }
}
