//! The receive ring: a stream's bytes from their arrival until the application is done with them.
//!
//! ```text
//!        read            ready        islands
//!         |   readable     |  gap   |#######| gap |####|
//!   ------|################|--------|#######|-----|####|------  offsets
//!       head                                                    place in the buffer, wrapping round
//! ```
//!
//! Data is copied once, to its place, and lent from there. The buffer grows as offsets do, to less
//! than twice what is stored (gaps counted: the peer paid for them in flow-control credit), and never
//! beyond the window. In order, arrival is a copy and an addition; only what lies beyond a gap has its
//! range noted, and there are at most [`max_islands`] of those, so that a peer that sends single bytes
//! with holes between them cannot make this end store more than its window once over.

use super::pool::RingPool;
use super::ranges::RangeSet;
use crate::planted::{self, Bug};
use crate::record::Held;
use alloc::boxed::Box;
use core::mem;
use core::ops::Range;

/// The stream arrived in more pieces than are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragmented;

/// How many separate pieces beyond the first gap a window of `window` bytes may hold.
///
/// A piece for every 64 bytes, but at least 256: no sender splits finer for long. From 512 KiB on, 8192
/// suffice (16 MiB in packets of 1200 bytes, every second one lost, make 7000), and from 16 MiB on one for
/// each 2 KiB. Each piece takes 16 bytes: at most a quarter of the window.
pub(super) fn max_islands(window: u64) -> usize {
    let fine = window / 64;
    let coarse = (window / 2048).max(8192);
    fine.min(coarse).max(256) as usize
}

/// Bytes received and not yet consumed.
#[derive(Debug, Default)]
pub(super) struct Ring {
    buffer: Box<[u8]>,
    /// Where `read` lies in the buffer.
    head: usize,
    /// Offset of the first byte that was not consumed.
    read: u64,
    /// Offset of the first byte that is missing.
    ready: u64,
    /// What was received beyond `ready`.
    islands: RangeSet,
}

impl Ring {
    /// Offset of the first byte that is missing.
    pub(super) const fn ready(&self) -> u64 {
        self.ready
    }

    /// Whether nothing is stored.
    fn is_empty(&self) -> bool {
        self.read == self.ready && self.islands.is_empty()
    }

    /// Stores `data` at `offset`, whatever of it is new. The caller has checked that its end is within
    /// `window` bytes of what was consumed.
    pub(super) fn insert(
        &mut self,
        offset: u64,
        data: &[u8],
        window: u64,
        pool: &mut RingPool,
    ) -> Result<(), Fragmented> {
        let end = offset + data.len() as u64;
        if end <= self.ready || data.is_empty() {
            return Ok(());
        }
        // The first copy of a byte counts: what may already have been lent does not change.
        let known = self.ready.saturating_sub(offset) as usize;
        let mut new = data.get(known..).unwrap_or_default();
        if planted::is(Bug::DeliverTwice) {
            new = data.get(..new.len()).unwrap_or_default();
        }
        let (start, data) = (offset.max(self.ready), new);
        self.reserve((end - self.read) as usize, window as usize, pool);
        self.put(start, data);
        if start > self.ready {
            self.islands.insert(start..end);
            return if self.islands.len() > max_islands(window) { Err(Fragmented) } else { Ok(()) };
        }
        self.ready = if self.islands.is_empty() { end } else { self.islands.absorb(end) };
        Ok(())
    }

    /// The next bytes in order, as many as lie in one piece; empty if the next byte is missing.
    pub(super) fn readable(&self) -> &[u8] {
        let available = (self.ready - self.read) as usize;
        let to_end = self.buffer.len() - self.head;
        &self.buffer[self.head..][..available.min(to_end)]
    }

    /// The application is done with the next `n` bytes, at most what is readable in order. Returns how
    /// many that were.
    pub(super) fn consume(&mut self, n: usize, pool: &mut RingPool) -> usize {
        let n = n.min((self.ready - self.read) as usize);
        self.read += n as u64;
        self.head += n;
        if self.head >= self.buffer.len() {
            self.head -= self.buffer.len();
        }
        if self.is_empty() {
            // From the start again: a reader that keeps up is always lent one piece.
            self.head = 0;
        }
        if pool.is_over() {
            self.part_with_surplus(pool);
        }
        n
    }

    /// The memory that the pieces beyond the first gap take, by capacity, and the most for a window.
    pub(super) fn island_memory(&self, window: u64) -> Held {
        // One piece too many is noted before it is refused; a deque doubles.
        let most = 2 * (max_islands(window) + 1) * size_of::<Range<u64>>();
        Held::new(self.islands.capacity_bytes(), most)
    }

    /// Gives the buffer back if nothing is in it.
    pub(super) fn shrink(&mut self, pool: &mut RingPool) {
        if self.is_empty() {
            self.clear(pool);
        }
    }

    /// Forgets everything that is stored and gives the buffer back.
    pub(super) fn clear(&mut self, pool: &mut RingPool) {
        pool.give(mem::take(&mut self.buffer));
        self.head = 0;
        self.read = self.ready;
        self.islands.clear();
    }

    /// The end of what is stored, gaps included.
    fn end(&self) -> u64 {
        self.islands.end().unwrap_or(self.ready)
    }

    fn reserve(&mut self, needed: usize, window: usize, pool: &mut RingPool) {
        if needed > self.buffer.len() {
            let doubled = needed.next_power_of_two().max(RingPool::MIN);
            self.move_to(doubled.min(window.max(needed)), pool);
        }
    }

