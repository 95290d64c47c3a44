//! Single packets of every type, and key updates.

use crate::doc::{Doc, hex, object};
use crate::frames::names;
use crate::handshake::{keys, side};
use jsp_proto::cid::ResetKey;
use jsp_proto::crypto::rustcrypto::RustCrypto;
use jsp_proto::crypto::{Provider, Secret, Suite, TAG_LEN};
use jsp_proto::error::AppCode;
use jsp_proto::ids::{ConnectionId, PacketNumber, PathId, Side, StreamId, Version};
use jsp_proto::protection::{
    DataKeys, ReceivedWindow, SealKey, expand_label, expand_secret, initial_secrets, retry_tag,
};
use jsp_proto::time::Time;
use jsp_proto::wire::frame::{Frame, StreamFrame};
use jsp_proto::wire::header::{Kind, encode_long, encode_short, put_version_and_ids, set_length};
use jsp_proto::wire::{Put, TruncatedNumber, Writer};
use std::sync::Arc;

const DCID: [u8; 8] = [0xd0, 1, 2, 3, 4, 5, 6, 7];
const SCID: [u8; 8] = [0x50, 8, 9, 10, 11, 12, 13, 14];

type Field = (&'static str, Doc);

/// A packet before it is sealed.
struct Plain {
    bytes: Vec<u8>,
    number: PacketNumber,
    number_at: usize,
    number_len: usize,
}

/// Writes a packet; `acked` is the largest number that the peer has acknowledged.
fn plain(
    kind: Kind,
    token: &[u8],
    phase: bool,
    (number, acked): (u64, Option<u64>),
    payload: &[u8],
) -> Plain {
    let mut bytes = vec![0; 1500];
    let mut w = Writer::new(&mut bytes);
    let number = PacketNumber(number);
    let truncated = TruncatedNumber::new(number, acked.map(PacketNumber));
    let (dcid, scid) = (DCID.into(), SCID.into());
    let header = match kind {
        Kind::Data => encode_short(&mut w, &dcid, phase, truncated),
        _ => encode_long(&mut w, kind, &dcid, &scid, token, truncated),
    }
    .unwrap();
    w.put(payload).unwrap();
    w.put(&[0; TAG_LEN]).unwrap();
    let len = w.len();
    bytes.truncate(len);
    if let Some(at) = header.length_at {
        set_length((&mut bytes[at..at + 2]).try_into().unwrap(), len - header.number_at);
    }
    Plain { bytes, number, number_at: header.number_at, number_len: truncated.len() }
}

/// A packet's fields, before and after it was sealed. `of_header` is the secret whose header-protection
/// key is used.
fn fields(plain: &Plain, sealed: &[u8], suite: Suite, of_header: &Secret) -> Vec<Field> {
    let payload_at = plain.number_at + plain.number_len;
    let payload = &plain.bytes[payload_at..plain.bytes.len() - TAG_LEN];
    let mut hp = [0; 32];
    expand_label(&RustCrypto, of_header, b"hp", b"", &mut hp);
    let sample = sealed[plain.number_at + 4..][..16].try_into().unwrap();
    vec![
        ("number", plain.number.0.into()),
        ("number_offset", (plain.number_at as u64).into()),
        ("header", hex(&plain.bytes[..payload_at])),
        ("frames", names(payload).into()),
        ("payload", hex(payload)),
        ("sample", hex(sample)),
        ("mask", hex(RustCrypto.header_key(suite, &hp).mask(&sample))),
        ("packet", hex(sealed)),
    ]
}

fn sealed(kind: Kind, sender: Side, suite: Suite, secret: &Secret, plain: &Plain) -> Doc {
    let mut bytes = plain.bytes.clone();
    let key = SealKey::new(&RustCrypto, suite, secret);
    key.seal(PathId(0), plain.number, &mut bytes, plain.number_at, plain.number_len);
    let head = [("type", format!("{kind:?}").into()), ("from", side(sender).into())];
    let fields = fields(plain, &bytes, suite, secret);
    let rows = head.into_iter().chain(keys(suite, secret)).chain(fields);
    Doc::Object(rows.collect())
}

fn payload(frames: &[Frame<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for frame in frames {
        frame.encode(&mut out).unwrap();
    }
    out
}

fn initial() -> Vec<Doc> {
    let secrets = initial_secrets(&RustCrypto, &DCID.into());
    let crypto = Frame::Crypto { offset: 0, data: &[1, 0, 0, 4, 1, 2, 3, 4] };
    let of = |sender, token: &[u8], numbers, frames: &[Frame<'_>]| {
        let plain = plain(Kind::Initial, token, false, numbers, &payload(frames));
        sealed(Kind::Initial, sender, Suite::Aes256Gcm, secrets.of(sender), &plain)
    };
    vec![
        of(Side::Client, b"", (0, None), &[crypto.clone(), Frame::Padding(1132)]),
        of(Side::Client, b"a token", (1, None), &[crypto, Frame::Padding(40)]),
        of(Side::Server, b"", (300, None), &[Frame::Ping, Frame::Padding(1)]),
    ]
}

fn protected() -> Vec<Doc> {
    let secret = Secret::new([0x5e; 32]);
    let mut rows = Vec::new();
    for suite in Suite::ALL {
        let frames = payload(&[Frame::Crypto { offset: 200, data: b"handshake bytes" }]);
        let handshake = plain(Kind::Handshake, b"", false, (7, Some(2)), &frames);
        rows.push(sealed(Kind::Handshake, Side::Server, suite, &secret, &handshake));
        let data = Frame::Stream(StreamFrame {
            id: StreamId(0),
            offset: Some(1000),
            fin: true,
            data: b"application data",
        });
        // Packet numbers of 1 to 4 bytes; the smallest packet that there is; and the largest number.
        for (numbers, frames) in [
            ((0, None), vec![data.clone()]),
            ((1_000, Some(800)), vec![data.clone(), Frame::Ping]),
            ((70_000, Some(30_000)), vec![Frame::Padding(1)]),
            ((PacketNumber::MAX.0, Some(PacketNumber::MAX.0 - (1 << 25))), vec![data]),
        ] {
            let plain = plain(Kind::Data, b"", false, numbers, &payload(&frames));
            rows.push(sealed(Kind::Data, Side::Client, suite, &secret, &plain));
        }
        let smallest = plain(Kind::Data, b"", true, (5, Some(4)), &payload(&[Frame::Padding(3)]));
        rows.push(sealed(Kind::Data, Side::Client, suite, &secret, &smallest));
    }
    rows
}

fn unnumbered() -> Vec<Doc> {
    let (dcid, scid) = (ConnectionId::from(DCID), ConnectionId::from(SCID));
    let odcid = ConnectionId::from([0x0d, 9, 8, 7, 6, 5, 4, 3]);
    let mut retry = vec![0xf7];
    put_version_and_ids(&mut retry, Version::V1, &dcid, &scid).unwrap();
    retry.extend_from_slice(b"an opaque token");
    let tag = retry_tag(&RustCrypto, &odcid, &retry);
    retry.extend_from_slice(&tag);

    let versions = [Version::V1, Version(0x1a2a_3a4a)];
    let mut negotiation = vec![0xd5];
    put_version_and_ids(&mut negotiation, Version::NEGOTIATION, &dcid, &scid).unwrap();
    for version in versions {
        negotiation.put_u32(version.0).unwrap();
    }

    let key = Secret::new([0x2e; 32]);
    let token = ResetKey::new(Arc::new(RustCrypto), key.clone()).token(&dcid);
    let mut reset = vec![0x40 | 0x2b, 0xa1, 0xb2, 0xc3, 0xd4, 0xe5];
    reset.extend_from_slice(&token.0);
    vec![
        object! {
            "type": "Retry",
            "original_dcid": hex(odcid.as_bytes()),
            "dcid": hex(DCID),
            "scid": hex(SCID),
            "token": hex(b"an opaque token"),
            "tag": hex(tag),
            "packet": hex(retry),
        },
        object! {
            "type": "Version Negotiation",
            "dcid": hex(DCID),
            "scid": hex(SCID),
            "versions": versions.map(|v| hex(v.0.to_be_bytes())).to_vec(),
            "packet": hex(negotiation),
        },
        object! {
            "type": "Stateless Reset",
            "reset_key": hex(key.expose()),
            "id": hex(DCID),
            "token": hex(token.0),
            "packet": hex(reset),
        },
    ]
}

/// The document of single packets.
pub(crate) fn document() -> Doc {
    let rows = initial().into_iter().chain(protected()).chain(unnumbered());
    object! {
        "title": "A packet of every type",
        "initial_dcid": hex(DCID),
        "packets": rows.collect::<Vec<_>>(),
    }
}

/// The document of key updates.
pub(crate) fn key_updates() -> Doc {
    let frames = payload(&[
        Frame::StopSending { id: StreamId(1), code: AppCode(3) },
        Frame::MaxData(1 << 20),
    ]);
    let row = |suite| {
        let secret = Secret::new([0x6b; 32]);
        let peer = Secret::new([0x7c; 32]);
        let mut sender = DataKeys::new(Arc::new(RustCrypto), suite, &secret, &peer);
        let mut receiver = DataKeys::new(Arc::new(RustCrypto), suite, &peer, &secret);
        let mut window = ReceivedWindow::new();
        let mut pass = |sender: &mut DataKeys, number| {
            let plain = plain(Kind::Data, b"", sender.phase(), (number, None), &frames);
            let (at, len) = (plain.number_at, plain.number_len);
            let mut bytes = plain.bytes.clone();
            sender.seal(PathId(0), plain.number, &mut bytes, at, len).unwrap();
            let fields = fields(&plain, &bytes, suite, &secret);
            receiver.open(Time::ZERO, PathId(0), &mut window, &mut bytes, at).unwrap();
            assert_eq!(receiver.phase(), sender.phase());
            // A receiver that has not answered takes no update.
            let mut answer = plain.bytes.clone();
            receiver.seal(PathId(0), plain.number, &mut answer, at, len).unwrap();
            fields
        };
        sender.on_confirmed();
        let before = pass(&mut sender, 40);
        sender.on_acked(PacketNumber(40));
        assert!(sender.update(Time::ZERO) && sender.phase());
        let after = pass(&mut sender, 41);
        let next = expand_secret(&RustCrypto, &secret, b"ku", b"");
        let mut generations = Vec::new();
        for (generation, secret, packet) in [(0, &secret, before), (1, &next, after)] {
            let head = [("generation", Doc::Number(generation))];
            let rows = head.into_iter().chain(keys(suite, secret)).chain(packet);
            let mut rows: Vec<_> = rows.collect();
            // The key of header protection is the first generation's for ever.
            if generation > 0 {
                rows.retain(|(name, _)| *name != "hp");
            }
            generations.push(Doc::Object(rows));
        }
        object! { "generations": generations }
    };
    object! { "title": "Key updates", "updates": Suite::ALL.map(row).to_vec() }
}
