//! What the endpoint's task has to do next: timers, connections to look after, and its waker.
//!
//! Timers are lazy. A connection whose timeout moves to a later time keeps its entry and is looked at
//! once too often; only an earlier one is entered, and only one before everything that the task waits
//! for wakes it. Steady flow, which moves timeouts ever later, costs nothing here.

use jsp_driver_mio::parts::Timers;
use jsp_proto::ids::ConnectionHandle;
use jsp_proto::time::Time;
use std::task::Waker;

/// When the task acts next, if nobody wakes it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    Now,
    At(Time),
    Never,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    timers: Timers,
    /// Connections that have more to send.
    due: Vec<ConnectionHandle>,
    /// Connections that are over.
    drained: Vec<ConnectionHandle>,
    /// When the task wakes by itself; `None` while it runs, as it will look again before it sleeps.
    asleep_until: Option<Time>,
    waker: Option<Waker>,
}

const FOREVER: Time = Time::from_nanos(u64::MAX);

impl Agenda {
    /// The task runs: nobody needs to wake it before [`Self::plan`]. Moves connections that have more
    /// to send to `due`.
    pub(super) fn begin(&mut self, waker: &Waker, due: &mut Vec<ConnectionHandle>) {
        self.asleep_until = None;
        due.append(&mut self.due);
        match &mut self.waker {
            Some(known) => known.clone_from(waker),
            None => self.waker = Some(waker.clone()),
        }
    }

    /// Sets a connection's timer to `at`, wherever it was before.
    #[must_use]
    pub(super) fn schedule(&mut self, handle: ConnectionHandle, at: Time) -> Option<Waker> {
        self.timers.set(handle.index, at);
        self.wake_before(at)
    }

    /// Unsets it.
    pub(super) fn unschedule(&mut self, handle: ConnectionHandle) {
        self.timers.clear(handle.index);
    }

    /// Has the task look after a connection.
    #[must_use]
    pub(super) fn enlist(&mut self, handle: ConnectionHandle) -> Option<Waker> {
        self.due.push(handle);
        self.wake_before(Time::ZERO)
    }

    /// Has the task forget a connection.
    #[must_use]
    pub(super) fn retire(&mut self, handle: ConnectionHandle) -> Option<Waker> {
        self.drained.push(handle);
        self.wake_before(Time::ZERO)
    }

    /// Who is to be woken, if the task sleeps beyond `at`.
    #[must_use]
    pub(super) fn wake_before(&mut self, at: Time) -> Option<Waker> {
        if self.asleep_until.is_some_and(|until| at < until) {
            self.asleep_until = None;
            return self.waker.clone();
        }
        None
    }

    /// Whether there is something to do at `now`.
    pub(super) fn has_work(&self, now: Time, blocked: bool) -> bool {
        let timer = self.timers.next().is_some_and(|at| at <= now);
        timer || !self.drained.is_empty() || (!blocked && !self.due.is_empty())
    }

    /// Adds the places of connections whose timer has passed to `timers`, and moves those that are over
    /// to `drained`.
    pub(super) fn take(
        &mut self,
        now: Time,
        timers: &mut Vec<u32>,
        drained: &mut Vec<ConnectionHandle>,
    ) {
        self.timers.expire(now, timers);
        drained.append(&mut self.drained);
    }

    /// What comes next, at the latest at `limit`. If that is not now, the task sleeps from here on.
    pub(super) fn plan(&mut self, now: Time, limit: Option<Time>, blocked: bool) -> Plan {
        if self.has_work(now, blocked) {
            return Plan::Now;
        }
        let next = [self.timers.next(), limit].into_iter().flatten().min();
        if next.is_some_and(|at| at <= now) {
            return Plan::Now;
        }
        self.asleep_until = Some(next.unwrap_or(FOREVER));
        next.map_or(Plan::Never, Plan::At)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle(index: u32) -> ConnectionHandle {
        ConnectionHandle { index, generation: 0 }
    }

    fn at(nanos: u64) -> Time {
        Time::from_nanos(nanos)
    }

    /// Ends on a tick of the timers.
    fn later(ticks: u64) -> Time {
        at(ticks << 14)
    }

    fn sleeping() -> Agenda {
        let mut agenda = Agenda::default();
        agenda.begin(Waker::noop(), &mut Vec::new());
        assert!(agenda.schedule(handle(0), later(50)).is_none());
        assert_eq!(agenda.plan(at(0), None, false), Plan::At(later(50)));
        agenda
    }

    #[test]
    fn only_an_earlier_timer_wakes_the_task() {
        let mut agenda = sleeping();
        assert!(agenda.schedule(handle(1), later(60)).is_none());
        assert!(agenda.schedule(handle(2), later(40)).is_some());
        // It is awake now, and looks at the timers before it sleeps again.
        assert!(agenda.schedule(handle(3), later(30)).is_none());
        assert_eq!(agenda.plan(at(0), None, false), Plan::At(later(30)));
    }

    #[test]
    fn work_wakes_the_task_once() {
        let mut agenda = sleeping();
        assert!(agenda.enlist(handle(1)).is_some());
        assert!(agenda.enlist(handle(2)).is_none());
        assert_eq!(agenda.plan(at(0), None, false), Plan::Now);
        let (mut timers, mut due) = (Vec::new(), Vec::new());
        agenda.begin(Waker::noop(), &mut due);
        agenda.take(later(50), &mut timers, &mut Vec::new());
        assert_eq!((timers, due), (vec![0], vec![handle(1), handle(2)]));
        assert_eq!(agenda.plan(later(50), None, false), Plan::Never);
    }

    #[test]
    fn who_wants_to_send_waits_while_the_socket_is_full() {
        let mut agenda = sleeping();
        let _ = agenda.enlist(handle(1));
        assert_eq!(agenda.plan(at(0), None, true), Plan::At(later(50)));
        assert_eq!(agenda.plan(at(0), None, false), Plan::Now);
    }

    #[test]
    fn a_timer_that_moves_leaves_nothing_behind_nor_does_one_that_is_unset() {
        let mut agenda = sleeping();
        let _ = agenda.schedule(handle(0), later(20));
        assert_eq!(agenda.plan(at(0), None, false), Plan::At(later(20)));
        assert_eq!(agenda.plan(at(0), Some(at(10)), false), Plan::At(at(10)));
        agenda.unschedule(handle(0));
        assert_eq!(agenda.plan(at(0), None, false), Plan::Never);
    }
}
