//! The sending part of a stream (RFC 9000, section 3.1).
//!
//! ```text
//!       o
//!       | open
//!       v
//!   +-------+ reset
//!   | Ready |-----------------------.
//!   +-------+                       |
//!       | data or fin sent          |
//!       v                           |
//!   +-------+ reset                 |
//!   | Send  |-----------------------|
//!   +-------+                       |
//!       | fin sent                  |
//!       v                           v
//!   +-------+ reset           +-----------+
//!   | Data  |---------------->|   Reset   |
//!   | Sent  |                 |   Sent    |
//!   +-------+                 +-----------+
//!       | all acked                 | reset acked
//!       v                           v
//!   +-------+                 +-----------+
//!   | Data  |                 |   Reset   |
//!   | Recvd |                 |   Recvd   |
//!   +-------+                 +-----------+
//! ```

use super::event::WriteError;
use super::pool::ChunkPool;
use super::send_buffer::SendBuffer;
use crate::error::AppCode;
use crate::flow::SendCredit;
use crate::planted::{self, Bug};
use core::ops::Range;

/// The states of a sending part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SendState {
    Ready,
    Send,
    DataSent,
    DataRecvd,
    ResetSent,
    ResetRecvd,
}

/// What moves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SendStep {
    /// A frame with data was sent.
    Data,
    /// A frame with the end of the stream was sent.
    Fin,
    /// The application resets the stream, or the peer asks for it.
    Reset,
    /// All data and the end were acknowledged.
    AllAcked,
    /// The reset was acknowledged.
    ResetAcked,
}

impl SendState {
    /// Whether nothing more can happen.
    pub(super) const fn is_terminal(self) -> bool {
        matches!(self, Self::DataRecvd | Self::ResetRecvd)
    }

    /// The state after `step`; the same, if the step means nothing to it.
    #[must_use]
    const fn after(self, step: SendStep) -> Self {
        match (self, step) {
            (Self::Ready, SendStep::Data) => Self::Send,
            (Self::Ready | Self::Send, SendStep::Fin) => Self::DataSent,
            (Self::Ready | Self::Send | Self::DataSent, SendStep::Reset) => Self::ResetSent,
            (Self::DataSent, SendStep::AllAcked) => Self::DataRecvd,
            (Self::ResetSent, SendStep::ResetAcked) => Self::ResetRecvd,
            (state, _) => state,
        }
    }
}

/// Where the end of the stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fin {
    /// The application may write more.
    Open,
    /// To be sent, or to be sent again.
    Pending,
    InFlight,
    Acked,
}

/// A piece of the stream to send next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The bytes.
    pub(super) range: Range<u64>,
    /// Whether the stream ends behind them.
    pub(super) fin: bool,
    /// Whether they were sent before.
    pub(super) again: bool,
}

/// A sending part.
#[derive(Debug)]
pub(super) struct SendPart {
    pub(super) state: SendState,
    pub(super) credit: SendCredit,
    pub(super) buffer: SendBuffer,
    fin: Fin,
    /// The peer asked for a reset, with this code.
    pub(super) stopped: Option<AppCode>,
    /// The code of the reset that was sent.
    pub(super) reset: AppCode,
    /// The application was told that the stream is blocked and waits for the event.
    pub(super) waiting: bool,
}

impl SendPart {
    pub(super) fn new(credit: u64) -> Self {
        Self {
            state: SendState::Ready,
            credit: SendCredit::new(credit),
            buffer: SendBuffer::default(),
            fin: Fin::Open,
            stopped: None,
            reset: AppCode(0),
            waiting: false,
        }
    }

    fn step(&mut self, step: SendStep) {
        self.state = self.state.after(step);
    }

    /// Whether the application still may write.
    pub(super) fn is_open(&self) -> bool {
        self.fin == Fin::Open && matches!(self.state, SendState::Ready | SendState::Send)
    }

    /// Fails, and tells why, if the application may not write any more.
    pub(super) fn check_open(&self) -> Result<(), WriteError> {
        match self.stopped {
            Some(code) => Err(WriteError::Stopped(code)),
            None if self.is_open() => Ok(()),
            None if self.is_reset() => Err(WriteError::ClosedStream),
            None => Err(WriteError::Finished),
        }
    }

