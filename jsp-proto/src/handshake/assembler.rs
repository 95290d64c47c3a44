//! Handshake bytes that arrive in pieces, in any order.

use crate::error::{Code, TransportError};
use crate::record::Held;
use alloc::vec::Vec;

/// Puts pieces in order, within limits on how far ahead they lie and how many gaps are between them.
///
/// Memory is in proportion to the bytes that arrived, not to their offsets. Where two pieces overlap
/// the earlier one's bytes stay.
#[derive(Debug)]
pub struct Assembler {
    max_len: u32,
    max_gaps: usize,
    /// Everything below was taken.
    taken: u32,
    /// What is held: sorted, none overlapping or touching another, none empty.
    runs: Vec<Run>,
    /// No byte may follow those taken.
    finished: bool,
}

#[derive(Debug)]
struct Run {
    start: u32,
    bytes: Vec<u8>,
}

impl Run {
    fn end(&self) -> u32 {
        self.start + self.bytes.len() as u32
    }
}

impl Assembler {
    /// The most bytes of one packet-number space's handshake.
    pub const MAX_LEN: u32 = 16 * 1024;
    /// The most gaps in them.
    pub const MAX_GAPS: usize = 32;

    /// An assembler that takes no byte at or beyond offset `max_len`, and no piece that would leave
    /// more than `max_gaps` gaps before what is held.
    pub const fn new(max_len: u32, max_gaps: usize) -> Self {
        Self { max_len, max_gaps, taken: 0, runs: Vec::new(), finished: false }
    }

    /// Takes a piece.
    ///
    /// # Errors
    /// [`Code::CRYPTO_BUFFER`] beyond the limits, [`Code::PROTOCOL_VIOLATION`] for bytes after the
    /// last message.
    pub fn insert(&mut self, offset: u64, data: &[u8]) -> Result<(), TransportError> {
        let end = u32::try_from(offset.saturating_add(data.len() as u64)).unwrap_or(u32::MAX);
        if end > self.max_len {
            return Err(TransportError::new(Code::CRYPTO_BUFFER, "handshake data too far ahead"));
        }
        if self.finished && end > self.taken {
            return Err(AFTER_THE_LAST);
        }
        let start = (offset as u32).max(self.taken);
        let data = data.get((start - offset as u32) as usize..).unwrap_or_default();
        if data.is_empty() {
            return Ok(());
        }
        // The runs that the piece overlaps or touches.
        let first = self.runs.partition_point(|run| run.end() < start);
        let last = self.runs.partition_point(|run| run.start <= end);
        if first >= last {
            if start > self.taken && self.gaps() >= self.max_gaps {
                return Err(TransportError::new(
                    Code::CRYPTO_BUFFER,
                    "handshake data in too many pieces",
                ));
            }
            self.runs.insert(first, Run { start, bytes: data.into() });
            return Ok(());
        }
        let mut merged = Run { start, bytes: Vec::new() };
        for run in self.runs.drain(first..last) {
            if run.start <= start {
                merged = run;
            } else {
                fill(&mut merged, start, data, run.start);
                merged.bytes.extend_from_slice(&run.bytes);
            }
        }
        fill(&mut merged, start, data, end);
        self.runs.insert(first, merged);
        Ok(())
    }

    /// The bytes that are next and in order.
    pub fn ready(&self) -> &[u8] {
        match self.runs.first() {
            Some(run) if run.start == self.taken => &run.bytes,
            _ => &[],
        }
    }

    /// Bytes held, in order or not.
    pub fn held(&self) -> usize {
        self.runs.iter().map(|run| run.bytes.len()).sum()
    }

    /// The memory that the pieces take, by capacity: at most twice the bytes that may be held, and what
    /// tells the pieces apart.
    pub fn memory(&self) -> Held {
        let runs = self.runs.capacity() * size_of::<Run>();
        let bytes: usize = self.runs.iter().map(|run| run.bytes.capacity()).sum();
        let most = 2 * (self.max_len as usize + (self.max_gaps + 2) * size_of::<Run>());
        Held::new(runs + bytes, most)
    }

    /// How many bytes were taken in all.
    pub const fn taken(&self) -> u32 {
        self.taken
    }

    /// Takes the next `n` bytes; fewer if fewer are ready.
    pub fn take(&mut self, n: usize) -> Vec<u8> {
        let n = n.min(self.ready().len());
        let Some(run) = self.runs.first_mut().filter(|_| n > 0) else { return Vec::new() };
        let rest = run.bytes.split_off(n);
        let taken = core::mem::replace(&mut run.bytes, rest);
        run.start += n as u32;
        self.taken = run.start;
        if run.bytes.is_empty() {
            self.runs.remove(0);
        }
        taken
    }

