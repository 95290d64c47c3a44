//! Frames (`spec/03-frames.md`): one byte of type, then the frame's fields. A frame's type tells its
//! whole form; a type that is not known ends the connection.

mod ack;
mod close;
mod control;
pub mod kind;
mod stream;

pub use ack::{AckFrame, AckRanges, EcnCounts, MAX_RANGES};
pub use close::{AppCloseFrame, MAX_REASON, TransportCloseFrame};
pub use control::{AckFrequencyFrame, NewConnectionId, RESET_TOKEN_LEN, ResetToken};
pub use stream::{MAX_WINDOW, StreamFrame, StreamHeader, expand_offset};

use super::{Full, Malformed, Put, Reader};
use crate::error::{AppCode, Code, TransportError};
use crate::ids::{Dir, StreamId};

/// A frame, borrowed from the packet that carried it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A run of this many PADDING frames.
    Padding(usize),
    /// PING.
    Ping,
    /// ACK or ACK_ECN.
    Ack(AckFrame<'a>),
    /// ACK_FREQUENCY.
    AckFrequency(AckFrequencyFrame),
    /// IMMEDIATE_ACK.
    ImmediateAck,
    /// RESET_STREAM.
    ResetStream {
        /// The stream.
        id: StreamId,
        /// Why.
        code: AppCode,
        /// How many bytes the stream has had in all.
        final_size: u64,
    },
    /// STOP_SENDING.
    StopSending {
        /// The stream.
        id: StreamId,
        /// Why.
        code: AppCode,
    },
    /// CRYPTO.
    Crypto {
        /// Offset of the first byte.
        offset: u64,
        /// The bytes.
        data: &'a [u8],
    },
    /// STREAM.
    Stream(StreamFrame<'a>),
    /// MAX_DATA: bytes in all.
    MaxData(u64),
    /// MAX_STREAM_DATA.
    MaxStreamData {
        /// The stream.
        id: StreamId,
        /// Bytes in all.
        max: u64,
    },
    /// MAX_STREAMS.
    MaxStreams {
        /// The kind.
        dir: Dir,
        /// Streams in all, at most 2^60.
        max: u64,
    },
    /// DATA_BLOCKED, at this limit.
    DataBlocked(u64),
    /// STREAM_DATA_BLOCKED.
    StreamDataBlocked {
        /// The stream.
        id: StreamId,
        /// The limit.
        limit: u64,
    },
    /// STREAMS_BLOCKED.
    StreamsBlocked {
        /// The kind.
        dir: Dir,
        /// The limit.
        limit: u64,
    },
    /// NEW_CONNECTION_ID.
    NewConnectionId(NewConnectionId),
    /// RETIRE_CONNECTION_ID, of this sequence number.
    RetireConnectionId(u64),
    /// CONNECTION_CLOSE.
    TransportClose(TransportCloseFrame<'a>),
    /// APPLICATION_CLOSE.
    AppClose(AppCloseFrame<'a>),
    /// HANDSHAKE_DONE.
    HandshakeDone,
}

impl Frame<'_> {
    /// Whether a packet with this frame must be acknowledged (RFC 9000, section 13.2).
    pub const fn is_ack_eliciting(&self) -> bool {
        !matches!(
            self,
            Self::Padding(_) | Self::Ack(_) | Self::TransportClose(_) | Self::AppClose(_)
        )
    }

    /// Appends the frame. STREAM frames are written by [`StreamHeader`], in two parts.
    pub fn encode(&self, out: &mut impl Put) -> Result<(), Full> {
        match self {
            Self::Padding(n) => (0..*n).try_for_each(|_| out.put_u8(kind::PADDING)),
            Self::Ping => out.put_u8(kind::PING),
            Self::Ack(ack) => ack.encode(out),
            Self::AckFrequency(frame) => frame.encode(out),
            Self::ImmediateAck => out.put_u8(kind::IMMEDIATE_ACK),
            Self::ResetStream { id, code, final_size } => {
                control::encode(out, kind::RESET_STREAM, &[id.0, code.0, *final_size])
            }
            Self::StopSending { id, code } => {
                control::encode(out, kind::STOP_SENDING, &[id.0, code.0])
            }
            Self::Crypto { offset, data } => {
                out.put_u8(kind::CRYPTO)?;
                out.put_varint(*offset)?;
                out.put_varint_prefixed(data)
            }
            Self::Stream(frame) => frame.encode(out),
            Self::MaxData(max) => control::encode(out, kind::MAX_DATA, &[*max]),
            Self::MaxStreamData { id, max } => {
                control::encode(out, kind::MAX_STREAM_DATA, &[id.0, *max])
            }
            Self::MaxStreams { dir, max } => {
                control::encode(out, kind::MAX_STREAMS_BIDI + *dir as u8, &[*max])
            }
            Self::DataBlocked(limit) => control::encode(out, kind::DATA_BLOCKED, &[*limit]),
            Self::StreamDataBlocked { id, limit } => {
                control::encode(out, kind::STREAM_DATA_BLOCKED, &[id.0, *limit])
            }
            Self::StreamsBlocked { dir, limit } => {
                control::encode(out, kind::STREAMS_BLOCKED_BIDI + *dir as u8, &[*limit])
            }
            Self::NewConnectionId(frame) => frame.encode(out),
            Self::RetireConnectionId(sequence) => {
                control::encode(out, kind::RETIRE_CONNECTION_ID, &[*sequence])
            }
            Self::TransportClose(frame) => frame.encode(out),
            Self::AppClose(frame) => frame.encode(out),
            Self::HandshakeDone => out.put_u8(kind::HANDSHAKE_DONE),
        }
    }
}

/// The frames of a packet's payload, in order. It stops after the first that does not parse.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    reader: Reader<'a>,
}

impl<'a> Frames<'a> {
    /// The frames of `payload`.
    pub const fn new(payload: &'a [u8]) -> Self {
        Self { reader: Reader::new(payload) }
    }

    /// The type byte of the next frame, if there is one.
    pub fn peek(&self) -> Option<u8> {
        self.reader.peek()
    }

    /// The next frame, which is a STREAM frame: what nearly every packet of a transfer holds, without the way
    /// through all the others. Fails if it is none.
    pub fn next_stream(&mut self) -> Result<StreamFrame<'a>, TransportError> {
        let kind = self.reader.u8().unwrap_or_default();
        let frame = if kind & kind::STREAM == 0 {
            Err(Malformed)
        } else {
            StreamFrame::decode(kind, &mut self.reader)
        };
        frame.map_err(|Malformed| self.malformed(kind))
    }

    /// The next frame, which is an ACK or an ACK_ECN: what most other packets begin with. Fails if it is none.
    pub fn next_ack(&mut self) -> Result<AckFrame<'a>, TransportError> {
        let kind = self.reader.u8().unwrap_or_default();
        let frame = match kind {
            kind::ACK | kind::ACK_ECN => AckFrame::decode(kind == kind::ACK_ECN, &mut self.reader),
            _ => Err(Malformed),
        };
        frame.map_err(|Malformed| self.malformed(kind))
    }

    #[cold]
    fn malformed(&mut self, kind: u8) -> TransportError {
        self.reader.take_rest();
        TransportError::new(Code::FRAME_ENCODING, "frame does not parse").in_frame(kind)
    }
}

