//! The integrity tag of a Retry (RFC 9001, section 5.8): it shows that the sender saw the client's
//! Initial, and catches accidents. Anybody can compute it.

use crate::crypto::{KEY_LEN, NONCE_LEN, Provider, Suite, TAG_LEN};
use crate::ids::ConnectionId;
use alloc::vec::Vec;
use subtle::ConstantTimeEq;

/// HKDF-Expand-Label(SHA-256("jsp1 retry"), "key", "", 32).
const KEY: [u8; KEY_LEN] = [
    0xdf, 0x56, 0xd1, 0xc6, 0xa9, 0x36, 0x3a, 0x64, 0xd6, 0x2c, 0x6e, 0x7c, 0xea, 0x89, 0x4c, 0xd9,
    0x87, 0x5b, 0x68, 0xe7, 0x9a, 0xe6, 0xc3, 0x7b, 0x7c, 0x0b, 0x22, 0xe2, 0x24, 0x44, 0x7a, 0x59,
];
/// HKDF-Expand-Label(SHA-256("jsp1 retry"), "iv", "", 12).
const NONCE: [u8; NONCE_LEN] =
    [0x8a, 0xee, 0xcd, 0x61, 0xbc, 0x4c, 0xa4, 0xa1, 0x03, 0x52, 0x90, 0x4a];

/// The tag of a Retry that answers an Initial to `odcid`: AES-256-GCM over nothing, with the
/// length of `odcid` (8), `odcid` and the Retry without its tag as additional data.
pub fn retry_tag(
    provider: &dyn Provider,
    odcid: &ConnectionId,
    retry_without_tag: &[u8],
) -> [u8; TAG_LEN] {
    let odcid = odcid.as_bytes();
    let mut pseudo = Vec::with_capacity(1 + odcid.len() + retry_without_tag.len());
    pseudo.push(odcid.len() as u8);
    pseudo.extend_from_slice(odcid);
    pseudo.extend_from_slice(retry_without_tag);
    provider.packet_key(Suite::Aes256Gcm, &KEY).seal(&NONCE, &pseudo, &mut [])
}

/// Whether `retry`, a whole Retry packet, ends with the tag of an answer to `odcid`.
pub fn verify_retry(provider: &dyn Provider, odcid: &ConnectionId, retry: &[u8]) -> bool {
    retry
        .split_last_chunk::<TAG_LEN>()
        .is_some_and(|(without_tag, tag)| retry_tag(provider, odcid, without_tag).ct_eq(tag).into())
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    use super::super::label::expand_label;
    use super::*;
    use crate::crypto::Secret;
    use crate::crypto::rustcrypto::RustCrypto;

    #[test]
    fn key_and_nonce_are_derived_from_their_name() {
        let mut hash = RustCrypto.sha256();
        hash.update(b"jsp1 retry");
        let secret = Secret::new(hash.snapshot());
        let (mut key, mut nonce) = ([0; KEY_LEN], [0; NONCE_LEN]);
        expand_label(&RustCrypto, &secret, b"key", b"", &mut key);
        expand_label(&RustCrypto, &secret, b"iv", b"", &mut nonce);
        assert_eq!((key, nonce), (KEY, NONCE));
    }

    #[test]
    fn a_retry_verifies_for_its_connection_only_and_with_no_bit_changed() {
        let odcid = ConnectionId::from([3; 8]);
        let mut retry = b"a retry packet with a token".to_vec();
        let tag = retry_tag(&RustCrypto, &odcid, &retry);
        retry.extend_from_slice(&tag);
        assert!(verify_retry(&RustCrypto, &odcid, &retry));
        assert!(!verify_retry(&RustCrypto, &ConnectionId::from([4; 8]), &retry));
        for bit in 0..retry.len() * 8 {
            retry[bit / 8] ^= 1 << (bit % 8);
            assert!(!verify_retry(&RustCrypto, &odcid, &retry), "bit {bit}");
            retry[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(!verify_retry(&RustCrypto, &odcid, &retry[..TAG_LEN - 1]));
    }
}
