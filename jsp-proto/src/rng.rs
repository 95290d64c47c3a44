//! The engine's randomness: one seed, split into named streams.
//!
//! Each stream is a ChaCha20 generator with fast key erasure (Bernstein, 2017): every refill
//! replaces the key with the first 32 bytes of the new keystream, and bytes are wiped as they are
//! handed out. A state that leaks later says nothing about what was drawn before.

use alloc::boxed::Box;
use alloc::vec;
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use core::convert::Infallible;
use rand_core::{TryCryptoRng, TryRng};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// 32 bytes from which everything random in an endpoint or a connection follows.
///
/// Outside tests it comes from the operating system. It wipes itself and is never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Seed([u8; 32]);

impl Seed {
    /// A seed from 32 bytes of entropy.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A seed for tests and simulations, from a number. It has 64 bits of entropy at most.
    pub fn from_u64(n: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&n.to_le_bytes());
        Self(bytes)
    }
}

impl core::fmt::Debug for Seed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Seed(..)")
    }
}

const BUFFER: usize = 256;
const KEY: usize = 32;

/// A random stream. Streams with different names from one seed are independent.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Rng {
    key: [u8; KEY],
    /// What is handed out next; nothing before the first use, and while the stream rests.
    buffer: Option<Box<[u8]>>,
    /// Bytes before this index are used up (and zero).
    used: usize,
}

impl Rng {
    /// The stream called `name` (at most 12 bytes count) of `seed`.
    pub fn new(seed: &Seed, name: &str) -> Self {
        Self { key: derive(&seed.0, name), buffer: None, used: BUFFER }
    }

    /// A seed drawn from this stream, for a component that splits it further.
    pub fn seed(&mut self) -> Seed {
        Seed(self.array())
    }

    /// `N` random bytes.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// Fills `out` with random bytes.
    pub fn fill(&mut self, mut out: &mut [u8]) {
        while !out.is_empty() {
            if self.used == BUFFER {
                self.refill();
            }
            let n = out.len().min(BUFFER - self.used);
            let (now, later) = out.split_at_mut(n);
            let Some(buffer) = &mut self.buffer else { return };
            let source = &mut buffer[self.used..self.used + n];
            now.copy_from_slice(source);
            source.zeroize();
            self.used += n;
            out = later;
        }
    }

    /// A random 32-bit number.
    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    /// A random 64-bit number.
    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    /// A number in `0..bound` (0 if `bound` is 0), by multiplication; the bias is below 2^-32 for
    /// bounds below 2^32.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.u64()) * u128::from(bound)) >> 64) as u64
    }

    /// Gives the memory of bytes in stock back; they are never handed out. For a stream that may not be used for
    /// long.
    pub fn rest(&mut self) {
        self.buffer.zeroize();
        self.used = BUFFER;
    }

    fn refill(&mut self) {
        let mut next = [0; KEY];
        let mut cipher = ChaCha20::new(&self.key.into(), &[0; 12].into());
        cipher.apply_keystream(&mut next);
        let buffer = self.buffer.get_or_insert_with(|| vec![0; BUFFER].into_boxed_slice());
        buffer.fill(0);
        cipher.apply_keystream(buffer);
        self.key = next;
        next.zeroize();
        self.used = 0;
    }
}

/// The key of the stream `name`: ChaCha20 keystream under the seed, with the name as nonce.
fn derive(seed: &[u8; 32], name: &str) -> [u8; KEY] {
    let mut nonce = [0; 12];
    for (to, from) in nonce.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    let mut key = [0; KEY];
    ChaCha20::new(seed.into(), &nonce.into()).apply_keystream(&mut key);
    key
}

impl TryRng for Rng {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.u32())
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.u64())
    }
    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        self.fill(dst);
        Ok(())
    }
}

impl TryCryptoRng for Rng {}

impl core::fmt::Debug for Rng {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Rng(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_name_give_the_same_stream_and_other_names_another() {
        let seed = Seed::from_u64(7);
        let draw = |name| Rng::new(&seed, name).array::<64>();
        assert_eq!(draw("a"), draw("a"));
        assert_ne!(draw("a"), draw("b"));
    }

    #[test]
    fn how_a_stream_is_cut_does_not_change_it() {
        let seed = Seed::from_u64(7);
        let whole: [u8; 1000] = Rng::new(&seed, "x").array();
        let mut rng = Rng::new(&seed, "x");
        let mut parts = [0; 1000];
        for chunk in parts.chunks_mut(77) {
            rng.fill(chunk);
        }
        assert_eq!(whole, parts);
    }

    #[test]
    fn what_was_handed_out_is_gone_from_the_state() {
        let mut rng = Rng::new(&Seed::from_u64(1), "x");
        let drawn: [u8; 32] = rng.array();
        let buffer = rng.buffer.as_deref().unwrap();
        assert!(!buffer.windows(8).any(|w| drawn.windows(8).any(|d| d == w)));
        assert_eq!(buffer[..32], [0; 32]);
    }

    #[test]
    fn a_stream_that_rested_holds_nothing_and_goes_on_with_fresh_bytes() {
        let mut rng = Rng::new(&Seed::from_u64(1), "x");
        let mut all = Rng::new(&Seed::from_u64(1), "x").array::<1024>().to_vec();
        all.truncate(256);
        let before: [u8; 8] = rng.array();
        rng.rest();
        assert!(rng.buffer.is_none());
        let after: [u8; 32] = rng.array();
        assert!(all.starts_with(&before) && !all.windows(8).any(|w| w == &after[..8]));
    }

    #[test]
    fn below_stays_below() {
        let mut rng = Rng::new(&Seed::from_u64(1), "x");
        assert!((0..1000).all(|_| rng.below(10) < 10));
        assert_eq!(rng.below(0), 0);
    }
}
