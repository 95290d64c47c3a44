//! Cursors over bytes, and the variable-length integer (RFC 9000, section 16).

use alloc::vec::Vec;

/// The largest value of a variable-length integer: 2^62 - 1.
pub const VARINT_MAX: u64 = (1 << 62) - 1;

/// The input ended early or holds a value that is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// The output slice has no room left; nothing of the failed value counts as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Encoded length of `value`: 1, 2, 4 or 8 bytes.
pub const fn varint_len(value: u64) -> usize {
    match value {
        0..=0x3f => 1,
        0x40..=0x3fff => 2,
        0x4000..=0x3fff_ffff => 4,
        _ => 8,
    }
}

/// Reads values from the front of a slice.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of all of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes not read yet.
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether everything was read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte, without reading it.
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Everything that is left.
    pub fn take_rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// A byte.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    /// A big-endian 16-bit number.
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// A big-endian 32-bit number.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// A variable-length integer. Longer encodings than needed are accepted.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        match self.rest.split_first() {
            // Most are small.
            Some((&byte, rest)) if byte < 0x40 => {
                self.rest = rest;
                Ok(byte.into())
            }
            _ => self.long_varint(),
        }
    }

    #[inline(never)]
    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let first = self.peek().ok_or(Malformed)?;
        Ok(match first >> 6 {
            0 => u64::from(self.u8()?),
            1 => u64::from(self.u16()? & 0x3fff),
            2 => u64::from(self.u32()? & 0x3fff_ffff),
            _ => u64::from_be_bytes(self.array()?) & VARINT_MAX,
        })
    }

    /// A variable-length integer that counts bytes, and that many bytes.
    pub fn varint_prefixed(&mut self) -> Result<&'a [u8], Malformed> {
        let n = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
        self.take(n)
    }

    /// A byte that counts bytes, and that many bytes.
    pub fn u8_prefixed(&mut self) -> Result<&'a [u8], Malformed> {
        let n = self.u8()?;
        self.take(usize::from(n))
    }
}

/// Takes encoded values: a slice of a datagram ([`Writer`]) or a growing message (`Vec<u8>`).
pub trait Put {
    /// Appends bytes.
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full>;

    /// Appends the first `len` of `bytes`.
    fn put_front<const N: usize>(&mut self, bytes: &[u8; N], len: usize) -> Result<(), Full> {
        self.put(bytes.get(..len).ok_or(Full)?)
    }

    /// Appends a byte.
    fn put_u8(&mut self, value: u8) -> Result<(), Full> {
        self.put(&[value])
    }

    /// Appends a big-endian 16-bit number.
    fn put_u16(&mut self, value: u16) -> Result<(), Full> {
        self.put(&value.to_be_bytes())
    }

    /// Appends a big-endian 32-bit number.
    fn put_u32(&mut self, value: u32) -> Result<(), Full> {
        self.put(&value.to_be_bytes())
    }

    /// Appends `value`, at most [`VARINT_MAX`], in the shortest form.
    fn put_varint(&mut self, value: u64) -> Result<(), Full> {
        debug_assert!(value <= VARINT_MAX);
        // The two highest bits of the first byte are the logarithm of the length.
        let (bytes, len) = match value {
            0..=0x3f => (value << 56, 1),
            0x40..=0x3fff => (1 << 62 | value << 48, 2),
            0x4000..=0x3fff_ffff => (2 << 62 | value << 32, 4),
            _ => (3 << 62 | value & VARINT_MAX, 8),
        };
        self.put_front(&bytes.to_be_bytes(), len)
    }

    /// Appends the length of `bytes` as a variable-length integer, and the bytes.
    fn put_varint_prefixed(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.put_varint(bytes.len() as u64)?;
        self.put(bytes)
    }
}

impl Put for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

/// Writes values to a slice, from its start.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    /// A writer to `out`.
    pub const fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    /// Bytes written.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that still fit.
    pub const fn room(&self) -> usize {
        self.out.len() - self.len
    }

    /// Writes with `f`; if that fails, the writer is as it was before.
    pub fn attempt<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, Full>) -> Result<T, Full> {
        let before = self.len;
        f(self).inspect_err(|_| self.len = before)
    }

    /// The next `n` bytes, which the caller overwrites: for data that is copied in several pieces.
    pub fn reserve(&mut self, n: usize) -> Result<&mut [u8], Full> {
        let slice = self.out.get_mut(self.len..).and_then(|rest| rest.get_mut(..n)).ok_or(Full)?;
        self.len += n;
        Ok(slice)
    }

    /// The next `N` bytes, of which the first `len` count: to write all of an array is quicker than to write some of
    /// it, and what is too much is overwritten by what follows. `None` if there is no room for all.
    #[inline]
    pub fn front<const N: usize>(&mut self, len: usize) -> Option<&mut [u8; N]> {
        debug_assert!(len <= N);
        let front = self.out.get_mut(self.len..)?.first_chunk_mut()?;
        self.len += len;
        Some(front)
    }

    /// Appends what goes to the very end.
    #[cold]
    fn put_last(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.put(bytes)
    }

    /// What was written so far, for fields whose value is known later.
    pub fn written(&mut self) -> &mut [u8] {
        &mut self.out[..self.len]
    }
}

impl Put for Writer<'_> {
    #[inline]
    fn put_front<const N: usize>(&mut self, bytes: &[u8; N], len: usize) -> Result<(), Full> {
        match self.front(len) {
            Some(front) => {
                *front = *bytes;
                Ok(())
            }
            None => self.put_last(bytes.get(..len).ok_or(Full)?),
        }
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.reserve(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    quickcheck! {
        fn a_varint_survives_the_wire(value: u64) -> bool {
            let value = value & VARINT_MAX;
            let mut bytes = Vec::new();
            bytes.put_varint(value).unwrap();
            let mut reader = Reader::new(&bytes);
            bytes.len() == varint_len(value) && reader.varint() == Ok(value) && reader.is_empty()
        }

        fn a_reader_never_reads_past_the_end(bytes: Vec<u8>) -> bool {
            let mut reader = Reader::new(&bytes);
            while reader.varint().is_ok() {}
            reader.remaining() < 8
        }
    }

    #[test]
    fn the_examples_of_rfc_9000_appendix_a1() {
        let cases: [(&[u8], u64); 5] = [
            (&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c], 151_288_809_941_952_652),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
            (&[0x40, 0x25], 37),
        ];
        for (bytes, value) in cases {
            assert_eq!(Reader::new(bytes).varint(), Ok(value));
        }
    }

    #[test]
    fn an_attempt_that_does_not_fit_leaves_no_trace() {
        let mut out = [0; 4];
        let mut writer = Writer::new(&mut out);
        writer.put_u8(1).unwrap();
        let failed = writer.attempt(|w| {
            w.put_u16(2)?;
            w.put_u16(3)
        });
        assert_eq!((failed, writer.len(), writer.room()), (Err(Full), 1, 3));
    }
}