    /// Whether the application ended the stream in order.
    pub(super) fn is_finished(&self) -> bool {
        self.fin != Fin::Open
    }

    /// Bytes of credit that were not yet written against.
    pub(super) fn writable(&self) -> u64 {
        self.credit.limit().saturating_sub(self.buffer.end())
    }

    /// Bytes written and never sent.
    pub(super) fn unsent(&self) -> u64 {
        self.buffer.end() - self.buffer.unsent()
    }

    /// The application ends the stream.
    pub(super) fn finish(&mut self) {
        self.fin = Fin::Pending;
    }

    /// What is to be sent that takes no credit: lost data, or the end of the stream alone.
    pub(super) fn urgent(&self) -> Option<Piece> {
        let finished = self.is_finished() && !planted::is(Bug::FinLost);
        if let Some(range) = self.buffer.lost() {
            return Some(Piece {
                fin: finished && range.end == self.buffer.end(),
                range,
                again: true,
            });
        }
        let end = self.buffer.end();
        let bare = self.fin == Fin::Pending && self.unsent() == 0 && !self.is_reset();
        bare.then_some(Piece { range: end..end, fin: true, again: false })
    }

    /// Whether there is anything [urgent](Self::urgent).
    pub(super) fn has_urgent(&self) -> bool {
        self.buffer.has_lost() || self.fin == Fin::Pending && self.unsent() == 0 && !self.is_reset()
    }

    /// Whether there is anything [fresh](Self::fresh).
    pub(super) fn has_fresh(&self) -> bool {
        self.unsent() > 0 && self.credit.available() > 0
    }

    /// What is to be sent for the first time, within the stream's credit.
    pub(super) fn fresh(&self) -> Option<Piece> {
        let start = self.buffer.unsent();
        let end = self.buffer.end().min(start + self.credit.available());
        let fin = self.is_finished() && end == self.buffer.end();
        (start < end).then_some(Piece { range: start..end, fin, again: false })
    }

    /// `piece`, or the front of what `urgent` or `fresh` gave, is being sent.
    pub(super) fn on_sent(&mut self, piece: &Piece) {
        let n = piece.range.end - piece.range.start;
        if piece.again {
            self.buffer.resent(&piece.range);
        } else {
            self.buffer.sent(n);
            let spent = self.credit.spend(n);
            debug_assert!(spent.is_ok());
        }
        self.step(SendStep::Data);
        if piece.fin {
            if self.fin == Fin::Pending {
                self.fin = Fin::InFlight;
            }
            self.step(SendStep::Fin);
        }
    }

    /// A frame arrived. Returns how many bytes need no longer be kept.
    pub(super) fn on_acked(&mut self, range: Range<u64>, fin: bool, pool: &mut ChunkPool) -> u64 {
        if self.is_reset() {
            return 0;
        }
        let freed = self.buffer.acked(range, pool);
        if fin {
            self.fin = Fin::Acked;
        }
        if self.fin == Fin::Acked && self.buffer.is_empty() {
            self.step(SendStep::AllAcked);
        }
        freed
    }

    /// A frame was lost.
    pub(super) fn on_lost(&mut self, range: Range<u64>, fin: bool) {
        if self.is_reset() {
            return;
        }
        self.buffer.mark_lost(range);
        if fin && self.fin == Fin::InFlight && !planted::is(Bug::FinLost) {
            self.fin = Fin::Pending;
        }
    }

    /// Whether the stream was reset.
    pub(super) const fn is_reset(&self) -> bool {
        matches!(self.state, SendState::ResetSent | SendState::ResetRecvd)
    }

    /// Ends the stream abruptly. Returns how many bytes need no longer be kept, or `None` if the
    /// stream had already ended.
    pub(super) fn reset(&mut self, code: AppCode, pool: &mut ChunkPool) -> Option<u64> {
        let before = self.state;
        self.step(SendStep::Reset);
        if self.state == before {
            return None;
        }
        self.reset = code;
        self.waiting = false;
        Some(self.buffer.clear(pool))
    }