    /// From now on no byte may follow those taken.
    ///
    /// # Errors
    /// [`Code::PROTOCOL_VIOLATION`] if some already did.
    pub fn finish(&mut self) -> Result<(), TransportError> {
        self.finished = true;
        let runs = core::mem::take(&mut self.runs);
        if runs.is_empty() { Ok(()) } else { Err(AFTER_THE_LAST) }
    }

    fn gaps(&self) -> usize {
        self.runs.len() - usize::from(!self.ready().is_empty())
    }
}

const AFTER_THE_LAST: TransportError =
    TransportError::new(Code::PROTOCOL_VIOLATION, "data after the last handshake message");

/// Extends `run` up to offset `to` with the bytes of a piece that begins at `start`.
fn fill(run: &mut Run, start: u32, data: &[u8], to: u32) {
    let from = run.end();
    debug_assert!(from >= start);
    let range = from.saturating_sub(start) as usize..to.saturating_sub(start) as usize;
    run.bytes.extend_from_slice(data.get(range).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use quickcheck::quickcheck;

    fn assembler() -> Assembler {
        Assembler::new(Assembler::MAX_LEN, Assembler::MAX_GAPS)
    }

    fn code(result: Result<(), TransportError>) -> Code {
        result.unwrap_err().code
    }

    quickcheck! {
        fn pieces_in_any_order_give_the_bytes_in_order(pieces: Vec<(u8, u8)>, takes: Vec<u8>) -> bool {
            let whole: Vec<u8> = (0..512u32).map(|i| (i * 7 + i / 256) as u8).collect();
            let mut assembler = Assembler::new(512, 512);
            let (mut arrived, mut got) = (vec![false; 512], Vec::new());
            let mut takes = takes.into_iter();
            for (start, len) in pieces {
                let range = usize::from(start)..usize::from(start) + usize::from(len);
                assembler.insert(u64::from(start), &whole[range.clone()]).unwrap();
                arrived[range].fill(true);
                got.extend(assembler.take(usize::from(takes.next().unwrap_or(0))));
            }
            let all = arrived.iter().position(|there| !there).unwrap_or(512);
            let held = arrived.iter().filter(|there| **there).count() - got.len();
            let in_order = assembler.held() == held
                && assembler.runs.windows(2).all(|w| w[0].end() < w[1].start);
            got.extend(assembler.take(512));
            in_order && got == whole[..all]
        }
    }

    #[test]
    fn bytes_far_ahead_are_refused_before_anything_is_kept() {
        let mut a = assembler();
        for offset in [u64::from(Assembler::MAX_LEN), 1 << 40, u64::MAX] {
            assert_eq!(code(a.insert(offset, &[0])), Code::CRYPTO_BUFFER);
        }
        a.insert(u64::from(Assembler::MAX_LEN) - 1, &[0]).unwrap();
        assert_eq!((a.held(), a.runs[0].bytes.capacity()), (1, 1));
    }

    #[test]
    fn a_thirty_third_gap_is_refused() {
        let mut a = assembler();
        for i in 1..=32 {
            a.insert(i * 10, &[1]).unwrap();
        }
        assert_eq!(code(a.insert(330, &[1])), Code::CRYPTO_BUFFER);
        a.insert(0, &[1]).unwrap();
        a.insert(11, &[1]).unwrap();
        assert_eq!(a.held(), 34);
    }

    #[test]
    fn the_first_bytes_of_an_offset_stay() {
        let mut a = assembler();
        a.insert(2, b"cd").unwrap();
        a.insert(0, b"abXXef").unwrap();
        assert_eq!(a.ready(), b"abcdef");
    }

    #[test]
    fn after_the_end_old_bytes_are_ignored_and_new_ones_refused() {
        let mut a = assembler();
        a.insert(0, b"abc").unwrap();
        assert_eq!(a.take(3), b"abc");
        a.finish().unwrap();
        a.insert(1, b"bc").unwrap();
        assert_eq!(code(a.insert(2, b"cd")), Code::PROTOCOL_VIOLATION);
        let mut a = assembler();
        a.insert(0, b"abc").unwrap();
        a.take(2);
        assert_eq!(code(a.finish()), Code::PROTOCOL_VIOLATION);
    }
}
