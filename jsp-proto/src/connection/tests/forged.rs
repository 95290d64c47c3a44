//! Threats: downgrade, forged connection IDs, a wrong identity. Initial packets are sealed under
//! keys that anybody can compute: who changes them may prevent a connection, and nothing more.

use super::mitm::{self, Initial, gather, spread};
use super::pair::{Pair, client_address, closed, fault, opening};
use crate::connection::Event;
use crate::crypto::Signature;
use crate::crypto::rustcrypto::RustCrypto;
use crate::error::{CloseReason, Code};
use crate::handshake::{AcceptAny, ClientAuth, Feature, Identity, Pinned};
use crate::ids::{ConnectionId, Side, Version};
use crate::time::Duration;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// Long enough for the handshake to be given up.
const TRIED: Duration = Duration::from_secs(11);

fn pair() -> Pair {
    Pair::with_handshake(|client, server| {
        client.features = vec![Feature(1), Feature(2)];
        server.features = vec![Feature(1), Feature(2)];
    })
}

/// Nobody has a connection, nobody ever had one, and both know.
fn assert_prevented(pair: &mut Pair) {
    let connected = |event: &Event| matches!(event, Event::Connected);
    assert!(!pair.client_events.iter().chain(&pair.server_events).any(connected));
    assert!(pair.client.is_closed());
    assert!(pair.server.as_ref().is_none_or(crate::connection::Connection::is_closed));
}

/// The client's first flight, opened.
fn first_flight(pair: &mut Pair) -> Vec<Initial> {
    let odcid = opening(&pair.client).original_dcid;
    let flight = pair.flush_client();
    flight.iter().map(|d| Initial::open(&odcid, Side::Client, d).unwrap()).collect()
}

/// A handshake whose every client Initial is changed on its way.
fn with_edited_client(edit: impl Fn(&mut Initial)) -> Pair {
    let mut pair = pair();
    let odcid = opening(&pair.client).original_dcid;
    pair.run_with(TRIED, |from_client, datagram| {
        let side = if from_client { Side::Client } else { Side::Server };
        match Initial::open(&odcid, side, &datagram) {
            Some(mut initial) if from_client => {
                edit(&mut initial);
                let keyed = initial.dcid;
                Some(initial.seal(&keyed, Side::Client))
            }
            _ => Some(datagram),
        }
    });
    pair
}

/// A handshake whose every server Initial is changed on its way.
fn with_edited_server(edit: impl Fn(&mut Initial)) -> Pair {
    let mut pair = pair();
    let odcid = opening(&pair.client).original_dcid;
    pair.run_with(TRIED, |from_client, datagram| {
        if from_client {
            return Some(datagram);
        }
        Some(match Initial::open(&odcid, Side::Server, &datagram) {
            Some(mut initial) => {
                edit(&mut initial);
                initial.seal(&odcid, Side::Server)
            }
            None => datagram,
        })
    });
    pair
}

/// The contents of a ClientHello's lists: versions, suites, features.
fn lists(hello: &[u8]) -> [Range<usize>; 3] {
    let list = |at: usize| at + 1..at + 1 + usize::from(hello[at]);
    let versions = list(4);
    let suites = list(versions.end + 32);
    let features = list(suites.end);
    [versions, suites, features]
}

/// Puts `new` in the place of a list's content.
fn set_list(hello: &mut Vec<u8>, which: usize, new: &[u8]) {
    let place = lists(hello)[which].clone();
    hello[place.start - 1] = new.len() as u8;
    hello.splice(place, new.iter().copied());
    let body = (hello.len() - 4) as u32;
    hello[..4].copy_from_slice(&(1 << 24 | body).to_be_bytes());
}

/// Removes the entries of `size` bytes that `keep` does not want.
fn retain(hello: &mut Vec<u8>, which: usize, size: usize, keep: impl Fn(&[u8]) -> bool) {
    let content = hello[lists(hello)[which].clone()].to_vec();
    let kept: Vec<u8> = content.chunks(size).filter(|e| keep(e)).flatten().copied().collect();
    assert_ne!(kept, content, "the edit changes something");
    set_list(hello, which, &kept);
}

fn reverse(hello: &mut Vec<u8>, which: usize, size: usize) {
    let content = hello[lists(hello)[which].clone()].to_vec();
    let reversed: Vec<u8> = content.chunks(size).rev().flatten().copied().collect();
    assert_ne!(reversed, content, "the edit changes something");
    set_list(hello, which, &reversed);
}

fn prepend(hello: &mut Vec<u8>, which: usize, entry: &[u8]) {
    let mut content = entry.to_vec();
    content.extend_from_slice(&hello[lists(hello)[which].clone()]);
    set_list(hello, which, &content);
}

type Edit<'a> = &'a dyn Fn(&mut Vec<u8>);

