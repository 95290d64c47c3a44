//! A link at work.
//!
//! A pipe is sans-IO: packets go in with the time, and leave with the time at which they do, which may
//! be later. What it can tell at once it does:
//!
//! ```text
//!           now              now + 3 ms         now + 3 ms        + 50 ms
//! packet ────────> rate ──────────────> loss ──────────────> ═══════════════> exit
//!                  (queue)                                   owed by delay
//! ```
//!
//! - A constant delay makes no difference to the stages behind it, unless one looks at the clock: it is
//!   added at the end.
//! - A stage that keeps the order of packets tells at once when each leaves. The stages behind it are
//!   asked at once too, about the time to come.
//! - Only where a stage behind another that may change the order minds the order, and in front of a
//!   managed queue, packets wait in the pipe until their time comes.
//!
//! So the usual chain of rate, loss and delay never waits for anything, and needs no timeout.

use super::description::{Link, StageKind};
use super::fate::{Dropped, Exit, PipeStats, StageStats};
use super::running::Running;
use super::travel::{Step, Travel, stage_seed};
use crate::agenda::Agenda;
use crate::datagram::Packet;
use jsp_proto::rng::Seed;
use jsp_proto::time::{Duration, Time};

/// A link at work.
#[derive(Debug)]
pub struct Pipe {
    link: Link,
    stations: Vec<Station>,
    /// Packets that wait to enter the stage of this index.
    waiting: Agenda<(usize, Travel)>,
    /// Indices of managed queues.
    managed: Vec<usize>,
    /// What was counted by the pipe, and by stages that are gone.
    stats: PipeStats,
    /// The latest time that it was told.
    now: Time,
}

/// A stage in its place.
#[derive(Debug)]
struct Station {
    name: String,
    running: Running,
    stats: StageStats,
    /// Whether packets enter when their time has come, and not before.
    in_time: bool,
}

impl Pipe {
    /// A pipe of which every random choice follows from `seed`, and those of each stage from `seed` and
    /// the stage's name.
    pub fn new(link: Link, seed: &Seed) -> Self {
        let mut pipe = Self {
            link: Link::new(),
            stations: Vec::new(),
            waiting: Agenda::new(),
            managed: Vec::new(),
            stats: PipeStats::default(),
            now: Time::ZERO,
        };
        pipe.change(link, seed);
        pipe
    }

    /// What the pipe does.
    pub const fn link(&self) -> &Link {
        &self.link
    }

    /// What became of the datagrams so far.
    pub fn stats(&self) -> PipeStats {
        self.stations.iter().fold(self.stats, |sum, station| station.add_to(sum))
    }

    /// What each stage did, by its name.
    pub fn stages(&self) -> impl Iterator<Item = (&str, &StageStats)> {
        self.stations.iter().map(|station| (station.name.as_str(), &station.stats))
    }

    /// Packets in the pipe that have not been told when they leave it.
    pub fn held(&self) -> usize {
        let kept = |i: &usize| match &self.stations[*i].running {
            Running::Rate(sender) => sender.kept(),
            _ => 0,
        };
        self.waiting.len() + self.managed.iter().map(kept).sum::<usize>()
    }

