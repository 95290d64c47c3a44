//! A client, a server and the path between them: the story that most tests tell.
//!
//! ```
//! use jsp_sim::app::{Sink, Source};
//! use jsp_sim::{link::Link, ms, pair::Scenario, secs};
//!
//! let report = Scenario::new(7)
//!     .link(&Link::new().delay(ms(20)).rate(50_000_000).queue(100_000).loss(0.05))
//!     .client_app(Source::new(1, 1 << 20))
//!     .server_app(|_| Sink::new(1, 1 << 20))
//!     .within(secs(60))
//!     .run()
//!     .unwrap();
//! assert!(report.is_success());
//! println!("{:?} after {:?}, {}", report.outcome, report.time, report.trace);
//! ```

use crate::app::{App, Idle};
use crate::datagram::NodeId;
use crate::keys::Keys;
use crate::link::{Link, PipeStats};
use crate::machine::{Admission, AppFactory, Machine, Session};
use crate::rule::{Rule, Violation};
use crate::trace::TraceHash;
use crate::world::{Failure, Limits, Outcome, World};
use jsp_proto::connection::{Connection, Stats, TransportConfig};
use jsp_proto::crypto::Secret;
use jsp_proto::crypto::rustcrypto::RustCrypto;
use jsp_proto::endpoint::{ClientConfig, ConnectError, EndpointConfig, Incoming, ServerConfig};
use jsp_proto::error::CloseReason;
use jsp_proto::handshake::{self, IdentitySet, Pinned};
use jsp_proto::ids::{ConnectionHandle, Side};
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::{Duration, Time};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// A story to be told: who, over what, from which seed.
pub struct Scenario {
    seed: u64,
    there: Link,
    back: Link,
    /// The client's side of the handshake. By default it pins [`Keys::server`], and has the identity
    /// [`Keys::client`] should the server ask.
    pub client: handshake::ClientConfig,
    /// The server's side of the handshake. By default it shows [`Keys::server`] to everybody and asks
    /// nobody.
    pub server: handshake::ServerConfig,
    /// The client's transport.
    pub client_transport: TransportConfig,
    /// The server's transport.
    pub server_transport: TransportConfig,
    admission: Admission,
    sign_delay: Duration,
    segments: usize,
    limits: Limits,
    keys: Vec<Keys>,
    client_app: Box<dyn App>,
    server_app: AppFactory,
}

impl Scenario {
    /// A client that connects to a server over a perfect path and does nothing more.
    pub fn new(seed: u64) -> Self {
        let provider = Arc::new(RustCrypto);
        let (server, client) = (Keys::server(), Keys::client());
        let pin = Arc::new(Pinned::new(server.identity.fingerprint()));
        let mut client_config = handshake::ClientConfig::new(provider.clone(), pin);
        client_config.identity = Some(client.identity.clone());
        let identities = IdentitySet::single(server.identity.clone());
        Self {
            seed,
            there: Link::new(),
            back: Link::new(),
            client: client_config,
            server: handshake::ServerConfig::new(provider, identities),
            client_transport: TransportConfig::default(),
            server_transport: TransportConfig::default(),
            admission: Admission::Accept,
            sign_delay: Duration::ZERO,
            segments: 64,
            limits: Limits::default(),
            keys: vec![server, client],
            client_app: Box::new(Idle::new()),
            server_app: Box::new(|_| Box::new(Idle::new())),
        }
    }

    /// The same link in both directions.
    #[must_use]
    pub fn link(self, link: &Link) -> Self {
        self.links(link.clone(), link.clone())
    }

    /// A link from the client to the server, and one back.
    #[must_use]
    pub fn links(mut self, there: Link, back: Link) -> Self {
        (self.there, self.back) = (there, back);
        self
    }

    /// What the server does with the client.
    #[must_use]
    pub const fn admission(mut self, admission: Admission) -> Self {
        self.admission = admission;
        self
    }

    /// How long signatures take, at both ends.
    #[must_use]
    pub const fn sign_delay(mut self, delay: Duration) -> Self {
        self.sign_delay = delay;
        self
    }

    /// How many segments a transmit may have.
    #[must_use]
    pub const fn segments(mut self, segments: usize) -> Self {
        self.segments = segments;
        self
    }

