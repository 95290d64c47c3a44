//! What two honest ends agree on.

use super::pair::{CLIENT, End, Log, Pair, SERVER, client, exposed, server};
use crate::crypto::Suite;
use crate::crypto::rustcrypto::RustCrypto;
use crate::error::Code;
use crate::handshake::{
    AcceptAny, AlpnList, BadExport, ClientAuth, ClientConfig, Feature, ServerConfig, export, label,
};
use crate::ids::{ConnectionId, Space};
use std::collections::BTreeSet;
use std::string::ToString;
use std::sync::Arc;
use std::vec;
use std::vec::Vec;

fn alpn(names: &[&str]) -> AlpnList {
    AlpnList::new(names.iter().map(|name| name.as_bytes().to_vec()).collect()).unwrap()
}

#[test]
fn a_server_proves_itself_and_both_ends_agree() {
    let pair = Pair::run(client(), server());
    pair.assert_agreed();
    assert_eq!(pair.client.handshake.peer_identity(), Some(&SERVER.identity));
    assert_eq!(pair.server.handshake.peer_identity(), None);
    let seen = |end: &End| end.parameters.as_ref().unwrap().initial_scid;
    assert_eq!(seen(&pair.client), ConnectionId::new(b"server"));
    assert_eq!(seen(&pair.server), ConnectionId::new(b"client"));
    assert_eq!(pair.client.handshake.bytes_sent(), pair.server.handshake.bytes_received());
    assert_eq!(pair.server.handshake.bytes_sent(), pair.client.handshake.bytes_received());
}

#[test]
fn the_server_has_no_keys_for_data_before_the_clients_finished() {
    let mut pair = Pair::new(client(), server());
    pair.talk_through(&mut |side, space, flight| {
        if (side, space) == (crate::ids::Side::Client, Space::Handshake) {
            flight.pop();
        }
    });
    assert!(pair.client.has(Space::Data) && pair.client.completed.is_some());
    assert!(pair.server.has(Space::Handshake) && !pair.server.has(Space::Data));
    assert!(pair.server.completed.is_none() && pair.server.error.is_none());
}

#[test]
fn the_server_answers_before_its_signature_is_there() {
    let mut pair = Pair::new(client(), server());
    for (offset, data) in pair.client.pieces(Space::Initial, 4096) {
        pair.server.handshake.receive(Space::Initial, offset, &data).unwrap();
    }
    let initial: usize = pair.server.pieces(Space::Initial, 4096).iter().map(|p| p.1.len()).sum();
    let early: usize = pair.server.pieces(Space::Handshake, 4096).iter().map(|p| p.1.len()).sum();
    assert!(initial > 1120 && early > 1952);
    pair.server.act();
    let late: usize = pair.server.pieces(Space::Handshake, 4096).iter().map(|p| p.1.len()).sum();
    assert_eq!(late, 4 + 64 + 3309 + 4 + 32);
}

#[test]
fn a_signer_that_fails_or_signs_with_half_a_key_ends_the_handshake_as_our_own_fault() {
    let mut pair = Pair::new(client(), server());
    pair.server.sign = |signature| signature.ml_dsa = None;
    pair.talk();
    assert_eq!(pair.server.error.unwrap().code, Code::INTERNAL);
    assert!(pair.client.completed.is_none());
}

#[test]
fn the_same_seeds_give_the_same_bytes_and_others_give_others() {
    let flights = |seed| {
        let mut pair = Pair {
            client: End::client(client(), seed),
            server: End::server(server(), seed, false),
        };
        let mut flights = Vec::new();
        pair.talk_through(&mut |_, _, flight| flights.push(flight.clone()));
        pair.assert_agreed();
        flights
    };
    assert_eq!(flights(1), flights(1));
    assert_ne!(flights(1)[0], flights(2)[0]);
}

