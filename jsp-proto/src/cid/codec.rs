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
//!   left: slot (32)        right: generation (16) | sequence (16)
//!      |                      |
//!      |----- F(1, left) --->(+)
//!     (+)<--- F(2, right) ----|         F(i, half) = first 4 bytes of
//!      |----- F(3, left) --->(+)            AES(key, half | zeros (80) | 8 | i)
//!     (+)<--- F(4, right) ----|
//! ```
//!
//! It hides, and does not authenticate: a made-up ID decodes to some place, where it must then be
//! found active. It is as strong as 32-bit halves are, some 2^16 IDs seen by one observer
//! (Luby and Rackoff, 1988), which an endpoint's key should not outlive by far.

use crate::crypto::{HeaderKey, KEY_LEN, Provider, SAMPLE_LEN, Secret, Suite};
use crate::ids::{ConnectionHandle, ConnectionId};
use alloc::boxed::Box;
use core::fmt;
use zeroize::Zeroizing;

/// Length of an ID, as every block of the round function names it.
const LENGTH: u8 = ConnectionId::LEN as u8;

/// The key of an endpoint's connection IDs.
pub struct CidKey {
    cipher: Box<dyn HeaderKey>,
}

impl CidKey {
    /// The key that follows from `secret`.
    pub fn new(provider: &dyn Provider, secret: &Secret) -> Self {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        provider.hkdf_expand(secret, b"jsp1 connection id", &mut *key);
        Self { cipher: provider.header_key(Suite::Aes256Gcm, &key) }
    }

    /// The ID with this `sequence` number of the connection at `handle`.
    pub fn encode(&self, handle: ConnectionHandle, sequence: u16) -> ConnectionId {
        let mut left = handle.index;
        let mut right = u32::from(handle.generation) << 16 | u32::from(sequence);
        right ^= self.round(1, left);
        left ^= self.round(2, right);
        right ^= self.round(3, left);
        left ^= self.round(4, right);
        ConnectionId::from((u64::from(left) << 32 | u64::from(right)).to_be_bytes())
    }

    /// The connection and the sequence number that give this ID. Any eight bytes decode.
    pub fn decode(&self, id: &[u8; ConnectionId::LEN]) -> (ConnectionHandle, u16) {
        let id = u64::from_be_bytes(*id);
        let (mut left, mut right) = ((id >> 32) as u32, id as u32);
        left ^= self.round(4, right);
        right ^= self.round(3, left);
        left ^= self.round(2, right);
        right ^= self.round(1, left);
        (ConnectionHandle { index: left, generation: (right >> 16) as u16 }, right as u16)
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

    fn key(byte: u8) -> CidKey {
        CidKey::new(&RustCrypto, &Secret::new([byte; 32]))
    }

    fn bytes(id: ConnectionId) -> [u8; 8] {
        id.as_bytes().try_into().expect("IDs of this engine have eight bytes")
    }

    quickcheck! {
        fn what_was_encoded_decodes(index: u32, generation: u16, sequence: u16) -> bool {
            let handle = ConnectionHandle { index, generation };
            key(1).decode(&bytes(key(1).encode(handle, sequence))) == (handle, sequence)
        }

        fn every_eight_bytes_are_the_id_of_what_they_decode_to(id: u64) -> bool {
            let (handle, sequence) = key(1).decode(&id.to_be_bytes());
            bytes(key(1).encode(handle, sequence)) == id.to_be_bytes()
        }

        fn another_key_gives_another_id(index: u32, generation: u16, sequence: u16) -> bool {
            let handle = ConnectionHandle { index, generation };
            key(1).encode(handle, sequence) != key(2).encode(handle, sequence)
        }

        fn a_change_of_any_part_changes_both_halves(index: u32, generation: u16, bit: u8) -> bool {
            let handle = ConnectionHandle { index, generation };
            let changed = match bit % 64 {
                bit @ 0..32 => (ConnectionHandle { index: index ^ 1 << bit, generation }, 5),
                bit @ 32..48 => {
                    (ConnectionHandle { index, generation: generation ^ 1 << (bit - 32) }, 5)
                }
                bit => (handle, 5 ^ 1 << (bit - 48)),
            };
            let (one, two) = (bytes(key(1).encode(handle, 5)), bytes(key(1).encode(changed.0, changed.1)));
            // By chance halves agree once in 2^32.
            one[..4] != two[..4] && one[4..] != two[4..]
        }
    }

    #[test]
    fn ids_of_neighbouring_connections_show_no_order() {
        let ids: BTreeSet<_> = (0..1000u32)
            .map(|index| key(3).encode(ConnectionHandle { index, generation: 0 }, 0))
            .collect();
        assert_eq!(ids.len(), 1000);
        let first_bytes: BTreeSet<_> = ids.iter().map(|id| id.as_bytes()[0]).collect();
        assert!(first_bytes.len() > 200, "{}", first_bytes.len());
    }
}
