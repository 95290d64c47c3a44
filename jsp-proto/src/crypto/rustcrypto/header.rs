//! Header-protection keys (RFC 9001, section 5.4).

use crate::crypto::aes_header::AesHeaderKey;
use crate::crypto::{HeaderKey, KEY_LEN, SAMPLE_LEN, Suite};
use alloc::boxed::Box;
use chacha20::cipher::{Block, KeyIvInit, StreamCipherCore};
use chacha20::variants::Ietf;
use chacha20::{ChaChaCore, R20};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The key of `suite`.
pub(super) fn header_key(suite: Suite, key: &[u8; KEY_LEN]) -> Box<dyn HeaderKey> {
    match suite {
        Suite::Aes256Gcm | Suite::Aes256GcmSiv => Box::new(AesHeaderKey::new(key)),
        Suite::ChaCha20Poly1305 => Box::new(ChaCha(*key)),
    }
}

/// RFC 9001, section 5.4.4. Setting up `ChaCha20` is copying the key: it is kept alone.
#[derive(Zeroize, ZeroizeOnDrop)]
struct ChaCha([u8; KEY_LEN]);

impl HeaderKey for ChaCha {
    fn mask(&self, sample: &[u8; SAMPLE_LEN]) -> [u8; 5] {
        let [c0, c1, c2, c3, nonce @ ..] = *sample;
        // The block function itself, not the stream cipher around it: that one counts its blocks
        // and panics at the last counter, which a peer can put into the sample.
        let mut core = ChaChaCore::<R20, Ietf>::new(&self.0.into(), &nonce.into());
        core.set_block_pos(u32::from_le_bytes([c0, c1, c2, c3]));
        let mut block = Block::<ChaChaCore<R20, Ietf>>::default();
        core.write_keystream_block(&mut block);
        front(block.0)
    }
}

fn front<const N: usize>(block: [u8; N]) -> [u8; 5] {
    const { assert!(N >= 5) };
    core::array::from_fn(|i| block[i])
}

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20::ChaCha20;
    use chacha20::cipher::{StreamCipher, StreamCipherSeek};

    #[test]
    fn the_mask_is_the_keystream_at_the_samples_counter() {
        let key = [7; KEY_LEN];
        let mut sample = [3; SAMPLE_LEN];
        sample[..4].copy_from_slice(&9u32.to_le_bytes());
        let mut expected = [0; 5];
        let mut stream = ChaCha20::new(&key.into(), &[3; 12].into());
        stream.seek(9u64 * 64);
        stream.apply_keystream(&mut expected);
        assert_eq!(header_key(Suite::ChaCha20Poly1305, &key).mask(&sample), expected);
    }

    #[test]
    fn the_last_counter_is_a_counter_like_any_other() {
        let key = header_key(Suite::ChaCha20Poly1305, &[7; KEY_LEN]);
        assert_ne!(key.mask(&[0xff; SAMPLE_LEN]), [0; 5]);
    }
}