#[test]
fn a_protocol_is_chosen_or_the_handshake_ends() {
    let run = |offered: &[&str], spoken: &[&str]| {
        let client = ClientConfig { alpn: alpn(offered), ..client() };
        Pair::run(client, ServerConfig { alpn: alpn(spoken), ..server() })
    };
    let pair = run(&["chat", "files"], &["voice", "files", "chat"]);
    pair.assert_agreed();
    for end in [&pair.client, &pair.server] {
        assert_eq!(end.completed.as_ref().unwrap().alpn.as_deref(), Some(&b"files"[..]));
        assert_eq!(end.handshake.alpn(), Some(&b"files"[..]));
    }
    for (offered, spoken) in [(&["chat"][..], &["files"][..]), (&["chat"], &[]), (&[], &["chat"])] {
        let pair = run(offered, spoken);
        assert_eq!(pair.server.error.unwrap().code, Code::NO_ALPN);
    }
}

#[test]
fn every_suite_can_be_negotiated_and_nothing_in_common_ends_the_handshake() {
    let run = |offered: &[Suite], accepted: &[Suite]| {
        let client = ClientConfig { suites: offered.to_vec(), ..client() };
        Pair::run(client, ServerConfig { suites: accepted.to_vec(), ..server() })
    };
    for suite in Suite::ALL {
        let pair = run(&[suite, suite], &Suite::ALL);
        pair.assert_agreed();
        assert_eq!(pair.client.handshake.suite(), Some(suite));
        assert!(pair.server.keys.iter().all(|given| given.1 == suite));
    }
    let pair = run(&[Suite::Aes256GcmSiv, Suite::ChaCha20Poly1305], &[Suite::ChaCha20Poly1305]);
    assert_eq!(pair.client.handshake.suite(), Some(Suite::ChaCha20Poly1305));
    let pair = run(&[Suite::Aes256Gcm], &[Suite::ChaCha20Poly1305]);
    assert_eq!(pair.server.error.unwrap().code, Code::NO_SUITE);
}

#[test]
fn features_are_in_use_if_both_name_them() {
    let features = |numbers: &[u16]| numbers.iter().copied().map(Feature).collect::<Vec<_>>();
    let client = ClientConfig { features: features(&[1, 2, 3]), ..client() };
    let pair = Pair::run(client, ServerConfig { features: features(&[3, 4, 2]), ..server() });
    pair.assert_agreed();
    assert_eq!(pair.client.completed.unwrap().features, features(&[2, 3]));
    assert_eq!(pair.server.completed.unwrap().features, features(&[3, 2]));
}

#[test]
fn a_retry_changes_the_keys_but_not_the_hello() {
    let mut pair =
        Pair { client: End::client(client(), 1), server: End::server(server(), 2, true) };
    let hello = pair.client.pieces(Space::Initial, 4096);
    pair.client.handshake.on_retry();
    let mut again = Vec::new();
    pair.talk_through(&mut |_, _, flight| again.push(flight.clone()));
    assert_eq!(again[0], hello[0].1);
    pair.assert_agreed();
    assert_ne!(pair.client.exporter(), Pair::run(client(), server()).client.exporter());
}

#[test]
fn a_retry_that_only_one_end_saw_ends_the_handshake() {
    for (retried, seen) in [(true, false), (false, true)] {
        let mut pair =
            Pair { client: End::client(client(), 1), server: End::server(server(), 2, retried) };
        if seen {
            pair.client.handshake.on_retry();
        }
        pair.talk();
        assert_eq!(pair.client.error.unwrap().code, Code::IDENTITY);
        assert!(!pair.both_completed());
    }
}

