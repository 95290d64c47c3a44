//! A machine: an endpoint with its connections, their applications and the keys that sign, which is
//! what a driver is, without a socket.
//!
//! After everything that happens to a connection it is *settled*: events go to the application, the
//! application reads and writes, datagrams leave, until nothing is left. Then it is checked that
//! further polls change nothing.

use crate::agenda::Agenda;
use crate::app::App;
use crate::network::Datagram;
use crate::timers::Timers;
use crate::world::{Context, Host};
use jsp_proto::connection::{Connection, Event};
use jsp_proto::crypto::{CryptoError, Fingerprint, Provider, Signature, Signer};
use jsp_proto::endpoint::{
    AcceptError, ClientConfig, ConnectError, Endpoint, EndpointConfig, Incoming, Routed,
    ServerConfig,
};
use jsp_proto::error::CloseReason;
use jsp_proto::handshake::SignRequest;
use jsp_proto::ids::ConnectionHandle;
use jsp_proto::record::Received;
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::{Duration, Time};
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
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

/// A connection with its application, and when it reached what.
#[derive(Debug)]
pub struct Session {
    connection: Connection,
    app: Box<dyn App>,
    /// When it began.
    pub began: Time,
    /// When the handshake completed at this end.
    pub connected: Option<Time>,
    /// When it was known that it completed at the other.
    pub confirmed: Option<Time>,
    /// When and why it ended.
    pub closed: Option<(Time, CloseReason)>,
}

impl Session {
    /// The connection.
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether the application has done everything that it came for.
    pub fn is_done(&self) -> bool {
        self.app.is_done()
    }

