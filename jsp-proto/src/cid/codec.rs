//! Connection IDs that say where their connection is, to whoever has the key, and nothing to
//! anybody else.
//!
//! An ID is the encryption of 64 bits. The endpoint finds the connection by decrypting; nothing is
//! looked up by ID, so nothing needs to be kept in step, and no set of IDs can be made to collide.
//! The cipher is the four-pass algorithm of QUIC-LB (draft-ietf-quic-load-balancers, "Encrypted
//! connection IDs"): a balanced Feistel network of four rounds, whose round function is AES-256
//! over a half, the length and the round's number.
//!
//! ```text
//!   left: shard (8) | slot (24)      right: generation (16) | sequence (16)
//!      |                                |
//!      |-------- F(1, left) ---------->(+)
//!     (+)<------ F(2, right) -----------|       F(i, half) = first 4 bytes of
//!      |-------- F(3, left) ---------->(+)          AES(key, half | zeros (80) | 8 | i)
//!     (+)<------ F(4, right) -----------|
//! ```
//!
//! The shards of a server share the key. Each puts its own index inside what is encrypted, so that any
//! of them can tell whose a datagram is, and nobody else can.
//!
//! It hides, and does not authenticate: a made-up ID decodes to some place, where it must then be
//! found active. It is as strong as 32-bit halves are, some 2^16 IDs seen by one observer
//! (Luby and Rackoff, 1988), which an endpoint's key should not outlive by far.

use crate::crypto::{HeaderKey, KEY_LEN, Provider, SAMPLE_LEN, Secret, Suite};
use crate::ids::{ConnectionHandle, ConnectionId, ShardIndex};
use alloc::boxed::Box;
use core::fmt;
use zeroize::Zeroizing;

/// Length of an ID, as every block of the round function names it.
const LENGTH: u8 = ConnectionId::LEN as u8;
/// The round function's number in [`CidKey::hash`]: none of the cipher's.
const HASH: u8 = 5;

/// How many slots an endpoint has at most: an ID has 24 bits for them.
pub const MAX_SLOTS: u32 = 1 << SLOT_BITS;
const SLOT_BITS: u32 = 24;

/// What an ID says. Any eight bytes say something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The endpoint, among those that share the key.
    pub shard: ShardIndex,
    /// The connection of that endpoint.
    pub handle: ConnectionHandle,
    /// Which of the connection's IDs.
    pub sequence: u16,
}

/// The key of an endpoint's connection IDs.
pub struct CidKey {
    cipher: Box<dyn HeaderKey>,
    shard: ShardIndex,
}

impl CidKey {
    /// The key that follows from `secret`, in the hands of a shard.
    pub fn new(provider: &dyn Provider, secret: &Secret, shard: ShardIndex) -> Self {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        provider.hkdf_expand(secret, b"jsp1 connection id", &mut *key);
        Self { cipher: provider.header_key(Suite::Aes256Gcm, &key), shard }
    }

    /// The ID with this `sequence` number of this shard's connection at `handle`, whose slot is below
    /// [`MAX_SLOTS`].
    pub fn encode(&self, handle: ConnectionHandle, sequence: u16) -> ConnectionId {
        debug_assert!(handle.index < MAX_SLOTS);
        let mut left = (u32::from(self.shard.0) << SLOT_BITS) | (handle.index % MAX_SLOTS);
        let mut right = u32::from(handle.generation) << 16 | u32::from(sequence);
        right ^= self.round(1, left);
        left ^= self.round(2, right);
        right ^= self.round(3, left);
        left ^= self.round(4, right);
        ConnectionId::from((u64::from(left) << 32 | u64::from(right)).to_be_bytes())
    }

    /// What an ID says.
    pub fn decode(&self, id: &[u8; ConnectionId::LEN]) -> Place {
        let id = u64::from_be_bytes(*id);
        let (mut left, mut right) = ((id >> 32) as u32, id as u32);
        left ^= self.round(4, right);
        right ^= self.round(3, left);
        left ^= self.round(2, right);
        right ^= self.round(1, left);
        Place {
            shard: ShardIndex((left >> SLOT_BITS) as u8),
            handle: ConnectionHandle { index: left % MAX_SLOTS, generation: (right >> 16) as u16 },
            sequence: right as u16,
        }
    }

    /// The connection of this shard and the sequence number that give an ID; `None` for those of other
    /// shards.
    pub fn decode_own(&self, id: &[u8; ConnectionId::LEN]) -> Option<(ConnectionHandle, u16)> {
        let place = self.decode(id);
        (place.shard == self.shard).then_some((place.handle, place.sequence))
    }

