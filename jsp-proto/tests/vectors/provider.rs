//! The portable provider, with a note of what the key exchange drew and found.

use jsp_proto::crypto::rustcrypto::RustCrypto;
use jsp_proto::crypto::{
    CryptoError, HeaderKey, IdentitySecret, KEY_LEN, KemSecret, PacketKey, Provider,
    PublicIdentity, Secret, Sha256, Signature, Signer, Suite, XWING_CIPHERTEXT_LEN,
    XWING_PUBLIC_LEN,
};
use jsp_proto::rng::Rng;
use std::sync::Mutex;

/// What an X-Wing exchange is made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyExchange {
    /// The client's decapsulation key, before its expansion.
    pub(crate) client_seed: [u8; 32],
    /// The server's randomness: 32 bytes for ML-KEM, 32 for X25519.
    pub(crate) encapsulation_seed: Vec<u8>,
    pub(crate) secret: [u8; 32],
}

/// See above.
#[derive(Debug, Default)]
pub(crate) struct Recording(pub(crate) Mutex<KeyExchange>);

impl Provider for Recording {
    fn name(&self) -> &'static str {
        RustCrypto.name()
    }

    fn suites(&self) -> &'static [Suite] {
        // Not by what this processor does well: the bytes are the same everywhere.
        &Suite::ALL
    }

    fn packet_key(&self, suite: Suite, key: &[u8; KEY_LEN]) -> Box<dyn PacketKey> {
        RustCrypto.packet_key(suite, key)
    }

    fn header_key(&self, suite: Suite, key: &[u8; KEY_LEN]) -> Box<dyn HeaderKey> {
        RustCrypto.header_key(suite, key)
    }

    fn sha256(&self) -> Box<dyn Sha256> {
        RustCrypto.sha256()
    }

    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        RustCrypto.hmac_sha256(key, parts)
    }

    fn hkdf_extract(&self, salt: &[u8], input: &[u8]) -> Secret {
        RustCrypto.hkdf_extract(salt, input)
    }

    fn hkdf_expand(&self, key: &Secret, info: &[u8], out: &mut [u8]) {
        RustCrypto.hkdf_expand(key, info, out);
    }

    fn xwing_generate(
        &self,
        rng: &mut Rng,
        public: &mut [u8; XWING_PUBLIC_LEN],
    ) -> Result<Box<dyn KemSecret>, CryptoError> {
        self.0.lock().unwrap().client_seed = rng.clone().array();
        RustCrypto.xwing_generate(rng, public)
    }

    fn xwing_encapsulate(
        &self,
        rng: &mut Rng,
        public: &[u8; XWING_PUBLIC_LEN],
        ciphertext: &mut [u8; XWING_CIPHERTEXT_LEN],
    ) -> Result<Secret, CryptoError> {
        let seed = rng.clone().array::<64>();
        let secret = RustCrypto.xwing_encapsulate(rng, public, ciphertext)?;
        let mut exchange = self.0.lock().unwrap();
        exchange.encapsulation_seed = seed.to_vec();
        exchange.secret = *secret.expose();
        Ok(secret)
    }

    fn signer(&self, secret: &IdentitySecret) -> Result<Box<dyn Signer>, CryptoError> {
        RustCrypto.signer(secret)
    }

    fn verify(
        &self,
        identity: &PublicIdentity,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), CryptoError> {
        RustCrypto.verify(identity, message, signature)
    }
}
