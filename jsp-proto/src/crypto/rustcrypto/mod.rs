//! The portable provider: the `RustCrypto` and dalek crates, wired to the engine's traits.
//!
//! It needs neither std nor a C compiler, keeps no state, and draws every random byte from the
//! stream that the caller hands in: the same seed and inputs give the same bytes.

mod aead;
mod hash;
mod header;
mod kem;
mod sign;

use super::{
    CryptoError, HeaderKey, IdentitySecret, KEY_LEN, KemSecret, PacketKey, Provider,
    PublicIdentity, Secret, Sha256, Signature, Signer, Suite, XWING_CIPHERTEXT_LEN,
    XWING_PUBLIC_LEN, preference,
};
use crate::rng::Rng;
use alloc::boxed::Box;

/// The portable provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RustCrypto;

impl Provider for RustCrypto {
    fn name(&self) -> &'static str {
        "rustcrypto"
    }

    fn suites(&self) -> &'static [Suite] {
        preference::suites()
    }

    fn packet_key(&self, suite: Suite, key: &[u8; KEY_LEN]) -> Box<dyn PacketKey> {
        aead::packet_key(suite, key)
    }

    fn header_key(&self, suite: Suite, key: &[u8; KEY_LEN]) -> Box<dyn HeaderKey> {
        header::header_key(suite, key)
    }

    fn sha256(&self) -> Box<dyn Sha256> {
        hash::sha256()
    }

    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        hash::hmac_sha256(key, parts)
    }

    fn hkdf_extract(&self, salt: &[u8], input: &[u8]) -> Secret {
        hash::hkdf_extract(salt, input)
    }

    fn hkdf_expand(&self, key: &Secret, info: &[u8], out: &mut [u8]) {
        hash::hkdf_expand(key, info, out);
    }

    fn xwing_generate(
        &self,
        rng: &mut Rng,
        public: &mut [u8; XWING_PUBLIC_LEN],
    ) -> Result<Box<dyn KemSecret>, CryptoError> {
        Ok(kem::generate(rng, public))
    }

    fn xwing_encapsulate(
        &self,
        rng: &mut Rng,
        public: &[u8; XWING_PUBLIC_LEN],
        ciphertext: &mut [u8; XWING_CIPHERTEXT_LEN],
    ) -> Result<Secret, CryptoError> {
        kem::encapsulate(rng, public, ciphertext)
    }

    fn signer(&self, secret: &IdentitySecret) -> Result<Box<dyn Signer>, CryptoError> {
        Ok(sign::signer(secret))
    }

    fn verify(
        &self,
        identity: &PublicIdentity,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), CryptoError> {
        sign::verify(identity, message, signature)
    }
}
