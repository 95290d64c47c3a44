//! The header-protection key of the AES suites (RFC 9001, section 5.4.3), in both providers.
//!
//! AWS-LC has no call for several blocks in a row: one for each packet costs more than the block, and
//! its key holds the round keys of both directions, 520 bytes. The `aes` crate takes all the samples of
//! a train at once, on whatever AES instructions the CPU has, and keeps the forward round keys alone.

use super::{HeaderKey, KEY_LEN, SAMPLE_LEN};
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes256Enc, Block};

/// Samples that are encrypted at a time: the most that any implementation does in parallel.
const BATCH: usize = 64;

/// AES-256 in the forward direction.
pub(super) struct AesHeaderKey(Aes256Enc);

impl AesHeaderKey {
    pub(super) fn new(key: &[u8; KEY_LEN]) -> Self {
        Self(Aes256Enc::new(key.into()))
    }
}

impl HeaderKey for AesHeaderKey {
    fn mask(&self, sample: &[u8; SAMPLE_LEN]) -> [u8; 5] {
        let mut block = (*sample).into();
        self.0.encrypt_block(&mut block);
        front(&block)
    }

    fn masks(&self, samples: &[[u8; SAMPLE_LEN]], out: &mut [[u8; 5]]) {
        let mut blocks = [Block::default(); BATCH];
        for (samples, out) in samples.chunks(BATCH).zip(out.chunks_mut(BATCH)) {
            let blocks = &mut blocks[..samples.len()];
            for (block, sample) in blocks.iter_mut().zip(samples) {
                *block = (*sample).into();
            }
            self.0.encrypt_blocks(blocks);
            for (mask, block) in out.iter_mut().zip(blocks) {
                *mask = front(block);
            }
        }
    }
}

fn front(block: &Block) -> [u8; 5] {
    core::array::from_fn(|i| block[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_takes_less_than_that_of_aws_lc() {
        assert!(size_of::<AesHeaderKey>() <= 256, "{}", size_of::<AesHeaderKey>());
    }
}