#[test]
fn every_secret_is_logged_and_differs_from_every_other() {
    let logs = [Arc::new(Log::default()), Arc::new(Log::default())];
    let client = ClientConfig { key_log: Some(logs[0].clone()), ..client() };
    let server = ServerConfig { key_log: Some(logs[1].clone()), ..server() };
    let pair = Pair::run(client, server);
    let logged = logs[0].0.lock().unwrap().clone();
    assert_eq!(logged, *logs[1].0.lock().unwrap());
    let labels = [
        label::EARLY,
        label::HANDSHAKE,
        label::CLIENT_HANDSHAKE,
        label::SERVER_HANDSHAKE,
        label::MASTER,
        label::CLIENT_TRAFFIC,
        label::SERVER_TRAFFIC,
        label::EXPORTER,
        label::RESUMPTION,
    ];
    assert!(logged.keys().eq(BTreeSet::from(labels.map(ToString::to_string)).iter()));
    assert_eq!(logged.values().collect::<BTreeSet<_>>().len(), labels.len());
    assert_eq!(logged[label::CLIENT_TRAFFIC], pair.client.keys[1].2);
    assert_eq!(logged[label::SERVER_HANDSHAKE], pair.client.keys[0].3);
    assert_eq!(logged[label::EXPORTER], pair.client.exporter());
}

#[test]
fn both_ends_export_the_same_bytes_and_other_labels_give_others() {
    let pair = Pair::run(client(), server());
    let run = |pair: &End, label: &[u8], context: &[u8]| {
        let mut out = [0; 77];
        let exporter = &pair.completed.as_ref().unwrap().exporter;
        export(&RustCrypto, exporter, label, context, &mut out).unwrap();
        out
    };
    let bytes = run(&pair.client, b"chat", b"room 1");
    assert_eq!(bytes, run(&pair.server, b"chat", b"room 1"));
    assert_ne!(bytes, run(&pair.server, b"chat", b"room 2"));
    assert_ne!(bytes, run(&pair.server, b"file", b"room 1"));
    assert_ne!(bytes[..32], pair.client.exporter());
    let exporter = pair.client.completed.unwrap().exporter;
    for (label, len) in [(251, 1), (1, 8161)] {
        let out = &mut vec![0; len];
        assert_eq!(export(&RustCrypto, &exporter, &vec![0; label], &[], out), Err(BadExport));
    }
}

#[test]
fn two_connections_share_no_secret() {
    let runs = [1, 2].map(|seed| {
        let mut pair =
            Pair { client: End::client(client(), seed), server: End::server(server(), 9, false) };
        pair.talk();
        pair
    });
    let secrets: BTreeSet<[u8; 32]> = runs
        .iter()
        .flat_map(|pair| {
            let keys = pair.client.keys.iter().flat_map(|given| [given.2, given.3]);
            let completed = pair.client.completed.as_ref().unwrap();
            keys.chain([exposed(&completed.exporter), exposed(&completed.resumption)])
        })
        .collect();
    assert_eq!(secrets.len(), 12);
}

#[test]
fn calls_that_mean_nothing_change_nothing() {
    let config = || ClientConfig { identity: Some(CLIENT.identity.clone()), ..client() };
    let auth =
        || ServerConfig { client_auth: ClientAuth::Required(Arc::new(AcceptAny)), ..server() };
    let mut pair = Pair::new(config(), auth());
    let signature = CLIENT.signer.sign(&mut pair.client.rng.clone(), b"x").unwrap();
    pair.client.handshake.provide_signature(Ok(signature.clone())).unwrap();
    pair.server.handshake.provide_signature(Ok(signature.clone())).unwrap();
    pair.server.handshake.on_retry();
    pair.talk();
    pair.client.handshake.on_retry();
    pair.client.handshake.provide_signature(Ok(signature.clone())).unwrap();
    pair.server.handshake.provide_signature(Ok(signature)).unwrap();
    pair.client.handshake.on_lost(Space::Handshake, u32::MAX, u32::MAX);
    pair.client.handshake.on_acked(Space::Data, 0, 1);
    pair.client.act();
    pair.assert_agreed();
    assert_eq!(pair.client.exporter(), Pair::run(config(), auth()).client.exporter());
}
