//! Two engines and a wire with a delay, in virtual time, with the secrets and the packet numbers that it
//! takes to forge.

#![allow(dead_code, reason = "each test asks for its part")]
#![allow(clippy::unwrap_used, reason = "a pair that cannot be made is a failure")]

use jsp_proto::connection::{
    Connection, Event, Refusal, Tap, TapFactory, TapPacket, TransportConfig,
};
use jsp_proto::crypto::rustcrypto::RustCrypto;
use jsp_proto::crypto::{IdentitySecret, Provider, Secret, Signer};
use jsp_proto::endpoint::{ClientConfig, Endpoint, EndpointConfig, Routed, ServerConfig};
use jsp_proto::error::CloseReason;
use jsp_proto::handshake::{self, AcceptAny, Identity, IdentitySet, KeyLog, label};
use jsp_proto::ids::{ConnectionHandle, ConnectionId, Ecn, PacketNumber, PathId, Side, Space};
use jsp_proto::protection::SealKey;
use jsp_proto::record::Received;
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::{Duration, Time};
use jsp_proto::wire::frame::Frame;
use jsp_proto::wire::header::{Kind, encode_short};
use jsp_proto::wire::{Put, TruncatedNumber, Writer};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// One way across the wire.
const DELAY: Duration = Duration::from_millis(10);

/// What one end's tap noted.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Numbers of Data packets in the order of sending.
    pub(crate) numbers: Vec<u64>,
    /// Key generation of the last of them.
    pub(crate) generation: u64,
    /// Destination of the last of them.
    pub(crate) dcid: [u8; ConnectionId::LEN],
    pub(crate) refused: Vec<Refusal>,
    pub(crate) lost: usize,
}

/// Notes and secrets of the client and the server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    notes: Arc<Mutex<[Notes; 2]>>,
    secrets: Arc<Mutex<[[u8; 32]; 2]>>,
}

impl Book {
    pub(crate) fn of<T>(&self, side: Side, read: impl FnOnce(&mut Notes) -> T) -> T {
        read(&mut self.notes.lock().unwrap()[usize::from(side == Side::Server)])
    }
}

impl KeyLog for Book {
    fn log(&self, name: &str, _: &[u8; 32], secret: &[u8]) {
        let mut secrets = self.secrets.lock().unwrap();
        match name {
            label::CLIENT_TRAFFIC => secrets[0].copy_from_slice(secret),
            label::SERVER_TRAFFIC => secrets[1].copy_from_slice(secret),
            _ => {}
        }
    }
}

#[derive(Debug)]
struct Watch(Book, Side);

impl Tap for Watch {
    fn sent(&mut self, packet: &TapPacket<'_>) {
        if packet.kind == Kind::Data {
            self.0.of(self.1, |notes| {
                notes.numbers.push(packet.number.0);
                notes.generation = packet.generation;
                notes.dcid.copy_from_slice(&packet.header[1..=ConnectionId::LEN]);
            });
        }
    }

    fn received(&mut self, _: &TapPacket<'_>) {}

    fn lost(&mut self, _: Time, _: Space, _: PacketNumber) {
        self.0.of(self.1, |notes| notes.lost += 1);
    }

    fn refused(&mut self, _: Time, kind: Kind, why: Refusal) {
        if kind == Kind::Data {
            self.0.of(self.1, |notes| notes.refused.push(why));
        }
    }
}

impl TapFactory for Book {
    fn tap(&self, _: ConnectionHandle, side: Side) -> Option<Box<dyn Tap>> {
        Some(Box::new(Watch(self.clone(), side)))
    }
}

/// A client, a server and the wire between them.
pub(crate) struct Pair {
    pub(crate) now: Time,
    pub(crate) client: Connection,
    pub(crate) server: Option<Connection>,
    pub(crate) book: Book,
    pub(crate) events: [Vec<Event>; 2],
    endpoint: Endpoint,
    signer: Box<dyn Signer>,
    wire: Vec<(Time, Side, Vec<u8>)>,
}

fn address(side: Side) -> SocketAddr {
    let host = if side == Side::Client { 1 } else { 2 };
    SocketAddr::from(([192, 0, 2, host], 4000))
}

impl Pair {
    /// A client that has sent nothing yet; both ends have these settings.
    pub(crate) fn new(transport: TransportConfig) -> Self {
        let provider: Arc<dyn Provider> = Arc::new(RustCrypto);
        let secret = IdentitySecret { ed25519: [1; 32], ml_dsa: Some([2; 32]) };
        let signer = provider.signer(&secret).unwrap();
        let identity = Identity::new(&*provider, signer.public().clone());
        let book = Book::default();
        let transport =
            Arc::new(TransportConfig { taps: Some(Arc::new(book.clone())), ..transport });
        let mut client = handshake::ClientConfig::new(Arc::clone(&provider), Arc::new(AcceptAny));
        client.key_log = Some(Arc::new(book.clone()));
        let client =
            ClientConfig { handshake: Arc::new(client), transport: Arc::clone(&transport) };
        let server =
            handshake::ServerConfig::new(Arc::clone(&provider), IdentitySet::single(identity));
        let mut endpoints = [1, 2].map(|seed| {
            Endpoint::new(EndpointConfig::new(Arc::clone(&provider)), &Seed::from_u64(seed))
        });
        endpoints[1]
            .set_server(Some(Arc::new(ServerConfig { handshake: Arc::new(server), transport })));
        let now = Time::from_nanos(1_000_000_000);
        let client = endpoints[0].connect(now, &client, address(Side::Server), None).unwrap();
        let [_, endpoint] = endpoints;
        Self {
            now,
            client,
            server: None,
            book,
            events: [Vec::new(), Vec::new()],
            endpoint,
            signer,
            wire: Vec::new(),
        }
    }

