//! STREAM: bytes of a stream, in at most 8 bytes of overhead for the first 1024 stream IDs.
//!
//! ```text
//!  0 1 2 3 4 5 6 7
//! +-+-+-+-+---+---+
//! |1|F|L|O| W | H |  F: last byte of the stream follows or preceded   L: a length is present
//! +-+-+-+-+---+---+  O: an offset is present   W: the ID's further bytes: 1, 2, 3 or 8
//! | ID, W bytes   |  H: the ID's two highest bits (0 if W is 3)
//! +---------------+
//! | offset mod 2^32, 4 bytes, if O |
//! | length (i), if L; else the data takes the rest of the packet |
//! | data |
//! ```

use super::kind;
use crate::ids::StreamId;
use crate::wire::{Full, Malformed, Put, Reader};

/// The largest flow-control window of a stream, in bytes: far enough below 2^31 that the low 32 bits
/// of an offset tell it whole (`spec/03-frames.md`, section 3.5.1).
pub const MAX_WINDOW: u64 = 1 << 30;

const FIN: u8 = 0x40;
const LENGTH: u8 = 0x20;
const OFFSET: u8 = 0x10;

/// What precedes a STREAM frame's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamHeader {
    /// The stream.
    pub id: StreamId,
    /// Offset of the first byte.
    pub offset: u64,
    /// Whether the data ends the stream.
    pub fin: bool,
    /// Length of the data, or `None` if it takes the rest of the packet.
    pub len: Option<u16>,
}

impl StreamHeader {
    /// The most bytes that a header takes.
    pub const MAX_LEN: usize = 1 + 8 + 4 + 4;

    /// Length of the header without a length field.
    pub const fn size_without_length(id: StreamId, offset: u64) -> usize {
        1 + shape(id).0 + if offset == 0 { 0 } else { 4 }
    }

    /// The header without a length, of data that neither begins nor ends the stream; its last four bytes are
    /// for the low bits of the offset, whatever follows the header in the array is not part of it.
    pub fn within(id: StreamId) -> ([u8; Self::MAX_LEN], usize) {
        let (width, bits) = shape(id);
        let mut header = [0; Self::MAX_LEN];
        header[0] = kind::STREAM | OFFSET | bits;
        header[1..9].copy_from_slice(&(id.0 << (64 - 8 * width)).to_be_bytes());
        (header, 1 + width + 4)
    }

    /// Appends the header.
    #[inline]
    pub fn encode(&self, out: &mut impl Put) -> Result<(), Full> {
        let (width, bits) = shape(self.id);
        let mut first = kind::STREAM | bits;
        first |= if self.fin { FIN } else { 0 };
        first |= if self.len.is_some() { LENGTH } else { 0 };
        first |= if self.offset != 0 { OFFSET } else { 0 };
        if width < 8 {
            let front = u64::from(first) << 56 | self.id.0 << (56 - 8 * width);
            out.put_front(&front.to_be_bytes(), 1 + width)?;
        } else {
            out.put_u8(first)?;
            out.put(&self.id.0.to_be_bytes())?;
        }
        if self.offset != 0 {
            out.put_u32(self.offset as u32)?;
        }
        self.len.map_or(Ok(()), |len| out.put_varint(u64::from(len)))
    }
}

/// How an ID is written: how many bytes of it follow the type, and W and H of the type.
const fn shape(id: StreamId) -> (usize, u8) {
    match id.0 {
        0..0x400 => (1, (id.0 >> 8) as u8),
        0x400..0x4_0000 => (2, 1 << 2 | (id.0 >> 16) as u8),
        0x4_0000..0x400_0000 => (3, 2 << 2 | (id.0 >> 24) as u8),
        _ => (8, 3 << 2),
    }
}

/// A STREAM frame as received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamFrame<'a> {
    /// The stream.
    pub id: StreamId,
    /// The low 32 bits of the first byte's offset, or `None` for offset 0; see [`expand_offset`].
    pub offset: Option<u32>,
    /// Whether the data ends the stream.
    pub fin: bool,
    /// The data, possibly empty.
    pub data: &'a [u8],
}

impl<'a> StreamFrame<'a> {
    pub(super) fn decode(kind: u8, r: &mut Reader<'a>) -> Result<Self, Malformed> {
        let high = u64::from(kind & 3);
        let id = match (kind >> 2 & 3, high) {
            (0, _) => high << 8 | u64::from(r.u8()?),
            (1, _) => high << 16 | u64::from(r.u16()?),
            (2, _) => {
                let [a, b, c] = r.array()?;
                high << 24 | u64::from(u32::from_be_bytes([0, a, b, c]))
            }
            (_, 0) => u64::from_be_bytes(r.array()?),
            _ => return Err(Malformed),
        };
        if id >= 1 << 62 {
            return Err(Malformed);
        }
        let offset = if kind & OFFSET != 0 { Some(r.u32()?) } else { None };
        let data = if kind & LENGTH != 0 { r.varint_prefixed()? } else { r.take_rest() };
        Ok(Self { id: StreamId(id), offset, fin: kind & FIN != 0, data })
    }

    /// Appends the frame, with a length field. Offset 0 and an absent offset are the same.
    pub(super) fn encode(&self, out: &mut impl Put) -> Result<(), Full> {
        let len = u16::try_from(self.data.len()).map_err(|_| Full)?;
        let offset = u64::from(self.offset.unwrap_or(0));
        // An explicit zero stands for a multiple of 2^32 that is not 0.
        let offset = if self.offset == Some(0) { 1 << 32 } else { offset };
        StreamHeader { id: self.id, offset, fin: self.fin, len: Some(len) }.encode(out)?;
        out.put(self.data)
    }
}

/// The offset whose low 32 bits are `low`, nearest to `expected` (the receiver's lowest missing
/// byte), at most 2^62.
pub const fn expand_offset(low: Option<u32>, expected: u64) -> u64 {
    const HALF: u64 = 1 << 31;
    const SPAN: u64 = 1 << 32;
    let Some(low) = low else { return 0 };
    let candidate = expected & !(SPAN - 1) | low as u64;
    if candidate + HALF < expected {
        candidate + SPAN
    } else if candidate >= expected + HALF && candidate >= SPAN {
        candidate - SPAN
    } else {
        candidate
    }
}
