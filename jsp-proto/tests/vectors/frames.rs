//! Each frame, as fields and as bytes.

use crate::doc::{Doc, hex, object};
use jsp_proto::error::{AppCode, Code};
use jsp_proto::ids::{ConnectionId, Dir, Side, StreamId};
use jsp_proto::time::Duration;
use jsp_proto::wire::frame::{
    AckFrame, AckFrequencyFrame, AppCloseFrame, EcnCounts, Frame, Frames, NewConnectionId,
    ResetToken, StreamHeader, TransportCloseFrame, kind,
};

/// What the specification calls a frame with this first byte.
fn name(first: u8) -> &'static str {
    match first {
        kind::PADDING => "PADDING",
        kind::PING => "PING",
        kind::ACK => "ACK",
        kind::ACK_ECN => "ACK_ECN",
        kind::RESET_STREAM => "RESET_STREAM",
        kind::STOP_SENDING => "STOP_SENDING",
        kind::CRYPTO => "CRYPTO",
        kind::ACK_FREQUENCY => "ACK_FREQUENCY",
        kind::MAX_DATA => "MAX_DATA",
        kind::MAX_STREAM_DATA => "MAX_STREAM_DATA",
        kind::MAX_STREAMS_BIDI => "MAX_STREAMS bidirectional",
        kind::MAX_STREAMS_UNI => "MAX_STREAMS unidirectional",
        kind::DATA_BLOCKED => "DATA_BLOCKED",
        kind::STREAM_DATA_BLOCKED => "STREAM_DATA_BLOCKED",
        kind::STREAMS_BLOCKED_BIDI => "STREAMS_BLOCKED bidirectional",
        kind::STREAMS_BLOCKED_UNI => "STREAMS_BLOCKED unidirectional",
        kind::NEW_CONNECTION_ID => "NEW_CONNECTION_ID",
        kind::RETIRE_CONNECTION_ID => "RETIRE_CONNECTION_ID",
        kind::CONNECTION_CLOSE => "CONNECTION_CLOSE",
        kind::APPLICATION_CLOSE => "APPLICATION_CLOSE",
        kind::HANDSHAKE_DONE => "HANDSHAKE_DONE",
        kind::IMMEDIATE_ACK => "IMMEDIATE_ACK",
        first if first & kind::STREAM != 0 => "STREAM",
        first => panic!("no frame begins with {first:#04x}"),
    }
}

/// The names of a payload's frames, in order; a run of PADDING is one.
pub(crate) fn names(payload: &[u8]) -> Vec<Doc> {
    Frames::new(payload).map(|frame| name(frame.unwrap().0).into()).collect()
}

fn row(frame: &Frame<'_>, fields: Doc) -> Doc {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes).unwrap();
    object! { "name": name(bytes[0]), "bytes": hex(bytes), "fields": fields }
}

fn ack(ranges: &[(u64, u64)], micros: u64, ecn: Option<EcnCounts>) -> Doc {
    let mut bytes = Vec::new();
    let delay = Duration::from_micros(micros);
    let descending = ranges.iter().map(|&(smallest, largest)| smallest..=largest);
    AckFrame::write(&mut bytes, 4096, descending, delay, ecn).unwrap();
    let range = |&(smallest, largest): &(u64, u64)| {
        object! { "smallest": smallest, "largest": largest }
    };
    let counts = |EcnCounts { ect0, ect1, ce }| object! { "ect0": ect0, "ect1": ect1, "ce": ce };
    object! {
        "name": name(bytes[0]),
        "bytes": hex(bytes),
        "fields": object! {
            "delay_us": micros,
            "ranges": ranges.iter().map(range).collect::<Vec<_>>(),
            "ecn": ecn.map(counts),
        },
    }
}

fn stream(id: u64, offset: u64, fin: bool, with_length: bool, data: &[u8]) -> Doc {
    let len = with_length.then_some(data.len() as u16);
    let mut bytes = Vec::new();
    StreamHeader { id: StreamId(id), offset, fin, len }.encode(&mut bytes).unwrap();
    bytes.extend_from_slice(data);
    object! {
        "name": "STREAM",
        "bytes": hex(bytes),
        "fields": object! {
            "stream": id,
            "offset": offset,
            "fin": fin,
            "with_length": with_length,
            "data": hex(data),
        },
    }
}

fn acks() -> Vec<Doc> {
    let every_other: Vec<_> = (0..256).map(|n| (1000 - 2 * n, 1000 - 2 * n)).collect();
    vec![
        ack(&[(0, 0)], 0, None),
        ack(&[(95, 100), (90, 93), (3, 40)], 1_250, None),
        ack(&every_other, 25_000, None),
        ack(&[(1 << 40, (1 << 40) + 63), (7, 7)], 1 << 20, None),
        ack(&[(10, 20)], 63, Some(EcnCounts { ect0: 11, ect1: 0, ce: 0 })),
        ack(&[(64, 70), (1, 60)], 64, Some(EcnCounts { ect0: 16_384, ect1: 1, ce: 300 })),
    ]
}

