//! Bulk data in one direction.

use super::App;
use super::content::Content;
use super::reader::{Heard, Reader};
use super::writer::{Writer, Written};
use jsp_proto::connection::{Connection, Event};
use jsp_proto::error::AppCode;
use jsp_proto::ids::{Dir, StreamId};
use jsp_proto::stream::StreamEvent;
use jsp_proto::time::Time;
use std::collections::{BTreeMap, BTreeSet};

/// Sends streams of bytes as fast as it may, and is done when all are acknowledged.
#[derive(Debug)]
pub struct Source {
    size: u64,
    /// Streams that are not open yet.
    waiting: u64,
    /// Streams that are not wholly written.
    open: BTreeMap<StreamId, Writer>,
    /// Those of them that have room.
    ready: BTreeSet<StreamId>,
    /// Streams that are not wholly acknowledged.
    unfinished: u64,
    connected: bool,
    closing: bool,
}

impl Source {
    /// Sends `size` bytes on each of `streams` one-directional streams.
    pub const fn new(streams: u64, size: u64) -> Self {
        Self {
            size,
            waiting: streams,
            open: BTreeMap::new(),
            ready: BTreeSet::new(),
            unfinished: streams,
            connected: false,
            closing: false,
        }
    }

    /// Closes the connection once all is acknowledged.
    #[must_use]
    pub const fn then_close(mut self) -> Self {
        self.closing = true;
        self
    }

    fn write(&mut self, connection: &mut Connection, id: StreamId) -> Result<(), String> {
        let Some(writer) = self.open.get_mut(&id) else { return Ok(()) };
        match writer.write(connection, id)? {
            Written::Blocked | Written::Closed => Ok(()),
            Written::All => {
                self.open.remove(&id);
                Ok(())
            }
            Written::Stopped(code) => Err(format!("{id:?} was stopped, with {code:?}")),
        }
    }
}

impl App for Source {
    fn on_event(
        &mut self,
        now: Time,
        connection: &mut Connection,
        event: &Event,
    ) -> Result<(), String> {
        match event {
            Event::Connected => self.connected = true,
            Event::Stream(StreamEvent::Writable(id)) => {
                self.ready.insert(*id);
            }
            Event::Stream(StreamEvent::Finished(id)) => {
                if self.open.contains_key(id) || self.unfinished == 0 {
                    return Err(format!("{id:?} was told to be finished, and it is not"));
                }
                self.unfinished -= 1;
                if self.unfinished == 0 && self.closing {
                    connection.close(now, AppCode(0), b"done");
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn poll(&mut self, _: Time, connection: &mut Connection) -> Result<(), String> {
        if !self.connected || connection.is_closed() {
            return Ok(());
        }
        while self.waiting > 0 {
            let Some(id) = connection.open_stream(Dir::Uni) else { break };
            self.waiting -= 1;
            self.open.insert(id, Writer::new(Content::new(id.0), self.size));
            self.ready.insert(id);
        }
        while let Some(id) = self.ready.pop_first() {
            self.write(connection, id)?;
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.unfinished == 0
    }
}

/// Reads what a [`Source`] sends and checks every byte.
#[derive(Debug)]
pub struct Sink {
    size: u64,
    /// Streams of which the end was not read yet.
    unfinished: u64,
    open: BTreeMap<StreamId, Reader>,
    /// Those of them that have data.
    ready: BTreeSet<StreamId>,
    received: u64,
}

impl Sink {
    /// Expects `streams` streams of `size` bytes each.
    pub const fn new(streams: u64, size: u64) -> Self {
        Self {
            size,
            unfinished: streams,
            open: BTreeMap::new(),
            ready: BTreeSet::new(),
            received: 0,
        }
    }

    /// Bytes read so far, all streams together.
    pub const fn received(&self) -> u64 {
        self.received
    }

    fn read(&mut self, connection: &mut Connection, id: StreamId) -> Result<(), String> {
        let Some(reader) = self.open.get_mut(&id) else { return Ok(()) };
        let (n, heard) = reader.read(connection, id, u64::MAX)?;
        self.received += n;
        match heard {
            Heard::Enough | Heard::Blocked | Heard::Closed => Ok(()),
            Heard::All => {
                self.open.remove(&id);
                let rest = self.unfinished.checked_sub(1);
                self.unfinished = rest.ok_or_else(|| format!("{id:?} is one stream too many"))?;
                Ok(())
            }
            Heard::Reset(code) => Err(format!("{id:?} was reset, with {code:?}")),
        }
    }
}

impl App for Sink {
    fn on_event(&mut self, _: Time, _: &mut Connection, event: &Event) -> Result<(), String> {
        if let Event::Stream(StreamEvent::Readable(id)) = event {
            self.ready.insert(*id);
        }
        Ok(())
    }

    fn poll(&mut self, _: Time, connection: &mut Connection) -> Result<(), String> {
        while let Some(id) = connection.accept_stream(Dir::Uni) {
            self.open.insert(id, Reader::new(Content::new(id.0), self.size));
            self.ready.insert(id);
        }
        while let Some(id) = self.ready.pop_first() {
            self.read(connection, id)?;
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.unfinished == 0
    }
}
