//! Running a scenario: operations at their times between the world's events, expectations at the end.

use super::act::Done;
use super::build::{Built, client_config, player};
use super::check::Fault;
use super::expect::Ending;
use super::model::Scenario;
use super::op::{Action, Trigger};
use super::patience::patience;
use super::report::Report;
use crate::agenda::Agenda;
use crate::app::Player;
use crate::invariant::SharedObserver;
use crate::machine::{Machine, Session};
use crate::rule::{Rule, Violation};
use crate::trace::Observer;
use crate::world::{Failure, Limits, Outcome, World};
use jsp_proto::error::AppCode;
use jsp_proto::ids::{ConnectionHandle, Side};
use jsp_proto::time::{Duration, Time};

/// How many connections are looked at after each event. Few are always all looked at; of many, these
/// in turn.
const LOOKS: usize = 8;

/// What is planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// The connection of this index begins.
    Connect(usize),
    /// The operation of this index happens.
    Act(usize),
}

/// A connection of a run.
#[derive(Debug, Default)]
pub(super) struct Conn {
    pub(super) begun: Option<Time>,
    /// Its sessions, the client's first.
    pub(super) ends: [End; 2],
    /// How it may end.
    pub(super) allowed: Vec<Ending>,
    pub(super) delivered: u64,
    /// When the first byte was read, and the last.
    pub(super) reading: Option<(Time, Time)>,
    /// Whether all that is known of it was told.
    pub(super) failed: bool,
}

/// An end of a connection of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct End {
    pub(super) handle: Option<ConnectionHandle>,
    pub(super) connected: bool,
    pub(super) ended: Option<(Time, Ending)>,
    /// Its host has forgotten it.
    pub(super) lost: bool,
}

impl Conn {
    pub(super) fn is_connected(&self) -> bool {
        self.ends.iter().all(|end| end.connected)
    }

    pub(super) fn ended(&self) -> Option<(Time, Ending)> {
        self.ends.iter().filter_map(|end| end.ended).min_by_key(|(time, _)| *time)
    }

    /// Whether it is over, or will be without a word.
    pub(super) fn is_gone(&self) -> bool {
        self.ends.iter().any(|end| end.ended.is_some() || end.lost)
    }
}

/// An operation of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Act {
    pub(super) began: Option<Time>,
    pub(super) done: Option<Time>,
    pub(super) excused: bool,
}

/// A scenario that is being run with a seed.
pub struct Run {
    pub(super) scenario: Scenario,
    pub(super) seed: u64,
    pub(super) built: Built,
    pub(super) agenda: Agenda<Plan>,
    /// What comes after something that has not happened.
    pub(super) pending: Vec<(Plan, Trigger, Duration)>,
    /// Operations whose time has come and whose connection has not.
    pub(super) waiting: Vec<usize>,
    pub(super) conns: Vec<Conn>,
    pub(super) acts: Vec<Act>,
    pub(super) codes: Vec<AppCode>,
    /// Whose turn it is to be looked at.
    pub(super) turn: usize,
    /// When something was delivered last, or done.
    pub(super) progress: Time,
    pub(super) patience: Duration,
}

impl Scenario {
    /// Runs the scenario with a seed.
    ///
    /// # Errors
    /// The scenario makes no sense.
    pub fn run(&self, seed: u64) -> Result<Report, Fault> {
        Ok(Run::new(self, seed)?.finish())
    }
}

