//! Whole connections: every datagram, every packet in it, every message, every secret.

use crate::doc::{Doc, hex, object};
use crate::exchange::{CLIENT_ID, Case, EXPORTS, SERVER_ID, Trace, run};
use crate::frames;
use jsp_proto::crypto::rustcrypto::RustCrypto;
use jsp_proto::crypto::{IdentitySecret, Provider, Secret, Suite};
use jsp_proto::handshake::{Identity, label};
use jsp_proto::ids::{ConnectionId, PathId, Side, Space, Version};
use jsp_proto::protection::{
    DataKeys, LevelKeys, Opened, ReceivedWindow, expand_label, expand_secret, initial_secrets,
};
use jsp_proto::time::Time;
use jsp_proto::wire::frame::{Frame, Frames};
use jsp_proto::wire::header::{Kind, Packet, Protected};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const CASES: [Case; 3] = [
    Case {
        name: "handshake-server.json",
        title: "A server proves its identity to a client that has none",
        suite: Suite::Aes256Gcm,
        mutual: false,
        retry: false,
        seed: 100,
    },
    Case {
        name: "handshake-mutual.json",
        title: "Both ends prove their identity",
        suite: Suite::ChaCha20Poly1305,
        mutual: true,
        retry: false,
        seed: 200,
    },
    Case {
        name: "handshake-retry.json",
        title: "A server asks for proof of the client's address, and proves its identity",
        suite: Suite::Aes256GcmSiv,
        mutual: false,
        retry: true,
        seed: 300,
    },
];

const SIDES: [Side; 2] = [Side::Client, Side::Server];

pub(crate) fn side(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
    }
}

/// The document of one connection.
pub(crate) fn document(case: &Case) -> Doc {
    let trace = run(case);
    let mut reader = Reader::new(case, &trace);
    let datagrams: Vec<_> = trace
        .datagrams
        .iter()
        .map(|(time, sender, bytes)| {
            object! {
                "time_us": time.as_micros() as u64,
                "from": side(*sender),
                "bytes": hex(bytes),
                "packets": reader.datagram(*sender, bytes),
            }
        })
        .collect();
    let hash = reader.transcript(case.retry);
    let secrets = |name: &str| trace.secrets[name].clone();
    object! {
        "title": case.title,
        "wire_version": format!("{:08x}", Version::V1.0),
        "suite": case.suite.name(),
        "retried": case.retry,
        "original_dcid": hex(reader.odcid.as_bytes()),
        "initial_dcid": hex(reader.initial_dcid.as_bytes()),
        "server_identity": identity(&SERVER_ID),
        "client_identity": case.mutual.then(|| identity(&CLIENT_ID)),
        "key_exchange": object! {
            "client_seed": hex(trace.key_exchange.client_seed),
            "encapsulation_seed": hex(&trace.key_exchange.encapsulation_seed),
            "secret": hex(trace.key_exchange.secret),
        },
        "messages": reader.messages(hash),
        "secrets": object! {
            "early": hex(secrets(label::EARLY)),
            "handshake": hex(secrets(label::HANDSHAKE)),
            "client_handshake_traffic": hex(secrets(label::CLIENT_HANDSHAKE)),
            "server_handshake_traffic": hex(secrets(label::SERVER_HANDSHAKE)),
            "client_finished_key": hex(finished_key(&secrets(label::CLIENT_HANDSHAKE))),
            "server_finished_key": hex(finished_key(&secrets(label::SERVER_HANDSHAKE))),
            "master": hex(secrets(label::MASTER)),
            "client_application_traffic_0": hex(secrets(label::CLIENT_TRAFFIC)),
            "server_application_traffic_0": hex(secrets(label::SERVER_TRAFFIC)),
            "exporter": hex(secrets(label::EXPORTER)),
            "resumption": hex(secrets(label::RESUMPTION)),
        },
        "packet_keys": reader.packet_keys(),
        "exports": exports(&trace),
        "datagrams": datagrams,
    }
}

fn identity(secret: &IdentitySecret) -> Doc {
    let public = RustCrypto.signer(secret).unwrap().public().clone();
    object! {
        "ed25519_seed": hex(secret.ed25519),
        "ml_dsa_seed": secret.ml_dsa.map(hex),
        "fingerprint": hex(Identity::new(&RustCrypto, public).fingerprint().0),
    }
}