    /// Gives both ends further keys that sign.
    #[must_use]
    pub fn with_keys(mut self, keys: Keys) -> Self {
        self.keys.push(keys);
        self
    }

    /// Changes the transport of both ends.
    #[must_use]
    pub fn transport(mut self, change: impl Fn(&mut TransportConfig)) -> Self {
        change(&mut self.client_transport);
        change(&mut self.server_transport);
        self
    }

    /// What runs on the client.
    #[must_use]
    pub fn client_app(mut self, app: impl App) -> Self {
        self.client_app = Box::new(app);
        self
    }

    /// What runs on the server, for each connection.
    #[must_use]
    pub fn server_app<A: App>(mut self, mut app: impl FnMut(&Incoming) -> A + 'static) -> Self {
        self.server_app = Box::new(move |incoming| Box::new(app(incoming)));
        self
    }

    /// How much virtual time a run may take.
    #[must_use]
    pub const fn within(mut self, time: Duration) -> Self {
        self.limits.time = time;
        self
    }

    /// Builds the world, and has the client send its first flight.
    pub fn start(self) -> Result<Pair, Failure> {
        let seed = Seed::from_u64(self.seed);
        let mut seeds = Rng::new(&seed, "machines");
        let at = |n| SocketAddr::from((Ipv4Addr::new(192, 0, 2, n), 4433));
        let (client_address, server_address) = (at(1), at(2));
        let mut client = Machine::new(endpoint(&seed), &seeds.seed(), client_address);
        let mut server = Machine::new(endpoint(&seed), &seeds.seed(), server_address);
        for machine in [&mut client, &mut server] {
            self.keys.iter().for_each(|keys| machine.add_key(Arc::clone(&keys.signer)));
            machine.set_sign_delay(self.sign_delay);
            machine.set_segments(self.segments);
        }
        let service = ServerConfig {
            handshake: Arc::new(self.server),
            transport: Arc::new(self.server_transport),
        };
        server.serve(&service, self.admission, self.server_app);
        let config = ClientConfig {
            handshake: Arc::new(self.client),
            transport: Arc::new(self.client_transport),
        };

        let rtt = self.there.base_delay() + self.back.base_delay();
        let mut world = World::new(&seed);
        let client = world.add(client, [client_address.ip()]);
        let server = world.add(server, [server_address.ip()]);
        world.connect(client, server, &self.there, &self.back);
        let handle = world
            .act(client, |machine, context| {
                machine.connect(context, &config, server_address, self.client_app)
            })?
            .map_err(|error| refused(&world, client, error))?;
        let limits = self.limits;
        Ok(Pair { world, client, server, handle, config, seed: self.seed, rtt, limits })
    }

    /// Runs until both applications are done, or a connection has ended, or the time is up.
    pub fn run(self) -> Result<Report, Failure> {
        let mut pair = self.start()?;
        let outcome = pair.run_until(Pair::is_over)?;
        Ok(pair.report(outcome))
    }
}

fn refused(world: &World<Machine>, node: NodeId, error: ConnectError) -> Failure {
    world.failure(node, Violation::new(Rule::Ended, error.to_string()))
}

/// An endpoint's settings: what a server keeps across a restart is its reset key.
fn endpoint(seed: &Seed) -> EndpointConfig {
    let mut config = EndpointConfig::new(Arc::new(RustCrypto));
    config.reset_key = Some(Secret::new(Rng::new(seed, "reset key").array()));
    config
}

/// A story being told.
pub struct Pair {
    /// The world.
    pub world: World<Machine>,
    /// The client's machine.
    pub client: NodeId,
    /// The server's machine.
    pub server: NodeId,
    /// The client's connection.
    pub handle: ConnectionHandle,
    config: ClientConfig,
    seed: u64,
    rtt: Duration,
    limits: Limits,
}

impl Pair {
    /// Runs until `done` says so, within the scenario's limits.
    pub fn run_until(&mut self, done: impl Fn(&Self) -> bool) -> Result<Outcome, Failure> {
        while !done(self) {
            if let Some(outcome) = self.world.advance(self.limits)? {
                return Ok(outcome);
            }
        }
        Ok(Outcome::Done)
    }

    /// The client's session.
    pub fn client(&self) -> Option<&Session> {
        self.world.host(self.client).session(self.handle)
    }

