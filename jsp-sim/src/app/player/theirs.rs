//! Streams that the peer opened.

use super::super::answer::{Echoed, echo};
use super::super::content::Content;
use super::super::reader::{Heard, Reader, peek};
use super::super::writer::{Writer, Written};
use super::head::{Head, Part};
use super::{Abandon, Player};
use jsp_proto::connection::Connection;
use jsp_proto::error::AppCode;
use jsp_proto::ids::{Dir, StreamId};
use jsp_proto::time::Time;

/// A stream that the peer opened.
#[derive(Debug)]
pub(super) enum Theirs {
    /// Its head has not wholly arrived.
    New {
        /// What has.
        head: Vec<u8>,
        /// Whether an answer is wanted, if it will ask for one.
        wanted: bool,
    },
    /// It is being read.
    Reading(Head, Reader, Answer),
    /// It was read, and is being answered.
    Answering(Head, Writer),
}

/// What comes back once a stream is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nothing: it is one-directional, or nobody wants an answer.
    None,
    /// What was read, as it is read.
    Echo,
    /// So much.
    Bytes(u64),
}

impl Default for Theirs {
    fn default() -> Self {
        Self::New { head: Vec::new(), wanted: true }
    }
}

impl Theirs {
    /// What it belongs to, once that is known.
    pub(super) const fn task(&self) -> Option<u32> {
        match self {
            Self::New { .. } => None,
            Self::Reading(head, ..) | Self::Answering(head, _) => Some(head.task),
        }
    }
}

/// What comes back on a stream: an echo is the same, an answer differs.
pub(super) const fn answer(id: StreamId, part: Part) -> Content {
    match part {
        Part::Echo { .. } => Content::new(id.0),
        Part::Send { .. } | Part::Request { .. } => Content::new(!id.0),
    }
}

impl Player {
    pub(super) fn advance_theirs(
        &mut self,
        now: Time,
        connection: &mut Connection,
        id: StreamId,
    ) -> Result<(), String> {
        if let Some(Theirs::New { .. }) = self.theirs.get(&id) {
            self.begin(connection, id)?;
        }
        if let Some(Theirs::Reading(..)) = self.theirs.get(&id) {
            self.read_theirs(now, connection, id)?;
        }
        if let Some(Theirs::Answering(..)) = self.theirs.get(&id) {
            self.answer(connection, id)?;
        }
        Ok(())
    }

    /// Reads the head.
    fn begin(&mut self, connection: &mut Connection, id: StreamId) -> Result<(), String> {
        let Some(Theirs::New { head: bytes, wanted }) = self.theirs.get_mut(&id) else {
            return Ok(());
        };
        while bytes.len() < Head::LEN {
            let n = match peek(connection, id)? {
                Ok(chunk) => {
                    let n = chunk.len().min(Head::LEN - bytes.len());
                    bytes.extend_from_slice(&chunk[..n]);
                    n
                }
                Err(Heard::All) => return Err(format!("{id:?} ended within its head")),
                Err(Heard::Reset(code)) => return self.cut(connection, id, code),
                Err(_) => return Ok(()),
            };
            connection.consume(id, n);
        }
        let head = Head::decode(bytes).filter(|head| head.part.dir() == id.dir());
        let head = head.ok_or_else(|| format!("{id:?} begins with no head: {bytes:?}"))?;
        if !self.seen.insert((head.task, head.index)) {
            return Err(format!("{id:?} is stream {} of task {} again", head.index, head.task));
        }
        let answer = match head.part {
            Part::Request { answer, .. } if *wanted => Answer::Bytes(answer),
            Part::Echo { .. } if *wanted => Answer::Echo,
            _ => Answer::None,
        };
        let reader = Reader::new(Content::new(id.0), head.part.size());
        self.theirs.insert(id, Theirs::Reading(head, reader, answer));
        Ok(())
    }

    fn read_theirs(
        &mut self,
        now: Time,
        connection: &mut Connection,
        id: StreamId,
    ) -> Result<(), String> {
        let Some(Theirs::Reading(head, reader, answer)) = self.theirs.get_mut(&id) else {
            return Ok(());
        };
        let (head, way) = (*head, *answer);
        let most = self.rhythm.allowance(now);
        let (n, echoed) = if way == Answer::Echo {
            let (n, echoed) = echo(connection, id, most, |bytes| reader.check(id, bytes))?;
            if echoed == Echoed::All && !reader.is_complete() {
                return Err(format!("{id:?} ended before its {} bytes", head.part.size()));
            }
            (n, echoed)
        } else {
            let (n, end) = reader.read(connection, id, most)?;
            (n, end.into())
        };
        self.note_read(now, id, n, echoed == Echoed::Enough);
        match echoed {
            Echoed::Enough | Echoed::Blocked | Echoed::Closed => {}
            Echoed::All => match way {
                Answer::Bytes(size) => {
                    let writer = Writer::new(self::answer(id, head.part), size);
                    self.theirs.insert(id, Theirs::Answering(head, writer));
                }
                Answer::None | Answer::Echo => self.complete(id, head),
            },
            Echoed::Reset(code) => self.cut(connection, id, code)?,
            Echoed::Stopped(code) => {
                self.expect(id, code)?;
                self.unanswered(id);
                self.ready.insert(id);
            }
        }
        Ok(())
    }

    fn answer(&mut self, connection: &mut Connection, id: StreamId) -> Result<(), String> {
        let Some(Theirs::Answering(head, writer)) = self.theirs.get_mut(&id) else { return Ok(()) };
        let head = *head;
        match writer.write(connection, id)? {
            Written::Blocked | Written::Closed => {}
            Written::All => self.complete(id, head),
            Written::Stopped(code) => {
                self.expect(id, code)?;
                self.complete(id, head);
            }
        }
        Ok(())
    }

    /// A stream was read to its end, and all that was to be answered is.
    fn complete(&mut self, id: StreamId, head: Head) {
        self.theirs.remove(&id);
        *self.received.entry(head.task).or_default() += 1;
    }

    /// The peer has reset a stream: nor does it get an answer.
    fn cut(
        &mut self,
        connection: &mut Connection,
        id: StreamId,
        code: AppCode,
    ) -> Result<(), String> {
        self.expect(id, code)?;
        self.theirs.remove(&id);
        if id.dir() == Dir::Bi {
            // It may have stopped that already.
            let _ = connection.reset(id, code);
        }
        Ok(())
    }

    /// Nobody wants the answer to a stream.
    pub(super) fn unanswered(&mut self, id: StreamId) {
        match self.theirs.get_mut(&id) {
            Some(Theirs::Reading(_, _, answer)) => *answer = Answer::None,
            Some(Theirs::Answering(head, _)) => {
                let head = *head;
                self.complete(id, head);
            }
            Some(Theirs::New { wanted, .. }) => *wanted = false,
            None => {}
        }
    }

    pub(super) fn abandon_theirs(
        &mut self,
        connection: &mut Connection,
        id: StreamId,
        how: Abandon,
        code: AppCode,
    ) {
        match how {
            Abandon::Reset if id.dir() == Dir::Bi && connection.reset(id, code).is_ok() => {
                self.unanswered(id);
            }
            Abandon::Stop if connection.stop(id, code).is_ok() => {
                if id.dir() == Dir::Bi {
                    // What cannot be read cannot be answered.
                    let _ = connection.reset(id, code);
                }
                self.theirs.remove(&id);
                self.held.remove(&id);
            }
            Abandon::Reset | Abandon::Stop => {}
        }
    }
}
