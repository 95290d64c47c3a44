//! Small frames: a type and a few integers; and connection IDs.

use super::kind;
use crate::ids::ConnectionId;
use crate::wire::{Full, Malformed, Put, Reader};
use core::fmt;
use subtle::ConstantTimeEq;

/// Appends a frame whose fields are all variable-length integers.
pub(super) fn encode(out: &mut impl Put, kind: u8, fields: &[u64]) -> Result<(), Full> {
    out.put_u8(kind)?;
    fields.iter().try_for_each(|&field| out.put_varint(field))
}

/// ACK_FREQUENCY: how the sender of this frame would like its packets acknowledged
/// (draft-ietf-quic-ack-frequency).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckFrequencyFrame {
    /// Numbers the requests of one end from 0; the newest holds.
    pub sequence: u64,
    /// How many ack-eliciting packets are acknowledged together.
    pub threshold: u64,
    /// For how long fewer are held back, in microseconds.
    pub max_delay_micros: u64,
    /// By how much a packet's number must differ from the one that was next to be acknowledged at once; 0: none
    /// is.
    pub reordering: u64,
}

impl AckFrequencyFrame {
    pub(super) fn encode(&self, out: &mut impl Put) -> Result<(), Full> {
        let fields = [self.sequence, self.threshold, self.max_delay_micros, self.reordering];
        encode(out, kind::ACK_FREQUENCY, &fields)
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            sequence: r.varint()?,
            threshold: r.varint()?,
            max_delay_micros: r.varint()?,
            reordering: r.varint()?,
        })
    }
}

/// Length of a stateless reset token.
pub const RESET_TOKEN_LEN: usize = 16;

/// What the peer sends when it has lost the connection's state. It compares in constant time.
#[derive(Clone, Copy, Eq)]
pub struct ResetToken(pub [u8; RESET_TOKEN_LEN]);

impl PartialEq for ResetToken {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for ResetToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResetToken(..)")
    }
}

/// NEW_CONNECTION_ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewConnectionId {
    /// Numbers the IDs of one issuer from 0.
    pub sequence: u64,
    /// IDs below this sequence number are to be retired; at most `sequence`.
    pub retire_prior_to: u64,
    /// The ID: 1 to 20 bytes.
    pub id: ConnectionId,
    /// What resets a connection that uses the ID.
    pub reset_token: ResetToken,
}

impl NewConnectionId {
    pub(super) fn encode(&self, out: &mut impl Put) -> Result<(), Full> {
        encode(out, kind::NEW_CONNECTION_ID, &[self.sequence, self.retire_prior_to])?;
        let id = self.id.as_bytes();
        out.put_u8(id.len() as u8)?;
        out.put(id)?;
        out.put(&self.reset_token.0)
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let frame = Self {
            sequence: r.varint()?,
            retire_prior_to: r.varint()?,
            id: ConnectionId::new(r.u8_prefixed()?).ok_or(Malformed)?,
            reset_token: ResetToken(r.array()?),
        };
        let valid = frame.retire_prior_to <= frame.sequence && frame.id != ConnectionId::EMPTY;
        if valid { Ok(frame) } else { Err(Malformed) }
    }
}
