//! What is known of one stream.

use super::queue::Place;
use super::recv::RecvPart;
use super::send::SendPart;

/// A stream's parts; a part that does not exist is terminal from the start.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) send: Option<SendPart>,
    pub(super) recv: Option<RecvPart>,
    pub(super) owed: Owed,
    pub(super) queued: Queued,
}

/// Control frames that a stream owes the peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a frame type, owed or not")]
pub(super) struct Owed {
    pub(super) reset: bool,
    pub(super) stop: bool,
    pub(super) credit: bool,
    pub(super) blocked: bool,
}

/// Queues that a stream is in, and where; and events that the application has to fetch.
#[derive(Debug, Default)]
pub(super) struct Queued {
    pub(super) control: Place,
    pub(super) urgent: Place,
    pub(super) fresh: Place,
    pub(super) waiting: Place,
    pub(super) readable: bool,
    pub(super) writable: bool,
}
