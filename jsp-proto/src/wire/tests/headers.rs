//! Packet headers survive the wire, and keep to their size.

use super::sample::cid;
use crate::ids::{ConnectionId, PacketNumber, Version};
use crate::record::TAG_LEN;
use crate::wire::header::{
    Encoded, KEY_PHASE, Kind, Packet, Protected, encode_long, encode_short, put_version_and_ids,
    set_length,
};
use crate::wire::{Full, Malformed, Put, TruncatedNumber, Writer};
use quickcheck::quickcheck;
use std::vec::Vec;

const LONG_KINDS: [Kind; 3] = [Kind::Initial, Kind::Early, Kind::Handshake];

fn number(len: u8) -> TruncatedNumber {
    TruncatedNumber::from_wire(0x0102_0304, len)
}

/// A packet with a long header and a payload of `payload` bytes, tag included.
fn long(
    kind: Kind,
    ids: [&ConnectionId; 2],
    token: &[u8],
    number: TruncatedNumber,
    payload: usize,
) -> (Vec<u8>, Encoded) {
    let mut bytes = std::vec![0; 80 + token.len() + payload];
    let mut w = Writer::new(&mut bytes);
    let encoded = encode_long(&mut w, kind, ids[0], ids[1], token, number).unwrap();
    w.reserve(payload).unwrap().fill(0xee);
    let length = w.len() - encoded.number_at;
    let field = &mut w.written()[encoded.length_at.unwrap()..][..2];
    set_length(field.try_into().unwrap(), length);
    let len = w.len();
    bytes.truncate(len);
    (bytes, encoded)
}

fn protected(bytes: &[u8]) -> Protected {
    match Packet::parse(bytes) {
        Ok(Packet::Protected(packet)) => packet,
        other => panic!("{other:?}"),
    }
}

quickcheck! {
    fn a_long_header_survives_the_wire(
        kind: u8, dcid: u8, scid: u8, token: Vec<u8>, len: u8, payload: u8, behind: Vec<u8>
    ) -> bool {
        let kind = LONG_KINDS[usize::from(kind % 3)];
        let ids = [cid(usize::from(dcid % 21)), cid(usize::from(scid % 21))];
        let payload = 3 + TAG_LEN + usize::from(payload);
        let (mut bytes, encoded) = long(kind, [&ids[0], &ids[1]], &token, number(1 + len % 4), payload);
        let end = bytes.len();
        bytes.put(&behind).unwrap();
        let packet = protected(&bytes);
        let carried: &[u8] = if kind == Kind::Initial { &token } else { &[] };
        bytes[packet.token.clone()] == *carried
            && (packet.kind, packet.dcid, packet.scid) == (kind, ids[0], ids[1])
            && (packet.number_at, packet.end) == (encoded.number_at, end)
    }

    fn a_long_header_cut_short_is_malformed_wherever_the_cut(kind: u8, token: Vec<u8>) -> bool {
        let kind = LONG_KINDS[usize::from(kind % 3)];
        let (bytes, _) = long(kind, [&cid(8), &cid(5)], &token, number(2), 40);
        (0..bytes.len()).all(|cut| Packet::parse(&bytes[..cut]) == Err(Malformed))
    }

    fn a_short_header_survives_the_wire(id: u64, phase: bool, len: u8, payload: u8) -> bool {
        let id = ConnectionId::from(id.to_be_bytes());
        let mut bytes = std::vec![0; 13 + 19 + usize::from(payload)];
        let mut w = Writer::new(&mut bytes);
        let encoded = encode_short(&mut w, &id, phase, number(1 + len % 4)).unwrap();
        let packet = protected(&bytes);
        (bytes[0] & KEY_PHASE != 0) == phase
            && (bytes[0] & 3) == len % 4
            && (packet.kind, packet.dcid, packet.scid) == (Kind::Data, id, ConnectionId::EMPTY)
            && (packet.number_at, packet.end) == (encoded.number_at, bytes.len())
    }
}

#[test]
fn a_data_packet_costs_at_most_29_bytes() {
    for len in 1..=4 {
        let mut bytes = [0; 64];
        let mut w = Writer::new(&mut bytes);
        encode_short(&mut w, &cid(ConnectionId::LEN), true, number(len)).unwrap();
        assert_eq!(w.len() + TAG_LEN, 25 + usize::from(len));
    }
    assert_eq!(TruncatedNumber::MAX_LEN, 4);
}

