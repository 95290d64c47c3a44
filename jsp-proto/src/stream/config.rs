//! What a connection's streams may take.

use crate::ids::StreamId;
use crate::wire::VARINT_MAX;
use crate::wire::frame::MAX_WINDOW;
use crate::wire::parameters::Parameters;

/// Limits of a connection's streams. All sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamConfig {
    /// Streams of each kind, by [`Dir::index`](crate::ids::Dir::index), that the peer may have open at once.
    ///
    /// Default: 100 of each, as most QUIC servers: enough for requests in parallel, and few enough
    /// that their states (about 500 bytes each) are nothing.
    pub max_streams: [u64; 2],
    /// The receive window that each stream starts with, at most [`MAX_WINDOW`].
    ///
    /// Default: 256 KiB. It lets the first round trips of a slow start pass unhindered.
    pub stream_window: u64,
    /// What a stream's window may grow to, at most [`MAX_WINDOW`].
    ///
    /// Default: 16 MiB: 1.3 Gbit/s over a round trip of 100 ms.
    pub stream_window_max: u64,
    /// The receive window that all streams share at the start.
    ///
    /// Default: 1 MiB, so that one stream that nobody reads does not stop the others.
    pub connection_window: u64,
    /// What the shared window may grow to. It is what a peer can make this end store.
    ///
    /// Default: 24 MiB, half as much again as one stream's.
    pub connection_window_max: u64,
    /// Data of all streams that is kept for sending, acknowledgements outstanding included; at most
    /// [`MAX_WINDOW`].
    ///
    /// Default: 16 MiB, what a peer with the default windows may leave unacknowledged.
    pub send_buffer: usize,
    /// Data of all streams that is kept before it is first sent.
    ///
    /// Default: 1 MiB: enough that a sender never waits for the application between two of its
    /// turns, and little enough that memory follows what the network takes.
    pub send_backlog: usize,
}

/// Of these limits, those that a connection's streams look at again and again. None is larger than
/// [`MAX_WINDOW`], and a connection that rests keeps them, too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) stream_window: u32,
    pub(super) stream_window_max: u32,
    pub(super) send_buffer: u32,
    pub(super) send_backlog: u32,
}

impl From<&StreamConfig> for Limits {
    fn from(config: &StreamConfig) -> Self {
        let bounded = |bytes: u64| bytes.min(MAX_WINDOW) as u32;
        Self {
            stream_window: bounded(config.stream_window),
            stream_window_max: bounded(config.stream_window_max),
            send_buffer: bounded(config.send_buffer as u64),
            send_backlog: bounded(config.send_backlog as u64),
        }
    }
}

impl Default for StreamConfig {
    fn default() -> Self {
        Self {
            max_streams: [100; 2],
            stream_window: 256 << 10,
            stream_window_max: 16 << 20,
            connection_window: 1 << 20,
            connection_window_max: 24 << 20,
            send_buffer: 16 << 20,
            send_backlog: 1 << 20,
        }
    }
}

impl StreamConfig {
    /// The same limits, each within what the protocol can express.
    #[must_use]
    pub fn clamped(self) -> Self {
        Self {
            max_streams: self.max_streams.map(|n| n.min(StreamId::MAX_COUNT)),
            stream_window: self.stream_window.min(MAX_WINDOW),
            stream_window_max: self.stream_window_max.min(MAX_WINDOW),
            connection_window: self.connection_window.min(VARINT_MAX),
            connection_window_max: self.connection_window_max.min(VARINT_MAX),
            // A frame's offset can be told from its low 32 bits only as long as no more than this is
            // unacknowledged (`spec/03-frames.md`, "Why 32 bits of an offset suffice").
            send_buffer: self.send_buffer.min(MAX_WINDOW as usize),
            ..self
        }
    }

    /// Writes what the peer must know of these limits into this end's parameters.
    pub fn announce(&self, parameters: &mut Parameters) {
        let limits = self.clone().clamped();
        parameters.max_data = limits.connection_window;
        parameters.stream_bidi_local = limits.stream_window;
        parameters.stream_bidi_remote = limits.stream_window;
        parameters.stream_uni = limits.stream_window;
        parameters.max_streams = limits.max_streams;
    }
}
