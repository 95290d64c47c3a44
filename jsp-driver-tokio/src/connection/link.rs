//! A connection as the driver keeps it: the engine's part behind a lock, with who waits for it.

use super::outbox::{Left, Outbox};
use super::waiters::Waiters;
use crate::net::{Io, Scratch, lock};
use jsp_driver_mio::SignWith;
use jsp_driver_mio::parts::Signers;
use jsp_proto::connection::{Connection as Engine, Event};
use jsp_proto::crypto::{CryptoError, Signature, Signer};
use jsp_proto::error::{AppCode, CloseReason};
use jsp_proto::handshake::SignRequest;
use jsp_proto::ids::{ConnectionHandle, Dir, Side};
use jsp_proto::record::Received;
use jsp_proto::rng::Rng;
use jsp_proto::stream::StreamEvent;
use jsp_proto::time::Time;
use std::future::Future;
use std::ops::Deref;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;
use tokio::sync::Notify;

/// Trains that a connection sends before others have their turn: about 1 MiB.
const TURN: usize = 16;

/// Datagrams that one train may have: what an engine fills, and a kernel takes.
const SEGMENTS: usize = 64;

/// What a link is made of.
pub(crate) struct Start {
    pub(crate) engine: Engine,
    pub(crate) signers: Signers,
    /// For the hedging of signatures.
    pub(crate) rng: Rng,
    pub(crate) runtime: Handle,
}

/// What only the handshake needs.
#[derive(Debug)]
struct Greeting {
    signers: Signers,
    rng: Rng,
    runtime: Handle,
}

/// What the lock protects.
pub(super) struct State {
    pub(super) engine: Engine,
    pub(super) waiters: Waiters,
    pub(super) established: bool,
    pub(super) closed: Option<CloseReason>,
    greeting: Option<Box<Greeting>>,
    /// Where the endpoint's agenda has this connection.
    timer: Option<Time>,
    outbox: Outbox,
    retired: bool,
    /// How to close once everything that was finished has arrived.
    farewell: Option<(AppCode, Vec<u8>)>,
}

/// One connection. The endpoint's table and every handle of the application share it.
pub(crate) struct Link {
    io: Arc<Io>,
    handle: ConnectionHandle,
    state: Mutex<State>,
    /// Handles of the application: the connection closes with the last one.
    handles: AtomicUsize,
    /// The handshake has completed, or the connection has ended.
    pub(super) greeted: Notify,
    pub(super) ended: Notify,
    /// By kind of stream: the peer has opened some.
    pub(super) opened: [Notify; 2],
    /// By kind of stream: the peer allows more.
    pub(super) available: [Notify; 2],
}

impl Link {
    pub(crate) fn new(io: Arc<Io>, start: Start) -> Arc<Self> {
        let Start { engine, signers, rng, runtime } = start;
        Arc::new(Self {
            io,
            handle: engine.handle(),
            state: Mutex::new(State {
                engine,
                waiters: Waiters::default(),
                established: false,
                closed: None,
                greeting: Some(Box::new(Greeting { signers, rng, runtime })),
                timer: None,
                outbox: Outbox::new(),
                retired: false,
                farewell: None,
            }),
            handles: AtomicUsize::new(0),
            greeted: Notify::new(),
            ended: Notify::new(),
            opened: [const { Notify::const_new() }; 2],
            available: [const { Notify::const_new() }; 2],
        })
    }

    pub(crate) fn handle(&self) -> ConnectionHandle {
        self.handle
    }

