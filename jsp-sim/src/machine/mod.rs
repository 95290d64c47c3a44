//! A machine: an endpoint with its connections, their applications and the keys that sign, which is
//! what a driver is, without a socket.
//!
//! After everything that happens to a connection it is *settled*: events go to the application, the
//! application reads and writes, datagrams leave, until nothing is left. Then it is checked that
//! further polls change nothing.

mod faults;
mod forge;
mod routing;
mod session;

pub use session::Session;

use crate::agenda::Agenda;
use crate::app::App;
use crate::datagram::{Datagram, NodeId};
use crate::invariant::{SharedObserver, Surroundings, Taps};
use crate::rule::{Rule, Violation};
use crate::share::Share;
use crate::timers::Timers;
use crate::world::{Context, Host};
use faults::{Send, SocketFaults};
use forge::TrafficSecrets;
use jsp_proto::connection::{Connection, TapFactory, TransportConfig};
use jsp_proto::crypto::{CryptoError, Fingerprint, Provider, Signature, Signer};
use jsp_proto::endpoint::{
    AcceptError, ClientConfig, ConnectError, Endpoint, EndpointConfig, Incoming, ServerConfig,
};
use jsp_proto::handshake::SignRequest;
use jsp_proto::ids::ConnectionHandle;
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::{Duration, Time};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// Any UDP payload fits.
const BUFFER: usize = 65_535;

/// What a server does with a client that wants to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Takes it.
    Accept,
    /// Asks it for proof of its address, then takes it.
    Retry,
    /// Tells it to go away.
    Refuse,
    /// Says nothing.
    Ignore,
}

/// Makes the application for each connection that a server takes.
pub type AppFactory = Box<dyn FnMut(&Incoming) -> Box<dyn App>>;

struct Service {
    config: Arc<ServerConfig>,
    admission: Admission,
    app: AppFactory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    Endpoint,
    Signature,
    Socket,
    Session(ConnectionHandle),
}

/// An endpoint at an address, with all that belongs to it.
pub struct Machine {
    endpoint: Endpoint,
    address: SocketAddr,
    service: Option<Service>,
    sessions: BTreeMap<ConnectionHandle, Session>,
    /// Sessions that are over, in the order of their ends.
    past: Vec<(ConnectionHandle, Session)>,
    timers: Timers<Alarm>,
    keys: BTreeMap<Fingerprint, Arc<dyn Signer>>,
    provider: Arc<dyn Provider>,
    signing: Rng,
    sign_delay: Duration,
    signatures: Agenda<(ConnectionHandle, SignRequest)>,
    segments: usize,
    faults: SocketFaults,
    taps: Arc<Taps>,
    /// Bytes of UDP payload that each address has sent.
    heard: BTreeMap<SocketAddr, u64>,
    buffer: Vec<u8>,
    run: Vec<u8>,
    dropped: u64,
    broken: Option<Violation>,
}

impl Machine {
    /// A machine at `address`, of which everything random follows from `seed`.
    pub fn new(config: EndpointConfig, seed: &Seed, address: SocketAddr) -> Self {
        Self {
            provider: Arc::clone(&config.provider),
            endpoint: Endpoint::new(config, seed),
            address,
            service: None,
            sessions: BTreeMap::new(),
            past: Vec::new(),
            timers: Timers::new(),
            keys: BTreeMap::new(),
            signing: Rng::new(seed, "signing"),
            sign_delay: Duration::ZERO,
            signatures: Agenda::new(),
            segments: 64,
            faults: SocketFaults::new(seed),
            taps: Arc::new(Taps::new()),
            heard: BTreeMap::new(),
            buffer: vec![0; BUFFER],
            run: Vec::new(),
            dropped: 0,
            broken: None,
        }
    }

    /// Gives the machine an identity's private keys.
    pub fn add_key(&mut self, signer: Arc<dyn Signer>) {
        self.keys.insert(signer.public().fingerprint(&*self.provider), signer);
    }

