//! Packet keys.

use crate::crypto::{CryptoError, KEY_LEN, NONCE_LEN, PacketKey, Suite, TAG_LEN};
use alloc::boxed::Box;
use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroize;

/// The key of `suite`.
pub(super) fn packet_key(suite: Suite, key: &[u8; KEY_LEN]) -> Box<dyn PacketKey> {
    let algorithm = match suite {
        Suite::Aes256Gcm => &aead::AES_256_GCM,
        Suite::ChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
        Suite::Aes256GcmSiv => &aead::AES_256_GCM_SIV,
    };
    Box::new(Key(UnboundKey::new(algorithm, key).ok().map(LessSafeKey::new)))
}

/// "Less safe" is the name for a key whose nonces the caller keeps unique, which the packet number
/// does. `None` where C ran out of memory: such a key seals and opens nothing.
struct Key(Option<LessSafeKey>);

impl PacketKey for Key {
    fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], data: &mut [u8]) -> [u8; TAG_LEN] {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let mut tag = [0; TAG_LEN];
        let sealed = self.0.as_ref().is_some_and(|key| {
            key.seal_in_place_scatter(nonce, Aad::from(aad), data, &[], &mut tag).is_ok()
        });
        if !sealed {
            // Only beyond 2^36 bytes, or without a key. Nothing readable may leave.
            debug_assert!(false, "cannot seal");
            data.zeroize();
            tag.zeroize();
        }
        tag
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
    ) -> Result<usize, CryptoError> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let (text, tag) = data.split_last_chunk_mut::<TAG_LEN>().ok_or(CryptoError)?;
        // The tag apart, because the combined call moves the plaintext once more.
        let opened = self.0.as_ref().is_some_and(|key| {
            key.open_in_place_separate_tag(nonce, Aad::from(aad), tag, text).is_ok()
        });
        if !opened {
            // What a failed call leaves behind is not specified.
            text.zeroize();
            return Err(CryptoError);
        }
        Ok(text.len())
    }
}
