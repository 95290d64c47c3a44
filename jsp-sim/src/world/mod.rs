//! Virtual time: hosts on a network, run until something is the case.
//!
//! The world moves from instant to instant, and lets the hosts act to whom something happens. At equal
//! times arrivals come before timers, and what was planned first comes first. Datagrams that arrive at a
//! host at the same instant are handed over together, as one read of a socket would.
//!
//! Hosts see time by their own clocks ([`clock`](self)), which can jump, stop or tell too late that a
//! timer is over; and a host may not run at all for a while.

mod clock;

use crate::link::{Link, PipeStats};
use crate::network::{Arrived, Datagram, InterfaceId, LineRef, Network, NodeId, SegmentId, TooBig};
use crate::rule::{Rule, Violation};
use crate::timers::Timers;
use crate::trace::{Observer, Trace};
use clock::Clock;
use jsp_proto::record::Transmit;
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::{Duration, Time};
use std::fmt::{self, Write as _};
use std::net::{IpAddr, SocketAddr};

/// What a host's socket holds while the host does not run, in bytes of payload; what comes then is
/// lost.
pub const SOCKET_BUFFER: usize = 4 << 20;

/// Somebody on the network, sans-IO. After each call it has sent everything that it has to send at
/// that time. Times are those of its own clock.
pub trait Host {
    /// Datagrams arrived, all of them at this instant.
    fn receive(&mut self, context: &mut Context<'_>, datagrams: &mut Vec<Datagram>);

    /// The time of [`Host::next_timeout`] has come.
    fn handle_timeout(&mut self, context: &mut Context<'_>);

    /// When the host wants to act next by itself. Directly after [`Host::handle_timeout`] it must lie
    /// in the future: the world fails the run otherwise.
    fn next_timeout(&self) -> Option<Time>;

    /// A datagram of the host's was larger than a link carries, and a router said so.
    fn too_big(&mut self, context: &mut Context<'_>, message: &TooBig) {
        let _ = (context, message);
    }

    /// What must hold after each event. It may poll, but not change anything.
    fn check(&mut self, now: Time) -> Result<(), Violation> {
        let _ = now;
        Ok(())
    }
}

/// What a host may do when it acts.
#[derive(Debug)]
pub struct Context<'a> {
    /// The time by the host's clock.
    pub now: Time,
    /// The true time.
    pub world_now: Time,
    /// Whether the bytes of all datagrams that the host is handed now are those that were sent. No real
    /// host can know: it is there for checks.
    pub intact: bool,
    node: NodeId,
    network: &'a mut Network,
    trace: &'a mut Trace,
}

impl Context<'_> {
    /// Which node the host is.
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// Sends one datagram, and returns its number. A host does not learn what the network drops.
    pub fn send(&mut self, datagram: Datagram) -> u64 {
        self.network.send(self.world_now, self.node, datagram, self.trace)
    }

    /// Sends a transmit from the socket `from`, in segments as the kernel would cut it.
    pub fn transmit(&mut self, from: SocketAddr, transmit: &Transmit, bytes: &[u8]) {
        let from = SocketAddr::new(transmit.local.unwrap_or(from.ip()), from.port());
        let bytes = bytes.get(..transmit.len).unwrap_or(bytes);
        for payload in bytes.chunks(transmit.segment.max(1)) {
            let (to, ecn, payload) = (transmit.remote, transmit.ecn, payload.to_vec());
            self.send(Datagram { from, to, ecn, payload });
        }
    }

    /// Notes an event of the host's in the trace.
    pub fn note(&mut self, number: u64, bytes: &[u8]) {
        self.trace.event(self.world_now, self.node, number, bytes);
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
    /// Its name.
    pub name: String,
    /// What it did.
    pub violation: Violation,
    /// The last things that happened, one a line.
    pub tail: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = Duration::from_nanos(self.time.as_nanos()).as_secs_f64();
        let Self { name, violation, tail, .. } = self;
        write!(f, "{name} at {seconds} s broke the rule {violation}\nbefore:\n{tail}")
    }
}

impl std::error::Error for Failure {}

/// A host at its place.
#[derive(Debug)]
struct Resident<H> {
    host: H,
    clock: Clock,
    /// What waits for the host while it does not run.
    inbox: Vec<Datagram>,
    inbox_bytes: usize,
    /// Whether something in the inbox was damaged on its way.
    damaged: bool,
}