    /// Has somebody record the packets of all connections that begin from now on; `node` is the
    /// machine's.
    pub fn observe(&self, node: NodeId, observer: SharedObserver) {
        self.taps.observe(node, observer);
    }

    /// Takes connections from now on.
    pub fn serve(&mut self, config: &ServerConfig, admission: Admission, app: AppFactory) {
        let transport = self.tapped(&config.transport);
        let config = Arc::new(ServerConfig { transport, ..config.clone() });
        self.endpoint.set_server(Some(Arc::clone(&config)));
        self.service = Some(Service { config, admission, app });
    }

    /// The same settings, with taps that lead to the machine's books.
    fn tapped(&self, transport: &TransportConfig) -> Arc<TransportConfig> {
        let taps: Arc<dyn TapFactory> = self.taps.clone();
        Arc::new(TransportConfig { taps: Some(taps), ..transport.clone() })
    }

    /// Has signatures take `delay`, as if a slow device made them.
    pub const fn set_sign_delay(&mut self, delay: Duration) {
        self.sign_delay = delay;
    }

    /// How many segments a system call takes (UDP GSO); 1 is without.
    pub fn set_segments(&mut self, segments: usize) {
        self.segments = segments.max(1);
    }

    /// Refuses this share of sends until `until`, by the machine's clock: the operating system returns
    /// an error, and the datagrams are lost.
    pub fn refuse_sends(&mut self, share: Share, until: Time) {
        self.faults.refuse(share, until);
    }

    /// Has the socket take nothing until `until`, by the machine's clock: its buffer is full. The engine
    /// is not asked for more until then.
    pub fn fill_socket(&mut self, until: Time) {
        self.faults.fill(until);
        self.timers.set(Alarm::Socket, Some(until));
    }

    /// Moves the machine's socket to another address, from which it sends from now on.
    pub const fn set_address(&mut self, address: SocketAddr) {
        self.address = address;
    }

    /// The machine's address.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The endpoint.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Datagrams that the endpoint had no use for.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// A session, under way or over.
    pub fn session(&self, handle: ConnectionHandle) -> Option<&Session> {
        let past = || self.past.iter().rfind(|(h, _)| *h == handle).map(|(_, session)| session);
        self.sessions.get(&handle).or_else(past)
    }

