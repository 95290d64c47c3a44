//! The endpoint's task: what the network and the clock begin.
//!
//! ```text
//!   socket ─▶ batch ─▶ route ─▶ connection.on_datagrams, ... ─▶ after_datagrams: acknowledge, send
//!   clock ──▶ agenda ─────────▶ connection.on_timer, on_turn
//! ```
//!
//! A turn is bounded, whatever arrives; what is left waits for the next, after other tasks.

use super::desk::{Desk, REPLY};
use crate::connection::Link;
use crate::net::{Plan, Scratch, lock};
use jsp_driver_mio::parts::Batch;
use jsp_proto::endpoint::Routed;
use jsp_proto::ids::ConnectionHandle;
use jsp_proto::record::Received;
use jsp_proto::time::{Duration, Time};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::task::yield_now;
use tokio::time::Sleep;

/// Batches that a turn receives: up to 2 MiB.
const BATCHES: usize = 4;
/// Looks at the socket, for as long as nothing is there, before other tasks have their turn.
const GLANCES: usize = 4;
/// Failures of the socket in a row after which it counts as broken.
const FAILURES: u32 = 100;

/// When the next turn is to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Once something happens, or a timer rings.
    Woken,
    /// At once: this turn found nothing, and only looks for something.
    AtOnce,
    /// After every other task that has something to do, the future that the runtime blocks on included:
    /// what is read soon is still in the processor's cache, and its memory is soon used again.
    AfterOthers,
}

/// See the module.
pub(super) struct Task {
    desk: Arc<Desk>,
    batch: Batch,
    failures: u32,
    sleep: Pin<Box<Sleep>>,
    /// When the router has something to do.
    limit: Option<Time>,
    /// What `sleep` is set to.
    alarm: Option<Time>,
    /// Until when this task looks for more without sleeping, if it does.
    awake_until: Option<Time>,
    /// Connections that got datagrams of the batch at hand.
    touched: Vec<Arc<Link>>,
    timers: Vec<u32>,
    due: Vec<ConnectionHandle>,
    gone: Vec<ConnectionHandle>,
}

impl Task {
    pub(super) fn new(desk: Arc<Desk>) -> Self {
        Self {
            desk,
            batch: Batch::new(),
            failures: 0,
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            limit: None,
            alarm: None,
            awake_until: None,
            touched: Vec::new(),
            timers: Vec::new(),
            due: Vec::new(),
            gone: Vec::new(),
        }
    }

    /// Receives what is there; `true` if there may be more.
    fn receive(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch, busy: &mut bool) -> bool {
        for _ in 0..BATCHES {
            self.batch.clear();
            match self.desk.io.socket.poll_recv(cx, &mut self.batch) {
                Poll::Pending => return false,
                Poll::Ready(Ok(())) => {
                    self.failures = 0;
                    *busy = true;
                    self.route(scratch);
                }
                Poll::Ready(Err(error)) => {
                    self.failures += 1;
                    tracing::debug!(%error, "receiving failed");
                    if self.failures >= FAILURES {
                        tracing::error!(%error, "the socket is broken");
                        return false;
                    }
                }
            }
        }
        true
    }

    /// Leads a batch to its connections, and has each of them act on it.
    fn route(&mut self, scratch: &mut Scratch) {
        let now = self.desk.io.clock.now();
        for (message, mut bytes) in self.batch.messages() {
            let (meta, segment) = (message.received, message.segment);
            while !bytes.is_empty() {
                let run = route_run(&self.desk, &mut self.touched, bytes, segment);
                let (here, rest) = bytes.split_at_mut(run.min(bytes.len()));
                bytes = rest;
                if run > 0 {
                    if let Some(link) = self.touched.last() {
                        link.on_datagrams(now, &meta, here, segment);
                    }
                    continue;
                }
                let (datagram, rest) = bytes.split_at_mut(segment.min(bytes.len()));
                bytes = rest;
                route_one(&self.desk, &mut self.touched, now, &meta, datagram);
            }
        }
        for link in self.touched.drain(..) {
            link.after_datagrams(now, scratch);
        }
        scratch.wake();
    }

    /// Looks after connections whose time has come, those that have more to send, those that are over,
    /// and the router. While the socket is full the second only put themselves on the list again.
    fn attend(&mut self, now: Time, scratch: &mut Scratch) {
        self.desk.io.take_work(now, &mut self.timers, &mut self.gone);
        for index in self.timers.drain(..) {
            let link = lock(&self.desk.book).link_at(index).cloned();
            if let Some(link) = link {
                link.on_timer(now, scratch);
            }
        }
        for handle in self.due.drain(..) {
            if let Some(link) = find(&self.desk, handle) {
                link.on_turn(now, scratch);
            }
        }
        scratch.wake();
        self.desk.release(&mut self.gone);
        let mut book = lock(&self.desk.book);
        if book.router.next_timeout().is_some_and(|at| at <= now) {
            book.router.handle_timeout(now);
        }
        self.limit = book.router.next_timeout();
    }

