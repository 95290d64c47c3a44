//! What came of a run: whether all is as expected, and the report.

use super::place::Place;
use super::report::{ConnectionReport, EndReport, OpReport, Report};
use super::run::{Conn, Run};
use crate::app::Player;
use crate::link::PipeStats;
use crate::rule::Rule;
use crate::world::{Failure, Outcome};
use jsp_proto::ids::Side;
use jsp_proto::time::{Duration, Time, nanos};

impl Run {
    /// Whether all is as expected.
    pub(super) fn judge(&self, outcome: Outcome) -> Result<(), Failure> {
        let expect = &self.scenario.expect;
        let time = self.built.world.now().since(Time::ZERO);
        if expect.done {
            if outcome != Outcome::Done {
                return Err(self.failure(0, Rule::Progress, self.unfinished(outcome)));
            }
            if let Some(within) = expect.within.filter(|within| time > within.duration()) {
                let what = format!("all is done after {time:?}, and was to be within {within}");
                return Err(self.failure(0, Rule::Progress, what));
            }
        }
        for (name, expected) in &expect.connections {
            let Some(i) = self.index(name) else { continue };
            let conn = &self.conns[i];
            if let Some(ending) = expected.ends
                && !conn.ends.iter().any(|end| end.ended.is_some_and(|(_, how)| how == ending))
            {
                let what = format!("{name} was to end, {ending}, and did not");
                return Err(self.failure(i, Rule::Ended, what));
            }
            let handshake = self.handshake(i);
            if let Some(most) = expected.handshake
                && handshake.is_none_or(|took| took > most.duration())
            {
                let what = format!(
                    "{name}'s handshake took {handshake:?}, and {most} at most were expected"
                );
                return Err(self.failure(i, Rule::Progress, what));
            }
            if let Some(least) = expected.goodput
                && goodput(conn).is_none_or(|bits| bits < least.bits_per_second())
            {
                let what = format!(
                    "{name} carried {:?} bit/s, and {least} at least were expected",
                    goodput(conn)
                );
                return Err(self.failure(i, Rule::Progress, what));
            }
        }
        Ok(())
    }

    /// Why a run is over, and what is not done.
    fn unfinished(&self, outcome: Outcome) -> String {
        let why = match outcome {
            Outcome::Quiet => "nothing will ever happen again",
            Outcome::TimeUp => "the time is up",
            Outcome::EventsUp | Outcome::Done => "there were too many events",
        };
        let ops = self.scenario.ops.iter().zip(&self.acts);
        let mut left: Vec<String> = ops
            .filter(|(_, act)| act.done.is_none() && !act.excused)
            .map(|(op, act)| match act.began {
                Some(_) => format!("`{}` is not done", op.name),
                None => format!("`{}` never began", op.name),
            })
            .collect();
        let connections = self.scenario.connections.iter().zip(&self.conns);
        left.extend(
            connections
                .filter(|(_, conn)| !conn.is_connected() && !conn.is_gone())
                .map(|(connection, _)| format!("`{}` is not connected", connection.name)),
        );
        if left.is_empty() {
            left.push("a connection that was to end has not".into());
        }
        format!("{why}, and {}", left.join(", "))
    }

    fn handshake(&self, i: usize) -> Option<Duration> {
        let session = self.session(i, Side::Client)?;
        Some(session.connected?.since(session.began))
    }

    pub(super) fn report(self, outcome: Outcome, failure: Option<Failure>) -> Report {
        let world = &self.built.world;
        let connections = (0..self.conns.len()).map(|i| {
            let end = |side: Side| {
                let session = self.session(i, side)?;
                Some(EndReport {
                    ended: self.conns[i].ends[side as usize].ended,
                    reason: session.closed.as_ref().map(|(_, reason)| reason.clone()),
                    done: session.is_done(),
                    delivered: session.app::<Player>().map_or(0, Player::delivered),
                    stats: session.connection().stats(),
                })
            };
            ConnectionReport {
                name: self.scenario.connections[i].name.clone(),
                hosts: [Side::Client, Side::Server].map(|side| self.host(i, side).clone()),
                begun: self.conns[i].begun,
                handshake: self.handshake(i),
                client: end(Side::Client),
                server: end(Side::Server),
                delivered: self.conns[i].delivered,
                goodput: goodput(&self.conns[i]),
            }
        });
        let ops = self.scenario.ops.iter().zip(&self.acts);
        Report {
            name: self.scenario.name.clone(),
            seed: self.seed,
            outcome,
            time: world.now().since(Time::ZERO),
            events: world.events(),
            hash: world.trace().hash(),
            connections: connections.collect(),
            ops: ops
                .map(|(op, act)| OpReport {
                    name: op.name.clone(),
                    began: act.began,
                    done: act.done,
                })
                .collect(),
            links: self.links(),
            failure: failure.map(Box::new),
        }
    }

    fn links(&self) -> Vec<(Place, PipeStats)> {
        let network = self.built.world.network();
        let each = self.built.lines.iter();
        each.filter_map(|(place, lines)| Some((place.clone(), network.stats(*lines.first()?))))
            .collect()
    }
}

/// Bits a second between the first byte that was read and the last.
fn goodput(conn: &Conn) -> Option<u64> {
    let (first, last) = conn.reading.filter(|(first, last)| last > first)?;
    let bits = u128::from(conn.delivered) * 8 * 1_000_000_000;
    u64::try_from(bits / u128::from(nanos(last.since(first)))).ok()
}
