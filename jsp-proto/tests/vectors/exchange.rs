//! A client and a server of the engine, and a wire that notes every datagram.

use crate::provider::{KeyExchange, Recording};
use jsp_proto::connection::{Connection, Event, TransportConfig};
use jsp_proto::crypto::{IdentitySecret, Provider, Signer, Suite};
use jsp_proto::endpoint::{ClientConfig, Endpoint, EndpointConfig, Routed, ServerConfig};
use jsp_proto::error::{AppCode, CloseReason};
use jsp_proto::handshake::{self, AlpnList, ClientAuth, Identity, IdentitySet, KeyLog, Pinned};
use jsp_proto::ids::{Dir, Ecn, Side, StreamId};
use jsp_proto::path::MtuConfig;
use jsp_proto::record::Received;
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::stream::ReadError;
use jsp_proto::time::{Duration, Time};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// One way across the wire.
const DELAY: Duration = Duration::from_millis(10);
const START: Time = Time::from_nanos(1_000_000_000);

pub(crate) const CLIENT_ID: IdentitySecret =
    IdentitySecret { ed25519: [0xc1; 32], ml_dsa: Some([0xc2; 32]) };
pub(crate) const SERVER_ID: IdentitySecret =
    IdentitySecret { ed25519: [0x51; 32], ml_dsa: Some([0x52; 32]) };
/// What the ends export once they are connected: label, context, length.
pub(crate) const EXPORTS: [(&str, &[u8], usize); 3] =
    [("EXPORTER-vectors", b"", 32), ("EXPORTER-vectors", b"a context", 32), ("longer", b"", 80)];

/// What distinguishes one exchange from another.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) suite: Suite,
    /// The client proves an identity.
    pub(crate) mutual: bool,
    /// The server asks for proof of the client's address.
    pub(crate) retry: bool,
    pub(crate) seed: u64,
}

/// Secrets by label, and the client's random.
#[derive(Default)]
pub(crate) struct Log(Mutex<BTreeMap<String, Vec<u8>>>);

impl Log {
    pub(crate) fn secrets(&self) -> BTreeMap<String, Vec<u8>> {
        self.0.lock().unwrap().clone()
    }
}

impl KeyLog for Log {
    fn log(&self, label: &str, _: &[u8; 32], secret: &[u8]) {
        self.0.lock().unwrap().insert(label.to_owned(), secret.to_vec());
    }
}

/// What a connection leaves behind.
pub(crate) struct Trace {
    pub(crate) secrets: BTreeMap<String, Vec<u8>>,
    pub(crate) key_exchange: KeyExchange,
    /// When each was sent, in time since the first, by whom, and its bytes.
    pub(crate) datagrams: Vec<(Duration, Side, Vec<u8>)>,
    /// In the order of [`EXPORTS`].
    pub(crate) exports: Vec<Vec<u8>>,
}

struct World {
    now: Time,
    server_endpoint: Endpoint,
    client: Connection,
    server: Option<Connection>,
    signers: [Box<dyn Signer>; 2],
    rng: Rng,
    wire: Vec<(Time, Side, Vec<u8>)>,
    datagrams: Vec<(Duration, Side, Vec<u8>)>,
    exports: Vec<Vec<u8>>,
    echo: Option<StreamId>,
}

fn address(side: Side) -> SocketAddr {
    match side {
        Side::Client => SocketAddr::from(([192, 0, 2, 1], 50_000)),
        Side::Server => SocketAddr::from(([198, 51, 100, 1], 4_433)),
    }
}

fn from(side: Side) -> Received {
    Received { remote: address(side), local: None, ecn: Ecn::NotEct }
}

/// Connects, exchanges a few bytes and closes.
pub(crate) fn run(case: &Case) -> Trace {
    let provider = Arc::new(Recording::default());
    let signers = [&CLIENT_ID, &SERVER_ID].map(|id| provider.signer(id).unwrap());
    let ids = signers.each_ref().map(|signer| Identity::new(&*provider, signer.public().clone()));
    let [client_id, server_id] = ids;
    let logs = [(); 2].map(|()| Arc::new(Log::default()));
    let alpn = || AlpnList::new(vec![b"vectors/1".to_vec()]).unwrap();
    // A search for larger datagrams would only make the file longer.
    let transport =
        || Arc::new(TransportConfig { mtu: MtuConfig::fixed(1200), ..TransportConfig::default() });
    let of_provider = || -> Arc<dyn Provider> { provider.clone() };

    let verifier = Arc::new(Pinned::new(server_id.fingerprint()));
    let mut client = handshake::ClientConfig::new(of_provider(), verifier);
    client.suites = vec![case.suite];
    client.alpn = alpn();
    client.server_name = "server.example".parse().unwrap();
    client.key_log = Some(logs[0].clone());
    let mut server = handshake::ServerConfig::new(of_provider(), IdentitySet::single(server_id));
    server.suites = vec![case.suite];
    server.alpn = alpn();
    server.key_log = Some(logs[1].clone());
    if case.mutual {
        let verifier = Arc::new(Pinned::new(client_id.fingerprint()));
        server.client_auth = ClientAuth::Required(verifier);
        client.identity = Some(client_id);
    }
    let client_config = ClientConfig { handshake: Arc::new(client), transport: transport() };
    let server_config = ServerConfig { handshake: Arc::new(server), transport: transport() };

    let mut limits = EndpointConfig::new(of_provider());
    if case.retry {
        limits.limits.unvalidated_per_second = 0;
    }
    let mut server_endpoint = Endpoint::new(limits, &Seed::from_u64(case.seed + 1));
    server_endpoint.set_server(Some(Arc::new(server_config)));
    let mut client_endpoint =
        Endpoint::new(EndpointConfig::new(of_provider()), &Seed::from_u64(case.seed));
    let client =
        client_endpoint.connect(START, &client_config, address(Side::Server), None).unwrap();
    let mut world = World {
        now: START,
        server_endpoint,
        client,
        server: None,
        signers,
        rng: Rng::new(&Seed::from_u64(case.seed + 2), "sign"),
        wire: Vec::new(),
        datagrams: Vec::new(),
        exports: Vec::new(),
        echo: None,
    };
    while !world.server.as_ref().is_some_and(Connection::is_closed) {
        world.step();
        assert!(world.now < START + Duration::from_secs(2), "{}: it does not end", case.name);
    }
    assert_eq!(logs[0].secrets(), logs[1].secrets());
    let key_exchange = provider.0.lock().unwrap().clone();
    let World { datagrams, exports, .. } = world;
    Trace { secrets: logs[0].secrets(), key_exchange, datagrams, exports }
}