    /// All sessions: those under way by handle, then those that are over in the order of their ends.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values().chain(self.past.iter().map(|(_, session)| session))
    }

    /// Connects to `remote`, with `app` on top.
    pub fn connect(
        &mut self,
        context: &mut Context<'_>,
        config: &ClientConfig,
        remote: SocketAddr,
        app: Box<dyn App>,
    ) -> Result<ConnectionHandle, ConnectError> {
        let transport = self.tapped(&config.transport);
        let (handshake, secrets) = TrafficSecrets::of_client(&config.handshake);
        let config = ClientConfig { handshake, transport };
        // Without a local address, as from a socket that is bound to none: if the machine moves, the
        // connection does.
        let connection = self.endpoint.connect(context.now, &config, remote, None)?;
        Ok(self.begin(context, connection, app, false, secrets))
    }

    /// Does something to a connection from outside, and settles it.
    pub fn with_connection<R>(
        &mut self,
        context: &mut Context<'_>,
        handle: ConnectionHandle,
        action: impl FnOnce(&mut Connection) -> R,
    ) -> Option<R> {
        let result = action(&mut self.sessions.get_mut(&handle)?.connection);
        self.settle(context, handle);
        Some(result)
    }

    /// Does something to a connection and its application, if that is an `A`, and settles it.
    pub fn with_app<A: App, R>(
        &mut self,
        context: &mut Context<'_>,
        handle: ConnectionHandle,
        action: impl FnOnce(&mut Connection, &mut A) -> R,
    ) -> Option<R> {
        let (connection, app) = self.sessions.get_mut(&handle)?.parts()?;
        let result = action(connection, app);
        self.settle(context, handle);
        Some(result)
    }

    /// Loses everything that a crash loses, sessions, keys of the running process and all; what is kept
    /// on disk is in `config`, and signatures take as long as they did. Sessions are neither closed nor reported on.
    pub fn restart(&mut self, config: EndpointConfig, seed: &Seed) {
        let service = self.service.take();
        let keys = std::mem::take(&mut self.keys);
        let taps = Arc::clone(&self.taps);
        let (sign_delay, segments) = (self.sign_delay, self.segments);
        let fresh = Self::new(config, seed, self.address);
        *self = Self { keys, sign_delay, segments, taps, ..fresh };
        if let Some(Service { config, admission, app }) = service {
            self.serve(&config, admission, app);
        }
    }

    fn begin(
        &mut self,
        context: &mut Context<'_>,
        connection: Connection,
        app: Box<dyn App>,
        retried: bool,
        secrets: Arc<TrafficSecrets>,
    ) -> ConnectionHandle {
        let handle = connection.handle();
        let watch = self.taps.watch(handle, connection.side(), retried);
        let session = Session::new(context.now, connection, app, watch, secrets);
        self.sessions.insert(handle, session);
        self.settle(context, handle);
        handle
    }

    fn admit(&mut self, context: &mut Context<'_>, incoming: &Incoming) {
        let Some(service) = &mut self.service else {
            return self.endpoint.ignore(incoming);
        };
        let reply = match service.admission {
            Admission::Retry if !incoming.is_validated() => {
                self.endpoint.retry(context.now, incoming, &mut self.buffer)
            }
            Admission::Refuse => self.endpoint.refuse(incoming, &mut self.buffer),
            Admission::Ignore => return self.endpoint.ignore(incoming),
            Admission::Accept | Admission::Retry => {
                let app = (service.app)(incoming);
                let (handshake, secrets) = TrafficSecrets::of_server(&service.config.handshake);
                let transport = Arc::clone(&service.config.transport);
                let config = Arc::new(ServerConfig { handshake, transport });
                let (now, buffer) = (context.now, &mut self.buffer);
                match self.endpoint.accept(now, incoming, Some(&config), buffer) {
                    Ok(connection) => {
                        self.begin(context, connection, app, incoming.is_validated(), secrets);
                        None
                    }
                    Err(AcceptError { error, transmit }) => {
                        context.note(0, format!("not accepted: {error}").as_bytes());
                        transmit
                    }
                }
            }
        };
        if let Some(transmit) = reply {
            context.transmit(self.address, &transmit, &self.buffer);
        }
    }

    /// Lets a session do everything that it can do now, then checks that nothing is left.
    fn settle(&mut self, context: &mut Context<'_>, handle: ConnectionHandle) {
        let Some(session) = self.sessions.get_mut(&handle) else { return };
        let remote = session.connection.remote();
        let around = Surroundings {
            now: context.now,
            intact: context.intact,
            remote,
            heard: self.heard.get(&remote).copied().unwrap_or_default(),
            can_send: self.faults.full_until(context.now).is_none(),
            overdue: self.timers.get(Alarm::Session(handle)).is_some_and(|at| at <= context.now),
        };
        let result = loop {
            let heard = match session.hear(context, handle) {
                Ok(heard) => heard,
                Err(what) => break Err(what),
            };
            for request in heard.requests {
                if self.sign_delay.is_zero() {
                    let signature = sign(&self.keys, &mut self.signing, &request);
                    session.connection.provide_signature(context.now, signature);
                } else {
                    self.signatures.plan(context.now + self.sign_delay, (handle, request));
                }
            }
            if !around.can_send {
                if heard.anything {
                    continue;
                }
                break Ok(session.connection.audit());
            }
            if let Err(what) = session.poll_too_small(context.now, self.segments) {
                break Err(what);
            }
            let mut sent = false;
            while let Some(transmit) =
                session.connection.poll_transmit(context.now, &mut self.buffer, self.segments)
            {
                sent = true;
                if transmit.len == 0 || transmit.segment == 0 {
                    break;
                }
                if let Some(watch) = &mut session.watch {
                    watch.on_transmit(transmit.remote, transmit.len);
                }
                if self.faults.send(context.now) == Send::Taken {
                    context.transmit(self.address, &transmit, &self.buffer);
                }
            }
            if !sent && !heard.anything {
                break session.check(context.now, &mut self.buffer, self.segments);
            }
        };
        let result = result.and_then(|audit| session.examine(&audit, &around));
        if let Err(what) = result {
            self.broken.get_or_insert(what);
        }
        self.set_timers(context.now, handle);
    }

    fn set_timers(&mut self, now: Time, handle: ConnectionHandle) {
        let drained = self.sessions.get(&handle).is_some_and(|s| s.connection.is_drained());
        if drained {
            self.endpoint.release(handle);
            self.past.extend(self.sessions.remove(&handle).map(|session| (handle, session)));
        }
        let next = self.sessions.get(&handle).and_then(Session::next_timeout);
        // While the socket takes nothing, what wants to be sent waits.
        let next = next.map(|next| next.max(self.faults.full_until(now).unwrap_or(next)));
        self.timers.set(Alarm::Session(handle), next);
        self.timers.set(Alarm::Endpoint, self.endpoint.next_timeout());
        self.timers.set(Alarm::Signature, self.signatures.peek().map(|(time, _)| time));
    }
}

