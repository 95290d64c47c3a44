//! Every message survives the wire, and nothing else is taken for one.

use super::{
    AuthWish, ClientHello, Encrypted, Extension, Feature, Finished, IdentityMessage, Kind, Proof,
    ServerHello, body,
};
use crate::crypto::{Algorithm, Fingerprint, PublicIdentity, Signature};
use crate::error::TransportError;
use crate::handshake::names::AlpnList;
use crate::ids::Version;
use crate::rng::{Rng, Seed};
use quickcheck::{Arbitrary, Gen, quickcheck};
use std::boxed::Box;
use std::fmt::Debug;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

/// Anything random that a message may hold, from one seed.
#[derive(Clone, Debug)]
struct Any(u64);

impl Arbitrary for Any {
    fn arbitrary(g: &mut Gen) -> Self {
        Self(u64::arbitrary(g))
    }
}

impl Any {
    fn rng(&self) -> Rng {
        Rng::new(&Seed::from_u64(self.0), "any")
    }
}

fn bytes(rng: &mut Rng, max: u64) -> Vec<u8> {
    let mut bytes = std::vec![0; rng.below(max + 1) as usize];
    rng.fill(&mut bytes);
    bytes
}

fn many<T>(rng: &mut Rng, max: u64, one: impl Fn(&mut Rng) -> T) -> Vec<T> {
    (0..rng.below(max + 1)).map(|_| one(rng)).collect()
}

fn extension(rng: &mut Rng) -> Extension {
    Extension { id: rng.u32() as u16, value: bytes(rng, 90) }
}

fn client_hello(rng: &mut Rng) -> ClientHello {
    let names = many(rng, 3, |rng| {
        let mut name = bytes(rng, 63);
        name.push(1);
        name
    });
    let name: String =
        many(rng, 30, |rng| char::from_u32(rng.u32() % 0x20_0000)).into_iter().flatten().collect();
    ClientHello {
        versions: many(rng, 16, |rng| Version(rng.u32())),
        random: rng.array(),
        suites: bytes(rng, 16),
        features: many(rng, 32, |rng| Feature(rng.u32() as u16)),
        key: Box::new(rng.array()),
        parameters: bytes(rng, 512),
        alpn: AlpnList::new(names).unwrap(),
        server_name: name.parse().unwrap(),
        held: (rng.below(2) == 1).then(|| Fingerprint(rng.array())),
        extensions: many(rng, 5, extension),
    }
}

fn server_hello(rng: &mut Rng) -> ServerHello {
    ServerHello {
        version: Version(rng.u32()),
        random: rng.array(),
        suite: rng.u32() as u8,
        psk_accepted: rng.below(2) == 1,
        ciphertext: Box::new(rng.array()),
        extensions: many(rng, 5, extension),
    }
}

fn encrypted(rng: &mut Rng) -> Encrypted {
    let wishes = [AuthWish::None, AuthWish::Optional, AuthWish::Required];
    Encrypted {
        versions: many(rng, 16, |rng| Version(rng.u32())),
        features: many(rng, 32, |rng| Feature(rng.u32() as u16)),
        parameters: bytes(rng, 512),
        alpn: bytes(rng, 64),
        early_data: rng.below(2) == 1,
        client_auth: wishes[rng.below(3) as usize],
        extensions: many(rng, 5, extension),
    }
}

fn identity(rng: &mut Rng) -> IdentityMessage {
    let ml_dsa = (rng.below(2) == 1).then(|| Box::new(rng.array()));
    match rng.below(4) {
        0 => IdentityMessage::None,
        1 => IdentityMessage::Held(Fingerprint(rng.array())),
        _ => IdentityMessage::Full(Arc::new(PublicIdentity { ed25519: rng.array(), ml_dsa })),
    }
}

/// It comes back as it was, and neither a part of it nor more than it does.
fn survives<T: PartialEq + Debug>(
    value: &T,
    kind: Kind,
    message: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, TransportError>,
) -> bool {
    assert_eq!(kind.message_len(message), Ok(Some(message.len())));
    assert_eq!(decode(body(message)).as_ref(), Ok(value));
    let mut longer = body(message).to_vec();
    for n in 0..longer.len() {
        assert!(decode(&longer[..n]).is_err(), "{n} bytes are not enough");
    }
    longer.push(0);
    decode(&longer).is_err()
}

quickcheck! {
    fn a_client_hello_survives_the_wire(any: Any) -> bool {
        let hello = client_hello(&mut any.rng());
        survives(&hello, Kind::ClientHello, &hello.encode(), ClientHello::decode)
    }

    fn a_server_hello_survives_the_wire(any: Any) -> bool {
        let hello = server_hello(&mut any.rng());
        survives(&hello, Kind::ServerHello, &hello.encode(), ServerHello::decode)
    }

    fn encrypted_survives_the_wire(any: Any) -> bool {
        let encrypted = encrypted(&mut any.rng());
        survives(&encrypted, Kind::Encrypted, &encrypted.encode(), Encrypted::decode)
    }

    fn an_identity_survives_the_wire(any: Any) -> bool {
        let identity = identity(&mut any.rng());
        survives(&identity, Kind::Identity, &identity.encode(), IdentityMessage::decode)
    }

    fn a_proof_survives_the_wire(any: Any, hybrid: bool) -> bool {
        let rng = &mut any.rng();
        let ml_dsa = hybrid.then(|| Box::new(rng.array()));
        let proof = Proof(Signature { ed25519: rng.array(), ml_dsa });
        let algorithm = if hybrid { Algorithm::Hybrid } else { Algorithm::Ed25519 };
        survives(&proof, Kind::Proof, &proof.encode(), |body| Proof::decode(body, algorithm))
    }

    fn random_bytes_panic_nobody(bytes: Vec<u8>, any: Any, at: u16, value: u8) -> bool {
        let decoders: [fn(&[u8]); 6] = [
            |body| drop(ClientHello::decode(body)),
            |body| drop(ServerHello::decode(body)),
            |body| drop(Encrypted::decode(body)),
            |body| drop(IdentityMessage::decode(body)),
            |body| drop(Proof::decode(body, Algorithm::Hybrid)),
            |body| drop(Finished::decode(body)),
        ];
        // A byte of something valid changed reaches further than noise does.
        let rng = &mut any.rng();
        let mut valid = [client_hello(rng).encode(), server_hello(rng).encode(), encrypted(rng).encode()];
        for message in &mut valid {
            let at = usize::from(at) % message.len();
            message[at] = value;
        }
        for decode in decoders {
            decode(&bytes);
            for message in &valid {
                decode(body(message));
            }
        }
        true
    }
}

#[test]
fn a_finished_survives_the_wire() {
    let finished = Finished([7; 32]);
    assert!(survives(&finished, Kind::Finished, &finished.encode(), Finished::decode));
}

#[test]
fn lists_longer_than_their_limit_are_refused() {
    let rng = &mut Any(1).rng();
    let edits: [fn(&mut ClientHello); 5] = [
        |hello| hello.versions = std::vec![Version(1); 17],
        |hello| hello.suites = std::vec![1; 17],
        |hello| hello.features = std::vec![Feature(1); 33],
        |hello| hello.parameters = std::vec![1; 513],
        |hello| hello.extensions = std::vec![Extension { id: 1, value: std::vec![1; 509] }],
    ];
    for edit in edits {
        let mut hello = client_hello(rng);
        edit(&mut hello);
        assert!(ClientHello::decode(body(&hello.encode())).is_err());
    }
}
