//! Frames as qlog's frame objects, named as in `draft-ietf-quic-qlog-quic-events`.

use jsp_proto::ids::{Dir, StreamId};
use jsp_proto::wire::frame::{AckFrame, Frame, Frames, StreamFrame, expand_offset};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// From where on an offset's low 32 bits do not tell it alone.
const FAR: u64 = 1 << 30;

/// How far streams have come, as one end sends or receives them. STREAM frames have the low half of their
/// offset; only of streams that are long enough for that to matter is anything kept.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    ends: BTreeMap<StreamId, u64>,
}

impl Offsets {
    fn expand(&mut self, frame: &StreamFrame<'_>) -> u64 {
        let expected = self.ends.get(&frame.id).copied().unwrap_or_default();
        let offset = expand_offset(frame.offset, expected);
        let end = offset + frame.data.len() as u64;
        if end >= FAR && end > expected {
            self.ends.insert(frame.id, end);
        }
        offset
    }
}

/// The frames of a packet's payload. What does not parse is an unknown frame, the last one.
pub(super) fn frames(payload: &[u8], offsets: &mut Offsets) -> Vec<Value> {
    let frames = Frames::new(payload);
    frames
        .map(|frame| match frame {
            Ok((_, frame)) => object(&frame, offsets),
            Err(error) => json!({
                "frame_type": "unknown",
                "raw_frame_type": error.frame,
                "raw": { "length": payload.len() },
            }),
        })
        .collect()
}

fn object(frame: &Frame<'_>, offsets: &mut Offsets) -> Value {
    match *frame {
        Frame::Padding(n) => {
            json!({ "frame_type": "padding", "length": n, "payload_length": n })
        }
        Frame::Ping => json!({ "frame_type": "ping" }),
        Frame::Ack(ref frame) => ack(frame),
        Frame::AckFrequency(ref frame) => json!({
            "frame_type": "ack_frequency",
            "sequence_number": frame.sequence,
            "ack_eliciting_threshold": frame.threshold,
            "requested_max_ack_delay": frame.max_delay_micros as f64 / 1000.0,
            "reordering_threshold": frame.reordering,
        }),
        Frame::ImmediateAck => json!({ "frame_type": "immediate_ack" }),
        Frame::ResetStream { id, code, final_size } => json!({
            "frame_type": "reset_stream",
            "stream_id": id.0,
            "error_code": code.0,
            "final_size": final_size,
        }),
        Frame::StopSending { id, code } => json!({
            "frame_type": "stop_sending",
            "stream_id": id.0,
            "error_code": code.0,
        }),
        Frame::Crypto { offset, data } => json!({
            "frame_type": "crypto",
            "offset": offset,
            "length": data.len(),
        }),
        Frame::Stream(ref frame) => json!({
            "frame_type": "stream",
            "stream_id": frame.id.0,
            "offset": offsets.expand(frame),
            "length": frame.data.len(),
            "fin": frame.fin,
        }),
        Frame::MaxData(max) => json!({ "frame_type": "max_data", "maximum": max }),
        Frame::MaxStreamData { id, max } => {
            json!({ "frame_type": "max_stream_data", "stream_id": id.0, "maximum": max })
        }
        Frame::MaxStreams { dir, max } => {
            json!({ "frame_type": "max_streams", "stream_type": stream_type(dir), "maximum": max })
        }
        Frame::DataBlocked(limit) => json!({ "frame_type": "data_blocked", "limit": limit }),
        Frame::StreamDataBlocked { id, limit } => {
            json!({ "frame_type": "stream_data_blocked", "stream_id": id.0, "limit": limit })
        }
        Frame::StreamsBlocked { dir, limit } => {
            json!({ "frame_type": "streams_blocked", "stream_type": stream_type(dir), "limit": limit })
        }
        Frame::NewConnectionId(ref frame) => json!({
            "frame_type": "new_connection_id",
            "sequence_number": frame.sequence,
            "retire_prior_to": frame.retire_prior_to,
            "length": frame.id.as_bytes().len(),
            "connection_id": hex(frame.id.as_bytes()),
        }),
        Frame::RetireConnectionId(sequence) => {
            json!({ "frame_type": "retire_connection_id", "sequence_number": sequence })
        }
        Frame::TransportClose(ref frame) => json!({
            "frame_type": "connection_close",
            "error_space": "transport",
            "error_code": frame.code.to_string(),
            "raw_error_code": frame.code.0,
            "reason": String::from_utf8_lossy(frame.reason),
            "trigger_frame_type": frame.frame,
        }),
        Frame::AppClose(ref frame) => json!({
            "frame_type": "connection_close",
            "error_space": "application",
            "error_code": frame.code.0,
            "raw_error_code": frame.code.0,
            "reason": String::from_utf8_lossy(frame.reason),
        }),
        Frame::HandshakeDone => json!({ "frame_type": "handshake_done" }),
    }
}

