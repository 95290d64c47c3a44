//! How connections end (`spec/09-closing.md`; RFC 9000, section 10.2).
//!
//! ```text
//!            close(), fail()              a close frame arrives
//!   open ───────────────────▶ closing ─────────────────────────▶ draining
//!    │  a close frame arrives                                       │
//!    ├──────────────────────────────────────────────────────────────▶
//!    │  silence, stateless reset                     3 PTO          ▼
//!    └──────────────────────────────────────────────────────────▶ drained
//! ```

use super::farewell::Farewell;
use super::{Connection, Event, Phase};
use crate::error::{AppCode, CloseReason, TransportError};
use crate::time::Time;
use crate::wire::frame::{Frame, Frames, MAX_REASON};

impl Connection {
    /// Ends the connection at once. The peer is told `code` (at most [`AppCode::MAX`]) and `reason`
    /// (cut to 1024 bytes); data
    /// that was not acknowledged may be lost, so finish streams and await
    /// [`StreamEvent::Finished`](crate::stream::StreamEvent::Finished) first.
    pub fn close(&mut self, now: Time, code: AppCode, reason: &[u8]) {
        let now = self.clock(now);
        let code = code.min(AppCode::MAX);
        let reason = reason.get(..MAX_REASON).unwrap_or(reason).to_vec();
        let farewell = Farewell::Application { code, reason };
        self.begin_closing(now, farewell, CloseReason::Local { code });
    }

    /// Ends the connection because of a fault.
    #[cold]
    pub(super) fn fail(&mut self, now: Time, error: TransportError) {
        self.begin_closing(now, Farewell::Transport(error), CloseReason::LocalError(error));
    }

    fn begin_closing(&mut self, now: Time, farewell: Farewell, reason: CloseReason) {
        if !self.phase.is_open() {
            return;
        }
        self.phase = Phase::Closing;
        self.close.begin(farewell, now + 3 * self.pto());
        self.events.push(Event::Closed(reason));
    }

    /// The peer has closed: nothing is sent any more.
    pub(super) fn drain(&mut self, now: Time, reason: CloseReason) {
        if matches!(self.phase, Phase::Draining | Phase::Drained) {
            return;
        }
        self.phase = Phase::Draining;
        self.close.drain(now + 3 * self.pto());
        self.events.push(Event::Closed(reason));
    }

    /// The connection is gone without a word.
    pub(super) fn end(&mut self, reason: CloseReason) {
        if self.phase.is_open() {
            self.phase = Phase::Drained;
            self.events.push(Event::Closed(reason));
        }
    }

    /// Answers packets that arrive after the farewell, the first, second, fourth, eighth...
    pub(super) fn on_packet_while_closing(&mut self, now: Time, payload: &[u8]) {
        let closed = Frames::new(payload)
            .map_while(Result::ok)
            .any(|(_, frame)| matches!(frame, Frame::TransportClose(_) | Frame::AppClose(_)));
        if closed {
            // The peer knows; the reason was told already.
            return self.drain(now, CloseReason::Local { code: AppCode(0) });
        }
        self.close.on_packet();
    }
}
