//! The table of streams, and what the application does with it. Frames in are in `input.rs`, frames out in
//! `output.rs`.

use super::config::{Limits, StreamConfig};
use super::count::{PeerStreams, Touched};
use super::event::{Chunk, ClosedStream, Events, ReadError, StreamEvent, WriteError};
use super::pool::{ChunkPool, RingPool};
use super::quantum::Quantum;
use super::queue::Queue;
use super::recv::{Readable, RecvPart};
use super::send::SendPart;
use super::state::{Owed, Queued, Stream};
use super::table::Table;
use crate::error::{AppCode, TransportError};
use crate::flow::{ReceiveCredit, SendCredit};
use crate::ids::{Dir, Side, StreamId};
use crate::planted::{self, Bug};
use crate::wire::parameters::Parameters;
use alloc::boxed::Box;
use bytes::Bytes;

/// Streams of one kind that this end opens.
#[derive(Debug)]
pub(super) struct LocalStreams {
    /// Counts streams.
    pub(super) credit: SendCredit,
    /// The application asked for a stream in vain.
    pub(super) waiting: bool,
    /// The application has an event to fetch.
    pub(super) told: bool,
}

/// Counts of what streams did, since the connection began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStats {
    /// Streams that this end opened.
    pub opened: u64,
    /// Streams that the peer opened.
    pub accepted: u64,
    /// Bytes of streams sent, each counted once.
    pub sent: u64,
    /// Bytes of streams sent again.
    pub retransmitted: u64,
    /// Bytes of streams received (or skipped by a reset), each counted once.
    pub received: u64,
}

/// All streams of a connection.
#[derive(Debug)]
pub struct Streams {
    pub(super) side: Side,
    pub(super) limits: Limits,
    pub(super) table: Table,
    pub(super) local: [LocalStreams; 2],
    pub(super) peer: [PeerStreams; 2],
    /// Credit that the peer gives each stream at first: bidirectional ones that this end opens,
    /// bidirectional ones that the peer opens, unidirectional ones.
    first_credit: [u64; 3],
    pub(super) send_credit: SendCredit,
    pub(super) receive_credit: ReceiveCredit,
    /// The stream of the last STREAM frame, until those that arrived with it were taken.
    pub(super) arriving: Option<StreamId>,
    /// Streams that owe control frames.
    pub(super) control: Queue,
    /// Streams with something to send that takes no credit.
    pub(super) urgent: Queue,
    /// Streams with new data to send, within their own credit.
    pub(super) fresh: Queue,
    pub(super) quantum: Quantum,
    /// Streams whose writer waits for room in the send buffer.
    pub(super) waiting: Queue,
    pub(super) events: Events,
    pub(super) rings: RingPool,
    pub(super) chunks: ChunkPool,
    /// Bytes in all send buffers.
    pub(super) buffered: u64,
    /// Those of them that were never sent.
    pub(super) unsent: u64,
    pub(super) retransmitted: u64,
}

impl Streams {
    /// The streams of a connection that has none yet.
    pub fn new(side: Side, config: &StreamConfig) -> Self {
        let config = config.clone().clamped();
        let local = || LocalStreams { credit: SendCredit::new(0), waiting: false, told: false };
        let window = config.connection_window;
        Self {
            side,
            limits: Limits::from(&config),
            table: Table::default(),
            local: [local(), local()],
            peer: config.max_streams.map(PeerStreams::new),
            first_credit: [0; 3],
            send_credit: SendCredit::new(0),
            receive_credit: ReceiveCredit::new(window, config.connection_window_max),
            arriving: None,
            control: Queue::default(),
            urgent: Queue::default(),
            fresh: Queue::default(),
            quantum: Quantum::default(),
            waiting: Queue::default(),
            events: Events::default(),
            rings: RingPool::new(usize::try_from(window).unwrap_or(usize::MAX)),
            chunks: ChunkPool::new(config.send_buffer),
            buffered: 0,
            unsent: 0,
            retransmitted: 0,
        }
    }