impl Run {
    /// Builds the world of a scenario. Nothing has happened in it.
    ///
    /// # Errors
    /// The scenario makes no sense.
    pub fn new(scenario: &Scenario, seed: u64) -> Result<Self, Fault> {
        scenario.check()?;
        let mut run = Self {
            scenario: scenario.clone(),
            seed,
            built: Built::new(scenario, seed),
            agenda: Agenda::new(),
            pending: Vec::new(),
            waiting: Vec::new(),
            conns: scenario.connections.iter().map(|_| Conn::default()).collect(),
            acts: vec![Act::default(); scenario.ops.len()],
            codes: codes(scenario),
            turn: 0,
            progress: Time::ZERO,
            patience: patience(scenario),
        };
        let connections = scenario.connections.iter().enumerate();
        let connects = connections.map(|(i, c)| (Plan::Connect(i), c.after.clone(), c.at));
        let ops = scenario.ops.iter().enumerate();
        let acts = ops.map(|(i, op)| (Plan::Act(i), op.after.clone(), op.at));
        for (plan, after, at) in connects.chain(acts) {
            match after {
                None => run.agenda.plan(Time::ZERO + at.duration(), plan),
                Some(trigger) => run.pending.push((plan, trigger, at.duration())),
            }
        }
        for (conn, connection) in run.conns.iter_mut().zip(&scenario.connections) {
            if let Some(expected) = scenario.expect.connections.get(&connection.name) {
                conn.allowed.extend(expected.ends);
                conn.allowed.extend(&expected.may_end);
            }
        }
        Ok(run)
    }

    /// Has somebody watch every datagram, event and timer.
    pub fn watch(&mut self, observer: Box<dyn Observer>) {
        self.built.world.watch(observer);
    }

    /// Has somebody record the packets of all connections.
    pub fn observe(&mut self, observer: &SharedObserver) {
        for node in self.built.nodes.values() {
            self.built.world.host(*node).observe(*node, SharedObserver::clone(observer));
        }
    }

    /// The world.
    pub const fn world(&self) -> &World<Machine> {
        &self.built.world
    }

    /// Runs to the end.
    pub fn finish(self) -> Report {
        self.finish_with(|_| ())
    }

    /// Runs to the end, and shows the run to `look` after each event. Looking changes nothing.
    pub fn finish_with(mut self, look: impl FnMut(&Self)) -> Report {
        let result = self.play(look).and_then(|outcome| self.judge(outcome).map(|()| outcome));
        match result {
            Ok(outcome) => self.report(outcome, None),
            Err(failure) => self.report(Outcome::Done, Some(failure)),
        }
    }

    /// Lets everything happen, until all is done or a limit is reached.
    fn play(&mut self, mut look: impl FnMut(&Self)) -> Result<Outcome, Failure> {
        let limits = Limits {
            time: self.scenario.limits.time.duration(),
            events: self.scenario.limits.events,
        };
        loop {
            self.trigger();
            if self.is_over() {
                return Ok(Outcome::Done);
            }
            let next = self.agenda.peek().map(|(time, _)| time);
            let event = self.built.world.next_event();
            match next.filter(|next| event.is_none_or(|event| *next < event)) {
                Some(next) if next <= Time::ZERO + limits.time => {
                    self.built.world.run_to(next.max(self.built.world.now()))?;
                    while let Some(plan) = self.agenda.take(self.built.world.now()) {
                        self.carry_out(plan)?;
                    }
                }
                _ => {
                    if let Some(outcome) = self.built.world.advance(limits)? {
                        return Ok(outcome);
                    }
                }
            }
            self.look()?;
            look(self);
            self.retry()?;
            self.check_progress()?;
        }
    }

    fn carry_out(&mut self, plan: Plan) -> Result<(), Failure> {
        self.progress = self.built.world.now();
        match plan {
            Plan::Connect(i) => self.connect(i),
            Plan::Act(i) => {
                if self.act(i)? == Done::Later {
                    self.waiting.push(i);
                }
                Ok(())
            }
        }
    }

