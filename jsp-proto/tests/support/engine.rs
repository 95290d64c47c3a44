//! Two engines in one thread, without sockets, in virtual time: for benches, and to count what they
//! allocate.

#![allow(dead_code, reason = "each user takes its part")]
#![allow(clippy::unwrap_used, reason = "a pair that cannot be made is a failure")]

use super::bulk::Ends;
use jsp_proto::connection::{Connection, Event, TransportConfig};
use jsp_proto::crypto::{IdentitySecret, Provider, Signer, Suite};
use jsp_proto::endpoint::{ClientConfig, Endpoint, EndpointConfig, Routed, ServerConfig};
use jsp_proto::handshake::{self, Identity, IdentitySet, Pinned};
use jsp_proto::ids::{ConnectionHandle, Dir, Side, StreamId};
use jsp_proto::path::MtuConfig;
use jsp_proto::record::{Received, Transmit};
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::stream::{StreamConfig, StreamEvent};
use jsp_proto::time::{Duration, Time};
use std::net::SocketAddr;
use std::sync::Arc;

/// Datagrams of one size on their way, as one system call carries them.
pub(crate) struct Train {
    pub(crate) from: SocketAddr,
    pub(crate) transmit: Option<Transmit>,
    pub(crate) buffer: Vec<u8>,
}

/// One host: a router and its connections, by the index of their handles.
pub(crate) struct Host {
    address: SocketAddr,
    pub(crate) router: Endpoint,
    pub(crate) connections: Vec<Connection>,
    signer: Option<Box<dyn Signer>>,
    /// Streams of the connection that was served last, with something to read.
    readable: Vec<StreamId>,
}

impl Host {
    fn new(provider: &Arc<dyn Provider>, port: u16) -> Self {
        let mut config = EndpointConfig::new(Arc::clone(provider));
        config.limits.unvalidated_per_second = u32::MAX;
        config.limits.unvalidated_per_second_per_prefix = u32::MAX;
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            router: Endpoint::new(config, &Seed::from_u64(port.into())),
            connections: Vec::new(),
            signer: None,
            readable: Vec::new(),
        }
    }

    /// A connection's next train, and how many datagrams are in it.
    pub(crate) fn send(&mut self, now: Time, index: usize, train: &mut Train) -> u64 {
        let Some(connection) = self.connections.get_mut(index) else { return 0 };
        train.from = self.address;
        train.transmit = connection.poll_transmit(now, &mut train.buffer, 64);
        train.transmit.map_or(0, |sent| sent.len.div_ceil(sent.segment) as u64)
    }

    /// Routes a train as drivers do: runs of datagrams of one connection at once.
    fn take(&mut self, now: Time, train: &mut Train) {
        let Some(Transmit { len, segment, ecn, .. }) = train.transmit.take() else { return };
        let meta = Received { remote: train.from, local: None, ecn };
        let mut rest = &mut train.buffer[..len];
        while !rest.is_empty() {
            let run = self.router.route_run(rest, segment);
            let n = run.map_or(segment.min(rest.len()), |(_, n)| n);
            let (batch, behind) = rest.split_at_mut(n);
            rest = behind;
            let handle = run.map(|(handle, _)| handle).or_else(|| self.knock(now, &meta, batch));
            if let Some(handle) = handle {
                let connection = &mut self.connections[handle.index as usize];
                connection.handle_datagrams(now, &meta, batch, segment);
                settle(connection, self.signer.as_deref(), &mut self.readable, now);
            }
        }
    }

    /// A datagram that is not plainly a connection's: the connection that it is for, if that exists.
    fn knock(
        &mut self,
        now: Time,
        meta: &Received,
        datagram: &mut [u8],
    ) -> Option<ConnectionHandle> {
        let mut reply = [0; 1500];
        match self.router.handle(now, meta, datagram, &mut reply) {
            Routed::Connection(handle) => Some(handle),
            Routed::Incoming(incoming) => {
                let connection = self.router.accept(now, &incoming, None, &mut reply).unwrap();
                assert_eq!(connection.handle().index as usize, self.connections.len());
                self.connections.push(connection);
                None
            }
            Routed::Dropped => None,
            other => panic!("{other:?}"),
        }
    }
}

/// Takes a connection's events: notes streams that can be read, and signs what is asked for.
fn settle(
    connection: &mut Connection,
    signer: Option<&dyn Signer>,
    readable: &mut Vec<StreamId>,
    now: Time,
) {
    while let Some(event) = connection.poll_event() {
        match event {
            Event::Stream(StreamEvent::Readable(id)) => readable.push(id),
            Event::Sign(request) => {
                let mut rng = Rng::new(&Seed::from_u64(3), "sign");
                let signature = signer.unwrap().sign(&mut rng, &request.message);
                connection.provide_signature(now, signature);
            }
            _ => {}
        }
    }
}

/// A client, a server and what is between them.
pub(crate) struct Net {
    pub(crate) now: Time,
    pub(crate) client: Host,
    pub(crate) server: Host,
    train: Train,
    config: ClientConfig,
}

