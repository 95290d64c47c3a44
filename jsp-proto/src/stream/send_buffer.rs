//! The send buffer: a stream's bytes from the application's write until they are acknowledged.
//!
//! ```text
//!      base                    unsent            end
//!       |  sent: acked or lost   |   not yet sent  |
//!   ----|##A##|######|##L##|#####|-----------------|--->  offsets
//!       [ own 64 KiB chunk ][ shared Bytes ][ own ...       chunks
//! ```
//!
//! Owned `Bytes` are taken as they are; borrowed slices are copied into chunks that are recycled once
//! acknowledged. Nothing is moved after that: data goes from its chunk into the datagram. A cursor
//! remembers the chunk that was last sent from, so that sending in sequence never searches.

use super::pool::ChunkPool;
use super::ranges::RangeSet;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;
use core::ops::Range;

/// Shared data below this many bytes is copied: keeping track of it would cost more.
const COPY_BELOW: usize = 256;

#[derive(Debug)]
enum Data {
    Own(Vec<u8>),
    Shared(Bytes),
}

#[derive(Debug)]
struct Chunk {
    start: u64,
    data: Data,
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        match &self.data {
            Data::Own(bytes) => bytes,
            Data::Shared(bytes) => bytes,
        }
    }

    fn end(&self) -> u64 {
        self.start + self.bytes().len() as u64
    }
}

/// Bytes written and not yet acknowledged.
#[derive(Debug, Default)]
pub(super) struct SendBuffer {
    chunks: VecDeque<Chunk>,
    /// The chunk that was last sent from.
    cursor: usize,
    base: u64,
    unsent: u64,
    end: u64,
    /// Acknowledged beyond `base`.
    acked: RangeSet,
    /// Sent, and to be sent again.
    lost: RangeSet,
}

impl SendBuffer {
    /// Bytes that are kept: written and not yet acknowledged in sequence.
    pub(super) const fn len(&self) -> u64 {
        self.end - self.base
    }

    /// The memory held: own chunks by capacity, shared ones by what of them is not acknowledged (whose
    /// memory they keep, only their owner knows), ranges by capacity.
    pub(super) fn memory(&self) -> usize {
        let data = self.chunks.iter().map(|chunk| match &chunk.data {
            Data::Own(own) => own.capacity(),
            Data::Shared(_) => (chunk.end() - self.base.max(chunk.start)) as usize,
        });
        let chunks = self.chunks.capacity() * size_of::<Chunk>();
        data.sum::<usize>() + chunks + self.acked.capacity_bytes() + self.lost.capacity_bytes()
    }

    /// Offset of the first byte that was never sent.
    pub(super) const fn unsent(&self) -> u64 {
        self.unsent
    }

    /// Offset behind the last byte written.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// Whether everything that was written is acknowledged.
    pub(super) const fn is_empty(&self) -> bool {
        self.base == self.end
    }

    /// Appends a copy of `data`.
    pub(super) fn write(&mut self, mut data: &[u8], pool: &mut ChunkPool) {
        while !data.is_empty() {
            let room = match self.chunks.back() {
                Some(Chunk { data: Data::Own(own), .. }) => own.capacity() - own.len(),
                _ => 0,
            };
            if room == 0 {
                // A chunk is as large as all that is kept: chunks are few, and a stream with little
                // under way holds little, however long it lives.
                let own = pool.take(data.len().max(self.len() as usize));
                self.chunks.push_back(Chunk { start: self.end, data: Data::Own(own) });
            } else if let Some(Chunk { data: Data::Own(own), .. }) = self.chunks.back_mut() {
                let (now, later) = data.split_at(room.min(data.len()));
                own.extend_from_slice(now);
                self.end += now.len() as u64;
                data = later;
            }
        }
    }

    /// Appends `data` without copying it, unless it is tiny.
    pub(super) fn write_bytes(&mut self, data: Bytes, pool: &mut ChunkPool) {
        if data.len() < COPY_BELOW {
            return self.write(&data, pool);
        }
        let start = self.end;
        self.end += data.len() as u64;
        self.chunks.push_back(Chunk { start, data: Data::Shared(data) });
    }

    /// The lowest range that is to be sent again.
    pub(super) fn lost(&self) -> Option<Range<u64>> {
        self.lost.first()
    }

    /// Whether there is anything [lost](Self::lost).
    pub(super) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// `range`, which had been lost, is being sent again.
    pub(super) fn resent(&mut self, range: &Range<u64>) {
        self.lost.remove(range);
    }

    /// The next `n` bytes that were never sent are being sent.
    pub(super) fn sent(&mut self, n: u64) {
        debug_assert!(n <= self.end - self.unsent);
        self.unsent += n.min(self.end - self.unsent);
    }

