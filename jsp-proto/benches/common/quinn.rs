//! The peer: quinn-proto's engine between the same two hosts, with the same windows, packets and trains.
//!
//! It is given the best case: a train goes into its router without the copy that its driver makes.

use super::quinn_clear::NoCipher;
use super::talk::Talk;
use super::{PACKET, Shielding, WINDOW};
use crate::bulk::Ends;
use bytes::{Bytes, BytesMut};
use jsp_proto::ids::Side;
use quinn_proto::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn_proto::crypto::{self};
use quinn_proto::{
    ClientConfig, Connection, ConnectionEvent, ConnectionHandle, DatagramEvent, Dir, EcnCodepoint,
    Endpoint, EndpointConfig, ServerConfig, StreamId, Transmit, TransportConfig,
};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{RootCertStore, SupportedCipherSuite};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// As many as ours puts into a train of such packets.
const SEGMENTS: usize = 65_507 / PACKET as usize;

/// AES-256-GCM and X25519MLKEM768, nothing else.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384],
        kx_groups: vec![aws_lc_rs::kx_group::X25519MLKEM768],
        ..aws_lc_rs::default_provider()
    })
}

fn initial() -> rustls::quic::Suite {
    let SupportedCipherSuite::Tls13(suite) = aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
    suite.quic_suite().unwrap()
}

/// TLS of both sides, with an Ed25519 certificate.
fn tls() -> (Arc<dyn crypto::ClientConfig>, Arc<dyn crypto::ServerConfig>) {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let cert = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
    let cert = cert.self_signed(&key).unwrap().der().clone();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let mut roots = RootCertStore::empty();
    roots.add(cert.clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert], key)
        .unwrap();
    (
        Arc::new(QuicClientConfig::with_initial(Arc::new(client), initial()).unwrap()),
        Arc::new(QuicServerConfig::with_initial(Arc::new(server), initial()).unwrap()),
    )
}

fn transport(keep_alive: Option<Duration>) -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    transport
        .keep_alive_interval(keep_alive)
        .stream_receive_window(WINDOW.into())
        .receive_window(WINDOW.into())
        .send_window(WINDOW.into())
        .initial_mtu(PACKET)
        .min_mtu(PACKET)
        .mtu_discovery_config(None);
    Arc::new(transport)
}

/// One host: a router and its connection.
struct Host {
    address: SocketAddr,
    router: Endpoint,
    connection: Option<(ConnectionHandle, Connection)>,
}

impl Host {
    fn new(port: u16, server: Option<Arc<ServerConfig>>) -> Self {
        let mut config = EndpointConfig::default();
        config.rng_seed(Some([port as u8; 32]));
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            router: Endpoint::new(Arc::new(config), server, true, None),
            connection: None,
        }
    }

    fn connection(&mut self) -> &mut Connection {
        &mut self.connection.as_mut().expect("a connection").1
    }

    fn is_established(&self) -> bool {
        self.connection.as_ref().is_some_and(|(_, connection)| !connection.is_handshaking())
    }

    fn send(&mut self, now: Instant, train: &mut Train) -> u64 {
        let Some((_, connection)) = &mut self.connection else { return 0 };
        train.from = self.address;
        train.buffer.reserve(65_535);
        let sent = connection.poll_transmit(now, SEGMENTS, &mut train.buffer);
        let Some(Transmit { size, segment_size, ecn, .. }) = sent else { return 0 };
        train.segment = segment_size.unwrap_or(size);
        train.ecn = ecn;
        size.div_ceil(train.segment) as u64
    }

    /// Routes a train as the driver does: datagram by datagram.
    fn take(&mut self, now: Instant, train: &mut Train) {
        let mut bytes = BytesMut::from(Bytes::from(std::mem::take(&mut train.buffer)));
        let mut reply = Vec::new();
        while !bytes.is_empty() {
            let datagram = bytes.split_to(train.segment.min(bytes.len()));
            match self.router.handle(now, train.from, None, train.ecn, datagram, &mut reply) {
                Some(DatagramEvent::ConnectionEvent(_, event)) => {
                    self.connection().handle_event(event);
                }
                Some(DatagramEvent::NewConnection(incoming)) => {
                    let accepted = self.router.accept(incoming, now, &mut reply, None);
                    self.connection = accepted.ok();
                }
                Some(DatagramEvent::Response(_)) | None => {}
            }
        }
        self.settle();
        while self.connection().poll().is_some() {}
    }

    /// Passes on what router and connection have to tell each other.
    fn settle(&mut self) {
        let (handle, connection) = self.connection.as_mut().expect("a connection");
        while let Some(event) = connection.poll_endpoint_events() {
            if let Some(event) = self.router.handle_event(*handle, event) {
                connection.handle_event(event);
            }
        }
    }
}

/// Datagrams of one size on their way, as one system call carries them.
struct Train {
    from: SocketAddr,
    segment: usize,
    ecn: Option<EcnCodepoint>,
    buffer: Vec<u8>,
}

/// A client and a server that are connected, and what is between them.
pub(crate) struct Pair {
    now: Instant,
    client: Host,
    server: Host,
    train: Train,
    stream: StreamId,
}

impl Pair {
    /// A pair whose handshake is complete.
    pub(crate) fn connect(shielding: Shielding) -> Self {
        Self::new(shielding, Dir::Uni, None)
    }