#[test]
fn a_version_suite_or_feature_list_edited_in_flight_prevents_the_connection() {
    let v1 = Version::V1.0.to_be_bytes();
    let edits: [(&str, Edit); 8] = [
        ("greased version removed", &|hello| retain(hello, 0, 4, |entry| entry == v1)),
        ("another version added", &|hello| prepend(hello, 0, &[0, 0, 0, 7])),
        ("our version removed", &|hello| retain(hello, 0, 4, |entry| entry != v1)),
        ("only the last suite left", &|hello| {
            let last = hello[lists(hello)[1].end - 1];
            retain(hello, 1, 1, |entry| entry == [last]);
        }),
        ("suites in another order", &|hello| reverse(hello, 1, 1)),
        ("a suite added", &|hello| prepend(hello, 1, &[0x7f])),
        ("features removed", &|hello| set_list(hello, 2, &[])),
        ("a feature added", &|hello| prepend(hello, 2, &[0, 3])),
    ];
    for (what, edit) in edits {
        let mut pair = pair();
        let odcid = opening(&pair.client).original_dcid;
        let flight = first_flight(&mut pair);
        let mut hello = gather(&flight);
        edit(&mut hello);
        for initial in spread(&flight, &hello) {
            let answer = pair.at_server(client_address(), &initial.seal(&odcid, Side::Client));
            if let Some(answer) = answer {
                pair.at_client(&answer);
            }
        }
        assert!(pair.server.is_some() || pair.refused.is_some(), "{what}: the hello arrived");
        pair.run(TRIED);
        assert_prevented(&mut pair);
    }
}

#[test]
fn without_an_edit_the_same_detour_leads_to_a_connection() {
    let mut pair = pair();
    let odcid = opening(&pair.client).original_dcid;
    let flight = first_flight(&mut pair);
    let hello = gather(&flight);
    for initial in spread(&flight, &hello) {
        pair.at_server(client_address(), &initial.seal(&odcid, Side::Client));
    }
    pair.run(Duration::from_millis(100));
    assert!(pair.client.is_established() && pair.server().is_established());
    assert!(with_edited_client(|_| {}).client.is_established());
    assert!(with_edited_server(|_| {}).client.is_established());
}

#[test]
fn an_edited_choice_of_the_server_prevents_the_connection() {
    // Type and length, version, random, suite.
    for (at, what) in [(7, "version"), (8, "random"), (40, "suite"), (50, "ciphertext")] {
        let mut pair = with_edited_server(|initial| {
            for (offset, place) in initial.crypto() {
                if (offset..offset + place.len()).contains(&at) {
                    initial.payload[place.start + at - offset] ^= 3;
                }
            }
        });
        assert!(pair.server.is_some(), "{what}");
        assert_prevented(&mut pair);
    }
}

#[test]
fn a_forged_source_id_of_the_client_is_refused_as_a_bad_parameter() {
    let mut pair = with_edited_client(|initial| initial.scid = ConnectionId::from([7; 8]));
    assert_eq!(pair.refused.map(|error| error.code), Some(Code::PARAMETER));
    assert_prevented(&mut pair);
}

#[test]
fn a_forged_source_id_of_the_server_prevents_the_connection() {
    let mut pair = with_edited_server(|initial| initial.scid = ConnectionId::from([7; 8]));
    assert!(pair.server.is_some());
    assert_prevented(&mut pair);
}

#[test]
fn a_forged_destination_of_the_client_prevents_the_connection() {
    let forged = ConnectionId::from([7; 8]);
    let mut pair = pair();
    let odcid = opening(&pair.client).original_dcid;
    pair.run_with(TRIED, |from_client, datagram| {
        let (side, from, to) =
            if from_client { (Side::Client, odcid, forged) } else { (Side::Server, forged, odcid) };
        Some(match Initial::open(&from, side, &datagram) {
            Some(mut initial) => {
                if from_client && initial.dcid == odcid {
                    initial.dcid = forged;
                }
                initial.seal(&to, side)
            }
            None => datagram,
        })
    });
    assert!(pair.server.is_some());
    assert_prevented(&mut pair);
}

#[test]
fn each_connection_id_of_the_parameters_must_be_the_one_that_was_seen() {
    // What the client saw is changed behind its back; what the server says is true.
    let lies: [fn(&mut crate::connection::opening::Opening); 2] = [
        |opening| opening.original_dcid = ConnectionId::from([7; 8]),
        |opening| opening.retry_scid = Some(ConnectionId::from([7; 8])),
    ];
    for lie in lies {
        let mut pair = pair();
        lie(pair.client.opening.as_mut().unwrap());
        pair.run(TRIED);
        assert_eq!(fault(&pair.client_events), Some(Code::PARAMETER));
        assert_prevented(&mut pair);
        let told = closed(&pair.server_events);
        assert!(matches!(told, Some(CloseReason::RemoteError { code: Code::PARAMETER, .. })));
    }
}

#[test]
fn a_forged_retry_prevents_the_connection_and_nothing_more() {
    let mut pair = pair();
    let flight = first_flight(&mut pair);
    pair.at_client(&mitm::retry(&flight[0], &ConnectionId::from([7; 8]), b"forged token"));
    assert!(opening(&pair.client).retry_scid.is_some(), "nobody could tell");
    pair.run(TRIED);
    assert!(pair.server.is_some(), "the token means nothing to the server");
    assert_prevented(&mut pair);
}

