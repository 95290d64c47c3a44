//! Packet headers (`spec/02-packets.md`). They keep to the invariants of RFC 8999.
//!
//! ```text
//! long   1 1 T T R R P P  version (32)  len (8) DCID  len (8) SCID
//!        Initial:   token length (i), token, length (i), packet number, payload
//!        Early, Handshake:                   length (i), packet number, payload
//!        Retry:     token, integrity tag (128)
//! short  0 1 R R R K P P  DCID (64)  packet number, payload
//! ```
//!
//! T: type. P: packet number's length - 1. K: key phase. R: reserved, zero. The low bits are under
//! header protection: 4 in long headers, 5 in short ones.

use super::number::TruncatedNumber;
use super::{Full, Malformed, Put, Reader, Writer};
use crate::ids::{ConnectionId, Space, Version};
use crate::record::TAG_LEN;
use core::ops::Range;

/// The bit of the first byte that marks a long header.
pub const LONG: u8 = 0x80;
/// The bit that is always set, so that others can share the socket (RFC 9443).
pub const FIXED: u8 = 0x40;
/// The key-phase bit of a short header.
pub const KEY_PHASE: u8 = 0x04;
/// The reserved bits of a long header.
pub const LONG_RESERVED: u8 = 0x0c;
/// Where the packet number begins in a packet with a short header.
pub const SHORT_NUMBER_AT: usize = 1 + ConnectionId::LEN;
/// The reserved bits of a short header.
pub const SHORT_RESERVED: u8 = 0x38;

/// The type of a protected packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// ClientHello and ServerHello, under keys that anybody can compute.
    Initial,
    /// Data of the client's first flight, under a key from a ticket.
    Early,
    /// The rest of the handshake.
    Handshake,
    /// Application data; the only kind with a short header.
    Data,
}

impl Kind {
    /// The space that the packet's number counts in.
    pub const fn space(self) -> Space {
        match self {
            Self::Initial => Space::Initial,
            Self::Handshake => Space::Handshake,
            Self::Early | Self::Data => Space::Data,
        }
    }
}

/// A packet whose header is still protected: where its parts lie in the datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protected {
    /// Its type.
    pub kind: Kind,
    /// Its destination.
    pub dcid: ConnectionId,
    /// Its source; empty in a short header.
    pub scid: ConnectionId,
    /// An Initial's token.
    pub token: Range<usize>,
    /// Where the packet number begins.
    pub number_at: usize,
    /// Where the packet ends; another may follow.
    pub end: usize,
}

/// The destination of a packet with a short header, which takes the whole datagram; `None` if it is none, or too
/// short to sample.
pub fn short_destination(datagram: &[u8]) -> Option<&[u8; ConnectionId::LEN]> {
    let (first, rest) = datagram.split_first()?;
    let sampled = datagram.len() >= SHORT_NUMBER_AT + TruncatedNumber::MAX_LEN + TAG_LEN;
    if first & (LONG | FIXED) == FIXED && sampled { rest.first_chunk() } else { None }
}

/// A packet at the front of a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// A packet with a number and a payload.
    Protected(Protected),
    /// Retry.
    Retry {
        /// Its destination.
        dcid: ConnectionId,
        /// Its source: the ID that the server chose.
        scid: ConnectionId,
        /// The token that the client returns.
        token: Range<usize>,
    },
    /// Version Negotiation (RFC 8999, section 6).
    Negotiation {
        /// Its destination.
        dcid: ConnectionId,
        /// Its source.
        scid: ConnectionId,
        /// The versions offered: one or more, 4 bytes each.
        versions: Range<usize>,
    },
    /// A long header of a version that is not ours.
    Other {
        /// The version.
        version: Version,
        /// Its destination.
        dcid: ConnectionId,
        /// Its source.
        scid: ConnectionId,
    },
}

impl Packet {
    /// Parses the header at the front of `datagram`. Destination IDs in short headers are
    /// [`ConnectionId::LEN`] bytes.
    pub fn parse(datagram: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(datagram);
        let at = |r: &Reader<'_>| datagram.len() - r.remaining();
        let first = r.u8()?;
        if first & LONG == 0 {
            let dcid = ConnectionId::from(*short_destination(datagram).ok_or(Malformed)?);
            let (token, number_at) = (0..0, SHORT_NUMBER_AT);
            let scid = ConnectionId::EMPTY;
            let end = datagram.len();
            let kind = Kind::Data;
            return Ok(Self::Protected(Protected { kind, dcid, scid, token, number_at, end }));
        }
        let version = Version(r.u32()?);
        let dcid = ConnectionId::new(r.u8_prefixed()?).ok_or(Malformed)?;
        let scid = ConnectionId::new(r.u8_prefixed()?).ok_or(Malformed)?;
        if version == Version::NEGOTIATION {
            // Without a version, or with a truncated one, the packet is ignored (RFC 8999, section 6).
            let versions = at(&r)..datagram.len();
            let whole = !versions.is_empty() && versions.len().is_multiple_of(4);
            return if whole {
                Ok(Self::Negotiation { dcid, scid, versions })
            } else {
                Err(Malformed)
            };
        }
        if version != Version::V1 {
            return Ok(Self::Other { version, dcid, scid });
        }
        let kind = match first >> 4 & 3 {
            0 => Kind::Initial,
            1 => Kind::Early,
            2 => Kind::Handshake,
            _ => {
                let token = at(&r)..datagram.len().checked_sub(TAG_LEN).ok_or(Malformed)?;
                let valid = first & FIXED != 0 && token.start < token.end;
                return if valid { Ok(Self::Retry { dcid, scid, token }) } else { Err(Malformed) };
            }
        };
        let mut token = 0..0;
        if kind == Kind::Initial {
            let bytes = r.varint_prefixed()?;
            token = at(&r) - bytes.len()..at(&r);
        }
        let length = usize::try_from(r.varint()?).map_err(|_| Malformed)?;
        let number_at = at(&r);
        r.take(length)?;
        Protected { kind, dcid, scid, token, number_at, end: at(&r) }
            .checked(first)
            .map(Self::Protected)
    }
}

