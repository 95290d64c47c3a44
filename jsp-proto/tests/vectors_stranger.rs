//! The test vectors of `spec/vectors`, read by somebody who has the specification and the bare
//! primitives (HKDF, HMAC, SHA-256, the AEADs, the signatures), and none of the engine's handshake or
//! packet protection.

#![cfg(feature = "rustcrypto")]
// A vector that does not parse is a failed test.
#![allow(clippy::unwrap_used)]

#[path = "vectors_stranger/admission.rs"]
mod admission;
#[path = "vectors_stranger/bytes.rs"]
mod bytes;
#[path = "vectors_stranger/connection.rs"]
mod connection;
#[path = "vectors_stranger/frames.rs"]
mod frames;
#[path = "vectors_stranger/protection.rs"]
mod protection;

use bytes::{array, bytes, list, load, text};
use jsp_proto::crypto::Provider;
use jsp_proto::crypto::rustcrypto::RustCrypto;
use protection::{Header, Keys, check_packet, derive, initial_secrets, retry_is_authentic};
use std::collections::BTreeSet;

#[test]
fn a_connection_whose_server_proves_itself_follows_from_its_seeds() {
    connection::check(&load("handshake-server.json"));
}

#[test]
fn a_connection_whose_both_ends_prove_themselves_follows_from_its_seeds() {
    connection::check(&load("handshake-mutual.json"));
}

#[test]
fn a_connection_that_began_with_a_retry_follows_from_its_seeds() {
    connection::check(&load("handshake-retry.json"));
}

#[test]
fn every_packet_opens_with_the_keys_of_its_secret() {
    let file = load("packets.json");
    let initial = initial_secrets(&bytes(&file, "initial_dcid"));
    let mut seen = BTreeSet::new();
    for row in list(&file, "packets") {
        let kind = text(row, "type");
        let packet = bytes(row, "packet");
        match kind {
            "Retry" => {
                assert!(retry_is_authentic(&bytes(row, "original_dcid"), &packet));
                let header = Header::read(&packet);
                assert_eq!((header.kind, header.token), ("Retry", bytes(row, "token")));
                assert_eq!((header.dcid, header.scid), (bytes(row, "dcid"), bytes(row, "scid")));
                assert!(packet.ends_with(&bytes(row, "tag")));
            }
            "Version Negotiation" => {
                let (dcid, scid) = (bytes(row, "dcid"), bytes(row, "scid"));
                let ids = [&[8][..], &dcid, &[8], &scid].concat();
                let versions: String =
                    list(row, "versions").iter().map(|v| v.as_str().unwrap()).collect();
                assert_eq!(packet[0] & 0x80, 0x80);
                assert_eq!(packet[1..5 + ids.len()], [&[0; 4][..], &ids].concat());
                assert!(text(row, "packet").ends_with(&versions));
                assert_eq!(packet.len(), 5 + ids.len() + versions.len() / 2);
            }
            "Stateless Reset" => {
                let mac = RustCrypto.hmac_sha256(&bytes(row, "reset_key"), &[&bytes(row, "id")]);
                assert_eq!(mac[..16], bytes(row, "token"));
                assert!(packet.len() >= 21 && packet.ends_with(&mac[..16]));
                assert_eq!(packet[0] & 0xc0, 0x40);
            }
            _ => {
                let (secret, keys) = Keys::recorded(row);
                assert_eq!(keys.hp, array(row, "hp"));
                assert_eq!(Header::read(&packet).kind, kind);
                if kind == "Initial" {
                    assert_eq!(secret, initial[usize::from(text(row, "from") == "server")]);
                }
                let read = frames::read_all(&check_packet(row, &keys));
                let names = list(row, "frames").iter().map(|name| name.as_str().unwrap());
                assert!(read.iter().map(|(name, _)| *name).eq(names));
                seen.insert((kind.to_owned(), keys.suite));
            }
        }
    }
    assert_eq!(seen.len(), 1 + 3 + 3, "Initial, and each suite of Handshake and Data");
}

#[test]
fn each_generation_of_keys_follows_from_the_one_before() {
    let file = load("key-update.json");
    for update in list(&file, "updates") {
        let generations = list(update, "generations");
        let (mut secret, first) = Keys::recorded(&generations[0]);
        assert_eq!(first.hp, array(&generations[0], "hp"));
        check_packet(&generations[0], &first);
        for (n, row) in generations.iter().enumerate().skip(1) {
            secret = derive(&secret, "ku", b"");
            let (recorded, keys) = Keys::recorded(row);
            assert_eq!(secret, recorded);
            // The key of header protection stays.
            check_packet(row, &Keys { hp: first.hp, ..keys });
            assert_eq!(bytes(row, "header")[0] >> 2 & 1, n as u8 & 1, "the key phase");
        }
        assert_eq!(generations.len(), 2);
    }
}

#[test]
fn every_frame_is_read_as_its_fields_and_written_again() {
    let file = load("frames.json");
    let rows = list(&file, "frames");
    rows.iter().for_each(frames::check);
    let names: BTreeSet<_> = rows.iter().map(|row| text(row, "name")).collect();
    assert_eq!(names.len(), 23, "every frame of wire version 1: {names:?}");
}

#[test]
fn connection_ids_and_reset_tokens_are_functions_of_their_keys() {
    admission::check_connection_ids(&load("connection-ids.json"));
}

#[test]
fn retry_tokens_open_with_their_key_for_their_address() {
    admission::check_tokens(&load("retry-tokens.json"));
}
