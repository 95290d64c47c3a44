//! The seeds of the packet decoder's fuzzer: real encodings, so that it does not begin with noise.
//!
//! They are committed. After a change of the wire format, `JSP_WRITE_SEEDS=1 cargo test -p jsp-proto
//! --test fuzz_seeds` writes them anew.

// The handshake's seeds need a provider that repeats itself.
#![cfg(feature = "rustcrypto")]
#![allow(clippy::unwrap_used)]

use jsp_proto::crypto::rustcrypto::RustCrypto;
use jsp_proto::crypto::{IdentitySecret, Provider, Signer};
use jsp_proto::error::{AppCode, Code};
use jsp_proto::handshake::{
    AcceptAny, ClientConfig, Handshake, Identity, IdentitySet, Output, ServerConfig,
};
use jsp_proto::ids::{ConnectionId, Dir, PacketNumber, Side, Space, StreamId, Version};
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::Duration;
use jsp_proto::wire::frame::{
    AckFrame, AckFrequencyFrame, AppCloseFrame, EcnCounts, Frame, Frames, NewConnectionId,
    ResetToken, StreamFrame, StreamHeader, TransportCloseFrame,
};
use jsp_proto::wire::header::{Kind, encode_long, encode_short, put_version_and_ids, set_length};
use jsp_proto::wire::parameters::Parameters;
use jsp_proto::wire::{TruncatedNumber, Writer};
use std::path::Path;
use std::sync::Arc;
use std::{env, fs};

/// The first byte tells the fuzz target what follows.
const DATAGRAM: u8 = 0;
const PAYLOAD: u8 = 1;
const PARAMETERS: u8 = 2;
const CLIENT_HELLO: u8 = 3;
const SERVER_FLIGHT: u8 = 4;

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
    for frame in frames {
        frame.encode(&mut out).unwrap();
    }
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
        Frame::AckFrequency(AckFrequencyFrame {
            sequence: 1,
            threshold: 300,
            max_delay_micros: 20_000,
            reordering: 1,
        }),
        Frame::ImmediateAck,
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
        min_ack_delay_micros: Some(1000),
    };
    let mut out = Vec::new();
    parameters.encode(&mut out, 3).unwrap();
    out
}

/// The client that the fuzz target makes, too: same seed, same bytes.
fn client() -> Handshake {
    let config = ClientConfig::new(Arc::new(RustCrypto), Arc::new(AcceptAny));
    let rng = Rng::new(&Seed::from_u64(1), "client");
    Handshake::client(Arc::new(config), rng, &Parameters::default(), cid(9)).unwrap()
}

/// All handshake bytes that `handshake` sends in `space`.
fn sent(handshake: &mut Handshake, space: Space) -> Vec<u8> {
    let mut packet = [0; 16_384];
    let mut w = Writer::new(&mut packet);
    handshake.write_crypto(space, &mut w, &mut Vec::new(), usize::MAX);
    let frames = Frames::new(w.written()).map(|frame| frame.unwrap().1);
    frames.fold(Vec::new(), |mut all, frame| {
        let Frame::Crypto { offset, data } = frame else { panic!("{frame:?}") };
        assert_eq!(offset, all.len() as u64);
        all.extend_from_slice(data);
        all
    })
}

/// A ClientHello, and the server's answer: Initial bytes behind their length, Handshake bytes.
fn handshake() -> (Vec<u8>, Vec<u8>) {
    let hello = sent(&mut client(), Space::Initial);
    let secret = IdentitySecret { ed25519: [1; 32], ml_dsa: Some([2; 32]) };
    let signer: Box<dyn Signer> = RustCrypto.signer(&secret).unwrap();
    let identity = Identity::new(&RustCrypto, signer.public().clone());
    let config = ServerConfig::new(Arc::new(RustCrypto), IdentitySet::single(identity));
    let mut rng = Rng::new(&Seed::from_u64(2), "server");
    let parameters = Parameters {
        initial_scid: Some(cid(8)),
        original_dcid: Some(cid(9)),
        ..Parameters::default()
    };
    let of_server = Rng::new(&Seed::from_u64(3), "server");
    let mut server = Handshake::server(Arc::new(config), of_server, parameters, cid(9), false);
    server.receive(Space::Initial, 0, &hello).unwrap();
    while let Some(output) = server.poll() {
        if let Output::Sign(request) = output {
            let signature = signer.sign(&mut rng, &request.message);
            server.provide_signature(signature).unwrap();
        }
    }
    let initial = sent(&mut server, Space::Initial);
    let len = u16::try_from(initial.len()).unwrap().to_be_bytes();
    let rest = sent(&mut server, Space::Handshake);
    // What the fuzzer begins with is what a client takes.
    let mut client = client();
    client.receive(Space::Initial, 0, &initial).unwrap();
    client.receive(Space::Handshake, 0, &rest).unwrap();
    assert!(std::iter::from_fn(|| client.poll()).any(|out| matches!(out, Output::Complete(_))));
    (hello, [&len[..], &initial, &rest].concat())
}

fn seeds() -> Vec<(&'static str, u8, Vec<u8>)> {
    let crypto = Frame::Crypto { offset: 1100, data: &[1, 0, 0, 4, 1, 2, 3, 4] };
    let ecn = Some(EcnCounts { ect0: 900, ect1: 1, ce: 20 });
    let (client_hello, server_flight) = handshake();
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
        ("client_hello", CLIENT_HELLO, client_hello),
        ("server_flight", SERVER_FLIGHT, server_flight),
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
        assert_eq!(fs::read(folder.join(name)).unwrap(), seed, "{name}: write the seeds anew");
    }
}
