//! Somebody in the middle who can read and write everything, packet protection notwithstanding.

use super::pair::{CLIENT, End, OTHER, Pair, SERVER, SMALL, client, gullible, server};
use crate::crypto::{Signature, Suite};
use crate::error::{Code, TransportError};
use crate::handshake::messages::{
    AuthWish, ClientHello, Encrypted, Feature, IdentityMessage, ServerHello,
};
use crate::handshake::{AcceptAny, AlpnList, ClientAuth, ClientConfig, Pinned, ServerConfig};
use crate::ids::{ConnectionId, Side, Space, Version};
use crate::wire::parameters::Parameters;
use std::sync::Arc;
use std::vec;
use std::vec::Vec;

/// Splits a flight into its messages.
fn messages(flight: &[u8]) -> Vec<Vec<u8>> {
    let (mut rest, mut messages) = (flight, Vec::new());
    while !rest.is_empty() {
        let len = 4 + u32::from_be_bytes([0, rest[1], rest[2], rest[3]]) as usize;
        let (message, after) = rest.split_at(len);
        messages.push(message.to_vec());
        rest = after;
    }
    messages
}

/// Replaces the message of type `kind` in the flight.
fn replace(flight: &mut Vec<u8>, kind: u8, edit: impl Fn(&[u8]) -> Vec<u8>) {
    let edited = messages(flight)
        .into_iter()
        .map(|message| if message[0] == kind { edit(&message[4..]) } else { message });
    *flight = edited.flatten().collect();
}

fn features() -> Vec<Feature> {
    vec![Feature(1), Feature(2)]
}

fn alpn() -> AlpnList {
    AlpnList::new(vec![b"chat".to_vec(), b"files".to_vec()]).unwrap()
}

fn pair() -> Pair {
    let client = ClientConfig { features: features(), alpn: alpn(), ..client() };
    Pair::new(client, ServerConfig { features: features(), alpn: alpn(), ..server() })
}

/// Runs a handshake whose ClientHello is edited on its way.
fn edited_hello(edit: impl Fn(&mut ClientHello)) -> Pair {
    let mut pair = pair();
    pair.talk_through(&mut |_, _, flight| {
        replace(flight, 1, |body| {
            let mut hello = ClientHello::decode(body).unwrap();
            edit(&mut hello);
            hello.encode()
        });
    });
    pair
}

fn edited_server_hello(edit: impl Fn(&mut ServerHello)) -> Pair {
    let mut pair = pair();
    pair.talk_through(&mut |_, _, flight| {
        replace(flight, 2, |body| {
            let mut hello = ServerHello::decode(body).unwrap();
            edit(&mut hello);
            hello.encode()
        });
    });
    pair
}

fn edited_encrypted(edit: impl Fn(&mut Encrypted)) -> Pair {
    let mut pair = pair();
    pair.talk_through(&mut |_, _, flight| {
        replace(flight, 3, |body| {
            let mut encrypted = Encrypted::decode(body).unwrap();
            edit(&mut encrypted);
            encrypted.encode()
        });
    });
    pair
}

fn edited_identity(client: ClientConfig, identity: &IdentityMessage) -> Pair {
    let mut pair = Pair::new(client, server());
    pair.talk_through(&mut |_, _, flight| replace(flight, 4, |_| identity.encode()));
    pair
}

fn client_code(pair: &Pair) -> Code {
    assert!(pair.client.completed.is_none() && pair.server.completed.is_none());
    pair.client.error.expect("the client fails").code
}

fn server_code(pair: &Pair) -> Code {
    assert!(pair.client.completed.is_none() && pair.server.completed.is_none());
    pair.server.error.expect("the server fails").code
}

#[test]
fn an_edited_offer_fails_the_handshake() {
    let edits: [fn(&mut ClientHello); 12] = [
        |hello| hello.versions.retain(|&version| version == Version::V1),
        |hello| hello.versions.insert(0, Version(7)),
        |hello| hello.suites.retain(|&suite| suite == Suite::Aes256GcmSiv.to_wire()),
        |hello| hello.suites.reverse(),
        |hello| hello.features.clear(),
        |hello| hello.features.push(Feature(3)),
        |hello| hello.alpn = AlpnList::new(vec![b"files".to_vec()]).unwrap(),
        |hello| hello.server_name = "other".parse().unwrap(),
        |hello| hello.held = Some(SERVER.identity.fingerprint()),
        |hello| hello.random[0] ^= 1,
        |hello| hello.parameters.truncate(0),
        |hello| hello.extensions.clear(),
    ];
    for edit in edits {
        assert_eq!(client_code(&edited_hello(edit)), Code::IDENTITY);
    }
}

