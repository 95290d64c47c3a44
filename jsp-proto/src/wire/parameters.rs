//! Transport parameters: what each end tells the other about itself during the handshake
//! (`spec/04-handshake.md`, section 4.9). Unknown ones are ignored.

use super::frame::{MAX_WINDOW, RESET_TOKEN_LEN, ResetToken};
use super::{Full, Malformed, Put, Reader, VARINT_MAX, varint_len};
use crate::ids::{ConnectionId, Dir, StreamId};
use crate::time::Duration;
use alloc::vec::Vec;

mod id {
    pub(super) const ORIGINAL_DCID: u64 = 0x00;
    pub(super) const IDLE_TIMEOUT: u64 = 0x01;
    pub(super) const RESET_TOKEN: u64 = 0x02;
    pub(super) const MAX_DATAGRAM: u64 = 0x03;
    pub(super) const MAX_DATA: u64 = 0x04;
    pub(super) const STREAM_BIDI_LOCAL: u64 = 0x05;
    pub(super) const STREAM_BIDI_REMOTE: u64 = 0x06;
    pub(super) const STREAM_UNI: u64 = 0x07;
    pub(super) const STREAMS_BIDI: u64 = 0x08;
    pub(super) const STREAMS_UNI: u64 = 0x09;
    pub(super) const ACK_DELAY: u64 = 0x0b;
    pub(super) const CID_LIMIT: u64 = 0x0e;
    pub(super) const INITIAL_SCID: u64 = 0x0f;
    pub(super) const RETRY_SCID: u64 = 0x10;
    pub(super) const MIN_ACK_DELAY: u64 = 0x11;
}

/// The longest encoded parameters that are accepted, in bytes.
pub const MAX_LEN: usize = 512;

/// The smallest datagram that every path must carry, in bytes of UDP payload.
pub const MIN_DATAGRAM: u16 = 1200;

/// Transport parameters. [`Parameters::default`] is what an absent parameter means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Server only: the destination of the client's first Initial.
    pub original_dcid: Option<ConnectionId>,
    /// The source ID of this end's first Initial.
    pub initial_scid: Option<ConnectionId>,
    /// Server only: the source ID of the Retry, if there was one.
    pub retry_scid: Option<ConnectionId>,
    /// Server only: resets a connection that uses the server's first ID.
    pub reset_token: Option<ResetToken>,
    /// How long silence is borne, in milliseconds; 0 is for ever.
    pub idle_timeout_ms: u64,
    /// The largest UDP payload that this end takes, at least 1200 bytes.
    pub max_datagram: u16,
    /// Bytes that the peer may send on all streams.
    pub max_data: u64,
    /// Bytes that the peer may send on a bidirectional stream that this end opens.
    pub stream_bidi_local: u64,
    /// Bytes that the peer may send on a bidirectional stream that the peer opens.
    pub stream_bidi_remote: u64,
    /// Bytes that the peer may send on a unidirectional stream.
    pub stream_uni: u64,
    /// Streams of each kind that the peer may open, by [`Dir::index`].
    pub max_streams: [u64; 2],
    /// The longest that this end delays an acknowledgement, in milliseconds; below 2^14.
    pub max_ack_delay_ms: u64,
    /// Connection IDs of the peer that this end stores, 2 or more.
    pub cid_limit: u64,
    /// The shortest time for which this end can be asked to hold an acknowledgement back, in microseconds: it
    /// takes ACK_FREQUENCY and IMMEDIATE_ACK. `None`: it knows neither.
    pub min_ack_delay_micros: Option<u64>,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            original_dcid: None,
            initial_scid: None,
            retry_scid: None,
            reset_token: None,
            idle_timeout_ms: 0,
            max_datagram: 65_527,
            max_data: 0,
            stream_bidi_local: 0,
            stream_bidi_remote: 0,
            stream_uni: 0,
            max_streams: [0; 2],
            max_ack_delay_ms: 25,
            cid_limit: 2,
            min_ack_delay_micros: None,
        }
    }
}

impl Parameters {
    /// The longest that the sender of these parameters delays an acknowledgement.
    pub const fn max_ack_delay(&self) -> Duration {
        Duration::from_millis(self.max_ack_delay_ms)
    }

