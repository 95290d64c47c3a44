//! The two frames that end a connection.

use super::kind;
use crate::error::{AppCode, Code};
use crate::wire::{Full, Malformed, Put, Reader};

/// The longest reason on the wire, in bytes.
pub const MAX_REASON: usize = 1024;

/// CONNECTION_CLOSE: the transport found a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportCloseFrame<'a> {
    /// What kind of fault.
    pub code: Code,
    /// The type of the frame that caused it, or 0.
    pub frame: u8,
    /// For people: at most [`MAX_REASON`] bytes are sent, UTF-8 if the peer behaves.
    pub reason: &'a [u8],
}

impl<'a> TransportCloseFrame<'a> {
    pub(super) fn encode(&self, out: &mut impl Put) -> Result<(), Full> {
        out.put_u8(kind::CONNECTION_CLOSE)?;
        out.put_varint(self.code.0)?;
        out.put_u8(self.frame)?;
        out.put_varint_prefixed(cut(self.reason))
    }

    pub(super) fn decode(r: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(Self { code: Code(r.varint()?), frame: r.u8()?, reason: reason(r)? })
    }
}

/// APPLICATION_CLOSE: the application is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppCloseFrame<'a> {
    /// The application's code.
    pub code: AppCode,
    /// The application's words: at most [`MAX_REASON`] bytes are sent.
    pub reason: &'a [u8],
}

impl<'a> AppCloseFrame<'a> {
    pub(super) fn encode(&self, out: &mut impl Put) -> Result<(), Full> {
        out.put_u8(kind::APPLICATION_CLOSE)?;
        out.put_varint(self.code.0)?;
        out.put_varint_prefixed(cut(self.reason))
    }

    pub(super) fn decode(r: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(Self { code: AppCode(r.varint()?), reason: reason(r)? })
    }
}

/// A reason that the application made too long loses its end.
fn cut(reason: &[u8]) -> &[u8] {
    reason.get(..MAX_REASON).unwrap_or(reason)
}

fn reason<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    let reason = r.varint_prefixed()?;
    if reason.len() <= MAX_REASON { Ok(reason) } else { Err(Malformed) }
}
