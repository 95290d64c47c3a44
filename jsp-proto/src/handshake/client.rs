//! The client's side.
//!
//! ```text
//! ServerHello -> Encrypted -> Identity -> Proof -> Finished -+-> Signature -> Done
//!  (awaited in each state)                                   '--------------> Done
//! ```
//!
//! Its identity is not sent before the server has proved its own, and only if the server asks.

use super::config::ClientConfig;
use super::exchange::{BAD_FINISHED, Exchange, Proven, Secured, decode_parameters, same_mac};
use super::grease;
use super::identity::Identity;
use super::messages::{
    AuthWish, ClientHello, Encrypted, Finished, IdentityMessage, Kind, ServerHello, bad_message,
    body,
};
use super::negotiate;
use super::output::{Output, SignRequest};
use super::proof;
use super::schedule::{HandshakeStage, Tools};
use super::transcript::Transcript;
use crate::crypto::{CryptoError, Fingerprint, KemSecret, Signature, Suite, XWING_PUBLIC_LEN};
use crate::error::{Code, TransportError};
use crate::ids::{ConnectionId, Side, Space, Version};
use crate::rng::Rng;
use crate::wire::parameters::Parameters;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use subtle::ConstantTimeEq;

/// The client's state machine.
pub struct Client {
    config: Arc<ClientConfig>,
    pub(super) exchange: Exchange,
    state: State,
}

/// What is awaited, and what is needed for it.
enum State {
    ServerHello(Box<Offered>),
    Encrypted(Secured),
    Identity(Secured, Agreed),
    Proof(Secured, Agreed, Identity),
    Finished(Secured, Agreed, Identity),
    /// Our own signature; our Identity is in the transcript.
    Signature(Proven, Identity),
    Done,
    Failed(TransportError),
}

/// The offer that was made.
struct Offered {
    secret: Box<dyn KemSecret>,
    client_random: [u8; 32],
    /// The ClientHello: the transcript begins once it is known whether there was a Retry.
    message: Vec<u8>,
    odcid: ConnectionId,
    retried: bool,
}

/// What Encrypted says, not authenticated yet.
struct Agreed {
    parameters: Box<Parameters>,
    client_auth: AuthWish,
}

impl Client {
    /// Queues the ClientHello. `odcid` is the destination of the first Initial.
    pub(super) fn new(
        config: Arc<ClientConfig>,
        mut rng: Rng,
        parameters: &Parameters,
        odcid: ConnectionId,
    ) -> Result<Self, TransportError> {
        let rng = &mut rng;
        let mut key = Box::new([0; XWING_PUBLIC_LEN]);
        let secret = config.provider.xwing_generate(rng, &mut key).map_err(|CryptoError| {
            TransportError::new(Code::INTERNAL, "no key could be generated")
        })?;
        let client_random = rng.array();
        let suites = config.offered_suites().into_iter().map(Suite::to_wire);
        let hello = ClientHello {
            versions: grease::versions(rng, &negotiate::VERSIONS),
            random: client_random,
            suites: grease::suites(rng, suites),
            features: grease::features(rng, &config.features),
            key,
            parameters: grease::parameters(rng, parameters),
            alpn: config.alpn.clone(),
            server_name: config.server_name.clone(),
            held: config.held_server.as_ref().map(Identity::fingerprint),
            extensions: grease::extensions(rng),
        };
        let message = hello.encode();
        let mut exchange = Exchange::new(Side::Client);
        exchange.streams.send(Space::Initial, &message);
        let offered = Offered { secret, client_random, message, odcid, retried: false };
        Ok(Self { config, exchange, state: State::ServerHello(Box::new(offered)) })
    }

    /// A Retry was accepted: the ClientHello is sent again, unchanged. Later ones mean nothing.
    pub(super) fn on_retry(&mut self) {
        if let State::ServerHello(offered) = &mut self.state {
            offered.retried = true;
            if let Some(outgoing) = self.exchange.streams.outgoing(Space::Initial) {
                outgoing.resend_all();
            }
        }
    }

    /// Takes a piece of the server's messages.
    pub(super) fn receive(
        &mut self,
        space: Space,
        offset: u64,
        data: &[u8],
    ) -> Result<(), TransportError> {
        if let State::Failed(error) = self.state {
            return Err(error);
        }
        let received = self.exchange.streams.receive(space, offset, data);
        received
            .and_then(|()| self.advance())
            .inspect_err(|error| self.state = State::Failed(*error))
    }