#[test]
fn an_offer_without_anything_in_common_is_refused() {
    let none = edited_hello(|hello| hello.versions = vec![Version(7), Version(0x1a1a_1a1a)]);
    assert_eq!(server_code(&none), Code::VERSION);
    let none = edited_hello(|hello| hello.suites = vec![0x1a, 9]);
    assert_eq!(server_code(&none), Code::NO_SUITE);
}

#[test]
fn an_edited_choice_fails_the_handshake() {
    let suite = edited_server_hello(|hello| {
        hello.suite = if hello.suite == 1 { 2 } else { 1 };
    });
    assert_eq!(client_code(&suite), Code::IDENTITY);
    let random = edited_server_hello(|hello| hello.random[31] ^= 1);
    assert_eq!(client_code(&random), Code::IDENTITY);
    let edits: [fn(&mut Encrypted); 6] = [
        |encrypted| encrypted.versions.insert(0, Version(7)),
        |encrypted| encrypted.features.clear(),
        |encrypted| encrypted.alpn = b"files".to_vec(),
        |encrypted| encrypted.parameters.clear(),
        |encrypted| encrypted.client_auth = AuthWish::Optional,
        |encrypted| encrypted.extensions.clear(),
    ];
    for edit in edits {
        assert_eq!(client_code(&edited_encrypted(edit)), Code::IDENTITY);
    }
}

#[test]
fn a_choice_of_what_was_not_offered_is_refused_at_once() {
    let cases = [
        (edited_server_hello(|hello| hello.version = Version(7)), Code::VERSION),
        (edited_server_hello(|hello| hello.suite = 9), Code::HANDSHAKE_MESSAGE),
        (edited_server_hello(|hello| hello.psk_accepted = true), Code::HANDSHAKE_MESSAGE),
        (edited_encrypted(|encrypted| encrypted.versions = vec![Version(7)]), Code::VERSION),
        (edited_encrypted(|encrypted| encrypted.early_data = true), Code::HANDSHAKE_MESSAGE),
        (edited_encrypted(|encrypted| encrypted.alpn.clear()), Code::NO_ALPN),
        (edited_encrypted(|encrypted| encrypted.alpn.push(b'x')), Code::HANDSHAKE_MESSAGE),
        (edited_encrypted(|encrypted| encrypted.parameters = vec![9]), Code::PARAMETER),
    ];
    for (pair, code) in cases {
        assert_eq!(client_code(&pair), code);
    }
}

#[test]
fn a_key_share_of_low_order_is_refused() {
    let hello = edited_hello(|hello| hello.key[1184..].fill(0));
    assert_eq!(server_code(&hello), Code::KEY_SHARE);
    let answer = edited_server_hello(|hello| hello.ciphertext[1088..].fill(0));
    assert_eq!(client_code(&answer), Code::KEY_SHARE);
}

#[test]
fn a_client_that_claims_what_only_a_server_may_is_refused() {
    let claim = |parameters: Parameters| {
        edited_hello(move |hello| {
            hello.parameters.clear();
            parameters.encode(&mut hello.parameters, 0).unwrap();
        })
    };
    let id = ConnectionId::new(b"12345678");
    let claims = [
        Parameters { original_dcid: id, ..Parameters::default() },
        Parameters { retry_scid: id, ..Parameters::default() },
    ];
    for parameters in claims {
        assert_eq!(server_code(&claim(parameters)), Code::PARAMETER);
    }
    let garbage = edited_hello(|hello| hello.parameters = vec![0xff]);
    assert_eq!(server_code(&garbage), Code::PARAMETER);
}

fn flip_ed25519(signature: &mut Signature) {
    signature.ed25519[0] ^= 1;
}

fn flip_ml_dsa(signature: &mut Signature) {
    if let Some(half) = &mut signature.ml_dsa {
        half[0] ^= 1;
    }
}

fn forged_server(sign: fn(&mut Signature)) -> Option<TransportError> {
    let mut pair = Pair::new(client(), server());
    pair.server.sign = sign;
    pair.talk();
    assert!(!pair.both_completed());
    pair.client.error
}

