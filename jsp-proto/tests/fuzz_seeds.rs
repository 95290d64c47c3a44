//! The seeds of the packet decoder's fuzzer: real encodings, so that it does not begin with noise.
//!
//! They are committed. After a change of the wire format, `JSP_WRITE_SEEDS=1 cargo test -p jsp-proto
//! --test fuzz_seeds` writes them anew.

#![allow(clippy::unwrap_used)]

use jsp_proto::error::{AppCode, Code};
use jsp_proto::ids::{ConnectionId, Dir, PacketNumber, Side, StreamId, Version};
use jsp_proto::time::Duration;
use jsp_proto::wire::frame::{
    AckFrame, AppCloseFrame, EcnCounts, Frame, NewConnectionId, ResetToken, StreamFrame,
    StreamHeader, TransportCloseFrame,
};
use jsp_proto::wire::header::{Kind, encode_long, encode_short, put_version_and_ids, set_length};
use jsp_proto::wire::parameters::Parameters;
use jsp_proto::wire::{TruncatedNumber, Writer};
use std::path::Path;
use std::{env, fs};

/// The first byte tells the fuzz target what follows.
const DATAGRAM: u8 = 0;
const PAYLOAD: u8 = 1;
const PARAMETERS: u8 = 2;

fn cid(first: u8) -> ConnectionId {
    ConnectionId::from([first, 1, 2, 3, 4, 5, 6, 7])
}

fn long(kind: Kind, token: &[u8], payload: usize) -> Vec<u8> {
    let mut bytes = [0; 256];
    let mut w = Writer::new(&mut bytes);
    let number = TruncatedNumber::new(PacketNumber(300), Some(PacketNumber(2)));
    let encoded = encode_long(&mut w, kind, &cid(9), &cid(8), token, number).unwrap();
    w.reserve(payload).unwrap().fill(0xa5);
    let length = w.len() - encoded.number_at;
    let at = encoded.length_at.unwrap();
    set_length((&mut w.written()[at..at + 2]).try_into().unwrap(), length);
    w.written().to_vec()
}

fn short(phase: bool) -> Vec<u8> {
    let mut bytes = [0; 64];
    let mut w = Writer::new(&mut bytes);
    let number = TruncatedNumber::new(PacketNumber(70_000), None);
    encode_short(&mut w, &cid(9), phase, number).unwrap();
    w.reserve(30).unwrap().fill(0x5a);
    w.written().to_vec()
}

fn unnumbered(first: u8, version: Version, rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    put_version_and_ids(&mut bytes, version, &cid(9), &cid(8)).unwrap();
    bytes.extend_from_slice(rest);
    bytes
}

