//! `spec/04-handshake.md`: a whole connection, from the seeds of its keys to its last packet.

use crate::bytes::{Cursor, array, bytes, list, number, text};
use crate::frames;
use crate::protection::{
    Header, Keys, derive, expand_label, initial_secrets, retry_is_authentic, sha256, suite,
};
use jsp_proto::crypto::rustcrypto::RustCrypto;
use jsp_proto::crypto::{IdentitySecret, Provider, PublicIdentity, Signature, Suite};
use ml_kem::kem::{Decapsulate, KeyExport};
use ml_kem::ml_kem_768::DecapsulationKey;
use serde_json::Value;
use sha3::Digest;
use shake::{ExtendableOutput, Update, XofReader};
use std::collections::BTreeMap;
use x25519_dalek::{PublicKey, StaticSecret};

const ZERO: [u8; 32] = [0; 32];

/// A handshake message, and the transcript's hash through it.
struct Message {
    name: String,
    from: String,
    bytes: Vec<u8>,
    hash: [u8; 32],
    /// The hash through the message before.
    before: [u8; 32],
}

impl Message {
    fn body(&self) -> &[u8] {
        &self.bytes[4..]
    }
}

/// The messages, whose transcript is hashed anew.
fn messages(file: &Value) -> Vec<Message> {
    let odcid = bytes(file, "original_dcid");
    let retried = u8::from(file["retried"].as_bool().unwrap());
    let mut transcript = b"jsp1 transcript\0\x4a\x53\x50\x01".to_vec();
    transcript.push(odcid.len() as u8);
    transcript.extend(&odcid);
    transcript.push(retried);
    let mut before = sha256(&[&transcript]);
    let mut all = Vec::new();
    for row in list(file, "messages") {
        let bytes = bytes(row, "bytes");
        transcript.extend(&bytes);
        let hash = sha256(&[&transcript]);
        assert_eq!(hash, array(row, "transcript_hash"));
        let mut header = Cursor(&bytes);
        let (kind, len) = (header.uint(1) as usize, header.uint(3) as usize);
        let names =
            ["", "ClientHello", "ServerHello", "Encrypted", "Identity", "Proof", "Finished"];
        assert_eq!((names[kind], len), (text(row, "name"), bytes.len() - 4));
        let (name, from) = (text(row, "name").to_owned(), text(row, "from").to_owned());
        all.push(Message { name, from, bytes, hash, before });
        before = hash;
    }
    all
}

fn find<'a>(messages: &'a [Message], from: &str, name: &str) -> &'a Message {
    messages.iter().find(|m| m.from == from && m.name == name).unwrap()
}

/// Section 4.1.1, as far as the key: the client's X-Wing key.
fn client_key(hello: &[u8]) -> &[u8] {
    let mut r = Cursor(hello);
    assert!(r.prefixed(1).chunks(4).any(|version| version == b"\x4a\x53\x50\x01"));
    r.take(32);
    r.prefixed(1);
    r.prefixed(1);
    r.take(1216)
}

/// Section 4.1.2: the suite and the X-Wing ciphertext.
fn server_hello(body: &[u8]) -> (u8, &[u8]) {
    let mut r = Cursor(body);
    assert_eq!(r.uint(4), 0x4a53_5001);
    r.take(32);
    let suite = r.uint(1) as u8;
    assert_eq!(r.uint(1), 0);
    (suite, r.take(1120))
}

/// Section 4.1.3: the server's parameters, by ID.
fn parameters(encrypted: &[u8]) -> BTreeMap<u64, Vec<u8>> {
    let mut r = Cursor(encrypted);
    r.prefixed(1);
    r.prefixed(1);
    let mut r = Cursor(r.prefixed(2));
    let mut all = BTreeMap::new();
    while !r.0.is_empty() {
        let id = r.varint();
        all.insert(id, r.varint_prefixed().to_vec());
    }
    all
}

/// X-Wing, from the crates of its parts: the client's public key and the shared secret. That the server made
/// `ciphertext` of its seed is checked.
fn x_wing(seed: &[u8; 32], of_server: &[u8; 64], ciphertext: &[u8]) -> (Vec<u8>, [u8; 32]) {
    let mut expansion = shake::Shake256::default();
    expansion.update(seed);
    let mut expanded = expansion.finalize_xof();
    let (mut of_ml_kem, mut of_x25519) = ([0; 64], [0; 32]);
    expanded.read(&mut of_ml_kem);
    expanded.read(&mut of_x25519);
    let ml_kem = DecapsulationKey::from_seed(of_ml_kem.into());
    let x25519 = StaticSecret::from(of_x25519);
    let x25519_public = PublicKey::from(&x25519);

    let (m, share) = ciphertext.split_at(1088);
    let m: [u8; 1088] = m.try_into().unwrap();
    let share = <[u8; 32]>::try_from(share).unwrap();
    let (randomness, ephemeral) = of_server.split_at(32);
    let randomness = <[u8; 32]>::try_from(randomness).unwrap();
    let ephemeral = StaticSecret::from(<[u8; 32]>::try_from(ephemeral).unwrap());
    assert_eq!(PublicKey::from(&ephemeral).as_bytes(), &share);
    let encapsulated = ml_kem.encapsulation_key().encapsulate_deterministic(&randomness.into());
    assert_eq!(encapsulated.0[..], m);

    let secret = sha3::Sha3_256::new()
        .chain_update(ml_kem.decapsulate(&m.into()))
        .chain_update(x25519.diffie_hellman(&share.into()).as_bytes())
        .chain_update(share)
        .chain_update(x25519_public.as_bytes())
        .chain_update([0x5c, 0x2e, 0x2f, 0x2f, 0x5e, 0x5c])
        .finalize();
    let public = [&ml_kem.encapsulation_key().to_bytes()[..], x25519_public.as_bytes()].concat();
    (public, secret.into())
}