impl<'a> Iterator for Frames<'a> {
    /// The frame's type byte and the frame.
    type Item = Result<(u8, Frame<'a>), TransportError>;

    fn next(&mut self) -> Option<Self::Item> {
        let kind = self.reader.peek()?;
        let frame = decode(&mut self.reader).map(|frame| (kind, frame));
        Some(frame.map_err(|Malformed| self.malformed(kind)))
    }
}

fn decode<'a>(r: &mut Reader<'a>) -> Result<Frame<'a>, Malformed> {
    let kind = r.u8()?;
    if kind & kind::STREAM != 0 {
        return StreamFrame::decode(kind, r).map(Frame::Stream);
    }
    Ok(match kind {
        kind::PADDING => Frame::Padding(1 + skip_padding(r)),
        kind::PING => Frame::Ping,
        kind::ACK | kind::ACK_ECN => Frame::Ack(AckFrame::decode(kind == kind::ACK_ECN, r)?),
        kind::ACK_FREQUENCY => Frame::AckFrequency(AckFrequencyFrame::decode(r)?),
        kind::IMMEDIATE_ACK => Frame::ImmediateAck,
        kind::RESET_STREAM => Frame::ResetStream {
            id: StreamId(r.varint()?),
            code: AppCode(r.varint()?),
            final_size: r.varint()?,
        },
        kind::STOP_SENDING => {
            Frame::StopSending { id: StreamId(r.varint()?), code: AppCode(r.varint()?) }
        }
        kind::CRYPTO => Frame::Crypto { offset: r.varint()?, data: r.varint_prefixed()? },
        kind::MAX_DATA => Frame::MaxData(r.varint()?),
        kind::MAX_STREAM_DATA => {
            Frame::MaxStreamData { id: StreamId(r.varint()?), max: r.varint()? }
        }
        kind::MAX_STREAMS_BIDI => Frame::MaxStreams { dir: Dir::Bi, max: stream_count(r)? },
        kind::MAX_STREAMS_UNI => Frame::MaxStreams { dir: Dir::Uni, max: stream_count(r)? },
        kind::DATA_BLOCKED => Frame::DataBlocked(r.varint()?),
        kind::STREAM_DATA_BLOCKED => {
            Frame::StreamDataBlocked { id: StreamId(r.varint()?), limit: r.varint()? }
        }
        kind::STREAMS_BLOCKED_BIDI => {
            Frame::StreamsBlocked { dir: Dir::Bi, limit: stream_count(r)? }
        }
        kind::STREAMS_BLOCKED_UNI => {
            Frame::StreamsBlocked { dir: Dir::Uni, limit: stream_count(r)? }
        }
        kind::NEW_CONNECTION_ID => Frame::NewConnectionId(NewConnectionId::decode(r)?),
        kind::RETIRE_CONNECTION_ID => Frame::RetireConnectionId(r.varint()?),
        kind::CONNECTION_CLOSE => Frame::TransportClose(TransportCloseFrame::decode(r)?),
        kind::APPLICATION_CLOSE => Frame::AppClose(AppCloseFrame::decode(r)?),
        kind::HANDSHAKE_DONE => Frame::HandshakeDone,
        _ => return Err(Malformed),
    })
}

fn skip_padding(r: &mut Reader<'_>) -> usize {
    let mut n = 0;
    while r.peek() == Some(kind::PADDING) && r.u8().is_ok() {
        n += 1;
    }
    n
}

fn stream_count(r: &mut Reader<'_>) -> Result<u64, Malformed> {
    let n = r.varint()?;
    if n <= StreamId::MAX_COUNT { Ok(n) } else { Err(Malformed) }
}
