//! Identities: a pair of keys, Ed25519 and ML-DSA-65.

use alloc::boxed::Box;
use core::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Length of an Ed25519 public key.
pub const ED25519_PUBLIC_LEN: usize = 32;
/// Length of an ML-DSA-65 public key.
pub const ML_DSA_PUBLIC_LEN: usize = 1952;

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