    #[expect(clippy::disallowed_methods, reason = "the peer's time begins somewhere")]
    fn new(shielding: Shielding, dir: Dir, keep_alive: Option<Duration>) -> Self {
        let (mut client, mut server) = tls();
        if shielding == Shielding::None {
            client = Arc::new(NoCipher(client));
            server = Arc::new(NoCipher(server));
        }
        let now = Instant::now();
        let mut config = ServerConfig::with_crypto(server);
        config.transport_config(transport(keep_alive));
        let server = Host::new(2, Some(Arc::new(config)));
        let mut config = ClientConfig::new(client);
        config.transport_config(transport(keep_alive));
        let mut client = Host::new(1, None);
        let connected = client.router.connect(now, config, server.address, "localhost");
        client.connection = Some(connected.unwrap());
        let train = Train { from: client.address, segment: 0, ecn: None, buffer: Vec::new() };
        let stream = StreamId::new(quinn_proto::Side::Client, dir, 0);
        let mut pair = Self { now, client, server, train, stream };
        while !(pair.client.is_established() && pair.server.is_established()) {
            pair.tick();
            while pair.send() > 0 {
                pair.receive();
            }
            while pair.acknowledge() {
                pair.acknowledged();
            }
        }
        let opened = pair.client.connection().streams().open(dir);
        assert_eq!(opened, Some(stream));
        pair
    }
}

impl Ends for Pair {
    fn tick(&mut self) {
        self.now += Duration::from_micros(20);
        for host in [&mut self.client, &mut self.server] {
            if let Some((_, connection)) = &mut host.connection {
                connection.handle_timeout(self.now);
            }
        }
    }

    fn write(&mut self, data: &[u8]) -> usize {
        let stream = self.stream;
        self.client.connection().send_stream(stream).write(data).unwrap_or(0)
    }

    fn send(&mut self) -> u64 {
        self.client.send(self.now, &mut self.train)
    }

    fn receive(&mut self) {
        self.server.take(self.now, &mut self.train);
    }

    fn acknowledge(&mut self) -> bool {
        self.server.send(self.now, &mut self.train) > 0
    }

    fn acknowledged(&mut self) {
        self.client.take(self.now, &mut self.train);
    }

    fn read(&mut self) -> usize {
        let mut stream = self.server.connection().recv_stream(self.stream);
        let Ok(mut chunks) = stream.read(true) else { return 0 };
        let mut read = 0;
        while let Ok(Some(chunk)) = chunks.next(usize::MAX) {
            read += chunk.bytes.len();
        }
        let _ = chunks.finalize();
        read
    }
}

/// The same pair in an exchange of single datagrams.
pub(crate) struct Talkers {
    pair: Pair,
    /// What the router made of the datagram under way.
    routed: Option<ConnectionEvent>,
    /// Stateless answers, of which there are none.
    reply: Vec<u8>,
}

impl Talkers {
    /// Ends that show a sign of life after so much silence.
    pub(crate) fn connect(shielding: Shielding, keep_alive: Duration) -> Self {
        let pair = Pair::new(shielding, Dir::Bi, Some(keep_alive));
        Self { pair, routed: None, reply: Vec::new() }
    }

    fn host(&mut self, end: Side) -> (&mut Host, &mut Train, Instant) {
        let Pair { now, client, server, train, .. } = &mut self.pair;
        (if end == Side::Client { client } else { server }, train, *now)
    }

    fn expire(&mut self) {
        for end in [Side::Client, Side::Server] {
            let (host, _, now) = self.host(end);
            let connection = host.connection();
            if connection.poll_timeout().is_some_and(|at| at <= now) {
                connection.handle_timeout(now);
            }
        }
    }
}

impl Talk for Talkers {
    fn tick(&mut self) {
        self.pair.now += Duration::from_micros(20);
        self.expire();
    }

    fn wait(&mut self) {
        let ends = [Side::Client, Side::Server];
        let timeouts = ends.map(|end| self.host(end).0.connection().poll_timeout());
        let at = timeouts.into_iter().flatten().min().expect("a timer");
        self.pair.now = at.max(self.pair.now);
        self.expire();
    }

    fn write(&mut self, end: Side, data: &[u8]) {
        let stream = self.pair.stream;
        let written = self.host(end).0.connection().send_stream(stream).write(data);
        written.expect("room for a message");
    }

    fn send(&mut self, end: Side) -> bool {
        let (host, train, now) = self.host(end);
        train.buffer.clear();
        host.send(now, train) > 0
    }

    fn next_timeout(&mut self, end: Side) {
        std::hint::black_box(self.host(end).0.connection().poll_timeout());
    }

    fn route(&mut self, end: Side) {
        let Self { pair, reply, .. } = self;
        let Pair { now, client, server, train, .. } = pair;
        let host = if end == Side::Client { client } else { server };
        // As its driver does, from the buffer that it receives into.
        let datagram = BytesMut::from(&train.buffer[..]);
        match host.router.handle(*now, train.from, None, train.ecn, datagram, reply) {
            Some(DatagramEvent::ConnectionEvent(_, event)) => self.routed = Some(event),
            _ => panic!("not a datagram of the connection"),
        }
    }

    fn take(&mut self, end: Side) {
        let event = self.routed.take().expect("a connection for the datagram");
        self.host(end).0.connection().handle_event(event);
    }

    fn read(&mut self, end: Side) -> usize {
        let stream = self.pair.stream;
        let (host, ..) = self.host(end);
        host.settle();
        let mut read = 0;
        let connection = host.connection();
        while connection.poll().is_some() {
            let mut stream = connection.recv_stream(stream);
            let Ok(mut chunks) = stream.read(true) else { continue };
            while let Ok(Some(chunk)) = chunks.next(usize::MAX) {
                read += chunk.bytes.len();
            }
            let _ = chunks.finalize();
        }
        read
    }
}
