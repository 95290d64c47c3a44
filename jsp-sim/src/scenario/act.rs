//! What operations do when their time has come.

use super::expect::Ending;
use super::op::{Action, Address, AddressChange, At, LinkChange, Read, Reading};
use super::place::Place;
use super::run::{Run, code};
use crate::app::{Abandon, Pace, Part, Player};
use crate::link::{Blackout, Link, Stage, StageKind, Window};
use crate::units::Span;
use crate::world::Failure;
use jsp_proto::connection::Connection;
use jsp_proto::error::AppCode;
use jsp_proto::ids::Side;
use jsp_proto::time::{Duration, Time};
use std::net::{IpAddr, SocketAddr};

/// Whether an operation could be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// It was.
    Now,
    /// The connection is not there yet.
    Later,
}

impl Run {
    /// Carries an operation out.
    pub(super) fn act(&mut self, i: usize) -> Result<Done, Failure> {
        let action = self.scenario.ops[i].action.clone();
        let done = if action.host().is_some() {
            self.act_on_host(i, &action)?;
            Done::Now
        } else {
            self.act_on_connection(i, &action)?
        };
        if done == Done::Now {
            self.acts[i].began = Some(self.built.world.now());
        }
        Ok(done)
    }

    fn act_on_connection(&mut self, i: usize, action: &Action) -> Result<Done, Failure> {
        let task = i as u32;
        match action {
            Action::Send(it) => {
                let part = Part::Send { streams: it.streams, size: it.size.bytes() };
                self.play_part(&it.on, it.by.into(), task, part, Duration::ZERO)
            }
            Action::Request(it) => {
                let (size, answer) = (it.size.bytes(), it.answer.bytes());
                let part = Part::Request { streams: it.streams, size, answer };
                self.play_part(&it.on, it.by.into(), task, part, it.gap.duration())
            }
            Action::Echo(it) => {
                let part = Part::Echo { streams: it.streams, size: it.size.bytes() };
                self.play_part(&it.on, it.by.into(), task, part, it.gap.duration())
            }
            Action::Ping(At { on, by }) => self.with(on, (*by).into(), |_, c, _| c.ping()),
            Action::UpdateKeys(At { on, by }) => {
                self.with(on, (*by).into(), |_, c, _| c.update_keys())
            }
            Action::Forge(At { on, by }) => self.forge(on, (*by).into()),
            Action::Reset(it) | Action::Stop(it) => {
                let stops = matches!(action, Action::Stop(_));
                let how = if stops { Abandon::Stop } else { Abandon::Reset };
                let Some(opener) = self.op_index(&it.of) else {
                    return Ok(Done::Now);
                };
                let target = self.scenario.ops[opener].action.clone();
                let Some(on) = target.connection() else { return Ok(Done::Now) };
                self.with(on, it.end(action, &target).into(), |_, connection, player| {
                    player.abandon(connection, opener as u32, how, code(i));
                })
            }
            Action::Close(it) => {
                if let Some(conn) = self.index(&it.on) {
                    self.conns[conn].allowed.push(Ending::Closed);
                }
                let code = AppCode(it.code);
                self.with(&it.on, it.by.into(), |now, connection, _| {
                    connection.close(now, code, b"the scenario says so");
                })
            }
            Action::Read(Read { on, by, how }) => {
                self.with(on, (*by).into(), |now, _, player| match *how {
                    Reading::Freely => player.set_pace(now, Pace::Free),
                    Reading::Pause(span) => player.pause(now, span.duration()),
                    Reading::Rate(rate) => player.set_pace(now, Pace::Rate(rate.bits_per_second())),
                    Reading::Every(span) => player.set_pace(now, Pace::Bursts(span.duration())),
                })
            }
            Action::Link(change) => {
                self.change_links(change);
                Ok(Done::Now)
            }
            Action::Outage(it) => {
                let name = format!("outage {}", self.scenario.ops[i].name);
                self.black_out(&it.of, &name, it.lasting);
                Ok(Done::Now)
            }
            Action::Rebind(it) => {
                let now = self.built.world.now();
                if let Some(id) = self.built.boxes.get(&it.gateway) {
                    self.built.world.network_mut().rebind(now, *id);
                }
                Ok(Done::Now)
            }
            _ => Ok(Done::Now),
        }
    }

    fn play_part(
        &mut self,
        on: &str,
        side: Side,
        task: u32,
        part: Part,
        gap: Duration,
    ) -> Result<Done, Failure> {
        self.with(on, side, |now, _, player| player.play(now, task, part, gap))
    }

    /// Does something at an end of a connection, if it is there.
    fn with(
        &mut self,
        on: &str,
        side: Side,
        action: impl FnOnce(Time, &mut Connection, &mut Player),
    ) -> Result<Done, Failure> {
        let Some(i) = self.index(on) else { return Ok(Done::Now) };
        let Some(handle) = self.conns[i].ends[side as usize].handle else {
            return Ok(Done::Later);
        };
        let node = self.built.nodes[self.host(i, side)];
        if !self.built.world.runs(node) {
            return Ok(Done::Later);
        }
        self.built.world.act(node, |machine, context| {
            let now = context.now;
            // A session that is over can do nothing any more, and its operations are excused.
            let _ = machine.with_app(context, handle, |connection, player| {
                action(now, connection, player);
            });
        })?;
        Ok(Done::Now)
    }

