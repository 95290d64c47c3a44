//! How large a handshake can be. The first flight must pay for the server's, three bytes for one.

use super::pair::{CLIENT, End, Pair, SERVER, client, server};
use crate::crypto::{Algorithm, Fingerprint, Signature, Suite};
use crate::handshake::messages::{
    AuthWish, ClientHello, Encrypted, Extension, Feature, Finished, IdentityMessage, Proof,
    ServerHello,
};
use crate::handshake::{
    AlpnList, ClientAuth, ClientConfig, Peeked, ServerConfig, peek_client_hello,
};
use crate::ids::{Space, Version};
use std::boxed::Box;
use std::string::String;
use std::sync::Arc;
use std::vec;
use std::vec::Vec;

fn extensions() -> Vec<Extension> {
    vec![Extension { id: 1, value: vec![7; 508] }]
}

fn names() -> AlpnList {
    AlpnList::new(vec![vec![7; 63]; 4]).unwrap()
}

fn largest_hello() -> ClientHello {
    ClientHello {
        versions: vec![Version::V1; 16],
        random: [7; 32],
        suites: vec![1; 16],
        features: vec![Feature(7); 32],
        key: Box::new([7; 1216]),
        parameters: vec![7; 512],
        alpn: names(),
        server_name: "n".repeat(128).parse().unwrap(),
        held: Some(Fingerprint([7; 32])),
        extensions: extensions(),
    }
}

#[test]
fn the_largest_client_hello_fits_its_limit() {
    let message = largest_hello().encode();
    assert_eq!(message.len(), 2847);
    assert_eq!(ClientHello::decode(&message[4..]), Ok(largest_hello()));
    assert!(matches!(peek_client_hello(&message), Ok(Peeked::Whole(info)) if info.len == 2847));
}

#[test]
fn the_largest_server_flight_fits_three_times_three_datagrams() {
    let hello = ServerHello {
        version: Version::V1,
        random: [7; 32],
        suite: 1,
        psk_accepted: false,
        ciphertext: Box::new([7; 1120]),
        extensions: extensions(),
    };
    let encrypted = Encrypted {
        versions: vec![Version::V1; 16],
        features: vec![Feature(7); 32],
        parameters: vec![7; 512],
        alpn: vec![7; 64],
        early_data: false,
        client_auth: AuthWish::Required,
        extensions: extensions(),
    };
    let identity = IdentityMessage::Full(SERVER.identity.public().clone());
    let proof = Proof(Signature { ed25519: [7; 64], ml_dsa: Some(Box::new([7; 3309])) });
    assert_eq!(ServerHello::decode(&hello.encode()[4..]), Ok(hello.clone()));
    assert_eq!(Encrypted::decode(&encrypted.encode()[4..]), Ok(encrypted.clone()));
    assert_eq!(Proof::decode(&proof.encode()[4..], Algorithm::Hybrid), Ok(proof.clone()));
    let rest = [encrypted.encode(), identity.encode(), proof.encode(), Finished([7; 32]).encode()];
    let initial = hello.encode().len();
    let handshake: usize = rest.iter().map(Vec::len).sum();
    assert_eq!((initial, handshake), (1676, 6631));
    // A packet of 1200 bytes with the longest connection IDs, its frame's header and an ACK carries
    // 1100 bytes at least; Initials are padded.
    let packets = initial.div_ceil(1100) + handshake.div_ceil(1100);
    assert!(packets * 1200 <= 3 * 3 * 1200 + 1200, "{packets} packets");
    assert!(packets <= 9, "{packets} packets");
}

#[test]
fn a_handshake_with_everything_at_its_limit_completes() {
    let client = ClientConfig {
        suites: Suite::ALL.to_vec(),
        alpn: names(),
        server_name: "n".repeat(128).parse().unwrap(),
        held_server: Some(CLIENT.identity.clone()),
        features: (0..40).map(Feature).collect(),
        identity: Some(CLIENT.identity.clone()),
        ..client()
    };
    let server = ServerConfig {
        alpn: names(),
        features: (0..40).map(Feature).collect(),
        client_auth: ClientAuth::Required(Arc::new(crate::handshake::AcceptAny)),
        ..server()
    };
    let pair = Pair::run(client, server);
    pair.assert_agreed();
    assert_eq!(pair.client.completed.unwrap().features.len(), 31);
}

#[test]
fn a_usual_handshake_is_as_small_as_it_was_designed() {
    let pair = Pair::run(client(), server());
    let (client, server) = (pair.client.handshake.bytes_sent(), pair.server.handshake.bytes_sent());
    // ClientHello and Finished; two datagrams of 1200 bytes.
    assert!((1300..1450).contains(&client), "{client}");
    assert!((6600..6750).contains(&server), "{server}");
}

#[test]
fn a_peek_tells_what_was_asked_for_as_soon_as_all_is_there() {
    let config = ClientConfig { alpn: names(), server_name: "chat".parse().unwrap(), ..client() };
    let hello = End::client(config, 1).pieces(Space::Initial, 4096).remove(0).1;
    for n in 0..hello.len() {
        let len = (n >= 4).then_some(hello.len());
        assert_eq!(peek_client_hello(&hello[..n]), Ok(Peeked::Partial { len }));
    }
    let Ok(Peeked::Whole(info)) = peek_client_hello(&hello) else { panic!("not whole") };
    assert_eq!(info.server_name.as_str(), String::from("chat"));
    assert_eq!((info.alpn, info.len), (names(), hello.len()));
    assert!(info.versions.contains(&Version::V1));
    assert!(peek_client_hello(&[2]).is_err());
    assert!(peek_client_hello(&[1, 1, 0, 0]).is_err());
}
