//! Requests and answers.

use super::App;
use super::answer::{Echoed, echo};
use super::content::Content;
use super::reader::{Heard, Reader};
use super::writer::{Writer, Written};
use jsp_proto::connection::{Connection, Event};
use jsp_proto::ids::{Dir, StreamId};
use jsp_proto::stream::StreamEvent;
use jsp_proto::time::{Duration, Time};
use std::collections::{BTreeMap, BTreeSet};

/// Asks, each question on a stream of its own, and checks that the answer is the question.
#[derive(Debug)]
pub struct Asker {
    size: u64,
    gap: Duration,
    to_ask: u64,
    next: Option<Time>,
    asked: BTreeMap<StreamId, Question>,
    times: Vec<Duration>,
}

#[derive(Debug)]
struct Question {
    since: Time,
    /// Until all is written.
    writer: Option<Writer>,
    reader: Reader,
}

impl Asker {
    /// Asks `count` questions of `size` bytes, one each `gap`; where the peer allows no more streams
    /// they wait.
    pub const fn new(count: u64, size: u64, gap: Duration) -> Self {
        Self { size, gap, to_ask: count, next: None, asked: BTreeMap::new(), times: Vec::new() }
    }

    /// How long each answer took, in the order of their ends.
    pub fn times(&self) -> &[Duration] {
        &self.times
    }

    fn write(&mut self, connection: &mut Connection, id: StreamId) -> Result<(), String> {
        let Some(question) = self.asked.get_mut(&id) else { return Ok(()) };
        let Some(writer) = &mut question.writer else { return Ok(()) };
        match writer.write(connection, id)? {
            Written::Blocked | Written::Closed => {}
            Written::All => question.writer = None,
            Written::Stopped(code) => return Err(format!("{id:?} was stopped, with {code:?}")),
        }
        Ok(())
    }

    fn read(&mut self, now: Time, connection: &mut Connection, id: StreamId) -> Result<(), String> {
        let Some(question) = self.asked.get_mut(&id) else { return Ok(()) };
        match question.reader.read(connection, id, u64::MAX)?.1 {
            Heard::Enough | Heard::Blocked | Heard::Closed => {}
            Heard::All => {
                self.times.push(now - question.since);
                self.asked.remove(&id);
            }
            Heard::Reset(code) => return Err(format!("{id:?} was reset, with {code:?}")),
        }
        Ok(())
    }
}

impl App for Asker {
    fn on_event(
        &mut self,
        now: Time,
        connection: &mut Connection,
        event: &Event,
    ) -> Result<(), String> {
        match event {
            Event::Connected => self.next = Some(now),
            Event::Stream(StreamEvent::Writable(id)) => self.write(connection, *id)?,
            Event::Stream(StreamEvent::Readable(id)) => self.read(now, connection, *id)?,
            _ => {}
        }
        Ok(())
    }

    fn poll(&mut self, now: Time, connection: &mut Connection) -> Result<(), String> {
        while self.to_ask > 0 && self.next.is_some_and(|next| next <= now) {
            let Some(id) = connection.open_stream(Dir::Bi) else {
                // Asked again when a stream becomes available.
                self.next = Some(now + self.gap.max(Duration::from_millis(1)));
                break;
            };
            self.to_ask -= 1;
            self.next = self.next.map(|next| next + self.gap);
            let content = Content::new(id.0);
            let writer = Some(Writer::new(content, self.size));
            let reader = Reader::new(content, self.size);
            self.asked.insert(id, Question { since: now, writer, reader });
            self.write(connection, id)?;
        }
        Ok(())
    }

    fn next_timeout(&self) -> Option<Time> {
        self.next.filter(|_| self.to_ask > 0)
    }

    fn is_done(&self) -> bool {
        self.to_ask == 0 && self.asked.is_empty()
    }
}

/// Answers every question with itself, as far as its sending part has room.
#[derive(Debug, Default)]
pub struct Echo {
    open: BTreeSet<StreamId>,
    answered: u64,
}

impl Echo {
    /// One that has heard nothing.
    pub const fn new() -> Self {
        Self { open: BTreeSet::new(), answered: 0 }
    }

    /// Questions answered to their end.
    pub const fn answered(&self) -> u64 {
        self.answered
    }

    fn pump(&mut self, connection: &mut Connection, id: StreamId) -> Result<(), String> {
        if !self.open.contains(&id) {
            return Ok(());
        }
        match echo(connection, id, u64::MAX, |_| Ok(()))?.1 {
            Echoed::Enough | Echoed::Blocked | Echoed::Closed => Ok(()),
            Echoed::All => {
                self.open.remove(&id);
                self.answered += 1;
                Ok(())
            }
            Echoed::Reset(code) | Echoed::Stopped(code) => {
                Err(format!("{id:?} was abandoned, with {code:?}"))
            }
        }
    }
}

impl App for Echo {
    fn on_event(
        &mut self,
        _: Time,
        connection: &mut Connection,
        event: &Event,
    ) -> Result<(), String> {
        match event {
            Event::Stream(StreamEvent::Writable(id) | StreamEvent::Readable(id)) => {
                self.pump(connection, *id)
            }
            _ => Ok(()),
        }
    }

    fn poll(&mut self, _: Time, connection: &mut Connection) -> Result<(), String> {
        while let Some(id) = connection.accept_stream(Dir::Bi) {
            self.open.insert(id);
            self.pump(connection, id)?;
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.open.is_empty()
    }
}