/// Hosts, the network between them, and time.
#[derive(Debug)]
pub struct World<H> {
    now: Time,
    seed: Seed,
    network: Network,
    /// The segment of hosts that were added without one.
    common: SegmentId,
    hosts: Vec<Resident<H>>,
    timers: Timers<NodeId>,
    trace: Trace,
    events: u64,
    batch: Vec<Datagram>,
    touched: Vec<NodeId>,
}

impl<H: Host> World<H> {
    /// An empty world at the origin of time.
    pub fn new(seed: &Seed) -> Self {
        let mut network = Network::new(seed);
        Self {
            now: Time::ZERO,
            seed: Rng::new(seed, "world").seed(),
            common: network.add_segment(),
            network,
            hosts: Vec::new(),
            timers: Timers::new(),
            trace: Trace::new(),
            events: 0,
            batch: Vec::new(),
            touched: Vec::new(),
        }
    }

    /// Adds a host to the world's common segment, reachable at once under `addresses`.
    pub fn add(&mut self, host: H, addresses: impl IntoIterator<Item = IpAddr>) -> NodeId {
        let node = self.add_named(format!("host{}", self.hosts.len()), host);
        for address in addresses {
            let (up, down) = (Link::new(), Link::new());
            self.network.attach(node, self.common, Some(address), up, down);
        }
        node
    }

    /// Adds a host that is attached to nothing yet. The name is shown, and names the random streams of
    /// its clock and links.
    pub fn add_named(&mut self, name: impl Into<String>, host: H) -> NodeId {
        let node = self.network.add_node(name);
        let clock = Clock::new(&Rng::new(&self.seed, self.network.name(node)).seed());
        self.hosts.push(Resident {
            host,
            clock,
            inbox: Vec::new(),
            inbox_bytes: 0,
            damaged: false,
        });
        self.set_timer(node);
        node
    }

    /// Lays paths between all interfaces of two hosts, there and back.
    pub fn connect(&mut self, a: NodeId, b: NodeId, there: &Link, back: &Link) {
        let [a, b] = [a, b].map(|node| self.network.interfaces(node).collect::<Vec<InterfaceId>>());
        for (a, b) in a.iter().flat_map(|a| b.iter().map(|b| (*a, *b))) {
            self.network.set_link(LineRef::Path(a, b), there.clone());
            self.network.set_link(LineRef::Path(b, a), back.clone());
        }
    }

    /// What became of the datagrams on the path from one host to another, between their first
    /// interfaces; zeros if there is none.
    pub fn stats(&self, from: NodeId, to: NodeId) -> PipeStats {
        let first = |node| self.network.interfaces(node).next();
        let path = first(from).zip(first(to)).map(|(from, to)| LineRef::Path(from, to));
        path.map_or_else(PipeStats::default, |path| self.network.stats(path))
    }

    /// The time.
    pub const fn now(&self) -> Time {
        self.now
    }

    /// What a host's clock shows.
    pub fn local_now(&self, node: NodeId) -> Time {
        self.resident(node).clock.read(self.now)
    }

