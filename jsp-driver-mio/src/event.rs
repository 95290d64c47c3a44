//! What an endpoint tells its application.

use jsp_proto::error::{AppCode, CloseReason};
use jsp_proto::handshake::SignRequest;
use jsp_proto::ids::{Dir, StreamId};
use jsp_proto::stream::StreamEvent;

/// Something that the application may want to act on. An event says that looking is worthwhile: what
/// it announces may already have been found.
#[derive(Clone, Debug)]
pub enum Event {
    /// A proof must be signed elsewhere, as the identity's signer is not
    /// [`SignWith::Inline`](crate::SignWith::Inline). Answered, in its own time, by
    /// [`ConnectionMut::provide_signature`](crate::ConnectionMut::provide_signature).
    SignatureWanted(SignRequest),
    /// The handshake has completed: the peer's identity is verified, and data can be sent.
    Connected,
    /// The peer opened one or more streams of a kind:
    /// [`ConnectionMut::accept`](crate::ConnectionMut::accept) returns them.
    Opened {
        /// The kind.
        dir: Dir,
    },
    /// There is data, an end or a reset to read.
    Readable(StreamId),
    /// A write that was blocked can go on.
    Writable(StreamId),
    /// The peer has acknowledged all of a stream, its end included. The last event about its sending.
    Finished(StreamId),
    /// The peer wants no more of a stream, which was reset for it.
    Stopped {
        /// The stream.
        id: StreamId,
        /// Why.
        code: AppCode,
    },
    /// A stream of this kind, which [`ConnectionMut::open`](crate::ConnectionMut::open) could not
    /// give, can be opened.
    Available {
        /// The kind.
        dir: Dir,
    },
    /// The connection has ended: its last event. What arrived before can still be read, until the
    /// endpoint's next [`flush`](crate::Endpoint::flush).
    Closed(CloseReason),
}

impl From<StreamEvent> for Event {
    fn from(event: StreamEvent) -> Self {
        match event {
            StreamEvent::Opened { dir } => Self::Opened { dir },
            StreamEvent::Readable(id) => Self::Readable(id),
            StreamEvent::Writable(id) => Self::Writable(id),
            StreamEvent::Finished(id) => Self::Finished(id),
            StreamEvent::Stopped { id, code } => Self::Stopped { id, code },
            StreamEvent::Available { dir } => Self::Available { dir },
        }
    }
}
