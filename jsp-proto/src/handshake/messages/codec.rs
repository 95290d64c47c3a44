//! What all messages share: the header, lists with a length in front, extensions.

use crate::error::{Code, TransportError};
use crate::ids::Version;
use crate::wire::{Full, Malformed, Put, Reader};
use alloc::vec::Vec;

/// Length of the header: type and length of the body.
pub(crate) const HEADER_LEN: usize = 4;

/// The most versions in a list.
pub(super) const MAX_VERSIONS: usize = 16;
/// The most features in a list.
pub(crate) const MAX_FEATURES: usize = 32;
/// The longest extensions of one message, in bytes.
pub(super) const MAX_EXTENSIONS: usize = 512;

/// The type of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    ClientHello = 1,
    ServerHello = 2,
    Encrypted = 3,
    Identity = 4,
    Proof = 5,
    Finished = 6,
}

impl Kind {
    /// The longest message of this type, header included.
    pub(crate) const fn max_len(self) -> usize {
        match self {
            Self::ClientHello => 3072,
            Self::ServerHello | Self::Encrypted | Self::Identity => 2048,
            Self::Proof => 4096,
            Self::Finished => HEADER_LEN + 32,
        }
    }

    /// The length of the first message in `bytes`, header included, which must be of this type;
    /// `None` if the header is not all there. A wrong type shows at its first byte.
    pub(crate) fn message_len(self, bytes: &[u8]) -> Result<Option<usize>, TransportError> {
        match bytes {
            [kind, ..] if *kind != self as u8 => Err(bad_message("message out of turn")),
            [_, a, b, c, ..] => {
                let len = HEADER_LEN + u32::from_be_bytes([0, *a, *b, *c]) as usize;
                if len > self.max_len() {
                    return Err(bad_message("message too long"));
                }
                Ok(Some(len))
            }
            _ => Ok(None),
        }
    }

    /// The message with the body that `write` appends.
    pub(super) fn message(self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), Full>) -> Vec<u8> {
        let mut out = Vec::from([self as u8, 0, 0, 0]);
        let written = write(&mut out);
        debug_assert_eq!(written, Ok(()), "a vector is never full");
        let len = (out.len() - HEADER_LEN) as u32;
        debug_assert!(out.len() <= self.max_len());
        for (to, from) in out.iter_mut().skip(1).zip(&len.to_be_bytes()[1..]) {
            *to = *from;
        }
        out
    }
}

/// The body of a whole message.
pub(crate) fn body(message: &[u8]) -> &[u8] {
    message.get(HEADER_LEN..).unwrap_or_default()
}

/// A message that does not parse, is out of turn, or answers what was not asked.
pub(crate) const fn bad_message(reason: &'static str) -> TransportError {
    TransportError::new(Code::HANDSHAKE_MESSAGE, reason)
}

/// Decodes all of `body` with `read`.
pub(super) fn whole<'a, T>(
    body: &'a [u8],
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<T, TransportError> {
    let mut r = Reader::new(body);
    match read(&mut r) {
        Ok(value) if r.is_empty() => Ok(value),
        _ => Err(bad_message("message does not parse")),
    }
}

/// Appends a byte of length, and what `write` appends.
pub(super) fn put8(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Full>,
) -> Result<(), Full> {
    let at = out.len();
    out.put_u8(0)?;
    write(out)?;
    let len = u8::try_from(out.len() - at - 1).map_err(|_| Full)?;
    out[at] = len;
    Ok(())
}

/// Appends two bytes of length, and what `write` appends.
pub(super) fn put16(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Full>,
) -> Result<(), Full> {
    let at = out.len();
    out.put_u16(0)?;
    write(out)?;
    let len = u16::try_from(out.len() - at - 2).map_err(|_| Full)?;
    out[at..at + 2].copy_from_slice(&len.to_be_bytes());
    Ok(())
}

/// Reads two bytes of length and that many bytes, at most `max`.
pub(super) fn take16<'a>(r: &mut Reader<'a>, max: usize) -> Result<&'a [u8], Malformed> {
    let len = usize::from(r.u16()?);
    if len > max { Err(Malformed) } else { r.take(len) }
}

/// Reads values until the end, at most `max` of them.
pub(super) fn list<'a, T>(
    bytes: &'a [u8],
    max: usize,
    read: impl Fn(&mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let mut r = Reader::new(bytes);
    let mut values = Vec::new();
    while !r.is_empty() {
        if values.len() == max {
            return Err(Malformed);
        }
        values.push(read(&mut r)?);
    }
    Ok(values)
}

/// Appends a list of versions.
pub(super) fn put_versions(out: &mut Vec<u8>, versions: &[Version]) -> Result<(), Full> {
    put8(out, |out| versions.iter().try_for_each(|version| out.put_u32(version.0)))
}

/// Reads a list of versions.
pub(super) fn versions(r: &mut Reader<'_>) -> Result<Vec<Version>, Malformed> {
    list(r.u8_prefixed()?, MAX_VERSIONS, |r| r.u32().map(Version))
}

/// An optional part of the protocol; both ends must name it before either uses it. Version 1 has
/// none yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Feature(pub u16);

impl Feature {
    /// Whether the number is of the form `0x?a?a`, which never means anything.
    pub const fn is_reserved(self) -> bool {
        self.0 & 0x0f0f == 0x0a0a
    }
}

/// Appends a list of features.
pub(super) fn put_features(out: &mut Vec<u8>, features: &[Feature]) -> Result<(), Full> {
    put8(out, |out| features.iter().try_for_each(|feature| out.put_u16(feature.0)))
}

/// Reads a list of features.
pub(super) fn features(r: &mut Reader<'_>) -> Result<Vec<Feature>, Malformed> {
    list(r.u8_prefixed()?, MAX_FEATURES, |r| r.u16().map(Feature))
}

/// Something that later minor revisions add to a message; unknown ones are ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extension {
    /// What it is.
    pub(crate) id: u16,
    /// Its content.
    pub(crate) value: Vec<u8>,
}

/// Appends extensions.
pub(super) fn put_extensions(out: &mut Vec<u8>, extensions: &[Extension]) -> Result<(), Full> {
    put16(out, |out| {
        extensions.iter().try_for_each(|extension| {
            out.put_u16(extension.id)?;
            put16(out, |out| out.put(&extension.value))
        })
    })
}

/// Reads extensions.
pub(super) fn extensions(r: &mut Reader<'_>) -> Result<Vec<Extension>, Malformed> {
    list(take16(r, MAX_EXTENSIONS)?, MAX_EXTENSIONS, |r| {
        Ok(Extension { id: r.u16()?, value: take16(r, MAX_EXTENSIONS)?.into() })
    })
}
