//! The fast provider: AWS-LC through `aws-lc-rs`.
//!
//! It needs std and a C compiler. Its randomness cannot be seeded: key pairs, encapsulations and
//! ML-DSA signatures come from the operating system, and the streams that callers hand in stay
//! untouched; a [`Journal`](crate::crypto::Journal) makes its runs repeatable. On the wire it cannot
//! be told from the portable provider, and it accepts exactly what that one accepts.

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

/// The fast provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AwsLc;

impl Provider for AwsLc {
    fn name(&self) -> &'static str {
        "aws-lc"
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
        _: &mut Rng,
        public: &mut [u8; XWING_PUBLIC_LEN],
    ) -> Result<Box<dyn KemSecret>, CryptoError> {
        kem::generate(public)
    }

    fn xwing_encapsulate(
        &self,
        _: &mut Rng,
        public: &[u8; XWING_PUBLIC_LEN],
        ciphertext: &mut [u8; XWING_CIPHERTEXT_LEN],
    ) -> Result<Secret, CryptoError> {
        kem::encapsulate(public, ciphertext)
    }

    fn signer(&self, secret: &IdentitySecret) -> Result<Box<dyn Signer>, CryptoError> {
        sign::signer(secret)
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
