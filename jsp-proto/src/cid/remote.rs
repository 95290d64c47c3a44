//! The connection IDs that the peer gave to this end.
//!
//! ```text
//!   retired, and told so | retired, not yet acknowledged | current, spare, missing, spare, ...
//!  ----------------------|-------------------------------|---------------------------------------
//!                    unacked_from                     offset                        offset + 8
//! ```
//!
//! IDs are used and retired in the order of their sequence numbers, so that a number says whether
//! its ID is still of use. Neither part grows: a peer that issues more than eight, or has more than
//! 32 retired without acknowledging it, ends the connection (RFC 9000, sections 5.1.1 and 5.1.2).

use crate::error::{Code, TransportError};
use crate::ids::ConnectionId;
use crate::wire::frame::{NewConnectionId, RESET_TOKEN_LEN, ResetToken, kind};
use alloc::vec::Vec;

/// How many IDs of the peer a connection holds: what it says in its parameters.
pub const MAX_ACTIVE: usize = 8;

/// As many IDs in reserve as this engine issues: room for more is made when more come.
const RESERVE: usize = super::local::MAX_ISSUED - 1;

/// How many retirements may be unacknowledged.
const MAX_UNACKED: u64 = 32;

const fn violation(code: Code, reason: &'static str) -> TransportError {
    TransportError::new(code, reason).in_frame(kind::NEW_CONNECTION_ID)
}

const UNUSED: TransportError =
    violation(Code::PROTOCOL_VIOLATION, "issues connection IDs, and uses none");
const CONFLICT: TransportError =
    violation(Code::PROTOCOL_VIOLATION, "connection ID issued twice, and differently");
const TOO_MANY: TransportError =
    violation(Code::CONNECTION_ID_LIMIT, "more connection IDs than are stored");
const TOO_MANY_RETIRED: TransportError =
    violation(Code::CONNECTION_ID_LIMIT, "more connection IDs to retire than are remembered");

/// An ID that this end may use.
#[derive(Clone, Copy, Debug)]
struct Entry {
    id: ConnectionId,
    reset_token: Option<ResetToken>,
}

/// An ID that came and is not used yet.
#[derive(Clone, Copy, Debug)]
struct Spare {
    sequence: u64,
    id: ConnectionId,
    reset_token: ResetToken,
}

/// The connection IDs that the peer gave to this end.
#[derive(Clone, Debug)]
pub struct RemoteIds {
    /// The ID in use.
    current: Entry,
    /// Its sequence number. Everything below was retired.
    offset: u64,
    /// Those of sequence numbers in `offset + 1..offset + 8` that came, in their order.
    spare: Vec<Spare>,
    /// Everything below was retired, and the peer knows it.
    unacked_from: u64,
    /// Bit `i`: the retirement of `unacked_from + i` is not acknowledged.
    unacked: u64,
    /// Those of them that have to be sent, for the first time or again.
    to_send: u64,
}

impl RemoteIds {
    /// A table with the ID of sequence number 0.
    pub const fn new(first: ConnectionId) -> Self {
        Self {
            current: Entry { id: first, reset_token: None },
            offset: 0,
            spare: Vec::new(),
            unacked_from: 0,
            unacked: 0,
            to_send: 0,
        }
    }

    /// Replaces the ID of sequence number 0 during the handshake: by the server's choice, or by a
    /// Retry's. Nothing is changed once it was retired.
    pub const fn set_first(&mut self, id: ConnectionId) {
        if self.offset == 0 {
            self.current = Entry { id, reset_token: None };
        }
    }

    /// The reset token of the ID of sequence number 0, from the server's parameters.
    pub const fn set_first_reset_token(&mut self, token: ResetToken) {
        if self.offset == 0 {
            self.current.reset_token = Some(token);
        }
    }

    /// The ID to send to.
    pub const fn current(&self) -> ConnectionId {
        self.current.id
    }

    /// What a stateless reset of this connection ends with, if the peer said so.
    pub const fn reset_token(&self) -> Option<ResetToken> {
        self.current.reset_token
    }

    /// Whether a datagram with these last bytes is a stateless reset, in constant time. Tokens of
    /// IDs that are not used yet, or are retired, do not count (RFC 9000, section 10.3.1).
    pub fn matches_reset(&self, last: &[u8; RESET_TOKEN_LEN]) -> bool {
        self.current.reset_token.is_some_and(|token| token == ResetToken(*last))
    }

