//! The application's side of streams.

use super::Connection;
use crate::error::AppCode;
use crate::ids::{Dir, StreamId};
use crate::stream::{Chunk, ClosedStream, ReadError, WriteError};
use bytes::Bytes;

impl Connection {
    /// Opens a stream; `None` while the peer allows no more of its kind
    /// ([`StreamEvent::Available`](crate::stream::StreamEvent::Available) tells when it does).
    pub fn open_stream(&mut self, dir: Dir) -> Option<StreamId> {
        if self.is_closed() { None } else { self.streams.open(dir) }
    }

    /// The next stream that the peer opened, in the order of their IDs.
    pub fn accept_stream(&mut self, dir: Dir) -> Option<StreamId> {
        self.streams.accept(dir)
    }

    /// Queues a copy of the front of `data`; returns how many bytes were taken, at least one of a
    /// non-empty slice.
    pub fn write(&mut self, id: StreamId, data: &[u8]) -> Result<usize, WriteError> {
        self.writable()?;
        self.untidy = true;
        self.streams.write(id, data)
    }

    /// Queues the front of `data` without copying it, and advances `data` past what was taken.
    pub fn write_bytes(&mut self, id: StreamId, data: &mut Bytes) -> Result<usize, WriteError> {
        self.writable()?;
        self.untidy = true;
        self.streams.write_bytes(id, data)
    }

    /// Ends the sending part: what was written is delivered, then the peer reads the end.
    pub fn finish(&mut self, id: StreamId) -> Result<(), WriteError> {
        self.writable()?;
        self.streams.finish(id)
    }

    /// Abandons the sending part: what was not delivered may never be.
    pub fn reset(&mut self, id: StreamId, code: AppCode) -> Result<(), ClosedStream> {
        self.streams.reset(id, code.min(AppCode::MAX))
    }

    /// Asks the peer to stop sending; what still arrives is dropped.
    pub fn stop(&mut self, id: StreamId, code: AppCode) -> Result<(), ClosedStream> {
        self.streams.stop(id, code.min(AppCode::MAX))
    }

    /// Lends the bytes that can be read next, without a copy. What arrived can be read after the
    /// connection has ended, too.
    pub fn peek(&mut self, id: StreamId) -> Result<Chunk<'_>, ReadError> {
        self.streams.peek(id)
    }

    /// Gives up the first `n` bytes of what [`Self::peek`] lent, and their credit to the peer.
    pub fn consume(&mut self, id: StreamId, n: usize) {
        self.streams.consume(id, n);
    }

    /// Copies what can be read to `buf`; returns how many bytes, at least one.
    pub fn read(&mut self, id: StreamId, buf: &mut [u8]) -> Result<usize, ReadError> {
        self.streams.read(id, buf)
    }

    fn writable(&self) -> Result<(), WriteError> {
        if self.is_closed() { Err(WriteError::ClosedStream) } else { Ok(()) }
    }
}
