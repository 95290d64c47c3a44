//! Identities: a pair of keys, Ed25519 and ML-DSA-65, pinned by one fingerprint.

use super::{ED25519_PUBLIC_LEN, ML_DSA_PUBLIC_LEN, Provider};
use alloc::boxed::Box;
use core::fmt;
use core::str::FromStr;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// What an identity signs with. It is part of the fingerprint, so a pinned identity cannot be
/// weakened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Algorithm {
    /// Ed25519 and ML-DSA-65; both signatures must verify.
    Hybrid = 1,
    /// Ed25519 alone, for constrained devices, where the verifier's policy allows it.
    Ed25519 = 2,
}

impl Algorithm {
    /// The algorithm of a wire number.
    pub const fn from_wire(n: u8) -> Option<Self> {
        match n {
            1 => Some(Self::Hybrid),
            2 => Some(Self::Ed25519),
            _ => None,
        }
    }
}

/// The public keys of an identity.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicIdentity {
    /// The classical key.
    pub ed25519: [u8; ED25519_PUBLIC_LEN],
    /// The post-quantum key; without it the identity is [`Algorithm::Ed25519`].
    pub ml_dsa: Option<Box<[u8; ML_DSA_PUBLIC_LEN]>>,
}

impl PublicIdentity {
    /// What the identity signs with.
    pub const fn algorithm(&self) -> Algorithm {
        if self.ml_dsa.is_some() { Algorithm::Hybrid } else { Algorithm::Ed25519 }
    }

    /// What people pin: SHA-256 over the label "jsp identity", a zero byte, the algorithm's number
    /// and the public keys.
    pub fn fingerprint(&self, provider: &dyn Provider) -> Fingerprint {
        let mut hash = provider.sha256();
        hash.update(b"jsp identity\0");
        hash.update(&[self.algorithm() as u8]);
        hash.update(&self.ed25519);
        if let Some(key) = &self.ml_dsa {
            hash.update(&key[..]);
        }
        Fingerprint(hash.snapshot())
    }
}

impl fmt::Debug for PublicIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicIdentity({:?})", self.algorithm())
    }
}

/// The private keys of an identity, as the seeds that they are made from. They wipe themselves and
/// are never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct IdentitySecret {
    /// Seed of the Ed25519 key (RFC 8032, section 5.1.5).
    pub ed25519: [u8; 32],
    /// Seed of the ML-DSA-65 key (FIPS 204, algorithm 1), for a hybrid identity.
    pub ml_dsa: Option<[u8; 32]>,
}

impl fmt::Debug for IdentitySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentitySecret(..)")
    }
}

/// The fingerprint of an identity. It is written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// The text is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadFingerprint;

impl fmt::Display for BadFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fingerprint is 64 hexadecimal digits")
    }
}

impl core::error::Error for BadFingerprint {}

impl FromStr for Fingerprint {
    type Err = BadFingerprint;
    fn from_str(text: &str) -> Result<Self, BadFingerprint> {
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(BadFingerprint);
        }
        let mut out = [0; 32];
        for (i, byte) in out.iter_mut().enumerate() {
            let digits = text.get(2 * i..2 * i + 2).ok_or(BadFingerprint)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| BadFingerprint)?;
        }
        Ok(Self(out))
    }
}