#[test]
fn a_packet_too_short_to_sample_is_malformed() {
    for (len, valid) in [(19, false), (20, true)] {
        let (bytes, _) = long(Kind::Handshake, [&cid(8), &cid(8)], &[], number(1), len - 1);
        assert_eq!(Packet::parse(&bytes).is_ok(), valid);
        let mut bytes = std::vec![0x40; 1 + ConnectionId::LEN + len];
        assert_eq!(Packet::parse(&bytes).is_ok(), valid);
        bytes.truncate(ConnectionId::LEN);
        assert_eq!(Packet::parse(&bytes), Err(Malformed));
    }
}

#[test]
fn a_packet_without_the_fixed_bit_is_malformed() {
    for kind in LONG_KINDS {
        let (mut bytes, _) = long(kind, [&cid(8), &cid(8)], &[], number(1), 30);
        bytes[0] &= !0x40;
        assert_eq!(Packet::parse(&bytes), Err(Malformed));
    }
    assert_eq!(Packet::parse(&[0; 60]), Err(Malformed));
}

#[test]
fn coalesced_packets_are_found_one_after_the_other() {
    let (first, _) = long(Kind::Initial, [&cid(8), &cid(8)], b"t", number(1), 33);
    let (second, _) = long(Kind::Handshake, [&cid(8), &cid(8)], b"", number(2), 44);
    let datagram = [&first[..], &second[..]].concat();
    let end = protected(&datagram).end;
    assert_eq!(end, first.len());
    let rest = protected(&datagram[end..]);
    assert_eq!((rest.kind, rest.end), (Kind::Handshake, second.len()));
}

fn unprotected(first: u8, version: Version, ids: [usize; 2], rest: &[u8]) -> Vec<u8> {
    let mut bytes = std::vec![first];
    put_version_and_ids(&mut bytes, version, &cid(ids[0]), &cid(ids[1])).unwrap();
    bytes.put(rest).unwrap();
    bytes
}

#[test]
fn a_retry_has_a_token_and_a_tag() {
    let bytes = unprotected(0xf0, Version::V1, [8, 4], &[7; TAG_LEN + 1]);
    let Ok(Packet::Retry { dcid, scid, token }) = Packet::parse(&bytes) else { panic!("no Retry") };
    assert_eq!((dcid, scid, &bytes[token]), (cid(8), cid(4), &[7][..]));
    for cut in 0..bytes.len() {
        assert_eq!(Packet::parse(&bytes[..cut]), Err(Malformed), "{cut}");
    }
}

#[test]
fn a_version_negotiation_holds_whole_versions_and_at_least_one() {
    for (len, valid) in [(0, false), (3, false), (4, true), (6, false), (8, true)] {
        for first in [0x80, 0xff] {
            let bytes = unprotected(first, Version::NEGOTIATION, [8, 0], &std::vec![1; len]);
            match Packet::parse(&bytes) {
                Ok(Packet::Negotiation { dcid, scid, versions }) => {
                    assert!(valid);
                    assert_eq!((dcid, scid, versions.len()), (cid(8), cid(0), len));
                }
                other => assert_eq!((other, valid), (Err(Malformed), false)),
            }
        }
    }
}

#[test]
fn another_version_is_told_with_its_ids() {
    let version = Version(0x0a1a_2a3a);
    let bytes = unprotected(0x80, version, [20, 0], b"who knows");
    let expected = Packet::Other { version, dcid: cid(20), scid: cid(0) };
    assert_eq!(Packet::parse(&bytes), Ok(expected));
}

#[test]
fn a_connection_id_of_more_than_twenty_bytes_is_malformed() {
    let mut bytes = std::vec![0xc0];
    bytes.put_u32(Version::V1.0).unwrap();
    bytes.put_u8(21).unwrap();
    bytes.put(&[0; 100]).unwrap();
    assert_eq!(Packet::parse(&bytes), Err(Malformed));
}

#[test]
fn a_header_that_does_not_fit_says_so() {
    for room in 0..34 {
        let mut bytes = std::vec![0; room];
        let mut w = Writer::new(&mut bytes);
        let (dcid, scid) = (cid(8), cid(8));
        let long = encode_long(&mut w, Kind::Initial, &dcid, &scid, b"token", number(4));
        assert_eq!(long, Err(Full), "{room}");
    }
}

#[test]
fn packet_numbers_stay_in_range_at_the_end_of_the_space() {
    for len in 1..=4 {
        let last = TruncatedNumber::from_wire(u32::MAX >> (32 - 8 * u32::from(len)), len);
        assert_eq!(last.expand(PacketNumber::MAX), PacketNumber::MAX);
        let over = TruncatedNumber::from_wire(0, len).expand(PacketNumber::MAX.next());
        assert!(over <= PacketNumber::MAX, "{over:?}");
    }
}
