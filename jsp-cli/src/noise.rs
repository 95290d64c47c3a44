//! Bytes that look random and are always the same: for files and measurements that nothing on the way
//! could compress.

/// Fills `out` with the stream that begins at `seed` (`SplitMix64`).
pub(crate) fn fill(seed: u64, out: &mut [u8]) {
    let mut state = seed;
    for bytes in out.chunks_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        bytes.copy_from_slice(z.to_le_bytes().get(..bytes.len()).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_that_of_the_published_generator() {
        let mut bytes = [0; 12];
        fill(0, &mut bytes);
        assert_eq!(bytes[..8], 0xe220_a839_7b1d_cdaf_u64.to_le_bytes());
        assert_eq!(bytes[8..], 0x6e78_9e6a_a1b9_65f4_u64.to_le_bytes()[..4]);
    }
}
