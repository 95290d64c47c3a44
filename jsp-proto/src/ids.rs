//! Names for things: each identifier is a type of its own.

use core::fmt;
use core::num::NonZeroU8;

/// A wire version (`spec/12-versions.md`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u32);

impl Version {
    /// The experimental version that this engine speaks: the ASCII letters "JSP" and the number 1.
    pub const V1: Self = Self(0x4a53_5001);
    /// The value that marks a Version Negotiation packet (RFC 8999, section 6).
    pub const NEGOTIATION: Self = Self(0);

    /// Whether the version is of the form `0x?a?a?a?a`, which nobody ever speaks: such versions are
    /// offered at random so that peers keep ignoring what they do not know.
    pub const fn is_reserved(self) -> bool {
        self.0 & 0x0f0f_0f0f == 0x0a0a_0a0a
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version({:#010x})", self.0)
    }
}

/// Which end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The end that sent the ClientHello.
    Client,
    /// The end that answered it.
    Server,
}

impl Side {
    /// The other end.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// Whether a stream carries data in both directions or only from its initiator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dir {
    /// Both ends send.
    Bi,
    /// Only the initiator sends.
    Uni,
}

impl Dir {
    /// Both kinds, in the order of their index.
    pub const ALL: [Self; 2] = [Self::Bi, Self::Uni];

    /// 0 or 1, for tables with an entry per kind.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A stream of a connection: `index * 4 + direction * 2 + initiator` (RFC 9000, section 2.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

impl StreamId {
    /// One more than the largest number of streams of a kind: IDs fit 62 bits.
    pub const MAX_COUNT: u64 = 1 << 60;

    /// The `index`th stream of a kind.
    pub const fn new(initiator: Side, dir: Dir, index: u64) -> Self {
        Self(index << 2 | (dir as u64) << 1 | initiator as u64)
    }

    /// Who opened it.
    pub const fn initiator(self) -> Side {
        if self.0 & 1 == 0 { Side::Client } else { Side::Server }
    }

    /// Which kind it is.
    pub const fn dir(self) -> Dir {
        if self.0 & 2 == 0 { Dir::Bi } else { Dir::Uni }
    }

    /// Its position among the streams of its kind and initiator, from 0.
    pub const fn index(self) -> u64 {
        self.0 >> 2
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} {}", self.initiator(), self.dir(), self.index())
    }
}

/// The number of a packet within its space: at most 2^62 - 1, never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketNumber(pub u64);

impl PacketNumber {
    /// The largest packet number.
    pub const MAX: Self = Self((1 << 62) - 1);

    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A packet-number space; each has its own keys, acknowledgements and loss detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// Keys that anybody can compute.
    Initial,
    /// Keys from the key exchange.
    Handshake,
    /// Application data.
    Data,
}

impl Space {
    /// All spaces, in the order of their index.
    pub const ALL: [Self; 3] = [Self::Initial, Self::Handshake, Self::Data];

    /// 0, 1 or 2, for tables with an entry per space.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A path of a connection: the upper 32 bits of the AEAD nonce. Wire version 1 has path 0 only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathId(pub u32);

/// A connection ID: 0 to 20 bytes, opaque to everybody but its issuer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId {
    bytes: [u8; Self::MAX_LEN],
    len: u8,
}

impl ConnectionId {
    /// The longest connection ID (RFC 9000, section 17.2).
    pub const MAX_LEN: usize = 20;
    /// The length of the IDs that this engine issues.
    pub const LEN: usize = 8;
    /// The ID of no bytes.
    pub const EMPTY: Self = Self { bytes: [0; Self::MAX_LEN], len: 0 };

    /// An ID from its bytes; `None` if there are more than 20.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut id = Self::EMPTY;
        id.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        id.len = bytes.len() as u8;
        Some(id)
    }

    /// The bytes on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl From<[u8; ConnectionId::LEN]> for ConnectionId {
    fn from(id: [u8; ConnectionId::LEN]) -> Self {
        let mut bytes = [0; Self::MAX_LEN];
        bytes[..Self::LEN].copy_from_slice(&id);
        Self { bytes, len: Self::LEN as u8 }
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cid:")?;
        self.as_bytes().iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// Which of a server's shards: endpoints that share one address, each with connections of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardIndex(pub u8);

/// One shard of so many. An endpoint that shares its address with no other is the only one
/// ([`Shard::ONLY`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: ShardIndex,
    count: NonZeroU8,
}

impl Shard {
    /// The one shard of an endpoint that is not divided.
    pub const ONLY: Self = Self { index: ShardIndex(0), count: NonZeroU8::MIN };

    /// Shard `index`, from 0, of `count`; `None` if there is no such shard.
    pub const fn new(index: ShardIndex, count: NonZeroU8) -> Option<Self> {
        if index.0 < count.get() { Some(Self { index, count }) } else { None }
    }

    /// All shards of a server that has `count`.
    pub fn all(count: NonZeroU8) -> impl Iterator<Item = Self> {
        (0..count.get()).map(move |index| Self { index: ShardIndex(index), count })
    }

    /// Which it is.
    pub const fn index(self) -> ShardIndex {
        self.index
    }

    /// How many there are.
    pub const fn count(self) -> NonZeroU8 {
        self.count
    }
}

/// A connection's place in its endpoint, stable until it is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionHandle {
    /// The slot, below 2^24.
    pub index: u32,
    /// How often the slot was used before: an old ID cannot reach a new connection.
    pub generation: u16,
}

/// The ECN field of an IP packet (RFC 3168).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Ecn {
    /// Not ECN-capable.
    #[default]
    NotEct = 0,
    /// ECN-capable, codepoint 1 (L4S).
    Ect1 = 1,
    /// ECN-capable, codepoint 0.
    Ect0 = 2,
    /// Congestion experienced.
    Ce = 3,
}

impl Ecn {
    /// The codepoint of the two low bits.
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::NotEct,
            1 => Self::Ect1,
            2 => Self::Ect0,
            _ => Self::Ce,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_id_gives_back_what_it_was_made_of() {
        for side in [Side::Client, Side::Server] {
            for dir in Dir::ALL {
                let id = StreamId::new(side, dir, 77);
                assert_eq!((id.initiator(), id.dir(), id.index()), (side, dir, 77));
            }
        }
    }

    #[test]
    fn a_connection_id_holds_at_most_twenty_bytes() {
        assert_eq!(ConnectionId::new(&[1, 2, 3]).unwrap().as_bytes(), [1, 2, 3]);
        assert!(ConnectionId::new(&[0; 20]).is_some());
        assert!(ConnectionId::new(&[0; 21]).is_none());
    }

    #[test]
    fn our_version_is_not_reserved() {
        assert!(!Version::V1.is_reserved());
        assert!(Version(0x1a2a_3a4a).is_reserved());
    }
}