    /// A pair that is connected.
    pub(crate) fn connected(transport: TransportConfig) -> Self {
        let mut pair = Self::new(transport);
        pair.run(Duration::from_millis(500));
        assert!(pair.client.is_established() && pair.server().is_established());
        pair
    }

    pub(crate) fn server(&mut self) -> &mut Connection {
        self.server.as_mut().expect("the server has a connection")
    }

    /// Why an end's connection is over, if it is.
    pub(crate) fn closed(&self, side: Side) -> Option<&CloseReason> {
        self.events[usize::from(side == Side::Server)].iter().find_map(|event| match event {
            Event::Closed(reason) => Some(reason),
            _ => None,
        })
    }

    /// Lets `span` pass and delivers everything.
    pub(crate) fn run(&mut self, span: Duration) {
        self.run_with(span, |_, _| true);
    }

    /// Lets `span` pass, and delivers what `arrives` allows; it sees who sent a datagram.
    pub(crate) fn run_with(
        &mut self,
        span: Duration,
        mut arrives: impl FnMut(Side, &[u8]) -> bool,
    ) {
        let end = self.now + span;
        while self.now < end {
            let due = self.wire.iter().take_while(|(at, ..)| *at <= self.now).count();
            for (_, from, datagram) in self.wire.drain(..due).collect::<Vec<_>>() {
                self.deliver(from, datagram);
            }
            self.client.handle_timeout(self.now);
            if let Some(server) = &mut self.server {
                server.handle_timeout(self.now);
            }
            for (from, datagram) in self.flush() {
                if arrives(from, &datagram) {
                    self.wire.push((self.now + DELAY, from, datagram));
                }
            }
            self.now += DELAY / 5;
        }
    }

    /// What both ends have to send now.
    pub(crate) fn flush(&mut self) -> Vec<(Side, Vec<u8>)> {
        let mut sent = Vec::new();
        let mut out = vec![0; 65_535];
        let sides = [(Side::Client, Some(&mut self.client)), (Side::Server, self.server.as_mut())];
        for (side, connection) in sides {
            let Some(connection) = connection else { continue };
            while let Some(event) = connection.poll_event() {
                if let Event::Sign(request) = &event {
                    let mut rng = Rng::new(&Seed::from_u64(3), "sign");
                    let signature = self.signer.sign(&mut rng, &request.message);
                    connection.provide_signature(self.now, signature);
                }
                self.events[usize::from(side == Side::Server)].push(event);
            }
            while let Some(transmit) = connection.poll_transmit(self.now, &mut out, 64) {
                sent.extend(
                    out[..transmit.len].chunks(transmit.segment).map(|d| (side, d.to_vec())),
                );
                assert!(sent.len() < 10_000, "it never ends");
            }
        }
        sent
    }

    /// Hands a datagram that `from` sent to the other end.
    pub(crate) fn deliver(&mut self, from: Side, mut datagram: Vec<u8>) {
        let meta = Received { remote: address(from), local: None, ecn: Ecn::NotEct };
        let len = datagram.len();
        if from == Side::Server {
            return self.client.handle_datagrams(self.now, &meta, &mut datagram, len);
        }
        let mut reply = [0; 1500];
        match self.endpoint.handle(self.now, &meta, &mut datagram, &mut reply) {
            Routed::Incoming(incoming) if self.server.is_none() => {
                let accepted = self.endpoint.accept(self.now, &incoming, None, &mut reply);
                self.server = Some(accepted.unwrap());
            }
            Routed::Connection(_) => {
                if let Some(server) = &mut self.server {
                    server.handle_datagrams(self.now, &meta, &mut datagram, len);
                }
            }
            _ => {}
        }
    }

    /// A Data packet with `frames`, sealed as `from` would seal it, under a number that it has not used.
    pub(crate) fn forge(&mut self, from: Side, frames: &[Frame<'_>]) -> Vec<u8> {
        let (last, generation, dcid) = self.book.of(from, |notes| {
            (notes.numbers.last().copied().unwrap_or(0), notes.generation, notes.dcid)
        });
        let number = PacketNumber(last + 100);
        let truncated = TruncatedNumber::new(number, None);
        let mut packet = vec![0; 1200];
        let mut w = Writer::new(&mut packet);
        let dcid = ConnectionId::from(dcid);
        let header = encode_short(&mut w, &dcid, generation & 1 == 1, truncated).unwrap();
        for frame in frames {
            frame.encode(&mut w).unwrap();
        }
        // PADDING, so that header protection has enough to sample; then room for the tag.
        w.put(&[0; 4]).unwrap();
        w.put(&[0; 16]).unwrap();
        let len = w.len();
        packet.truncate(len);
        let secret = self.book.secrets.lock().unwrap()[usize::from(from == Side::Server)];
        let suite = self.client.suite().unwrap();
        let key = SealKey::of_generation(&RustCrypto, suite, &Secret::new(secret), generation);
        key.seal(PathId(0), number, &mut packet, header.number_at, truncated.len());
        packet
    }
}