impl Protected {
    /// A packet must be long enough to sample its ciphertext, and have the fixed bit.
    fn checked(self, first: u8) -> Result<Self, Malformed> {
        let sampled = self.end.saturating_sub(self.number_at) >= TruncatedNumber::MAX_LEN + TAG_LEN;
        if first & FIXED != 0 && sampled { Ok(self) } else { Err(Malformed) }
    }
}

/// Where an encoded header ends, and what remains to be filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Offset of a long header's two-byte length field.
    pub length_at: Option<usize>,
    /// Offset of the packet number.
    pub number_at: usize,
}

/// Appends a long header and the packet number; the length is filled in by [`set_length`].
pub fn encode_long(
    w: &mut Writer<'_>,
    kind: Kind,
    dcid: &ConnectionId,
    scid: &ConnectionId,
    token: &[u8],
    number: TruncatedNumber,
) -> Result<Encoded, Full> {
    debug_assert!(kind != Kind::Data);
    w.put_u8(LONG | FIXED | (kind as u8) << 4 | (number.len() as u8 - 1))?;
    put_version_and_ids(w, Version::V1, dcid, scid)?;
    if kind == Kind::Initial {
        w.put_varint_prefixed(token)?;
    }
    let length_at = Some(w.len());
    w.put_u16(0)?;
    let number_at = w.len();
    number.encode(w)?;
    Ok(Encoded { length_at, number_at })
}

/// Appends a short header and the packet number.
#[inline]
pub fn encode_short(
    w: &mut Writer<'_>,
    dcid: &ConnectionId,
    key_phase: bool,
    number: TruncatedNumber,
) -> Result<Encoded, Full> {
    let phase = if key_phase { KEY_PHASE } else { 0 };
    let first = FIXED | phase | (number.len() as u8 - 1);
    let number_at = w.len() + SHORT_NUMBER_AT;
    let Ok(id) = <[u8; ConnectionId::LEN]>::try_from(dcid.as_bytes()) else {
        return encode_odd(w, first, dcid, number);
    };
    let len = SHORT_NUMBER_AT + number.len();
    let Some(front) = w.front::<{ SHORT_NUMBER_AT + TruncatedNumber::MAX_LEN }>(len) else {
        return encode_odd(w, first, dcid, number);
    };
    front[0] = first;
    front[1..SHORT_NUMBER_AT].copy_from_slice(&id);
    front[SHORT_NUMBER_AT..].copy_from_slice(&number.front());
    Ok(Encoded { length_at: None, number_at })
}

/// The same with a destination that is not one of this engine's, or where there is hardly room.
#[cold]
fn encode_odd(
    w: &mut Writer<'_>,
    first: u8,
    dcid: &ConnectionId,
    number: TruncatedNumber,
) -> Result<Encoded, Full> {
    w.put_u8(first)?;
    w.put(dcid.as_bytes())?;
    let number_at = w.len();
    number.encode(w)?;
    Ok(Encoded { length_at: None, number_at })
}

/// Appends what every long header begins with, behind its first byte.
pub fn put_version_and_ids(
    w: &mut impl Put,
    version: Version,
    dcid: &ConnectionId,
    scid: &ConnectionId,
) -> Result<(), Full> {
    w.put_u32(version.0)?;
    for id in [dcid, scid] {
        w.put_u8(id.as_bytes().len() as u8)?;
        w.put(id.as_bytes())?;
    }
    Ok(())
}

/// Writes a long header's length field: `length` counts the packet number, the payload and the tag,
/// at most 16383.
pub fn set_length(field: &mut [u8; 2], length: usize) {
    debug_assert!(length < 1 << 14);
    *field = (0x4000 | length as u16).to_be_bytes();
}

/// The payload kinds' order is the wire's.
const _: () =
    assert!(Kind::Initial as u8 == 0 && Kind::Early as u8 == 1 && Kind::Handshake as u8 == 2);
