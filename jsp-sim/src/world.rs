//! Virtual time: hosts on a network, run until something is the case.
//!
//! The world moves from event to event, an arrival or a timer, and lets the host concerned act.
//! At equal times arrivals come before timers, and what was planned first comes first. Datagrams that
//! arrive at a host at the same instant are handed over together, as one read of a socket would.

use crate::link::{Dropped, Link};
use crate::network::{Datagram, Network, NodeId};
use crate::timers::Timers;
use crate::trace::{Kind, Trace};
use jsp_proto::record::Transmit;
use jsp_proto::rng::Seed;
use jsp_proto::time::{Duration, Time};
use std::fmt::{self, Write as _};
use std::net::{IpAddr, SocketAddr};

/// Somebody on the network, sans-IO. After each call it has sent everything that it has to send at
/// that time.
pub trait Host {
    /// Datagrams arrived, all of them at this instant.
    fn receive(&mut self, context: &mut Context<'_>, datagrams: &mut Vec<Datagram>);

    /// The time of [`Host::next_timeout`] has come.
    fn handle_timeout(&mut self, context: &mut Context<'_>);

    /// When the host wants to act next by itself. Directly after [`Host::handle_timeout`] it must lie
    /// in the future: the world fails the run otherwise.
    fn next_timeout(&self) -> Option<Time>;

    /// What must hold after each event. It may poll, but not change anything.
    fn check(&mut self, now: Time) -> Result<(), String> {
        let _ = now;
        Ok(())
    }
}

/// What a host may do when it acts.
#[derive(Debug)]
pub struct Context<'a> {
    /// The time.
    pub now: Time,
    node: NodeId,
    network: &'a mut Network,
    trace: &'a mut Trace,
}

impl Context<'_> {
    /// Which node the host is.
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// Sends one datagram.
    pub fn send(&mut self, datagram: Datagram) -> Result<(), Dropped> {
        self.network.send(self.now, self.node, datagram, self.trace)
    }

    /// Sends a transmit from the socket `from`, in segments as the kernel would cut it.
    pub fn transmit(&mut self, from: SocketAddr, transmit: &Transmit, bytes: &[u8]) {
        let from = SocketAddr::new(transmit.local.unwrap_or(from.ip()), from.port());
        let bytes = bytes.get(..transmit.len).unwrap_or(bytes);
        for payload in bytes.chunks(transmit.segment.max(1)) {
            let (to, ecn, payload) = (transmit.remote, transmit.ecn, payload.to_vec());
            // A host does not learn what the network drops.
            let _ = self.send(Datagram { from, to, ecn, payload });
        }
    }

    /// Notes an event of the host's in the trace.
    pub fn note(&mut self, number: u64, bytes: &[u8]) {
        self.trace.note(self.now, self.node, Kind::Event, number, bytes);
    }
}

/// How far a run may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until when, from the origin.
    pub time: Duration,
    /// How many events.
    pub events: u64,
}

impl Default for Limits {
    /// Ten minutes of virtual time and fifty million events.
    fn default() -> Self {
        Self { time: Duration::from_secs(600), events: 50_000_000 }
    }
}

/// Why a run stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What was waited for is the case.
    Done,
    /// Nothing will ever happen again by itself.
    Quiet,
    /// The limit of virtual time is reached.
    TimeUp,
    /// The limit of events is reached.
    EventsUp,
}

/// A host broke a rule.
#[derive(Clone, Debug)]
pub struct Failure {
    /// When.
    pub time: Time,
    /// Which host.
    pub node: NodeId,
    /// What it did.
    pub what: String,
    /// The last things that happened, one a line.
    pub tail: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = Duration::from_nanos(self.time.as_nanos()).as_secs_f64();
        write!(f, "node {} at {seconds} s: {}; before:\n{}", self.node.0, self.what, self.tail)
    }
}

impl std::error::Error for Failure {}

/// Hosts, the network between them, and time.
#[derive(Debug)]
pub struct World<H> {
    now: Time,
    network: Network,
    hosts: Vec<H>,
    timers: Timers<NodeId>,
    trace: Trace,
    events: u64,
    batch: Vec<Datagram>,
}

impl<H: Host> World<H> {
    /// An empty world at the origin of time.
    pub fn new(seed: &Seed) -> Self {
        Self {
            now: Time::ZERO,
            network: Network::new(seed),
            hosts: Vec::new(),
            timers: Timers::new(),
            trace: Trace::new(),
            events: 0,
            batch: Vec::new(),
        }
    }

    /// Adds a host that `addresses` lead to.
    pub fn add(&mut self, host: H, addresses: impl IntoIterator<Item = IpAddr>) -> NodeId {
        let node = self.network.add_node(addresses);
        self.hosts.push(host);
        self.set_timer(node);
        node
    }