    /// Whether a host runs now: it does not while it is stalled.
    pub fn runs(&self, node: NodeId) -> bool {
        self.resident(node).clock.runs(self.now)
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

    /// Has somebody watch from now on.
    pub fn watch(&mut self, observer: Box<dyn Observer>) {
        self.trace.watch(observer);
    }

    /// A host. It panics if there is none of that name.
    pub fn host(&self, node: NodeId) -> &H {
        &self.resident(node).host
    }

    fn resident(&self, node: NodeId) -> &Resident<H> {
        &self.hosts[node.0 as usize]
    }

    fn resident_mut(&mut self, node: NodeId) -> &mut Resident<H> {
        &mut self.hosts[node.0 as usize]
    }

    /// A host's clock jumps forward, now.
    pub fn jump_clock(&mut self, node: NodeId, by: Duration) {
        let now = self.now;
        self.resident_mut(node).clock.jump(now, by);
        self.set_timer(node);
    }

    /// A host's clock stands still for a while from now on.
    pub fn stop_clock(&mut self, node: NodeId, duration: Duration) {
        let now = self.now;
        self.resident_mut(node).clock.stop(now, duration);
        self.set_timer(node);
    }

    /// A host does not run for a while from now on. Its clock goes on, its socket fills
    /// ([`SOCKET_BUFFER`]), its timers wait.
    pub fn stall(&mut self, node: NodeId, duration: Duration) {
        let now = self.now;
        self.resident_mut(node).clock.stall(now, duration);
        self.set_timer(node);
    }

    /// For a while, a host's timers are up to `most` late.
    pub fn delay_timers(&mut self, node: NodeId, most: Duration, duration: Duration) {
        let until = self.now + duration;
        self.resident_mut(node).clock.delay_timers(most, until);
        self.set_timer(node);
    }

    /// Lets a host do something of the outside's choosing, now. It panics if there is no such host.
    pub fn act<R>(
        &mut self,
        node: NodeId,
        action: impl FnOnce(&mut H, &mut Context<'_>) -> R,
    ) -> Result<R, Failure> {
        let world_now = self.now;
        let Resident { host, clock, damaged, .. } = &mut self.hosts[node.0 as usize];
        let (now, intact) = (clock.read(world_now), !*damaged);
        let (network, trace) = (&mut self.network, &mut self.trace);
        let result = action(host, &mut Context { now, world_now, intact, node, network, trace });
        let checked = host.check(now);
        self.set_timer(node);
        checked.map_err(|violation| self.failure(node, violation))?;
        Ok(result)
    }

    /// When the next event happens; never before now.
    pub fn next_event(&self) -> Option<Time> {
        let network = self.network.next_event();
        let timer = self.timers.first().map(|(time, _)| time);
        network.into_iter().chain(timer).min().map(|time| time.max(self.now))
    }

    /// Moves to the next event; `false` if there is none.
    pub fn step(&mut self) -> Result<bool, Failure> {
        let Some(time) = self.next_event() else { return Ok(false) };
        self.now = time;
        self.events += 1;
        if self.network.next_event().is_some_and(|event| event <= time) {
            self.network.advance(time, &mut self.trace);
            self.distribute()?;
        } else if let Some((_, node)) = self.timers.first() {
            self.wake(node)?;
        }
        Ok(true)
    }

    /// Hands out what has arrived, and what routers say.
    fn distribute(&mut self) -> Result<(), Failure> {
        let mut touched = std::mem::take(&mut self.touched);
        for Arrived { node, intact, datagram } in self.network.take_arrived() {
            let host = &mut self.hosts[node.0 as usize];
            if !host.clock.runs(self.now) {
                if host.inbox_bytes + datagram.payload.len() > SOCKET_BUFFER {
                    continue;
                }
                host.inbox_bytes += datagram.payload.len();
            }
            host.inbox.push(datagram);
            host.damaged |= !intact;
            if !touched.contains(&node) {
                touched.push(node);
            }
        }
        for node in touched.drain(..) {
            if self.resident(node).clock.runs(self.now) {
                self.receive(node)?;
            } else {
                self.set_timer(node);
            }
        }
        self.touched = touched;
        let messages: Vec<_> = self.network.take_too_big().collect();
        messages.iter().try_for_each(|message| {
            self.act(message.node, |host, context| host.too_big(context, message))
        })
    }

    /// Hands a host what is in its socket.
    fn receive(&mut self, node: NodeId) -> Result<(), Failure> {
        let empty = std::mem::take(&mut self.batch);
        let host = self.resident_mut(node);
        host.inbox_bytes = 0;
        let mut batch = std::mem::replace(&mut host.inbox, empty);
        let result = self.act(node, |host, context| host.receive(context, &mut batch));
        self.resident_mut(node).damaged = false;
        batch.clear();
        self.batch = batch;
        result
    }

    /// The time has come at which a host wanted to act, or at which it runs again.
    fn wake(&mut self, node: NodeId) -> Result<(), Failure> {
        if !self.resident(node).inbox.is_empty() {
            self.receive(node)?;
        }
        let local = self.local_now(node);
        match self.resident(node).host.next_timeout() {
            Some(deadline) if deadline <= local => self.fire(node, deadline),
            _ => {
                self.set_timer(node);
                Ok(())
            }
        }
    }

    fn fire(&mut self, node: NodeId, deadline: Time) -> Result<(), Failure> {
        self.trace.timer(self.now, node, deadline);
        self.act(node, H::handle_timeout)?;
        let local = self.local_now(node);
        match self.resident(node).host.next_timeout() {
            Some(next) if next <= local => {
                let (old, new) = (deadline.as_nanos(), next.as_nanos());
                let what = format!("the timer of {old} ns is still set for {new} ns");
                Err(self.failure(node, Violation::new(Rule::Timeout, what)))
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

    /// Runs up to `time`, whatever happens or does not.
    pub fn run_to(&mut self, end: Time) -> Result<(), Failure> {
        while self.next_event().is_some_and(|time| time <= end) {
            self.step()?;
        }
        self.now = self.now.max(end);
        Ok(())
    }

    /// Runs for `duration`, whatever happens or does not.
    pub fn run_for(&mut self, duration: Duration) -> Result<(), Failure> {
        self.run_to(self.now + duration)
    }

    fn set_timer(&mut self, node: NodeId) {
        let now = self.now;
        let Resident { host, clock, inbox, .. } = self.resident_mut(node);
        let wake = clock.wake(now, host.next_timeout(), !inbox.is_empty());
        self.timers.set(node, wake);
    }

    /// A failure of a host, now.
    pub fn failure(&self, node: NodeId, violation: Violation) -> Failure {
        let mut tail = String::new();
        for entry in self.trace.tail() {
            let _ = writeln!(tail, "{entry}");
        }
        let name = self.network.name(node).into();
        Failure { time: self.now, node, name, violation, tail }
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

    fn pair(seed: u64, link: &Link) -> (World<Beacon>, NodeId, NodeId) {
        let mut world = World::new(&Seed::from_u64(seed));
        let [a, b] = [1, 2].map(|n| IpAddr::from(Ipv4Addr::new(10, 0, 0, n)));
        let beacon =
            Beacon { to: Some((b, 1).into()), next: Some(Time::ZERO), ..Beacon::default() };
        let a = world.add(beacon, [a]);
        let b = world.add(Beacon::default(), [b]);
        world.connect(a, b, link, link);
        (world, a, b)
    }

    #[test]
    fn a_transmit_is_cut_into_segments_that_arrive_together() {
        let (mut world, _, b) = pair(1, &Link::new().delay(ms(5)));
        world.run_for(ms(20)).unwrap();
        let at = |millis| Time::ZERO + ms(millis);
        assert_eq!(world.host(b).heard, [(at(5), 3), (at(15), 3)]);
        assert_eq!(world.stats(NodeId(0), b).entered_bytes, 3 * 250);
    }

    #[test]
    fn datagrams_that_arrive_together_at_two_hosts_reach_each_its_own() {
        let (mut world, a, b) = pair(1, &Link::new().delay(ms(1)));
        let to_a = Beacon { to: Some((Ipv4Addr::new(10, 0, 0, 1), 1).into()), ..Beacon::default() };
        let address = Ipv4Addr::new(10, 0, 0, 3).into();
        let c = world.add(Beacon { next: Some(Time::ZERO), ..to_a }, [address]);
        world.connect(c, a, &Link::new().delay(ms(1)), &Link::new());
        world.run_for(ms(2)).unwrap();
        assert_eq!(world.host(a).heard, [(Time::ZERO + ms(1), 3)]);
        assert_eq!(world.host(b).heard, [(Time::ZERO + ms(1), 3)]);
    }

    #[test]
    fn a_run_ends_when_it_is_done_or_time_or_events_are_up_or_nothing_is_left() {
        let (mut world, _, b) = pair(1, &Link::new());
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
        let (mut world, a, _) = pair(1, &Link::new());
        world.act(a, |host, _| host.stuck = true).unwrap();
        let failure = world.run_for(ms(1)).unwrap_err();
        assert_eq!((failure.node, failure.time), (a, Time::ZERO));
        assert!(failure.violation.rule == Rule::Timeout, "{failure}");
    }

    #[test]
    fn the_same_seed_gives_the_same_trace_and_another_another() {
        let run = |seed| {
            let rough = Link::new().delay(ms(5)).loss(0.1).reorder(0.1, ms(3)).corrupt(0.1);
            let (mut world, ..) = pair(seed, &rough);
            world.run_for(secs(10)).unwrap();
            world.trace().hash()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }
}