impl World {
    fn step(&mut self) {
        let due = self.wire.iter().take_while(|(at, ..)| *at <= self.now).count();
        for (_, sender, datagram) in self.wire.drain(..due).collect::<Vec<_>>() {
            match sender {
                Side::Client => self.at_server(datagram),
                Side::Server => {
                    let (len, mut bytes) = (datagram.len(), datagram);
                    self.client.handle_datagrams(self.now, &from(sender), &mut bytes, len);
                }
            }
        }
        self.client.handle_timeout(self.now);
        if let Some(server) = &mut self.server {
            server.handle_timeout(self.now);
        }
        self.client_events();
        self.server_events();
        for side in [Side::Client, Side::Server] {
            self.flush(side);
        }
        self.now += DELAY / 2;
    }

    fn at_server(&mut self, mut datagram: Vec<u8>) {
        let meta = from(Side::Client);
        let mut reply = [0; 1500];
        match self.server_endpoint.handle(self.now, &meta, &mut datagram, &mut reply) {
            Routed::Connection(_) => {
                let len = datagram.len();
                let server = self.server.as_mut().unwrap();
                server.handle_datagrams(self.now, &meta, &mut datagram, len);
            }
            Routed::Incoming(incoming) => {
                let accepted = self.server_endpoint.accept(self.now, &incoming, None, &mut reply);
                self.server = Some(accepted.unwrap());
            }
            Routed::Reply(transmit) => self.send(Side::Server, &reply[..transmit.len]),
            Routed::Stray | Routed::Dropped => {}
        }
    }

    fn send(&mut self, sender: Side, datagram: &[u8]) {
        self.wire.push((self.now + DELAY, sender, datagram.to_vec()));
        self.datagrams.push((self.now - START, sender, datagram.to_vec()));
    }

    fn flush(&mut self, side: Side) {
        let mut out = vec![0; 65_535];
        loop {
            let connection = match side {
                Side::Client => Some(&mut self.client),
                Side::Server => self.server.as_mut(),
            };
            let transmit = connection.and_then(|one| one.poll_transmit(self.now, &mut out, 64));
            let Some(transmit) = transmit else { return };
            for datagram in out[..transmit.len].chunks(transmit.segment) {
                self.send(side, datagram);
            }
        }
    }

    /// Once the handshake is confirmed the client says something, and closes when it is answered.
    fn client_events(&mut self) {
        while let Some(event) = self.client.poll_event() {
            match event {
                Event::Sign(request) => {
                    let signature = self.signers[0].sign(&mut self.rng, &request.message);
                    self.client.provide_signature(self.now, signature);
                }
                Event::Confirmed => {
                    let exports = EXPORTS.map(|export| exported(&self.client, export));
                    assert_eq!(self.exports, exports, "both ends export the same");
                    let id = self.client.open_stream(Dir::Bi).unwrap();
                    self.client.write(id, b"hello from the client").unwrap();
                    self.client.finish(id).unwrap();
                    self.echo = Some(id);
                }
                Event::Closed(reason) => {
                    assert_eq!(reason, CloseReason::Local { code: AppCode(0) });
                }
                Event::Connected | Event::Stream(_) => {}
            }
        }
        let Some(id) = self.echo else { return };
        let mut buffer = [0; 100];
        match self.client.read(id, &mut buffer) {
            Ok(len) => assert_eq!(&buffer[..len], b"hello from the server"),
            Err(ReadError::Finished) => {
                self.client.close(self.now, AppCode(0), b"done");
                self.echo = None;
            }
            Err(_) => {}
        }
    }

    fn server_events(&mut self) {
        let Some(server) = &mut self.server else { return };
        while let Some(event) = server.poll_event() {
            match event {
                Event::Sign(request) => {
                    let signature = self.signers[1].sign(&mut self.rng, &request.message);
                    server.provide_signature(self.now, signature);
                }
                Event::Connected => {
                    self.exports = EXPORTS.map(|export| exported(server, export)).into();
                }
                _ => {}
            }
        }
        if let Some(id) = server.accept_stream(Dir::Bi) {
            let mut buffer = [0; 100];
            let len = server.read(id, &mut buffer).unwrap();
            assert_eq!(&buffer[..len], b"hello from the client");
            server.write(id, b"hello from the server").unwrap();
            server.finish(id).unwrap();
        }
    }
}

fn exported(connection: &Connection, (label, context, len): (&str, &[u8], usize)) -> Vec<u8> {
    let mut out = vec![0; len];
    connection.export_keying_material(label.as_bytes(), context, &mut out).unwrap();
    out
}
