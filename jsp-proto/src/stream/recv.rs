//! The receiving part of a stream (RFC 9000, section 3.2).
//!
//! ```text
//!       o
//!       | first frame
//!       v
//!   +-------+ reset
//!   | Recv  |-----------------------.
//!   +-------+                       |
//!       | fin received              |
//!       v                           |
//!   +-------+ reset                 |
//!   | Size  |-----------------------|
//!   | Known |                       |
//!   +-------+                       |
//!       | all data received         |
//!       v                           v
//!   +-------+                 +-----------+
//!   | Data  |                 |   Reset   |
//!   | Recvd |                 |   Recvd   |
//!   +-------+                 +-----------+
//!       | application told          | application told
//!       v                           v
//!   +-------+                 +-----------+
//!   | Data  |                 |   Reset   |
//!   | Read  |                 |   Read    |
//!   +-------+                 +-----------+
//! ```
//!
//! Both last steps wait until the application has *heard* of the end, so that nobody who reads on is
//! told that the stream never was. An application that stopped the stream has heard enough: its
//! data is discarded on arrival, its credit given back, and the part ends with the final size.

use super::pool::RingPool;
use super::ring::{Fragmented, Ring};
use crate::error::{AppCode, Code, TransportError};
use crate::flow::{Exceeded, ReceiveCredit};
use crate::wire::VARINT_MAX;
use crate::wire::frame::{StreamFrame, expand_offset};

/// The states of a receiving part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecvState {
    Recv,
    SizeKnown,
    DataRecvd,
    DataRead,
    ResetRecvd,
    ResetRead,
}

/// What moves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecvStep {
    /// The final size was learnt from the end of the stream.
    Fin,
    /// No byte is missing, or nobody wants those that are.
    Complete,
    /// The peer reset the stream.
    Reset,
    /// The application knows how the stream ended, or does not want to.
    Told,
}

impl RecvState {
    /// Whether nothing more can happen.
    pub(super) const fn is_terminal(self) -> bool {
        matches!(self, Self::DataRead | Self::ResetRead)
    }

    /// The state after `step`; the same, if the step means nothing to it.
    #[must_use]
    const fn after(self, step: RecvStep) -> Self {
        match (self, step) {
            (Self::Recv, RecvStep::Fin) => Self::SizeKnown,
            (Self::SizeKnown, RecvStep::Complete) => Self::DataRecvd,
            (Self::Recv | Self::SizeKnown, RecvStep::Reset) => Self::ResetRecvd,
            (Self::DataRecvd, RecvStep::Told) => Self::DataRead,
            (Self::ResetRecvd, RecvStep::Told) => Self::ResetRead,
            (state, _) => state,
        }
    }
}

/// How a reader finds the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readable {
    /// The next bytes are there.
    Data,
    /// The next byte is missing.
    Blocked,
    /// All bytes were read.
    Finished,
    /// The peer reset the stream.
    Reset(AppCode),
    /// The application stopped the stream, or was told its end before.
    Closed,
}

/// A receiving part.
#[derive(Debug)]
pub(super) struct RecvPart {
    pub(super) state: RecvState,
    pub(super) ring: Ring,
    /// `received` is the highest offset seen.
    pub(super) credit: ReceiveCredit,
    final_size: Option<u64>,
    /// The application asked the peer to stop, with this code.
    pub(super) stopped: Option<AppCode>,
    reset: AppCode,
}

impl RecvPart {
    pub(super) fn new(window: u64, max_window: u64) -> Self {
        Self {
            state: RecvState::Recv,
            ring: Ring::default(),
            credit: ReceiveCredit::new(window, max_window),
            final_size: None,
            stopped: None,
            reset: AppCode(0),
        }
    }

    fn step(&mut self, step: RecvStep) {
        self.state = self.state.after(step);
    }

    /// Whether more data may come that the application wants: only then is credit worth announcing.
    pub(super) fn is_receiving(&self) -> bool {
        self.state == RecvState::Recv && self.stopped.is_none()
    }

    /// A STREAM frame arrived. Returns whether there is news for the reader.
    pub(super) fn on_data(
        &mut self,
        frame: &StreamFrame<'_>,
        connection: &mut ReceiveCredit,
        pool: &mut RingPool,
    ) -> Result<bool, TransportError> {
        // What was stopped is not stored; the highest offset is near enough to tell offsets by.
        let expected =
            if self.stopped.is_some() { self.credit.received() } else { self.ring.ready() };
        let start = expand_offset(frame.offset, expected);
        let end = start + frame.data.len() as u64;
        self.check_size(end, frame.fin)?;
        if !matches!(self.state, RecvState::Recv | RecvState::SizeKnown) {
            return Ok(false);
        }
        self.charge(end, connection)?;
        if frame.fin {
            self.final_size = Some(end);
            self.step(RecvStep::Fin);
        }
        if self.stopped.is_some() {
            self.discard(connection, pool);
            return Ok(false);
        }
        let before = self.ring.ready();
        self.ring.insert(start, frame.data, self.credit.window(), pool).map_err(|Fragmented| {
            TransportError::new(Code::FRAGMENTATION, "stream in too many pieces")
        })?;
        let complete = self.final_size == Some(self.ring.ready());
        if complete {
            self.step(RecvStep::Complete);
        }
        Ok(complete || self.ring.ready() > before)
    }

