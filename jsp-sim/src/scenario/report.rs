//! How a run went.

use super::expect::Ending;
use super::place::Place;
use crate::link::PipeStats;
use crate::trace::TraceHash;
use crate::world::{Failure, Outcome};
use jsp_proto::connection::Stats;
use jsp_proto::error::CloseReason;
use jsp_proto::time::{Duration, Time};
use std::fmt;

/// How a run went.
#[derive(Clone, Debug)]
pub struct Report {
    /// The scenario's name.
    pub name: String,
    /// The seed.
    pub seed: u64,
    /// Why it stopped.
    pub outcome: Outcome,
    /// Virtual time that passed.
    pub time: Duration,
    /// Arrivals and timers.
    pub events: u64,
    /// The hash of every datagram, event and timer: the same for the same scenario and seed.
    pub hash: TraceHash,
    /// What became of the connections, in the scenario's order.
    pub connections: Vec<ConnectionReport>,
    /// When each operation had done all that it is about, in the scenario's order.
    pub ops: Vec<OpReport>,
    /// What became of the datagrams at each place.
    pub links: Vec<(Place, PipeStats)>,
    /// The rule that was broken, if one was, or what was not as expected.
    pub failure: Option<Box<Failure>>,
}

impl Report {
    /// Whether no rule was broken and all was as expected.
    pub const fn is_success(&self) -> bool {
        self.failure.is_none()
    }
}

/// What became of a connection.
#[derive(Clone, Debug)]
pub struct ConnectionReport {
    /// Its name.
    pub name: String,
    /// The client's host and the server's.
    pub hosts: [String; 2],
    /// When it began, if it did.
    pub begun: Option<Time>,
    /// How long the client's handshake took, if it completed.
    pub handshake: Option<Duration>,
    /// The client's end, if it began.
    pub client: Option<EndReport>,
    /// The server's end, if it heard of it.
    pub server: Option<EndReport>,
    /// Bytes that applications read, both ends together.
    pub delivered: u64,
    /// Bits a second from the first byte that was read to the last, if there are two.
    pub goodput: Option<u64>,
}

/// An end of a connection.
#[derive(Clone, Debug)]
pub struct EndReport {
    /// When and how it ended, if it did.
    pub ended: Option<(Time, Ending)>,
    /// The same in the engine's words.
    pub reason: Option<CloseReason>,
    /// Whether the application has done everything that it came for.
    pub done: bool,
    /// Bytes that the application read.
    pub delivered: u64,
    /// What the connection measured.
    pub stats: Stats,
}

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpReport {
    /// Its name.
    pub name: String,
    /// When it began, if it did.
    pub began: Option<Time>,
    /// When all of it was done, if it was.
    pub done: Option<Time>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, seed, time, events, .. } = self;
        let verdict = if self.is_success() { "passed" } else { "FAILED" };
        writeln!(
            f,
            "{name}, seed {seed}: {verdict} after {time:?}, {events} events, {}",
            self.hash
        )?;
        for connection in &self.connections {
            writeln!(f, "  {connection}")?;
        }
        for OpReport { name, began, done } in &self.ops {
            let time = |time: &Option<Time>| {
                time.map_or("never".into(), |time| format!("{:?}", time.since(Time::ZERO)))
            };
            writeln!(f, "  {name}: began {}, done {}", time(began), time(done))?;
        }
        match &self.failure {
            Some(failure) => write!(f, "{failure}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ConnectionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        match self.handshake {
            Some(handshake) => write!(f, "handshake {handshake:?}")?,
            None => f.write_str("no handshake")?,
        }
        write!(f, ", {} bytes read", self.delivered)?;
        if let Some(goodput) = self.goodput {
            write!(f, " at {:.3} Mbit/s", goodput as f64 / 1e6)?;
        }
        for (side, end) in [("client", &self.client), ("server", &self.server)] {
            if let Some((time, ending)) = end.as_ref().and_then(|end| end.ended) {
                write!(f, ", {side} ended {ending} at {:?}", time.since(Time::ZERO))?;
            }
        }
        Ok(())
    }
}