    /// RESET_STREAM arrived.
    pub(super) fn on_reset_acked(&mut self) {
        self.step(SendStep::ResetAcked);
    }

    /// How many bytes the stream had in all, once it was reset.
    pub(super) fn final_size(&self) -> u64 {
        self.buffer.unsent()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SendState as S;
    use SendStep as E;

    #[test]
    fn the_states_are_those_of_rfc_9000_section_3_1() {
        let table = [
            // (from, Data, Fin, Reset, AllAcked, ResetAcked)
            (S::Ready, S::Send, S::DataSent, S::ResetSent, S::Ready, S::Ready),
            (S::Send, S::Send, S::DataSent, S::ResetSent, S::Send, S::Send),
            (S::DataSent, S::DataSent, S::DataSent, S::ResetSent, S::DataRecvd, S::DataSent),
            (S::DataRecvd, S::DataRecvd, S::DataRecvd, S::DataRecvd, S::DataRecvd, S::DataRecvd),
            (S::ResetSent, S::ResetSent, S::ResetSent, S::ResetSent, S::ResetSent, S::ResetRecvd),
            (
                S::ResetRecvd,
                S::ResetRecvd,
                S::ResetRecvd,
                S::ResetRecvd,
                S::ResetRecvd,
                S::ResetRecvd,
            ),
        ];
        for (from, data, fin, reset, all, acked) in table {
            let steps = [E::Data, E::Fin, E::Reset, E::AllAcked, E::ResetAcked];
            assert_eq!(
                steps.map(|step| from.after(step)),
                [data, fin, reset, all, acked],
                "{from:?}"
            );
        }
    }

    fn sent(part: &mut SendPart) -> Piece {
        let piece = part.urgent().or_else(|| part.fresh()).unwrap();
        part.on_sent(&piece);
        piece
    }

    #[test]
    fn a_fin_travels_with_the_last_byte_and_alone_when_it_comes_later() {
        let mut pool = ChunkPool::new(0);
        let mut part = SendPart::new(100);
        part.buffer.write(b"abc", &mut pool);
        assert_eq!(sent(&mut part), Piece { range: 0..3, fin: false, again: false });
        part.finish();
        assert_eq!(sent(&mut part), Piece { range: 3..3, fin: true, again: false });
        assert_eq!((part.urgent(), part.fresh()), (None, None));
        part.on_lost(3..3, true);
        assert_eq!(sent(&mut part), Piece { range: 3..3, fin: true, again: false });
        part.on_acked(3..3, true, &mut pool);
        assert_eq!(part.state, SendState::DataSent);
        part.on_lost(0..3, false);
        assert_eq!(sent(&mut part), Piece { range: 0..3, fin: true, again: true });
        assert_eq!(part.on_acked(0..3, true, &mut pool), 3);
        assert_eq!(part.state, SendState::DataRecvd);
    }

    #[test]
    fn a_fin_waits_for_the_credit_of_the_bytes_before_it() {
        let mut pool = ChunkPool::new(0);
        let mut part = SendPart::new(2);
        part.buffer.write(b"abc", &mut pool);
        part.finish();
        assert_eq!(sent(&mut part), Piece { range: 0..2, fin: false, again: false });
        assert_eq!((part.urgent(), part.fresh()), (None, None));
        part.credit.raise(3);
        assert_eq!(sent(&mut part), Piece { range: 2..3, fin: true, again: false });
    }

    #[test]
    fn a_reset_keeps_the_final_size_and_drops_the_data() {
        let mut pool = ChunkPool::new(0);
        let mut part = SendPart::new(2);
        part.buffer.write(b"abc", &mut pool);
        sent(&mut part);
        part.finish();
        assert_eq!(part.reset(AppCode(9), &mut pool), Some(3));
        assert_eq!(part.reset(AppCode(8), &mut pool), None);
        assert_eq!((part.final_size(), part.reset), (2, AppCode(9)));
        part.on_lost(0..2, false);
        assert_eq!((part.urgent(), part.fresh()), (None, None));
        part.on_reset_acked();
        assert!(part.state.is_terminal());
    }
}
