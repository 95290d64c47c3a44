//! `spec/02-packets.md` and `spec/05-protection.md`, over the bare primitives.

use crate::bytes::{Cursor, array, bytes, number, text};
use jsp_proto::crypto::rustcrypto::RustCrypto;
use jsp_proto::crypto::{Provider, Secret, Suite};
use serde_json::Value;

/// Section 5.1.
pub(crate) fn expand_label(secret: &[u8; 32], label: &str, context: &[u8], n: usize) -> Vec<u8> {
    let label = format!("jsp1 {label}");
    let mut info = (n as u16).to_be_bytes().to_vec();
    info.push(label.len() as u8);
    info.extend(label.as_bytes());
    info.push(context.len() as u8);
    info.extend(context);
    let mut out = vec![0; n];
    RustCrypto.hkdf_expand(&Secret::new(*secret), &info, &mut out);
    out
}

/// The same, of 32 bytes.
pub(crate) fn derive(secret: &[u8; 32], label: &str, context: &[u8]) -> [u8; 32] {
    expand_label(secret, label, context, 32).try_into().unwrap()
}

pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = RustCrypto.sha256();
    for part in parts {
        hash.update(part);
    }
    hash.snapshot()
}

/// Section 5.3: the secrets of the client's and the server's Initial packets.
pub(crate) fn initial_secrets(dcid: &[u8]) -> [[u8; 32]; 2] {
    let initial = RustCrypto.hkdf_extract(&sha256(&[b"jsp1 initial salt"]), dcid);
    ["client in", "server in"].map(|label| derive(initial.expose(), label, b""))
}

pub(crate) fn suite(name: &str) -> Suite {
    match name {
        "aes-256-gcm" => Suite::Aes256Gcm,
        "chacha20-poly1305" => Suite::ChaCha20Poly1305,
        "aes-256-gcm-siv" => Suite::Aes256GcmSiv,
        name => panic!("no suite {name}"),
    }
}

/// One direction's keys (section 5.2).
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) suite: Suite,
    pub(crate) key: [u8; 32],
    pub(crate) iv: [u8; 12],
    pub(crate) hp: [u8; 32],
}

impl Keys {
    pub(crate) fn new(suite: Suite, secret: &[u8; 32]) -> Self {
        let iv = expand_label(secret, "iv", b"", 12).try_into().unwrap();
        Self { suite, key: derive(secret, "key", b""), iv, hp: derive(secret, "hp", b"") }
    }

    /// Checks that the keys of `row` are those of its secret, which it returns.
    pub(crate) fn recorded(row: &Value) -> ([u8; 32], Self) {
        let secret = array(row, "secret");
        let keys = Self::new(suite(text(row, "suite")), &secret);
        assert_eq!(keys.key, array(row, "key"));
        assert_eq!(keys.iv, array(row, "iv"));
        (secret, keys)
    }

    /// Opens a packet whose number begins at `at` (sections 5.4 and 5.5). `expected` is the number behind
    /// the largest received in its space. Returns number, header and payload.
    pub(crate) fn open(&self, packet: &[u8], at: usize, expected: u64) -> (u64, Vec<u8>, Vec<u8>) {
        let sample = packet[at + 4..at + 20].try_into().unwrap();
        let mask = RustCrypto.header_key(self.suite, &self.hp).mask(&sample);
        let mut packet = packet.to_vec();
        packet[0] ^= mask[0] & if packet[0] & 0x80 != 0 { 0x0f } else { 0x1f };
        let reserved = if packet[0] & 0x80 != 0 { 0x0c } else { 0x38 };
        assert_eq!(packet[0] & reserved, 0, "reserved bits");
        let len = usize::from(packet[0] & 3) + 1;
        for (byte, mask) in packet[at..at + len].iter_mut().zip(&mask[1..]) {
            *byte ^= mask;
        }
        let number = nearest(Cursor(&packet[at..at + len]).uint(len), len, expected);
        let mut payload = packet.split_off(at + len);
        let mut nonce = self.iv;
        for (byte, of_number) in nonce[4..].iter_mut().zip(number.to_be_bytes()) {
            *byte ^= of_number;
        }
        let key = RustCrypto.packet_key(self.suite, &self.key);
        let opened = key.open(&nonce, &packet, &mut payload).expect("the packet is authentic");
        payload.truncate(opened);
        (number, packet, payload)
    }
}