fn payload(frames: &[Frame<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    frames.iter().for_each(|frame| frame.encode(&mut out).unwrap());
    out
}

fn ack(count: u64, ecn: Option<EcnCounts>) -> Vec<u8> {
    let ranges = (0..count).map(|i| 5000 - 7 * i - i % 3..=5000 - 7 * i);
    let mut out = Vec::new();
    AckFrame::write(&mut out, 2000, ranges, Duration::from_micros(300), ecn).unwrap();
    out
}

fn control() -> Vec<u8> {
    let id = StreamId::new(Side::Client, Dir::Bi, 3);
    payload(&[
        Frame::Ping,
        Frame::ResetStream { id, code: AppCode(7), final_size: 70_000 },
        Frame::StopSending { id, code: AppCode(8) },
        Frame::MaxData(1 << 24),
        Frame::MaxStreamData { id, max: 1 << 20 },
        Frame::MaxStreams { dir: Dir::Bi, max: 100 },
        Frame::MaxStreams { dir: Dir::Uni, max: 100 },
        Frame::DataBlocked(1 << 24),
        Frame::StreamDataBlocked { id, limit: 1 << 20 },
        Frame::StreamsBlocked { dir: Dir::Bi, limit: 100 },
        Frame::StreamsBlocked { dir: Dir::Uni, limit: 100 },
        Frame::NewConnectionId(NewConnectionId {
            sequence: 4,
            retire_prior_to: 2,
            id: cid(7),
            reset_token: ResetToken([6; 16]),
        }),
        Frame::RetireConnectionId(1),
        Frame::HandshakeDone,
        Frame::Padding(5),
    ])
}

fn streams() -> Vec<u8> {
    let stream = |id, offset, fin| {
        Frame::Stream(StreamFrame { id: StreamId(id), offset, fin, data: b"some data" })
    };
    let mut out = payload(&[
        stream(0, None, false),
        stream(1023, Some(1000), true),
        stream(5000, Some(u32::MAX), false),
        stream(1 << 20, Some(0), false),
        stream(1 << 50, Some(1), false),
    ]);
    let last = StreamHeader { id: StreamId(4), offset: 1 << 33, fin: true, len: None };
    last.encode(&mut out).unwrap();
    out.extend_from_slice(b"the rest of the packet");
    out
}

fn closes() -> Vec<u8> {
    payload(&[
        Frame::TransportClose(TransportCloseFrame {
            code: Code::FRAME_ENCODING,
            frame: 0x1f,
            reason: b"frame does not parse",
        }),
        Frame::AppClose(AppCloseFrame { code: AppCode(1 << 40), reason: b"bye" }),
    ])
}

fn parameters() -> Vec<u8> {
    let parameters = Parameters {
        original_dcid: Some(cid(9)),
        initial_scid: Some(cid(8)),
        retry_scid: Some(cid(7)),
        reset_token: Some(ResetToken([5; 16])),
        idle_timeout_ms: 30_000,
        max_datagram: 1452,
        max_data: 1 << 24,
        stream_bidi_local: 1 << 20,
        stream_bidi_remote: 1 << 20,
        stream_uni: 1 << 20,
        max_streams: [100, 100],
        max_ack_delay_ms: 10,
        cid_limit: 8,
    };
    let mut out = Vec::new();
    parameters.encode(&mut out, 3).unwrap();
    out
}

fn seeds() -> Vec<(&'static str, u8, Vec<u8>)> {
    let crypto = Frame::Crypto { offset: 1100, data: &[1, 0, 0, 4, 1, 2, 3, 4] };
    let ecn = Some(EcnCounts { ect0: 900, ect1: 1, ce: 20 });
    let coalesced = [long(Kind::Initial, b"", 40), long(Kind::Handshake, b"", 60)].concat();
    vec![
        ("datagram_initial", DATAGRAM, long(Kind::Initial, b"token", 50)),
        ("datagram_early", DATAGRAM, long(Kind::Early, b"", 30)),
        ("datagram_coalesced", DATAGRAM, [coalesced, short(true)].concat()),
        ("datagram_data", DATAGRAM, short(false)),
        ("datagram_retry", DATAGRAM, unnumbered(0xf0, Version::V1, &[4; 48])),
        ("datagram_negotiation", DATAGRAM, unnumbered(0xc0, Version::NEGOTIATION, &[0x4a; 8])),
        ("datagram_other_version", DATAGRAM, unnumbered(0xc0, Version(1), &[0; 20])),
        ("payload_control", PAYLOAD, control()),
        ("payload_streams", PAYLOAD, streams()),
        ("payload_closes", PAYLOAD, closes()),
        ("payload_crypto", PAYLOAD, payload(&[crypto, Frame::Padding(20)])),
        ("payload_ack", PAYLOAD, ack(1, None)),
        ("payload_ack_ranges", PAYLOAD, ack(256, ecn)),
        ("parameters", PARAMETERS, parameters()),
    ]
}

#[test]
fn the_fuzzers_seeds_are_encodings_of_this_wire_version() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("../fuzz/corpus/packet_decoder");
    for (name, what, encoding) in seeds() {
        let seed = [&[what][..], &encoding].concat();
        if env::var_os("JSP_WRITE_SEEDS").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(name), &seed).unwrap();
        }
        assert_eq!(fs::read(folder.join(name)).unwrap(), seed, "{name}");
    }
}
