//! What a connection tells its application.

use crate::error::CloseReason;
use crate::handshake::SignRequest;
use crate::planted::{self, Bug};
use crate::stream::StreamEvent;
use alloc::boxed::Box;
use alloc::collections::VecDeque;

/// Something that the application may want to act on.
#[derive(Clone, Debug)]
pub enum Event {
    /// A proof must be signed; answered by
    /// [`Connection::provide_signature`](super::Connection::provide_signature). Nothing else waits
    /// for it: the engine goes on with what it can.
    Sign(SignRequest),
    /// The handshake completed: the peer's identity is verified and data can be sent.
    Connected,
    /// Client: the server, too, has completed the handshake. Server: told with `Connected`.
    Confirmed,
    /// A stream has something to tell.
    Stream(StreamEvent),
    /// The connection ended. Told once, as the last event.
    Closed(CloseReason),
}

/// Events that await the application. Streams keep their own, bounded queue.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// There is one only while something waits: a connection tells three things in its life.
    #[expect(clippy::box_collection, reason = "an empty one takes a quarter of the room")]
    queue: Option<Box<VecDeque<Event>>>,
    closed: bool,
}

impl Events {
    /// Queues an event; nothing follows [`Event::Closed`].
    pub(super) fn push(&mut self, event: Event) {
        if self.closed && !planted::is(Bug::EventAfterClose) {
            return;
        }
        self.closed = matches!(event, Event::Closed(_));
        self.queue.get_or_insert_default().push_back(event);
    }

    /// Whether the last event was taken.
    pub(super) fn is_over(&self) -> bool {
        self.closed && self.queue.is_none()
    }

    /// The next event, unless it is the last one, for which [`Self::pop_closed`] asks.
    pub(super) fn pop(&mut self) -> Option<Event> {
        self.pop_if(|event| !matches!(event, Event::Closed(_)))
    }

    /// The last event, once all before it are gone.
    pub(super) fn pop_closed(&mut self) -> Option<Event> {
        self.pop_if(|event| matches!(event, Event::Closed(_)))
    }

    fn pop_if(&mut self, wanted: impl FnOnce(&mut Event) -> bool) -> Option<Event> {
        let queue = self.queue.as_mut()?;
        let event = queue.pop_front_if(wanted);
        if queue.is_empty() {
            self.queue = None;
        }
        event
    }
}