    /// Takes the peer's limits. Before that, no stream can be opened and nothing sent.
    pub fn set_peer_parameters(&mut self, parameters: &Parameters) {
        self.first_credit =
            [parameters.stream_bidi_remote, parameters.stream_bidi_local, parameters.stream_uni];
        self.send_credit.raise(parameters.max_data);
        for dir in Dir::ALL {
            self.on_max_streams(dir, parameters.max_streams[dir.index()]);
        }
    }

    /// Opens a stream. `None` if the peer allows no more now; [`StreamEvent::Available`] will follow.
    pub fn open(&mut self, dir: Dir) -> Option<StreamId> {
        let local = &mut self.local[dir.index()];
        let index = local.credit.used();
        if local.credit.spend(1).is_err() {
            local.waiting = true;
            return None;
        }
        let id = StreamId::new(self.side, dir, index);
        self.create(id);
        Some(id)
    }

    /// The next stream that the peer opened, in the order of their IDs.
    pub fn accept(&mut self, dir: Dir) -> Option<StreamId> {
        let peer = &mut self.peer[dir.index()];
        let index = peer.accept()?;
        let id = StreamId::new(self.side.peer(), dir, index);
        if peer.touch(index) == Ok(Touched::New) {
            self.create(id);
        }
        Some(id)
    }

    /// Appends a copy of as much of `data` as can be kept. Returns how many bytes that is: at least one,
    /// unless `data` is empty.
    pub fn write(&mut self, id: StreamId, data: &[u8]) -> Result<usize, WriteError> {
        self.append(id, data.len(), |part, n, pool| {
            part.buffer.write(data.get(..n).unwrap_or(data), pool);
        })
    }

    /// Appends as much of `data` as can be kept, without copying, and takes it off `data`. Returns how
    /// many bytes that is: at least one, unless `data` is empty.
    pub fn write_bytes(&mut self, id: StreamId, data: &mut Bytes) -> Result<usize, WriteError> {
        self.append(id, data.len(), |part, n, pool| {
            part.buffer.write_bytes(data.split_to(n), pool);
        })
    }

    /// Ends the stream behind what was written. [`StreamEvent::Finished`] follows when all of it arrived.
    pub fn finish(&mut self, id: StreamId) -> Result<(), WriteError> {
        let part = self.send_part(id).ok_or(WriteError::ClosedStream)?;
        part.check_open()?;
        part.finish();
        self.refresh(id);
        Ok(())
    }

    /// Ends the sending part abruptly; data that was not acknowledged may be lost. Without effect on a part
    /// that was reset before.
    pub fn reset(&mut self, id: StreamId, code: AppCode) -> Result<(), ClosedStream> {
        let part = self.send_part(id).ok_or(ClosedStream)?;
        if part.state.is_terminal() {
            return Err(ClosedStream);
        }
        self.reset_sending(id, code);
        Ok(())
    }

    /// Asks the peer to send no more. What arrives from now on, or was not read, is discarded.
    pub fn stop(&mut self, id: StreamId, code: AppCode) -> Result<(), ClosedStream> {
        let stream = self.table.get_mut(&id).ok_or(ClosedStream)?;
        let part = stream.recv.as_mut().ok_or(ClosedStream)?;
        if part.stopped.is_some() || part.state.is_terminal() {
            return Err(ClosedStream);
        }
        stream.owed.stop = part.stop(code, &mut self.receive_credit, &mut self.rings);
        stream.owed.credit = false;
        self.refresh(id);
        self.remove_if_ended(id);
        Ok(())
    }