    /// The server's session, the first that it took.
    pub fn server(&self) -> Option<&Session> {
        self.world.host(self.server).sessions().min_by_key(|session| session.began)
    }

    /// Whether both applications are done, or a connection has ended.
    pub fn is_over(&self) -> bool {
        let sessions = [self.client(), self.server()];
        sessions.iter().flatten().any(|session| session.closed.is_some())
            || sessions.iter().all(|session| session.is_some_and(Session::is_done))
    }

    /// Does something to the connection of one side from outside; `None` if there is none.
    pub fn with_connection<R>(
        &mut self,
        side: Side,
        action: impl FnOnce(&mut Connection, Time) -> R,
    ) -> Result<Option<R>, Failure> {
        let now = self.world.now();
        let (node, session) = match side {
            Side::Client => (self.client, self.client()),
            Side::Server => (self.server, self.server()),
        };
        let Some(handle) = session.map(|session| session.connection().handle()) else {
            return Ok(None);
        };
        self.world.act(node, |machine, context| {
            machine.with_connection(context, handle, |connection| action(connection, now))
        })
    }

    /// Connects once more, from the same client to the same server.
    pub fn connect_again(&mut self, app: impl App) -> Result<ConnectionHandle, Failure> {
        let remote = self.world.host(self.server).address();
        let config = self.config.clone();
        self.world
            .act(self.client, |machine, context| {
                machine.connect(context, &config, remote, Box::new(app))
            })?
            .map_err(|error| refused(&self.world, self.client, error))
    }

    /// The server crashes and comes back at once: it has forgotten everything but its reset key.
    pub fn restart_server(&mut self) -> Result<(), Failure> {
        let config = endpoint(&Seed::from_u64(self.seed));
        let mut fresh = Rng::new(&Seed::from_u64(self.seed), "restart");
        self.world.act(self.server, |machine, _| machine.restart(config, &fresh.seed()))
    }

    /// What has happened so far.
    pub fn report(&self, outcome: Outcome) -> Report {
        let handshake = self.client().and_then(|session| Some(session.connected? - session.began));
        Report {
            seed: self.seed,
            outcome,
            time: self.world.now() - Time::ZERO,
            events: self.world.events(),
            handshake,
            handshake_rtts: handshake
                .filter(|_| !self.rtt.is_zero())
                .map(|handshake| handshake.as_secs_f64() / self.rtt.as_secs_f64()),
            client: self.client().map(End::new),
            server: self.server().map(End::new),
            there: self.world.stats(self.client, self.server),
            back: self.world.stats(self.server, self.client),
            trace: self.world.trace().hash(),
        }
    }
}

/// How a run went.
#[derive(Clone, Debug)]
pub struct Report {
    /// What it followed from.
    pub seed: u64,
    /// Why it stopped.
    pub outcome: Outcome,
    /// Virtual time that passed.
    pub time: Duration,
    /// Arrivals and timers.
    pub events: u64,
    /// How long the client's handshake took, if it completed.
    pub handshake: Option<Duration>,
    /// The same in round trips of the links' delays, if those are not zero.
    pub handshake_rtts: Option<f64>,
    /// The client's end.
    pub client: Option<End>,
    /// The server's end, if it took the connection.
    pub server: Option<End>,
    /// What became of the client's datagrams.
    pub there: PipeStats,
    /// What became of the server's datagrams.
    pub back: PipeStats,
    /// The hash of every datagram, event and timer.
    pub trace: TraceHash,
}

impl Report {
    /// Whether both applications did everything that they came for.
    pub fn is_success(&self) -> bool {
        [&self.client, &self.server].iter().all(|end| end.as_ref().is_some_and(|end| end.done))
    }
}

/// One end of a connection after a run.
#[derive(Clone, Debug)]
pub struct End {
    /// Whether the application has done everything that it came for.
    pub done: bool,
    /// Why the connection ended, if it has.
    pub closed: Option<CloseReason>,
    /// What the connection measured.
    pub stats: Stats,
}

impl End {
    fn new(session: &Session) -> Self {
        Self {
            done: session.is_done(),
            closed: session.closed.as_ref().map(|(_, reason)| reason.clone()),
            stats: session.connection().stats(),
        }
    }
}
