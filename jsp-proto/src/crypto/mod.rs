//! The cryptography that the protocol needs, behind one trait.
//!
//! Nothing is implemented here by hand: a [`Provider`] wires the named crates. [`rustcrypto`] is
//! portable, `no_std` and deterministic from the engine's seed; [`aws_lc`] is faster, needs std, and
//! draws its own randomness.

use crate::rng::Rng;
use alloc::boxed::Box;
use core::fmt::Debug;
use zeroize::{Zeroize, ZeroizeOnDrop};

#[cfg(feature = "aws-lc")]
pub mod aws_lc;
#[cfg(feature = "rustcrypto")]
pub mod rustcrypto;

#[cfg(any(feature = "rustcrypto", feature = "aws-lc"))]
mod aes_header;
mod fingerprint;
mod identity;
mod journal;
#[cfg(any(feature = "rustcrypto", feature = "aws-lc"))]
mod preference;
mod suite;

pub use crate::record::TAG_LEN;
pub use fingerprint::{BadFingerprint, Fingerprint};
pub use identity::{
    Algorithm, ED25519_PUBLIC_LEN, IdentitySecret, ML_DSA_PUBLIC_LEN, PublicIdentity,
};
pub use journal::{Journal, Tape};
pub use suite::Suite;

/// Length of an AEAD key, of every suite.
pub const KEY_LEN: usize = 32;
/// Length of an AEAD nonce, of every suite.
pub const NONCE_LEN: usize = 12;
/// Length of what header protection samples from the ciphertext.
pub const SAMPLE_LEN: usize = 16;
/// Length of an X-Wing encapsulation key: ML-KEM-768 1184, X25519 32.
pub const XWING_PUBLIC_LEN: usize = 1216;
/// Length of an X-Wing ciphertext: ML-KEM-768 1088, X25519 32.
pub const XWING_CIPHERTEXT_LEN: usize = 1120;
/// Length of an Ed25519 signature.
pub const ED25519_SIGNATURE_LEN: usize = 64;
/// Length of an ML-DSA-65 signature.
pub const ML_DSA_SIGNATURE_LEN: usize = 3309;

/// A 32-byte secret: it wipes itself and is never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

impl Secret {
    /// A secret of these bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for a primitive or a key log.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Authentication failed, or an input was not of the primitive's form. It does not say which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CryptoError;

impl core::fmt::Display for CryptoError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("cryptographic operation failed")
    }
}

impl core::error::Error for CryptoError {}

/// An AEAD key of one direction.
pub trait PacketKey: Send + Sync {
    /// Encrypts `data` in place and returns the tag.
    fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], data: &mut [u8]) -> [u8; TAG_LEN];

    /// Decrypts `data`, whose last [`TAG_LEN`] bytes are the tag, in place, and returns the
    /// plaintext's length. On failure the content of `data` is wiped or unchanged ciphertext, never
    /// unauthenticated plaintext.
    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
    ) -> Result<usize, CryptoError>;
}

/// A header-protection key of one direction (RFC 9001, section 5.4).
pub trait HeaderKey: Send + Sync {
    /// The mask for a sample of ciphertext: the AES block of the sample (AES suites), or `ChaCha20`
    /// keystream with the sample's first 4 bytes as little-endian counter and the rest as nonce.
    fn mask(&self, sample: &[u8; SAMPLE_LEN]) -> [u8; 5];

    /// The masks for the samples of several packets, in their order: what [`mask`](Self::mask) gives for
    /// each, sooner where the cipher has a way to do several at a time. `out` is as long as `samples`;
    /// of the longer one, what is beyond the shorter is left alone.
    fn masks(&self, samples: &[[u8; SAMPLE_LEN]], out: &mut [[u8; 5]]) {
        for (mask, sample) in out.iter_mut().zip(samples) {
            *mask = self.mask(sample);
        }
    }
}

/// A running SHA-256.
pub trait Sha256: Send + Sync {
    /// Appends bytes.
    fn update(&mut self, bytes: &[u8]);
    /// The hash of the bytes so far; more may follow.
    fn snapshot(&self) -> [u8; 32];
}

/// The private half of an X-Wing key, used once; it wipes itself.
pub trait KemSecret: Send + Sync {
    /// Recovers the shared secret. A ciphertext for another key gives an unrelated secret, not an
    /// error (implicit rejection); an X25519 share of low order is an error.
    fn decapsulate(&self, ciphertext: &[u8; XWING_CIPHERTEXT_LEN]) -> Result<Secret, CryptoError>;
}

/// A signature over a proof: Ed25519, and ML-DSA-65 where the identity has both.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    /// The classical half.
    pub ed25519: [u8; ED25519_SIGNATURE_LEN],
    /// The post-quantum half, absent for an Ed25519-only identity.
    pub ml_dsa: Option<Box<[u8; ML_DSA_SIGNATURE_LEN]>>,
}

impl Debug for Signature {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Signature(..)")
    }
}

/// Holds an identity's private keys.
pub trait Signer: Send + Sync {
    /// The public keys.
    fn public(&self) -> &PublicIdentity;
    /// Signs `message` with each key. `rng` hedges ML-DSA where the provider can be seeded.
    fn sign(&self, rng: &mut Rng, message: &[u8]) -> Result<Signature, CryptoError>;
}

/// All primitives of the protocol.
pub trait Provider: Debug + Send + Sync {
    /// For people and statistics.
    fn name(&self) -> &'static str;

    /// The suites, best for this CPU first.
    fn suites(&self) -> &'static [Suite];

    /// A packet key.
    fn packet_key(&self, suite: Suite, key: &[u8; KEY_LEN]) -> Box<dyn PacketKey>;

    /// A header-protection key.
    fn header_key(&self, suite: Suite, key: &[u8; KEY_LEN]) -> Box<dyn HeaderKey>;

    /// A running SHA-256.
    fn sha256(&self) -> Box<dyn Sha256>;

    /// HMAC-SHA-256 of the parts, one after the other.
    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]]) -> [u8; 32];

    /// HKDF-Extract with SHA-256 (RFC 5869).
    fn hkdf_extract(&self, salt: &[u8], input: &[u8]) -> Secret;

    /// HKDF-Expand with SHA-256 (RFC 5869) into `out`, at most 255 * 32 bytes. More is the caller's
    /// bug, asserted in debug builds; `out` is then all zeros, which nobody may use as a key.
    fn hkdf_expand(&self, key: &Secret, info: &[u8], out: &mut [u8]);

    /// A fresh X-Wing key pair (draft-connolly-cfrg-xwing-kem). The public key is written to
    /// `public`.
    fn xwing_generate(
        &self,
        rng: &mut Rng,
        public: &mut [u8; XWING_PUBLIC_LEN],
    ) -> Result<Box<dyn KemSecret>, CryptoError>;

    /// Encapsulates to `public`: the ciphertext is written, the shared secret returned.
    fn xwing_encapsulate(
        &self,
        rng: &mut Rng,
        public: &[u8; XWING_PUBLIC_LEN],
        ciphertext: &mut [u8; XWING_CIPHERTEXT_LEN],
    ) -> Result<Secret, CryptoError>;

    /// The signer of an identity's private keys.
    fn signer(&self, secret: &IdentitySecret) -> Result<Box<dyn Signer>, CryptoError>;

    /// Verifies every signature that `identity` demands; which one failed is not told, and each is
    /// checked whether or not another failed.
    fn verify(
        &self,
        identity: &PublicIdentity,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), CryptoError>;
}
