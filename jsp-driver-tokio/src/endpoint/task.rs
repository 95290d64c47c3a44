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
use jsp_proto::time::Time;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::time::Sleep;

/// Batches that a turn receives: up to 2 MiB.
const BATCHES: usize = 4;
/// Failures of the socket in a row after which it counts as broken.
const FAILURES: u32 = 100;

/// See the module.
pub(super) struct Task {
    desk: Arc<Desk>,
    batch: Batch,
    failures: u32,
    sleep: Pin<Box<Sleep>>,
    /// What `sleep` is set to.
    alarm: Option<Time>,
    /// Connections that got datagrams of the batch at hand.
    touched: Vec<Arc<Link>>,
    timers: Vec<(Time, ConnectionHandle)>,
    due: Vec<ConnectionHandle>,
    gone: Vec<ConnectionHandle>,
}

impl Task {
    pub(super) fn new(desk: Arc<Desk>) -> Self {
        Self {
            desk,
            batch: Batch::new(),
            failures: 0,
            sleep: Box::pin(tokio::time::sleep(std::time::Duration::ZERO)),
            alarm: None,
            touched: Vec::new(),
            timers: Vec::new(),
            due: Vec::new(),
            gone: Vec::new(),
        }
    }

    /// Receives what is there; `true` if there may be more.
    fn receive(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> bool {
        for _ in 0..BATCHES {
            self.batch.clear();
            match self.desk.io.socket.poll_recv(cx, &mut self.batch) {
                Poll::Pending => return false,
                Poll::Ready(Ok(())) => {
                    self.failures = 0;
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

    /// Looks after connections whose time has come, and those that have more to send. While the socket
    /// is full the latter only put themselves on the list again.
    fn attend(&mut self, now: Time, scratch: &mut Scratch) {
        self.desk.io.take_work(now, &mut self.timers, &mut self.due);
        for (at, handle) in self.timers.drain(..) {
            if let Some(link) = find(&self.desk, handle) {
                link.on_timer(now, at, scratch);
            }
        }
        for handle in self.due.drain(..) {
            if let Some(link) = find(&self.desk, handle) {
                link.on_turn(now, scratch);
            }
        }
        scratch.wake();
    }

    /// Ends the turn; `true` if the next is to follow at once.
    fn plan(&mut self, cx: &mut Context<'_>, now: Time) -> bool {
        let limit = {
            let mut book = lock(&self.desk.book);
            if book.router.next_timeout().is_some_and(|at| at <= now) {
                book.router.handle_timeout(now);
            }
            book.router.next_timeout()
        };
        match self.desk.io.end_turn(now, limit) {
            Plan::Now => true,
            Plan::Never => false,
            Plan::At(at) => {
                if self.alarm != Some(at) {
                    self.sleep.as_mut().reset(self.desk.io.clock.instant(at));
                    self.alarm = Some(at);
                }
                let rings = self.sleep.as_mut().poll(cx).is_ready();
                if rings {
                    self.alarm = None;
                }
                rings
            }
        }
    }
}

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let task = self.get_mut();
        task.desk.io.begin_turn(cx.waker());
        let more = Scratch::lend(|scratch| {
            let _ = task.desk.io.poll_flush(cx);
            let broken = task.failures >= FAILURES;
            let mut more = !broken && task.receive(cx, scratch);
            let now = task.desk.io.clock.now();
            task.attend(now, scratch);
            task.desk.io.take_drained(&mut task.gone);
            task.desk.release(&mut task.gone);
            // What met a full socket in this turn is not waited for yet, nor is what meets one on
            // another thread before this task has gone to sleep.
            let waits = task.desk.io.poll_flush(cx).is_pending();
            more |= task.plan(cx, now);
            more |= !waits && task.desk.io.is_full();
            more
        });
        if task.desk.is_abandoned() {
            tracing::debug!("endpoint ended");
            return Poll::Ready(());
        }
        if more {
            cx.waker().wake_by_ref();
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
    let book = lock(&desk.book);
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
