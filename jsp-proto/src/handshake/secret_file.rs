//! Private keys as bytes, for a file.
//!
//! ```text
//! "jsp identity secret" | version 1 | algorithm | Ed25519 seed 32 | [ML-DSA seed 32] | checksum 8
//! ```
//!
//! The checksum, the first bytes of SHA-256 over all before it, finds damage; it protects nothing.

use crate::crypto::{Algorithm, IdentitySecret, Provider};
use crate::wire::{Malformed, Reader};
use alloc::vec::Vec;
use core::fmt;
use zeroize::Zeroizing;

const MAGIC: &[u8; 19] = b"jsp identity secret";
const VERSION: u8 = 1;
const CHECKSUM_LEN: usize = 8;
/// Of a hybrid identity: one allocation, so that no copy is left behind unwiped.
const MAX_LEN: usize = MAGIC.len() + 2 + 64 + CHECKSUM_LEN;

/// The bytes are not the private keys of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadSecret {
    /// They are something else.
    Foreign,
    /// They are of a later version of this format.
    Version(u8),
    /// They were cut or changed.
    Damaged,
}

impl fmt::Display for BadSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("not an identity"),
            Self::Version(n) => write!(f, "an identity in format {n}, which is not known here"),
            Self::Damaged => f.write_str("a damaged identity"),
        }
    }
}

impl core::error::Error for BadSecret {}

impl From<Malformed> for BadSecret {
    fn from(_: Malformed) -> Self {
        Self::Damaged
    }
}

/// The private keys as bytes, which wipe themselves.
pub fn encode_secret(provider: &dyn Provider, secret: &IdentitySecret) -> Zeroizing<Vec<u8>> {
    let algorithm = match secret.ml_dsa {
        Some(_) => Algorithm::Hybrid,
        None => Algorithm::Ed25519,
    };
    let mut out = Zeroizing::new(Vec::with_capacity(MAX_LEN));
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[VERSION, algorithm as u8]);
    out.extend_from_slice(&secret.ed25519);
    if let Some(seed) = &secret.ml_dsa {
        out.extend_from_slice(seed);
    }
    let sum = checksum(provider, &out);
    out.extend_from_slice(&sum);
    out
}

/// The private keys that [`encode_secret`] wrote.
pub fn decode_secret(provider: &dyn Provider, bytes: &[u8]) -> Result<IdentitySecret, BadSecret> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(BadSecret::Foreign)?;
    match rest.first() {
        Some(&VERSION) => {}
        Some(&version) => return Err(BadSecret::Version(version)),
        None => return Err(BadSecret::Damaged),
    }
    let (content, sum) = bytes.split_last_chunk().ok_or(BadSecret::Damaged)?;
    if *sum != checksum(provider, content) {
        return Err(BadSecret::Damaged);
    }
    let mut r = Reader::new(content.get(MAGIC.len() + 1..).ok_or(BadSecret::Damaged)?);
    let algorithm = Algorithm::from_wire(r.u8()?).ok_or(BadSecret::Damaged)?;
    let ed25519 = r.array()?;
    let ml_dsa = match algorithm {
        Algorithm::Hybrid => Some(r.array()?),
        Algorithm::Ed25519 => None,
    };
    let secret = IdentitySecret { ed25519, ml_dsa };
    if r.is_empty() { Ok(secret) } else { Err(BadSecret::Damaged) }
}

fn checksum(provider: &dyn Provider, content: &[u8]) -> [u8; CHECKSUM_LEN] {
    let mut hash = provider.sha256();
    hash.update(content);
    let mut sum = [0; CHECKSUM_LEN];
    sum.copy_from_slice(&hash.snapshot()[..CHECKSUM_LEN]);
    sum
}

#[cfg(test)]
#[cfg(feature = "rustcrypto")]
mod tests {
    use super::*;
    use crate::crypto::rustcrypto::RustCrypto;

    fn secrets() -> [IdentitySecret; 2] {
        [Some([2; 32]), None].map(|ml_dsa| IdentitySecret { ed25519: [1; 32], ml_dsa })
    }

    #[test]
    fn private_keys_survive_the_file() {
        for secret in secrets() {
            let bytes = encode_secret(&RustCrypto, &secret);
            assert!(bytes.len() <= MAX_LEN && bytes.capacity() == MAX_LEN);
            let again = decode_secret(&RustCrypto, &bytes).unwrap();
            assert_eq!((again.ed25519, again.ml_dsa), (secret.ed25519, secret.ml_dsa));
        }
    }

    #[test]
    fn a_cut_or_changed_file_is_refused() {
        for secret in secrets() {
            let bytes = encode_secret(&RustCrypto, &secret).to_vec();
            for n in 0..bytes.len() {
                assert!(decode_secret(&RustCrypto, &bytes[..n]).is_err());
                let mut changed = bytes.clone();
                changed[n] ^= 1;
                let expected = match n {
                    0..19 => BadSecret::Foreign,
                    19 => BadSecret::Version(0),
                    _ => BadSecret::Damaged,
                };
                assert_eq!(decode_secret(&RustCrypto, &changed).unwrap_err(), expected);
            }
        }
    }
}
