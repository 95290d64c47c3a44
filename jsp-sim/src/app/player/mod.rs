//! An application that does whatever it is told, on either end of a connection: what runs behind the
//! operations of scenarios.
//!
//! A player opens streams for its [`Part`]s, and writes at the front of each what it is. The player at
//! the other end checks what arrives, each byte of each stream exactly once, and answers.
//!
//! ```text
//!   own.rs      streams that this end opened: written, acknowledged, answered
//!   theirs.rs   streams that the peer opened: read and checked, answered
//!   head.rs     what stands at the front of a stream
//! ```

mod head;
mod own;
mod theirs;

pub use head::Part;

use super::App;
use super::pace::{Pace, Rhythm};
use jsp_proto::connection::{Connection, Event};
use jsp_proto::error::AppCode;
use jsp_proto::ids::{Dir, StreamId};
use jsp_proto::stream::StreamEvent;
use jsp_proto::time::{Duration, Time};
use own::{Own, Task};
use std::collections::{BTreeMap, BTreeSet};
use theirs::Theirs;

/// How streams are given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abandon {
    /// No more is sent on them.
    Reset,
    /// No more is read from them.
    Stop,
}

/// An application that does whatever it is told, on either end of a connection: what runs behind the
/// operations of scenarios. It plays [`Part`]s, and checks and answers those of the player at the other
/// end: each byte of each stream, exactly once.
#[derive(Debug, Default)]
pub struct Player {
    name: String,
    connected: bool,
    closed: bool,
    tasks: BTreeMap<u32, Task>,
    own: BTreeMap<StreamId, Own>,
    theirs: BTreeMap<StreamId, Theirs>,
    /// Every stream of the peer's of which the head was read, by task and index.
    seen: BTreeSet<(u32, u32)>,
    /// Streams of the peer's that were wholly read, and answered, by task.
    received: BTreeMap<u32, u64>,
    /// Codes with which streams may be reset or stopped.
    codes: BTreeSet<AppCode>,
    /// Streams on which something may be done.
    ready: BTreeSet<StreamId>,
    /// Streams that wait for the reader.
    held: BTreeSet<StreamId>,
    /// Whether the peer allows no more streams of a kind.
    full: [bool; 2],
    rhythm: Rhythm,
    delivered: u64,
}

impl Player {
    /// A player that only answers.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same player, with the name of what it plays in.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// The name of what it plays in.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether its end of the connection is over.
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// A player that sends `size` bytes on each of `streams` streams.
    pub fn bulk(streams: u64, size: u64) -> Self {
        Self::new().with(Part::Send { streams, size }, Duration::ZERO)
    }

    /// A player that asks `streams` times with `size` bytes, one each `gap`, and gets `answer` bytes
    /// each time.
    pub fn request(streams: u64, gap: Duration, size: u64, answer: u64) -> Self {
        Self::new().with(Part::Request { streams, size, answer }, gap)
    }

    /// A player that sends `size` bytes `streams` times, one each `gap`, and gets the same back.
    pub fn echo(streams: u64, gap: Duration, size: u64) -> Self {
        Self::new().with(Part::Echo { streams, size }, gap)
    }

    fn with(mut self, part: Part, gap: Duration) -> Self {
        self.play(Time::ZERO, 0, part, gap);
        self
    }

    /// Begins with a part as soon as it is connected, not before `now`, with `gap` from one stream to
    /// the next. `task` is the part's number, by which both ends know it.
    pub fn play(&mut self, now: Time, task: u32, part: Part, gap: Duration) {
        self.tasks.insert(task, Task::new(now, part, gap));
    }

    /// Allows streams to be reset and stopped with `code`; otherwise that is an error.
    pub fn allow(&mut self, code: AppCode) {
        self.codes.insert(code);
    }

    /// Reads at another pace from `now` on.
    pub fn set_pace(&mut self, now: Time, pace: Pace) {
        self.rhythm.set(now, pace);
    }

    /// Reads nothing for `duration` from `now` on.
    pub fn pause(&mut self, now: Time, duration: Duration) {
        self.rhythm.pause(now, duration);
    }

    /// Bytes that were read, all streams together.
    pub const fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Streams that the peer opened for a task and that were read to their end, and answered.
    pub fn received(&self, task: u32) -> u64 {
        self.received.get(&task).copied().unwrap_or_default()
    }

    /// Whether all of a task's streams are acknowledged and answered, or given up.
    pub fn is_task_done(&self, task: u32) -> bool {
        self.tasks.get(&task).is_some_and(Task::is_done)
    }

