//! The proxy without sockets and without a clock: clients, their links and what leaves when.
//!
//! ```text
//! from_client ─> clients ─> there ─┐
//!                                  ├─> agenda ─> take_due
//! from_target ────────────> back ──┘
//! ```
//!
//! Whoever runs it hands in what comes, calls [`Relay::handle_timeout`] when [`Relay::next_timeout`] has
//! come, carries out every [`Change`], and sends what is due.

use super::clients::{ClientId, Clients, Heard};
use super::counts::Counts;
use super::settings::Settings;
use crate::agenda::Agenda;
use crate::datagram::{Datagram, NodeId, Packet};
use crate::link::{Dropped, Exit, Link, Pipe, PipeStats};
use jsp_proto::ids::Ecn;
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::{Duration, Time};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From a client to the target.
    There,
    /// From the target to a client.
    Back,
}

/// Something to be done about a client's socket towards the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Open its first one.
    Open(ClientId),
    /// Replace it. The old one stays open and mute until the next change, so that nobody else gets its
    /// port, and nobody is told that it is closed.
    Rebind(ClientId),
    /// Close it, and the one before.
    Close(ClientId),
}

/// From where to where a datagram leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To the target, from this client's socket.
    Target(ClientId),
    /// To this address of a client, from the listening socket, and from this address of ours if it has
    /// several.
    Client(SocketAddr, Option<IpAddr>),
}

/// A datagram that leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// From where to where.
    pub route: Route,
    /// With this in the ECN field.
    pub ecn: Ecn,
    /// The UDP payload.
    pub payload: Vec<u8>,
    /// When it should leave.
    pub due: Time,
    /// Its number, which is when it came: see [`Line::number`].
    number: u64,
}

/// The proxy's core.
#[derive(Debug)]
pub struct Relay {
    target: SocketAddr,
    there: Line,
    back: Line,
    clients: Clients,
    /// What is past the links, or will be then.
    agenda: Agenda<(Way, Packet)>,
    /// Bytes in the agenda.
    planned: usize,
    memory: usize,
    rebinding: Option<(Time, Duration)>,
    rebindings: u64,
    changes: VecDeque<Change>,
}

/// A link and what it did.
#[derive(Debug)]
struct Line {
    pipe: Pipe,
    counts: Counts,
    /// The number of the latest datagram.
    number: u64,
    /// Bytes of the largest datagram so far.
    largest: usize,
}

impl Relay {
    /// A proxy that starts at time zero.
    pub fn new(settings: &Settings) -> Self {
        Self {
            target: settings.target,
            there: Line::new(&settings.there, &settings.seed, "there"),
            back: Line::new(&settings.back, &settings.seed, "back"),
            clients: Clients::new(settings.clients),
            agenda: Agenda::new(),
            planned: 0,
            memory: settings.memory,
            rebinding: settings
                .rebind
                .filter(|every| !every.is_zero())
                .map(|every| (Time::ZERO + every, every)),
            rebindings: 0,
            changes: VecDeque::new(),
        }
    }

    /// Takes a datagram that came from `from` to the listening socket, there to our address `local`.
    pub fn from_client(
        &mut self,
        now: Time,
        (from, local): (SocketAddr, Option<IpAddr>),
        ecn: Ecn,
        payload: &[u8],
    ) {
        let client = match self.clients.hear(now, from, local) {
            Heard::Known(client) => client,
            Heard::New(client, gone) => {
                self.changes.extend(gone.map(Change::Close));
                self.changes.push_back(Change::Open(client));
                client
            }
            Heard::Full => {
                self.there.counts.comes(payload.len());
                return self.there.counts.drops(Dropped::Exhausted.name());
            }
        };
        let datagram = Datagram { from, to: self.target, ecn, payload: payload.to_vec() };
        self.enter(now, Way::There, client, datagram);
    }

    /// Takes a datagram that came from the target to a client's present socket.
    pub fn from_target(&mut self, now: Time, client: ClientId, ecn: Ecn, payload: &[u8]) {
        let Some((to, _)) = self.clients.place(client) else {
            return self.from_target_to_nobody(payload);
        };
        let datagram = Datagram { from: self.target, to, ecn, payload: payload.to_vec() };
        self.enter(now, Way::Back, client, datagram);
    }

    /// Takes notice of a datagram that came from the target to a socket of before a rebinding.
    pub fn from_target_to_nobody(&mut self, payload: &[u8]) {
        self.back.counts.comes(payload.len());
        self.back.counts.drops(Dropped::NoMapping.name());
    }

    /// When there is something to do or to send.
    pub fn next_timeout(&self) -> Option<Time> {
        let due = self.agenda.peek().map(|(due, _)| due);
        let rebinding = self.rebinding.map(|(time, _)| time);
        let pipes = [self.there.pipe.next_timeout(), self.back.pipe.next_timeout()];
        pipes.into_iter().chain([due, rebinding]).flatten().min()
    }