impl Host for Machine {
    fn receive(&mut self, context: &mut Context<'_>, datagrams: &mut Vec<Datagram>) {
        self.route(context, datagrams);
        self.timers.set(Alarm::Endpoint, self.endpoint.next_timeout());
    }

    fn handle_timeout(&mut self, context: &mut Context<'_>) {
        let now = context.now;
        while let Some((time, alarm)) = self.timers.first().filter(|(time, _)| *time <= now) {
            match alarm {
                Alarm::Endpoint => {
                    self.endpoint.handle_timeout(now);
                    self.timers.set(alarm, self.endpoint.next_timeout());
                }
                Alarm::Signature => {
                    if let Some((handle, request)) = self.signatures.take(now) {
                        let signature = sign(&self.keys, &mut self.signing, &request);
                        if let Some(session) = self.sessions.get_mut(&handle) {
                            session.connection.provide_signature(now, signature);
                        }
                        self.settle(context, handle);
                    }
                    self.timers.set(alarm, self.signatures.peek().map(|(time, _)| time));
                    continue;
                }
                Alarm::Socket => {
                    self.timers.set(alarm, None);
                    let handles: Vec<_> = self.sessions.keys().copied().collect();
                    for handle in handles {
                        // What was due meanwhile is due now.
                        if let Some(session) = self.sessions.get_mut(&handle) {
                            session.connection.handle_timeout(now);
                        }
                        self.settle(context, handle);
                    }
                }
                Alarm::Session(handle) => {
                    self.timers.set(alarm, None);
                    if let Some(session) = self.sessions.get_mut(&handle) {
                        session.connection.handle_timeout(now);
                    }
                    self.settle(context, handle);
                }
            }
            if self.timers.get(alarm).is_some_and(|next| next <= now) {
                // The world fails the run over it.
                let what = format!("{alarm:?} of {time:?} is not over at {now:?}");
                self.broken.get_or_insert(Violation::new(Rule::Timeout, what));
                return;
            }
        }
    }

    fn next_timeout(&self) -> Option<Time> {
        self.timers.first().map(|(time, _)| time)
    }

    fn check(&mut self, _: Time) -> Result<(), Violation> {
        self.broken.take().map_or(Ok(()), Err)
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("address", &self.address)
            .field("sessions", &self.sessions)
            .field("past", &self.past)
            .finish_non_exhaustive()
    }
}

fn sign(
    keys: &BTreeMap<Fingerprint, Arc<dyn Signer>>,
    rng: &mut Rng,
    request: &SignRequest,
) -> Result<Signature, CryptoError> {
    keys.get(&request.identity).ok_or(CryptoError)?.sign(rng, &request.message)
}
