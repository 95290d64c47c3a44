//! Who waits for a stream, and what of it must be remembered for who asks later.

use jsp_proto::error::AppCode;
use jsp_proto::ids::StreamId;
use std::collections::BTreeMap;
use std::task::Waker;

/// How far the sending part of a stream has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Course {
    #[default]
    Open,
    /// The application has finished it; it is on its way.
    Finished,
    /// The peer has acknowledged everything.
    Acknowledged,
    /// The peer wants no more.
    Stopped(AppCode),
    /// The application has abandoned it.
    Reset,
}

/// The sending part of a stream.
#[derive(Debug, Default)]
struct Sending {
    course: Course,
    /// Waits to write, or for the end.
    waker: Option<Waker>,
    /// The application has dropped its handle: the entry stays until the end is acknowledged.
    orphan: bool,
}

/// All streams that have a handle, or an end on its way.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    sending: BTreeMap<StreamId, Sending>,
    receiving: BTreeMap<StreamId, Option<Waker>>,
    /// How many of `sending` are finished, but not acknowledged.
    pending: usize,
}

impl Waiters {
    pub(super) fn add_sending(&mut self, id: StreamId) {
        self.sending.insert(id, Sending::default());
    }

    pub(super) fn add_receiving(&mut self, id: StreamId) {
        self.receiving.insert(id, None);
    }

    /// How far a stream has come.
    pub(super) fn course(&self, id: StreamId) -> Option<Course> {
        self.sending.get(&id).map(|sending| sending.course)
    }

    /// Remembers who waits to read.
    pub(super) fn await_readable(&mut self, id: StreamId, waker: &Waker) {
        if let Some(slot) = self.receiving.get_mut(&id) {
            remember(slot, waker);
        }
    }

    /// Remembers who waits to write, or for the end.
    pub(super) fn await_sending(&mut self, id: StreamId, waker: &Waker) {
        if let Some(sending) = self.sending.get_mut(&id) {
            remember(&mut sending.waker, waker);
        }
    }

    pub(super) fn on_readable(&mut self, id: StreamId) -> Option<Waker> {
        self.receiving.get_mut(&id)?.take()
    }

    pub(super) fn on_writable(&mut self, id: StreamId) -> Option<Waker> {
        self.sending.get_mut(&id)?.waker.take()
    }

    /// The application has finished a stream.
    pub(super) fn on_finish(&mut self, id: StreamId) {
        self.change(id, |course| matches!(course, Course::Open).then_some(Course::Finished));
    }

    /// The peer has acknowledged all of it.
    pub(super) fn on_acknowledged(&mut self, id: StreamId) -> Option<Waker> {
        self.change(id, |course| matches!(course, Course::Finished).then_some(Course::Acknowledged))
    }

    /// The application has abandoned it: nothing is on its way any more.
    pub(super) fn on_reset(&mut self, id: StreamId) {
        let open = |course| matches!(course, Course::Open | Course::Finished);
        self.change(id, |course| open(course).then_some(Course::Reset));
    }

    /// The peer wants no more of it: nothing is on its way any more.
    pub(super) fn on_stopped(&mut self, id: StreamId, code: AppCode) -> Option<Waker> {
        self.change(id, |course| (course != Course::Acknowledged).then_some(Course::Stopped(code)))
    }

    /// The application has dropped its handle for sending. Returns whether the stream is to be reset,
    /// as it is neither finished nor stopped.
    pub(super) fn drop_sending(&mut self, id: StreamId) -> bool {
        let Some(sending) = self.sending.get_mut(&id) else { return false };
        sending.orphan = true;
        sending.waker = None;
        let course = sending.course;
        if course != Course::Finished {
            self.sending.remove(&id);
        }
        course == Course::Open
    }

    pub(super) fn drop_receiving(&mut self, id: StreamId) {
        self.receiving.remove(&id);
    }

    /// Whether something that was finished is still on its way.
    pub(super) fn has_pending(&self) -> bool {
        self.pending > 0
    }

    /// The connection has ended: everybody is to look.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Waker> + '_ {
        self.sending.retain(|_, sending| !sending.orphan);
        let sending = self.sending.values_mut().filter_map(|sending| sending.waker.take());
        sending.chain(self.receiving.values_mut().filter_map(Option::take))
    }

    /// Moves a stream on, if `next` says so; returns who waits for that.
    fn change(
        &mut self,
        id: StreamId,
        next: impl FnOnce(Course) -> Option<Course>,
    ) -> Option<Waker> {
        let sending = self.sending.get_mut(&id)?;
        let before = sending.course;
        sending.course = next(before)?;
        self.pending += usize::from(sending.course == Course::Finished);
        self.pending -= usize::from(before == Course::Finished);
        let waker = sending.waker.take();
        if sending.orphan && sending.course != Course::Finished {
            self.sending.remove(&id);
        }
        waker
    }
}

fn remember(slot: &mut Option<Waker>, waker: &Waker) {
    match slot {
        Some(known) => known.clone_from(waker),
        None => *slot = Some(waker.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: StreamId = StreamId(0);

    #[test]
    fn a_finished_stream_is_pending_until_it_is_acknowledged_even_without_its_handle() {
        let mut waiters = Waiters::default();
        waiters.add_sending(ID);
        waiters.on_finish(ID);
        assert!(!waiters.drop_sending(ID), "it was finished, so there is nothing to reset");
        assert!(waiters.has_pending());
        waiters.on_acknowledged(ID);
        assert!(!waiters.has_pending());
        assert!(waiters.sending.is_empty());
    }

    #[test]
    fn a_stream_that_is_dropped_unfinished_is_to_be_reset_and_not_waited_for() {
        let mut waiters = Waiters::default();
        waiters.add_sending(ID);
        assert!(waiters.drop_sending(ID));
        assert!(!waiters.has_pending() && waiters.sending.is_empty());
    }

    #[test]
    fn a_stopped_stream_is_not_waited_for() {
        let mut waiters = Waiters::default();
        waiters.add_sending(ID);
        waiters.on_finish(ID);
        waiters.on_stopped(ID, AppCode(3));
        assert!(!waiters.has_pending());
        waiters.on_acknowledged(ID);
        assert_eq!(waiters.course(ID), Some(Course::Stopped(AppCode(3))));
    }
}