    /// An end acknowledges what the other never sent: the other is handed a packet that says so.
    fn forge(&mut self, on: &str, liar: Side) -> Result<Done, Failure> {
        let Some(i) = self.index(on) else { return Ok(Done::Now) };
        let victim = liar.peer();
        let Some(handle) = self.conns[i].ends[victim as usize].handle else {
            return Ok(Done::Later);
        };
        let node = self.built.nodes[self.host(i, victim)];
        if !self.built.world.runs(node) {
            return Ok(Done::Later);
        }
        self.conns[i].allowed.push(Ending::Error);
        let told = self.built.world.act(node, |machine, context| machine.forge(context, handle))?;
        Ok(if told { Done::Now } else { Done::Later })
    }

    fn act_on_host(&mut self, i: usize, action: &Action) -> Result<(), Failure> {
        let Some(host) = action.host() else { return Ok(()) };
        let node = self.built.nodes[host];
        let world = &mut self.built.world;
        match action {
            Action::Stall(it) => world.stall(node, it.lasting.duration()),
            Action::ClockJump(it) => world.jump_clock(node, it.by.duration()),
            Action::ClockStop(it) => world.stop_clock(node, it.lasting.duration()),
            Action::LateTimers(it) => {
                world.delay_timers(node, it.by.duration(), it.lasting.duration());
            }
            Action::Segments(it) => {
                world.act(node, |machine, _| machine.set_segments(it.most))?;
            }
            Action::RefuseSends(it) => {
                world.act(node, |machine, context| {
                    machine.refuse_sends(it.share, context.now + it.lasting.duration());
                })?;
            }
            Action::FillSocket(it) => {
                world.act(node, |machine, context| {
                    machine.fill_socket(context.now + it.lasting.duration());
                })?;
            }
            Action::Restart(_) => self.restart(i, host)?,
            Action::Address(address) => self.change_address(address)?,
            _ => {}
        }
        Ok(())
    }

    /// A host forgets everything: its own connections are gone, and their peers may find out.
    fn restart(&mut self, i: usize, host: &str) -> Result<(), Failure> {
        let config = self.built.endpoint(host);
        let seed = self.built.seed_of("restart", &self.scenario.ops[i].name);
        let node = self.built.nodes[host];
        self.built.world.act(node, |machine, _| machine.restart(config, &seed))?;
        for (conn, connection) in self.conns.iter_mut().zip(&self.scenario.connections) {
            for (end, at) in conn.ends.iter_mut().zip([&connection.from, &connection.to]) {
                if at == host && end.handle.take().is_some() {
                    end.lost = true;
                    let endings = [Ending::StatelessReset, Ending::Idle, Ending::HandshakeTimeout];
                    conn.allowed.extend(endings);
                }
            }
        }
        Ok(())
    }

    /// An interface appears, vanishes or moves, and with it the host's socket, if that was there.
    fn change_address(&mut self, address: &Address) -> Result<(), Failure> {
        let key = (address.host.clone(), address.interface.clone());
        let Some((id, own)) = self.built.interfaces.get_mut(&key) else { return Ok(()) };
        let there = match address.change {
            AddressChange::Appears => Some(*own),
            AddressChange::Vanishes => None,
            AddressChange::Becomes(new) => {
                *own = new;
                Some(new)
            }
        };
        self.built.world.network_mut().set_address(*id, there);
        let node = self.built.nodes[&address.host];
        let network = self.built.world.network();
        let present: Vec<IpAddr> =
            network.interfaces(node).filter_map(|id| network.address(id)).collect();
        let port = self.built.world.host(node).address().port();
        let current = self.built.world.host(node).address().ip();
        if let Some(next) = present.first().filter(|_| !present.contains(&current)) {
            let next = SocketAddr::new(*next, port);
            self.built.world.act(node, |machine, _| machine.set_address(next))?;
        }
        Ok(())
    }

    /// Changes every link that a name means.
    fn each_link(&mut self, of: &str, change: impl Fn(Vec<Stage>) -> Vec<Stage>) {
        for place in Place::all(&self.scenario, of) {
            for line in self.built.lines.get(&place).into_iter().flatten() {
                let link = self.built.world.network().link(*line).cloned().unwrap_or_default();
                // Names are written out, so that no stage is called otherwise because another goes.
                if let Ok(link) = Link::try_from(change(link.pinned().into())) {
                    self.built.world.network_mut().set_link(*line, link);
                }
            }
        }
    }

    fn change_links(&mut self, change: &LinkChange) {
        let called =
            |stage: &Stage| stage.name.clone().unwrap_or_else(|| stage.kind.name().to_owned());
        self.each_link(&change.of, |mut stages| {
            stages.retain(|stage| !change.remove.contains(&called(stage)));
            for new in &change.set {
                let name = called(new);
                let new = Stage { name: Some(name.clone()), kind: new.kind.clone() };
                let place = |name: &String, stages: &[Stage]| {
                    stages.iter().position(|stage| called(stage) == *name)
                };
                if let Some(at) = place(&name, &stages) {
                    stages[at] = new;
                } else {
                    let before = change.before.as_ref();
                    let at = before.and_then(|before| place(before, &stages));
                    stages.insert(at.unwrap_or(stages.len()), new);
                }
            }
            stages
        });
    }

    fn black_out(&mut self, of: &str, name: &str, lasting: Span) {
        let now = self.built.world.now().since(Time::ZERO);
        let window = Window { from: now.into(), to: (now + lasting.duration()).into() };
        let kind = StageKind::Blackout(Blackout::Times(vec![window]));
        let outage = Stage { name: Some(name.into()), kind };
        self.each_link(of, |mut stages| {
            stages.insert(0, outage.clone());
            stages
        });
    }
}