    /// Takes our signature. Without a request it means nothing.
    pub(super) fn provide_signature(
        &mut self,
        signature: Result<Signature, CryptoError>,
    ) -> Result<(), TransportError> {
        match core::mem::replace(&mut self.state, State::Done) {
            State::Signature(mut proven, identity) => {
                let proof = proof::own(&identity, signature)
                    .inspect_err(|error| self.state = State::Failed(*error))?;
                self.exchange.send(Space::Handshake, &mut proven.transcript, &proof.encode());
                self.finish(proven);
            }
            state => self.state = state,
        }
        Ok(())
    }

    fn advance(&mut self) -> Result<(), TransportError> {
        while let Some((space, kind)) = self.state.awaits() {
            let Some(message) = self.exchange.streams.next(space, kind)? else { break };
            self.state = match core::mem::replace(&mut self.state, State::Done) {
                State::ServerHello(offered) => self.on_server_hello(&offered, &message)?,
                State::Encrypted(secured) => self.on_encrypted(secured, &message)?,
                State::Identity(secured, agreed) => self.on_identity(secured, agreed, &message)?,
                State::Proof(secured, agreed, peer) => {
                    self.on_proof(secured, agreed, peer, &message)?
                }
                State::Finished(secured, agreed, peer) => {
                    self.on_finished(secured, agreed, peer, &message)?
                }
                state => state,
            };
        }
        Ok(())
    }

    fn on_server_hello(
        &mut self,
        offered: &Offered,
        message: &[u8],
    ) -> Result<State, TransportError> {
        let hello = ServerHello::decode(body(message))?;
        // A Version Negotiation packet is how a server asks for another version.
        if hello.version != Version::V1 {
            return Err(TransportError::new(Code::VERSION, "server chose another version"));
        }
        let suite = Suite::from_wire(hello.suite)
            .filter(|suite| self.config.offered_suites().contains(suite))
            .ok_or(bad_message("server chose a suite that was not offered"))?;
        if hello.psk_accepted {
            return Err(bad_message("server resumed what was not offered"));
        }
        let shared = offered.secret.decapsulate(&hello.ciphertext).map_err(|CryptoError| {
            TransportError::new(Code::KEY_SHARE, "server's key share is invalid")
        })?;
        self.exchange.streams.finish(Space::Initial)?;

        let provider = self.config.provider.clone();
        let mut transcript =
            Transcript::new(&*provider, hello.version, &offered.odcid, offered.retried);
        transcript.add(&offered.message);
        transcript.add(message);
        let log = self.config.key_log.clone();
        let tools = Tools { provider, log, client_random: offered.client_random };
        let keys = HandshakeStage::new(tools, &shared, &transcript.hash());
        self.exchange.suite = Some(suite);
        self.exchange.keys(Space::Handshake, suite, &keys.traffic);
        Ok(State::Encrypted(Secured { suite, keys, transcript }))
    }

    fn on_encrypted(
        &mut self,
        mut secured: Secured,
        message: &[u8],
    ) -> Result<State, TransportError> {
        let encrypted = Encrypted::decode(body(message))?;
        // RFC 9368, section 4: the version in use must be what an untampered choice gives.
        if negotiate::version(&negotiate::VERSIONS, &encrypted.versions) != Some(Version::V1) {
            return Err(TransportError::new(Code::VERSION, "version was downgraded"));
        }
        if encrypted.early_data {
            return Err(bad_message("server accepted early data that was not offered"));
        }
        let offered = &self.config.alpn;
        self.exchange.alpn = match encrypted.alpn {
            name if name.is_empty() && offered.is_empty() => None,
            name if name.is_empty() => {
                return Err(TransportError::new(Code::NO_ALPN, "server chose no protocol"));
            }
            name if offered.contains(&name) => Some(name),
            _ => return Err(bad_message("server chose a protocol that was not offered")),
        };
        self.exchange.features = negotiate::features(&self.config.features, &encrypted.features);
        let parameters = Box::new(decode_parameters(&encrypted.parameters)?);
        secured.transcript.add(message);
        Ok(State::Identity(secured, Agreed { parameters, client_auth: encrypted.client_auth }))
    }

