//! From nothing to an established connection: construction, the handshake's outputs, Retry.

use super::idle::Idle;
use super::opening::Opening;
use super::output::MIN_FLIGHT;
use super::spaces::{Level, Spaces};
use super::tap::TapPacket;
use super::{Agreed, Connection, Counts, Event, Owed, Phase, TransportConfig, events, farewell};
use crate::cid::{CidKey, LocalIds, RemoteIds, ResetKey};
use crate::crypto::{CryptoError, Provider, Secret, Signature, Suite};
use crate::error::{Code, TransportError};
use crate::handshake::{
    BadExport, ClientConfig, Completed, Handshake, Output, PeerIdentity, ServerConfig, export,
};
use crate::ids::{ConnectionHandle, ConnectionId, Ecn, PacketNumber, Side, Space};
use crate::path::Path;
use crate::protection::{DataKeys, LevelKeys};
use crate::recovery::{Arrivals, MIN_ACK_DELAY, Recovery, Stage, TimerContext};
use crate::rng::{Rng, Seed};
use crate::stream::Streams;
use crate::time::{Duration, Time};
use crate::wire::header::Kind;
use crate::wire::parameters::Parameters;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::ops::Range;

/// Datagrams that carry the ClientHello, so that three times their size covers the server's answer:
/// about 7,050 bytes with its full identity, 5,100 without.
const FIRST_FLIGHT: usize = 3;

/// Why no keying material was exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportError {
    /// The handshake has not completed.
    NotEstablished,
    /// The label or the output is too long.
    TooLong,
}

impl core::fmt::Display for ExportError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NotEstablished => "the handshake has not completed",
            Self::TooLong => "a label is at most 250 bytes, an export at most 8160",
        })
    }
}

impl core::error::Error for ExportError {}

/// What an endpoint gives to each of its connections.
pub(crate) struct Setup {
    pub(crate) handle: ConnectionHandle,
    pub(crate) cid_key: Arc<CidKey>,
    pub(crate) reset_key: Arc<ResetKey>,
    pub(crate) seed: Seed,
    pub(crate) remote: SocketAddr,
    pub(crate) local: Option<IpAddr>,
    pub(crate) config: Arc<TransportConfig>,
}

/// What an endpoint gathered of a client's first flight.
pub(crate) struct FirstFlight {
    /// The destination that the client's packets name.
    pub(crate) dcid: ConnectionId,
    /// The client's own ID.
    pub(crate) scid: ConnectionId,
    /// The destination of the client's very first packet.
    pub(crate) original_dcid: ConnectionId,
    /// The source of the Retry that was sent, if it was.
    pub(crate) retry_scid: Option<ConnectionId>,
    /// The whole ClientHello.
    pub(crate) hello: Vec<u8>,
    /// The Initial packets that carried it.
    pub(crate) packets: Vec<(PacketNumber, Ecn)>,
    /// The same packets in the clear, where a tap is to see them.
    pub(crate) shown: Vec<OpenedInitial>,
    /// Bytes of their datagrams.
    pub(crate) received: usize,
    /// Whether a token proved the client's address.
    pub(crate) validated: bool,
}

/// An Initial packet that an endpoint opened.
pub(crate) struct OpenedInitial {
    pub(crate) number: PacketNumber,
    /// The packet, without header protection and decrypted in place.
    pub(crate) packet: Vec<u8>,
    /// Where its frames lie.
    pub(crate) payload: Range<usize>,
    /// Bytes of the datagram that it came in.
    pub(crate) datagram: usize,
}

impl Connection {
    /// A client's connection; its first flight awaits [`Self::poll_transmit`].
    pub(crate) fn client(
        now: Time,
        setup: Setup,
        config: &Arc<ClientConfig>,
    ) -> Result<Self, TransportError> {
        let mut ids = Rng::new(&setup.seed, "client dcid");
        let dcid = ConnectionId::from(ids.array());
        let provider = Arc::clone(&config.provider);
        let rng = Rng::new(&setup.seed, "handshake");
        let mut connection = Self::new(now, setup, Side::Client, provider, dcid, dcid);
        let parameters = connection.local_parameters();
        let handshake = Handshake::client(Arc::clone(config), rng, &parameters, dcid)?;
        if let Some(opening) = &mut connection.opening {
            opening.hello_len = handshake.bytes_sent() as usize;
            opening.handshake = Some(handshake);
        }
        Ok(connection)
    }