fn ack(frame: &AckFrame<'_>) -> Value {
    let ranges: Vec<_> = frame.ranges().map(|range| json!([range.start(), range.end()])).collect();
    let mut object = Map::new();
    object.insert("frame_type".into(), "ack".into());
    object.insert("ack_delay".into(), json!(frame.delay_micros as f64 / 1000.0));
    object.insert("acked_ranges".into(), ranges.into());
    if let Some(ecn) = frame.ecn {
        object.insert("ect0".into(), ecn.ect0.into());
        object.insert("ect1".into(), ecn.ect1.into());
        object.insert("ce".into(), ecn.ce.into());
    }
    object.into()
}

const fn stream_type(dir: Dir) -> &'static str {
    match dir {
        Dir::Bi => "bidirectional",
        Dir::Uni => "unidirectional",
    }
}

/// Bytes as qlog writes them.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing into a string does not fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsp_proto::error::{AppCode, Code};
    use jsp_proto::ids::ConnectionId;
    use jsp_proto::time::Duration;
    use jsp_proto::wire::Writer;
    use jsp_proto::wire::frame::{
        AckFrequencyFrame, AppCloseFrame, EcnCounts, NewConnectionId, ResetToken,
        TransportCloseFrame,
    };

    fn of(list: &[Frame<'_>]) -> Vec<Value> {
        let mut bytes = [0; 2000];
        let mut writer = Writer::new(&mut bytes);
        list.iter().try_for_each(|frame| frame.encode(&mut writer)).unwrap();
        frames(writer.written(), &mut Offsets::default())
    }

    #[test]
    fn each_frame_has_qlogs_name_and_fields() {
        let id = StreamId(5);
        let token = ResetToken([0xee; 16]);
        let new_id = ConnectionId::new(&[1, 2, 0xab]).unwrap();
        let new =
            NewConnectionId { sequence: 3, retire_prior_to: 1, id: new_id, reset_token: token };
        let close = TransportCloseFrame { code: Code::FINAL_SIZE, frame: 4, reason: b"too much" };
        let objects = of(&[
            Frame::Padding(3),
            Frame::Ping,
            Frame::ResetStream { id, code: AppCode(7), final_size: 99 },
            Frame::StopSending { id, code: AppCode(8) },
            Frame::Crypto { offset: 10, data: b"hello" },
            Frame::Stream(StreamFrame { id, offset: Some(1200), fin: true, data: b"xyz" }),
            Frame::MaxData(1),
            Frame::MaxStreamData { id, max: 2 },
            Frame::MaxStreams { dir: Dir::Uni, max: 3 },
            Frame::DataBlocked(4),
            Frame::StreamDataBlocked { id, limit: 5 },
            Frame::StreamsBlocked { dir: Dir::Bi, limit: 6 },
            Frame::NewConnectionId(new),
            Frame::RetireConnectionId(9),
            Frame::TransportClose(close),
            Frame::AppClose(AppCloseFrame { code: AppCode(3), reason: b"bye" }),
            Frame::HandshakeDone,
            Frame::AckFrequency(AckFrequencyFrame {
                sequence: 1,
                threshold: 40,
                max_delay_micros: 2500,
                reordering: 1,
            }),
            Frame::ImmediateAck,
        ]);
        let expected = json!([
            { "frame_type": "padding", "length": 3, "payload_length": 3 },
            { "frame_type": "ping" },
            { "frame_type": "reset_stream", "stream_id": 5, "error_code": 7, "final_size": 99 },
            { "frame_type": "stop_sending", "stream_id": 5, "error_code": 8 },
            { "frame_type": "crypto", "offset": 10, "length": 5 },
            { "frame_type": "stream", "stream_id": 5, "offset": 1200, "length": 3, "fin": true },
            { "frame_type": "max_data", "maximum": 1 },
            { "frame_type": "max_stream_data", "stream_id": 5, "maximum": 2 },
            { "frame_type": "max_streams", "stream_type": "unidirectional", "maximum": 3 },
            { "frame_type": "data_blocked", "limit": 4 },
            { "frame_type": "stream_data_blocked", "stream_id": 5, "limit": 5 },
            { "frame_type": "streams_blocked", "stream_type": "bidirectional", "limit": 6 },
            {
                "frame_type": "new_connection_id", "sequence_number": 3, "retire_prior_to": 1,
                "length": 3, "connection_id": "0102ab"
            },
            { "frame_type": "retire_connection_id", "sequence_number": 9 },
            {
                "frame_type": "connection_close", "error_space": "transport",
                "error_code": "final size violated", "raw_error_code": 6, "reason": "too much",
                "trigger_frame_type": 4
            },
            {
                "frame_type": "connection_close", "error_space": "application", "error_code": 3,
                "raw_error_code": 3, "reason": "bye"
            },
            { "frame_type": "handshake_done" },
            {
                "frame_type": "ack_frequency", "sequence_number": 1, "ack_eliciting_threshold": 40,
                "requested_max_ack_delay": 2.5, "reordering_threshold": 1
            },
            { "frame_type": "immediate_ack" },
        ]);
        assert_eq!(Value::from(objects), expected);
    }

    #[test]
    fn an_acknowledgement_tells_ranges_delay_in_milliseconds_and_marks() {
        let mut bytes = [0; 100];
        let mut writer = Writer::new(&mut bytes);
        let ecn = Some(EcnCounts { ect0: 1, ect1: 0, ce: 2 });
        let ranges = [8..=9, 2..=5].into_iter();
        AckFrame::write(&mut writer, 100, ranges, Duration::from_micros(1500), ecn).unwrap();
        let objects = frames(writer.written(), &mut Offsets::default());
        let expected = json!({
            "frame_type": "ack", "ack_delay": 1.5, "acked_ranges": [[8, 9], [2, 5]],
            "ect0": 1, "ect1": 0, "ce": 2
        });
        assert_eq!(objects, [expected]);
    }

    #[test]
    fn offsets_of_long_streams_are_told_whole() {
        let mut offsets = Offsets::default();
        let id = StreamId(0);
        let mut at =
            |low| offsets.expand(&StreamFrame { id, offset: Some(low), fin: false, data: b"1234" });
        assert_eq!(at(1 << 30), 1 << 30);
        assert_eq!(at(0xc000_0000), 0xc000_0000);
        assert_eq!(at(100), (1 << 32) + 100);
        // A retransmission of what lies a little behind.
        assert_eq!(at(0xffff_ff00), 0xffff_ff00);
    }

    #[test]
    fn what_does_not_parse_is_unknown() {
        let objects = frames(&[0x01, 0x7f, 0], &mut Offsets::default());
        assert_eq!(objects.len(), 2);
        assert_eq!(objects[1]["frame_type"], "unknown");
        assert_eq!(objects[1]["raw_frame_type"], 0x7f);
    }
}
