//! A connection as an application holds it: for a moment, and alone.

use crate::clock::Clock;
use crate::endpoint::{Lists, Live};
use bytes::Bytes;
use jsp_proto::connection::{Connection, ExportError, Stats};
use jsp_proto::crypto::{CryptoError, Signature};
use jsp_proto::error::AppCode;
use jsp_proto::handshake::{Identity, PeerIdentity};
use jsp_proto::ids::{ConnectionHandle, Dir, Side, StreamId};
use jsp_proto::stream::{ClosedStream, ReadError, WriteError};
use std::fmt;
use std::net::SocketAddr;

/// A connection of an [`Endpoint`](crate::Endpoint). Nothing that is done with it waits, and nothing
/// leaves before [`Endpoint::flush`](crate::Endpoint::flush).
pub struct ConnectionMut<'e> {
    live: &'e mut Live,
    lists: &'e mut Lists,
    clock: Clock,
}

impl<'e> ConnectionMut<'e> {
    pub(crate) fn new(live: &'e mut Live, lists: &'e mut Lists, clock: Clock) -> Self {
        Self { live, lists, clock }
    }

    /// The name of the connection in its endpoint, which no other has that lives at the same time.
    pub fn handle(&self) -> ConnectionHandle {
        self.live.engine.handle()
    }

    /// Opens a stream; `None` while the peer allows no more of its kind
    /// ([`Event::Available`](crate::Event::Available) tells when it does). The peer learns of the stream
    /// with the first data.
    pub fn open(&mut self, dir: Dir) -> Option<StreamId> {
        self.live.engine.open_stream(dir)
    }

    /// The next stream that the peer opened, in the order in which it did.
    pub fn accept(&mut self, dir: Dir) -> Option<StreamId> {
        self.live.engine.accept_stream(dir)
    }

    /// Writes a copy of the front of `data`; returns how many bytes it took, at least one of a
    /// non-empty slice.
    ///
    /// # Errors
    /// [`WriteError::Blocked`] while the buffers or the peer's windows are full:
    /// [`Event::Writable`](crate::Event::Writable) follows.
    pub fn write(&mut self, id: StreamId, data: &[u8]) -> Result<usize, WriteError> {
        self.act(|engine| engine.write(id, data))
    }

    /// Writes the front of `data` without copying it; what was taken is taken off. The memory is free
    /// once the peer has acknowledged it.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_bytes(&mut self, id: StreamId, data: &mut Bytes) -> Result<usize, WriteError> {
        self.act(|engine| engine.write_bytes(id, data))
    }

    /// Ends a stream: what was written is delivered, then the peer reads the end.
    /// [`Event::Finished`](crate::Event::Finished) tells when the peer has all of it.
    pub fn finish(&mut self, id: StreamId) -> Result<(), WriteError> {
        self.act(|engine| engine.finish(id))
    }

    /// Abandons a stream: what has not arrived may never do. The peer learns `code`.
    pub fn reset(&mut self, id: StreamId, code: AppCode) -> Result<(), ClosedStream> {
        self.act(|engine| engine.reset(id, code))
    }

    /// Tells the peer that no more is wanted, for the reason `code`; what is there is dropped.
    pub fn stop(&mut self, id: StreamId, code: AppCode) -> Result<(), ClosedStream> {
        self.act(|engine| engine.stop(id, code))
    }

    /// Copies what is there to `buffer`; returns how many bytes, at least one.
    ///
    /// # Errors
    /// [`ReadError::Blocked`] if nothing is there: [`Event::Readable`](crate::Event::Readable) follows.
    /// [`ReadError::Finished`] at the stream's end.
    pub fn read(&mut self, id: StreamId, buffer: &mut [u8]) -> Result<usize, ReadError> {
        self.take(|engine| engine.read(id, buffer))
    }

    /// Reads without a copy: lends `consume` the bytes that are there, and takes as many of them off
    /// the stream as it returns, which is what this returns, too. There may be more behind them.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn with_chunk(
        &mut self,
        id: StreamId,
        consume: impl FnOnce(&[u8]) -> usize,
    ) -> Result<usize, ReadError> {
        self.take(|engine| {
            let chunk = engine.peek(id)?.data;
            let consumed = consume(chunk).min(chunk.len());
            engine.consume(id, consumed);
            Ok(consumed)
        })
    }

    /// Ends the connection at once, telling the peer `code` and `reason` (cut to 1024 bytes). What
    /// was not acknowledged may be lost.
    pub fn close(&mut self, code: AppCode, reason: &[u8]) {
        let now = self.clock.now();
        self.live.engine.close(now, code, reason);
        self.lists.mark(self.live);
    }

    /// Answers [`Event::SignatureWanted`](crate::Event::SignatureWanted). An error fails the handshake.
    pub fn provide_signature(&mut self, signature: Result<Signature, CryptoError>) {
        let now = self.clock.now();
        self.live.engine.provide_signature(now, signature);
        self.lists.mark(self.live);
    }

    /// Asks the peer for a sign of life, which puts the idle timeout off.
    pub fn ping(&mut self) {
        self.live.engine.ping();
        self.lists.mark_due(self.live);
    }

    /// Moves to new packet keys, as the engine does by itself long before the cipher's limits.
    pub fn update_keys(&mut self) {
        self.live.engine.update_keys();
        self.lists.mark_due(self.live);
    }

    /// Whether the handshake has completed and the connection has not ended.
    pub fn is_established(&self) -> bool {
        self.live.engine.is_established()
    }

    /// What was measured so far.
    pub fn stats(&self) -> Stats {
        self.live.engine.stats()
    }

    /// The peer's identity, which it has proved; `None` for a client that has none.
    pub fn peer_identity(&self) -> Option<PeerIdentity> {
        self.live.engine.peer_identity()
    }

    /// The same, with its public keys: only until the connection has been silent for a second, for they are large.
    pub fn peer_keys(&self) -> Option<&Identity> {
        self.live.engine.peer_keys()
    }

    /// The application protocol that was agreed on, if any was offered.
    pub fn alpn(&self) -> Option<&[u8]> {
        self.live.engine.alpn()
    }

    /// Fills `out` (at most 8160 bytes) with keying material that only the two ends know: both get the
    /// same for the same `label` and `context`.
    pub fn export_keying_material(
        &self,
        label: &[u8],
        context: &[u8],
        out: &mut [u8],
    ) -> Result<(), ExportError> {
        self.live.engine.export_keying_material(label, context, out)
    }

    /// The peer's address.
    pub fn remote_address(&self) -> SocketAddr {
        self.live.engine.remote()
    }

    /// Which end this is.
    pub fn side(&self) -> Side {
        self.live.engine.side()
    }

    /// Reads: credit for the peer may be due, and at a stream's end room for another.
    fn take(
        &mut self,
        f: impl FnOnce(&mut Connection) -> Result<usize, ReadError>,
    ) -> Result<usize, ReadError> {
        let read = f(&mut self.live.engine);
        if read != Err(ReadError::Blocked) {
            self.lists.mark_due(self.live);
        }
        read
    }

    /// Does what may lead to datagrams, if it succeeds.
    fn act<T, E>(&mut self, f: impl FnOnce(&mut Connection) -> Result<T, E>) -> Result<T, E> {
        let result = f(&mut self.live.engine);
        if result.is_ok() {
            self.lists.mark_due(self.live);
        }
        result
    }
}

impl fmt::Debug for ConnectionMut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.live.engine.fmt(f)
    }
}
