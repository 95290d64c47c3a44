//! Two of our endpoints without sockets, and the datagrams between them.

use jsp_driver_tokio::jsp_proto::connection::{Connection, Event};
use jsp_driver_tokio::jsp_proto::crypto::{Signer, Suite};
use jsp_driver_tokio::jsp_proto::endpoint::{
    self, ClientConfig, EndpointConfig, Routed, ServerConfig,
};
use jsp_driver_tokio::jsp_proto::handshake::{self, AllowList, ClientAuth, IdentitySet, Pinned};
use jsp_driver_tokio::jsp_proto::ids::Ecn;
use jsp_driver_tokio::jsp_proto::record::Received;
use jsp_driver_tokio::jsp_proto::rng::{Rng, Seed};
use jsp_driver_tokio::jsp_proto::time::{Duration, Time};
use jsp_driver_tokio::{Identity, default_provider};
use std::net::SocketAddr;
use std::sync::Arc;

/// The client's address, and the server's.
pub fn addresses() -> [SocketAddr; 2] {
    ["10.0.0.1:1000", "10.0.0.2:2000"].map(|address| address.parse().unwrap())
}

/// A client's endpoint and a server's.
pub struct Engines {
    client: ClientConfig,
    endpoints: [endpoint::Endpoint; 2],
    signers: [Arc<dyn Signer>; 2],
    rng: Rng,
    now: Time,
    buffer: Vec<u8>,
}

impl Engines {
    pub fn new(mutual: bool) -> Self {
        let provider = default_provider();
        let [client_id, server_id] = [(); 2].map(|()| Identity::generate(&*provider).unwrap());
        let verifier = Arc::new(Pinned::new(server_id.fingerprint()));
        let mut client = handshake::ClientConfig::new(Arc::clone(&provider), verifier);
        client.suites = vec![Suite::Aes256Gcm];
        let identities = IdentitySet::single(server_id.public().clone());
        let mut server = handshake::ServerConfig::new(provider, identities);
        if mutual {
            client.identity = Some(client_id.public().clone());
            let allowed = AllowList::new([client_id.fingerprint()]);
            server.client_auth = ClientAuth::Required(Arc::new(allowed));
        }
        let transport = Arc::new(super::our_transport());
        let client =
            ClientConfig { handshake: Arc::new(client), transport: Arc::clone(&transport) };
        let mut endpoints = [1, 2].map(|seed| {
            let mut config = EndpointConfig::new(default_provider());
            config.limits.unvalidated_per_second = 1_000_000;
            config.limits.unvalidated_per_second_per_prefix = 1_000_000;
            endpoint::Endpoint::new(config, &Seed::from_u64(seed))
        });
        let server = ServerConfig { handshake: Arc::new(server), transport };
        endpoints[1].set_server(Some(Arc::new(server)));
        Self {
            client,
            endpoints,
            signers: [client_id.signer(), server_id.signer()],
            rng: Rng::new(&Seed::from_u64(3), "signatures"),
            now: Time::from_nanos(1_000_000_000),
            buffer: vec![0; 65_535],
        }
    }

    /// From nothing to a handshake that both ends have completed.
    pub fn handshake(&mut self) -> [Connection; 2] {
        let server = addresses()[1];
        let client = self.endpoints[0].connect(self.now, &self.client, server, None).unwrap();
        let mut connections = [Some(client), None];
        let mut connected = [false; 2];
        while connected != [true; 2] {
            for (all, now) in connected.iter_mut().zip(self.exchange(&mut connections)) {
                *all |= now;
            }
        }
        connections.map(Option::unwrap)
    }

    /// Lets time pass until everything is acknowledged and dropped that a handshake leaves behind.
    pub fn settle(&mut self, connections: [Connection; 2]) -> [Connection; 2] {
        let mut connections = connections.map(Some);
        let end = self.now + Duration::from_secs(5);
        loop {
            self.exchange(&mut connections);
            let timers = connections.iter().flatten().filter_map(Connection::next_timeout);
            let Some(next) = timers.min().filter(|next| *next < end) else { break };
            self.now = self.now.max(next);
            for connection in connections.iter_mut().flatten() {
                connection.handle_timeout(self.now);
            }
        }
        connections.map(Option::unwrap)
    }

    /// Has the endpoints forget a pair of connections.
    pub fn release(&mut self, connections: &[Connection; 2]) {
        for (endpoint, connection) in self.endpoints.iter_mut().zip(connections) {
            endpoint.release(connection.handle());
        }
    }

    /// Each side sends what it has to say; which of them have completed their handshake by that.
    fn exchange(&mut self, connections: &mut [Option<Connection>; 2]) -> [bool; 2] {
        let mut connected = [false; 2];
        for side in [0, 1] {
            self.now += Duration::from_micros(50);
            while let Some(len) = self.transmit(side, connections) {
                self.deliver(side, len, connections);
            }
            for (side, connection) in connections.iter_mut().enumerate() {
                let Some(connection) = connection else { continue };
                let signer = &*self.signers[side];
                connected[side] |= drain_events(self.now, connection, signer, &mut self.rng);
            }
        }
        connected
    }

    fn transmit(
        &mut self,
        from: usize,
        connections: &mut [Option<Connection>; 2],
    ) -> Option<usize> {
        let connection = connections[from].as_mut()?;
        connection.poll_transmit(self.now, &mut self.buffer, 1).map(|transmit| transmit.len)
    }

    fn deliver(&mut self, from: usize, len: usize, connections: &mut [Option<Connection>; 2]) {
        let meta = Received { remote: addresses()[from], local: None, ecn: Ecn::NotEct };
        let datagram = &mut self.buffer[..len];
        let (endpoint, peer) = (&mut self.endpoints[1 - from], &mut connections[1 - from]);
        let mut reply = [0; 1500];
        match endpoint.handle(self.now, &meta, datagram, &mut reply) {
            Routed::Connection(_) => {
                peer.as_mut().unwrap().handle_datagrams(self.now, &meta, datagram, len);
            }
            Routed::Incoming(incoming) => {
                let accepted = endpoint.accept(self.now, &incoming, None, &mut reply);
                *peer = Some(accepted.unwrap());
            }
            Routed::Dropped => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Signs what is to be signed; whether the handshake has completed.
fn drain_events(
    now: Time,
    connection: &mut Connection,
    signer: &dyn Signer,
    rng: &mut Rng,
) -> bool {
    let mut connected = false;
    while let Some(event) = connection.poll_event() {
        match event {
            Event::Sign(request) => {
                let signature = signer.sign(rng, &request.message);
                connection.provide_signature(now, signature);
            }
            Event::Connected => connected = true,
            Event::Closed(reason) => panic!("{reason}"),
            Event::Confirmed | Event::Stream(_) => {}
        }
    }
    connected
}
