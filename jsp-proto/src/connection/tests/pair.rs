//! Two connections and a wire between them that delivers everything, until a test says otherwise.

use crate::connection::opening::Opening;
use crate::connection::{Connection, Event, TransportConfig};
use crate::crypto::rustcrypto::RustCrypto;
use crate::crypto::{IdentitySecret, Provider, Signature, Signer, TAG_LEN};
use crate::endpoint::{ClientConfig, Endpoint, EndpointConfig, Incoming, Routed, ServerConfig};
use crate::error::{CloseReason, Code, TransportError};
use crate::handshake::{self, Identity, IdentitySet, Pinned};
use crate::ids::{Ecn, PacketNumber, PathId, Space};
use crate::protection::WINDOW;
use crate::record::{Received, Transmit};
use crate::rng::{Rng, Seed};
use crate::time::{Duration, Time};
use crate::wire::frame::Frame;
use crate::wire::header::{Kind, encode_long, encode_short, set_length};
use crate::wire::{Put, TruncatedNumber, Writer};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;

/// One way across the wire.
pub(super) const DELAY: Duration = Duration::from_millis(10);

pub(super) fn client_address() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 1000))
}

pub(super) fn server_address() -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 1], 2000))
}

pub(super) fn from(remote: SocketAddr) -> Received {
    Received { remote, local: None, ecn: Ecn::NotEct }
}

/// The server's private keys.
pub(super) fn server_signer() -> Box<dyn Signer> {
    let secret = IdentitySecret { ed25519: [1; 32], ml_dsa: Some([2; 32]) };
    RustCrypto.signer(&secret).unwrap()
}

/// The client's private keys, where it proves an identity.
pub(super) fn client_signer() -> Box<dyn Signer> {
    let secret = IdentitySecret { ed25519: [3; 32], ml_dsa: Some([4; 32]) };
    RustCrypto.signer(&secret).unwrap()
}

/// Why a connection ended, if it has.
pub(super) fn closed(events: &[Event]) -> Option<&CloseReason> {
    events.iter().find_map(|event| match event {
        Event::Closed(reason) => Some(reason),
        _ => None,
    })
}

/// The code of the fault that a connection found, if it ended by one.
pub(super) fn fault(events: &[Event]) -> Option<Code> {
    match closed(events) {
        Some(CloseReason::LocalError(error)) => Some(error.code),
        _ => None,
    }
}

/// What a connection knows whose handshake is not confirmed.
pub(super) fn opening(connection: &Connection) -> &Opening {
    connection.opening.as_deref().unwrap()
}

/// A client, a server and the wire.
pub(super) struct Pair {
    pub(super) now: Time,
    pub(super) server_endpoint: Endpoint,
    pub(super) client: Connection,
    pub(super) server: Option<Connection>,
    signer: Box<dyn Signer>,
    client_signer: Box<dyn Signer>,
    /// What becomes of the server's signatures, and of the client's.
    pub(super) tamper: [fn(&mut Signature); 2],
    /// Why the server's endpoint turned the client away.
    pub(super) refused: Option<TransportError>,
    /// Bytes that reached the server, and bytes that its endpoint answered without a connection.
    pub(super) arrived: usize,
    pub(super) answered: usize,
    rng: Rng,
    /// What is under way: when it arrives, and whether the client sent it.
    wire: Vec<(Time, bool, Vec<u8>)>,
    /// Everything that was sent: by the client (true) or the server, in order.
    pub(super) log: Vec<(bool, Vec<u8>)>,
    pub(super) client_events: Vec<Event>,
    pub(super) server_events: Vec<Event>,
}

impl Pair {
    /// A client that has not sent anything yet.
    pub(super) fn new() -> Self {
        Self::with(TransportConfig::default(), TransportConfig::default())
    }

    pub(super) fn with(client: TransportConfig, server: TransportConfig) -> Self {
        Self::build(client, server, |_, _| {})
    }

    /// The same with other handshakes.
    pub(super) fn with_handshake(
        edit: impl FnOnce(&mut handshake::ClientConfig, &mut handshake::ServerConfig),
    ) -> Self {
        Self::build(TransportConfig::default(), TransportConfig::default(), edit)
    }

