//! Two engines in one thread, without sockets, in virtual time: for benches, and to count what they
//! allocate.

#![allow(clippy::unwrap_used, reason = "a pair that cannot be made is a failure")]

use jsp_proto::connection::{Connection, Event, TransportConfig};
use jsp_proto::crypto::{IdentitySecret, Provider, Signer, Suite};
use jsp_proto::endpoint::{ClientConfig, Endpoint, EndpointConfig, Routed, ServerConfig};
use jsp_proto::handshake::{self, Identity, IdentitySet, Pinned};
use jsp_proto::ids::{Dir, Ecn, StreamId};
use jsp_proto::path::MtuConfig;
use jsp_proto::record::Received;
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::stream::StreamConfig;
use jsp_proto::time::{Duration, Time};
use std::net::SocketAddr;
use std::sync::Arc;

/// A client and a server that are connected, and what is between them.
pub(crate) struct Pair {
    now: Time,
    client: Connection,
    server: Connection,
    buffer: Vec<u8>,
    client_address: SocketAddr,
    server_address: SocketAddr,
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
        let client =
            ClientConfig { handshake: Arc::new(client), transport: Arc::clone(&transport) };
        let server =
            handshake::ServerConfig::new(Arc::clone(provider), IdentitySet::single(identity));
        let server = ServerConfig { handshake: Arc::new(server), transport };
        let endpoint =
            |n| Endpoint::new(EndpointConfig::new(Arc::clone(provider)), &Seed::from_u64(n));
        let (mut ours, mut theirs) = (endpoint(1), endpoint(2));
        theirs.set_server(Some(Arc::new(server)));
        let client_address = SocketAddr::from(([127, 0, 0, 1], 1));
        let server_address = SocketAddr::from(([127, 0, 0, 1], 2));
        let now = Time::from_nanos(1);
        let mut client = ours.connect(now, &client, server_address, None).unwrap();
        let mut buffer = vec![0; 65_535];
        let mut reply = [0; 1500];
        let mut server = None;
        let meta = |remote| Received { remote, local: None, ecn: Ecn::NotEct };
        while server.is_none() {
            let sent = client.poll_transmit(now, &mut buffer, 1).expect("a first flight");
            let datagram = &mut buffer[..sent.len];
            match theirs.handle(now, &meta(client_address), datagram, &mut reply) {
                Routed::Incoming(incoming) => {
                    server = theirs.accept(now, &incoming, None, &mut reply).ok();
                }
                Routed::Dropped => {}
                other => panic!("{other:?}"),
            }
        }
        let server = server.unwrap();
        let mut pair = Self { now, client, server, buffer, client_address, server_address };
        while !(pair.client.is_established() && pair.server.is_established()) {
            pair.exchange(&*signer);
        }
        pair
    }

    /// The next turn is a little later: a round trip takes as long as on a loopback.
    fn next(&mut self) -> Time {
        self.now += Duration::from_micros(20);
        self.now
    }

    /// Lets each end send all that it has; returns how many datagrams there were.
    fn exchange(&mut self, signer: &dyn Signer) -> u64 {
        let now = self.next();
        while let Some(event) = self.server.poll_event() {
            if let Event::Sign(request) = event {
                let mut rng = Rng::new(&Seed::from_u64(3), "sign");
                self.server.provide_signature(now, signer.sign(&mut rng, &request.message));
            }
        }
        while self.client.poll_event().is_some() {}
        self.turn(now)
    }

    fn turn(&mut self, now: Time) -> u64 {
        let Self { client, server, buffer, client_address, server_address, .. } = self;
        let meta = |remote| Received { remote, local: None, ecn: Ecn::NotEct };
        let mut datagrams = 0;
        client.handle_timeout(now);
        while let Some(sent) = client.poll_transmit(now, buffer, 64) {
            datagrams += sent.len.div_ceil(sent.segment) as u64;
            let from = meta(*client_address);
            server.handle_datagrams(now, &from, &mut buffer[..sent.len], sent.segment);
        }
        server.handle_timeout(now);
        while let Some(sent) = server.poll_transmit(now, buffer, 64) {
            let from = meta(*server_address);
            client.handle_datagrams(now, &from, &mut buffer[..sent.len], sent.segment);
        }
        datagrams
    }

    /// Opens a stream for [`Self::bulk`].
    pub(crate) fn open(&mut self) -> StreamId {
        self.client.open_stream(Dir::Uni).expect("a stream")
    }

    /// Carries `total` bytes on a stream, in writes of `data`; returns how many datagrams that took.
    pub(crate) fn bulk(&mut self, id: StreamId, data: &[u8], total: u64) -> u64 {
        let (mut written, mut read, mut datagrams) = (0, 0, 0);
        while read < total {
            while written < total {
                let n = data.len().min((total - written) as usize);
                match self.client.write(id, &data[..n]) {
                    Ok(n) => written += n as u64,
                    Err(_) => break,
                }
            }
            let now = self.next();
            datagrams += self.turn(now);
            while let Ok(chunk) = self.server.peek(id) {
                let n = chunk.data.len();
                read += n as u64;
                self.server.consume(id, n);
            }
            while self.server.poll_event().is_some() {}
            while self.client.poll_event().is_some() {}
        }
        datagrams
    }
}