/// Sections 4.1.5 and 4.6: that a side's Identity is its seeds' and its Proof is theirs.
fn check_identity(file: &Value, messages: &[Message], side: &str) {
    let row = &file[format!("{side}_identity")];
    let (ed25519, ml_dsa) = (array(row, "ed25519_seed"), Some(array(row, "ml_dsa_seed")));
    let signer = RustCrypto.signer(&IdentitySecret { ed25519, ml_dsa }).unwrap();
    let PublicIdentity { ed25519, ml_dsa } = signer.public().clone();
    let keys = [&ed25519[..], &ml_dsa.unwrap()[..]].concat();
    assert_eq!(sha256(&[b"jsp identity\0\x01", &keys]), array(row, "fingerprint"));

    let identity = find(messages, side, "Identity");
    assert_eq!(identity.body(), [&[1][..], &keys].concat());
    let proof = find(messages, side, "Proof").body();
    let (ed25519, ml_dsa) = proof.split_at(64);
    let signature = Signature {
        ed25519: ed25519.try_into().unwrap(),
        ml_dsa: Some(Box::new(ml_dsa.try_into().unwrap())),
    };
    let label = format!("jsp1 {side} proof\0");
    let message = [&[0x20; 64][..], label.as_bytes(), &identity.hash].concat();
    RustCrypto.verify(signer.public(), &message, &signature).unwrap();
}

/// Section 4.3; the secrets are compared with those of the file. Returns the traffic secrets of Handshake
/// and Data packets, of client and server each.
fn schedule(file: &Value, messages: &[Message], shared: &[u8; 32]) -> [[[u8; 32]; 2]; 2] {
    let secrets = &file["secrets"];
    let same = |name: &str, secret: [u8; 32]| {
        assert_eq!(secret, array(secrets, name), "{name}");
        secret
    };
    let extract = |salt: &[u8; 32], input: &[u8]| *RustCrypto.hkdf_extract(salt, input).expose();
    let through = |from, name| find(messages, from, name).hash;

    let early = same("early", extract(&ZERO, &ZERO));
    let handshake = same("handshake", extract(&derive(&early, "derived", b""), shared));
    let hellos = through("server", "ServerHello");
    let client = same("client_handshake_traffic", derive(&handshake, "c hs", &hellos));
    let server = same("server_handshake_traffic", derive(&handshake, "s hs", &hellos));
    for (side, traffic) in [("client", client), ("server", server)] {
        let key = same(&format!("{side}_finished_key"), derive(&traffic, "finished", b""));
        let finished = find(messages, side, "Finished");
        assert_eq!(finished.body(), RustCrypto.hmac_sha256(&key, &[&finished.before]));
    }
    let master = same("master", extract(&derive(&handshake, "derived", b""), &ZERO));
    let flight = through("server", "Finished");
    let data = [("client", "c ap"), ("server", "s ap")].map(|(side, label)| {
        same(&format!("{side}_application_traffic_0"), derive(&master, label, &flight))
    });
    let all = through("client", "Finished");
    let exporter = same("exporter", derive(&master, "exp", &all));
    same("resumption", derive(&master, "res", &all));

    // Section 4.4.
    for export in list(file, "exports") {
        let expected = bytes(export, "bytes");
        let secret = derive(&exporter, text(export, "label"), b"");
        let context = sha256(&[&bytes(export, "context")]);
        assert_eq!(expand_label(&secret, "exporter", &context, expected.len()), expected);
    }
    [[client, server], data]
}

/// What one side's packets are opened with.
struct Opener {
    keys: BTreeMap<&'static str, Keys>,
    expected: BTreeMap<&'static str, u64>,
    crypto: BTreeMap<&'static str, BTreeMap<u64, Vec<u8>>>,
}

