//! Streams that this end opened.

use super::super::content::Content;
use super::super::reader::{Heard, Reader};
use super::super::writer::{Writer, Written};
use super::head::{Head, Part};
use super::{Abandon, Player};
use jsp_proto::connection::Connection;
use jsp_proto::error::AppCode;
use jsp_proto::ids::{Dir, StreamId};
use jsp_proto::time::{Duration, Time};

/// A part that is being played.
#[derive(Debug)]
pub(super) struct Task {
    part: Part,
    gap: Duration,
    /// Streams that are not open yet, and when the next one is to be.
    waiting: u64,
    next: Time,
    /// Streams that are open and not over.
    open: u64,
    abandoned: u64,
    times: Vec<Duration>,
}

impl Task {
    pub(super) const fn new(begins: Time, part: Part, gap: Duration) -> Self {
        let waiting = part.streams();
        Self { part, gap, waiting, next: begins, open: 0, abandoned: 0, times: Vec::new() }
    }

    /// What kind of streams it takes.
    pub(super) const fn dir(&self) -> Dir {
        self.part.dir()
    }

    /// When the next stream is to be opened.
    pub(super) fn opens(&self) -> Option<Time> {
        (self.waiting > 0).then_some(self.next)
    }

    pub(super) const fn is_done(&self) -> bool {
        self.waiting == 0 && self.open == 0
    }

    pub(super) const fn abandoned(&self) -> u64 {
        self.abandoned
    }

    pub(super) fn times(&self) -> &[Duration] {
        &self.times
    }

    /// Opens no more streams.
    pub(super) const fn forgo(&mut self) {
        self.abandoned += self.waiting;
        self.waiting = 0;
    }
}

/// A stream that this end opened.
#[derive(Debug)]
pub(super) struct Own {
    task: u32,
    since: Time,
    /// Until all is written, or nobody wants it.
    writer: Option<Writer>,
    /// Until all is acknowledged, or nobody wants it.
    unacknowledged: bool,
    /// Until all is answered, or nobody wants it.
    reader: Option<Reader>,
    abandoned: bool,
}

impl Player {
    /// Opens streams that are due and allowed.
    pub(super) fn open(&mut self, now: Time, connection: &mut Connection) {
        for (number, task) in &mut self.tasks {
            let dir = task.part.dir();
            while !self.full[dir.index()] && task.waiting > 0 && task.next <= now {
                let Some(id) = connection.open_stream(dir) else {
                    self.full[dir.index()] = true;
                    break;
                };
                let index = task.part.streams() - task.waiting;
                let head = Head::new(*number, index as u32, task.part).encode();
                let writer = Writer::new(Content::new(id.0), task.part.size()).with_head(head);
                let answer = |size| Reader::new(super::theirs::answer(id, task.part), size);
                let own = Own {
                    task: *number,
                    since: now,
                    writer: Some(writer),
                    unacknowledged: true,
                    reader: task.part.answer().map(answer),
                    abandoned: false,
                };
                self.own.insert(id, own);
                self.ready.insert(id);
                task.waiting -= 1;
                task.open += 1;
                task.next += task.gap;
            }
        }
    }

    /// The streams of a task.
    pub(super) fn own_of(&self, task: u32) -> impl Iterator<Item = StreamId> {
        self.own.iter().filter(move |(_, own)| own.task == task).map(|(id, _)| *id)
    }

    pub(super) fn advance_own(
        &mut self,
        now: Time,
        connection: &mut Connection,
        id: StreamId,
    ) -> Result<(), String> {
        let Some(own) = self.own.get_mut(&id) else { return Ok(()) };
        if let Some(writer) = &mut own.writer {
            match writer.write(connection, id)? {
                Written::Blocked | Written::Closed => {}
                Written::All => own.writer = None,
                Written::Stopped(code) => return self.stopped(connection, id, code),
            }
        }
        if let Some(reader) = &mut own.reader {
            let most = self.rhythm.allowance(now);
            let (n, heard) = reader.read(connection, id, most)?;
            self.note_read(now, id, n, heard == Heard::Enough);
            match heard {
                Heard::Enough | Heard::Blocked | Heard::Closed => {}
                Heard::All => {
                    let task = self.own.get(&id).and_then(|own| self.tasks.get_mut(&own.task));
                    let since = self.own.get(&id).map_or(now, |own| own.since);
                    if let Some(task) = task {
                        task.times.push(now.since(since));
                    }
                    self.answered(id, false);
                }
                Heard::Reset(code) => {
                    self.expect(id, code)?;
                    self.answered(id, true);
                }
            }
        }
        Ok(())
    }

    /// All is acknowledged.
    pub(super) fn finished(&mut self, id: StreamId) -> Result<(), String> {
        let Some(own) = self.own.get_mut(&id) else { return Ok(()) };
        if own.writer.is_some() || !own.unacknowledged {
            return Err(format!("{id:?} was told to be finished, and it is not"));
        }
        own.unacknowledged = false;
        self.leave(id);
        Ok(())
    }

    /// The answer is over.
    fn answered(&mut self, id: StreamId, abandoned: bool) {
        if let Some(own) = self.own.get_mut(&id) {
            own.reader = None;
            own.abandoned |= abandoned;
        }
        self.leave(id);
    }

    /// The peer wants no more of a stream.
    pub(super) fn stopped(
        &mut self,
        connection: &mut Connection,
        id: StreamId,
        code: AppCode,
    ) -> Result<(), String> {
        self.expect(id, code)?;
        if id.initiator() != connection.side() {
            // That may be the first that is heard of the stream.
            self.accept(connection);
            self.unanswered(id);
        } else if let Some(own) = self.own.get_mut(&id) {
            own.writer = None;
            own.unacknowledged = false;
            own.abandoned = true;
            self.leave(id);
        }
        Ok(())
    }

    pub(super) fn abandon_own(
        &mut self,
        connection: &mut Connection,
        id: StreamId,
        how: Abandon,
        code: AppCode,
    ) {
        let Some(own) = self.own.get_mut(&id) else { return };
        // What is over already cannot be given up, and the connection says so.
        match how {
            Abandon::Reset if own.unacknowledged && connection.reset(id, code).is_ok() => {
                own.writer = None;
                own.unacknowledged = false;
                own.abandoned = true;
            }
            Abandon::Stop if own.reader.is_some() && connection.stop(id, code).is_ok() => {
                own.reader = None;
                own.abandoned = true;
            }
            Abandon::Reset | Abandon::Stop => {}
        }
        self.leave(id);
    }

    /// Forgets a stream if it is over.
    fn leave(&mut self, id: StreamId) {
        let over = |own: &Own| !own.unacknowledged && own.reader.is_none();
        if !self.own.get(&id).is_some_and(over) {
            return;
        }
        self.held.remove(&id);
        let Some(own) = self.own.remove(&id) else { return };
        if let Some(task) = self.tasks.get_mut(&own.task) {
            task.open -= 1;
            task.abandoned += u64::from(own.abandoned);
        }
    }
}