fn exports(trace: &Trace) -> Vec<Doc> {
    let row = |((label, context, _), bytes): (&(&'static str, &[u8], usize), &Vec<u8>)| {
        object! { "label": *label, "context": hex(context), "bytes": hex(bytes) }
    };
    EXPORTS.iter().zip(&trace.exports).map(row).collect()
}

fn secret(bytes: &[u8]) -> Secret {
    Secret::new(bytes.try_into().unwrap())
}

fn finished_key(traffic: &[u8]) -> [u8; 32] {
    *expand_secret(&RustCrypto, &secret(traffic), b"finished", b"").expose()
}

/// What a traffic secret gives.
pub(crate) fn keys(suite: Suite, traffic: &Secret) -> Vec<(&'static str, Doc)> {
    let (mut key, mut iv, mut hp) = ([0; 32], [0; 12], [0; 32]);
    expand_label(&RustCrypto, traffic, b"key", b"", &mut key);
    expand_label(&RustCrypto, traffic, b"iv", b"", &mut iv);
    expand_label(&RustCrypto, traffic, b"hp", b"", &mut hp);
    vec![
        ("suite", suite.name().into()),
        ("secret", hex(traffic.expose())),
        ("key", hex(key)),
        ("iv", hex(iv)),
        ("hp", hex(hp)),
    ]
}

/// Opens the packets that one side sent.
struct Opener {
    sender: Side,
    initial: LevelKeys,
    handshake: LevelKeys,
    data: DataKeys,
    windows: [ReceivedWindow; 3],
    /// Handshake bytes of the Initial and the Handshake space.
    crypto: [Vec<u8>; 2],
}

/// Reads along.
struct Reader {
    suite: Suite,
    traffic: BTreeMap<(usize, &'static str), Secret>,
    odcid: ConnectionId,
    initial_dcid: ConnectionId,
    openers: [Opener; 2],
    messages: Vec<(Side, Space, Vec<u8>)>,
}

impl Reader {
    fn new(case: &Case, trace: &Trace) -> Self {
        let Ok(Packet::Protected(first)) = Packet::parse(&trace.datagrams[0].2) else {
            panic!("the first packet is the client's Initial")
        };
        let odcid = first.dcid;
        let mut traffic = BTreeMap::new();
        for (level, labels) in [
            ("handshake", [label::CLIENT_HANDSHAKE, label::SERVER_HANDSHAKE]),
            ("data", [label::CLIENT_TRAFFIC, label::SERVER_TRAFFIC]),
        ] {
            for (sender, label) in labels.iter().enumerate() {
                traffic.insert((sender, level), secret(&trace.secrets[*label]));
            }
        }
        let opener = |sender: Side| {
            let (own, other) = (sender as usize, 1 - sender as usize);
            let of = |level| (&traffic[&(other, level)], &traffic[&(own, level)]);
            let (seal, open) = of("handshake");
            let handshake = LevelKeys::new(&RustCrypto, case.suite, seal, open);
            let (seal, open) = of("data");
            Opener {
                sender,
                initial: LevelKeys::initial(&RustCrypto, &odcid, sender.peer()),
                handshake,
                data: DataKeys::new(Arc::new(RustCrypto), case.suite, seal, open),
                windows: [(); 3].map(|()| ReceivedWindow::new()),
                crypto: [Vec::new(), Vec::new()],
            }
        };
        let openers = SIDES.map(opener);
        let (suite, messages) = (case.suite, Vec::new());
        Self { suite, traffic, odcid, initial_dcid: odcid, openers, messages }
    }

    /// The packets of a datagram.
    fn datagram(&mut self, sender: Side, datagram: &[u8]) -> Vec<Doc> {
        let mut packets = Vec::new();
        let mut rest = datagram.to_vec();
        while !rest.is_empty() {
            match Packet::parse(&rest).unwrap() {
                Packet::Protected(protected) => {
                    let behind = rest.split_off(protected.end);
                    packets.push(self.openers[sender as usize].packet(&protected, &mut rest));
                    rest = behind;
                }
                Packet::Retry { dcid, scid, token } => {
                    packets.push(object! {
                        "type": "Retry",
                        "dcid": hex(dcid.as_bytes()),
                        "scid": hex(scid.as_bytes()),
                        "token": hex(&rest[token]),
                    });
                    self.initial_dcid = scid;
                    for opener in &mut self.openers {
                        opener.initial =
                            LevelKeys::initial(&RustCrypto, &scid, opener.sender.peer());
                    }
                    rest.clear();
                }
                other => panic!("{other:?}"),
            }
        }
        packets
    }

    /// The transcript before the first message; splits the handshake bytes into messages.
    fn transcript(&mut self, retried: bool) -> Box<dyn jsp_proto::crypto::Sha256> {
        let mut hash = RustCrypto.sha256();
        hash.update(b"jsp1 transcript\0");
        hash.update(&Version::V1.0.to_be_bytes());
        hash.update(&[self.odcid.as_bytes().len() as u8]);
        hash.update(self.odcid.as_bytes());
        hash.update(&[u8::from(retried)]);
        for (sender, space) in [
            (Side::Client, Space::Initial),
            (Side::Server, Space::Initial),
            (Side::Server, Space::Handshake),
            (Side::Client, Space::Handshake),
        ] {
            let mut bytes = &self.openers[sender as usize].crypto[space.index()][..];
            while let [_, a, b, c, ..] = *bytes {
                let (message, rest) = bytes.split_at(4 + u32::from_be_bytes([0, a, b, c]) as usize);
                self.messages.push((sender, space, message.to_vec()));
                bytes = rest;
            }
        }
        hash
    }

    fn messages(&self, mut hash: Box<dyn jsp_proto::crypto::Sha256>) -> Vec<Doc> {
        const NAMES: [&str; 6] =
            ["ClientHello", "ServerHello", "Encrypted", "Identity", "Proof", "Finished"];
        let row = |(sender, space, bytes): &(Side, Space, Vec<u8>)| {
            hash.update(bytes);
            object! {
                "name": NAMES[usize::from(bytes[0]) - 1],
                "from": side(*sender),
                "space": format!("{space:?}"),
                "bytes": hex(bytes),
                "transcript_hash": hex(hash.snapshot()),
            }
        };
        self.messages.iter().map(row).collect()
    }

    fn packet_keys(&self) -> Vec<Doc> {
        let initial = initial_secrets(&RustCrypto, &self.initial_dcid);
        let mut rows = Vec::new();
        for sender in SIDES {
            let secret = |level| &self.traffic[&(sender as usize, level)];
            for (space, suite, secret) in [
                ("Initial", Suite::Aes256Gcm, initial.of(sender)),
                ("Handshake", self.suite, secret("handshake")),
                ("Data", self.suite, secret("data")),
            ] {
                let who = [("from", side(sender).into()), ("space", space.into())];
                rows.push(Doc::Object(who.into_iter().chain(keys(suite, secret)).collect()));
            }
        }
        rows
    }
}

impl Opener {
    fn packet(&mut self, protected: &Protected, packet: &mut [u8]) -> Doc {
        let (kind, at) = (protected.kind, protected.number_at);
        let window = &mut self.windows[kind.space().index()];
        let opened = match kind {
            Kind::Initial => self.initial.open(window, packet, at),
            Kind::Handshake => self.handshake.open(window, packet, at),
            Kind::Data => self.data.open(Time::ZERO, PathId(0), window, packet, at),
            Kind::Early => panic!("wire version 1 has no Early packets"),
        };
        let Opened { number, payload } = opened.unwrap();
        let (header, payload) = (&packet[..payload.start], &packet[payload.clone()]);
        if let Some(stream) = self.crypto.get_mut(kind.space().index()) {
            take_crypto(stream, payload);
        }
        let end = payload.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        object! {
            "type": format!("{kind:?}"),
            "number": number.0,
            "header": hex(header),
            "payload": hex(&payload[..end]),
            "padding": (payload.len() - end) as u64,
            "frames": frames::names(payload),
        }
    }
}

/// Adds what the packet's CRYPTO frames hold to the space's handshake bytes.
fn take_crypto(stream: &mut Vec<u8>, payload: &[u8]) {
    for frame in Frames::new(payload) {
        if let Frame::Crypto { offset, data } = frame.unwrap().1 {
            let end = offset as usize + data.len();
            stream.resize(stream.len().max(end), 0);
            stream[offset as usize..end].copy_from_slice(data);
        }
    }
}
