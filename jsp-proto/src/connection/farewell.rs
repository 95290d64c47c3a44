//! What an ending connection says, and how often.

use crate::error::{AppCode, Code, TransportError};
use crate::ids::Space;
use crate::time::Time;
use crate::wire::frame::{AppCloseFrame, Frame, TransportCloseFrame};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// What a closing connection says.
#[derive(Debug)]
pub(super) enum Farewell {
    Application { code: AppCode, reason: Vec<u8> },
    Transport(TransportError),
}

/// The state of an ending connection; empty while it is open.
#[derive(Debug, Default)]
pub(super) struct Close {
    farewell: Option<Box<Farewell>>,
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

    /// Says `farewell`, and remembers it until `until`.
    pub(super) fn begin(&mut self, farewell: Farewell, until: Time) {
        self.farewell = Some(Box::new(farewell));
        self.owed = true;
        self.until = Some(until);
    }

    /// Says nothing more; what is not remembered yet is remembered until `until`.
    pub(super) fn drain(&mut self, until: Time) {
        self.owed = false;
        self.until.get_or_insert(until);
    }

    /// A packet arrived after the farewell: the first, second, fourth, eighth... is answered.
    pub(super) fn on_packet(&mut self) {
        self.received = self.received.saturating_add(1);
        self.owed |= self.received.is_power_of_two();
    }

    /// The frame to send in `space`. An application's words wait for the handshake: before, they
    /// could be read by anybody.
    pub(super) fn frame(&self, space: Space) -> Option<Frame<'_>> {
        Some(match self.farewell.as_deref()? {
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