    /// Lends the next bytes of a stream. They stay until they are [consumed](Self::consume).
    pub fn peek(&mut self, id: StreamId) -> Result<Chunk<'_>, ReadError> {
        match self.recv_part(id).map(RecvPart::look) {
            Some(Readable::Data) => {
                let data = self.recv_part(id).map(|part| part.ring.readable());
                data.map(|data| Chunk { data }).ok_or(ReadError::ClosedStream)
            }
            Some(Readable::Blocked) => Err(ReadError::Blocked),
            found => Err(self.on_end_told(id, found)),
        }
    }

    /// A reader is told how a stream has ended, which may be all that it was kept for.
    #[cold]
    fn on_end_told(&mut self, id: StreamId, found: Option<Readable>) -> ReadError {
        self.remove_if_ended(id);
        match found {
            Some(Readable::Finished) => ReadError::Finished,
            Some(Readable::Reset(code)) => ReadError::Reset(code),
            Some(Readable::Data | Readable::Blocked | Readable::Closed) | None => {
                ReadError::ClosedStream
            }
        }
    }

    /// The application is done with the next `n` bytes, at most as many as there are in order; the peer may
    /// send as many more.
    pub fn consume(&mut self, id: StreamId, n: usize) {
        let Some(stream) = self.table.get_mut(&id) else { return };
        let Some(part) = stream.recv.as_mut() else { return };
        part.consume(n, &mut self.receive_credit, &mut self.rings);
        if part.is_receiving() && part.credit.is_due() && !stream.owed.credit {
            stream.owed.credit = true;
            self.refresh(id);
        }
    }

    /// Copies the next bytes of a stream into `buffer` and consumes them. Returns how many: at least one,
    /// unless `buffer` is empty.
    pub fn read(&mut self, id: StreamId, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let Self { table, receive_credit, rings, .. } = self;
        let stream = table.get_mut(&id).ok_or(ReadError::ClosedStream)?;
        let part = stream.recv.as_mut().ok_or(ReadError::ClosedStream)?;
        match part.look() {
            Readable::Data => {}
            Readable::Blocked => return Err(ReadError::Blocked),
            found => return Err(self.on_end_told(id, Some(found))),
        }
        // What is in order lies in at most two pieces. How the stream ends is told by a call of its own.
        let mut read = 0;
        while read < buffer.len() {
            let data = part.ring.readable();
            let n = data.len().min(buffer.len() - read);
            if n == 0 {
                break;
            }
            buffer[read..read + n].copy_from_slice(&data[..n]);
            part.consume(n, receive_credit, rings);
            read += n;
        }
        if part.is_receiving() && part.credit.is_due() && !stream.owed.credit {
            stream.owed.credit = true;
            self.refresh(id);
        }
        Ok(read)
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<StreamEvent> {
        let event = self.events.pop()?;
        match event {
            StreamEvent::Opened { dir } => self.peer[dir.index()].told = false,
            StreamEvent::Available { dir } => self.local[dir.index()].told = false,
            StreamEvent::Readable(id) => {
                if let Some(stream) = self.table.get_mut(&id) {
                    stream.queued.readable = false;
                }
            }
            StreamEvent::Writable(id) => {
                if let Some(stream) = self.table.get_mut(&id) {
                    stream.queued.writable = false;
                }
            }
            StreamEvent::Finished(_) | StreamEvent::Stopped { .. } => {}
        }
        Some(event)
    }

    /// Whether the peer has acknowledged everything that was written, finished or reset.
    pub fn is_flushed(&self) -> bool {
        self.buffered == 0
            && self.table.values().all(|stream| {
                let part = stream.send.as_ref();
                part.is_none_or(|part| part.state.is_terminal() || part.is_open())
            })
    }

    /// Streams that exist: those that have not ended at both ends.
    pub fn count(&self) -> usize {
        self.table.len()
    }

    /// What streams did so far.
    pub fn stats(&self) -> StreamStats {
        let sum = |f: fn(&Self, usize) -> u64| f(self, 0) + f(self, 1);
        StreamStats {
            opened: sum(|s, dir| s.local[dir].credit.used()),
            accepted: sum(|s, dir| s.peer[dir].opened()),
            sent: self.send_credit.used(),
            retransmitted: self.retransmitted,
            received: self.receive_credit.received(),
        }
    }

    /// Bytes of receive buffers that are held at the moment.
    pub fn receive_memory(&self) -> usize {
        self.rings.bytes()
    }

    /// Gives back every buffer that is empty. A connection calls it when it falls quiet; the first packets
    /// after that allocate again.
    pub fn release_memory(&mut self) {
        for stream in self.table.values_mut() {
            if let Some(part) = &mut stream.recv {
                part.ring.shrink(&mut self.rings);
            }
            if let Some(part) = &mut stream.send {
                part.buffer.shrink();
            }
        }
        self.table.shrink();
        for queue in [&mut self.control, &mut self.urgent, &mut self.fresh, &mut self.waiting] {
            queue.shrink();
        }
        self.events.shrink();
        self.rings.shrink();
        self.chunks.shrink();
    }

    // ---- What input and output share ----

    /// Something happens to a stream at the peer's end: its state is made, if this is the first. (If there is
    /// none after that, the stream has ended.)
    pub(super) fn touch(&mut self, id: StreamId) -> Result<(), TransportError> {
        let dir = id.dir().index();
        if id.initiator() == self.side.peer() && self.peer[dir].touch(id.index())? == Touched::New {
            self.create(id);
            let peer = &mut self.peer[dir];
            self.events.push(StreamEvent::Opened { dir: id.dir() }, &mut peer.told);
        }
        Ok(())
    }

    /// Makes the state of a stream.
    fn create(&mut self, id: StreamId) {
        let local = id.initiator() == self.side;
        let [bi_local, bi_peer, uni] = self.first_credit;
        let credit = match (id.dir(), local) {
            (Dir::Bi, true) => bi_local,
            (Dir::Bi, false) => bi_peer,
            (Dir::Uni, _) => uni,
        };
        let sends = id.dir() == Dir::Bi || local;
        let receives = id.dir() == Dir::Bi || !local;
        let Limits { stream_window, stream_window_max, .. } = self.limits;
        let stream = Stream {
            send: sends.then(|| SendPart::new(credit)),
            recv: receives.then(|| RecvPart::new(stream_window.into(), stream_window_max.into())),
            owed: Owed::default(),
            queued: Queued::default(),
        };
        self.table.insert(id, Box::new(stream));
    }

    /// Puts the stream into the queues that it belongs to now, and out of the others.
    pub(super) fn refresh(&mut self, id: StreamId) {
        if let Some(stream) = self.table.get_mut(&id) {
            requeue(id, stream, [&mut self.control, &mut self.urgent, &mut self.fresh]);
        }
    }

    /// Drops the state of a stream whose parts are both terminal.
    pub(super) fn remove_if_ended(&mut self, id: StreamId) {
        let Some(stream) = self.table.get(&id) else { return };
        let sent = stream.send.as_ref().is_none_or(|part| part.state.is_terminal());
        let received = stream.recv.as_ref().is_none_or(|part| part.state.is_terminal());
        if !(sent && received) {
            return;
        }
        let Some(mut stream) = self.table.remove(&id) else { return };
        let queued = &mut stream.queued;
        self.control.set(id, &mut queued.control, false);
        self.urgent.set(id, &mut queued.urgent, false);
        self.fresh.set(id, &mut queued.fresh, false);
        self.waiting.set(id, &mut queued.waiting, false);
        if let Some(part) = &mut stream.recv {
            part.ring.clear(&mut self.rings);
        }
        if id.initiator() != self.side {
            self.peer[id.dir().index()].end();
        }
    }

    /// Resets a sending part, at the wish of either end.
    pub(super) fn reset_sending(&mut self, id: StreamId, code: AppCode) {
        let Some(stream) = self.table.get_mut(&id) else { return };
        let Some(part) = stream.send.as_mut() else { return };
        let unsent = part.unsent();
        if let Some(kept) = part.reset(code, &mut self.chunks) {
            self.buffered -= kept;
            self.unsent -= unsent;
            stream.owed.reset = true;
            self.waiting.set(id, &mut stream.queued.waiting, false);
            self.refresh(id);
            self.wake_writers();
        }
    }

    /// Tells writers that wait for room, once there is enough to be worth a turn.
    pub(super) fn wake_writers(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let enough = u64::from((self.limits.send_backlog / 4).max(1));
        while let Some(id) = self.waiting.front()
            && self.room() >= enough.min(self.capacity())
        {
            let Some(stream) = self.table.get_mut(&id) else { return };
            self.waiting.set(id, &mut stream.queued.waiting, false);
            if let Some(part) = &mut stream.send {
                part.waiting = false;
                self.events.push(StreamEvent::Writable(id), &mut stream.queued.writable);
            }
        }
    }

    /// The peer raised a stream's credit: whoever waits for that is told, or waits for room.
    pub(super) fn on_credit(&mut self, id: StreamId) {
        let room = self.room();
        let Some(stream) = self.table.get_mut(&id) else { return };
        let Some(part) = &mut stream.send else { return };
        if part.waiting && room > 0 {
            part.waiting = false;
            self.waiting.set(id, &mut stream.queued.waiting, false);
            self.events.push(StreamEvent::Writable(id), &mut stream.queued.writable);
        } else if part.waiting {
            self.waiting.set(id, &mut stream.queued.waiting, true);
        }
        self.refresh(id);
    }

    /// Bytes that empty send buffers would take.
    fn capacity(&self) -> u64 {
        self.limits.send_buffer.min(self.limits.send_backlog).into()
    }

    /// Bytes that the send buffers take at the moment.
    fn room(&self) -> u64 {
        let buffer = u64::from(self.limits.send_buffer).saturating_sub(self.buffered);
        let backlog = u64::from(self.limits.send_backlog).saturating_sub(self.unsent);
        if planted::is(Bug::MemoryUnbounded) { backlog } else { buffer.min(backlog) }
    }

    fn send_part(&mut self, id: StreamId) -> Option<&mut SendPart> {
        self.table.get_mut(&id)?.send.as_mut()
    }

    fn recv_part(&mut self, id: StreamId) -> Option<&mut RecvPart> {
        self.table.get_mut(&id)?.recv.as_mut()
    }

    /// Appends as many of `wanted` bytes as a stream takes, by `write`; returns how many.
    fn append(
        &mut self,
        id: StreamId,
        wanted: usize,
        write: impl FnOnce(&mut SendPart, usize, &mut ChunkPool),
    ) -> Result<usize, WriteError> {
        let room = self.room();
        let stream = self.table.get_mut(&id).ok_or(WriteError::ClosedStream)?;
        let part = stream.send.as_mut().ok_or(WriteError::ClosedStream)?;
        part.check_open()?;
        let credit = part.writable();
        let n = wanted.min(usize::try_from(room.min(credit)).unwrap_or(usize::MAX));
        if n == 0 && wanted > 0 {
            part.waiting = true;
            if credit > 0 {
                self.waiting.set(id, &mut stream.queued.waiting, true);
            }
        } else {
            write(part, n, &mut self.chunks);
            self.buffered += n as u64;
            self.unsent += n as u64;
        }
        requeue(id, stream, [&mut self.control, &mut self.urgent, &mut self.fresh]);
        if n == 0 && wanted > 0 { Err(WriteError::Blocked) } else { Ok(n) }
    }
}

/// Puts a stream into the queues that it belongs to now, and out of the others: of those that owe control frames,
/// and that have something to send without and with credit.
pub(super) fn requeue(
    id: StreamId,
    stream: &mut Stream,
    [control, urgent, fresh]: [&mut Queue; 3],
) {
    let queued = &mut stream.queued;
    if let Some(part) = &stream.send {
        stream.owed.blocked = part.waiting && part.credit.unreported_block().is_some();
        urgent.set(id, &mut queued.urgent, part.has_urgent());
        fresh.set(id, &mut queued.fresh, part.has_fresh());
    }
    control.set(id, &mut queued.control, stream.owed != Owed::default());
}