    /// Copies the bytes from `offset` on to `out`; they are written and not acknowledged.
    pub(super) fn copy(&mut self, offset: u64, out: &mut [u8]) {
        let mut source = self.source(offset);
        source.take(out);
        self.cursor = source.chunk();
    }

    /// The bytes from `offset` on, which are not acknowledged.
    pub(super) fn source(&self, offset: u64) -> Source<'_> {
        let at = self.find(offset);
        let rest = self
            .chunks
            .get(at)
            .and_then(|chunk| chunk.bytes().get(offset.saturating_sub(chunk.start) as usize..));
        Source { chunks: &self.chunks, at, rest: rest.unwrap_or_default() }
    }

    /// The search for what is sent next begins at the chunk where a [`Source`] ended.
    pub(super) fn seek(&mut self, chunk: usize) {
        self.cursor = chunk;
    }

    /// The chunk that holds `offset`: nearly always that of the cursor, or the next.
    fn find(&self, offset: u64) -> usize {
        let holds = |chunk: &Chunk| chunk.start <= offset && offset < chunk.end();
        (self.cursor..self.cursor + 2)
            .find(|&at| self.chunks.get(at).is_some_and(holds))
            .unwrap_or_else(|| self.chunks.partition_point(|chunk| chunk.end() <= offset))
    }

    /// `range`, which was sent, arrived. Returns how many bytes need no longer be kept.
    pub(super) fn acked(&mut self, range: Range<u64>, pool: &mut ChunkPool) -> u64 {
        debug_assert!(range.end <= self.unsent);
        if !self.lost.is_empty() {
            self.lost.remove(&range);
        }
        if range.start > self.base {
            self.acked.insert(range);
            return 0;
        }
        let before = self.base;
        self.base = before.max(range.end);
        if !self.acked.is_empty() {
            self.base = self.acked.absorb(self.base);
        }
        while self.chunks.front().is_some_and(|chunk| chunk.end() <= self.base) {
            self.cursor = self.cursor.saturating_sub(1);
            if let Some(Chunk { data: Data::Own(own), .. }) = self.chunks.pop_front() {
                pool.give(own);
            }
        }
        self.base - before
    }

    /// `range`, which was sent, was lost: what of it did not arrive otherwise is to be sent again.
    pub(super) fn mark_lost(&mut self, range: Range<u64>) {
        let range = range.start.max(self.base)..range.end.min(self.unsent);
        if range.is_empty() {
            return;
        }
        self.lost.insert(range.clone());
        for acked in self.acked.overlapping(range) {
            self.lost.remove(acked);
        }
    }

    /// Forgets all data; what was sent stays counted. Returns how many bytes were kept.
    pub(super) fn clear(&mut self, pool: &mut ChunkPool) -> u64 {
        let kept = self.len();
        for chunk in core::mem::take(&mut self.chunks) {
            if let Data::Own(own) = chunk.data {
                pool.give(own);
            }
        }
        *self =
            Self { base: self.unsent, unsent: self.unsent, end: self.unsent, ..Self::default() };
        kept
    }

    /// Gives back what an empty buffer holds.
    pub(super) fn shrink(&mut self) {
        if self.is_empty() {
            self.chunks = VecDeque::new();
            self.acked.clear();
            self.lost.clear();
        }
    }
}

/// Reads a buffer from an offset on, without a search for each piece.
#[derive(Debug)]
pub(super) struct Source<'a> {
    chunks: &'a VecDeque<Chunk>,
    /// The chunk that `rest` is the end of.
    at: usize,
    rest: &'a [u8],
}

