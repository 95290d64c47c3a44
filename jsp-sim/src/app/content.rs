//! Bytes that know where they belong: each eight of them follow from their position and a key, so that
//! a receiver can tell at once if one is wrong, missing or twice there.

/// The bytes of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    key: u64,
}

/// How many bytes follow from one position.
const WORD: u64 = 8;

impl Content {
    /// The content of `key`; contents of different keys have nothing in common.
    pub const fn new(key: u64) -> Self {
        Self { key: mix(key) }
    }

    /// Fills `out` with the bytes from `position` on.
    pub fn fill(self, position: u64, out: &mut [u8]) {
        self.each(position, out.len(), |range, word| out[range].copy_from_slice(word));
    }

    /// Whether `bytes` are the bytes from `position` on; if not, the position of the first wrong
    /// one.
    pub fn check(self, position: u64, bytes: &[u8]) -> Result<(), u64> {
        let mut wrong = None;
        self.each(position, bytes.len(), |range, word| {
            if wrong.is_none() && bytes[range.clone()] != *word {
                let mut pairs = bytes[range.clone()].iter().zip(word);
                let at = range.start + pairs.position(|(a, b)| a != b).unwrap_or(0);
                wrong = Some(position + at as u64);
            }
        });
        wrong.map_or(Ok(()), Err)
    }

    /// Calls `visit` with each word's part of `len` bytes from `position`.
    fn each(self, position: u64, len: usize, mut visit: impl FnMut(std::ops::Range<usize>, &[u8])) {
        let mut at = 0;
        while at < len {
            let place = position + at as u64;
            let skip = (place % WORD) as usize;
            let n = (WORD as usize - skip).min(len - at);
            let word = mix(self.key ^ (place / WORD)).to_le_bytes();
            visit(at..at + n, &word[skip..skip + n]);
            at += n;
        }
    }
}

/// The finaliser of `SplitMix64` (Steele, Lea and Flood, 2014).
const fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_content_is_cut_does_not_change_it() {
        let mut whole = [0; 1000];
        Content::new(1).fill(0, &mut whole);
        let mut at = 0;
        for chunk in whole.chunks(13) {
            let mut part = vec![0; chunk.len()];
            Content::new(1).fill(at, &mut part);
            assert_eq!(part, chunk);
            assert_eq!(Content::new(1).check(at, chunk), Ok(()));
            at += chunk.len() as u64;
        }
    }

    #[test]
    fn a_byte_that_is_wrong_missing_or_twice_there_is_found() {
        let mut bytes = [0; 100];
        Content::new(1).fill(5, &mut bytes);
        assert_eq!(Content::new(2).check(5, &bytes[..1]), Err(5));
        assert!(Content::new(1).check(6, &bytes).is_err());
        bytes[77] ^= 1;
        assert_eq!(Content::new(1).check(5, &bytes), Err(82));
    }
}
