//! `spec/03-frames.md`: a parser that knows nothing of the engine's, and the engine's own, which must
//! agree.

use crate::bytes::{Cursor, bytes};
use jsp_proto::ids::StreamId;
use jsp_proto::wire::frame::{Frame, Frames, StreamHeader};
use serde_json::{Value, json};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"))
}

fn utf8(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The next frame: its name and fields.
pub(crate) fn read(r: &mut Cursor<'_>) -> (&'static str, Value) {
    let kind = r.uint(1);
    if kind & 0x80 != 0 {
        return ("STREAM", stream(kind, r));
    }
    match kind {
        0x00 => {
            let more = r.0.iter().take_while(|&&byte| byte == 0).count();
            r.take(more);
            ("PADDING", json!({ "count": 1 + more }))
        }
        0x01 => ("PING", json!({})),
        0x02 => ("ACK", ack(r, false)),
        0x03 => ("ACK_ECN", ack(r, true)),
        0x04 => (
            "RESET_STREAM",
            json!({ "stream": r.varint(), "code": r.varint(), "final_size": r.varint() }),
        ),
        0x05 => ("STOP_SENDING", json!({ "stream": r.varint(), "code": r.varint() })),
        0x06 => ("CRYPTO", json!({ "offset": r.varint(), "data": hex(r.varint_prefixed()) })),
        0x07 => (
            "ACK_FREQUENCY",
            json!({
                "sequence": r.varint(),
                "threshold": r.varint(),
                "max_delay": r.varint(),
                "reordering": r.varint(),
            }),
        ),
        0x10 => ("MAX_DATA", json!({ "max": r.varint() })),
        0x11 => ("MAX_STREAM_DATA", json!({ "stream": r.varint(), "max": r.varint() })),
        0x12 => ("MAX_STREAMS bidirectional", json!({ "max": r.varint() })),
        0x13 => ("MAX_STREAMS unidirectional", json!({ "max": r.varint() })),
        0x14 => ("DATA_BLOCKED", json!({ "limit": r.varint() })),
        0x15 => ("STREAM_DATA_BLOCKED", json!({ "stream": r.varint(), "limit": r.varint() })),
        0x16 => ("STREAMS_BLOCKED bidirectional", json!({ "limit": r.varint() })),
        0x17 => ("STREAMS_BLOCKED unidirectional", json!({ "limit": r.varint() })),
        0x18 => (
            "NEW_CONNECTION_ID",
            json!({
                "sequence": r.varint(),
                "retire_prior_to": r.varint(),
                "id": hex(r.prefixed(1)),
                "reset_token": hex(r.take(16)),
            }),
        ),
        0x19 => ("RETIRE_CONNECTION_ID", json!({ "sequence": r.varint() })),
        0x1c => (
            "CONNECTION_CLOSE",
            json!({
                "code": r.varint(),
                "frame_type": r.uint(1),
                "reason": utf8(r.varint_prefixed()),
            }),
        ),
        0x1d => (
            "APPLICATION_CLOSE",
            json!({ "code": r.varint(), "reason": utf8(r.varint_prefixed()) }),
        ),
        0x1e => ("HANDSHAKE_DONE", json!({})),
        0x1f => ("IMMEDIATE_ACK", json!({})),
        kind => panic!("no frame begins with {kind:#04x}"),
    }
}

/// Section 3.3.
fn ack(r: &mut Cursor<'_>, with_ecn: bool) -> Value {
    let mut largest = r.varint();
    let delay = r.varint();
    let further = r.varint();
    assert!(further <= 255);
    let mut smallest = largest - r.varint();
    let mut ranges = vec![json!({ "smallest": smallest, "largest": largest })];
    for _ in 0..further {
        largest = smallest - r.varint() - 2;
        smallest = largest - r.varint();
        ranges.push(json!({ "smallest": smallest, "largest": largest }));
    }
    let ecn = with_ecn.then(|| json!({ "ect0": r.varint(), "ect1": r.varint(), "ce": r.varint() }));
    json!({ "delay_us": delay, "ranges": ranges, "ecn": ecn })
}

/// Section 3.5. The offset is its low 32 bits.
fn stream(kind: u64, r: &mut Cursor<'_>) -> Value {
    let width = kind as usize >> 2 & 3;
    let bytes = [1, 2, 3, 8][width];
    let id = r.uint(bytes) | if width == 3 { 0 } else { (kind & 3) << (8 * bytes) };
    let offset = (kind & 0x10 != 0).then(|| r.uint(4));
    let with_length = kind & 0x20 != 0;
    let data = if with_length { r.varint_prefixed() } else { r.rest() };
    json!({
        "stream": id,
        "offset": offset,
        "fin": kind & 0x40 != 0,
        "with_length": with_length,
        "data": hex(data),
    })
}

/// The frames of a payload by this parser, after the engine's has parsed and written them again.
pub(crate) fn read_all(payload: &[u8]) -> Vec<(&'static str, Value)> {
    assert_eq!(written_again(payload), payload);
    let mut r = Cursor(payload);
    std::iter::from_fn(|| (!r.0.is_empty()).then(|| read(&mut r))).collect()
}

/// What the engine makes of a payload that it has parsed.
fn written_again(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for frame in Frames::new(payload) {
        let (first, frame) = frame.unwrap();
        let Frame::Stream(stream) = frame else {
            frame.encode(&mut out).unwrap();
            continue;
        };
        // A multiple of 2^32 is told from 0 by the field being there.
        let offset = stream.offset.map_or(0, |low| 1 << 32 | u64::from(low));
        let len = (first & 0x20 != 0).then_some(stream.data.len() as u16);
        let header = StreamHeader { id: stream.id, offset, fin: stream.fin, len };
        header.encode(&mut out).unwrap();
        out.extend_from_slice(stream.data);
    }
    out
}

/// Compares a row of `frames.json` with what its bytes say.
pub(crate) fn check(row: &Value) {
    let encoded = bytes(row, "bytes");
    let mut frames = read_all(&encoded);
    assert_eq!(frames.len(), 1, "{row}");
    let (name, mut fields) = frames.remove(0);
    assert_eq!(name, row["name"], "{row}");
    if name == "STREAM" {
        let (offset, low) = (row["fields"]["offset"].as_u64().unwrap(), &fields["offset"]);
        let expected = (offset != 0).then_some(offset & 0xffff_ffff);
        assert_eq!(low.as_u64(), expected, "{row}");
        fields["offset"] = json!(offset);
        assert!(StreamId(row["fields"]["stream"].as_u64().unwrap()).index() < 1 << 60);
    }
    assert_eq!(fields, row["fields"]);
}
