//! What becomes of a packet that was decrypted, or was not.

use super::keys::Unprotected;
use super::window::ReceivedWindow;
use crate::error::{Code, TransportError};
use crate::ids::PacketNumber;
use core::ops::Range;

const RESERVED: TransportError =
    TransportError::new(Code::PROTOCOL_VIOLATION, "reserved header bit set");

/// A packet that was authenticated and is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Its number.
    pub number: PacketNumber,
    /// Where its frames lie in the packet. It may be empty, which RFC 9000, section 12.4, forbids.
    pub payload: Range<usize>,
}

/// Why a packet was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Forged, too short or under a key that is gone: it is as if it had not arrived. The payload is
    /// wiped but for its last 16 bytes, which are as they came: they may be a stateless reset.
    Drop,
    /// Authentic, but it arrived before or is too old to tell: it is as if it had not arrived.
    Duplicate,
    /// The connection must end.
    Fatal(TransportError),
}

impl From<TransportError> for OpenError {
    fn from(error: TransportError) -> Self {
        Self::Fatal(error)
    }
}

/// Takes an authenticated packet, unless it is a replay. Only here does the window change.
///
/// Replays are told apart after decryption, not before: the time that they take says nothing about
/// the number under header protection (RFC 9001, section 9.5).
pub(super) fn accept(
    window: &mut ReceivedWindow,
    header: &Unprotected,
    payload: Range<usize>,
) -> Result<Opened, OpenError> {
    if !window.is_new(header.number) {
        return Err(OpenError::Duplicate);
    }
    if header.has_reserved_bits() {
        return Err(RESERVED.into());
    }
    window.commit(header.number);
    Ok(Opened { number: header.number, payload })
}