impl Net {
    /// Hosts without connections yet.
    pub(crate) fn new(
        provider: &Arc<dyn Provider>,
        suite: Suite,
        transport: TransportConfig,
    ) -> Self {
        let secret = IdentitySecret { ed25519: [1; 32], ml_dsa: Some([2; 32]) };
        let signer = provider.signer(&secret).unwrap();
        let identity = Identity::new(&**provider, signer.public().clone());
        let transport = Arc::new(transport);
        let verifier = Arc::new(Pinned::new(identity.fingerprint()));
        let mut client = handshake::ClientConfig::new(Arc::clone(provider), verifier);
        client.suites = vec![suite];
        let config =
            ClientConfig { handshake: Arc::new(client), transport: Arc::clone(&transport) };
        let handshake =
            handshake::ServerConfig::new(Arc::clone(provider), IdentitySet::single(identity));
        let handshake = Arc::new(handshake);
        let (client, mut server) = (Host::new(provider, 1), Host::new(provider, 2));
        server.signer = Some(signer);
        server.router.set_server(Some(Arc::new(ServerConfig { handshake, transport })));
        let train = Train { from: client.address, transmit: None, buffer: vec![0; 65_535] };
        Self { now: Time::from_nanos(1), client, server, train, config }
    }

    /// Makes a connection and completes its handshake; returns its index at both hosts.
    pub(crate) fn connect(&mut self) -> usize {
        let Self { client, server, config, now, .. } = self;
        let connection = client.router.connect(*now, config, server.address, None).unwrap();
        let index = client.connections.len();
        client.connections.push(connection);
        let established =
            |host: &Host| host.connections.get(index).is_some_and(Connection::is_established);
        while !(established(&self.client) && established(&self.server)) {
            self.tick(index);
            while self.send(index) > 0 {
                self.receive();
            }
            while self.acknowledge(index) {
                self.acknowledged();
            }
        }
        index
    }

    /// The host at one end, what is between the two, and the time.
    pub(crate) fn at(&mut self, end: Side) -> (&mut Host, &mut Train, Time) {
        let host = match end {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        };
        (host, &mut self.train, self.now)
    }

    /// Lets time pass for all connections.
    pub(crate) fn pass(&mut self, span: Duration) {
        self.now += span;
        for index in 0..self.client.connections.len() {
            self.tick(index);
            while self.send(index) > 0 {
                self.receive();
            }
            while self.acknowledge(index) {
                self.acknowledged();
            }
        }
    }

    /// A little later, for one connection.
    pub(crate) fn tick(&mut self, index: usize) {
        self.now += Duration::from_micros(20);
        for host in [&mut self.client, &mut self.server] {
            if let Some(connection) = host.connections.get_mut(index) {
                connection.handle_timeout(self.now);
            }
        }
    }

    pub(crate) fn write(&mut self, index: usize, id: StreamId, data: &[u8]) -> usize {
        self.client.connections[index].write(id, data).unwrap_or(0)
    }

    pub(crate) fn send(&mut self, index: usize) -> u64 {
        self.client.send(self.now, index, &mut self.train)
    }

    pub(crate) fn receive(&mut self) {
        self.server.take(self.now, &mut self.train);
    }

    pub(crate) fn acknowledge(&mut self, index: usize) -> bool {
        self.server.send(self.now, index, &mut self.train) > 0
    }

    pub(crate) fn acknowledged(&mut self) {
        self.client.take(self.now, &mut self.train);
    }

    pub(crate) fn read(&mut self, index: usize) -> usize {
        let Host { connections, readable, .. } = &mut self.server;
        let connection = &mut connections[index];
        let mut read = 0;
        for id in readable.drain(..) {
            while let Ok(chunk) = connection.peek(id) {
                let n = chunk.data.len();
                connection.consume(id, n);
                read += n;
            }
        }
        read
    }
}

/// A connection between two hosts, and one stream.
pub(crate) struct Pair {
    net: Net,
    stream: StreamId,
}

impl Pair {
    /// A pair whose handshake is complete, with datagrams of `mtu` bytes.
    pub(crate) fn connect(provider: &Arc<dyn Provider>, suite: Suite, mtu: u16) -> Self {
        let window = 8 << 20;
        let streams = StreamConfig {
            stream_window: window,
            connection_window: window,
            ..StreamConfig::default()
        };
        Self::with_streams(provider, suite, mtu, streams)
    }

    /// The same, with limits of one's own.
    pub(crate) fn with_streams(
        provider: &Arc<dyn Provider>,
        suite: Suite,
        mtu: u16,
        streams: StreamConfig,
    ) -> Self {
        let transport =
            TransportConfig { mtu: MtuConfig::fixed(mtu), streams, ..TransportConfig::default() };
        let mut net = Net::new(provider, suite, transport);
        let index = net.connect();
        let stream = net.client.connections[index].open_stream(Dir::Uni).expect("a stream");
        Self { net, stream }
    }
}

impl Ends for Pair {
    fn tick(&mut self) {
        self.net.tick(0);
    }

    fn write(&mut self, data: &[u8]) -> usize {
        self.net.write(0, self.stream, data)
    }

    fn send(&mut self) -> u64 {
        self.net.send(0)
    }

    fn receive(&mut self) {
        self.net.receive();
    }

    fn acknowledge(&mut self) -> bool {
        self.net.acknowledge(0)
    }

    fn acknowledged(&mut self) {
        self.net.acknowledged();
    }

    fn read(&mut self) -> usize {
        self.net.read(0)
    }
}