    /// Does what was to be done by `now`.
    pub fn handle_timeout(&mut self, now: Time) {
        self.advance(now, Way::There);
        self.advance(now, Way::Back);
        if let Some((time, every)) = &mut self.rebinding
            && *time <= now
        {
            while *time <= now {
                *time += *every;
            }
            self.rebindings += 1;
            self.changes.extend(self.clients.ids().map(Change::Rebind));
        }
    }

    /// What is to be done next about a socket: before anything is sent.
    pub fn poll_change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// The next datagram that should have left by `now`. Then it did, and [`Relay::departed`] is to be
    /// told, or it did not, and [`Relay::refused`] is.
    pub fn take_due(&mut self, now: Time) -> Option<Departure> {
        loop {
            let due = self.agenda.peek()?.0;
            let (way, packet) = self.agenda.take(now)?;
            let Packet { number, node, datagram: Datagram { ecn, payload, .. }, .. } = packet;
            self.planned = self.planned.saturating_sub(payload.len());
            let client = ClientId(node.0);
            let route = match (self.clients.place(client), way) {
                (Some(_), Way::There) => Route::Target(client),
                (Some((address, local)), Way::Back) => Route::Client(address, local),
                // Somebody else has its place by now.
                (None, _) => {
                    self.line(way).counts.drops(Dropped::NoMapping.name());
                    continue;
                }
            };
            return Some(Departure { route, ecn, payload, due, number });
        }
    }

    /// A datagram has left.
    pub fn departed(&mut self, now: Time, departure: &Departure) {
        let Departure { due, number, ref payload, .. } = *departure;
        let counts = &mut self.line(departure.way()).counts;
        counts.leaves(now, number, Time::from_nanos(number), due, payload.len());
    }

    /// The operating system has refused to send a datagram.
    pub fn refused(&mut self, departure: &Departure) {
        self.line(departure.way()).counts.drops("refused");
    }

    /// What became of the datagrams of one direction.
    pub const fn counts(&self, way: Way) -> &Counts {
        match way {
            Way::There => &self.there.counts,
            Way::Back => &self.back.counts,
        }
    }

    /// What the link of one direction did; what it delivers may still be on its way.
    pub fn stats(&self, way: Way) -> PipeStats {
        match way {
            Way::There => self.there.pipe.stats(),
            Way::Back => self.back.pipe.stats(),
        }
    }

    /// How many clients there were in all.
    pub const fn clients(&self) -> u32 {
        self.clients.total()
    }

    /// How many times all clients got new ports.
    pub const fn rebindings(&self) -> u64 {
        self.rebindings
    }

    fn line(&mut self, way: Way) -> &mut Line {
        match way {
            Way::There => &mut self.there,
            Way::Back => &mut self.back,
        }
    }

    /// Hands a datagram to its link.
    fn enter(&mut self, now: Time, way: Way, client: ClientId, datagram: Datagram) {
        // What the link owed before has its own time, not this one.
        self.advance(now, way);
        let held = self.planned + self.there.held() + self.back.held();
        let room = held + datagram.payload.len() <= self.memory;
        let line = self.line(way);
        line.counts.comes(datagram.payload.len());
        line.largest = line.largest.max(datagram.payload.len());
        if !room {
            return line.counts.drops(Dropped::Exhausted.name());
        }
        let number = line.number(now);
        let packet = Packet { number, node: NodeId(client.0), hops: 0, corrupted: false, datagram };
        self.with_pipe(way, |pipe, out| pipe.send(now, packet, out));
    }

    /// Has a link do what it had to do by `now`, each thing at its time.
    fn advance(&mut self, now: Time, way: Way) {
        while let Some(time) = self.line(way).pipe.next_timeout()
            && time <= now
        {
            self.with_pipe(way, |pipe, out| pipe.handle_timeout(time, out));
        }
    }

    /// Plans or counts what leaves a link while `act` is at it.
    fn with_pipe(&mut self, way: Way, act: impl FnOnce(&mut Pipe, &mut dyn FnMut(Exit))) {
        let Self { there, back, agenda, planned, .. } = self;
        let Line { pipe, counts, .. } = match way {
            Way::There => there,
            Way::Back => back,
        };
        act(pipe, &mut |exit| match exit {
            Exit::Arrival { time, packet } => {
                *planned += packet.datagram.payload.len();
                agenda.plan(time, (way, packet));
            }
            Exit::Dropped { why, .. } => counts.drops(why.name()),
        });
    }
}

impl Departure {
    const fn way(&self) -> Way {
        match self.route {
            Route::Target(_) => Way::There,
            Route::Client(..) => Way::Back,
        }
    }
}

impl Line {
    fn new(link: &Link, seed: &Seed, name: &str) -> Self {
        Self {
            pipe: Pipe::new(link.clone(), &Rng::new(seed, name).seed()),
            counts: Counts::default(),
            number: 0,
            largest: 0,
        }
    }

    /// The number of a datagram that comes now: its nanosecond, counted on where several come in one. So
    /// it tells the order in which they came, and when, to less than a microsecond.
    fn number(&mut self, now: Time) -> u64 {
        self.number = now.as_nanos().max(self.number + 1);
        self.number
    }

    /// Bytes in the pipe, at most.
    fn held(&self) -> usize {
        self.pipe.held().saturating_mul(self.largest)
    }
}
