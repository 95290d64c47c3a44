//! A client and a server, what passes between them, and what became of it.

use crate::crypto::rustcrypto::RustCrypto;
use crate::crypto::{Fingerprint, IdentitySecret, Provider, Secret, Signature, Signer, Suite};
use crate::error::TransportError;
use crate::handshake::{
    AcceptAny, ClientConfig, Completed, Handshake, Identity, IdentitySet, KeyLog, Output, Pinned,
    ServerConfig,
};
use crate::ids::{ConnectionId, Side, Space};
use crate::rng::{Rng, Seed};
use crate::wire::Writer;
use crate::wire::frame::{Frame, Frames};
use crate::wire::parameters::Parameters;
use std::collections::BTreeMap;
use std::string::String;
use std::sync::{Arc, LazyLock, Mutex};
use std::vec;
use std::vec::Vec;

pub(super) const ODCID: [u8; 8] = *b"original";

/// An identity with its private keys.
pub(super) struct Keys {
    pub(super) signer: std::boxed::Box<dyn Signer>,
    pub(super) identity: Identity,
}

fn keys(seed: u8, hybrid: bool) -> Keys {
    let secret = IdentitySecret { ed25519: [seed; 32], ml_dsa: hybrid.then_some([seed; 32]) };
    let signer = RustCrypto.signer(&secret).unwrap();
    let identity = Identity::new(&RustCrypto, signer.public().clone());
    Keys { signer, identity }
}

pub(super) static SERVER: LazyLock<Keys> = LazyLock::new(|| keys(1, true));
pub(super) static CLIENT: LazyLock<Keys> = LazyLock::new(|| keys(2, true));
pub(super) static OTHER: LazyLock<Keys> = LazyLock::new(|| keys(3, true));
pub(super) static SMALL: LazyLock<Keys> = LazyLock::new(|| keys(4, false));

pub(super) fn signer_of(fingerprint: Fingerprint) -> &'static dyn Signer {
    let all: [&'static Keys; 4] = [&SERVER, &CLIENT, &OTHER, &SMALL];
    let keys = all.into_iter().find(|keys| keys.identity.fingerprint() == fingerprint);
    &*keys.expect("a known identity").signer
}

/// A client that pins the hybrid server.
pub(super) fn client() -> ClientConfig {
    let pin = Pinned::new(SERVER.identity.fingerprint());
    ClientConfig::new(Arc::new(RustCrypto), Arc::new(pin))
}

/// A client that trusts anybody.
pub(super) fn gullible() -> ClientConfig {
    ClientConfig::new(Arc::new(RustCrypto), Arc::new(AcceptAny))
}

/// The hybrid server.
pub(super) fn server() -> ServerConfig {
    ServerConfig::new(Arc::new(RustCrypto), IdentitySet::single(SERVER.identity.clone()))
}

/// Every secret by label.
#[derive(Default)]
pub(super) struct Log(pub(super) Mutex<BTreeMap<String, Vec<u8>>>);

impl KeyLog for Log {
    fn log(&self, label: &str, _: &[u8; 32], secret: &[u8]) {
        self.0.lock().unwrap().insert(label.into(), secret.into());
    }
}

/// Keys that were given out: space, suite, sealing and opening secret.
pub(super) type Given = (Space, Suite, [u8; 32], [u8; 32]);

/// One end.
pub(super) struct End {
    pub(super) handshake: Handshake,
    pub(super) rng: Rng,
    pub(super) keys: Vec<Given>,
    pub(super) parameters: Option<Parameters>,
    pub(super) completed: Option<Completed>,
    pub(super) error: Option<TransportError>,
    /// Changes each signature before it is provided.
    pub(super) sign: fn(&mut Signature),
    /// Signs instead of the identity that is asked for.
    pub(super) impostor: Option<&'static Keys>,
    pub(super) signed: Vec<Fingerprint>,
}

impl End {
    fn new(handshake: Handshake, seed: u64) -> Self {
        Self {
            handshake,
            rng: Rng::new(&Seed::from_u64(seed), "sign"),
            keys: Vec::new(),
            parameters: None,
            completed: None,
            error: None,
            sign: |_| {},
            impostor: None,
            signed: Vec::new(),
        }
    }

    pub(super) fn client(config: ClientConfig, seed: u64) -> Self {
        let rng = Rng::new(&Seed::from_u64(seed), "client");
        let parameters = Parameters {
            initial_scid: ConnectionId::new(b"client"),
            max_data: 1,
            ..Parameters::default()
        };
        let client = Handshake::client(Arc::new(config), rng, &parameters, ODCID.into());
        Self::new(client.unwrap(), seed)
    }

    pub(super) fn server(config: ServerConfig, seed: u64, retried: bool) -> Self {
        let rng = Rng::new(&Seed::from_u64(seed), "server");
        let parameters = Parameters {
            original_dcid: Some(ODCID.into()),
            initial_scid: ConnectionId::new(b"server"),
            max_data: 2,
            ..Parameters::default()
        };
        let server = Handshake::server(Arc::new(config), rng, parameters, ODCID.into(), retried);
        Self::new(server, seed)
    }