    /// Looks at the connection, or asks the engine for what sends nothing.
    pub(super) fn look<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        f(&mut lock(&self.state))
    }

    /// Does something with the connection, then acts on what it led to.
    pub(super) fn act<R>(self: &Arc<Self>, f: impl FnOnce(&mut State, Time) -> R) -> R {
        self.act_on(|state, now| (Left::Urgent, f(state, now)))
    }

    /// The same, where `f` tells what it left to be sent.
    pub(super) fn act_on<R>(self: &Arc<Self>, f: impl FnOnce(&mut State, Time) -> (Left, R)) -> R {
        Scratch::lend(|scratch| {
            let mut state = lock(&self.state);
            let now = self.io.clock.now();
            let (left, result) = f(&mut state, now);
            if state.outbox.sends_now(left, now, self.io.turn()) {
                self.settle(&mut state, now, scratch);
                self.io.stir(scratch);
            } else {
                self.enlist(&mut state, scratch);
            }
            result
        })
    }

    /// Sends what waits.
    pub(super) fn send_now(self: &Arc<Self>) {
        self.act_on(|state, _| (state.outbox.owed(), ()));
    }

    /// The first flight of a client, or a server's answer to one.
    pub(crate) fn begin(self: &Arc<Self>) {
        self.act(|_, _| ());
    }

    /// Takes datagrams; [`Self::after_datagrams`] follows when the batch is through.
    pub(crate) fn on_datagrams(
        &self,
        now: Time,
        meta: &Received,
        bytes: &mut [u8],
        segment: usize,
    ) {
        lock(&self.state).engine.handle_datagrams(now, meta, bytes, segment);
    }

    /// Acts on what datagrams led to: one acknowledgement for the whole batch. If somebody waited for
    /// what has arrived, it waits for the answer.
    pub(crate) fn after_datagrams(self: &Arc<Self>, now: Time, scratch: &mut Scratch) {
        let mut state = lock(&self.state);
        let woken = scratch.wakers.len();
        self.pump(&mut state, now, scratch);
        if scratch.wakers.len() > woken {
            state.outbox.leave();
            self.enlist(&mut state, scratch);
        } else {
            self.settle(&mut state, now, scratch);
        }
    }

    /// The timer has passed.
    pub(crate) fn on_timer(self: &Arc<Self>, now: Time, scratch: &mut Scratch) {
        let mut state = lock(&self.state);
        // If it was set anew meanwhile, it is set again.
        state.timer = None;
        if state.engine.next_timeout().is_some_and(|at| at <= now) {
            state.engine.handle_timeout(now);
        }
        self.settle(&mut state, now, scratch);
    }

    /// The connection has its next turn to send.
    pub(crate) fn on_turn(self: &Arc<Self>, now: Time, scratch: &mut Scratch) {
        let mut state = lock(&self.state);
        if state.outbox.on_turn() {
            self.settle(&mut state, now, scratch);
        }
    }

    /// Closes at once.
    pub(crate) fn close(self: &Arc<Self>, code: AppCode, reason: &[u8]) {
        self.act(|state, now| {
            state.farewell = None;
            state.engine.close(now, code, reason);
        });
    }

    /// Closes once everything that was finished has arrived.
    pub(crate) fn close_when_delivered(self: &Arc<Self>, code: AppCode, reason: &[u8]) {
        self.act(|state, _| state.farewell = Some((code, reason.to_vec())));
    }

    fn on_last_handle_dropped(self: &Arc<Self>) {
        self.act_on(|state, _| {
            if state.closed.is_some() || state.farewell.is_some() {
                return (Left::Nothing, ());
            }
            state.farewell = Some((AppCode(0), Vec::new()));
            (Left::Urgent, ())
        });
    }

    /// Acts on everything that a call to the engine may have led to: events, datagrams, timers.
    fn settle(self: &Arc<Self>, state: &mut State, now: Time, scratch: &mut Scratch) {
        self.pump(state, now, scratch);
        let farewell = state.farewell.take_if(|_| !state.waiters.has_pending());
        if let Some((code, reason)) = farewell {
            state.engine.close(now, code, &reason);
            self.pump(state, now, scratch);
        }
        if self.flush(state, now, scratch) {
            state.outbox.clear();
        } else {
            state.outbox.leave();
            self.enlist(state, scratch);
        }
        if state.engine.is_drained() {
            if !std::mem::replace(&mut state.retired, true) {
                self.io.retire(self.handle, scratch);
            }
        } else if let Some(at) = state.engine.next_timeout() {
            self.io.schedule(self.handle, &mut state.timer, at, scratch);
        }
    }

    /// Tells the endpoint's task that it is owed a turn, if it is.
    fn enlist(&self, state: &mut State, scratch: &mut Scratch) {
        if state.outbox.enlists() {
            self.io.enlist(self.handle, scratch);
        }
    }

    /// Sends what is due; `false` if there may be more, for a later turn.
    fn flush(&self, state: &mut State, now: Time, scratch: &mut Scratch) -> bool {
        let segments = self.io.socket.max_segments().clamp(1, SEGMENTS);
        for _ in 0..TURN {
            if self.io.is_full() {
                return false;
            }
            let Some(transmit) = state.engine.poll_transmit(now, &mut scratch.train, segments)
            else {
                return true;
            };
            self.io.send(&transmit, &scratch.train[..transmit.len]);
        }
        false
    }

    fn pump(self: &Arc<Self>, state: &mut State, now: Time, scratch: &mut Scratch) {
        while let Some(event) = state.engine.poll_event() {
            match event {
                Event::Stream(event) => self.on_stream_event(state, event, scratch),
                Event::Sign(request) => self.sign(state, now, request),
                Event::Connected => {
                    state.established = true;
                    tracing::debug!(
                        connection = self.handle.index,
                        side = ?state.engine.side(),
                        peer = %state.engine.remote(),
                        suite = state.engine.suite().map(tracing::field::display),
                        "connected"
                    );
                    self.greeted.notify_waiters();
                }
                Event::Confirmed => state.greeting = None,
                Event::Closed(reason) => self.on_closed(state, reason, scratch),
            }
        }
    }

    fn on_stream_event(&self, state: &mut State, event: StreamEvent, scratch: &mut Scratch) {
        let woken = match event {
            StreamEvent::Readable(id) => state.waiters.on_readable(id),
            StreamEvent::Writable(id) => state.waiters.on_writable(id),
            StreamEvent::Finished(id) => state.waiters.on_acknowledged(id),
            StreamEvent::Stopped { id, code } => state.waiters.on_stopped(id, code),
            StreamEvent::Opened { dir } => {
                self.opened[dir.index()].notify_waiters();
                None
            }
            StreamEvent::Available { dir } => {
                self.available[dir.index()].notify_waiters();
                None
            }
        };
        scratch.wakers.extend(woken);
    }

    fn on_closed(&self, state: &mut State, reason: CloseReason, scratch: &mut Scratch) {
        let side = if state.engine.side() == Side::Client { "client" } else { "server" };
        tracing::debug!(connection = self.handle.index, side, %reason, "connection ended");
        state.closed = Some(reason);
        state.greeting = None;
        state.farewell = None;
        scratch.wakers.extend(state.waiters.take_all());
        self.greeted.notify_waiters();
        self.ended.notify_waiters();
        for dir in Dir::ALL {
            self.opened[dir.index()].notify_waiters();
            self.available[dir.index()].notify_waiters();
        }
    }

    /// Has a proof signed, here or elsewhere.
    fn sign(self: &Arc<Self>, state: &mut State, now: Time, request: SignRequest) {
        let Some(greeting) = &mut state.greeting else { return };
        let mut rng = Rng::new(&greeting.rng.seed(), "signature");
        let link = Arc::clone(self);
        match greeting.signers.find(&request.identity) {
            Some(SignWith::Inline(signer)) => {
                let signature = signer.sign(&mut rng, &request.message);
                state.engine.provide_signature(now, signature);
            }
            Some(SignWith::Blocking(signer)) => {
                let signer: Arc<dyn Signer> = Arc::clone(signer);
                greeting.runtime.spawn_blocking(move || {
                    link.on_signature(signer.sign(&mut rng, &request.message));
                });
            }
            Some(SignWith::Remote(signer)) => {
                let signing = signer.sign(request.message);
                greeting.runtime.spawn(async move { link.on_remote_signature(signing).await });
            }
            None => {
                tracing::warn!(identity = %request.identity, "no signer for this identity");
                state.engine.provide_signature(now, Err(CryptoError));
            }
        }
    }

    /// Waits for a signature, but not longer than for the connection.
    async fn on_remote_signature(
        self: Arc<Self>,
        mut signing: impl Future<Output = Result<Signature, CryptoError>> + Unpin,
    ) {
        let mut ended = pin!(self.ended.notified());
        ended.as_mut().enable();
        if self.look(|state| state.closed.is_some()) {
            return;
        }
        let signature = std::future::poll_fn(|cx| match ended.as_mut().poll(cx) {
            std::task::Poll::Ready(()) => std::task::Poll::Ready(None),
            std::task::Poll::Pending => std::pin::Pin::new(&mut signing).poll(cx).map(Some),
        });
        if let Some(signature) = signature.await {
            self.on_signature(signature);
        }
    }

    fn on_signature(self: &Arc<Self>, signature: Result<Signature, CryptoError>) {
        self.act(|state, now| state.engine.provide_signature(now, signature));
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("handle", &self.handle).finish_non_exhaustive()
    }
}

/// A handle of the application: the connection closes with the last one.
pub(super) struct Held(Arc<Link>);

impl Held {
    pub(super) fn new(link: &Arc<Link>) -> Self {
        link.handles.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(link))
    }
}

impl Clone for Held {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Deref for Held {
    type Target = Arc<Link>;
    fn deref(&self) -> &Arc<Link> {
        &self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.0.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.on_last_handle_dropped();
        }
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