/// Every datagram, with keys that follow from `traffic`. Returns the handshake bytes of each side and space.
fn check_datagrams(file: &Value, traffic: &[[[u8; 32]; 2]; 2]) -> BTreeMap<String, Vec<u8>> {
    let suite = suite(text(file, "suite"));
    let mut dcid = bytes(file, "original_dcid");
    let mut token = Vec::new();
    let mut openers = [0, 1].map(|side| Opener {
        keys: BTreeMap::from([
            ("Initial", Keys::new(Suite::Aes256Gcm, &initial_secrets(&dcid)[side])),
            ("Handshake", Keys::new(suite, &traffic[0][side])),
            ("Data", Keys::new(suite, &traffic[1][side])),
        ]),
        expected: BTreeMap::new(),
        crypto: BTreeMap::new(),
    });
    for row in list(file, "datagrams") {
        let from_server = usize::from(text(row, "from") == "server");
        let datagram = bytes(row, "bytes");
        let mut rest = &datagram[..];
        for packet in list(row, "packets") {
            let header = Header::read(rest);
            assert_eq!(header.kind, text(packet, "type"));
            if header.kind == "Retry" {
                assert!(retry_is_authentic(&dcid, rest));
                assert_eq!(header.dcid, bytes(packet, "dcid"));
                assert_eq!(header.scid, bytes(packet, "scid"));
                assert_eq!(header.token, bytes(packet, "token"));
                (dcid, token) = (header.scid, header.token);
                for (opener, secret) in openers.iter_mut().zip(initial_secrets(&dcid)) {
                    opener.keys.insert("Initial", Keys::new(Suite::Aes256Gcm, &secret));
                }
                rest = &[];
                continue;
            }
            if header.kind == "Initial" && from_server == 0 {
                assert!(datagram.len() >= 1200);
                assert_eq!(header.token, token, "every Initial of the client has the token");
            }
            openers[from_server].check(packet, &header, &rest[..header.end]);
            rest = &rest[header.end..];
        }
        assert!(rest.is_empty());
    }
    assert_eq!(dcid, bytes(file, "initial_dcid"));
    let mut all = BTreeMap::new();
    for (opener, side) in openers.iter().zip(["client", "server"]) {
        for (space, pieces) in &opener.crypto {
            let mut stream = Vec::new();
            for (&offset, piece) in pieces {
                assert!(offset as usize <= stream.len(), "a gap");
                stream.truncate(offset as usize);
                stream.extend(piece);
            }
            all.insert(format!("{side} {space}"), stream);
        }
    }
    all
}

impl Opener {
    fn check(&mut self, row: &Value, header: &Header, packet: &[u8]) {
        let expected = self.expected.entry(header.kind).or_default();
        let opened = self.keys[header.kind].open(packet, header.number_at, *expected);
        let (packet_number, plain_header, payload) = opened;
        *expected = packet_number + 1;
        assert_eq!(packet_number, number(row, "number"));
        assert_eq!(plain_header, bytes(row, "header"));
        let mut recorded = bytes(row, "payload");
        recorded.resize(recorded.len() + number(row, "padding") as usize, 0);
        assert_eq!(payload, recorded);
        let frames = frames::read_all(&payload);
        let names: Vec<_> = frames.iter().map(|(name, _)| Value::from(*name)).collect();
        assert_eq!(names, list(row, "frames"));
        for (name, fields) in frames {
            if name == "CRYPTO" {
                let pieces = self.crypto.entry(header.kind).or_default();
                pieces.insert(number(&fields, "offset"), bytes(&fields, "data"));
            }
        }
    }
}

/// Everything that a file of a connection says.
pub(crate) fn check(file: &Value) {
    assert_eq!(text(file, "wire_version"), "4a535001");
    let messages = messages(file);
    let (suite_number, ciphertext) = server_hello(find(&messages, "server", "ServerHello").body());
    assert_eq!(suite_number, suite(text(file, "suite")).to_wire());
    let exchange = &file["key_exchange"];
    let of_server = array(exchange, "encapsulation_seed");
    let (public, shared) = x_wing(&array(exchange, "client_seed"), &of_server, ciphertext);
    assert_eq!(public, client_key(find(&messages, "client", "ClientHello").body()));
    assert_eq!(shared, array(exchange, "secret"));
    let traffic = schedule(file, &messages, &shared);
    check_identity(file, &messages, "server");
    if !file["client_identity"].is_null() {
        check_identity(file, &messages, "client");
    }

    let parameters = parameters(find(&messages, "server", "Encrypted").body());
    assert_eq!(parameters[&0x00], bytes(file, "original_dcid"));
    let retried = file["retried"].as_bool().unwrap();
    let retry_scid = retried.then(|| bytes(file, "initial_dcid"));
    assert_eq!(parameters.get(&0x10), retry_scid.as_ref());

    let initial = initial_secrets(&bytes(file, "initial_dcid"));
    for row in list(file, "packet_keys") {
        let (secret, keys) = Keys::recorded(row);
        assert_eq!(keys.hp, array(row, "hp"));
        let side = usize::from(text(row, "from") == "server");
        let expected = match text(row, "space") {
            "Initial" => initial[side],
            "Handshake" => traffic[0][side],
            _ => traffic[1][side],
        };
        assert_eq!(secret, expected);
    }

    let carried = check_datagrams(file, &traffic);
    let mut sent: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for row in list(file, "messages") {
        let stream = format!("{} {}", text(row, "from"), text(row, "space"));
        sent.entry(stream).or_default().extend(bytes(row, "bytes"));
    }
    assert_eq!(carried, sent);
}
