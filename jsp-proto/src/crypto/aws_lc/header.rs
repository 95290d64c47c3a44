//! Header-protection keys (RFC 9001, section 5.4).

use crate::crypto::aes_header::AesHeaderKey;
use crate::crypto::{HeaderKey, KEY_LEN, SAMPLE_LEN, Suite};
use alloc::boxed::Box;
use aws_lc_rs::aead::quic::{CHACHA20, HeaderProtectionKey};

/// The key of `suite`.
pub(super) fn header_key(suite: Suite, key: &[u8; KEY_LEN]) -> Box<dyn HeaderKey> {
    match suite {
        Suite::Aes256Gcm | Suite::Aes256GcmSiv => Box::new(AesHeaderKey::new(key)),
        Suite::ChaCha20Poly1305 => Box::new(ChaCha(HeaderProtectionKey::new(&CHACHA20, key).ok())),
    }
}

/// `None` is for a key of the wrong length, which the type of `key` rules out.
struct ChaCha(Option<HeaderProtectionKey>);

impl HeaderKey for ChaCha {
    fn mask(&self, sample: &[u8; SAMPLE_LEN]) -> [u8; 5] {
        let mask = self.0.as_ref().and_then(|key| key.new_mask(sample).ok());
        debug_assert!(mask.is_some(), "key and sample have the right length");
        mask.unwrap_or_default()
    }
}