    /// Streams of a task that were given up by one of the ends.
    pub fn abandoned(&self, task: u32) -> u64 {
        self.tasks.get(&task).map_or(0, Task::abandoned)
    }

    /// How long each answer of a task took, in the order of their ends.
    pub fn times(&self, task: u32) -> &[Duration] {
        self.tasks.get(&task).map_or(&[], Task::times)
    }

    /// Gives up the streams of a task that are open, whichever end opened them, with `code`; and those
    /// that are still to be opened.
    pub fn abandon(&mut self, connection: &mut Connection, task: u32, how: Abandon, code: AppCode) {
        let own: Vec<_> = self.own_of(task).collect();
        for id in own {
            self.abandon_own(connection, id, how, code);
        }
        if let Some(task) = self.tasks.get_mut(&task) {
            task.forgo();
        }
        let of_task = |theirs: &Theirs| theirs.task() == Some(task);
        let theirs = self.theirs.iter().filter(|(_, theirs)| of_task(theirs));
        let theirs: Vec<_> = theirs.map(|(id, _)| *id).collect();
        for id in theirs {
            self.abandon_theirs(connection, id, how, code);
        }
    }

    /// Whether a stream may be reset or stopped with a code.
    fn expect(&self, id: StreamId, code: AppCode) -> Result<(), String> {
        if self.codes.contains(&code) {
            return Ok(());
        }
        Err(format!("{id:?} was given up, with {code:?}, and nobody asked for that"))
    }

    /// Accepts what the peer opened.
    fn accept(&mut self, connection: &mut Connection) {
        for dir in Dir::ALL {
            while let Some(id) = connection.accept_stream(dir) {
                self.theirs.insert(id, Theirs::default());
                self.ready.insert(id);
            }
        }
    }

    /// The connection is over: what has arrived is read, the rest will not come.
    fn wind_up(&mut self, now: Time, connection: &mut Connection) -> Result<(), String> {
        self.rhythm.set(now, Pace::Free);
        self.held.clear();
        let all: Vec<_> = self.own.keys().chain(self.theirs.keys()).copied().collect();
        for id in all {
            self.advance(now, connection, id)?;
        }
        self.own.clear();
        self.theirs.clear();
        self.ready.clear();
        Ok(())
    }

    /// Does all that can be done on a stream now.
    fn advance(
        &mut self,
        now: Time,
        connection: &mut Connection,
        id: StreamId,
    ) -> Result<(), String> {
        if id.initiator() == connection.side() {
            self.advance_own(now, connection, id)
        } else {
            self.advance_theirs(now, connection, id)
        }
    }

    /// Notes that `n` bytes were read on a stream, and whether there are more.
    fn note_read(&mut self, now: Time, id: StreamId, n: u64, more: bool) {
        self.delivered += n;
        self.rhythm.spend(now, n);
        if more {
            self.held.insert(id);
        }
    }
}

impl App for Player {
    fn on_event(
        &mut self,
        now: Time,
        connection: &mut Connection,
        event: &Event,
    ) -> Result<(), String> {
        match event {
            Event::Connected => self.connected = true,
            Event::Closed(_) => {
                self.closed = true;
                self.accept(connection);
                self.wind_up(now, connection)?;
            }
            Event::Stream(event) => match *event {
                StreamEvent::Readable(id) | StreamEvent::Writable(id) => {
                    self.ready.insert(id);
                }
                StreamEvent::Finished(id) => self.finished(id)?,
                StreamEvent::Stopped { id, code } => self.stopped(connection, id, code)?,
                StreamEvent::Available { dir } => self.full[dir.index()] = false,
                StreamEvent::Opened { .. } => {}
            },
            _ => {}
        }
        Ok(())
    }

    fn poll(&mut self, now: Time, connection: &mut Connection) -> Result<(), String> {
        if self.closed {
            return Ok(());
        }
        if self.connected {
            self.open(now, connection);
        }
        self.accept(connection);
        if !self.held.is_empty() && self.rhythm.allowance(now) > 0 {
            self.ready.append(&mut self.held);
        }
        while let Some(id) = self.ready.pop_first() {
            self.advance(now, connection, id)?;
        }
        Ok(())
    }

    fn next_timeout(&self) -> Option<Time> {
        if self.closed {
            return None;
        }
        let reads = (!self.held.is_empty()).then(|| self.rhythm.next());
        let opens =
            self.tasks.values().filter(|task| self.connected && !self.full[task.dir().index()]);
        reads.into_iter().chain(opens.filter_map(Task::opens)).min()
    }

    fn is_done(&self) -> bool {
        self.connected && self.theirs.is_empty() && self.tasks.values().all(Task::is_done)
    }
}
