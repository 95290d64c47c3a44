//! No cipher: keys that leave packets as they are, and handshakes that take no public-key cryptography.
//! What is measured with them is the engine alone.

use jsp_proto::crypto::{
    CryptoError, ED25519_SIGNATURE_LEN, HeaderKey, IdentitySecret, KEY_LEN, KemSecret,
    ML_DSA_SIGNATURE_LEN, NONCE_LEN, PacketKey, Provider, PublicIdentity, SAMPLE_LEN, Secret,
    Sha256, Signature, Signer, Suite, TAG_LEN, XWING_CIPHERTEXT_LEN, XWING_PUBLIC_LEN,
};
use jsp_proto::rng::Rng;
use std::sync::Arc;

/// A provider whose packets are in the clear and whose signatures are empty; hashes are those of the one
/// inside.
#[derive(Debug)]
pub(crate) struct NoCipher(pub(crate) Arc<dyn Provider>);

struct Clear;

impl PacketKey for Clear {
    fn seal(&self, _: &[u8; NONCE_LEN], _: &[u8], _: &mut [u8]) -> [u8; TAG_LEN] {
        [0; TAG_LEN]
    }

    fn open(&self, _: &[u8; NONCE_LEN], _: &[u8], data: &mut [u8]) -> Result<usize, CryptoError> {
        data.len().checked_sub(TAG_LEN).ok_or(CryptoError)
    }
}

impl HeaderKey for Clear {
    fn mask(&self, _: &[u8; SAMPLE_LEN]) -> [u8; 5] {
        [0; 5]
    }
}

impl KemSecret for Clear {
    fn decapsulate(&self, _: &[u8; XWING_CIPHERTEXT_LEN]) -> Result<Secret, CryptoError> {
        Ok(Secret::new([0; 32]))
    }
}

struct Unsigned(PublicIdentity);

impl Signer for Unsigned {
    fn public(&self) -> &PublicIdentity {
        &self.0
    }

    fn sign(&self, _: &mut Rng, _: &[u8]) -> Result<Signature, CryptoError> {
        let ml_dsa = Some(Box::new([0; ML_DSA_SIGNATURE_LEN]));
        Ok(Signature { ed25519: [0; ED25519_SIGNATURE_LEN], ml_dsa })
    }
}

impl Provider for NoCipher {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn suites(&self) -> &'static [Suite] {
        self.0.suites()
    }

    fn packet_key(&self, _: Suite, _: &[u8; KEY_LEN]) -> Box<dyn PacketKey> {
        Box::new(Clear)
    }

    fn header_key(&self, _: Suite, _: &[u8; KEY_LEN]) -> Box<dyn HeaderKey> {
        Box::new(Clear)
    }

    fn sha256(&self) -> Box<dyn Sha256> {
        self.0.sha256()
    }

    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        self.0.hmac_sha256(key, parts)
    }

    fn hkdf_extract(&self, salt: &[u8], input: &[u8]) -> Secret {
        self.0.hkdf_extract(salt, input)
    }

    fn hkdf_expand(&self, key: &Secret, info: &[u8], out: &mut [u8]) {
        self.0.hkdf_expand(key, info, out);
    }

    fn xwing_generate(
        &self,
        _: &mut Rng,
        _: &mut [u8; XWING_PUBLIC_LEN],
    ) -> Result<Box<dyn KemSecret>, CryptoError> {
        Ok(Box::new(Clear))
    }

    fn xwing_encapsulate(
        &self,
        _: &mut Rng,
        _: &[u8; XWING_PUBLIC_LEN],
        _: &mut [u8; XWING_CIPHERTEXT_LEN],
    ) -> Result<Secret, CryptoError> {
        Ok(Secret::new([0; 32]))
    }

    fn signer(&self, secret: &IdentitySecret) -> Result<Box<dyn Signer>, CryptoError> {
        Ok(Box::new(Unsigned(self.0.signer(secret)?.public().clone())))
    }

    fn verify(&self, _: &PublicIdentity, _: &[u8], _: &Signature) -> Result<(), CryptoError> {
        Ok(())
    }
}