    /// RESET_STREAM arrived. Returns whether there is news for the reader.
    pub(super) fn on_reset(
        &mut self,
        code: AppCode,
        final_size: u64,
        connection: &mut ReceiveCredit,
        pool: &mut RingPool,
    ) -> Result<bool, TransportError> {
        self.check_size(final_size, true)?;
        let before = self.state;
        self.step(RecvStep::Reset);
        if self.state == before {
            // Everything had arrived already: the application gets it (RFC 9000, section 3.2).
            return Ok(false);
        }
        self.charge(final_size, connection)?;
        self.final_size = Some(final_size);
        self.reset = code;
        self.discard(connection, pool);
        Ok(self.stopped.is_none())
    }

    /// The final size never changes, and nothing lies beyond it (RFC 9000, section 4.5).
    fn check_size(&self, end: u64, is_final: bool) -> Result<(), TransportError> {
        if end > VARINT_MAX {
            return Err(TransportError::new(Code::FRAME_ENCODING, "stream offset beyond 2^62"));
        }
        let valid = match self.final_size {
            Some(size) if is_final => end == size,
            Some(size) => end <= size,
            None => !is_final || end >= self.credit.received(),
        };
        if valid {
            Ok(())
        } else {
            Err(TransportError::new(Code::FINAL_SIZE, "final size changed"))
        }
    }

    /// Counts what lies beyond the highest offset so far against both credits, or changes nothing.
    fn charge(&mut self, end: u64, connection: &mut ReceiveCredit) -> Result<(), TransportError> {
        let new = end.saturating_sub(self.credit.received());
        let flow = |reason| move |Exceeded| TransportError::new(Code::FLOW_CONTROL, reason);
        if !connection.fits(new) {
            return Err(flow("more data than the connection's credit")(Exceeded));
        }
        self.credit.receive(new).map_err(flow("more data than the stream's credit"))?;
        connection.receive(new).map_err(flow("more data than the connection's credit"))
    }

    /// Nobody will read what was received: its credit goes back. If no data can follow, that is the end.
    fn discard(&mut self, connection: &mut ReceiveCredit, pool: &mut RingPool) {
        let unread = self.credit.received() - self.credit.consumed();
        self.credit.consume(unread);
        connection.consume(unread);
        self.ring.clear(pool);
        if self.stopped.is_some() {
            self.step(RecvStep::Complete);
            self.step(RecvStep::Told);
        }
    }

    /// The application wants no more. Returns whether the peer must be asked to stop.
    pub(super) fn stop(
        &mut self,
        code: AppCode,
        connection: &mut ReceiveCredit,
        pool: &mut RingPool,
    ) -> bool {
        let ask = self.is_receiving();
        self.stopped.get_or_insert(code);
        self.discard(connection, pool);
        ask
    }

    /// How a reader finds the stream; the end of it is told once.
    pub(super) fn look(&mut self) -> Readable {
        if self.stopped.is_some() || self.state.is_terminal() {
            return Readable::Closed;
        }
        if self.state == RecvState::ResetRecvd {
            self.step(RecvStep::Told);
            return Readable::Reset(self.reset);
        }
        if !self.ring.readable().is_empty() {
            return Readable::Data;
        }
        if self.state == RecvState::DataRecvd {
            self.step(RecvStep::Told);
            return Readable::Finished;
        }
        Readable::Blocked
    }

