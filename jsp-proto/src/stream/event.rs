//! What streams tell the application, and how calls fail.

use crate::error::AppCode;
use crate::ids::{Dir, StreamId};
use alloc::collections::VecDeque;
use core::fmt;

/// Something that an application may have waited for. An event says that looking is worthwhile: what
/// it announces may already have been found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEvent {
    /// The peer opened one or more streams of a kind; `accept` returns them.
    Opened {
        /// The kind.
        dir: Dir,
    },
    /// There is data, an end or a reset to read.
    Readable(StreamId),
    /// A write that was [`WriteError::Blocked`] can go on.
    Writable(StreamId),
    /// The peer has acknowledged all data of a stream, and its end. The last event about its sending.
    Finished(StreamId),
    /// The peer wants no more data of a stream, which was reset for it.
    Stopped {
        /// The stream.
        id: StreamId,
        /// Why.
        code: AppCode,
    },
    /// A stream of this kind, which `open` could not give, can be opened.
    Available {
        /// The kind.
        dir: Dir,
    },
}

/// Why nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// Not now: [`StreamEvent::Writable`] will follow.
    Blocked,
    /// The stream was finished.
    Finished,
    /// The peer stopped the stream.
    Stopped(AppCode),
    /// There is no such stream, it only receives, it was reset, or it has ended.
    ClosedStream,
}

/// Why nothing was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// Not now: [`StreamEvent::Readable`] will follow.
    Blocked,
    /// Everything was read. Told once; the stream may be gone after that.
    Finished,
    /// The peer reset the stream. Told once; the stream may be gone after that.
    Reset(AppCode),
    /// There is no such stream, it only sends, it was stopped, or its end was told.
    ClosedStream,
}

/// There is no such stream, or not in the direction asked for, or it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedStream;

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked => f.write_str("the stream cannot take data now"),
            Self::Finished => f.write_str("the stream was finished"),
            Self::Stopped(code) => write!(f, "the peer stopped the stream (code {})", code.0),
            Self::ClosedStream => ClosedStream.fmt(f),
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked => f.write_str("the stream has no data now"),
            Self::Finished => f.write_str("the stream ended"),
            Self::Reset(code) => write!(f, "the peer reset the stream (code {})", code.0),
            Self::ClosedStream => ClosedStream.fmt(f),
        }
    }
}

impl fmt::Display for ClosedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such stream, or it has ended")
    }
}

impl core::error::Error for WriteError {}
impl core::error::Error for ReadError {}
impl core::error::Error for ClosedStream {}

impl From<ClosedStream> for WriteError {
    fn from(ClosedStream: ClosedStream) -> Self {
        Self::ClosedStream
    }
}

impl From<ClosedStream> for ReadError {
    fn from(ClosedStream: ClosedStream) -> Self {
        Self::ClosedStream
    }
}

/// Bytes of a stream, lent from where they were received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// At least one byte, in order. There may be more behind them, to be seen once these are consumed.
    pub data: &'a [u8],
}

/// Events in the order in which they came about. Whoever pushes one keeps a flag, so that no event is
/// in the queue twice.
#[derive(Debug, Default)]
pub(super) struct Events {
    queue: VecDeque<StreamEvent>,
}

impl Events {
    /// Queues `event`, unless `queued` says that it waits already.
    pub(super) fn push(&mut self, event: StreamEvent, queued: &mut bool) {
        if !core::mem::replace(queued, true) {
            self.queue.push_back(event);
        }
    }

    /// Gives back the room of events that were taken.
    pub(super) fn shrink(&mut self) {
        self.queue.shrink_to_fit();
    }

    /// The oldest event. Its flag is to be cleared.
    pub(super) fn pop(&mut self) -> Option<StreamEvent> {
        self.queue.pop_front()
    }
}
