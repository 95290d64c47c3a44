//! Requests and answers.

use super::App;
use super::content::Content;
use jsp_proto::connection::{Connection, Event};
use jsp_proto::ids::{Dir, StreamId};
use jsp_proto::stream::{ReadError, StreamEvent, WriteError};
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
    written: u64,
    read: u64,
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
        let mut chunk = [0; 4096];
        while question.written < self.size {
            let n = chunk.len().min(usize::try_from(self.size - question.written).unwrap_or(4096));
            Content::new(id.0).fill(question.written, &mut chunk[..n]);
            match connection.write(id, &chunk[..n]) {
                Ok(taken) => question.written += taken as u64,
                Err(WriteError::Blocked) => return Ok(()),
                Err(_) if connection.is_closed() => return Ok(()),
                Err(error) => return Err(format!("writing {id:?} failed: {error:?}")),
            }
            if question.written == self.size {
                connection.finish(id).map_err(|e| format!("finishing {id:?} failed: {e:?}"))?;
            }
        }
        Ok(())
    }

    fn read(&mut self, now: Time, connection: &mut Connection, id: StreamId) -> Result<(), String> {
        let Some(question) = self.asked.get_mut(&id) else { return Ok(()) };
        let mut chunk = [0; 4096];
        loop {
            match connection.read(id, &mut chunk) {
                Ok(n) => {
                    Content::new(id.0)
                        .check(question.read, &chunk[..n])
                        .map_err(|at| format!("the answer on {id:?} is wrong at {at}"))?;
                    question.read += n as u64;
                }
                Err(ReadError::Finished) if question.read == self.size => {
                    self.times.push(now - question.since);
                    self.asked.remove(&id);
                    return Ok(());
                }
                Err(ReadError::Blocked) => return Ok(()),
                Err(_) if connection.is_closed() => return Ok(()),
                Err(error) => {
                    return Err(format!(
                        "the answer on {id:?} ended at {}: {error:?}",
                        question.read
                    ));
                }
            }
        }
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
            self.asked.insert(id, Question { since: now, written: 0, read: 0 });
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
        loop {
            let closed = connection.is_closed();
            let heard = match connection.peek(id) {
                Ok(chunk) => chunk.data[..chunk.data.len().min(4096)].to_vec(),
                Err(ReadError::Blocked) => return Ok(()),
                Err(ReadError::Finished) => {
                    self.open.remove(&id);
                    self.answered += 1;
                    return connection
                        .finish(id)
                        .or_else(|e| if connection.is_closed() { Ok(()) } else { Err(e) })
                        .map_err(|e| format!("finishing {id:?} failed: {e:?}"));
                }
                Err(_) if closed => return Ok(()),
                Err(error) => return Err(format!("reading {id:?} failed: {error:?}")),
            };
            match connection.write(id, &heard) {
                Ok(taken) => connection.consume(id, taken),
                Err(WriteError::Blocked) => return Ok(()),
                Err(_) if connection.is_closed() => return Ok(()),
                Err(error) => return Err(format!("writing {id:?} failed: {error:?}")),
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
