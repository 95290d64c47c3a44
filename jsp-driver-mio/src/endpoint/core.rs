//! What an endpoint does in a turn: receive, let time pass, send.
//!
//! Each of the three is bounded, whatever arrives or is written; what is left waits for the next turn,
//! after everything else in the caller's loop.

use super::mail::{Letter, MAILBOX, Mail};
use super::table::{Greeting, Live, Table};
use crate::clock::Clock;
use crate::net::{Batch, Exit as _, Outbox, SendOutcome, Socket};
use crate::signing::Signers;
use crate::timers::Timers;
use jsp_proto::connection::Connection;
use jsp_proto::endpoint::{self as router, Incoming, Routed};
use jsp_proto::ids::ConnectionHandle;
use jsp_proto::record::{Received, Transmit};
use jsp_proto::rng::Rng;
use jsp_proto::time::Time;
use std::io::{self, ErrorKind};

/// Room for a stateless answer.
pub(super) const REPLY: usize = 1500;
/// Trains that a connection sends before others have their turn: about 1 MiB.
const TURN: usize = 16;
/// Turns of connections before the caller's other work has its own: about 4 MiB.
const TURNS: usize = 4;
/// Connections that are asked for what they have to send, before the caller's other work.
const VISITS: usize = 1024;
/// Bytes and batches that are received before what they led to is acted on.
const RECEIVED: usize = 1 << 19;
const BATCHES: usize = 8;
/// Failures of the socket in a row after which it counts as broken.
const FAILURES: u32 = 100;

/// Connections with the ground that they stand on.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) socket: Socket,
    pub(super) clock: Clock,
    pub(super) router: router::Endpoint,
    pub(super) table: Table,
    pub(super) outbox: Outbox,
    timers: Timers,
    /// To other shards and from them, where there are any.
    pub(super) mail: Option<Mail>,
    rng: Rng,
    failures: u32,
    /// Whether the socket may have more to read: it tells of what arrives, not of what is left.
    unread: bool,
    /// Connections of which the application knows that they have ended, and of which the network needs
    /// to know no more.
    over: Vec<u32>,
    /// Timers that are due; kept for its capacity.
    rung: Vec<u32>,
}

impl Core {
    pub(super) fn new(socket: Socket, router: router::Endpoint, rng: Rng) -> Self {
        Self {
            socket,
            clock: Clock::start(),
            router,
            table: Table::default(),
            outbox: Outbox::new(),
            timers: Timers::new(),
            mail: None,
            rng,
            failures: 0,
            unread: true,
            over: Vec::new(),
            rung: Vec::new(),
        }
    }

    /// Takes a connection in.
    pub(super) fn enter(&mut self, engine: Connection, signers: Signers) -> ConnectionHandle {
        let rng = Rng::new(&self.rng.seed(), "link");
        self.table.insert(engine, Greeting { signers, rng })
    }

    /// Receives what is there, within bounds, and leads it to its connections. Who wants to connect is
    /// given to `door`. Returns whether there was anything.
    pub(super) fn receive(
        &mut self,
        batch: &mut Batch,
        now: Time,
        door: &mut impl FnMut(&mut Self, Incoming),
    ) -> io::Result<bool> {
        let mut bytes = 0;
        for _ in 0..BATCHES {
            self.unread = bytes >= RECEIVED;
            if self.unread {
                break;
            }
            let Some(received) = self.receive_batch(batch, now, door)? else { break };
            bytes += received;
            if !self.unread {
                break;
            }
        }
        Ok(bytes > 0)
    }

    /// Looks for a single message, and leads its datagrams to their connection. Returns whether there
    /// was one.
    pub(super) fn glance(
        &mut self,
        batch: &mut Batch,
        now: Time,
        door: &mut impl FnMut(&mut Self, Incoming),
    ) -> io::Result<bool> {
        batch.expect_one();
        Ok(self.receive_batch(batch, now, door)?.is_some_and(|bytes| bytes > 0))
    }