    fn on_identity(
        &mut self,
        mut secured: Secured,
        agreed: Agreed,
        message: &[u8],
    ) -> Result<State, TransportError> {
        let is = |held: &&Identity, fingerprint: &Fingerprint| -> bool {
            held.fingerprint().0.ct_eq(&fingerprint.0).into()
        };
        let held = self.config.held_server.as_ref();
        let peer = match IdentityMessage::decode(body(message))? {
            IdentityMessage::None => return Err(proof::NOT_ACCEPTED),
            IdentityMessage::Full(public) => {
                let shown = Identity::new(&*self.config.provider, public);
                // One copy of the keys is enough.
                held.filter(|held| is(held, &shown.fingerprint())).cloned().unwrap_or(shown)
            }
            IdentityMessage::Held(fingerprint) => {
                held.filter(|held| is(held, &fingerprint)).cloned().ok_or(proof::NOT_ACCEPTED)?
            }
        };
        secured.transcript.add(message);
        Ok(State::Proof(secured, agreed, peer))
    }

    fn on_proof(
        &mut self,
        mut secured: Secured,
        agreed: Agreed,
        peer: Identity,
        message: &[u8],
    ) -> Result<State, TransportError> {
        proof::check(
            &*self.config.provider,
            &*self.config.verifier,
            (Side::Server, self.config.server_name.as_str()),
            &peer,
            &secured.transcript.hash(),
            body(message),
        )?;
        secured.transcript.add(message);
        Ok(State::Finished(secured, agreed, peer))
    }

    fn on_finished(
        &mut self,
        mut secured: Secured,
        agreed: Agreed,
        peer: Identity,
        message: &[u8],
    ) -> Result<State, TransportError> {
        let Finished(mac) = Finished::decode(body(message))?;
        if !same_mac(&mac, &secured.keys.server_finished(&secured.transcript.hash())) {
            return Err(BAD_FINISHED);
        }
        secured.transcript.add(message);
        self.exchange.streams.finish(Space::Handshake)?;
        let proven = secured.proven();
        self.exchange.peer = Some(peer);
        self.exchange.outputs.push_back(Output::PeerParameters(agreed.parameters));
        self.exchange.keys(Space::Data, proven.suite, &proven.keys.traffic);
        self.authenticate(proven, agreed.client_auth)
    }

    /// Shows who we are, if the server wants to know and we are somebody.
    fn authenticate(
        &mut self,
        mut proven: Proven,
        wish: AuthWish,
    ) -> Result<State, TransportError> {
        match (wish, self.config.identity.clone()) {
            (AuthWish::None, _) => {}
            (AuthWish::Required, None) => {
                let reason = "server requires an identity";
                return Err(TransportError::new(Code::IDENTITY_REQUIRED, reason));
            }
            (AuthWish::Optional, None) => {
                let message = IdentityMessage::None.encode();
                self.exchange.send(Space::Handshake, &mut proven.transcript, &message);
            }
            (AuthWish::Optional | AuthWish::Required, Some(identity)) => {
                let message = IdentityMessage::Full(identity.public().clone()).encode();
                self.exchange.send(Space::Handshake, &mut proven.transcript, &message);
                self.exchange.outputs.push_back(Output::Sign(SignRequest {
                    identity: identity.fingerprint(),
                    message: proof::message(Side::Client, &proven.transcript.hash()),
                }));
                return Ok(State::Signature(proven, identity));
            }
        }
        self.finish(proven);
        Ok(State::Done)
    }

    fn finish(&mut self, mut proven: Proven) {
        let mac = proven.keys.client_finished(&proven.transcript.hash());
        let message = Finished(mac).encode();
        self.exchange.send(Space::Handshake, &mut proven.transcript, &message);
        self.exchange.complete(proven);
    }
}

impl State {
    const fn awaits(&self) -> Option<(Space, Kind)> {
        Some(match self {
            Self::ServerHello(_) => (Space::Initial, Kind::ServerHello),
            Self::Encrypted(_) => (Space::Handshake, Kind::Encrypted),
            Self::Identity(..) => (Space::Handshake, Kind::Identity),
            Self::Proof(..) => (Space::Handshake, Kind::Proof),
            Self::Finished(..) => (Space::Handshake, Kind::Finished),
            Self::Signature(..) | Self::Done | Self::Failed(_) => return None,
        })
    }
}
