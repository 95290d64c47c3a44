//! Two engines in one thread, without sockets, in virtual time: for benches, and to count what they
//! allocate.

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
use jsp_proto::stream::StreamConfig;
use jsp_proto::time::{Duration, Time};
use std::net::SocketAddr;
use std::sync::Arc;

/// Datagrams of one size on their way, as one system call carries them.
struct Train {
    from: SocketAddr,
    transmit: Option<Transmit>,
    buffer: Vec<u8>,
}

/// One host: a router and its connections, by the index of their handles.
struct Host {
    address: SocketAddr,
    router: Endpoint,
    connections: Vec<Connection>,
    signer: Option<Box<dyn Signer>>,
}

impl Host {
    fn new(provider: &Arc<dyn Provider>, port: u16) -> Self {
        let config = EndpointConfig::new(Arc::clone(provider));
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            router: Endpoint::new(config, &Seed::from_u64(port.into())),
            connections: Vec::new(),
            signer: None,
        }
    }

    /// A connection's next train, and how many datagrams are in it.
    fn send(&mut self, now: Time, index: usize, train: &mut Train) -> u64 {
        train.from = self.address;
        train.transmit = self.connections[index].poll_transmit(now, &mut train.buffer, 64);
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
                settle(connection, self.signer.as_deref(), now);
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

/// Takes a connection's events; signs where it asks for that.
fn settle(connection: &mut Connection, signer: Option<&dyn Signer>, now: Time) {
    while let Some(event) = connection.poll_event() {
        if let Event::Sign(request) = event {
            let mut rng = Rng::new(&Seed::from_u64(3), "sign");
            let signature = signer.unwrap().sign(&mut rng, &request.message);
            connection.provide_signature(now, signature);
        }
    }
}

/// A client and a server that are connected, and what is between them.
pub(crate) struct Pair {
    now: Time,
    client: Host,
    server: Host,
    train: Train,
    stream: StreamId,
}

impl Pair {
    /// A pair whose handshake is complete, with datagrams of `mtu` bytes.
    pub(crate) fn connect(provider: &Arc<dyn Provider>, suite: Suite, mtu: u16) -> Self {
        let secret = IdentitySecret { ed25519: [1; 32], ml_dsa: Some([2; 32]) };
        let signer = provider.signer(&secret).unwrap();
        let identity = Identity::new(&**provider, signer.public().clone());
        let transport = Arc::new(TransportConfig {
            mtu: MtuConfig::fixed(mtu),
            streams: StreamConfig {
                stream_window: 8 << 20,
                connection_window: 8 << 20,
                ..StreamConfig::default()
            },
            ..TransportConfig::default()
        });
        let verifier = Arc::new(Pinned::new(identity.fingerprint()));
        let mut client = handshake::ClientConfig::new(Arc::clone(provider), verifier);
        client.suites = vec![suite];
        let config =
            ClientConfig { handshake: Arc::new(client), transport: Arc::clone(&transport) };
        let handshake =
            handshake::ServerConfig::new(Arc::clone(provider), IdentitySet::single(identity));
        let handshake = Arc::new(handshake);

        let now = Time::from_nanos(1);
        let (mut client, mut server) = (Host::new(provider, 1), Host::new(provider, 2));
        server.signer = Some(signer);
        server.router.set_server(Some(Arc::new(ServerConfig { handshake, transport })));
        let connection = client.router.connect(now, &config, server.address, None).unwrap();
        client.connections.push(connection);
        let train = Train { from: client.address, transmit: None, buffer: vec![0; 65_535] };
        let mut pair =
            Self { now, client, server, train, stream: StreamId::new(Side::Client, Dir::Uni, 0) };
        while !pair.is_established() {
            pair.tick();
            while pair.send() > 0 {
                pair.receive();
            }
            while pair.acknowledge() {
                pair.acknowledged();
            }
        }
        let opened = pair.client.connections[0].open_stream(Dir::Uni);
        assert_eq!(opened, Some(pair.stream));
        pair
    }

    fn is_established(&self) -> bool {
        let hosts = [&self.client, &self.server];
        hosts.iter().all(|host| host.connections.first().is_some_and(Connection::is_established))
    }
}

impl Ends for Pair {
    fn tick(&mut self) {
        self.now += Duration::from_micros(20);
        for host in [&mut self.client, &mut self.server] {
            for connection in &mut host.connections {
                connection.handle_timeout(self.now);
            }
        }
    }

    fn write(&mut self, data: &[u8]) -> usize {
        self.client.connections[0].write(self.stream, data).unwrap_or(0)
    }

    fn send(&mut self) -> u64 {
        self.client.send(self.now, 0, &mut self.train)
    }

    fn receive(&mut self) {
        self.server.take(self.now, &mut self.train);
    }

    fn acknowledge(&mut self) -> bool {
        !self.server.connections.is_empty() && self.server.send(self.now, 0, &mut self.train) > 0
    }

    fn acknowledged(&mut self) {
        self.client.take(self.now, &mut self.train);
    }

    fn read(&mut self) -> usize {
        let connection = &mut self.server.connections[0];
        let mut read = 0;
        while let Ok(chunk) = connection.peek(self.stream) {
            let n = chunk.data.len();
            connection.consume(self.stream, n);
            read += n;
        }
        read
    }
}