    /// Delivers a piece and acts on what comes of it.
    pub(super) fn receive(&mut self, space: Space, offset: u64, data: &[u8]) {
        let received = self.handshake.receive(space, offset, data);
        self.note(received);
        self.act();
    }

    fn note(&mut self, result: Result<(), TransportError>) {
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
    }

    pub(super) fn act(&mut self) {
        while let Some(output) = self.handshake.poll() {
            match output {
                Output::Keys { space, suite, seal, open } => {
                    self.keys.push((space, suite, *seal.expose(), *open.expose()));
                }
                Output::PeerParameters(parameters) => self.parameters = Some(*parameters),
                Output::Sign(request) => {
                    self.signed.push(request.identity);
                    let signer = match self.impostor {
                        Some(keys) => &*keys.signer,
                        None => signer_of(request.identity),
                    };
                    let mut signature = signer.sign(&mut self.rng, &request.message).unwrap();
                    (self.sign)(&mut signature);
                    let provided = self.handshake.provide_signature(Ok(signature));
                    self.note(provided);
                }
                Output::Complete(completed) => {
                    assert!(self.completed.replace(completed).is_none(), "completed twice");
                }
            }
        }
    }

    /// Everything that is to be sent in `space`, as pieces of at most `limit` bytes.
    pub(super) fn pieces(&mut self, space: Space, limit: usize) -> Vec<(u64, Vec<u8>)> {
        let mut pieces = Vec::new();
        while self.handshake.has_crypto(space) {
            let mut packet = vec![0; limit + 16];
            let mut w = Writer::new(&mut packet);
            self.handshake.write_crypto(space, &mut w, &mut Vec::new(), limit);
            let len = w.len();
            for frame in Frames::new(&packet[..len]) {
                let Frame::Crypto { offset, data } = frame.unwrap().1 else { unreachable!() };
                pieces.push((offset, data.to_vec()));
            }
        }
        pieces
    }

    pub(super) fn has(&self, space: Space) -> bool {
        self.keys.iter().any(|given| given.0 == space)
    }

    pub(super) fn exporter(&self) -> [u8; 32] {
        exposed(&self.completed.as_ref().unwrap().exporter)
    }
}

pub(super) fn exposed(secret: &Secret) -> [u8; 32] {
    *secret.expose()
}

/// Both ends.
pub(super) struct Pair {
    pub(super) client: End,
    pub(super) server: End,
}

/// Sees and may change what passes: who sent it, in which space, the bytes of the whole flight.
pub(super) type Middle<'a> = &'a mut dyn FnMut(Side, Space, &mut Vec<u8>);

impl Pair {
    pub(super) fn new(client: ClientConfig, server: ServerConfig) -> Self {
        Self { client: End::client(client, 1), server: End::server(server, 2, false) }
    }

    /// Lets them talk until nothing more passes, or one of them fails.
    pub(super) fn run(client: ClientConfig, server: ServerConfig) -> Self {
        let mut pair = Self::new(client, server);
        pair.talk();
        pair
    }

    pub(super) fn talk(&mut self) {
        self.talk_through(&mut |_, _, _| {});
    }

    pub(super) fn talk_through(&mut self, middle: Middle<'_>) {
        let mut offsets = [[0; 3]; 2];
        loop {
            let mut passed = false;
            for side in [Side::Client, Side::Server] {
                let (from, to) = match side {
                    Side::Client => (&mut self.client, &mut self.server),
                    Side::Server => (&mut self.server, &mut self.client),
                };
                for space in [Space::Initial, Space::Handshake] {
                    let sent = from.pieces(space, 16 * 1024);
                    let mut flight: Vec<u8> = sent.into_iter().flat_map(|piece| piece.1).collect();
                    if flight.is_empty() || from.error.is_some() || to.error.is_some() {
                        continue;
                    }
                    passed = true;
                    middle(side, space, &mut flight);
                    let offset: &mut u64 = &mut offsets[side as usize][space.index()];
                    to.receive(space, *offset, &flight);
                    *offset += flight.len() as u64;
                }
            }
            if !passed {
                return;
            }
        }
    }

    /// Both completed, with the same keys and secrets.
    pub(super) fn assert_agreed(&self) {
        assert_eq!((self.client.error, self.server.error), (None, None));
        assert!(self.client.completed.is_some() && self.server.completed.is_some());
        let swapped = |given: &Given| (given.0, given.1, given.3, given.2);
        assert_eq!(self.client.keys, self.server.keys.iter().map(swapped).collect::<Vec<_>>());
        let secrets = |end: &End| {
            let completed = end.completed.as_ref().unwrap();
            (exposed(&completed.exporter), exposed(&completed.resumption))
        };
        assert_eq!(secrets(&self.client), secrets(&self.server));
    }

    pub(super) fn both_completed(&self) -> bool {
        self.client.completed.is_some() && self.server.completed.is_some()
    }
}