    fn connect(&mut self, i: usize) -> Result<(), Failure> {
        let connection = &self.scenario.connections[i];
        let (from, to) = (&connection.from, &connection.to);
        let remote = self.built.address_of(&self.scenario, from, to);
        let hosts = [&self.scenario.hosts[from], &self.scenario.hosts[to]];
        let config = client_config(hosts[0], hosts[1], &connection.name);
        let app = Box::new(player(&self.codes, &connection.name));
        let node = self.built.nodes[from];
        let handle = self
            .built
            .world
            .act(node, |machine, context| machine.connect(context, &config, remote, app))?;
        let handle = handle.map_err(|error| {
            self.built.world.failure(node, Violation::new(Rule::Ended, error.to_string()))
        })?;
        self.conns[i].begun = Some(self.built.world.now());
        self.conns[i].ends[0].handle = Some(handle);
        Ok(())
    }

    /// Plans what comes after something that has happened, and gives up what comes after something that
    /// never will.
    fn trigger(&mut self) {
        let now = self.built.world.now();
        let mut pending = std::mem::take(&mut self.pending);
        pending.retain(|(plan, trigger, delay)| {
            if self.is_met(trigger) {
                self.agenda.plan(now + *delay, *plan);
                return false;
            }
            let hopeless = self.is_hopeless(trigger);
            match plan {
                Plan::Act(i) => self.acts[*i].excused |= hopeless,
                Plan::Connect(i) => self.conns[*i].ends[0].lost |= hopeless,
            }
            !hopeless
        });
        self.pending = pending;
    }

    /// Whether what a trigger waits for cannot happen any more, because its connection is gone.
    fn is_hopeless(&self, trigger: &Trigger) -> bool {
        let gone = |name: &str| self.index(name).is_none_or(|i| self.conns[i].is_gone());
        match trigger {
            Trigger::Connected(name) => gone(name),
            Trigger::Delivered(delivered) => gone(&delivered.on),
            Trigger::Done(name) => {
                self.op_index(name).is_none_or(|i| self.acts[i].excused || self.is_excused(i))
            }
            Trigger::Closed(_) | Trigger::Sent(_) => false,
        }
    }

    fn is_met(&self, trigger: &Trigger) -> bool {
        let conn = |name: &str| self.index(name).map(|i| &self.conns[i]);
        match trigger {
            Trigger::Connected(name) => conn(name).is_some_and(Conn::is_connected),
            Trigger::Closed(name) => conn(name).is_some_and(|conn| conn.ended().is_some()),
            Trigger::Done(name) => self.op_index(name).is_some_and(|i| self.acts[i].done.is_some()),
            Trigger::Delivered(delivered) => {
                conn(&delivered.on).is_some_and(|conn| conn.delivered >= delivered.bytes.bytes())
            }
            Trigger::Sent(n) => self.built.world.network().sent() >= *n,
        }
    }

    /// The operation of that name.
    pub(super) fn op_index(&self, name: &str) -> Option<usize> {
        self.scenario.ops.iter().position(|op| op.name == name)
    }