    /// A number that follows from a few bytes (an ID of any length, an address) and the key, evenly spread to who
    /// does not know the key. Every shard finds the same.
    pub fn hash(&self, bytes: &[u8]) -> u32 {
        bytes.chunks(4).fold(bytes.len() as u32, |state, chunk| {
            let mut word = [0; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            self.round(HASH, state ^ u32::from_be_bytes(word))
        })
    }

    fn round(&self, number: u8, half: u32) -> u32 {
        let mut block = [0; SAMPLE_LEN];
        let [a, b, c, d] = half.to_be_bytes();
        block[..4].copy_from_slice(&[a, b, c, d]);
        block[SAMPLE_LEN - 2..].copy_from_slice(&[LENGTH, number]);
        let [a, b, c, d, _] = self.cipher.mask(&block);
        u32::from_be_bytes([a, b, c, d])
    }
}

impl fmt::Debug for CidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CidKey(..)")
    }
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    use super::*;
    use crate::crypto::rustcrypto::RustCrypto;
    use quickcheck::quickcheck;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    fn key(byte: u8) -> CidKey {
        CidKey::new(&RustCrypto, &Secret::new([byte; 32]), ShardIndex(0))
    }

    fn shard(index: u8) -> CidKey {
        CidKey::new(&RustCrypto, &Secret::new([1; 32]), ShardIndex(index))
    }

    fn handle(index: u32, generation: u16) -> ConnectionHandle {
        ConnectionHandle { index: index % MAX_SLOTS, generation }
    }

    fn bytes(id: ConnectionId) -> [u8; 8] {
        id.as_bytes().try_into().expect("IDs of this engine have eight bytes")
    }

    quickcheck! {
        fn what_was_encoded_decodes(of: u8, index: u32, generation: u16, sequence: u16) -> bool {
            let handle = handle(index, generation);
            let id = bytes(shard(of).encode(handle, sequence));
            shard(of).decode_own(&id) == Some((handle, sequence))
        }

        fn every_shard_sees_whose_an_id_is(of: u8, by: u8, index: u32, sequence: u16) -> bool {
            let handle = handle(index, 7);
            let id = bytes(shard(of).encode(handle, sequence));
            let own = shard(by).decode_own(&id);
            shard(by).decode(&id) == Place { shard: ShardIndex(of), handle, sequence }
                && own.is_some() == (of == by)
        }

        fn every_eight_bytes_are_the_id_of_what_they_decode_to(id: u64) -> bool {
            let Place { shard: of, handle, sequence } = key(1).decode(&id.to_be_bytes());
            bytes(shard(of.0).encode(handle, sequence)) == id.to_be_bytes()
        }

        fn another_key_gives_another_id(index: u32, generation: u16, sequence: u16) -> bool {
            let handle = handle(index, generation);
            key(1).encode(handle, sequence) != key(2).encode(handle, sequence)
        }

        fn a_change_of_any_part_changes_both_halves(index: u32, generation: u16, bit: u8) -> bool {
            let at = handle(index, generation);
            let other = match bit % 64 {
                bit @ 0..24 => key(1).encode(handle(index ^ 1 << bit, generation), 5),
                bit @ 24..32 => shard(1 << (bit - 24)).encode(at, 5),
                bit @ 32..48 => key(1).encode(handle(index, generation ^ 1 << (bit - 32)), 5),
                bit => key(1).encode(at, 5 ^ 1 << (bit - 48)),
            };
            let (one, two) = (bytes(key(1).encode(at, 5)), bytes(other));
            // By chance halves agree once in 2^32.
            one[..4] != two[..4] && one[4..] != two[4..]
        }

        fn all_shards_hash_an_id_alike_and_another_key_does_not(id: Vec<u8>, of: u8) -> bool {
            let id = ConnectionId::new(&id[..id.len().min(20)]).expect("20 bytes at most");
            // By chance two hashes agree once in 2^32.
            shard(of).hash(id.as_bytes()) == key(1).hash(id.as_bytes())
                && (id.as_bytes().is_empty() || key(1).hash(id.as_bytes()) != key(2).hash(id.as_bytes()))
        }
    }

    #[test]
    fn ids_of_neighbouring_connections_show_no_order() {
        let ids: BTreeSet<_> =
            (0..1000u32).map(|index| key(3).encode(handle(index, 0), 0)).collect();
        assert_eq!(ids.len(), 1000);
        let first_bytes: BTreeSet<_> = ids.iter().map(|id| id.as_bytes()[0]).collect();
        assert!(first_bytes.len() > 200, "{}", first_bytes.len());
    }

    #[test]
    fn no_byte_of_an_id_shows_its_shard() {
        for at in 0..ConnectionId::LEN {
            let seen = |of| -> BTreeSet<u8> {
                let ids = (0..1000).map(|index| shard(of).encode(handle(index, 0), 0));
                ids.map(|id| id.as_bytes()[at]).collect()
            };
            // A thousand draws of 256 values leave some five out.
            assert!(seen(0).len() > 230 && seen(1).len() > 230);
        }
    }

    #[test]
    fn hashes_are_spread_evenly() {
        let mut counts = [0; 4];
        for n in 0..4000u64 {
            let id = ConnectionId::from(n.to_be_bytes());
            counts[(key(1).hash(id.as_bytes()) % 4) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
    }
}