#[test]
fn a_retry_counts_once_and_only_as_the_first_answer_and_only_with_its_tag() {
    let scid = ConnectionId::from([7; 8]);
    let mut pair = pair();
    let flight = first_flight(&mut pair);
    let retry = mitm::retry(&flight[0], &scid, b"token");
    for bit in 0..retry.len() * 8 {
        let mut flipped = retry.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        pair.at_client(&flipped);
        // The four low bits mean nothing, but the tag covers them, too.
        assert!(opening(&pair.client).retry_scid.is_none(), "bit {bit}");
    }
    let own = mitm::retry(&flight[0], &flight[0].dcid, b"token");
    pair.at_client(&own);
    assert!(opening(&pair.client).retry_scid.is_none(), "a Retry must change the destination");
    pair.at_client(&retry);
    let second = Initial { dcid: scid, ..flight[0].clone() };
    pair.at_client(&mitm::retry(&second, &ConnectionId::from([8; 8]), b"other"));
    let client = opening(&pair.client);
    assert_eq!((client.retry_scid, &client.token[..]), (Some(scid), &b"token"[..]));

    let mut late = self::pair();
    let flight = first_flight(&mut late);
    for initial in &flight {
        let odcid = opening(&late.client).original_dcid;
        late.at_server(client_address(), &initial.seal(&odcid, Side::Client));
    }
    late.run(Duration::from_millis(16));
    late.at_client(&mitm::retry(&flight[0], &scid, b"token"));
    assert!(opening(&late.client).retry_scid.is_none());
    late.run(Duration::from_millis(100));
    assert!(late.client.is_established());
}

#[test]
fn a_version_negotiation_counts_only_without_our_version_and_before_any_answer() {
    let other = Version(7);
    let mut pair = pair();
    let flight = first_flight(&mut pair);
    pair.at_client(&mitm::negotiation(&flight[0], &[other, Version::V1]));
    let stranger = Initial { dcid: ConnectionId::from([7; 8]), ..flight[0].clone() };
    pair.at_client(&mitm::negotiation(&stranger, &[other]));
    assert!(!pair.client.is_closed());
    for initial in &flight {
        let odcid = opening(&pair.client).original_dcid;
        pair.at_server(client_address(), &initial.seal(&odcid, Side::Client));
    }
    let answer = pair.flush_server();
    pair.at_client(&answer[0]);
    pair.at_client(&mitm::negotiation(&flight[0], &[other]));
    assert!(!pair.client.is_closed(), "the server has answered");

    let mut pair = self::pair();
    let flight = first_flight(&mut pair);
    pair.at_client(&mitm::negotiation(&flight[0], &[other]));
    assert!(pair.client.is_drained());
    pair.flush_client();
    assert_eq!(closed(&pair.client_events), Some(&CloseReason::VersionMismatch));
}

#[test]
fn a_wrong_identity_or_either_half_of_a_forged_signature_is_refused_alike() {
    let flip_ed25519: fn(&mut Signature) = |signature| signature.ed25519[5] ^= 1;
    let flip_ml_dsa: fn(&mut Signature) = |signature| {
        signature.ml_dsa.as_mut().unwrap()[5] ^= 1;
    };
    let other = Identity::new(&RustCrypto, super::pair::client_signer().public().clone());
    let mut pairs: Vec<Pair> = [flip_ed25519, flip_ml_dsa]
        .into_iter()
        .map(|flip| {
            let mut pair = pair();
            pair.tamper[0] = flip;
            pair
        })
        .collect();
    pairs.push(Pair::with_handshake(|client, _| {
        client.verifier = Arc::new(Pinned::new(other.fingerprint()));
    }));
    let mut told = Vec::new();
    for mut pair in pairs {
        pair.run(TRIED);
        assert_eq!(fault(&pair.client_events), Some(Code::IDENTITY));
        assert!(pair.client.peer_identity().is_none());
        told.push(closed(&pair.server_events).cloned().unwrap());
        assert_prevented(&mut pair);
    }
    assert!(matches!(told[0], CloseReason::RemoteError { code: Code::IDENTITY, .. }));
    assert!(told.iter().all(|reason| *reason == told[0]), "the server cannot tell which");
}

#[test]
fn a_client_with_a_forged_proof_gets_no_connection() {
    let flips: [fn(&mut Signature); 2] = [
        |signature| signature.ed25519[5] ^= 1,
        |signature| signature.ml_dsa.as_mut().unwrap()[5] ^= 1,
    ];
    for flip in flips {
        let identity = Identity::new(&RustCrypto, super::pair::client_signer().public().clone());
        let mut pair = Pair::with_handshake(|client, server| {
            client.identity = Some(identity);
            server.client_auth = ClientAuth::Required(Arc::new(AcceptAny));
        });
        pair.tamper[1] = flip;
        pair.run(TRIED);
        assert_eq!(fault(&pair.server_events), Some(Code::IDENTITY));
        assert!(!pair.server_events.iter().any(|event| matches!(event, Event::Connected)));
        assert!(pair.server().peer_identity().is_none());
        let told = closed(&pair.client_events);
        assert!(matches!(told, Some(CloseReason::RemoteError { code: Code::IDENTITY, .. })));
    }
}
