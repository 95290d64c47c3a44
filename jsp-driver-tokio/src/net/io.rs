//! What a connection needs of its endpoint: time, the socket, and the endpoint's task.

use super::agenda::{Agenda, Plan};
use super::clock::Clock;
use super::lock;
use super::scratch::Scratch;
use super::socket::DatagramSocket;
use jsp_driver_mio::parts::SendOutcome;
use jsp_proto::ids::ConnectionHandle;
use jsp_proto::record::Transmit;
use jsp_proto::time::Time;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

/// Datagrams that the socket did not take, sealed already.
#[derive(Debug)]
struct Parcel {
    transmit: Transmit,
    bytes: Box<[u8]>,
}

/// How often a socket that is ready for more is offered what it does not take.
const ATTEMPTS: usize = 8;

/// See the module.
#[derive(Debug)]
pub(crate) struct Io {
    pub(crate) socket: Box<dyn DatagramSocket>,
    pub(crate) clock: Clock,
    agenda: Mutex<Agenda>,
    /// At most one train for each call that met a full socket at the same moment: from then on
    /// nobody asks an engine for more.
    parcels: Mutex<VecDeque<Parcel>>,
    full: AtomicBool,
}

impl Io {
    pub(crate) fn new(socket: Box<dyn DatagramSocket>) -> Self {
        Self {
            socket,
            clock: Clock::start(),
            agenda: Mutex::default(),
            parcels: Mutex::default(),
            full: AtomicBool::new(false),
        }
    }

    /// Whether the socket takes nothing now. The endpoint's task finds out when that ends.
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    /// Sends what an engine wrote to `bytes`; keeps it for later if the socket is full.
    pub(crate) fn send(&self, transmit: &Transmit, bytes: &[u8]) {
        if self.socket.try_send(transmit, bytes) == SendOutcome::Full {
            lock(&self.parcels).push_back(Parcel { transmit: *transmit, bytes: bytes.into() });
            self.full.store(true, Ordering::Release);
            self.wake_task();
        }
    }

    /// Sends what was kept.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..ATTEMPTS {
            if !self.is_full() {
                return Poll::Ready(());
            }
            if self.socket.poll_writable(cx).is_pending() {
                return Poll::Pending;
            }
            let mut parcels = lock(&self.parcels);
            while let Some(Parcel { transmit, bytes }) = parcels.front() {
                if self.socket.try_send(transmit, bytes) == SendOutcome::Full {
                    break;
                }
                parcels.pop_front();
            }
            if parcels.is_empty() {
                self.full.store(false, Ordering::Release);
            }
        }
        // A socket that says that it has room, and has none: others have their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Sets a connection's timer to `at`, if that is earlier than `timer`, where it was set before.
    pub(crate) fn schedule(
        &self,
        handle: ConnectionHandle,
        timer: &mut Option<Time>,
        at: Time,
        scratch: &mut Scratch,
    ) {
        if timer.is_none_or(|set| at < set) {
            let woken = lock(&self.agenda).schedule(handle, *timer, at);
            *timer = Some(at);
            scratch.wakers.extend(woken);
        }
    }

    /// Has the task look after a connection that has more to send.
    pub(crate) fn enlist(&self, handle: ConnectionHandle, scratch: &mut Scratch) {
        let woken = lock(&self.agenda).enlist(handle);
        scratch.wakers.extend(woken);
    }

    /// Has the task forget a connection that is over.
    pub(crate) fn retire(&self, handle: ConnectionHandle, scratch: &mut Scratch) {
        let woken = lock(&self.agenda).retire(handle);
        scratch.wakers.extend(woken);
    }

    /// Wakes the endpoint's task, if it sleeps.
    pub(crate) fn wake_task(&self) {
        let woken = lock(&self.agenda).wake_before(Time::ZERO);
        woken.into_iter().for_each(Waker::wake);
    }

    /// The task begins a turn.
    pub(crate) fn begin_turn(&self, waker: &Waker) {
        lock(&self.agenda).begin(waker);
    }

    /// What the task has to look after.
    pub(crate) fn take_work(
        &self,
        now: Time,
        timers: &mut Vec<(Time, ConnectionHandle)>,
        due: &mut Vec<ConnectionHandle>,
    ) {
        lock(&self.agenda).take(now, timers, due);
    }

    /// Connections that are over.
    pub(crate) fn take_drained(&self, out: &mut Vec<ConnectionHandle>) {
        lock(&self.agenda).take_drained(out);
    }

    /// The task ends its turn: when is the next, at the latest at `limit`?
    pub(crate) fn end_turn(&self, now: Time, limit: Option<Time>) -> Plan {
        lock(&self.agenda).plan(now, limit, self.is_full())
    }
}
