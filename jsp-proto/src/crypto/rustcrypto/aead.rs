//! Packet keys.

use crate::crypto::{CryptoError, KEY_LEN, NONCE_LEN, PacketKey, Suite, TAG_LEN};
use aes::Aes256Enc;
use aes_gcm::AesGcm;
use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::aead::{AeadCore, AeadInOut, KeyInit};
use aes_gcm_siv::AesGcmSiv;
use alloc::boxed::Box;
use chacha20poly1305::ChaCha20Poly1305;
use zeroize::Zeroize;

// All three only ever run AES forwards, so the decryption round keys are left out: 240 bytes of
// each key on a CPU with AES instructions.
type Gcm = AesGcm<Aes256Enc, U12>;
type GcmSiv = AesGcmSiv<Aes256Enc>;

/// The key of `suite`.
pub(super) fn packet_key(suite: Suite, key: &[u8; KEY_LEN]) -> Box<dyn PacketKey> {
    match suite {
        Suite::Aes256Gcm => Box::new(Key(Gcm::new(key.into()))),
        Suite::ChaCha20Poly1305 => Box::new(Key(ChaCha20Poly1305::new(key.into()))),
        Suite::Aes256GcmSiv => Box::new(Key(GcmSiv::new(key.into()))),
    }
}

/// Any AEAD with the lengths that all suites share.
struct Key<A>(A);

impl<A> PacketKey for Key<A>
where
    A: AeadInOut + AeadCore<NonceSize = U12, TagSize = U16> + Send + Sync,
{
    fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], data: &mut [u8]) -> [u8; TAG_LEN] {
        if let Ok(tag) = self.0.encrypt_inout_detached(nonce.into(), aad, (&mut *data).into()) {
            return tag.into();
        }
        // Only beyond 2^36 bytes, which no datagram has. Nothing readable may leave.
        debug_assert!(false, "data too long for the cipher");
        data.zeroize();
        [0; TAG_LEN]
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
    ) -> Result<usize, CryptoError> {
        // GCM and ChaCha20-Poly1305 check the tag before they decrypt; GCM-SIV has to decrypt
        // first, and encrypts again where the tag is wrong.
        let (text, tag) = data.split_last_chunk_mut::<TAG_LEN>().ok_or(CryptoError)?;
        let tag = (&*tag).into();
        self.0
            .decrypt_inout_detached(nonce.into(), aad, (&mut *text).into(), tag)
            .map_err(|_| CryptoError)?;
        Ok(text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_shorter_than_its_tag_does_not_open() {
        for suite in Suite::ALL {
            let key = packet_key(suite, &[1; KEY_LEN]);
            for len in 0..TAG_LEN {
                let mut data = alloc::vec![0; len];
                assert_eq!(key.open(&[0; NONCE_LEN], &[], &mut data), Err(CryptoError));
            }
        }
    }

    #[test]
    fn a_packet_key_stays_small_enough_for_an_idle_connection() {
        assert!(size_of::<Key<Gcm>>() <= 1100, "{}", size_of::<Key<Gcm>>());
        assert!(size_of::<Key<GcmSiv>>() <= 1000, "{}", size_of::<Key<GcmSiv>>());
        assert_eq!(size_of::<Key<ChaCha20Poly1305>>(), 32);
    }
}