    /// Takes an ID that the peer issued, and retires what it wants retired; the current ID may
    /// change by it. An ID that came before, or that was retired before it came, changes nothing.
    pub fn on_new(&mut self, frame: &NewConnectionId) -> Result<(), TransportError> {
        if self.current.id == ConnectionId::EMPTY {
            return Err(UNUSED);
        }
        if self.conflicts(frame) {
            return Err(CONFLICT);
        }
        // What the frame retires makes room for what it brings (RFC 9000, section 5.1.1).
        let oldest = self.offset.max(frame.retire_prior_to.min(frame.sequence));
        if frame.sequence.saturating_sub(oldest) >= MAX_ACTIVE as u64 {
            return Err(TOO_MANY);
        }
        if frame.sequence <= self.offset {
            return Ok(());
        }
        self.spare.retain(|spare| spare.sequence >= oldest);
        self.keep(frame);
        if oldest > self.offset { self.advance(oldest).map(drop) } else { Ok(()) }
    }

    /// Keeps an ID for later, if it has not come before.
    fn keep(&mut self, frame: &NewConnectionId) {
        let &NewConnectionId { sequence, id, reset_token, .. } = frame;
        if let Err(at) = self.spare.binary_search_by_key(&sequence, |spare| spare.sequence) {
            if self.spare.len() == self.spare.capacity() {
                self.spare.reserve_exact(RESERVE);
            }
            self.spare.insert(at, Spare { sequence, id, reset_token });
        }
    }

    /// Retires the current ID and goes on to the next one; tells whether there was one.
    pub fn rotate(&mut self) -> bool {
        self.advance(self.offset + 1).unwrap_or(false)
    }

    /// Whether the frame contradicts an ID that is active (RFC 9000, section 19.15).
    fn conflicts(&self, frame: &NewConnectionId) -> bool {
        self.active().any(|(sequence, id, reset_token)| {
            let same_id = id == frame.id;
            let other_token = reset_token.is_some_and(|token| token != frame.reset_token);
            (sequence == frame.sequence) != same_id || same_id && other_token
        })
    }

    /// The active IDs with their sequence numbers, in their order, and their tokens.
    fn active(&self) -> impl Iterator<Item = (u64, ConnectionId, Option<ResetToken>)> {
        let current = (self.offset, self.current.id, self.current.reset_token);
        let spare =
            self.spare.iter().map(|spare| (spare.sequence, spare.id, Some(spare.reset_token)));
        core::iter::once(current).chain(spare)
    }

    /// Goes on to the first ID from sequence number `from` on, and retires all before it, those
    /// included that never came: the peer issued them, and waits. False, and nothing is changed, if
    /// there is none.
    fn advance(&mut self, from: u64) -> Result<bool, TransportError> {
        let at = self.spare.partition_point(|spare| spare.sequence < from);
        let Some(&Spare { sequence: to, id, reset_token }) = self.spare.get(at) else {
            return Ok(false);
        };
        if to - self.unacked_from > MAX_UNACKED {
            return Err(TOO_MANY_RETIRED);
        }
        self.spare.drain(..=at);
        self.current = Entry { id, reset_token: Some(reset_token) };
        let bit = |sequence| 1u64 << (sequence - self.unacked_from);
        let retired = bit(to) - bit(self.offset);
        self.unacked |= retired;
        self.to_send |= retired;
        self.offset = to;
        Ok(true)
    }

    /// Whether [`next_retirement`](Self::next_retirement) has one.
    pub const fn has_retirement(&self) -> bool {
        self.to_send != 0
    }

    /// The next sequence number to send a RETIRE_CONNECTION_ID of. It counts as sent.
    pub const fn next_retirement(&mut self) -> Option<u64> {
        if self.to_send == 0 {
            return None;
        }
        let first = self.to_send.trailing_zeros() as u64;
        self.to_send ^= 1 << first;
        Some(self.unacked_from + first)
    }

    /// The RETIRE_CONNECTION_ID of this sequence number was lost.
    pub fn on_retire_lost(&mut self, sequence: u64) {
        self.to_send |= self.bit(sequence) & self.unacked;
    }

    /// The RETIRE_CONNECTION_ID of this sequence number was acknowledged.
    pub fn on_retire_acked(&mut self, sequence: u64) {
        let bit = self.bit(sequence);
        self.unacked &= !bit;
        self.to_send &= !bit;
        let waiting = u64::from(self.unacked.trailing_zeros());
        let known = waiting.min(self.offset - self.unacked_from);
        self.unacked >>= known;
        self.to_send >>= known;
        self.unacked_from += known;
    }