    /// The connection of that name.
    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.scenario.connections.iter().position(|connection| connection.name == name)
    }

    /// Looks at connections and operations, to see what has become of them.
    fn look(&mut self) -> Result<(), Failure> {
        let looks = self.conns.len().min(LOOKS);
        for _ in 0..looks {
            self.turn = (self.turn + 1) % self.conns.len();
            self.look_at(self.turn)?;
        }
        for i in 0..self.acts.len() {
            if self.acts[i].began.is_some() && self.acts[i].done.is_none() && self.is_done(i) {
                self.acts[i].done = Some(self.built.world.now());
                self.progress = self.built.world.now();
            }
        }
        Ok(())
    }

    fn look_at(&mut self, i: usize) -> Result<(), Failure> {
        let now = self.built.world.now();
        if self.conns[i].begun.is_none() {
            return Ok(());
        }
        let mut delivered = 0;
        for side in [Side::Client, Side::Server] {
            self.find(i, side);
            let Some(session) = self.session(i, side) else { continue };
            let connected = session.confirmed.is_some();
            let ended = session.closed.as_ref().map(|(_, reason)| Ending::of(reason));
            delivered += session.app::<Player>().map_or(0, Player::delivered);
            let end = &mut self.conns[i].ends[side as usize];
            if connected && !end.connected {
                end.connected = true;
                self.progress = now;
            }
            if let Some(ending) = ended.filter(|_| end.ended.is_none()) {
                end.ended = Some((now, ending));
                self.check_ending(i, side, ending)?;
            }
        }
        let conn = &mut self.conns[i];
        if delivered > conn.delivered {
            conn.delivered = delivered;
            conn.reading = Some((conn.reading.map_or(now, |(first, _)| first), now));
            self.progress = now;
        }
        Ok(())
    }

    /// A connection ends for reasons that the scenario gives, and no others.
    fn check_ending(&mut self, i: usize, side: Side, ending: Ending) -> Result<(), Failure> {
        // Who forgot a connection that had ended for it says so when it is asked.
        let other = &self.conns[i].ends[1 - side as usize];
        let forgotten = ending == Ending::StatelessReset && other.ended.is_some();
        if self.conns[i].allowed.contains(&ending) || forgotten || self.conns[i].failed {
            return Ok(());
        }
        self.conns[i].failed = true;
        let reason = self.session(i, side).and_then(|session| session.closed.clone());
        let reason = reason.map_or_else(String::new, |(_, reason)| reason.to_string());
        let name = &self.scenario.connections[i].name;
        let what = format!("the {side:?}'s end of {name} ended, {ending}: {reason}");
        Err(self.failure(i, Rule::Ended, what))
    }

    /// The node of an end.
    pub(super) fn host(&self, i: usize, side: Side) -> &String {
        let connection = &self.scenario.connections[i];
        match side {
            Side::Client => &connection.from,
            Side::Server => &connection.to,
        }
    }

    /// Looks for the server's session of a connection, until there is one.
    fn find(&mut self, i: usize, side: Side) {
        if side == Side::Client || self.conns[i].ends[1].handle.is_some() {
            return;
        }
        let name = &self.scenario.connections[i].name;
        let machine = self.built.world.host(self.built.nodes[self.host(i, side)]);
        let ours = |session: &&Session| {
            let connection = session.connection();
            connection.side() == Side::Server
                && session.app::<Player>().is_some_and(|player| player.name() == name)
        };
        let found = machine.sessions().filter(ours).max_by_key(|session| session.began);
        self.conns[i].ends[1].handle = found.map(|session| session.connection().handle());
    }

    /// The session at an end of a connection.
    pub(super) fn session(&self, i: usize, side: Side) -> Option<&Session> {
        let handle = self.conns[i].ends[side as usize].handle?;
        self.built.world.host(self.built.nodes[self.host(i, side)]).session(handle)
    }

    fn player(&self, i: usize, side: Side) -> Option<&Player> {
        self.session(i, side)?.app()
    }

    /// Tries again what waits for a connection.
    fn retry(&mut self) -> Result<(), Failure> {
        for i in std::mem::take(&mut self.waiting) {
            if self.act(i)? == Done::Later {
                self.waiting.push(i);
            }
        }
        Ok(())
    }

    /// Whether an operation that has begun has done all that it is about.
    fn is_done(&self, op: usize) -> bool {
        let (on, by, streams) = match &self.scenario.ops[op].action {
            Action::Send(send) => (&send.on, send.by, send.streams),
            Action::Request(request) => (&request.on, request.by, request.streams),
            Action::Echo(echo) => (&echo.on, echo.by, echo.streams),
            _ => return true,
        };
        let Some(i) = self.index(on) else { return true };
        let (own, peer) = (self.player(i, by.into()), self.player(i, by.peer().into()));
        let Some((own, peer)) = own.zip(peer) else { return false };
        let task = op as u32;
        let abandoned = own.abandoned(task) > 0 || self.is_abandoned(op);
        own.is_task_done(task) && (abandoned || peer.received(task) >= streams)
    }

    fn is_abandoned(&self, op: usize) -> bool {
        let name = &self.scenario.ops[op].name;
        let abandons = |action: &Action| match action {
            Action::Reset(abandon) | Action::Stop(abandon) => abandon.of == *name,
            _ => false,
        };
        let ops = self.scenario.ops.iter().zip(&self.acts);
        ops.filter(|(_, act)| act.began.is_some()).any(|(op, _)| abandons(&op.action))
    }

    /// Whether an operation is excused, because its connection is gone.
    fn is_excused(&self, op: usize) -> bool {
        let connection = match &self.scenario.ops[op].action {
            Action::Reset(abandon) | Action::Stop(abandon) => {
                self.scenario.op(&abandon.of).and_then(|opener| opener.action.connection())
            }
            action => action.connection(),
        };
        let conn = connection.and_then(|name| self.index(name)).map(|i| &self.conns[i]);
        conn.is_some_and(Conn::is_gone)
    }

    /// Whether everything has happened that is to happen.
    fn is_over(&mut self) -> bool {
        if !self.scenario.expect.done || !self.agenda.is_empty() || !self.pending.is_empty() {
            return false;
        }
        for op in 0..self.acts.len() {
            if self.acts[op].done.is_none() && !self.acts[op].excused {
                self.acts[op].excused = self.is_excused(op);
                if !self.acts[op].excused {
                    return false;
                }
            }
        }
        let expected = |i: usize| {
            let name = &self.scenario.connections[i].name;
            let expected = self.scenario.expect.connections.get(name);
            expected.is_some_and(|expected| expected.ends.is_some())
        };
        self.conns.iter().enumerate().all(|(i, conn)| {
            if expected(i) { conn.ended().is_some() } else { conn.is_connected() || conn.is_gone() }
        })
    }

    /// As long as the network delivers, things go on.
    fn check_progress(&self) -> Result<(), Failure> {
        let silence = self.built.world.now().since(self.progress);
        if silence <= self.patience || !self.scenario.expect.done {
            return Ok(());
        }
        // Nothing need go on while all wait for a time that was given, or for an end.
        let busy = (0..self.acts.len()).find(|op| {
            let act = &self.acts[*op];
            act.began.is_some() && act.done.is_none() && !self.is_excused(*op)
        });
        let stuck = self
            .conns
            .iter()
            .position(|conn| conn.begun.is_some() && !conn.is_connected() && !conn.is_gone());
        let what = match (busy, stuck) {
            (Some(op), _) => format!("`{}` does not go on", self.scenario.ops[op].name),
            (None, Some(i)) => format!("`{}` does not connect", self.scenario.connections[i].name),
            (None, None) => return Ok(()),
        };
        let conn = busy.and_then(|op| self.index(self.scenario.ops[op].action.connection()?));
        let what = format!("{what}: nothing was delivered for {silence:?}");
        Err(self.failure(conn.or(stuck).unwrap_or_default(), Rule::Progress, what))
    }

    /// A failure of a connection, now; its client's host is blamed.
    pub(super) fn failure(&self, i: usize, rule: Rule, what: String) -> Failure {
        let host = self.scenario.connections.get(i).map(|connection| &connection.from);
        let node = host.and_then(|host| self.built.nodes.get(host));
        let node = node.or(self.built.nodes.values().next()).copied();
        let node = node.unwrap_or(crate::datagram::NodeId(0));
        self.built.world.failure(node, Violation::new(rule, what))
    }
}

/// The code with which the operation of an index gives streams up.
pub(super) const fn code(op: usize) -> AppCode {
    AppCode(op as u64 + 1)
}

/// The codes with which streams are given up in a scenario.
pub(super) fn codes(scenario: &Scenario) -> Vec<AppCode> {
    let ops = scenario.ops.iter().enumerate();
    ops.filter(|(_, op)| matches!(op.action, Action::Reset(_) | Action::Stop(_)))
        .map(|(i, _)| code(i))
        .collect()
}
