//! The server's side.
//!
//! ```text
//! ClientHello -> Signature -+-> Identity -+-> Proof -> Finished -> Done
//!  (awaited in each state)  |             '----------> Finished -> Done   optional, and declined
//!                           '------------------------> Finished -> Done   not asked
//! ```
//!
//! ServerHello, Encrypted and Identity leave while our own signature is still awaited. Keys for
//! application data are given out once the client's Finished has verified, not before.

use super::config::ServerConfig;
use super::exchange::{BAD_FINISHED, Exchange, Proven, Secured, decode_parameters, same_mac};
use super::grease;
use super::identity::Identity;
use super::messages::{
    AuthWish, ClientHello, Encrypted, Finished, IdentityMessage, Kind, ServerHello, body,
};
use super::names::ServerName;
use super::negotiate;
use super::output::{Output, SignRequest};
use super::proof;
use super::schedule::{HandshakeStage, Tools};
use super::transcript::Transcript;
use crate::crypto::{CryptoError, Signature, XWING_CIPHERTEXT_LEN};
use crate::error::{Code, TransportError};
use crate::ids::{ConnectionId, Side, Space};
use crate::rng::Rng;
use crate::wire::parameters::Parameters;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The server's state machine.
pub struct Server {
    config: Arc<ServerConfig>,
    pub(super) exchange: Exchange,
    state: State,
}

/// What is awaited, and what is needed for it.
enum State {
    ClientHello(Box<Start>),
    /// Our own signature; our Identity is in the transcript.
    Signature(Secured, ServerName, Identity),
    Identity(Proven, ServerName),
    Proof(Proven, ServerName, Identity),
    Finished(Proven),
    Done,
    Failed(TransportError),
}

/// What the server knows before the first message.
struct Start {
    rng: Rng,
    parameters: Parameters,
    odcid: ConnectionId,
    retried: bool,
}

impl Server {
    /// `odcid` is the destination of the client's very first Initial, `retried` whether a Retry
    /// answered that.
    pub(super) fn new(
        config: Arc<ServerConfig>,
        rng: Rng,
        parameters: Parameters,
        odcid: ConnectionId,
        retried: bool,
    ) -> Self {
        let state = State::ClientHello(Box::new(Start { rng, parameters, odcid, retried }));
        Self { config, exchange: Exchange::new(Side::Server), state }
    }

