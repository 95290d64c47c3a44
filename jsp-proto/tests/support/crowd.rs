//! Many connections between two endpoints, in virtual time, without sockets: what they cost at rest.

#![allow(dead_code, reason = "each user asks for its part")]
#![allow(clippy::unwrap_used, reason = "a pair that cannot be made is a failure")]

use jsp_proto::connection::{Connection, Event, TransportConfig};
use jsp_proto::crypto::{IdentitySecret, Provider, Signer, Suite};
use jsp_proto::endpoint::{ClientConfig, Endpoint, EndpointConfig, Routed, ServerConfig};
use jsp_proto::handshake::{self, Identity, IdentitySet, Pinned};
use jsp_proto::ids::{Dir, Ecn};
use jsp_proto::record::Received;
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::{Duration, Time};
use std::net::SocketAddr;
use std::sync::Arc;

/// How long a datagram takes.
const DELAY: Duration = Duration::from_micros(100);

/// Both ends of a connection.
pub(crate) struct Ends {
    pub(crate) client: Connection,
    pub(crate) server: Connection,
}

/// A client's and a server's endpoint, and what makes connections between them.
pub(crate) struct Crowd {
    pub(crate) now: Time,
    ours: Endpoint,
    theirs: Endpoint,
    config: ClientConfig,
    signer: Box<dyn Signer>,
    buffer: Vec<u8>,
    next_port: u16,
}

const SERVER: ([u8; 4], u16) = ([127, 0, 0, 1], 1);

fn meta(remote: SocketAddr) -> Received {
    Received { remote, local: None, ecn: Ecn::NotEct }
}

impl Crowd {
    pub(crate) fn new(provider: &Arc<dyn Provider>, transport: TransportConfig) -> Self {
        let secret = IdentitySecret { ed25519: [1; 32], ml_dsa: Some([2; 32]) };
        let signer = provider.signer(&secret).unwrap();
        let identity = Identity::new(&**provider, signer.public().clone());
        let transport = Arc::new(transport);
        let verifier = Arc::new(Pinned::new(identity.fingerprint()));
        let mut client = handshake::ClientConfig::new(Arc::clone(provider), verifier);
        client.suites = vec![Suite::Aes256Gcm];
        let server =
            handshake::ServerConfig::new(Arc::clone(provider), IdentitySet::single(identity));
        let endpoint =
            |n| Endpoint::new(EndpointConfig::new(Arc::clone(provider)), &Seed::from_u64(n));
        let mut theirs = endpoint(2);
        theirs.set_server(Some(Arc::new(ServerConfig {
            handshake: Arc::new(server),
            transport: Arc::clone(&transport),
        })));
        Self {
            now: Time::from_nanos(1_000_000_000),
            ours: endpoint(1),
            theirs,
            config: ClientConfig { handshake: Arc::new(client), transport },
            signer,
            buffer: vec![0; 65_535],
            next_port: 2,
        }
    }

    /// A connection whose handshake is confirmed at both ends.
    pub(crate) fn connect(&mut self) -> Ends {
        // Far enough apart that no quota of handshakes is used up.
        self.now += Duration::from_millis(10);
        self.next_port = self.next_port.checked_add(1).unwrap_or(2);
        let (from, to) = (SocketAddr::from(([127, 0, 0, 1], self.next_port)), SERVER.into());
        let mut client = self.ours.connect(self.now, &self.config, to, None).unwrap();
        let mut reply = [0; 1500];
        loop {
            let sent = client.poll_transmit(self.now, &mut self.buffer, 1).expect("a first flight");
            let datagram = &mut self.buffer[..sent.len];
            match self.theirs.handle(self.now, &meta(from), datagram, &mut reply) {
                Routed::Incoming(incoming) => {
                    let server = self.theirs.accept(self.now, &incoming, None, &mut reply).unwrap();
                    let mut ends = Ends { client, server };
                    self.exchange(&mut ends);
                    assert!(ends.client.is_established() && ends.server.is_established());
                    return ends;
                }
                Routed::Dropped => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Lets both ends speak until neither has anything to say at once.
    pub(crate) fn exchange(&mut self, ends: &mut Ends) {
        let mut quiet = false;
        while !core::mem::replace(&mut quiet, true) {
            self.now += DELAY;
            quiet &= !self.turn(ends);
        }
    }

    /// Each end says what it has to; whether there was anything.
    fn turn(&mut self, Ends { client, server }: &mut Ends) -> bool {
        let spoke = self.speak(client, server);
        self.speak(server, client) || spoke
    }

    fn speak(&mut self, end: &mut Connection, other: &mut Connection) -> bool {
        let Self { now, buffer, signer, .. } = self;
        let mut spoke = false;
        end.handle_timeout(*now);
        while let Some(event) = end.poll_event() {
            if let Event::Sign(request) = event {
                let mut rng = Rng::new(&Seed::from_u64(3), "sign");
                end.provide_signature(*now, signer.sign(&mut rng, &request.message));
                spoke = true;
            }
        }
        while let Some(sent) = end.poll_transmit(*now, buffer, 64) {
            let from = meta(other.remote());
            other.handle_datagrams(*now, &from, &mut buffer[..sent.len], sent.segment);
            spoke = true;
        }
        spoke
    }

    /// Carries `len` bytes to and fro on a stream, which is then over.
    pub(crate) fn echo(&mut self, ends: &mut Ends, len: usize) {
        let id = ends.client.open_stream(Dir::Bi).expect("a stream");
        let data = vec![7; len];
        let (mut to, mut fro) = ((0, 0), (0, 0));
        while fro.1 < len {
            to.0 += ends.client.write(id, &data[to.0..]).unwrap_or(0);
            self.exchange(ends);
            while ends.server.accept_stream(Dir::Bi).is_some() {}
            while let Ok(chunk) = ends.server.peek(id) {
                let n = chunk.data.len();
                ends.server.consume(id, n);
                to.1 += n;
            }
            fro.0 += ends.server.write(id, &data[..to.1][fro.0..]).unwrap_or(0);
            self.exchange(ends);
            while let Ok(chunk) = ends.client.peek(id) {
                let n = chunk.data.len();
                ends.client.consume(id, n);
                fro.1 += n;
            }
        }
        ends.client.finish(id).unwrap();
        ends.server.finish(id).unwrap();
        self.exchange(ends);
        assert!(ends.client.peek(id).is_err() && ends.server.peek(id).is_err());
        self.exchange(ends);
    }

    /// Lets `span` pass for a connection, at the times that its ends ask for.
    pub(crate) fn rest(&mut self, ends: &mut Ends, span: Duration) {
        let until = self.now + span;
        loop {
            self.exchange(ends);
            let next = [ends.client.next_timeout(), ends.server.next_timeout()];
            match next.into_iter().flatten().min() {
                Some(next) if next < until => self.now = self.now.max(next),
                _ => break,
            }
        }
        self.now = until;
    }

    /// The client says that it is there, and the server acknowledges it.
    pub(crate) fn alive(&mut self, ends: &mut Ends) {
        self.speak_when_due(&mut ends.client, &mut ends.server);
        self.speak_when_due(&mut ends.server, &mut ends.client);
    }

    /// Lets time pass until one end has something to say.
    fn speak_when_due(&mut self, end: &mut Connection, other: &mut Connection) {
        while !self.speak(end, other) {
            let next = end.next_timeout().expect("something is due some time");
            self.now = self.now.max(next);
        }
    }
}