    /// The application is done with the next `n` bytes, at most what is there in order.
    pub(super) fn consume(
        &mut self,
        n: usize,
        connection: &mut ReceiveCredit,
        pool: &mut RingPool,
    ) {
        let n = self.ring.consume(n, pool) as u64;
        self.credit.consume(n);
        connection.consume(n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::StreamId;
    use RecvState as S;
    use RecvStep as E;

    #[test]
    fn the_states_are_those_of_rfc_9000_section_3_2() {
        let table = [
            // (from, Fin, Complete, Reset, Told)
            (S::Recv, S::SizeKnown, S::Recv, S::ResetRecvd, S::Recv),
            (S::SizeKnown, S::SizeKnown, S::DataRecvd, S::ResetRecvd, S::SizeKnown),
            (S::DataRecvd, S::DataRecvd, S::DataRecvd, S::DataRecvd, S::DataRead),
            (S::DataRead, S::DataRead, S::DataRead, S::DataRead, S::DataRead),
            (S::ResetRecvd, S::ResetRecvd, S::ResetRecvd, S::ResetRecvd, S::ResetRead),
            (S::ResetRead, S::ResetRead, S::ResetRead, S::ResetRead, S::ResetRead),
        ];
        for (from, fin, complete, reset, told) in table {
            let steps = [E::Fin, E::Complete, E::Reset, E::Told];
            assert_eq!(steps.map(|s| from.after(s)), [fin, complete, reset, told], "{from:?}");
        }
    }

    struct Fixture {
        part: RecvPart,
        connection: ReceiveCredit,
        pool: RingPool,
    }

    impl Fixture {
        fn new() -> Self {
            Self {
                part: RecvPart::new(100, 100),
                connection: ReceiveCredit::new(50, 50),
                pool: RingPool::new(1000),
            }
        }

        fn data(&mut self, offset: u32, data: &[u8], fin: bool) -> Result<bool, Code> {
            let frame = StreamFrame { id: StreamId(0), offset: Some(offset), fin, data };
            let news = self.part.on_data(&frame, &mut self.connection, &mut self.pool);
            news.map_err(|error| error.code)
        }

        fn reset(&mut self, size: u64) -> Result<bool, Code> {
            let news = self.part.on_reset(AppCode(5), size, &mut self.connection, &mut self.pool);
            news.map_err(|error| error.code)
        }
    }

    #[test]
    fn the_end_is_told_once_and_only_after_all_data() {
        let mut f = Fixture::new();
        assert_eq!(f.data(3, b"def", true), Ok(false));
        assert_eq!(f.part.look(), Readable::Blocked);
        assert_eq!(f.data(0, b"abc", false), Ok(true));
        assert_eq!(f.part.look(), Readable::Data);
        f.part.consume(6, &mut f.connection, &mut f.pool);
        assert_eq!(f.part.look(), Readable::Finished);
        assert_eq!(f.part.look(), Readable::Closed);
        assert_eq!(f.connection.consumed(), 6);
    }

    #[test]
    fn the_final_size_cannot_change_or_be_exceeded() {
        let mut f = Fixture::new();
        f.data(0, b"abcdef", false).unwrap();
        assert_eq!(f.data(0, b"ab", true), Err(Code::FINAL_SIZE));
        assert_eq!(f.reset(5), Err(Code::FINAL_SIZE));
        f.data(6, b"gh", true).unwrap();
        assert_eq!(f.data(6, b"ghi", false), Err(Code::FINAL_SIZE));
        assert_eq!(f.data(6, b"g", true), Err(Code::FINAL_SIZE));
        assert_eq!(f.reset(9), Err(Code::FINAL_SIZE));
        assert_eq!(f.reset(8), Ok(false));
    }

    #[test]
    fn both_limits_hold_for_data_and_for_resets() {
        let mut f = Fixture::new();
        assert_eq!(f.data(45, &[0; 6], false), Err(Code::FLOW_CONTROL));
        assert_eq!((f.part.credit.received(), f.connection.received()), (0, 0));
        f.connection = ReceiveCredit::new(1000, 1000);
        assert_eq!(f.data(45, &[0; 56], false), Err(Code::FLOW_CONTROL));
        let mut f = Fixture::new();
        assert_eq!(f.reset(51), Err(Code::FLOW_CONTROL));
    }

    #[test]
    fn a_reset_gives_back_the_credit_of_what_was_and_what_will_never_be_received() {
        let mut f = Fixture::new();
        f.data(0, b"abc", false).unwrap();
        f.data(10, b"k", false).unwrap();
        f.part.consume(2, &mut f.connection, &mut f.pool);
        assert_eq!(f.reset(40), Ok(true));
        assert_eq!((f.connection.received(), f.connection.consumed()), (40, 40));
        assert_eq!(f.data(3, b"late", false), Ok(false));
        assert_eq!(f.part.look(), Readable::Reset(AppCode(5)));
        assert!(f.part.state.is_terminal());
    }

    #[test]
    fn a_stopped_stream_is_credited_and_ends_with_its_final_size() {
        let mut f = Fixture::new();
        f.data(10, b"k", false).unwrap();
        assert!(f.part.stop(AppCode(1), &mut f.connection, &mut f.pool));
        assert_eq!(f.connection.consumed(), 11);
        assert_eq!(f.data(20, b"u", false), Ok(false));
        assert_eq!(f.connection.consumed(), 21);
        assert!(!f.part.state.is_terminal());
        f.data(30, b"", true).unwrap();
        assert!(f.part.state.is_terminal());
        assert_eq!(f.connection.consumed(), 30);
    }

    #[test]
    fn an_offset_beyond_the_largest_integer_is_malformed() {
        let mut f = Fixture::new();
        assert_eq!(f.reset(VARINT_MAX + 1), Err(Code::FRAME_ENCODING));
    }
}