    /// Lays links between two nodes, one for each direction.
    pub fn connect(&mut self, a: NodeId, b: NodeId, there: Link, back: Link) {
        self.network.set_link(a, b, there);
        self.network.set_link(b, a, back);
    }

    /// The time.
    pub const fn now(&self) -> Time {
        self.now
    }

    /// Events so far.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// The network.
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// The network, to change it between two events.
    pub const fn network_mut(&mut self) -> &mut Network {
        &mut self.network
    }

    /// What happened so far.
    pub const fn trace(&self) -> &Trace {
        &self.trace
    }

    /// A host. It panics if there is none of that name.
    pub fn host(&self, node: NodeId) -> &H {
        &self.hosts[node.0 as usize]
    }

    /// Lets a host do something of the outside's choosing, now. It panics if there is no such host.
    pub fn act<R>(
        &mut self,
        node: NodeId,
        action: impl FnOnce(&mut H, &mut Context<'_>) -> R,
    ) -> Result<R, Failure> {
        let host = &mut self.hosts[node.0 as usize];
        let (network, trace) = (&mut self.network, &mut self.trace);
        let result = action(host, &mut Context { now: self.now, node, network, trace });
        let checked = host.check(self.now);
        self.set_timer(node);
        checked.map_err(|what| self.failure(node, what))?;
        Ok(result)
    }

    /// When the next event happens; never before now.
    pub fn next_event(&self) -> Option<Time> {
        let arrival = self.network.next_arrival().map(|(time, _)| time);
        let timer = self.timers.first().map(|(time, _)| time);
        arrival.into_iter().chain(timer).min().map(|time| time.max(self.now))
    }

    /// Moves to the next event; `false` if there is none.
    pub fn step(&mut self) -> Result<bool, Failure> {
        let Some(time) = self.next_event() else { return Ok(false) };
        self.now = time;
        self.events += 1;
        match self.network.next_arrival() {
            Some((arrival, node)) if arrival <= time => self.arrive(node)?,
            _ => self.fire()?,
        }
        Ok(true)
    }

    fn arrive(&mut self, node: NodeId) -> Result<(), Failure> {
        let mut batch = std::mem::take(&mut self.batch);
        while self.network.next_arrival().is_some_and(|(time, to)| time <= self.now && to == node) {
            let arrived = self.network.receive(self.now, &mut self.trace);
            batch.extend(arrived.map(|(_, datagram)| datagram));
        }
        let result = self.act(node, |host, context| host.receive(context, &mut batch));
        batch.clear();
        self.batch = batch;
        result
    }

    fn fire(&mut self) -> Result<(), Failure> {
        let Some((time, node)) = self.timers.first() else { return Ok(()) };
        self.trace.note(self.now, node, Kind::Timer, time.as_nanos(), &[]);
        self.act(node, H::handle_timeout)?;
        match self.timers.get(node) {
            Some(next) if next <= self.now => {
                let what = format!(
                    "the timer of {} ns is still set for {} ns",
                    time.as_nanos(),
                    next.as_nanos()
                );
                Err(self.failure(node, what))
            }
            _ => Ok(()),
        }
    }

    /// Moves to the next event, if that is within `limits`; else tells why the run is over.
    pub fn advance(&mut self, limits: Limits) -> Result<Option<Outcome>, Failure> {
        if self.events >= limits.events {
            return Ok(Some(Outcome::EventsUp));
        }
        let end = Time::ZERO + limits.time;
        match self.next_event() {
            None => Ok(Some(Outcome::Quiet)),
            Some(time) if time > end => {
                self.now = self.now.max(end);
                Ok(Some(Outcome::TimeUp))
            }
            Some(_) => self.step().map(|_| None),
        }
    }

    /// Runs until `done` says so, or a limit is reached, or nothing is left to happen.
    pub fn run_until(
        &mut self,
        limits: Limits,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Result<Outcome, Failure> {
        while !done(self) {
            if let Some(outcome) = self.advance(limits)? {
                return Ok(outcome);
            }
        }
        Ok(Outcome::Done)
    }

    /// Runs for `duration`, whatever happens or does not.
    pub fn run_for(&mut self, duration: Duration) -> Result<(), Failure> {
        let end = self.now + duration;
        while self.next_event().is_some_and(|time| time <= end) {
            self.step()?;
        }
        self.now = end;
        Ok(())
    }

    fn set_timer(&mut self, node: NodeId) {
        self.timers.set(node, self.hosts[node.0 as usize].next_timeout());
    }

    /// A failure of a host, now.
    pub fn failure(&self, node: NodeId, what: String) -> Failure {
        let mut tail = String::new();
        for entry in self.trace.tail() {
            let _ = writeln!(tail, "{entry}");
        }
        Failure { time: self.now, node, what, tail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ms, secs};
    use jsp_proto::ids::Ecn;
    use std::net::Ipv4Addr;

    /// Sends a datagram each 10 ms, and remembers when datagrams came, how many at once.
    #[derive(Debug, Default)]
    struct Beacon {
        to: Option<SocketAddr>,
        next: Option<Time>,
        heard: Vec<(Time, usize)>,
        stuck: bool,
    }

    impl Host for Beacon {
        fn receive(&mut self, context: &mut Context<'_>, datagrams: &mut Vec<Datagram>) {
            self.heard.push((context.now, datagrams.len()));
        }

        fn handle_timeout(&mut self, context: &mut Context<'_>) {
            let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
            if let Some(remote) = self.to {
                let transmit =
                    Transmit { remote, local: None, ecn: Ecn::NotEct, len: 250, segment: 100 };
                context.transmit(from, &transmit, &[7; 300]);
            }
            if !self.stuck {
                self.next = Some(context.now + ms(10));
            }
        }

        fn next_timeout(&self) -> Option<Time> {
            self.next
        }
    }

    fn pair(seed: u64, link: Link) -> (World<Beacon>, NodeId, NodeId) {
        let mut world = World::new(&Seed::from_u64(seed));
        let [a, b] = [1, 2].map(|n| IpAddr::from(Ipv4Addr::new(10, 0, 0, n)));
        let beacon =
            Beacon { to: Some((b, 1).into()), next: Some(Time::ZERO), ..Beacon::default() };
        let a = world.add(beacon, [a]);
        let b = world.add(Beacon::default(), [b]);
        world.connect(a, b, link.clone(), link);
        (world, a, b)
    }

    #[test]
    fn a_transmit_is_cut_into_segments_that_arrive_together() {
        let (mut world, _, b) = pair(1, Link::new().delay(ms(5)));
        world.run_for(ms(20)).unwrap();
        let at = |millis| Time::ZERO + ms(millis);
        assert_eq!(world.host(b).heard, [(at(5), 3), (at(15), 3)]);
        assert_eq!(world.network().stats(NodeId(0), b).entered_bytes, 3 * 250);
    }

    #[test]
    fn datagrams_that_arrive_together_at_two_hosts_reach_each_its_own() {
        let (mut world, a, b) = pair(1, Link::new().delay(ms(1)));
        let to_a = Beacon { to: Some((Ipv4Addr::new(10, 0, 0, 1), 1).into()), ..Beacon::default() };
        let c = world.add(Beacon { next: Some(Time::ZERO), ..to_a }, []);
        world.connect(c, a, Link::new().delay(ms(1)), Link::new());
        world.run_for(ms(2)).unwrap();
        assert_eq!(world.host(a).heard, [(Time::ZERO + ms(1), 3)]);
        assert_eq!(world.host(b).heard, [(Time::ZERO + ms(1), 3)]);
    }

    #[test]
    fn a_run_ends_when_it_is_done_or_time_or_events_are_up_or_nothing_is_left() {
        let (mut world, _, b) = pair(1, Link::new());
        let limits = Limits { time: secs(1), events: 50 };
        let heard = |n| move |world: &World<Beacon>| world.host(b).heard.len() == n;
        assert_eq!(world.run_until(limits, heard(3)).unwrap(), Outcome::Done);
        assert_eq!(world.run_until(limits, heard(1000)).unwrap(), Outcome::EventsUp);
        let more = Limits { events: u64::MAX, ..limits };
        assert_eq!(world.run_until(more, heard(1000)).unwrap(), Outcome::TimeUp);
        assert_eq!(world.now(), Time::ZERO + secs(1));

        let mut silence = World::<Beacon>::new(&Seed::from_u64(1));
        silence.add(Beacon::default(), []);
        assert_eq!(silence.run_until(limits, |_| false).unwrap(), Outcome::Quiet);
    }

    #[test]
    fn a_timer_that_stays_in_the_past_fails_the_run() {
        let (mut world, a, _) = pair(1, Link::new());
        world.act(a, |host, _| host.stuck = true).unwrap();
        let failure = world.run_for(ms(1)).unwrap_err();
        assert_eq!((failure.node, failure.time), (a, Time::ZERO));
        assert!(failure.what.contains("still set"), "{failure}");
    }

    #[test]
    fn the_same_seed_gives_the_same_trace_and_another_another() {
        let run = |seed| {
            let rough = Link::new().delay(ms(5)).loss(0.1).reorder(0.1, ms(3)).corrupt(0.1);
            let (mut world, ..) = pair(seed, rough);
            world.run_for(secs(10)).unwrap();
            world.trace().hash()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }
}