/// Section 2.5: the number with these low bytes that is nearest to `expected`.
fn nearest(low: u64, len: usize, expected: u64) -> u64 {
    let span = 1u64 << (8 * len);
    let below = expected & !(span - 1) | low;
    let candidates = [below.checked_sub(span), Some(below), below.checked_add(span)];
    let near = candidates.into_iter().flatten().filter(|&number| number < 1 << 62);
    near.min_by_key(|number| number.abs_diff(expected)).unwrap()
}

/// A packet's header, as far as it is readable without keys.
pub(crate) struct Header {
    /// "Initial", "Handshake", "Retry" or "Data".
    pub(crate) kind: &'static str,
    pub(crate) dcid: Vec<u8>,
    pub(crate) scid: Vec<u8>,
    pub(crate) token: Vec<u8>,
    /// Where the packet number begins.
    pub(crate) number_at: usize,
    /// Where the packet ends.
    pub(crate) end: usize,
}

impl Header {
    /// Sections 2.2 and 2.3; IDs in short headers are 8 bytes.
    pub(crate) fn read(datagram: &[u8]) -> Self {
        let mut r = Cursor(datagram);
        let first = r.uint(1);
        assert_ne!(first & 0x40, 0, "the fixed bit");
        if first & 0x80 == 0 {
            let (dcid, end) = (r.take(8).to_vec(), datagram.len());
            return Self { kind: "Data", dcid, scid: vec![], token: vec![], number_at: 9, end };
        }
        assert_eq!(r.uint(4), 0x4a53_5001);
        let (dcid, scid) = (r.prefixed(1).to_vec(), r.prefixed(1).to_vec());
        let kind = ["Initial", "Early", "Handshake", "Retry"][first as usize >> 4 & 3];
        let mut token = Vec::new();
        if kind == "Retry" {
            token = r.take(r.0.len() - 16).to_vec();
            return Self { kind, dcid, scid, token, number_at: 0, end: datagram.len() };
        }
        if kind == "Initial" {
            token = r.varint_prefixed().to_vec();
        }
        let length = r.varint() as usize;
        let number_at = datagram.len() - r.0.len();
        Self { kind, dcid, scid, token, number_at, end: number_at + length }
    }
}

/// Section 5.8: whether a Retry's tag is that of an answer to `odcid`.
pub(crate) fn retry_is_authentic(odcid: &[u8], retry: &[u8]) -> bool {
    let secret = sha256(&[b"jsp1 retry"]);
    let nonce = expand_label(&secret, "iv", b"", 12).try_into().unwrap();
    let (without_tag, tag) = retry.split_at(retry.len() - 16);
    let pseudo = [&[odcid.len() as u8][..], odcid, without_tag].concat();
    let key = RustCrypto.packet_key(Suite::Aes256Gcm, &derive(&secret, "key", b""));
    key.seal(&nonce, &pseudo, &mut []) == tag
}

/// Opens the packet of `row` with `keys`, and compares what is in it.
pub(crate) fn check_packet(row: &Value, keys: &Keys) -> Vec<u8> {
    let packet = bytes(row, "packet");
    let parsed = Header::read(&packet);
    assert_eq!(parsed.number_at as u64, number(row, "number_offset"));
    assert_eq!(parsed.end, packet.len());
    let at = parsed.number_at;
    assert_eq!(packet[at + 4..at + 20], bytes(row, "sample"));
    let mask = RustCrypto.header_key(keys.suite, &keys.hp).mask(&array(row, "sample"));
    assert_eq!(mask, array(row, "mask"));
    // Any number near the packet's own will do.
    let (opened, header, payload) = keys.open(&packet, at, number(row, "number"));
    assert_eq!(opened, number(row, "number"));
    assert_eq!(header, bytes(row, "header"));
    assert_eq!(payload, bytes(row, "payload"));
    payload
}