    /// A server's connection, from a client's whole first flight.
    pub(crate) fn server(
        now: Time,
        setup: Setup,
        config: &Arc<ServerConfig>,
        flight: &FirstFlight,
    ) -> Result<Self, TransportError> {
        let provider = Arc::clone(&config.provider);
        let rng = Rng::new(&setup.seed, "handshake");
        let (dcid, original) = (flight.dcid, flight.original_dcid);
        let mut connection = Self::new(now, setup, Side::Server, provider, dcid, original);
        if let Some(opening) = &mut connection.opening {
            opening.peer_scid = Some(flight.scid);
            opening.retry_scid = flight.retry_scid;
        }
        connection.remote_ids.set_first(flight.scid);
        connection.path.on_received(flight.received, 1);
        if flight.validated {
            connection.path.validate();
        }
        for OpenedInitial { number, packet, payload, datagram } in &flight.shown {
            let shown =
                TapPacket::opened(now, Kind::Initial, *number, 0, packet, payload, *datagram);
            if let (Some(tap), Some(packet)) = (&mut connection.tap, shown) {
                tap.received(&packet);
            }
        }
        let parameters = connection.local_parameters();
        let retried = flight.retry_scid.is_some();
        let config = Arc::clone(config);
        let mut handshake = Handshake::server(config, rng, parameters, original, retried);
        handshake.receive(Space::Initial, 0, &flight.hello)?;
        if let Some(opening) = &mut connection.opening {
            opening.handshake = Some(handshake);
        }
        if let Some(inbound) = connection.spaces.inbound(Space::Initial) {
            for &(number, ecn) in &flight.packets {
                inbound.window.commit(number);
                let mut arrived = Arrivals::default();
                arrived.add(number, number, true);
                inbound.acks.on_received(now, &arrived, ecn);
            }
        }
        connection.drive_handshake(now)?;
        Ok(connection)
    }

    fn new(
        now: Time,
        setup: Setup,
        side: Side,
        provider: Arc<dyn Provider>,
        initial_dcid: ConnectionId,
        original_dcid: ConnectionId,
    ) -> Self {
        let Setup { handle, cid_key, reset_key, seed, remote, local, config } = setup;
        let config = config.clamped();
        let local_ids = LocalIds::new(handle, cid_key, reset_key);
        let first_id = local_ids.first();
        let keys = LevelKeys::initial(&*provider, &initial_dcid, side);
        let deadline = now + config.handshake_timeout;
        let opening = Opening::new(now, deadline, initial_dcid, original_dcid);
        let idle = Idle::new(now, config.idle_timeout, config.keep_alive);
        Self {
            side,
            handle,
            phase: Phase::Handshake,
            rng: Rng::new(&seed, "connection"),
            now,
            spaces: Spaces::new(keys, config.max_ack_delay),
            recovery: Recovery::new(side, now),
            path: Path::new(&config.path(), now, remote, local, side == Side::Client),
            streams: Streams::new(side, &config.streams),
            untidy: false,
            datagram: 0,
            local_ids,
            remote_ids: RemoteIds::new(initial_dcid),
            opening: Some(Box::new(opening)),
            agreed: None,
            peer_keys: None,
            suite: None,
            confirmed: false,
            owed: Owed::default(),
            last_dcid: first_id,
            idle,
            paced_until: None,
            peer_validated: false,
            close: farewell::Close::default(),
            events: events::Events::default(),
            counts: Counts::default(),
            sent: Vec::new(),
            tap: config.taps.as_ref().and_then(|taps| taps.tap(handle, side)),
            config,
            provider,
        }
    }