    /// Appends the parameters, and one that means nothing (`grease` picks which): receivers that
    /// choke on what they do not know are found early.
    pub fn encode(&self, out: &mut Vec<u8>, grease: u32) -> Result<(), Full> {
        let default = Self::default();
        let ids = [
            (id::ORIGINAL_DCID, &self.original_dcid),
            (id::INITIAL_SCID, &self.initial_scid),
            (id::RETRY_SCID, &self.retry_scid),
        ];
        for (id, cid) in ids {
            if let Some(cid) = cid {
                put(out, id, cid.as_bytes())?;
            }
        }
        if let Some(token) = &self.reset_token {
            put(out, id::RESET_TOKEN, &token.0)?;
        }
        let numbers = [
            (id::IDLE_TIMEOUT, self.idle_timeout_ms, default.idle_timeout_ms),
            (id::MAX_DATAGRAM, self.max_datagram.into(), default.max_datagram.into()),
            (id::MAX_DATA, self.max_data, default.max_data),
            (id::STREAM_BIDI_LOCAL, self.stream_bidi_local, default.stream_bidi_local),
            (id::STREAM_BIDI_REMOTE, self.stream_bidi_remote, default.stream_bidi_remote),
            (id::STREAM_UNI, self.stream_uni, default.stream_uni),
            (id::STREAMS_BIDI, self.max_streams[Dir::Bi.index()], 0),
            (id::STREAMS_UNI, self.max_streams[Dir::Uni.index()], 0),
            (id::ACK_DELAY, self.max_ack_delay_ms, default.max_ack_delay_ms),
            (id::CID_LIMIT, self.cid_limit, default.cid_limit),
        ];
        for (id, value, default) in numbers {
            if value != default {
                put_number(out, id, value)?;
            }
        }
        if let Some(value) = self.min_ack_delay_micros {
            put_number(out, id::MIN_ACK_DELAY, value)?;
        }
        put(out, reserved_id(grease), &grease.to_be_bytes()[..(grease % 5) as usize])
    }

    /// Parses parameters: each at most once, each in range.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > MAX_LEN {
            return Err(Malformed);
        }
        let mut parameters = Self::default();
        let mut seen = 0u32;
        let mut r = Reader::new(bytes);
        while !r.is_empty() {
            let id = r.varint()?;
            let value = r.varint_prefixed()?;
            if id < 32 {
                if seen & 1 << id != 0 {
                    return Err(Malformed);
                }
                seen |= 1 << id;
            }
            parameters.set(id, value)?;
        }
        parameters.check()
    }

    fn set(&mut self, id: u64, value: &[u8]) -> Result<(), Malformed> {
        let number = || {
            let mut r = Reader::new(value);
            let number = r.varint()?;
            if r.is_empty() { Ok(number) } else { Err(Malformed) }
        };
        let cid = || ConnectionId::new(value).ok_or(Malformed).map(Some);
        match id {
            id::ORIGINAL_DCID => self.original_dcid = cid()?,
            id::INITIAL_SCID => self.initial_scid = cid()?,
            id::RETRY_SCID => self.retry_scid = cid()?,
            id::RESET_TOKEN => {
                let token: [u8; RESET_TOKEN_LEN] = value.try_into().map_err(|_| Malformed)?;
                self.reset_token = Some(ResetToken(token));
            }
            id::IDLE_TIMEOUT => self.idle_timeout_ms = number()?,
            // A larger value than a UDP payload can have means no limit.
            id::MAX_DATAGRAM => self.max_datagram = number()?.min(65_527) as u16,
            id::MAX_DATA => self.max_data = number()?,
            id::STREAM_BIDI_LOCAL => self.stream_bidi_local = number()?,
            id::STREAM_BIDI_REMOTE => self.stream_bidi_remote = number()?,
            id::STREAM_UNI => self.stream_uni = number()?,
            id::STREAMS_BIDI => self.max_streams[Dir::Bi.index()] = number()?,
            id::STREAMS_UNI => self.max_streams[Dir::Uni.index()] = number()?,
            id::ACK_DELAY => self.max_ack_delay_ms = number()?,
            id::CID_LIMIT => self.cid_limit = number()?,
            id::MIN_ACK_DELAY => self.min_ack_delay_micros = Some(number()?),
            _ => {}
        }
        Ok(())
    }

    fn check(self) -> Result<Self, Malformed> {
        let windows = [self.stream_bidi_local, self.stream_bidi_remote, self.stream_uni];
        let valid = self.max_datagram >= MIN_DATAGRAM
            && windows.iter().all(|&window| window <= MAX_WINDOW)
            && self.max_data <= VARINT_MAX
            && self.max_streams.iter().all(|&n| n <= StreamId::MAX_COUNT)
            && self.max_ack_delay_ms < 1 << 14
            && self.cid_limit >= 2
            && self
                .min_ack_delay_micros
                .is_none_or(|min| min <= 1000 * self.max_ack_delay_ms.max(1));
        if valid { Ok(self) } else { Err(Malformed) }
    }
}

/// Parameter IDs of the form 31 n + 27 mean nothing (RFC 9000, section 18.1).
fn reserved_id(grease: u32) -> u64 {
    31 * u64::from(grease % 1_000_000 + 2) + 27
}

fn put_number(out: &mut Vec<u8>, id: u64, value: u64) -> Result<(), Full> {
    out.put_varint(id)?;
    out.put_varint(varint_len(value) as u64)?;
    out.put_varint(value)
}

fn put(out: &mut Vec<u8>, id: u64, value: &[u8]) -> Result<(), Full> {
    out.put_varint(id)?;
    out.put_varint_prefixed(value)
}