    /// Moves to a smaller buffer if less than a quarter of this one is needed.
    fn part_with_surplus(&mut self, pool: &mut RingPool) {
        let needed = (self.end() - self.read) as usize;
        if needed == 0 {
            self.clear(pool);
        } else if needed.max(RingPool::MIN) < self.buffer.len() / 4 {
            self.move_to(needed.next_power_of_two().max(RingPool::MIN), pool);
        }
    }

    fn move_to(&mut self, len: usize, pool: &mut RingPool) {
        let mut buffer = pool.take(len);
        let stored = (self.end() - self.read) as usize;
        let (back, front) = self.buffer.split_at(self.head);
        let first = stored.min(front.len());
        buffer[..first].copy_from_slice(&front[..first]);
        buffer[first..stored].copy_from_slice(&back[..stored - first]);
        pool.give(mem::replace(&mut self.buffer, buffer));
        self.head = 0;
    }

    /// Copies `data` to its place. The buffer reaches far enough.
    fn put(&mut self, offset: u64, data: &[u8]) {
        let mut at = self.head + (offset - self.read) as usize;
        if at >= self.buffer.len() {
            at -= self.buffer.len();
        }
        let (first, second) = data.split_at(data.len().min(self.buffer.len() - at));
        self.buffer[at..][..first.len()].copy_from_slice(first);
        if !second.is_empty() {
            self.buffer[..second.len()].copy_from_slice(second);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    const WINDOW: u64 = 3000;

    fn byte(offset: u64) -> u8 {
        (offset % 251) as u8
    }

    fn bytes(offset: u64, len: u64) -> Vec<u8> {
        (offset..offset + len).map(byte).collect()
    }

    quickcheck! {
        fn whatever_the_order_bytes_come_out_once_and_in_sequence(steps: Vec<(u16, u16, u16)>, budget: u16) -> bool {
            let mut pool = RingPool::new(usize::from(budget));
            let mut ring = Ring::default();
            let (mut read, mut received) = (0u64, vec![false; 1 << 20]);
            for (ahead, len, take) in steps {
                // Somewhere from well before the reader (a duplicate) up to the end of the window.
                let from = (read + u64::from(ahead) % (WINDOW + 500)).saturating_sub(500);
                let len = u64::from(len % 400).min((read + WINDOW).saturating_sub(from));
                ring.insert(from, &bytes(from, len), WINDOW, &mut pool).unwrap();
                received[from as usize..(from + len) as usize].fill(true);
                let mut take = usize::from(take % 700);
                while take > 0 && !ring.readable().is_empty() {
                    let n = take.min(ring.readable().len());
                    assert_eq!(ring.readable()[..n], bytes(read, n as u64));
                    assert!(received[read as usize..read as usize + n].iter().all(|&r| r));
                    assert_eq!(ring.consume(n, &mut pool), n);
                    read += n as u64;
                    take -= n;
                }
                let missing = read + received[read as usize..].iter().take_while(|&&r| r).count() as u64;
                assert_eq!(ring.ready(), missing);
                assert!(ring.buffer.len() as u64 <= 2 * WINDOW);
            }
            true
        }
    }

    #[test]
    fn a_reader_that_keeps_up_needs_one_small_buffer_and_is_lent_whole_packets() {
        let (mut pool, mut ring) = (RingPool::new(1 << 16), Ring::default());
        for packet in 0..1000 {
            ring.insert(packet * 1400, &bytes(packet * 1400, 1400), 1 << 20, &mut pool).unwrap();
            assert_eq!(ring.readable(), bytes(packet * 1400, 1400));
            ring.consume(1400, &mut pool);
        }
        assert_eq!((pool.bytes(), ring.islands.len()), (2048, 0));
        ring.shrink(&mut pool);
        pool.shrink();
        assert_eq!(pool.bytes(), 0);
    }

    #[test]
    fn one_byte_fragments_are_refused_before_they_cost_more_than_the_window() {
        const W: u64 = 256 << 10;
        let (mut pool, mut ring) = (RingPool::new(W as usize), Ring::default());
        let refused = (0..W / 2).find(|n| ring.insert(2 * n + 1, &[7], W, &mut pool).is_err());
        assert_eq!(refused, Some(max_islands(W) as u64));
        let ranges = (max_islands(W) + 1).next_power_of_two() * size_of::<Range<u64>>();
        assert!(ranges + pool.bytes() <= 2 * W as usize);
    }

    #[test]
    fn every_second_packet_of_a_full_window_may_be_missing() {
        for window in [64 << 10, 256 << 10, 1 << 20, 16 << 20, 1 << 30u64] {
            assert!(window / 1200 / 2 < max_islands(window) as u64);
            assert!(16 * max_islands(window) as u64 <= (window / 4).max(4096));
        }
    }

    #[test]
    fn a_connection_over_its_budget_takes_back_what_a_ring_no_longer_needs() {
        let (mut pool, mut ring) = (RingPool::new(1000), Ring::default());
        ring.insert(0, &bytes(0, 100_000), 1 << 20, &mut pool).unwrap();
        ring.insert(100_010, &bytes(100_010, 10), 1 << 20, &mut pool).unwrap();
        let mut read = 0;
        while read < 100_000 {
            let n = ring.readable().len().min(999);
            assert_eq!(ring.readable()[..n], bytes(read, n as u64));
            read += ring.consume(n, &mut pool) as u64;
        }
        assert!(pool.bytes() < 1100);
        ring.insert(100_000, &bytes(100_000, 10), 1 << 20, &mut pool).unwrap();
        assert_eq!(ring.readable(), bytes(100_000, 20));
    }
}