    /// What this end tells the other about itself.
    fn local_parameters(&self) -> Parameters {
        let server = self.side == Side::Server;
        let opening = self.opening.as_ref().filter(|_| server);
        let scid = self.local_ids.first();
        let mut parameters = Parameters {
            original_dcid: opening.map(|opening| opening.original_dcid),
            initial_scid: Some(scid),
            retry_scid: opening.and_then(|opening| opening.retry_scid),
            reset_token: server.then(|| self.local_ids.first_reset_token()),
            idle_timeout_ms: self.config.idle_timeout.map_or(0, |t| t.as_millis() as u64),
            max_ack_delay_ms: self.config.max_ack_delay.as_millis() as u64,
            cid_limit: crate::cid::MAX_ACTIVE as u64,
            min_ack_delay_micros: Some(
                MIN_ACK_DELAY.min(self.config.max_ack_delay).as_micros() as u64
            ),
            ..Parameters::default()
        };
        self.config.streams.announce(&mut parameters);
        parameters
    }

    /// Answers [`Event::Sign`]. An error closes the connection.
    pub fn provide_signature(&mut self, now: Time, signature: Result<Signature, CryptoError>) {
        let now = self.clock(now);
        let open = self.phase.is_open();
        let Some(handshake) = self.handshake_mut().filter(|_| open) else { return };
        let result =
            handshake.provide_signature(signature).and_then(|()| self.drive_handshake(now));
        if let Err(error) = result {
            self.fail(now, error);
        }
    }

    /// Fills `out` (at most 8160 bytes) with keying material that only the two ends know, bound to
    /// `label` (at most 250 bytes) and `context`: both ends get the same for the same (RFC 8446, section 7.5).
    pub fn export_keying_material(
        &self,
        label: &[u8],
        context: &[u8],
        out: &mut [u8],
    ) -> Result<(), ExportError> {
        let agreed = self.agreed.as_ref().ok_or(ExportError::NotEstablished)?;
        export(&*self.provider, &agreed.exporter, label, context, out)
            .map_err(|BadExport { .. }| ExportError::TooLong)
    }

    /// Acts on what the handshake has to say.
    pub(super) fn drive_handshake(&mut self, now: Time) -> Result<(), TransportError> {
        while let Some(output) = self.handshake_mut().and_then(Handshake::poll) {
            match output {
                Output::Keys { space, suite, seal, open } => {
                    self.install(space, suite, &seal, &open);
                    self.replay_deferred(now)?;
                }
                Output::PeerParameters(parameters) => self.on_peer_parameters(&parameters)?,
                Output::Sign(request) => self.events.push(Event::Sign(request)),
                Output::Complete(completed) => {
                    self.agree(now, completed);
                    self.phase = Phase::Established;
                    self.events.push(Event::Connected);
                    if self.side == Side::Server {
                        self.owed.handshake_done = true;
                        self.confirm();
                    }
                }
            }
        }
        Ok(())
    }

    /// Keeps of a handshake what lasts as long as the connection does, and the peer's keys until it rests.
    fn agree(&mut self, now: Time, completed: Completed) {
        let Completed { alpn, peer, exporter, .. } = completed;
        let alpn = alpn.map(Vec::into_boxed_slice);
        let took = self.opening.as_ref().map_or(Duration::ZERO, |opening| now - opening.began);
        let identity = peer.as_ref().map(PeerIdentity::from);
        self.agreed = Some(Box::new(Agreed { alpn, peer: identity, exporter, took }));
        self.peer_keys = peer.map(Box::new);
    }

    fn install(&mut self, space: Space, suite: Suite, seal: &Secret, open: &Secret) {
        self.suite = Some(suite);
        match space {
            Space::Initial => {}
            Space::Handshake => {
                let keys = LevelKeys::new(&*self.provider, suite, seal, open);
                self.spaces.handshake = Some(Level::new(space, keys));
            }
            Space::Data => {
                let provider = Arc::clone(&self.provider);
                let keys = DataKeys::new(provider, suite, seal, open);
                self.spaces.data_keys = Some(Box::new(keys));
            }
        }
    }

