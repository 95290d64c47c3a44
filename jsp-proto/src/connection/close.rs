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

use super::{Connection, Event, Phase};
use crate::error::{AppCode, CloseReason, Code, TransportError};
use crate::ids::Space;
use crate::time::Time;
use crate::wire::frame::{AppCloseFrame, Frame, Frames, MAX_REASON, TransportCloseFrame};
use alloc::vec::Vec;

/// What a closing connection says.
#[derive(Debug)]
enum Farewell {
    Application { code: AppCode, reason: Vec<u8> },
    Transport(TransportError),
}

/// The state of an ending connection; empty while it is open.
#[derive(Debug, Default)]
pub(super) struct Close {
    farewell: Option<Farewell>,
    /// Whether the farewell is to be sent (again).
    pub(super) owed: bool,
    /// When everything is forgotten.
    until: Option<Time>,
    /// Packets received since; the farewell answers them ever more rarely.
    received: u32,
}

impl Close {
    /// When everything is forgotten.
    pub(super) const fn until(&self) -> Option<Time> {
        self.until
    }

    /// The frame to send in `space`. An application's words wait for the handshake: before, they
    /// could be read by anybody.
    pub(super) fn frame(&self, space: Space) -> Option<Frame<'_>> {
        Some(match self.farewell.as_ref()? {
            Farewell::Application { code, reason } if space == Space::Data => {
                Frame::AppClose(AppCloseFrame { code: *code, reason })
            }
            Farewell::Application { .. } => Frame::TransportClose(TransportCloseFrame {
                code: Code::NO_ERROR,
                frame: 0,
                reason: b"closed during the handshake",
            }),
            Farewell::Transport(error) => Frame::TransportClose(TransportCloseFrame {
                code: error.code,
                frame: error.frame,
                reason: error.reason.as_bytes(),
            }),
        })
    }
}

impl Connection {
    /// Ends the connection at once. The peer is told `code` and `reason` (cut to 1024 bytes); data
    /// that was not acknowledged may be lost, so finish streams and await
    /// [`StreamEvent::Finished`](crate::stream::StreamEvent::Finished) first.
    pub fn close(&mut self, now: Time, code: AppCode, reason: &[u8]) {
        let now = self.clock(now);
        let reason = reason.get(..MAX_REASON).unwrap_or(reason).to_vec();
        let farewell = Farewell::Application { code, reason };
        self.begin_closing(now, farewell, CloseReason::Local { code });
    }

    /// Ends the connection because of a fault.
    pub(super) fn fail(&mut self, now: Time, error: TransportError) {
        self.begin_closing(now, Farewell::Transport(error), CloseReason::LocalError(error));
    }

    fn begin_closing(&mut self, now: Time, farewell: Farewell, reason: CloseReason) {
        if !self.phase.is_open() {
            return;
        }
        self.phase = Phase::Closing;
        self.close.farewell = Some(farewell);
        self.close.owed = true;
        self.close.until = Some(now + 3 * self.pto());
        self.events.push(Event::Closed(reason));
    }

    /// The peer has closed: nothing is sent any more.
    pub(super) fn drain(&mut self, now: Time, reason: CloseReason) {
        if matches!(self.phase, Phase::Draining | Phase::Drained) {
            return;
        }
        self.phase = Phase::Draining;
        self.close.owed = false;
        self.close.until = self.close.until.or(Some(now + 3 * self.pto()));
        self.events.push(Event::Closed(reason));
    }

    /// The connection is gone without a word.
    pub(super) fn end(&mut self, _now: Time, reason: CloseReason) {
        if self.phase.is_open() {
            self.phase = Phase::Drained;
            self.events.push(Event::Closed(reason));
        }
    }

    /// Answers packets that arrive after the farewell, the first, second, fourth, eighth...
    pub(super) fn on_packet_while_closing(
        &mut self,
        now: Time,
        _space: Space,
        payload: &[u8],
    ) -> Result<(), TransportError> {
        let closed = Frames::new(payload)
            .map_while(Result::ok)
            .any(|(_, frame)| matches!(frame, Frame::TransportClose(_) | Frame::AppClose(_)));
        if closed {
            // The peer knows; the reason was told already.
            self.drain(now, CloseReason::Local { code: AppCode(0) });
            return Ok(());
        }
        self.close.received = self.close.received.saturating_add(1);
        self.close.owed |= self.close.received.is_power_of_two();
        Ok(())
    }
}