fn streams() -> Vec<Doc> {
    let data = b"data";
    vec![
        stream(0, 0, false, true, data),
        stream(0, 0, false, false, data),
        stream(0, 0, true, true, b""),
        stream(4, 4, true, false, data),
        stream(255, 1, false, true, data),
        stream(256, 1, false, true, data),
        stream(1023, u64::from(u32::MAX), true, true, data),
        stream(1024, 1 << 32, false, true, data),
        stream(262_143, (1 << 32) + 5, false, true, data),
        stream(262_144, 0, false, false, data),
        stream((1 << 26) - 1, 77, false, true, &[0xab; 64]),
        stream(1 << 26, 77, true, true, data),
        stream((1 << 62) - 1, (1 << 62) - 5, true, true, data),
    ]
}

fn of_streams() -> Vec<Doc> {
    let id = StreamId::new(Side::Client, Dir::Bi, 3);
    let mut rows = vec![
        row(
            &Frame::ResetStream { id, code: AppCode(7), final_size: 70_000 },
            object! { "stream": id.0, "code": 7, "final_size": 70_000 },
        ),
        row(
            &Frame::StopSending { id, code: AppCode(1 << 40) },
            object! { "stream": id.0, "code": 1 << 40 },
        ),
        row(&Frame::MaxData(63), object! { "max": 63 }),
        row(&Frame::MaxData(64), object! { "max": 64 }),
        row(&Frame::MaxStreamData { id, max: 1 << 30 }, object! { "stream": id.0, "max": 1 << 30 }),
        row(&Frame::DataBlocked(16_383), object! { "limit": 16_383 }),
        row(
            &Frame::StreamDataBlocked { id, limit: 16_384 },
            object! { "stream": id.0, "limit": 16_384 },
        ),
    ];
    for dir in Dir::ALL {
        rows.push(row(&Frame::MaxStreams { dir, max: 1 << 60 }, object! { "max": 1 << 60 }));
        rows.push(row(&Frame::StreamsBlocked { dir, limit: 100 }, object! { "limit": 100 }));
    }
    rows
}

fn of_the_connection() -> Vec<Doc> {
    let new_id = |id: &[u8], sequence, retire_prior_to| {
        let frame = NewConnectionId {
            sequence,
            retire_prior_to,
            id: ConnectionId::new(id).unwrap(),
            reset_token: ResetToken(*b"sixteen bytes..."),
        };
        row(
            &Frame::NewConnectionId(frame),
            object! {
                "sequence": sequence,
                "retire_prior_to": retire_prior_to,
                "id": hex(id),
                "reset_token": hex(frame.reset_token.0),
            },
        )
    };
    let close = |code: Code, frame, reason: &'static str| {
        row(
            &Frame::TransportClose(TransportCloseFrame { code, frame, reason: reason.as_bytes() }),
            object! { "code": code.0, "frame_type": u64::from(frame), "reason": reason },
        )
    };
    let app_close = |code, reason: &'static str| {
        row(
            &Frame::AppClose(AppCloseFrame { code: AppCode(code), reason: reason.as_bytes() }),
            object! { "code": code, "reason": reason },
        )
    };
    let frequency = |sequence, threshold, max_delay_micros, reordering| {
        row(
            &Frame::AckFrequency(AckFrequencyFrame {
                sequence,
                threshold,
                max_delay_micros,
                reordering,
            }),
            object! {
                "sequence": sequence,
                "threshold": threshold,
                "max_delay": max_delay_micros,
                "reordering": reordering,
            },
        )
    };
    vec![
        new_id(&[1, 2, 3, 4, 5, 6, 7, 8], 1, 0),
        new_id(&[9], 100, 100),
        new_id(&[0xee; 20], 1 << 30, 3),
        row(&Frame::RetireConnectionId(0), object! { "sequence": 0 }),
        row(&Frame::RetireConnectionId(1 << 20), object! { "sequence": 1 << 20 }),
        close(Code::NO_ERROR, 0, ""),
        close(Code::FRAME_ENCODING, 0x1f, "frame does not parse"),
        app_close(0, ""),
        app_close(1 << 40, "bye"),
        row(&Frame::HandshakeDone, object! {}),
        frequency(0, 2, 25_000, 1),
        frequency(70, 256, 1000, 0),
        row(&Frame::ImmediateAck, object! {}),
    ]
}

/// The document of all frames.
pub(crate) fn document() -> Doc {
    let crypto = |offset, data: &'static [u8]| {
        row(&Frame::Crypto { offset, data }, object! { "offset": offset, "data": hex(data) })
    };
    let mut rows = vec![
        row(&Frame::Padding(1), object! { "count": 1 }),
        row(&Frame::Padding(5), object! { "count": 5 }),
        row(&Frame::Ping, object! {}),
        crypto(0, &[1, 0, 0, 4, 1, 2, 3, 4]),
        crypto(16_380, &[7; 4]),
    ];
    rows.extend(acks());
    rows.extend(of_streams());
    rows.extend(of_the_connection());
    rows.extend(streams());
    object! { "title": "Every frame", "frames": rows }
}