    /// Changes what the pipe does from now on. Stages that keep their name and their kind keep their
    /// state: random streams and queues go on. What is in a stage that is gone leaves it as it would
    /// have.
    pub fn change(&mut self, link: Link, seed: &Seed) {
        let mut old: Vec<_> = std::mem::take(&mut self.stations).into_iter().map(Some).collect();
        // Where packets go on that would have entered the old stage of each index.
        let mut places = vec![None; old.len()];
        let mut released = Vec::new();
        for (index, (name, stage)) in link.names().into_iter().zip(link.stages()).enumerate() {
            let leave = |time, travel| released.push((time, (index + 1, travel)));
            let kept =
                old.iter().position(|o| o.as_ref().is_some_and(|o| o.is(&name, &stage.kind)));
            let station = match kept.and_then(|at| Some((at, old[at].take()?))) {
                Some((at, mut station)) => {
                    places[at] = Some(index);
                    station.running.change(&stage.kind, leave);
                    station
                }
                None => Station::new(name, stage.kind.clone(), seed),
            };
            self.stations.push(station);
        }
        let mut place = self.stations.len();
        for (at, gone) in old.into_iter().enumerate().rev() {
            if let Some(station) = gone {
                self.stats = station.add_to(self.stats);
                if let Running::Rate(mut sender) = station.running {
                    sender.release(|time, travel| released.push((time, (place, travel))));
                }
            }
            place = places[at].unwrap_or(place);
            places[at] = Some(place);
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        while let Some((time, _)) = waiting.peek()
            && let Some((at, travel)) = waiting.take(time)
        {
            let place = places.get(at).copied().flatten().unwrap_or(self.stations.len());
            self.waiting.plan(time, (place, travel));
        }
        for (time, entry) in released {
            self.waiting.plan(time, entry);
        }
        self.link = link;
        self.settle();
    }

    /// Finds out what the stages must know of each other.
    fn settle(&mut self) {
        let mut clocked = false;
        for station in self.stations.iter_mut().rev() {
            station.running.set_owes(!clocked);
            clocked |= station.running.is_clocked();
        }
        let mut disordered = false;
        self.managed.clear();
        for (index, station) in self.stations.iter_mut().enumerate() {
            let running = &station.running;
            station.in_time = running.keeps() || (disordered && running.minds_order());
            disordered |= running.disorders();
            if running.keeps() {
                self.managed.push(index);
            }
        }
    }

    /// Takes a packet that enters at `now`, and hands to `out` what leaves: none, one or several
    /// packets, those whose time came with `now` among them.
    pub fn send(&mut self, now: Time, packet: Packet, out: &mut dyn FnMut(Exit)) {
        if self.has_timeouts() {
            self.handle_timeout(now, out);
        }
        self.now = self.now.max(now);
        self.stats.entered += 1;
        self.stats.entered_bytes += packet.datagram.payload.len() as u64;
        self.run(self.now, 0, self.now, Travel { packet, owed: Duration::ZERO }, out);
        if !self.managed.is_empty() {
            self.handle_timeout(now, out);
        }
    }

    /// When the pipe has something to do.
    pub fn next_timeout(&self) -> Option<Time> {
        if !self.has_timeouts() {
            return None;
        }
        let waiting = self.waiting.peek().map(|(time, _)| time);
        let managed = self.next_managed().map(|(time, _)| time);
        waiting.into_iter().chain(managed).min()
    }

    /// Does what was to be done by `now`, and hands to `out` what leaves.
    pub fn handle_timeout(&mut self, now: Time, out: &mut dyn FnMut(Exit)) {
        self.now = self.now.max(now);
        loop {
            let waiting = self.waiting.peek().map(|(time, _)| time);
            match (waiting, self.next_managed()) {
                (Some(time), managed)
                    if time <= now && managed.is_none_or(|(next, _)| time <= next) =>
                {
                    if let Some((place, travel)) = self.waiting.take(time) {
                        self.run(time, place, time, travel, out);
                    }
                }
                (_, Some((time, index))) if time <= now => self.dequeue(time, index, out),
                _ => return,
            }
        }
    }

    fn has_timeouts(&self) -> bool {
        !self.managed.is_empty() || !self.waiting.is_empty()
    }

    /// The managed queue whose line is free first.
    fn next_managed(&self) -> Option<(Time, usize)> {
        let times = self
            .managed
            .iter()
            .filter_map(|index| Some((self.stations.get(*index)?.running.next_timeout()?, *index)));
        times.min()
    }

    /// Has the line of the managed queue `index` take its next packet.
    fn dequeue(&mut self, now: Time, index: usize, out: &mut dyn FnMut(Exit)) {
        let Self { stations, stats, .. } = self;
        let Some(Station { running, stats: counts, .. }) = stations.get_mut(index) else { return };
        let Some(sender) = running.managed() else { return };
        let mut dropped = 0;
        let taken = sender.take(now, counts, |travel| {
            dropped += 1;
            stats.count(Dropped::Managed);
            out(Exit::Dropped { why: Dropped::Managed, packet: travel.packet });
        });
        counts.dropped += dropped;
        if let Some((at, travel)) = taken {
            counts.left += 1;
            self.run(now, index + 1, at, travel, out);
        }
    }

    /// Takes a packet, at `now`, through the stages from `from` on, the first of which it enters at `at`.
    fn run(
        &mut self,
        now: Time,
        from: usize,
        mut at: Time,
        mut travel: Travel,
        out: &mut dyn FnMut(Exit),
    ) {
        for index in from..self.stations.len() {
            let station = &mut self.stations[index];
            if station.in_time && at > now {
                self.waiting.plan(at, (index, travel));
                return;
            }
            station.stats.entered += 1;
            if let Some(sender) = station.running.managed() {
                match sender.admit(at, &mut travel, &mut station.stats) {
                    Ok(()) => sender.keep(at, travel, &mut station.stats),
                    Err(why) => {
                        station.stats.dropped += 1;
                        self.stats.count(why);
                        out(Exit::Dropped { why, packet: travel.packet });
                    }
                }
                return;
            }
            match station.running.pass(at, &mut travel, &mut station.stats) {
                Step::On(leaves) => {
                    station.stats.left += 1;
                    at = leaves;
                }
                Step::Copy(leaves) => {
                    station.stats.left += 2;
                    let copy = Travel { packet: travel.packet.clone(), owed: travel.owed };
                    self.run(now, index + 1, at, travel, out);
                    return self.run(now, index + 1, leaves, copy, out);
                }
                // The sender must not hear of it before it is so: the stage is asked again then.
                Step::Drop(Dropped::TooBig { mtu: Some(_) }) if travel.clock(at) > now => {
                    station.stats.entered -= 1;
                    let time = travel.clock(at);
                    travel.owed = Duration::ZERO;
                    return self.waiting.plan(time, (index, travel));
                }
                Step::Drop(why) => {
                    station.stats.dropped += 1;
                    self.stats.count(why);
                    return out(Exit::Dropped { why, packet: travel.packet });
                }
            }
        }
        self.stats.delivered += 1;
        self.stats.delivered_bytes += travel.packet.datagram.payload.len() as u64;
        out(Exit::Arrival { time: travel.clock(at).max(self.now), packet: travel.packet });
    }
}

impl Station {
    fn new(name: String, kind: StageKind, seed: &Seed) -> Self {
        let running = Running::new(kind, &stage_seed(seed, &name));
        Self { name, running, stats: StageStats::default(), in_time: false }
    }

    fn is(&self, name: &str, kind: &StageKind) -> bool {
        self.name == name && self.running.is(kind)
    }

    fn add_to(&self, mut sum: PipeStats) -> PipeStats {
        sum.marked += self.stats.marked;
        sum.duplicated += self.stats.duplicated;
        sum.corrupted += self.stats.corrupted;
        if let Running::Reorder(_) = self.running {
            sum.reordered += self.stats.held;
        }
        sum
    }
}
