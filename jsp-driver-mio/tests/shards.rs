//! Several threads at one address.
#![cfg(unix)] // Elsewhere no system spreads clients over sockets.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod common;

use common::{Echo, endpoint, identity, loopback, pattern, read, write};
use jsp_driver_mio::{
    ClientConfig, ConnectionHandle, Dir, Driver, Endpoint, EndpointOptions, Event, Identity,
    ServerConfig, Shards,
};
use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroU8;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);

fn shards(count: u8, identity: &Identity) -> Shards {
    let count = NonZeroU8::new(count).unwrap();
    let mut shards = Shards::bind(loopback(), count, EndpointOptions::default()).unwrap();
    shards.set_server(Some(&ServerConfig::with_identity(identity)));
    shards
}

#[test]
fn many_clients_are_served_by_all_threads() {
    const CLIENTS: usize = 64;
    let identity = identity();
    let shards = shards(3, &identity);
    let address = shards.local_addr().unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&over);
    let threads = shards.run(move |mut driver| {
        let mut echoes: BTreeMap<ConnectionHandle, Echo> = BTreeMap::new();
        while !end.load(Ordering::Relaxed) {
            driver.turn(Some(Duration::from_millis(20))).unwrap();
            while let Some((handle, event)) = driver.poll_event() {
                let mut connection = driver.connection(handle).unwrap();
                echoes.entry(handle).or_default().on(&mut connection, &event);
            }
        }
        (echoes.len(), driver.steered())
    });
    let config = ClientConfig::pinned(identity.fingerprint());
    let text = pattern(5000, 3);
    // A socket for each, as the kernel tells clients apart by their addresses.
    let mut clients: Vec<(Driver, Vec<u8>, bool)> = (0..CLIENTS)
        .map(|_| {
            let mut driver = Driver::new(endpoint()).unwrap();
            driver.connect(&config, address).unwrap();
            (driver, Vec::new(), false)
        })
        .collect();
    let begin = Instant::now();
    while clients.iter().any(|(_, _, done)| !done) {
        assert!(begin.elapsed() < LONG);
        for (driver, answer, done) in clients.iter_mut().filter(|(_, _, done)| !done) {
            driver.turn(Some(Duration::from_millis(1))).unwrap();
            while let Some((handle, event)) = driver.poll_event() {
                let mut connection = driver.connection(handle).unwrap();
                match event {
                    Event::Connected => {
                        let id = connection.open(Dir::Bi).unwrap();
                        assert!(write(&mut connection, id, &text, &mut 0));
                    }
                    Event::Readable(id) => *done |= read(&mut connection, id, answer),
                    Event::Closed(reason) => panic!("{reason}"),
                    _ => {}
                }
            }
        }
    }
    assert!(clients.iter().all(|(_, answer, _)| *answer == text));
    over.store(true, Ordering::Relaxed);
    let served: Vec<_> =
        threads.unwrap().into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(served.iter().map(|(count, _)| count).sum::<usize>(), CLIENTS);
    assert!(served.iter().all(|(count, _)| *count > 0), "{served:?}");
    assert!(served.iter().all(|(_, steered)| steered.passed_on == 0), "{served:?}");
}

/// A NAT, as seen from the server: the client's datagrams come from whichever socket is the last.
struct Nat {
    inside: UdpSocket,
    outside: Vec<UdpSocket>,
    server: SocketAddr,
    client: Option<SocketAddr>,
}

impl Nat {
    fn new(server: SocketAddr) -> Self {
        let inside = UdpSocket::bind(loopback()).unwrap();
        inside.set_nonblocking(true).unwrap();
        let mut nat = Self { inside, outside: Vec::new(), server, client: None };
        nat.rebind();
        nat
    }

    fn rebind(&mut self) {
        let socket = UdpSocket::bind(loopback()).unwrap();
        socket.set_nonblocking(true).unwrap();
        self.outside.push(socket);
    }

    fn forward(&mut self) {
        let mut buffer = [0; 2048];
        while let Ok((len, from)) = self.inside.recv_from(&mut buffer) {
            self.client = Some(from);
            let outside = self.outside.last().unwrap();
            outside.send_to(&buffer[..len], self.server).unwrap();
        }
        for outside in &self.outside {
            while let Ok((len, _)) = outside.recv_from(&mut buffer) {
                self.inside.send_to(&buffer[..len], self.client.unwrap()).unwrap();
            }
        }
    }
}

#[test]
fn a_datagram_of_a_client_whose_address_changed_reaches_the_shard_that_has_its_connection() {
    let identity = identity();
    let shards = shards(4, &identity);
    let mut nat = Nat::new(shards.local_addr().unwrap());
    let mut servers: Vec<Driver> =
        shards.into_iter().map(|endpoint: Endpoint| Driver::new(endpoint).unwrap()).collect();
    let mut client = Driver::new(endpoint()).unwrap();
    let config = ClientConfig::pinned(identity.fingerprint());
    let handle = client.connect(&config, nat.inside.local_addr().unwrap()).unwrap();

    let soon = Some(Duration::from_micros(100));
    let begin = Instant::now();
    let turn = |client: &mut Driver, nat: &mut Nat, servers: &mut [Driver]| {
        assert!(begin.elapsed() < LONG);
        client.turn(soon).unwrap();
        nat.forward();
        for server in servers {
            server.turn(soon).unwrap();
            while server.poll_event().is_some() {}
        }
        nat.forward();
    };
    while !client.connection(handle).unwrap().is_established() {
        turn(&mut client, &mut nat, &mut servers);
        while client.poll_event().is_some() {}
    }
    let owner = servers.iter().position(|server| server.connections() == 1).unwrap();
    assert_eq!(servers[owner].steered().taken, 0);

    // Each change of address leads to another shard three times of four.
    while servers[owner].steered().taken < 5 {
        nat.rebind();
        client.connection(handle).unwrap().ping();
        for _ in 0..3 {
            turn(&mut client, &mut nat, &mut servers);
        }
    }
    let passed_on: u64 = servers.iter().map(|server| server.steered().passed_on).sum();
    assert!(passed_on >= 5);
    assert_eq!(servers[owner].steered().passed_on, 0);

    // Nobody has taken the datagrams for a stranger's: the connection lives on at its old address.
    nat.outside.truncate(1);
    let stream = client.connection(handle).unwrap().open(Dir::Uni).unwrap();
    let mut connection = client.connection(handle).unwrap();
    assert!(write(&mut connection, stream, b"still here", &mut 0));
    let mut finished = false;
    while !finished {
        turn(&mut client, &mut nat, &mut servers);
        while let Some((_, event)) = client.poll_event() {
            assert!(!matches!(event, Event::Closed(_)), "{event:?}");
            finished |= matches!(event, Event::Finished(_));
        }
    }
}