#[test]
fn everything_wrong_with_an_identity_looks_the_same() {
    let full = |keys: &super::pair::Keys| IdentityMessage::Full(keys.identity.public().clone());
    let mut wrong_key = Pair::new(client(), server());
    wrong_key.server.impostor = Some(&OTHER);
    wrong_key.talk();
    let wrong_pin = Pinned::new(OTHER.identity.fingerprint());
    let wrong_pin = ClientConfig { verifier: Arc::new(wrong_pin), ..client() };
    let mut half_ed25519 = (**SERVER.identity.public()).clone();
    half_ed25519.ed25519 = OTHER.identity.public().ed25519;
    let mut half_ml_dsa = (**SERVER.identity.public()).clone();
    half_ml_dsa.ml_dsa.clone_from(&OTHER.identity.public().ml_dsa);
    let errors = [
        forged_server(flip_ed25519),
        forged_server(flip_ml_dsa),
        wrong_key.client.error,
        Pair::run(wrong_pin, server()).client.error,
        edited_identity(client(), &full(&OTHER)).client.error,
        edited_identity(gullible(), &full(&OTHER)).client.error,
        edited_identity(gullible(), &full(&SMALL)).client.error,
        edited_identity(gullible(), &IdentityMessage::Full(Arc::new(half_ed25519))).client.error,
        edited_identity(gullible(), &IdentityMessage::Full(Arc::new(half_ml_dsa))).client.error,
        edited_identity(gullible(), &IdentityMessage::None).client.error,
        edited_identity(gullible(), &IdentityMessage::Held(SERVER.identity.fingerprint()))
            .client
            .error,
    ];
    for error in errors {
        assert_eq!(error, Some(TransportError::new(Code::IDENTITY, "identity not accepted")));
    }
}

#[test]
fn everything_wrong_with_a_clients_identity_looks_the_same_too() {
    let mutual = || {
        let config = ClientConfig { identity: Some(CLIENT.identity.clone()), ..client() };
        let auth = ClientAuth::Optional(Arc::new(AcceptAny));
        Pair::new(config, ServerConfig { client_auth: auth, ..server() })
    };
    let forged = |sign, impostor| {
        let mut pair = mutual();
        pair.client.sign = sign;
        pair.client.impostor = impostor;
        pair.talk();
        pair.server
    };
    let shown = |identity: IdentityMessage| {
        let mut pair = mutual();
        pair.talk_through(&mut |side, _, flight| {
            if side == Side::Client {
                replace(flight, 4, |_| identity.encode());
            }
        });
        pair.server
    };
    let ends: [End; 5] = [
        forged(flip_ed25519, None),
        forged(flip_ml_dsa, None),
        forged(|_| {}, Some(&OTHER)),
        shown(IdentityMessage::Full(OTHER.identity.public().clone())),
        shown(IdentityMessage::Held(CLIENT.identity.fingerprint())),
    ];
    for end in ends {
        let error = TransportError::new(Code::IDENTITY, "identity not accepted");
        assert_eq!(end.error, Some(error));
        assert!(end.completed.is_none() && end.handshake.peer_identity().is_none());
    }
}

#[test]
fn a_server_that_requires_an_identity_takes_no_refusal() {
    let config = ClientConfig { identity: Some(CLIENT.identity.clone()), ..client() };
    let auth = ClientAuth::Required(Arc::new(AcceptAny));
    let mut pair = Pair::new(config, ServerConfig { client_auth: auth, ..server() });
    pair.talk_through(&mut |side, _, flight| {
        if side == Side::Client {
            replace(flight, 4, |_| IdentityMessage::None.encode());
        }
    });
    assert_eq!(pair.server.error.unwrap().code, Code::IDENTITY_REQUIRED);
    assert!(pair.server.completed.is_none());
}

#[test]
fn a_recorded_answer_proves_nothing_in_another_connection() {
    let mut recorded = Vec::new();
    Pair::new(client(), server())
        .talk_through(&mut |side, _, flight| recorded.push((side, flight.clone())));
    let answers: Vec<_> = recorded.into_iter().filter(|(side, _)| *side == Side::Server).collect();
    let mut victim = End::client(client(), 77);
    victim.receive(Space::Initial, 0, &answers[0].1);
    victim.receive(Space::Handshake, 0, &answers[1].1);
    assert_eq!(victim.error.unwrap().code, Code::IDENTITY);
    assert!(!victim.has(Space::Data) && victim.completed.is_none());
}

#[test]
fn a_forged_finished_is_refused_by_either_end() {
    for forger in [Side::Client, Side::Server] {
        let mut pair = Pair::new(client(), server());
        pair.talk_through(&mut |side, _, flight| {
            let last = flight.len() - 1;
            if side == forger && flight[last - 35] == 6 {
                flight[last] ^= 1;
            }
        });
        let victim = if forger == Side::Client { &pair.server } else { &pair.client };
        assert_eq!(victim.error.unwrap().code, Code::FINISHED);
        assert!(victim.completed.is_none() && !victim.has(Space::Data));
    }
}
