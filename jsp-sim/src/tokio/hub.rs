//! The network behind all sockets, and the task that lets time pass in it.

use super::ports::Ports;
use crate::network::Network;
use crate::trace::Trace;
use ::tokio::time::{Instant, Sleep, sleep_until};
use jsp_proto::time::{Duration, Time};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

/// What all sockets of a network share.
#[derive(Debug)]
pub(super) struct Hub {
    /// When the network's time began, on tokio's clock.
    origin: Instant,
    state: Mutex<State>,
}

/// What the lock protects.
#[derive(Debug)]
pub(super) struct State {
    pub(super) network: Network,
    pub(super) trace: Trace,
    pub(super) ports: Ports,
    /// When the courier wakes by itself; `None` while it need not be woken.
    asleep_until: Option<Time>,
    courier: Option<Waker>,
}

impl Hub {
    pub(super) fn new(network: Network) -> Arc<Self> {
        let state = State {
            network,
            trace: Trace::new(),
            ports: Ports::default(),
            asleep_until: None,
            courier: None,
        };
        Arc::new(Self { origin: Instant::now(), state: Mutex::new(state) })
    }

    pub(super) fn now(&self) -> Time {
        Time::ZERO + self.origin.elapsed()
    }

    /// Looks at the network as it was left: nothing happens.
    pub(super) fn look<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        f(&mut self.lock())
    }

    /// Does something with the network as it is now, and lets happen what follows from it at once.
    pub(super) fn act<R>(&self, f: impl FnOnce(&mut State, Time) -> R) -> R {
        let mut woken = Vec::new();
        let mut state = self.lock();
        // Read under the lock: time does not run back in the network.
        let now = self.now();
        state.advance(now, &mut woken);
        let result = f(&mut state, now);
        state.advance(now, &mut woken);
        let next = state.network.next_event();
        if next.is_some_and(|next| state.asleep_until.is_some_and(|until| next < until)) {
            state.asleep_until = None;
            woken.extend(state.courier.clone());
        }
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        result
    }

    /// Lets happen what is due; from here on the courier sleeps until the time that is returned, or
    /// until it is woken.
    fn rest(&self, courier: &Waker) -> Option<Time> {
        const FOREVER: Time = Time::from_nanos(u64::MAX);
        self.look(|state| state.asleep_until = None);
        self.act(|state, _| {
            let next = state.network.next_event();
            state.courier = Some(courier.clone());
            state.asleep_until = Some(next.unwrap_or(FOREVER));
            next
        })
    }

    /// When `time` is on tokio's clock, a year ahead at most: whoever sleeps until then looks again.
    fn instant(&self, time: Time) -> Instant {
        const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
        let ahead = time.since(self.now()).min(YEAR);
        Instant::now() + ahead
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Lets everything happen in its own time until `now`, which may be later: the clock of tokio's
    /// timers ticks in milliseconds.
    fn advance(&mut self, now: Time, woken: &mut Vec<Waker>) {
        while let Some(time) = self.network.next_event().filter(|time| *time <= now) {
            self.network.advance(time, &mut self.trace);
            for arrived in self.network.take_arrived() {
                woken.extend(self.ports.deliver(arrived.node, arrived.datagram));
            }
        }
        // As to most applications, nobody tells what did not fit.
        self.network.take_too_big();
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        state.courier.take().into_iter().for_each(Waker::wake);
    }
}

/// Lets time pass in the network, until nobody holds it any more.
pub(super) struct Courier {
    hub: Weak<Hub>,
    sleep: Pin<Box<Sleep>>,
}

impl Courier {
    pub(super) fn new(hub: &Arc<Hub>) -> Self {
        Self { hub: Arc::downgrade(hub), sleep: Box::pin(sleep_until(hub.origin)) }
    }
}

impl Future for Courier {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(hub) = self.hub.upgrade() else { return Poll::Ready(()) };
            // Without anything to come there is no timer, so that tokio's clock has nothing to jump to.
            let Some(until) = hub.rest(cx.waker()) else { return Poll::Pending };
            self.sleep.as_mut().reset(hub.instant(until));
            if self.sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}
