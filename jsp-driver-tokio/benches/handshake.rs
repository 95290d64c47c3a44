//! The processor time of full handshakes, of both sides together, between two engines without sockets:
//! ours (X-Wing, Ed25519 and ML-DSA-65) and quinn's (X25519MLKEM768, Ed25519 certificate), in
//! alternating rounds of one run.
//!
//! `cargo bench -p jsp-driver-tokio --bench handshake -- [handshakes=200] [rounds=5]`
#![allow(clippy::unwrap_used)] // A bench that cannot run says so by failing.

mod common;

use bytes::BytesMut;
use common::{argument, median, thread_cpu};
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
use quinn_proto::{ConnectionHandle, DatagramEvent};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

fn main() {
    let handshakes = argument("handshakes", 200);
    let rounds = argument("rounds", 5);
    println!("full handshakes, microseconds of processor time, both sides together");
    println!("{:>24} {:>8} {:>8} {:>8}", "", "ours", "quinn", "ratio");
    for (name, mutual) in [("server authenticated", false), ("mutual", true)] {
        let (mut ours, mut quinn) = (Ours::new(mutual), Quinn::new(mutual));
        let (mut our_times, mut quinn_times) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            our_times.push(timed(handshakes, || ours.handshake()));
            quinn_times.push(timed(handshakes, || quinn.handshake()));
        }
        let (ours, quinn) = (median(our_times), median(quinn_times));
        let bar = if mutual { "" } else { " (bar: at most 1)" };
        println!("{name:>24} {ours:>8.0} {quinn:>8.0} {:>8.2}{bar}", ours / quinn);
    }
}

/// Microseconds for each.
fn timed(count: usize, mut handshake: impl FnMut()) -> f64 {
    let before = thread_cpu();
    (0..count).for_each(|_| handshake());
    (thread_cpu() - before) * 1e6 / count as f64
}

fn addresses() -> [SocketAddr; 2] {
    ["10.0.0.1:1000", "10.0.0.2:2000"].map(|address| address.parse().unwrap())
}

/// Our two endpoints.
struct Ours {
    client: ClientConfig,
    endpoints: [endpoint::Endpoint; 2],
    signers: [Arc<dyn Signer>; 2],
    rng: Rng,
    now: Time,
    buffer: Vec<u8>,
}

impl Ours {
    fn new(mutual: bool) -> Self {
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
        let transport = Arc::new(common::our_transport());
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
    fn handshake(&mut self) {
        let Self { client, endpoints, signers, rng, now, buffer } = self;
        let addresses = addresses();
        let client = endpoints[0].connect(*now, client, addresses[1], None).unwrap();
        let mut connections = [Some(client), None];
        let mut connected = [false; 2];
        let mut reply = [0; 1500];
        while connected != [true; 2] {
            for side in [0, 1] {
                *now += Duration::from_micros(50);
                while let Some(transmit) = connections[side]
                    .as_mut()
                    .and_then(|connection| connection.poll_transmit(*now, buffer, 1))
                {
                    let meta = Received { remote: addresses[side], local: None, ecn: Ecn::NotEct };
                    let datagram = &mut buffer[..transmit.len];
                    let size = datagram.len();
                    let endpoint = &mut endpoints[1 - side];
                    match endpoint.handle(*now, &meta, datagram, &mut reply) {
                        Routed::Connection(_) => {
                            let peer = connections[1 - side].as_mut().unwrap();
                            peer.handle_datagrams(*now, &meta, datagram, size);
                        }
                        Routed::Incoming(incoming) => {
                            let accepted = endpoint.accept(*now, &incoming, None, &mut reply);
                            connections[1] = Some(accepted.unwrap());
                        }
                        Routed::Dropped => {}
                        other => panic!("{other:?}"),
                    }
                }
                for side in [0, 1] {
                    if let Some(connection) = &mut connections[side] {
                        connected[side] |= drain_events(*now, connection, &*signers[side], rng);
                    }
                }
            }
        }
        for (endpoint, connection) in endpoints.iter_mut().zip(connections.iter().flatten()) {
            endpoint.release(connection.handle());
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

/// The peer's two endpoints.
struct Quinn {
    client: quinn_proto::ClientConfig,
    endpoints: [quinn_proto::Endpoint; 2],
    now: Instant,
}

impl Quinn {
    fn new(mutual: bool) -> Self {
        let (client, server) = common::quinn_configs(mutual);
        let config = Arc::new(quinn_proto::EndpointConfig::default());
        let endpoints = [None, Some(Arc::new(server))]
            .map(|server| quinn_proto::Endpoint::new(Arc::clone(&config), server, true, None));
        Self { client, endpoints, now: Instant::now() }
    }

    fn handshake(&mut self) {
        let Self { client, endpoints, now, .. } = self;
        let addresses = addresses();
        let client = endpoints[0].connect(*now, client.clone(), addresses[1], "localhost");
        let mut connections: [Option<(ConnectionHandle, quinn_proto::Connection)>; 2] =
            [Some(client.unwrap()), None];
        let mut connected = [false; 2];
        let (mut buffer, mut reply) = (Vec::with_capacity(2048), Vec::new());
        while connected != [true; 2] {
            for side in [0, 1] {
                *now += Duration::from_micros(50);
                while let Some((handle, connection)) = &mut connections[side] {
                    buffer.clear();
                    let transmit = connection.poll_transmit(*now, 1, &mut buffer);
                    while let Some(event) = connection.poll_endpoint_events() {
                        if let Some(event) = endpoints[side].handle_event(*handle, event) {
                            connection.handle_event(event);
                        }
                    }
                    while let Some(event) = connection.poll() {
                        match event {
                            quinn_proto::Event::Connected => connected[side] = true,
                            quinn_proto::Event::ConnectionLost { reason } => panic!("{reason}"),
                            _ => {}
                        }
                    }
                    let Some(transmit) = transmit else { break };
                    let datagram = BytesMut::from(&buffer[..transmit.size]);
                    let endpoint = &mut endpoints[1 - side];
                    let event =
                        endpoint.handle(*now, addresses[side], None, None, datagram, &mut reply);
                    match event {
                        Some(DatagramEvent::ConnectionEvent(_, event)) => {
                            connections[1 - side].as_mut().unwrap().1.handle_event(event);
                        }
                        Some(DatagramEvent::NewConnection(incoming)) => {
                            let accepted = endpoint.accept(incoming, *now, &mut reply, None);
                            connections[1] = accepted.ok();
                        }
                        Some(DatagramEvent::Response(_)) | None => {}
                    }
                }
            }
        }
    }
}
