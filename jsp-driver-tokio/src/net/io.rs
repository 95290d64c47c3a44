//! What a connection needs of its endpoint: time, the socket, and the endpoint's task.

use super::agenda::{Agenda, Plan};
use super::clock::Clock;
use super::lock;
use super::scratch::{Scratch, this_thread};
use super::socket::DatagramSocket;
use jsp_driver_mio::parts::SendOutcome;
use jsp_proto::ids::ConnectionHandle;
use jsp_proto::record::Transmit;
use jsp_proto::time::{Duration, Time};
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

/// Datagrams that the socket did not take, sealed already.
#[derive(Debug)]
struct Parcel {
    transmit: Transmit,
    bytes: Box<[u8]>,
}

/// How often a socket that is ready for more is offered what it does not take.
const ATTEMPTS: usize = 8;

/// The turn of the endpoint's task that runs now, or was the last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) number: u64,
    /// It was on the thread that asks: to wake the task costs next to nothing, then, and it runs as soon
    /// as this thread's tasks wait.
    pub(crate) here: bool,
}

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
    turn: AtomicU64,
    /// Where that turn is, or was.
    thread: AtomicUsize,
    /// Nanoseconds for which the task looks for more before it sleeps.
    spin: AtomicU64,
}

impl Io {
    pub(crate) fn new(socket: Box<dyn DatagramSocket>) -> Self {
        Self {
            socket,
            clock: Clock::start(),
            agenda: Mutex::default(),
            parcels: Mutex::default(),
            full: AtomicBool::new(false),
            turn: AtomicU64::new(0),
            thread: AtomicUsize::new(0),
            spin: AtomicU64::new(0),
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
            let woken = lock(&self.agenda).schedule(handle, at);
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

    /// Something was sent: the task is to look for the answer, if it is one that looks.
    pub(crate) fn stir(&self, scratch: &mut Scratch) {
        if self.spin() > Duration::ZERO {
            let woken = lock(&self.agenda).wake_before(Time::ZERO);
            scratch.wakers.extend(woken);
        }
    }

    /// How long the task looks for more before it sleeps.
    pub(crate) fn spin(&self) -> Duration {
        Duration::from_nanos(self.spin.load(Ordering::Relaxed))
    }

    /// Sets that.
    pub(crate) fn set_spin(&self, spin: Duration) {
        let nanos = u64::try_from(spin.as_nanos()).unwrap_or(u64::MAX);
        self.spin.store(nanos, Ordering::Relaxed);
    }

    /// Which turn it is.
    pub(crate) fn turn(&self) -> Turn {
        let number = self.turn.load(Ordering::Relaxed);
        Turn { number, here: self.thread.load(Ordering::Relaxed) == this_thread() }
    }

    /// The task begins a turn, and takes over who has more to send. Who comes to that later waits for
    /// the next.
    pub(crate) fn begin_turn(&self, waker: &Waker, due: &mut Vec<ConnectionHandle>) {
        // Only the task writes these.
        self.turn.store(self.turn.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.thread.store(this_thread(), Ordering::Relaxed);
        lock(&self.agenda).begin(waker, due);
    }

    /// Whether the task, which is awake, has anything to do.
    pub(crate) fn has_work(&self, now: Time) -> bool {
        lock(&self.agenda).has_work(now, self.is_full())
    }

    /// Forgets a connection's timer.
    pub(crate) fn unschedule(&self, handle: ConnectionHandle) {
        lock(&self.agenda).unschedule(handle);
    }

    /// Places in the table of connections whose time has come, and connections that are over.
    pub(crate) fn take_work(
        &self,
        now: Time,
        timers: &mut Vec<u32>,
        drained: &mut Vec<ConnectionHandle>,
    ) {
        lock(&self.agenda).take(now, timers, drained);
    }

    /// The task ends its turn: when is the next, at the latest at `limit`?
    pub(crate) fn end_turn(&self, now: Time, limit: Option<Time>) -> Plan {
        lock(&self.agenda).plan(now, limit, self.is_full())
    }
}
