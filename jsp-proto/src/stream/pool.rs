//! Buffers that streams of one connection lend and return, so that a steady flow allocates nothing.
//!
//! Both pools keep spare buffers only within a budget, and all of them are given back to the
//! allocator when the connection falls quiet.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// Most rings that a pool keeps.
const SPARES: usize = 256;

/// Buffers of receive rings. It also knows how much memory all rings of the connection hold.
#[derive(Debug)]
pub(super) struct RingPool {
    spare: Vec<Box<[u8]>>,
    spare_bytes: usize,
    lent: usize,
    budget: usize,
}

impl RingPool {
    /// The smallest ring, in bytes.
    pub(super) const MIN: usize = 256;

    /// A pool that keeps spares as long as they and the buffers lent stay within `budget` bytes.
    pub(super) const fn new(budget: usize) -> Self {
        Self { spare: Vec::new(), spare_bytes: 0, lent: 0, budget }
    }

    /// The connection's window grew, or shrank.
    pub(super) fn set_budget(&mut self, budget: usize) {
        self.budget = budget;
    }

    /// A buffer of at least `len` and less than twice as many bytes, with whatever is in it.
    pub(super) fn take(&mut self, len: usize) -> Box<[u8]> {
        let fits = |spare: usize| spare >= len && spare / 2 < len;
        let buffer = match self.spare.iter().rposition(|spare| fits(spare.len())) {
            Some(at) => {
                let spare = self.spare.swap_remove(at);
                self.spare_bytes -= spare.len();
                spare
            }
            None => vec![0; len].into_boxed_slice(),
        };
        self.lent += buffer.len();
        buffer
    }

    /// Takes a buffer back.
    pub(super) fn give(&mut self, buffer: Box<[u8]>) {
        debug_assert!(self.lent >= buffer.len());
        self.lent -= buffer.len();
        let held = self.lent + self.spare_bytes + buffer.len();
        if !buffer.is_empty() && self.spare.len() < SPARES && held <= self.budget {
            self.spare_bytes += buffer.len();
            self.spare.push(buffer);
        }
    }

    /// Whether rings hold more than the budget and should part with what they do not need.
    pub(super) const fn is_over(&self) -> bool {
        self.lent > self.budget
    }

    /// Bytes that rings and spares hold.
    pub(super) const fn bytes(&self) -> usize {
        self.lent + self.spare_bytes
    }

    /// Gives every spare back to the allocator.
    pub(super) fn shrink(&mut self) {
        self.spare = Vec::new();
        self.spare_bytes = 0;
    }
}

/// Chunks that borrowed writes are copied into. Their sizes are powers of two; spares of each size are kept
/// apart, so that any number of streams finds one in a few steps.
#[derive(Debug)]
pub(super) struct ChunkPool {
    /// By size, from the smallest. A connection at rest has none.
    spare: Option<Box<[Vec<Vec<u8>>; Self::SIZES]>>,
    spare_bytes: usize,
    budget: usize,
}

impl ChunkPool {
    /// The smallest chunk, in bytes.
    const MIN: usize = 256;
    /// The largest chunk, in bytes.
    pub(super) const MAX: usize = 64 << 10;
    /// How many sizes there are.
    const SIZES: usize = (Self::MAX / Self::MIN).ilog2() as usize + 1;

    /// A pool that keeps at most `budget` bytes of spare chunks.
    const fn with_budget(budget: usize) -> Self {
        Self { spare: None, spare_bytes: 0, budget }
    }

    /// A pool that keeps what a send buffer of so many bytes needs.
    pub(super) fn new(send_buffer: usize) -> Self {
        // A full buffer may begin in the middle of a chunk, and end in another's.
        Self::with_budget(send_buffer + (2 * Self::MAX).min(send_buffer / 2))
    }

    /// The place of the size that holds `bytes`, and less than twice as many.
    fn place_of(bytes: usize) -> usize {
        bytes.next_power_of_two().ilog2().saturating_sub(Self::MIN.ilog2()) as usize
    }

    /// An empty chunk with room for `want` bytes, or for [`Self::MAX`] if that is less.
    pub(super) fn take(&mut self, want: usize) -> Vec<u8> {
        let want = want.clamp(Self::MIN, Self::MAX);
        let mut fitting =
            self.spare.iter_mut().flat_map(|sizes| &mut sizes[Self::place_of(want)..]);
        if let Some(spare) = fitting.find_map(Vec::pop) {
            self.spare_bytes -= spare.capacity();
            return spare;
        }
        Vec::with_capacity(want.next_power_of_two())
    }

    /// Bytes that spares hold.
    pub(super) const fn bytes(&self) -> usize {
        self.spare_bytes
    }

    /// Takes a chunk back.
    pub(super) fn give(&mut self, mut chunk: Vec<u8>) {
        let size = Self::place_of(chunk.capacity());
        if self.spare_bytes + chunk.capacity() <= self.budget
            && let Some(spare) = self.spare.get_or_insert_default().get_mut(size)
        {
            chunk.clear();
            self.spare_bytes += chunk.capacity();
            spare.push(chunk);
        }
    }

    /// Gives every spare back to the allocator.
    pub(super) fn shrink(&mut self) {
        self.spare = None;
        self.spare_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_that_was_given_back_is_lent_again() {
        let mut pool = RingPool::new(4096);
        let ring = pool.take(1024);
        let at = ring.as_ptr();
        pool.give(ring);
        let again = pool.take(1024);
        assert_eq!(again.as_ptr(), at);
    }

    #[test]
    fn spares_stay_within_the_budget() {
        let mut pool = RingPool::new(4096);
        let rings = [pool.take(4096), pool.take(4096), pool.take(4096)];
        assert!(pool.is_over());
        for ring in rings {
            pool.give(ring);
        }
        assert_eq!(pool.bytes(), 4096);
        pool.shrink();
        assert_eq!(pool.bytes(), 0);
    }

    #[test]
    fn a_small_ring_does_not_take_a_large_spare() {
        let mut pool = RingPool::new(4096);
        let ring = pool.take(4096);
        pool.give(ring);
        assert_eq!(pool.take(256).len(), 256);
    }

    #[test]
    fn chunks_are_recycled_empty() {
        let mut pool = ChunkPool::with_budget(ChunkPool::MAX);
        let mut chunk = pool.take(1000);
        assert_eq!(chunk.capacity(), 1024);
        chunk.extend_from_slice(b"old");
        let at = chunk.as_ptr();
        pool.give(chunk);
        let again = pool.take(500);
        assert_eq!((again.as_ptr(), again.len()), (at, 0));
        pool.give(Vec::with_capacity(2 * ChunkPool::MAX));
        assert_eq!(pool.bytes(), 0);
    }

    #[test]
    fn any_number_of_chunks_is_recycled_within_the_budget() {
        let mut pool = ChunkPool::with_budget(1000 * ChunkPool::MIN);
        let chunks: Vec<_> = (0..1001).map(|_| pool.take(1)).collect();
        let first = chunks[999].as_ptr();
        for chunk in chunks {
            pool.give(chunk);
        }
        assert_eq!(pool.bytes(), 1000 * ChunkPool::MIN);
        assert_eq!(pool.take(2 * ChunkPool::MIN).capacity(), 2 * ChunkPool::MIN);
        let again = pool.take(ChunkPool::MIN);
        assert_eq!(again.as_ptr(), first);
    }
}
