//! Bulk data in one direction.

use super::App;
use super::content::Content;
use jsp_proto::connection::{Connection, Event};
use jsp_proto::ids::{Dir, StreamId};
use jsp_proto::stream::{ReadError, StreamEvent, WriteError};
use jsp_proto::time::Time;
use std::collections::BTreeMap;

/// How much is written at once.
const CHUNK: usize = 16 * 1024;

/// Sends streams of bytes as fast as it may, and is done when all are acknowledged.
#[derive(Debug)]
pub struct Source {
    size: u64,
    /// Streams that are not open yet.
    waiting: u64,
    /// Streams that are not wholly written, and how far they are.
    open: BTreeMap<StreamId, Outgoing>,
    /// Streams that are not wholly acknowledged.
    unfinished: u64,
    connected: bool,
    closing: bool,
}

#[derive(Debug, Default)]
struct Outgoing {
    position: u64,
    blocked: bool,
}

impl Source {
    /// Sends `size` bytes on each of `streams` one-directional streams.
    pub const fn new(streams: u64, size: u64) -> Self {
        Self {
            size,
            waiting: streams,
            open: BTreeMap::new(),
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
        let Some(stream) = self.open.get_mut(&id) else { return Ok(()) };
        let mut chunk = [0; CHUNK];
        while !stream.blocked && stream.position < self.size {
            let n = CHUNK.min(usize::try_from(self.size - stream.position).unwrap_or(CHUNK));
            Content::new(id.0).fill(stream.position, &mut chunk[..n]);
            match connection.write(id, &chunk[..n]) {
                Ok(0) => return Err(format!("{id:?} took no byte of {n} and did not say why")),
                Ok(taken) => stream.position += taken as u64,
                Err(WriteError::Blocked) => stream.blocked = true,
                Err(_) if connection.is_closed() => return Ok(()),
                Err(error) => return Err(format!("writing {id:?} failed: {error:?}")),
            }
        }
        if stream.position == self.size {
            connection.finish(id).map_err(|error| format!("finishing {id:?} failed: {error:?}"))?;
            self.open.remove(&id);
        }
        Ok(())
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
                if let Some(stream) = self.open.get_mut(id) {
                    stream.blocked = false;
                }
            }
            Event::Stream(StreamEvent::Finished(id)) => {
                if self.open.contains_key(id) || self.unfinished == 0 {
                    return Err(format!("{id:?} was told to be finished, and it is not"));
                }
                self.unfinished -= 1;
                if self.unfinished == 0 && self.closing {
                    connection.close(now, jsp_proto::error::AppCode(0), b"done");
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
            self.open.insert(id, Outgoing::default());
        }
        let ready: Vec<_> =
            self.open.iter().filter(|(_, stream)| !stream.blocked).map(|(id, _)| *id).collect();
        ready.into_iter().try_for_each(|id| self.write(connection, id))
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
    open: BTreeMap<StreamId, Incoming>,
    received: u64,
}

#[derive(Debug)]
struct Incoming {
    position: u64,
    readable: bool,
}

impl Sink {
    /// Expects `streams` streams of `size` bytes each.
    pub const fn new(streams: u64, size: u64) -> Self {
        Self { size, unfinished: streams, open: BTreeMap::new(), received: 0 }
    }

    /// Bytes that arrived in order.
    pub const fn received(&self) -> u64 {
        self.received
    }

    fn read(&mut self, connection: &mut Connection, id: StreamId) -> Result<(), String> {
        let Some(stream) = self.open.get_mut(&id) else { return Ok(()) };
        loop {
            let closed = connection.is_closed();
            let n = match connection.peek(id) {
                Ok(chunk) => {
                    Content::new(id.0)
                        .check(stream.position, chunk.data)
                        .map_err(|at| format!("{id:?} has a wrong byte at {at}"))?;
                    chunk.data.len()
                }
                Err(ReadError::Blocked) => {
                    stream.readable = false;
                    return Ok(());
                }
                Err(ReadError::Finished) if stream.position == self.size => {
                    self.open.remove(&id);
                    self.unfinished = self
                        .unfinished
                        .checked_sub(1)
                        .ok_or_else(|| format!("{id:?} is one stream too many"))?;
                    return Ok(());
                }
                Err(_) if closed => return Ok(()),
                Err(error) => {
                    return Err(format!("{id:?} ended at {}: {error:?}", stream.position));
                }
            };
            if n == 0 {
                return Err(format!("{id:?} lent no bytes and did not say why"));
            }
            connection.consume(id, n);
            stream.position += n as u64;
            self.received += n as u64;
        }
    }
}

impl App for Sink {
    fn on_event(&mut self, _: Time, _: &mut Connection, event: &Event) -> Result<(), String> {
        if let Event::Stream(StreamEvent::Readable(id)) = event
            && let Some(stream) = self.open.get_mut(id)
        {
            stream.readable = true;
        }
        Ok(())
    }

    fn poll(&mut self, _: Time, connection: &mut Connection) -> Result<(), String> {
        while let Some(id) = connection.accept_stream(Dir::Uni) {
            self.open.insert(id, Incoming { position: 0, readable: true });
        }
        let ready: Vec<_> =
            self.open.iter().filter(|(_, stream)| stream.readable).map(|(id, _)| *id).collect();
        ready.into_iter().try_for_each(|id| self.read(connection, id))
    }

    fn is_done(&self) -> bool {
        self.unfinished == 0
    }
}