    /// Takes the peer's parameters, now authenticated, and checks that every connection ID that was
    /// seen in the open is the one that the peer meant (RFC 9000, section 7.3).
    fn on_peer_parameters(&mut self, peer: &Parameters) -> Result<(), TransportError> {
        const OTHERS: TransportError =
            TransportError::new(Code::PARAMETER, "connection IDs do not match");
        let opening = self.opening.as_ref().ok_or(OTHERS)?;
        let expected = match self.side {
            Side::Client => (Some(opening.original_dcid), opening.peer_scid, opening.retry_scid),
            Side::Server => (None, opening.peer_scid, None),
        };
        if (peer.original_dcid, peer.initial_scid, peer.retry_scid) != expected {
            return Err(OTHERS);
        }
        if let Some(token) = peer.reset_token {
            if self.side == Side::Server {
                return Err(TransportError::new(Code::PARAMETER, "a client has no reset token"));
            }
            self.remote_ids.set_first_reset_token(token);
        }
        self.idle.negotiate(Duration::from_millis(peer.idle_timeout_ms));
        self.path.set_peer_datagram_limit(peer.max_datagram);
        let min_ack_delay = peer.min_ack_delay_micros.map(Duration::from_micros);
        self.path.frequency_mut().set_peer(peer.max_ack_delay(), min_ack_delay);
        self.streams.set_peer_parameters(peer);
        self.local_ids.set_peer_limit(peer.cid_limit);
        Ok(())
    }

    /// A server asks for proof of our address: the same ClientHello goes out again, with the token.
    pub(super) fn on_retry(&mut self, scid: ConnectionId, token: Vec<u8>) {
        if let Some(opening) = &mut self.opening {
            opening.retry_scid = Some(scid);
            opening.initial_dcid = scid;
            opening.token = token;
        }
        self.remote_ids = RemoteIds::new(scid);
        let keys = LevelKeys::initial(&*self.provider, &scid, Side::Client);
        if let Some(level) = &mut self.spaces.initial {
            level.keys = keys;
        }
        let ((recovery, _), mut fates) = self.fates();
        recovery.on_retry(&mut fates);
        if let Some(handshake) = self.handshake_mut() {
            handshake.on_retry();
        }
    }

    /// The handshake, until it is confirmed.
    pub(super) fn handshake(&self) -> Option<&Handshake> {
        self.opening.as_ref()?.handshake.as_ref()
    }

    /// The same, to go on with.
    pub(super) fn handshake_mut(&mut self) -> Option<&mut Handshake> {
        self.opening.as_mut()?.handshake.as_mut()
    }

    /// Forgets a space of the handshake, with what was in flight in it.
    pub(super) fn discard(&mut self, space: Space) {
        let Some(opening) = &mut self.opening else { return };
        if self.spaces.can_seal(space) {
            let level = self.spaces.level(space);
            opening.forgeries += level.map_or(0, |level| level.keys.forgeries());
            self.spaces.discard(space);
            self.recovery.discard(space);
        }
        // The limit is over all keys of the connection (`spec/05-protection.md`, 5.9).
        if let Some(keys) = &mut self.spaces.data_keys {
            let forgeries = core::mem::take(&mut opening.forgeries);
            if let Err(error) = keys.add_forgeries(forgeries) {
                self.fail(self.now, error);
            }
        }
    }

    /// How many handshake bytes a packet may hold. A ClientHello is spread over the first flight.
    pub(super) fn crypto_limit(&self, space: Space) -> usize {
        match (self.side, space) {
            (Side::Client, Space::Initial) => {
                let len = self.opening.as_ref().map_or(0, |opening| opening.hello_len);
                len.div_ceil(FIRST_FLIGHT)
            }
            _ => usize::MAX,
        }
    }

    /// What decides which timers run (RFC 9002, section 6.2).
    pub(super) fn timer_context(&self) -> TimerContext {
        let stage = match &self.spaces.handshake {
            _ if self.confirmed => Stage::Confirmed,
            Some(_) => Stage::Handshake,
            None => Stage::Initial,
        };
        TimerContext {
            max_ack_delay: self.peer_ack_delay(),
            acks: self.path.frequency().policy(),
            stage,
            peer_validated_address: self.side == Side::Server
                || self.confirmed
                || self.peer_validated,
            can_send: self.path.amplification_budget() >= MIN_FLIGHT as u64,
        }
    }
}