    fn build(
        client: TransportConfig,
        server: TransportConfig,
        edit: impl FnOnce(&mut handshake::ClientConfig, &mut handshake::ServerConfig),
    ) -> Self {
        let provider: Arc<dyn Provider> = Arc::new(RustCrypto);
        let signer = server_signer();
        let identity = Identity::new(&*provider, signer.public().clone());
        let verifier = Arc::new(Pinned::new(identity.fingerprint()));
        let identities = IdentitySet::single(identity);
        let mut client_side = handshake::ClientConfig::new(Arc::clone(&provider), verifier);
        let mut server_side = handshake::ServerConfig::new(Arc::clone(&provider), identities);
        edit(&mut client_side, &mut server_side);
        let client_config =
            ClientConfig { handshake: Arc::new(client_side), transport: Arc::new(client) };
        let server_config =
            ServerConfig { handshake: Arc::new(server_side), transport: Arc::new(server) };
        let endpoint =
            |seed| Endpoint::new(EndpointConfig::new(Arc::clone(&provider)), &Seed::from_u64(seed));
        let (mut client_endpoint, mut server_endpoint) = (endpoint(1), endpoint(2));
        server_endpoint.set_server(Some(Arc::new(server_config)));
        let now = Time::from_nanos(1_000_000_000);
        let client = client_endpoint.connect(now, &client_config, server_address(), None).unwrap();
        Self {
            now,
            server_endpoint,
            client,
            server: None,
            signer,
            client_signer: client_signer(),
            tamper: [|_| {}; 2],
            refused: None,
            arrived: 0,
            answered: 0,
            rng: Rng::new(&Seed::from_u64(3), "sign"),
            wire: Vec::new(),
            log: Vec::new(),
            client_events: Vec::new(),
            server_events: Vec::new(),
        }
    }

    /// A pair whose handshake is confirmed on both sides, with nothing left to say.
    pub(super) fn connected() -> Self {
        let mut pair = Self::new();
        pair.run(Duration::from_millis(500));
        assert!(pair.client.is_established() && pair.client.confirmed);
        assert!(pair.server().confirmed);
        pair
    }

    pub(super) fn server(&mut self) -> &mut Connection {
        self.server.as_mut().expect("the server has a connection")
    }

    /// What a side has to send now.
    pub(super) fn flush(connection: &mut Connection, now: Time) -> Vec<Vec<u8>> {
        let mut out = vec![0; 65_535];
        let mut datagrams = Vec::new();
        while let Some(Transmit { len, segment, .. }) = connection.poll_transmit(now, &mut out, 64)
        {
            datagrams.extend(out[..len].chunks(segment).map(<[u8]>::to_vec));
            assert!(datagrams.len() < 100_000, "it never ends");
        }
        if let Some(timeout) = connection.next_timeout() {
            assert!(timeout > now, "drained, yet {timeout:?} is not after {now:?}");
        }
        datagrams
    }

    pub(super) fn flush_client(&mut self) -> Vec<Vec<u8>> {
        while let Some(event) = self.client.poll_event() {
            if let Event::Sign(request) = &event {
                let mut signature = self.client_signer.sign(&mut self.rng, &request.message);
                signature.iter_mut().for_each(self.tamper[1]);
                self.client.provide_signature(self.now, signature);
            }
            self.client_events.push(event);
        }
        let datagrams = Self::flush(&mut self.client, self.now);
        self.log.extend(datagrams.iter().map(|datagram| (true, datagram.clone())));
        datagrams
    }

    pub(super) fn flush_server(&mut self) -> Vec<Vec<u8>> {
        let Some(server) = &mut self.server else { return Vec::new() };
        while let Some(event) = server.poll_event() {
            if let Event::Sign(request) = &event {
                let mut signature = self.signer.sign(&mut self.rng, &request.message);
                signature.iter_mut().for_each(self.tamper[0]);
                server.provide_signature(self.now, signature);
            }
            self.server_events.push(event);
        }
        let datagrams = Self::flush(server, self.now);
        self.log.extend(datagrams.iter().map(|datagram| (false, datagram.clone())));
        datagrams
    }

    /// Hands a datagram to the server's endpoint, as from `remote`; returns a stateless answer.
    pub(super) fn at_server(&mut self, remote: SocketAddr, datagram: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = datagram.to_vec();
        let mut reply = vec![0; 1500];
        self.arrived += datagram.len();
        match self.server_endpoint.handle(self.now, &from(remote), &mut bytes, &mut reply) {
            Routed::Connection(_) | Routed::Stray => {
                if let Some(server) = &mut self.server {
                    let len = bytes.len();
                    server.handle_datagrams(self.now, &from(remote), &mut bytes, len);
                }
                None
            }
            Routed::Incoming(incoming) => self.accept(&incoming, reply),
            Routed::Reply(transmit) => {
                self.answered += transmit.len;
                Some(reply[..transmit.len].to_vec())
            }
            Routed::Dropped => None,
        }
    }

    /// Takes the first client that comes; one that is turned away is told so.
    fn accept(&mut self, incoming: &Incoming, mut reply: Vec<u8>) -> Option<Vec<u8>> {
        if self.server.is_some() {
            return None;
        }
        match self.server_endpoint.accept(self.now, incoming, None, &mut reply) {
            Ok(connection) => {
                self.server = Some(connection);
                None
            }
            Err(refusal) => {
                self.refused = Some(refusal.error);
                let len = refusal.transmit?.len;
                self.answered += len;
                reply.truncate(len);
                Some(reply)
            }
        }
    }