    /// Looks for something to do without any preparation for sleep; `false` if there was nothing.
    fn glance(&mut self, scratch: &mut Scratch) -> bool {
        for _ in 0..GLANCES {
            self.batch.clear();
            // Errors are for those who wait.
            let _ = self.desk.io.socket.try_recv(&mut self.batch);
            if !self.batch.is_empty() {
                self.route(scratch);
                return true;
            }
            if self.desk.io.has_work(self.desk.io.clock.now()) {
                return true;
            }
            std::hint::spin_loop();
        }
        false
    }

    /// Does what there is to do.
    fn turn(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Next {
        let spin = self.desk.io.spin();
        let spinning = self.awake_until.is_some();
        self.desk.io.begin_turn(cx.waker(), &mut self.due);
        let _ = self.desk.io.poll_flush(cx);
        let mut busy = spinning && self.glance(scratch);
        let broken = self.failures >= FAILURES;
        let more = !broken && self.receive(cx, scratch, &mut busy);
        let now = self.desk.io.clock.now();
        busy |= !self.due.is_empty();
        self.attend(now, scratch);
        // What met a full socket in this turn is not waited for yet, nor is what meets one on
        // another thread before this task has gone to sleep.
        let waits = self.desk.io.poll_flush(cx).is_pending();
        if more || (!waits && self.desk.io.is_full()) {
            return Next::AfterOthers;
        }
        if busy || !spinning {
            self.awake_until = (spin > Duration::ZERO).then(|| now + spin);
        }
        if self.awake_until.is_some_and(|until| now < until) {
            return if busy { Next::AfterOthers } else { Next::AtOnce };
        }
        self.awake_until = None;
        self.plan(cx, now)
    }

    /// Ends the turn.
    fn plan(&mut self, cx: &mut Context<'_>, now: Time) -> Next {
        match self.desk.io.end_turn(now, self.limit) {
            Plan::Now => Next::AfterOthers,
            Plan::Never => Next::Woken,
            // It is set, and tokio knows whom to wake.
            Plan::At(at) if self.alarm == Some(at) => Next::Woken,
            Plan::At(at) => {
                self.sleep.as_mut().reset(self.desk.io.clock.instant(at));
                let rings = self.sleep.as_mut().poll(cx).is_ready();
                self.alarm = (!rings).then_some(at);
                if rings { Next::AfterOthers } else { Next::Woken }
            }
        }
    }
}

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let task = self.get_mut();
        let next = Scratch::lend(|scratch| task.turn(cx, scratch));
        if task.desk.is_abandoned() {
            tracing::debug!("endpoint ended");
            return Poll::Ready(());
        }
        match next {
            Next::Woken => {}
            Next::AtOnce => cx.waker().wake_by_ref(),
            Next::AfterOthers => {
                // It leaves the waker with the runtime, which takes its time; nothing has to be kept.
                let _ = pin!(yield_now()).poll(cx);
            }
        }
        Poll::Pending
    }
}

fn find(desk: &Desk, handle: ConnectionHandle) -> Option<Arc<Link>> {
    lock(&desk.book).link(handle).cloned()
}

/// How many leading bytes go to one connection, which is then the last of `touched`; 0 if the first
/// datagram needs a closer look.
fn route_run(desk: &Desk, touched: &mut Vec<Arc<Link>>, bytes: &[u8], segment: usize) -> usize {
    let mut book = lock(&desk.book);
    let Some((handle, run)) = book.router.route_run(bytes, segment) else { return 0 };
    let Some(link) = book.link(handle) else { return 0 };
    touch(touched, link);
    run
}

/// Makes `link` the last of `touched`, where it stands once.
fn touch(touched: &mut Vec<Arc<Link>>, link: &Arc<Link>) {
    match touched.iter().rposition(|other| Arc::ptr_eq(other, link)) {
        Some(at) => {
            let last = touched.len() - 1;
            touched.swap(at, last);
        }
        None => touched.push(Arc::clone(link)),
    }
}

fn route_one(
    desk: &Desk,
    touched: &mut Vec<Arc<Link>>,
    now: Time,
    meta: &Received,
    datagram: &mut [u8],
) {
    let mut reply = [0; REPLY];
    let mut book = lock(&desk.book);
    let size = datagram.len();
    match book.router.handle(now, meta, datagram, &mut reply) {
        Routed::Connection(handle) => {
            let Some(link) = book.link(handle) else { return };
            touch(touched, link);
            drop(book);
            if let Some(link) = touched.last() {
                link.on_datagrams(now, meta, datagram, size);
            }
        }
        Routed::Incoming(incoming) => desk.announce(&mut book, incoming),
        Routed::Reply(transmit) => desk.answer(Some(transmit), &reply),
        Routed::Stray => {
            let handles: Vec<_> = book.router.connections_with(meta.remote).collect();
            let links: Vec<_> = handles.iter().filter_map(|h| book.link(*h).cloned()).collect();
            drop(book);
            for link in links {
                touch(touched, &link);
                // Each compares it with its own tokens, and would decrypt it in place.
                link.on_datagrams(now, meta, &mut datagram.to_vec(), size);
            }
        }
        Routed::Dropped => {}
    }
}