    /// Takes a piece of the client's messages.
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
            State::Signature(secured, name, identity) => self
                .on_signature(secured, name, &identity, signature)
                .and_then(|()| self.advance())
                .inspect_err(|error| self.state = State::Failed(*error)),
            state => {
                self.state = state;
                Ok(())
            }
        }
    }

    fn advance(&mut self) -> Result<(), TransportError> {
        while let Some((space, kind)) = self.state.awaits() {
            let Some(message) = self.exchange.streams.next(space, kind)? else { break };
            self.state = match core::mem::replace(&mut self.state, State::Done) {
                State::ClientHello(start) => self.on_client_hello(*start, &message)?,
                State::Identity(proven, name) => self.on_identity(proven, name, &message)?,
                State::Proof(proven, name, peer) => self.on_proof(proven, &name, peer, &message)?,
                State::Finished(proven) => self.on_finished(proven, &message)?,
                state => state,
            };
        }
        Ok(())
    }

    fn on_client_hello(&mut self, start: Start, message: &[u8]) -> Result<State, TransportError> {
        let Start { mut rng, parameters, odcid, retried } = start;
        let rng = &mut rng;
        let config = self.config.clone();
        let hello = ClientHello::decode(body(message))?;

        let version = negotiate::version(&hello.versions, &negotiate::VERSIONS)
            .ok_or(TransportError::new(Code::VERSION, "no common version"))?;
        let suite = negotiate::suite(&hello.suites, &config.accepted_suites())
            .ok_or(TransportError::new(Code::NO_SUITE, "no common suite"))?;
        let alpn = negotiate::alpn(&hello.alpn, &config.alpn)
            .map_err(|_| TransportError::new(Code::NO_ALPN, "no common application protocol"))?;
        let identity = config
            .identities
            .find(&hello.server_name)
            .ok_or(TransportError::new(Code::UNKNOWN_NAME, "no identity of that name"))?;
        let client_parameters = client_parameters(&hello.parameters)?;
        self.exchange.streams.finish(Space::Initial)?;

        let provider = config.provider.clone();
        let mut ciphertext = Box::new([0; XWING_CIPHERTEXT_LEN]);
        let shared = provider
            .xwing_encapsulate(rng, &hello.key, &mut ciphertext)
            .map_err(|CryptoError| TransportError::new(Code::KEY_SHARE, "key share is invalid"))?;
        let mut transcript = Transcript::new(&*provider, version, &odcid, retried);
        transcript.add(message);

        let server_hello = ServerHello {
            version,
            random: rng.array(),
            suite: suite.to_wire(),
            psk_accepted: false,
            ciphertext,
            extensions: grease::extensions(rng),
        };
        let exchange = &mut self.exchange;
        exchange.send(Space::Initial, &mut transcript, &server_hello.encode());
        let tools = Tools { provider, log: config.key_log.clone(), client_random: hello.random };
        let keys = HandshakeStage::new(tools, &shared, &transcript.hash());

        let encrypted = Encrypted {
            versions: grease::versions(rng, &negotiate::VERSIONS),
            features: grease::features(rng, &config.features),
            parameters: grease::parameters(rng, &parameters),
            alpn: alpn.map(Vec::from).unwrap_or_default(),
            early_data: false,
            client_auth: config.client_auth.wish(),
            extensions: grease::extensions(rng),
        };
        exchange.send(Space::Handshake, &mut transcript, &encrypted.encode());
        let shown = if hello.held == Some(identity.fingerprint()) {
            IdentityMessage::Held(identity.fingerprint())
        } else {
            IdentityMessage::Full(identity.public().clone())
        };
        exchange.send(Space::Handshake, &mut transcript, &shown.encode());

        exchange.suite = Some(suite);
        exchange.alpn = alpn.map(Vec::from);
        exchange.features = negotiate::features(&config.features, &hello.features);
        exchange.outputs.push_back(Output::PeerParameters(Box::new(client_parameters)));
        exchange.keys(Space::Handshake, suite, &keys.traffic);
        exchange.outputs.push_back(Output::Sign(SignRequest {
            identity: identity.fingerprint(),
            message: proof::message(Side::Server, &transcript.hash()),
        }));
        let secured = Secured { suite, keys, transcript };
        Ok(State::Signature(secured, hello.server_name, identity.clone()))
    }

    fn on_signature(
        &mut self,
        mut secured: Secured,
        name: ServerName,
        identity: &Identity,
        signature: Result<Signature, CryptoError>,
    ) -> Result<(), TransportError> {
        let proof = proof::own(identity, signature)?.encode();
        self.exchange.send(Space::Handshake, &mut secured.transcript, &proof);
        let mac = secured.keys.server_finished(&secured.transcript.hash());
        let finished = Finished(mac).encode();
        self.exchange.send(Space::Handshake, &mut secured.transcript, &finished);
        let proven = secured.proven();
        self.state = match self.config.client_auth.wish() {
            AuthWish::None => State::Finished(proven),
            AuthWish::Optional | AuthWish::Required => State::Identity(proven, name),
        };
        Ok(())
    }

    fn on_identity(
        &mut self,
        mut proven: Proven,
        name: ServerName,
        message: &[u8],
    ) -> Result<State, TransportError> {
        let shown = IdentityMessage::decode(body(message))?;
        proven.transcript.add(message);
        match (shown, self.config.client_auth.wish()) {
            (IdentityMessage::Full(public), _) => {
                let peer = Identity::new(&*self.config.provider, public);
                Ok(State::Proof(proven, name, peer))
            }
            (IdentityMessage::None, AuthWish::Required) => {
                let reason = "client identity required";
                Err(TransportError::new(Code::IDENTITY_REQUIRED, reason))
            }
            (IdentityMessage::None, _) => Ok(State::Finished(proven)),
            // The server never says that it holds a client's keys.
            (IdentityMessage::Held(_), _) => Err(proof::NOT_ACCEPTED),
        }
    }

    fn on_proof(
        &mut self,
        mut proven: Proven,
        name: &ServerName,
        peer: Identity,
        message: &[u8],
    ) -> Result<State, TransportError> {
        let verifier = self.config.client_auth.verifier().ok_or(proof::NOT_ACCEPTED)?;
        proof::check(
            &*self.config.provider,
            &**verifier,
            (Side::Client, name.as_str()),
            &peer,
            &proven.transcript.hash(),
            body(message),
        )?;
        proven.transcript.add(message);
        self.exchange.peer = Some(peer);
        Ok(State::Finished(proven))
    }

    fn on_finished(&mut self, mut proven: Proven, message: &[u8]) -> Result<State, TransportError> {
        let Finished(mac) = Finished::decode(body(message))?;
        if !same_mac(&mac, &proven.keys.client_finished(&proven.transcript.hash())) {
            return Err(BAD_FINISHED);
        }
        proven.transcript.add(message);
        self.exchange.streams.finish(Space::Handshake)?;
        self.exchange.keys(Space::Data, proven.suite, &proven.keys.traffic);
        self.exchange.complete(proven);
        Ok(State::Done)
    }
}

impl State {
    const fn awaits(&self) -> Option<(Space, Kind)> {
        Some(match self {
            Self::ClientHello(_) => (Space::Initial, Kind::ClientHello),
            Self::Identity(..) => (Space::Handshake, Kind::Identity),
            Self::Proof(..) => (Space::Handshake, Kind::Proof),
            Self::Finished(..) => (Space::Handshake, Kind::Finished),
            Self::Signature(..) | Self::Done | Self::Failed(_) => return None,
        })
    }
}

/// The client's parameters, without those that only a server may send.
fn client_parameters(bytes: &[u8]) -> Result<Parameters, TransportError> {
    let parameters = decode_parameters(bytes)?;
    let servers_own = parameters.original_dcid.is_some()
        || parameters.retry_scid.is_some()
        || parameters.reset_token.is_some();
    if servers_own {
        let reason = "client sent a parameter that only a server may send";
        return Err(TransportError::new(Code::PARAMETER, reason));
    }
    Ok(parameters)
}