    pub(super) fn at_client(&mut self, datagram: &[u8]) {
        let mut bytes = datagram.to_vec();
        let len = bytes.len();
        self.client.handle_datagrams(self.now, &from(server_address()), &mut bytes, len);
    }

    /// Lets `span` pass, delivering everything after [`DELAY`], in steps of half of that.
    pub(super) fn run(&mut self, span: Duration) {
        self.run_with(span, |_, datagram| Some(datagram));
    }

    /// The same, through `filter`, which sees who sent each datagram (the client: true).
    pub(super) fn run_with(
        &mut self,
        span: Duration,
        mut filter: impl FnMut(bool, Vec<u8>) -> Option<Vec<u8>>,
    ) {
        let end = self.now + span;
        while self.now < end {
            let due = self.wire.iter().take_while(|(at, ..)| *at <= self.now).count();
            for (_, from_client, datagram) in self.wire.drain(..due).collect::<Vec<_>>() {
                if from_client {
                    if let Some(reply) = self.at_server(client_address(), &datagram) {
                        self.wire.push((self.now + DELAY, false, reply));
                    }
                } else {
                    self.at_client(&datagram);
                }
            }
            self.client.handle_timeout(self.now);
            if let Some(server) = &mut self.server {
                server.handle_timeout(self.now);
            }
            let at = self.now + DELAY;
            let sent = self.flush_client().into_iter().map(|datagram| (true, datagram));
            let sent: Vec<_> = sent.collect();
            let answers: Vec<_> =
                self.flush_server().into_iter().map(|datagram| (false, datagram)).collect();
            for (from_client, datagram) in sent.into_iter().chain(answers) {
                if let Some(datagram) = filter(from_client, datagram) {
                    self.wire.push((at, from_client, datagram));
                }
            }
            self.now += DELAY / 2;
        }
    }
}

/// Seals a packet of arbitrary frames with a connection's own keys and next number: what a peer that
/// means harm can send.
pub(super) fn craft(connection: &mut Connection, space: Space, frames: &[Frame<'_>]) -> Vec<u8> {
    let mut payload = Vec::new();
    for frame in frames {
        frame.encode(&mut payload).unwrap();
    }
    craft_payload(connection, space, &payload)
}

/// The same, of any payload.
pub(super) fn craft_payload(connection: &mut Connection, space: Space, payload: &[u8]) -> Vec<u8> {
    let number = connection.recovery.next_number(space, &mut connection.rng);
    let packet = seal(connection, space, number, payload);
    let record = crate::record::SentPacket {
        time: connection.now,
        size: packet.len() as u16,
        ack_eliciting: true,
        mtu_probe: false,
        ecn: Ecn::NotEct,
    };
    connection.recovery.on_sent(space, number, &record, &[]);
    packet
}

/// Seals `payload` as packet `number`, padded to what header protection samples.
pub(super) fn seal(
    connection: &mut Connection,
    space: Space,
    number: PacketNumber,
    payload: &[u8],
) -> Vec<u8> {
    let mut datagram = vec![0; 66_000];
    let mut w = Writer::new(&mut datagram);
    let truncated = TruncatedNumber::overtaken(
        number,
        connection.recovery.largest_acked(space),
        if space == Space::Data { WINDOW } else { 0 },
    );
    let dcid = connection.remote_ids.current();
    let header = if space == Space::Data {
        let phase = connection.spaces.data_keys.as_ref().unwrap().phase();
        encode_short(&mut w, &dcid, phase, truncated)
    } else {
        let kind = if space == Space::Initial { Kind::Initial } else { Kind::Handshake };
        encode_long(&mut w, kind, &dcid, &connection.local_ids.first(), &[], truncated)
    }
    .unwrap();
    w.put(payload).unwrap();
    let padding = 4usize.saturating_sub(truncated.len() + payload.len());
    w.put(&vec![0; padding]).unwrap();
    w.put(&[0; TAG_LEN]).unwrap();
    let len = w.len();
    datagram.truncate(len);
    if let Some(at) = header.length_at {
        let field = (&mut datagram[at..at + 2]).try_into().unwrap();
        set_length(field, len - header.number_at);
    }
    let at = header.number_at;
    if space == Space::Data {
        let keys = connection.spaces.data_keys.as_mut().unwrap();
        keys.seal(PathId(0), number, &mut datagram, at, truncated.len()).unwrap();
    } else {
        let level = connection.spaces.level(space).unwrap();
        level.keys.seal(number, &mut datagram, at, truncated.len()).unwrap();
    }
    datagram
}
