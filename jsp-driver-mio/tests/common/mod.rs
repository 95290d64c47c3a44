//! What the tests share: two endpoints in one poll, bounded waits, and a server that echoes.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.
#![allow(dead_code, unreachable_pub)] // Each test uses its part.

use jsp_driver_mio::{
    ClientConfig, ConnectionHandle, ConnectionMut, Endpoint, EndpointOptions, Event, Identity,
    ReadError, ServerConfig, StreamId, TransportConfig, WriteError, default_provider,
};
use mio::{Events, Interest, Poll, Token};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Far more than anything here takes: a test that hangs fails.
const LONG: Duration = Duration::from_secs(60);

pub fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

pub fn identity() -> Identity {
    Identity::generate(&*default_provider()).unwrap()
}

pub fn endpoint() -> Endpoint {
    Endpoint::bind(loopback(), EndpointOptions::default()).unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Client,
    Server,
}

/// A client and a server in one loop.
pub struct World {
    pub client: Endpoint,
    pub server: Endpoint,
    pub config: ClientConfig,
    poll: Poll,
    events: Events,
}

impl World {
    pub fn new() -> Self {
        Self::with(|server| server, |client| client)
    }

    pub fn with_transport(transport: &TransportConfig) -> Self {
        Self::with(
            |server| server.with_transport(transport.clone()),
            |client| client.with_transport(transport.clone()),
        )
    }

    pub fn with(
        server: impl FnOnce(ServerConfig) -> ServerConfig,
        client: impl FnOnce(ClientConfig) -> ClientConfig,
    ) -> Self {
        let identity = identity();
        let config = server(ServerConfig::with_identity(&identity));
        let server = Endpoint::server(loopback(), config).unwrap();
        Self::of(endpoint(), server, client(ClientConfig::pinned(identity.fingerprint())))
    }

    pub fn of(mut client: Endpoint, mut server: Endpoint, config: ClientConfig) -> Self {
        let poll = Poll::new().unwrap();
        poll.registry().register(&mut client, Token(0), Interest::READABLE).unwrap();
        poll.registry().register(&mut server, Token(1), Interest::READABLE).unwrap();
        Self { client, server, config, poll, events: Events::with_capacity(8) }
    }

    pub fn connect(&mut self) -> ConnectionHandle {
        self.client.connect(&self.config, self.server.local_addr()).unwrap()
    }

    /// A connection: the client's end, the server's end.
    pub fn connected(&mut self) -> (ConnectionHandle, ConnectionHandle) {
        let (client, mut server) = (self.connect(), None);
        let mut established = [false; 2];
        self.run("handshake", |end, connection, event| {
            assert!(matches!(event, Event::Connected), "{event:?}");
            established[end as usize] = true;
            if end == End::Server {
                server = Some(connection.handle());
            }
            established == [true; 2]
        });
        (client, server.unwrap())
    }

    /// Turns the loop until `on`, which gets every event, says that it is over.
    pub fn run(
        &mut self,
        what: &str,
        mut on: impl FnMut(End, &mut ConnectionMut<'_>, Event) -> bool,
    ) {
        let begin = Instant::now();
        let mut over = false;
        while !over {
            assert!(begin.elapsed() < LONG, "{what}: took too long");
            self.turn(|end, connection, event| over |= on(end, connection, event));
        }
    }

    /// Turns the loop until the endpoints are as `until` wants them.
    pub fn run_until(&mut self, what: &str, mut until: impl FnMut(&mut Self) -> bool) {
        let begin = Instant::now();
        while !until(self) {
            assert!(begin.elapsed() < LONG, "{what}: took too long");
            self.turn(|_, _, _| {});
        }
    }

    pub fn turn(&mut self, mut on: impl FnMut(End, &mut ConnectionMut<'_>, Event)) {
        self.client.flush();
        self.server.flush();
        let timeouts = [self.client.poll_timeout(), self.server.poll_timeout()];
        let timeout = timeouts.into_iter().flatten().min().map_or(LONG, |at| at.min(LONG));
        self.poll.poll(&mut self.events, Some(timeout)).unwrap();
        for (end, endpoint) in [(End::Client, &mut self.client), (End::Server, &mut self.server)] {
            endpoint.drive().unwrap();
            while let Some((handle, event)) = endpoint.poll_event() {
                on(end, &mut endpoint.connection(handle).unwrap(), event);
            }
        }
    }
}

/// Reads what is there; `true` at the end.
pub fn read(connection: &mut ConnectionMut<'_>, id: StreamId, into: &mut Vec<u8>) -> bool {
    loop {
        let taken = connection.with_chunk(id, |chunk| {
            into.extend_from_slice(chunk);
            chunk.len()
        });
        match taken {
            Ok(_) => {}
            Err(ReadError::Blocked) => return false,
            Err(ReadError::Finished) => return true,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Writes what is taken of `data` from `written` on; finishes the stream once all is.
pub fn write(
    connection: &mut ConnectionMut<'_>,
    id: StreamId,
    data: &[u8],
    written: &mut usize,
) -> bool {
    while *written < data.len() {
        match connection.write(id, &data[*written..]) {
            Ok(taken) => *written += taken,
            Err(WriteError::Blocked) => return false,
            Err(error) => panic!("{error}"),
        }
    }
    connection.finish(id).unwrap();
    true
}

/// What a server has read, and not written back yet, of each stream of one connection.
#[derive(Debug, Default)]
pub struct Echo {
    streams: BTreeMap<StreamId, (Vec<u8>, usize, bool)>,
}

impl Echo {
    pub fn on(&mut self, connection: &mut ConnectionMut<'_>, event: &Event) {
        match *event {
            Event::Opened { dir } => {
                while let Some(id) = connection.accept(dir) {
                    self.streams.insert(id, <_>::default());
                    self.echo(connection, id);
                }
            }
            Event::Readable(id) | Event::Writable(id) => self.echo(connection, id),
            _ => {}
        }
    }

    fn echo(&mut self, connection: &mut ConnectionMut<'_>, id: StreamId) {
        let Some((data, written, ended)) = self.streams.get_mut(&id) else { return };
        *ended = *ended || read(connection, id, data);
        if *ended && write(connection, id, data, written) {
            self.streams.remove(&id);
        }
    }
}

/// Bytes that nobody gets right by accident.
pub fn pattern(len: usize, seed: u64) -> Vec<u8> {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (x >> 24) as u8
        })
        .collect()
}
