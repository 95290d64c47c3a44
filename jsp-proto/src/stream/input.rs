//! Frames in. Each names a stream that must be one that the peer may speak of; what is wrong closes the
//! connection, what is late means nothing.

use super::event::StreamEvent;
use super::pool::RingPool;
use super::recv::RecvPart;
use super::streams::Streams;
use crate::error::{AppCode, Code, TransportError};
use crate::flow::{ReceiveCredit, two_round_trips_ago};
use crate::ids::{Dir, StreamId};
use crate::time::{Duration, Time};
use crate::wire::frame::StreamFrame;

impl Streams {
    /// STREAM. `rtt` is the path's smoothed round-trip time. [`Self::settle`] follows, once for all frames that
    /// arrived together.
    pub fn on_stream(
        &mut self,
        now: Time,
        rtt: Duration,
        frame: &StreamFrame<'_>,
    ) -> Result<(), TransportError> {
        let id = frame.id;
        if self.arriving != Some(id) {
            self.settle();
        }
        let Some(stream) = self.table.get_mut(&id) else { return self.on_unknown(now, rtt, frame) };
        let Some(part) = stream.recv.as_mut() else { return self.check_receives(id) };
        if self.arriving.replace(id).is_none() {
            // Of frames that arrive at one time the first measures as well as each.
            tune(now, rtt, part, &mut self.receive_credit, &mut self.rings);
        }
        if part.on_data(frame, &mut self.receive_credit, &mut self.rings)? {
            self.events.push(StreamEvent::Readable(id), &mut stream.queued.readable);
        }
        Ok(())
    }

    /// STREAM of a stream that has no state: a new one, or one that has ended.
    #[cold]
    fn on_unknown(
        &mut self,
        now: Time,
        rtt: Duration,
        frame: &StreamFrame<'_>,
    ) -> Result<(), TransportError> {
        self.check_receives(frame.id)?;
        self.touch(frame.id)?;
        let is_new = self.table.get(&frame.id).is_some();
        if is_new { self.on_stream(now, rtt, frame) } else { Ok(()) }
    }

    /// All frames that arrived together were taken: what they mean for the last of their streams is seen to.
    pub fn settle(&mut self) {
        let Some(id) = self.arriving.take() else { return };
        let Some(stream) = self.table.get_mut(&id) else { return };
        let Some(part) = stream.recv.as_mut() else { return };
        let owed = part.is_receiving() && (stream.owed.credit || part.credit.is_due());
        let ended = part.state.is_terminal();
        if owed != stream.owed.credit || (stream.owed.stop && ended) {
            stream.owed.credit = owed;
            stream.owed.stop &= !ended;
            self.refresh(id);
        }
        if ended {
            self.remove_if_ended(id);
        }
    }

    /// RESET_STREAM.
    pub fn on_reset_stream(
        &mut self,
        id: StreamId,
        code: AppCode,
        final_size: u64,
    ) -> Result<(), TransportError> {
        self.check_receives(id)?;
        self.touch(id)?;
        let Some(stream) = self.table.get_mut(&id) else { return Ok(()) };
        let Some(part) = stream.recv.as_mut() else { return Ok(()) };
        if part.on_reset(code, final_size, &mut self.receive_credit, &mut self.rings)? {
            self.events.push(StreamEvent::Readable(id), &mut stream.queued.readable);
        }
        stream.owed.credit = false;
        stream.owed.stop = false;
        self.refresh(id);
        self.remove_if_ended(id);
        Ok(())
    }

    /// STOP_SENDING: answered by a reset (RFC 9000, section 3.5).
    pub fn on_stop_sending(&mut self, id: StreamId, code: AppCode) -> Result<(), TransportError> {
        self.check_sends(id)?;
        self.touch(id)?;
        let Some(stream) = self.table.get_mut(&id) else { return Ok(()) };
        let Some(part) = stream.send.as_mut() else { return Ok(()) };
        if part.is_reset() || part.state.is_terminal() || part.stopped.is_some() {
            return Ok(());
        }
        part.stopped = Some(code);
        // Once for each stream, as a part is stopped once.
        self.events.push(StreamEvent::Stopped { id, code }, &mut false);
        self.reset_sending(id, code);
        Ok(())
    }

    /// MAX_DATA.
    pub fn on_max_data(&mut self, max: u64) {
        self.send_credit.raise(max);
    }

    /// MAX_STREAM_DATA.
    pub fn on_max_stream_data(&mut self, id: StreamId, max: u64) -> Result<(), TransportError> {
        self.check_sends(id)?;
        self.touch(id)?;
        let Some(stream) = self.table.get_mut(&id) else { return Ok(()) };
        if stream.send.as_mut().is_some_and(|part| part.credit.raise(max)) {
            self.on_credit(id);
        }
        Ok(())
    }

    /// MAX_STREAMS.
    pub fn on_max_streams(&mut self, dir: Dir, max: u64) {
        let local = &mut self.local[dir.index()];
        if local.credit.raise(max.min(StreamId::MAX_COUNT)) && local.waiting {
            local.waiting = false;
            self.events.push(StreamEvent::Available { dir }, &mut local.told);
        }
    }

    /// STREAM_DATA_BLOCKED. Nothing follows from it: credit depends on what the application reads.
    pub fn on_stream_data_blocked(&mut self, id: StreamId) -> Result<(), TransportError> {
        self.check_receives(id)?;
        self.touch(id)
    }

    /// Fails for a stream that the peer cannot send on.
    fn check_receives(&self, id: StreamId) -> Result<(), TransportError> {
        self.check_exists(id)?;
        if id.dir() == Dir::Uni && id.initiator() == self.side {
            return Err(state("frame for a stream that only this end sends on"));
        }
        Ok(())
    }

    /// Fails for a stream that this end cannot send on.
    fn check_sends(&self, id: StreamId) -> Result<(), TransportError> {
        self.check_exists(id)?;
        if id.dir() == Dir::Uni && id.initiator() != self.side {
            return Err(state("frame for a stream that only the peer sends on"));
        }
        Ok(())
    }

    /// Fails for a stream of this end's that it has not opened.
    fn check_exists(&self, id: StreamId) -> Result<(), TransportError> {
        let opened = self.local[id.dir().index()].credit.used();
        if id.initiator() == self.side && id.index() >= opened {
            return Err(state("frame for a stream that was not opened"));
        }
        Ok(())
    }
}

/// Data of a stream arrives: measures how fast its window, and the connection's, is consumed.
fn tune(
    now: Time,
    rtt: Duration,
    part: &mut RecvPart,
    connection: &mut ReceiveCredit,
    rings: &mut RingPool,
) {
    let recent = two_round_trips_ago(now, rtt);
    let grown = part.is_receiving() && part.credit.tune(now, recent);
    if grown {
        // One stream alone should not be held back by the window that all share.
        connection.grow_to(part.credit.window().saturating_mul(3) / 2);
    }
    if connection.tune(now, recent) || grown {
        rings.set_budget(usize::try_from(connection.window()).unwrap_or(usize::MAX));
    }
}

const fn state(reason: &'static str) -> TransportError {
    TransportError::new(Code::STREAM_STATE, reason)
}