    /// The bit of a retired ID, as far back as there are bits; 0 for any other.
    fn bit(&self, sequence: u64) -> u64 {
        if (self.unacked_from..self.offset).contains(&sequence) {
            1 << (sequence - self.unacked_from)
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;
    use std::collections::BTreeSet;

    fn id(sequence: u64) -> ConnectionId {
        ConnectionId::from((sequence | 1 << 63).to_be_bytes())
    }

    fn token(sequence: u64) -> [u8; RESET_TOKEN_LEN] {
        [sequence as u8 ^ 0x55; RESET_TOKEN_LEN]
    }

    fn frame(sequence: u64, retire_prior_to: u64) -> NewConnectionId {
        let reset_token = ResetToken(token(sequence));
        NewConnectionId { sequence, retire_prior_to, id: id(sequence), reset_token }
    }

    fn retirements(ids: &mut RemoteIds) -> Vec<u64> {
        core::iter::from_fn(|| ids.next_retirement()).collect()
    }

    /// A table that holds eight IDs.
    fn full() -> RemoteIds {
        let mut ids = RemoteIds::new(id(0));
        (1..8).for_each(|sequence| ids.on_new(&frame(sequence, 0)).unwrap());
        ids
    }

    #[test]
    fn the_first_id_is_replaced_during_the_handshake_only() {
        let mut ids = RemoteIds::new(id(50));
        ids.set_first(id(0));
        ids.set_first_reset_token(ResetToken(token(0)));
        assert_eq!(ids.current(), id(0));
        assert!(ids.matches_reset(&token(0)));
        ids.on_new(&frame(1, 1)).unwrap();
        ids.set_first(id(50));
        ids.set_first_reset_token(ResetToken(token(50)));
        assert_eq!(ids.current(), id(1));
        assert_eq!(ids.reset_token(), Some(ResetToken(token(1))));
    }

    #[test]
    fn more_than_eight_ids_end_the_connection() {
        let mut ids = full();
        assert_eq!(ids.on_new(&frame(8, 0)), Err(TOO_MANY));
        assert_eq!(RemoteIds::new(id(0)).on_new(&frame(8, 0)), Err(TOO_MANY));
        assert_eq!(RemoteIds::new(id(0)).on_new(&frame(u64::MAX >> 2, 0)), Err(TOO_MANY));
        // One that retires an older one is no more than eight.
        ids.on_new(&frame(8, 1)).unwrap();
        assert_eq!(ids.active().count(), 8);
        assert_eq!(ids.on_new(&frame(9, 0)), Err(TOO_MANY));
    }

    #[test]
    fn duplicates_change_nothing() {
        let mut ids = full();
        for sequence in (1..8).chain(1..8) {
            ids.on_new(&frame(sequence, 0)).unwrap();
        }
        assert_eq!(ids.active().count(), 8);
        assert_eq!(ids.current(), id(0));
        ids.on_new(&frame(7, 5)).unwrap();
        assert_eq!(retirements(&mut ids), [0, 1, 2, 3, 4]);
        for sequence in 0..5 {
            ids.on_new(&frame(sequence, 0)).unwrap();
        }
        assert_eq!(ids.current(), id(5));
        assert_eq!(ids.next_retirement(), None, "told once");
    }

    #[test]
    fn one_number_with_two_ids_or_one_id_with_two_numbers_ends_the_connection() {
        for known in 0..8 {
            let other_id = NewConnectionId { id: id(77), ..frame(known, 0) };
            assert_eq!(full().on_new(&other_id), Err(CONFLICT));
            let other_number = NewConnectionId { id: id(known), ..frame(8, 8) };
            assert_eq!(full().on_new(&other_number), Err(CONFLICT));
        }
        let other_token = NewConnectionId { reset_token: ResetToken([0; 16]), ..frame(3, 0) };
        assert_eq!(full().on_new(&other_token), Err(CONFLICT));
    }

    #[test]
    fn a_peer_without_ids_cannot_issue_any() {
        assert_eq!(RemoteIds::new(ConnectionId::EMPTY).on_new(&frame(1, 0)), Err(UNUSED));
    }

    #[test]
    fn retirement_moves_on_to_the_first_id_that_came() {
        let mut ids = RemoteIds::new(id(0));
        ids.on_new(&frame(5, 3)).unwrap();
        assert_eq!(ids.current(), id(5));
        // 3 and 4 have not come; when they do, they are retired already.
        assert_eq!(retirements(&mut ids), [0, 1, 2, 3, 4]);
        ids.on_new(&frame(4, 3)).unwrap();
        ids.on_new(&frame(3, 3)).unwrap();
        assert_eq!((ids.current(), ids.active().count()), (id(5), 1));
        assert_eq!(ids.next_retirement(), None);
    }

    #[test]
    fn a_jump_of_what_to_retire_is_bounded() {
        let mut ids = full();
        assert_eq!(ids.clone().on_new(&frame(33, 33)), Err(TOO_MANY_RETIRED));
        let far = u64::MAX >> 2;
        assert_eq!(ids.clone().on_new(&frame(far, far)), Err(TOO_MANY_RETIRED));
        ids.on_new(&frame(32, 32)).unwrap();
        assert_eq!(retirements(&mut ids), (0..32).collect::<Vec<_>>());
        assert_eq!((ids.current(), ids.active().count()), (id(32), 1));
    }

    #[test]
    fn a_peer_that_acknowledges_no_retirement_is_closed_after_32() {
        let mut ids = RemoteIds::new(id(0));
        for sequence in 1..=32 {
            ids.on_new(&frame(sequence, sequence)).unwrap();
            assert_eq!(retirements(&mut ids), [sequence - 1]);
        }
        assert_eq!(ids.clone().on_new(&frame(33, 33)), Err(TOO_MANY_RETIRED));
        assert!(ids.clone().on_new(&frame(33, 0)).is_ok());
        // One that does acknowledge goes on for ever.
        for sequence in 33..1000 {
            ids.on_retire_acked(sequence - 33);
            ids.on_new(&frame(sequence, sequence)).unwrap();
            assert_eq!(retirements(&mut ids), [sequence - 1]);
        }
    }

    #[test]
    fn a_lost_retirement_is_sent_again_until_it_is_acknowledged() {
        let mut ids = full();
        ids.on_new(&frame(7, 4)).unwrap();
        assert_eq!(retirements(&mut ids), [0, 1, 2, 3]);
        ids.on_retire_acked(1);
        for lost in [2, 0, 1, 6, 1 << 40] {
            ids.on_retire_lost(lost);
        }
        assert_eq!(retirements(&mut ids), [0, 2]);
        for acked in [0, 0, 2, 3, 7, 1 << 40] {
            ids.on_retire_acked(acked);
        }
        assert_eq!(ids.unacked_from, 4);
        ids.on_retire_lost(3);
        assert_eq!(ids.next_retirement(), None);
    }

    #[test]
    fn an_acknowledgement_leaves_what_has_still_to_be_sent() {
        let mut ids = full();
        ids.on_new(&frame(7, 2)).unwrap();
        assert_eq!(ids.next_retirement(), Some(0));
        ids.on_retire_acked(0);
        assert_eq!(retirements(&mut ids), [1]);
    }

    #[test]
    fn rotation_uses_every_id_once_in_order() {
        let mut ids = full();
        for sequence in 1..8 {
            assert!(ids.rotate());
            assert_eq!(ids.current(), id(sequence));
            assert!(ids.matches_reset(&token(sequence)));
            assert!(!ids.matches_reset(&token(sequence - 1)), "retired");
            assert!(!ids.matches_reset(&token(sequence + 1)), "not used yet");
        }
        assert!(!ids.rotate(), "none left");
        assert_eq!(retirements(&mut ids), (0..7).collect::<Vec<_>>());
        ids.on_new(&frame(8, 0)).unwrap();
        assert!(ids.rotate());
    }

    quickcheck! {
        /// A peer that keeps to the rules, over a network that does not: whatever is lost, doubled
        /// and reordered, nothing is refused, and every ID is retired once in the end.
        fn an_honest_peer_is_never_refused(steps: Vec<(u8, u8)>) -> bool {
            let mut ids = RemoteIds::new(id(0));
            // The peer's view: what it issued, and what it knows to be retired.
            let (mut issued, mut known) = (1u64, BTreeSet::new());
            let (mut frames, mut in_flight) = (Vec::new(), Vec::new());
            for (step, pick) in steps {
                match step % 6 {
                    0 | 1 if issued - known.len() as u64 <= 7 => {
                        frames.push(frame(issued, 0));
                        issued += 1;
                    }
                    2 | 3 if !frames.is_empty() => {
                        // Delivered, perhaps not for the last time.
                        let at = usize::from(pick) % frames.len();
                        if ids.on_new(&frames[at]).is_err() {
                            return false;
                        }
                        if pick % 3 != 0 {
                            frames.remove(at);
                        }
                    }
                    4 => drop(ids.rotate()),
                    _ => {
                        in_flight.extend(core::iter::from_fn(|| ids.next_retirement()));
                        if let Some(sequence) = in_flight.pop() {
                            if pick % 4 == 0 {
                                ids.on_retire_lost(sequence);
                            } else {
                                known.insert(sequence);
                                ids.on_retire_acked(sequence);
                            }
                        }
                    }
                }
                let active: BTreeSet<_> = ids.active().map(|(sequence, ..)| sequence).collect();
                if active.len() > MAX_ACTIVE || !active.is_disjoint(&known) {
                    return false;
                }
            }
            in_flight.extend(core::iter::from_fn(|| ids.next_retirement()));
            in_flight.iter().all(|&sequence| known.insert(sequence))
                && known == (0..ids.offset).collect()
        }
    }
}