    /// Receives a batch; its bytes, or `None` if nothing was there.
    fn receive_batch(
        &mut self,
        batch: &mut Batch,
        now: Time,
        door: &mut impl FnMut(&mut Self, Incoming),
    ) -> io::Result<Option<usize>> {
        match self.socket.recv(batch) {
            Ok(()) => self.failures = 0,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.unread = false;
                return Ok(None);
            }
            Err(error) => {
                self.failures += 1;
                tracing::debug!(%error, "receiving failed");
                if self.failures >= FAILURES {
                    return Err(error);
                }
                self.unread = true;
                return Ok(Some(0));
            }
        }
        self.unread = batch.is_full() || Batch::MESSAGES > quinn_udp::BATCH_SIZE;
        let mut bytes = 0;
        for (message, datagrams) in batch.messages() {
            bytes += datagrams.len();
            self.route(now, &message.received, datagrams, message.segment, door);
        }
        Ok(Some(bytes))
    }

    /// Leads the datagrams of a message to their connections, and those of other shards to them.
    fn route(
        &mut self,
        now: Time,
        meta: &Received,
        mut bytes: &mut [u8],
        segment: usize,
        door: &mut impl FnMut(&mut Self, Incoming),
    ) {
        while !bytes.is_empty() {
            let run = self.router.route_run(bytes, segment);
            let strayed = match (&self.mail, run) {
                (Some(_), None) => self.router.steer_run(bytes, segment),
                _ => None,
            };
            let len = run.map(|(_, len)| len).or(strayed.map(|(_, len)| len)).unwrap_or(segment);
            let (here, rest) = bytes.split_at_mut(len.min(bytes.len()));
            bytes = rest;
            match (run, strayed) {
                (Some((handle, _)), _) => self.deliver(now, handle, meta, here, segment),
                (None, Some((shard, _))) => {
                    if let Some(mail) = &mut self.mail {
                        let bytes = Box::from(&*here);
                        mail.pass_on(shard, Letter { received: *meta, segment, bytes });
                    }
                }
                (None, None) => self.route_one(now, meta, here, door),
            }
        }
    }

    /// Takes what other shards have passed on. Returns whether there was anything.
    pub(super) fn take_letters(
        &mut self,
        now: Time,
        door: &mut impl FnMut(&mut Self, Incoming),
    ) -> bool {
        let Some(mut mail) = self.mail.take_if(|mail| mail.has_rung()) else { return false };
        // All that are there when this begins, and no more: a mailbox is bounded.
        let letters = std::iter::from_fn(|| mail.next()).take(MAILBOX);
        for Letter { received, segment, mut bytes } in letters {
            // Nothing is passed on twice.
            self.route(now, &received, &mut bytes, segment, door);
        }
        self.mail = Some(mail);
        true
    }

    fn deliver(
        &mut self,
        now: Time,
        handle: ConnectionHandle,
        meta: &Received,
        bytes: &mut [u8],
        segment: usize,
    ) {
        if let Some((live, lists)) = self.table.get(handle) {
            live.engine.handle_datagrams(now, meta, bytes, segment);
            lists.mark(live);
        }
    }

    fn route_one(
        &mut self,
        now: Time,
        meta: &Received,
        datagram: &mut [u8],
        door: &mut impl FnMut(&mut Self, Incoming),
    ) {
        let mut reply = [0; REPLY];
        let size = datagram.len();
        match self.router.handle(now, meta, datagram, &mut reply) {
            Routed::Connection(handle) => self.deliver(now, handle, meta, datagram, size),
            Routed::Incoming(incoming) => door(self, incoming),
            Routed::Reply(transmit) => self.answer(Some(transmit), &reply),
            Routed::Stray => {
                let handles: Vec<_> = self.router.connections_with(meta.remote).collect();
                for handle in handles {
                    // Each compares it with its own tokens, and would decrypt it in place.
                    self.deliver(now, handle, meta, &mut datagram.to_vec(), size);
                }
            }
            Routed::Dropped => {}
        }
    }

    /// Sends a stateless answer; it is lost if the socket is full.
    pub(super) fn answer(&mut self, transmit: Option<Transmit>, reply: &[u8]) {
        if let Some((transmit, bytes)) = transmit.and_then(|t| Some((t, reply.get(..t.len)?)))
            && !self.outbox.is_full()
            && self.socket.try_send(&transmit, bytes) == SendOutcome::Full
        {
            tracing::trace!(to = %transmit.remote, "an answer was lost: the socket is full");
        }
    }

    /// Lets time pass to `now`. Returns whether anything was due.
    pub(super) fn expire(&mut self, now: Time) -> bool {
        if self.router.next_timeout().is_some_and(|at| at <= now) {
            self.router.handle_timeout(now);
        }
        self.timers.expire(now, &mut self.rung);
        let mut any = false;
        for index in self.rung.drain(..) {
            let Some((live, lists)) = self.table.at(index) else { continue };
            let next = live.engine.next_timeout();
            live.alarm = next.filter(|at| *at > now);
            if let Some(later) = live.alarm {
                // It has moved since it was set: there is nothing to do but to wait on.
                self.timers.set(index, later);
                continue;
            }
            any = true;
            if next.is_some() {
                live.engine.handle_timeout(now);
            }
            if live.is_over() {
                self.over.push(index);
            } else {
                lists.mark(live);
            }
        }
        self.release();
        any
    }

    /// Sends what is due, within bounds.
    pub(super) fn flush(&mut self, now: Time) {
        if !self.outbox.resume(&mut self.socket) {
            return;
        }
        let segments = self.socket.max_segments();
        let mut turns = TURNS;
        for _ in 0..self.table.due().min(VISITS) {
            let Some((live, lists)) = self.table.take_due() else { break };
            let done = self.outbox.send(&mut self.socket, TURN, |train| {
                live.engine.poll_transmit(now, train, segments)
            });
            settle(live, &mut self.timers, &mut self.over);
            if !done {
                lists.mark_due(live);
                turns -= 1;
                if turns == 0 || self.outbox.is_full() {
                    break;
                }
            }
        }
    }

    /// The application was told that a connection has ended.
    pub(super) fn on_told(&mut self, index: u32) {
        if let Some((live, _)) = self.table.at(index)
            && live.is_over()
        {
            self.over.push(index);
        }
    }

    /// Forgets connections that are over.
    pub(super) fn release(&mut self) {
        while let Some(index) = self.over.pop() {
            self.timers.clear(index);
            if let Some(handle) = self.table.remove(index) {
                self.router.release(handle);
            }
        }
    }

    /// Whether the next turn is to follow at once.
    pub(super) fn is_busy(&self) -> bool {
        let sends = self.table.due() > 0 && !self.outbox.is_full();
        // A turn forgets who is over, which a caller may be waiting for.
        sends || self.unread || self.table.is_eventful() || !self.over.is_empty()
    }

    /// When the next timer is due, or a little before.
    pub(super) fn next_timeout(&self) -> Option<Time> {
        [self.timers.next(), self.router.next_timeout()].into_iter().flatten().min()
    }
}

/// Looks where a connection stands after it has sent.
fn settle(live: &mut Live, timers: &mut Timers, over: &mut Vec<u32>) {
    let index = live.engine.handle().index;
    if live.engine.is_drained() {
        if live.is_over() {
            over.push(index);
        }
    } else if let Some(at) = live.engine.next_timeout()
        && live.alarm.is_none_or(|set| at < set)
    {
        timers.set(index, at);
        live.alarm = Some(at);
    }
}
