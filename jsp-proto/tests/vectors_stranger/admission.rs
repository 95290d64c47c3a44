//! What `spec/06-connection-ids.md` and `spec/13-endpoint.md` say of the reference implementation's
//! connection IDs and Retry tokens.

use crate::bytes::{Cursor, array, bytes, list, number, text};
use jsp_proto::crypto::rustcrypto::RustCrypto;
use jsp_proto::crypto::{Provider, Secret, Suite};
use serde_json::Value;
use std::net::IpAddr;

/// HKDF-Expand of the file's secret must give the file's key.
fn key(file: &Value, info: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    RustCrypto.hkdf_expand(&Secret::new(array(file, "secret")), info, &mut key);
    assert_eq!(key, array(file, "key"));
    key
}

/// Section 6.6: decrypts each ID.
pub(crate) fn check_connection_ids(file: &Value) {
    // A header key's mask is the beginning of an AES block.
    let aes = RustCrypto.header_key(Suite::Aes256Gcm, &key(file, b"jsp1 connection id"));
    let f = |round: u8, half: u64| {
        let mut block = [0; 16];
        block[..4].copy_from_slice(&(half as u32).to_be_bytes());
        block[14..].copy_from_slice(&[8, round]);
        Cursor(&aes.mask(&block)[..4]).uint(4)
    };
    let reset_key = bytes(file, "reset_key");
    for row in list(file, "ids") {
        let id = bytes(row, "id");
        let mut r = Cursor(&id);
        let (mut left, mut right) = (r.uint(4), r.uint(4));
        left ^= f(4, right);
        right ^= f(3, left);
        left ^= f(2, right);
        right ^= f(1, left);
        assert_eq!(left >> 24, number(row, "shard"));
        assert_eq!(left & 0xff_ffff, number(row, "slot"));
        assert_eq!(right >> 16, number(row, "generation"));
        assert_eq!(right & 0xffff, number(row, "sequence"));
        let mac = RustCrypto.hmac_sha256(&reset_key, &[&id]);
        assert_eq!(mac[..16], bytes(row, "reset_token"));
    }
}

/// Section 13.5: opens each token.
pub(crate) fn check_tokens(file: &Value) {
    let key = RustCrypto.packet_key(Suite::Aes256GcmSiv, &key(file, b"jsp1 retry token"));
    for row in list(file, "tokens") {
        let token = bytes(row, "token");
        assert_eq!(token.len(), 78);
        let address = match text(row, "address").parse().unwrap() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        let port = (number(row, "port") as u16).to_be_bytes();
        let aad = [&address.octets()[..], &port].concat();
        let nonce = token[..12].try_into().unwrap();
        let mut content = token[12..].to_vec();
        let len = key.open(&nonce, &aad, &mut content).unwrap();
        let mut r = Cursor(&content[..len]);
        assert_eq!(r.uint(8), number(row, "issued_ns"));
        for name in ["original_dcid", "retry_scid"] {
            let (len, padded) = (r.uint(1) as usize, r.take(20));
            let (id, padding) = padded.split_at(len);
            assert_eq!(id, bytes(row, name));
            assert!(padding.iter().all(|&byte| byte == 0));
        }
        assert!(r.0.is_empty());
    }
}