impl Source<'_> {
    /// Copies the next bytes to `out`; there are as many.
    pub(super) fn take(&mut self, mut out: &mut [u8]) {
        while self.rest.len() < out.len() {
            let (now, later) = out.split_at_mut(self.rest.len());
            now.copy_from_slice(self.rest);
            out = later;
            let Some(chunk) = self.chunks.get(self.at + 1) else {
                debug_assert!(false, "no more than was written");
                return;
            };
            self.at += 1;
            self.rest = chunk.bytes();
        }
        let (now, later) = self.rest.split_at(out.len());
        out.copy_from_slice(now);
        self.rest = later;
    }

    /// The chunk that was last read from.
    pub(super) const fn chunk(&self) -> usize {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use quickcheck::quickcheck;

    fn bytes(offset: u64, len: u64) -> Vec<u8> {
        (offset..offset + len).map(|n| (n % 251) as u8).collect()
    }

    fn copied(buffer: &mut SendBuffer, offset: u64, len: u64) -> Vec<u8> {
        let mut out = vec![0; len as usize];
        buffer.copy(offset, &mut out);
        out
    }

    quickcheck! {
        fn whatever_is_lost_is_sent_again_until_all_arrived(steps: Vec<(u8, u16)>, seed: u16) -> bool {
            let mut pool = ChunkPool::new(1 << 20);
            let mut buffer = SendBuffer::default();
            let mut flight: Vec<Range<u64>> = Vec::new();
            let mut arrived = vec![false; 1 << 20];
            let (mut freed, mut turn) = (0, usize::from(seed));
            let send = |buffer: &mut SendBuffer, flight: &mut Vec<Range<u64>>, n: u64| {
                let range = match buffer.lost() {
                    Some(lost) => lost.start..lost.end.min(lost.start + n),
                    None => buffer.unsent()..buffer.end().min(buffer.unsent() + n),
                };
                let len = range.end - range.start;
                assert_eq!(copied(buffer, range.start, len), bytes(range.start, len));
                if buffer.lost().is_some() { buffer.resent(&range) } else { buffer.sent(len) }
                if !range.is_empty() { flight.push(range) }
            };
            for (what, n) in steps {
                turn = turn.wrapping_mul(31).wrapping_add(usize::from(n));
                match what % 6 {
                    0 => buffer.write(&bytes(buffer.end(), u64::from(n % 5000)), &mut pool),
                    1 => buffer.write_bytes(bytes(buffer.end(), u64::from(n % 5000)).into(), &mut pool),
                    2 | 3 => send(&mut buffer, &mut flight, 1 + u64::from(n % 2000)),
                    _ if flight.is_empty() => {}
                    4 => {
                        let range = flight.swap_remove(turn % flight.len());
                        arrived[range.start as usize..range.end as usize].fill(true);
                        freed += buffer.acked(range, &mut pool);
                    }
                    _ => {
                        let range = flight.swap_remove(turn % flight.len());
                        buffer.mark_lost(range.clone());
                        // A loss may turn out to have been none.
                        if n % 3 == 0 { flight.push(range) }
                    }
                }
                assert!(buffer.lost().is_none_or(|l| l.clone().all(|at| !arrived[at as usize])));
            }
            while !buffer.is_empty() {
                send(&mut buffer, &mut flight, 1000);
                for range in flight.drain(..) {
                    freed += buffer.acked(range, &mut pool);
                }
            }
            freed == buffer.end() && buffer.chunks.is_empty() && buffer.lost().is_none()
        }
    }

    #[test]
    fn owned_bytes_are_not_copied() {
        let (mut pool, mut buffer) = (ChunkPool::new(0), SendBuffer::default());
        let data = Bytes::from(vec![1; 10_000]);
        let at = data.as_ptr();
        buffer.write_bytes(data, &mut pool);
        assert_eq!(buffer.chunks[0].bytes().as_ptr(), at);
    }

    #[test]
    fn sending_in_sequence_follows_the_cursor() {
        let (mut pool, mut buffer) = (ChunkPool::new(0), SendBuffer::default());
        for _ in 0..100 {
            buffer.write_bytes(Bytes::from(vec![1; 1000]), &mut pool);
        }
        for packet in 0..90 {
            let (start, end) = (packet * 1100, (packet + 1) * 1100);
            let found = buffer.find(start);
            assert!(
                (buffer.cursor..buffer.cursor + 2).contains(&found),
                "packet {packet} searched"
            );
            copied(&mut buffer, start, 1100);
            buffer.sent(1100);
            // Acknowledgements take chunks away from the front all the while.
            if packet >= 10 {
                buffer.acked(start - 11_000..end - 11_000, &mut pool);
            }
        }
    }

    #[test]
    fn chunks_are_recycled_and_small_streams_hold_small_ones() {
        let (mut pool, mut buffer) = (ChunkPool::new(1 << 20), SendBuffer::default());
        buffer.write(&[1; 10], &mut pool);
        assert_eq!(buffer.chunks[0].bytes().as_ptr(), pool_round_trip(&mut buffer, &mut pool));
        buffer.write(&vec![1; 1 << 20], &mut pool);
        assert!(buffer.chunks.len() <= 18);
    }

    /// Everything is sent and acknowledged, and the same amount written again: where it lies.
    fn pool_round_trip(buffer: &mut SendBuffer, pool: &mut ChunkPool) -> *const u8 {
        let all = buffer.unsent()..buffer.end();
        buffer.sent(all.end - all.start);
        buffer.acked(all, pool);
        buffer.write(&[2; 10], pool);
        buffer.chunks[0].bytes().as_ptr()
    }
}