    /// The application, if it is an `A`.
    pub fn app<A: App>(&self) -> Option<&A> {
        (&*self.app as &dyn Any).downcast_ref()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    Endpoint,
    Signature,
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
    buffer: Vec<u8>,
    run: Vec<u8>,
    dropped: u64,
    broken: Option<String>,
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

    /// Takes connections from now on.
    pub fn serve(&mut self, config: Arc<ServerConfig>, admission: Admission, app: AppFactory) {
        self.endpoint.set_server(Some(Arc::clone(&config)));
        self.service = Some(Service { config, admission, app });
    }

    /// Has signatures take `delay`, as if a slow device made them.
    pub const fn set_sign_delay(&mut self, delay: Duration) {
        self.sign_delay = delay;
    }

    /// How many segments a system call takes (UDP GSO); 1 is without.
    pub fn set_segments(&mut self, segments: usize) {
        self.segments = segments.max(1);
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
        let local = Some(self.address.ip());
        let connection = self.endpoint.connect(context.now, config, remote, local)?;
        Ok(self.begin(context, connection, app))
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

    /// Loses everything that a crash loses, sessions, keys of the running process and all; what is kept
    /// on disk is in `config`. Sessions are neither closed nor reported on.
    pub fn restart(&mut self, config: EndpointConfig, seed: &Seed) {
        let service = self.service.take();
        let keys = std::mem::take(&mut self.keys);
        *self = Self { keys, segments: self.segments, ..Self::new(config, seed, self.address) };
        if let Some(Service { config, admission, app }) = service {
            self.serve(config, admission, app);
        }
    }

    fn begin(
        &mut self,
        context: &mut Context<'_>,
        connection: Connection,
        app: Box<dyn App>,
    ) -> ConnectionHandle {
        let handle = connection.handle();
        let session = Session {
            connection,
            app,
            began: context.now,
            connected: None,
            confirmed: None,
            closed: None,
        };
        self.sessions.insert(handle, session);
        self.settle(context, handle);
        handle
    }

    /// Leads datagrams to their connections: those that came in a row from one sender at once, as UDP
    /// GRO does, the others one by one.
    fn route(&mut self, context: &mut Context<'_>, datagrams: &mut [Datagram]) {
        let mut touched = BTreeSet::new();
        let mut rest = datagrams;
        while let Some(first) = rest.first() {
            let meta = Received { remote: first.from, local: Some(first.to.ip()), ecn: first.ecn };
            let n = run_length(rest);
            let (run, later) = rest.split_at_mut(n);
            rest = later;
            self.route_run(context, &meta, run, &mut touched);
        }
        for handle in touched {
            self.settle(context, handle);
        }
    }

    fn route_run(
        &mut self,
        context: &mut Context<'_>,
        meta: &Received,
        run: &mut [Datagram],
        touched: &mut BTreeSet<ConnectionHandle>,
    ) {
        let segment = run.first().map_or(0, |datagram| datagram.payload.len());
        let mut bytes = std::mem::take(&mut self.run);
        bytes.clear();
        for datagram in run.iter() {
            bytes.extend_from_slice(&datagram.payload);
        }
        let mut at = 0;
        while at < bytes.len() {
            let batch = &mut bytes[at..];
            if let Some((handle, n)) = self.endpoint.route_run(batch, segment) {
                if let Some(session) = self.sessions.get_mut(&handle) {
                    session.connection.handle_datagrams(
                        context.now,
                        meta,
                        &mut batch[..n],
                        segment,
                    );
                    touched.insert(handle);
                }
                at += n;
            } else {
                let n = segment.min(batch.len());
                self.route_one(context, meta, &mut batch[..n], touched);
                at += n;
            }
        }
        self.run = bytes;
    }

    fn route_one(
        &mut self,
        context: &mut Context<'_>,
        meta: &Received,
        datagram: &mut [u8],
        touched: &mut BTreeSet<ConnectionHandle>,
    ) {
        match self.endpoint.handle(context.now, meta, datagram, &mut self.buffer) {
            Routed::Connection(handle) => {
                if let Some(session) = self.sessions.get_mut(&handle) {
                    let len = datagram.len();
                    session.connection.handle_datagrams(context.now, meta, datagram, len);
                    touched.insert(handle);
                }
            }
            Routed::Stray => {
                let handles: Vec<_> = self.endpoint.connections_with(meta.remote).collect();
                for handle in handles {
                    if let Some(session) = self.sessions.get_mut(&handle) {
                        let mut copy = datagram.to_vec();
                        let len = copy.len();
                        session.connection.handle_datagrams(context.now, meta, &mut copy, len);
                        touched.insert(handle);
                    }
                }
            }
            Routed::Incoming(incoming) => self.admit(context, &incoming),
            Routed::Reply(transmit) => context.transmit(self.address, &transmit, &self.buffer),
            Routed::Dropped => self.dropped += 1,
        }
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
                let config = Arc::clone(&service.config);
                let (now, buffer) = (context.now, &mut self.buffer);
                match self.endpoint.accept(now, incoming, Some(&config), buffer) {
                    Ok(connection) => {
                        self.begin(context, connection, app);
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
            let mut sent = false;
            while let Some(transmit) =
                session.connection.poll_transmit(context.now, &mut self.buffer, self.segments)
            {
                sent = true;
                if transmit.len == 0 || transmit.segment == 0 {
                    break;
                }
                context.transmit(self.address, &transmit, &self.buffer);
            }
            if !sent && !heard.anything {
                break session.check(context.now, &mut self.buffer, self.segments);
            }
        };
        if let Err(what) = result {
            self.broken.get_or_insert(what);
        }
        self.set_timers(handle);
    }

    fn set_timers(&mut self, handle: ConnectionHandle) {
        let drained = self.sessions.get(&handle).is_some_and(|s| s.connection.is_drained());
        if drained {
            self.endpoint.release(handle);
            self.past.extend(self.sessions.remove(&handle).map(|session| (handle, session)));
        }
        let next = self.sessions.get(&handle).and_then(Session::next_timeout);
        self.timers.set(Alarm::Session(handle), next);
        self.timers.set(Alarm::Endpoint, self.endpoint.next_timeout());
        self.timers.set(Alarm::Signature, self.signatures.peek().map(|(time, _)| time));
    }
}

/// What a session heard from its connection.
struct Heard {
    anything: bool,
    requests: Vec<SignRequest>,
}

impl Session {
    /// Hands events to the application, and lets it read and write.
    fn hear(
        &mut self,
        context: &mut Context<'_>,
        handle: ConnectionHandle,
    ) -> Result<Heard, String> {
        let mut heard = Heard { anything: false, requests: Vec::new() };
        while let Some(event) = self.connection.poll_event() {
            heard.anything = true;
            context.note(u64::from(handle.index), format!("{event:?}").as_bytes());
            if let Some((_, reason)) = &self.closed {
                return Err(format!("{event:?} after the connection was closed: {reason}"));
            }
            match &event {
                Event::Sign(request) => {
                    heard.requests.push(request.clone());
                    continue;
                }
                Event::Connected => self.connected = Some(context.now),
                Event::Confirmed => self.confirmed = Some(context.now),
                Event::Closed(reason) => self.closed = Some((context.now, reason.clone())),
                Event::Stream(_) => {}
            }
            self.app.on_event(context.now, &mut self.connection, &event)?;
        }
        self.app.poll(context.now, &mut self.connection)?;
        Ok(heard)
    }

    fn next_timeout(&self) -> Option<Time> {
        self.connection.next_timeout().into_iter().chain(self.app.next_timeout()).min()
    }

    /// Further polls change nothing, and a slice that is too small does not either.
    fn check(&mut self, now: Time, buffer: &mut [u8], segments: usize) -> Result<(), String> {
        let before = self.connection.next_timeout();
        let small = self.connection.poll_transmit(now, &mut [0; 100], segments).is_some();
        if small || self.connection.poll_transmit(now, buffer, segments).is_some() {
            return Err("a drained connection had more to send".into());
        }
        if let Some(event) = self.connection.poll_event() {
            return Err(format!("polling a drained connection made it say {event:?}"));
        }
        let after = self.connection.next_timeout();
        if before != after {
            return Err(format!("polling moved the timer from {before:?} to {after:?}"));
        }
        Ok(())
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
                Alarm::Session(handle) => {
                    if let Some(session) = self.sessions.get_mut(&handle) {
                        session.connection.handle_timeout(now);
                    }
                    self.settle(context, handle);
                }
            }
            if self.timers.get(alarm).is_some_and(|next| next <= now) {
                // The world fails the run over it.
                self.broken.get_or_insert(format!("{alarm:?} of {time:?} is not over at {now:?}"));
                return;
            }
        }
    }

    fn next_timeout(&self) -> Option<Time> {
        self.timers.first().map(|(time, _)| time)
    }

    fn check(&mut self, _: Time) -> Result<(), String> {
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

/// How many datagrams at the front came from one sender to one address with one ECN field, all of one
/// size (the last may be shorter), and fit a buffer together.
fn run_length(datagrams: &[Datagram]) -> usize {
    let Some(first) = datagrams.first() else { return 0 };
    let size = first.payload.len();
    let same = |d: &&Datagram| (d.from, d.to, d.ecn) == (first.from, first.to, first.ecn);
    let most = (BUFFER / size.max(1)).clamp(1, 64);
    let mut run = datagrams.iter().take(most).take_while(same);
    let full = run.clone().take_while(|d| d.payload.len() == size).count();
    let tail = run.nth(full).is_some_and(|d| (1..size).contains(&d.payload.len()));
    full + usize::from(tail && full < most)
}

fn sign(
    keys: &BTreeMap<Fingerprint, Arc<dyn Signer>>,
    rng: &mut Rng,
    request: &SignRequest,
) -> Result<Signature, CryptoError> {
    keys.get(&request.identity).ok_or(CryptoError)?.sign(rng, &request.message)
}
