//! First flights: ClientHellos gathered from their fragments, within caps (`spec/13-endpoint.md`).
//!
//! Nothing here is acknowledged or answered. An attempt is known by the client's address and the
//! destination ID of its packets; it becomes an [`Incoming`](super::Incoming) once its ClientHello
//! is whole, and is then remembered for a while, so that copies of the flight find its connection.

use super::config::Limits;
use super::quota::Prefix;
use crate::connection::OpenedInitial;
use crate::crypto::Provider;
use crate::handshake::{Assembler, ClientHelloInfo, Peeked, peek_client_hello};
use crate::ids::{ConnectionHandle, ConnectionId, Ecn, PacketNumber, Side, Space};
use crate::protection::{LevelKeys, ReceivedWindow};
use crate::record::Received;
use crate::time::{Duration, Time};
use crate::wire::frame::{Frame, Frames};
use crate::wire::header::Protected;
use crate::wire::permission::permitted;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::SocketAddr;

/// How many pieces of a ClientHello may lie apart.
const MAX_GAPS: usize = 4;
/// How many packets of a first flight are noted: with those that a probe timeout sent again.
const MAX_PACKETS: usize = 16;
/// How many bytes of ClientHello are gathered.
const MAX_HELLO: u32 = 4096;
/// How many bytes of datagrams are kept of a first flight that a tap is to see; it is not shown the rest.
const MAX_SHOWN: usize = 16 << 10;
/// How long copies of a first flight are led to its connection.
const REMEMBERED: Duration = Duration::from_secs(15);
/// How many first flights are remembered at once; the oldest give way.
const MAX_REMEMBERED: usize = 16_384;

/// What tells attempts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) remote: SocketAddr,
    pub(super) dcid: ConnectionId,
}

/// What a valid token says of an attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Validated {
    pub(super) original_dcid: ConnectionId,
    pub(super) retry_scid: ConnectionId,
}

/// A datagram that begins with an Initial packet.
pub(super) struct Arrival<'a> {
    pub(super) meta: &'a Received,
    pub(super) initial: &'a Protected,
    pub(super) validated: Option<Validated>,
    /// Whether a tap is to see the packets of the first flight.
    pub(super) tapped: bool,
    pub(super) datagram: &'a mut [u8],
}

/// A ClientHello of which a part is missing.
struct Partial {
    keys: LevelKeys,
    window: ReceivedWindow,
    hello: Assembler,
    packets: Vec<(PacketNumber, Ecn)>,
    shown: Vec<OpenedInitial>,
    scid: ConnectionId,
    received: usize,
    validated: Option<Validated>,
}

/// A whole first flight.
pub(super) struct Complete {
    pub(super) scid: ConnectionId,
    pub(super) hello: Vec<u8>,
    pub(super) info: ClientHelloInfo,
    pub(super) packets: Vec<(PacketNumber, Ecn)>,
    pub(super) shown: Vec<OpenedInitial>,
    pub(super) received: usize,
    pub(super) validated: Option<Validated>,
}

/// What is remembered of an attempt.
enum Attempt {
    Partial(Box<Partial>),
    /// Handed to the application, which has not decided yet, or refused it.
    Decided(Option<ConnectionHandle>),
}

/// What became of a datagram.
#[expect(clippy::large_enum_variant, reason = "moved once, never stored")]
pub(super) enum Outcome {
    /// Kept or dropped; there is nothing to say.
    Silence,
    /// The caps are reached: a Retry is due, for which nothing is kept.
    Retry { scid: ConnectionId },
    /// The ClientHello is whole.
    Complete(Complete),
}

/// All attempts of an endpoint.
#[derive(Default)]
pub(super) struct Admission {
    attempts: BTreeMap<Key, Attempt>,
    /// Partial attempts, oldest first: they live equally long.
    partial: VecDeque<(Time, Key)>,
    /// Decided ones, oldest first.
    decided: VecDeque<(Time, Key)>,
    per_prefix: BTreeMap<Prefix, usize>,
}

impl Admission {
    /// The connection that a first flight led to.
    pub(super) fn find(&self, key: &Key) -> Option<ConnectionHandle> {
        match self.attempts.get(key)? {
            Attempt::Partial(_) => None,
            Attempt::Decided(handle) => *handle,
        }
    }

    /// Whether an attempt's flight was whole already: nothing more of it is looked at.
    pub(super) fn is_decided(&self, key: &Key) -> bool {
        matches!(self.attempts.get(key), Some(Attempt::Decided(_)))
    }

    /// Takes a datagram that begins with an Initial packet of an attempt that is not decided.
    pub(super) fn receive(
        &mut self,
        now: Time,
        limits: &Limits,
        provider: &dyn Provider,
        arrival: Arrival<'_>,
    ) -> Outcome {
        let Arrival { meta, initial, validated, tapped, datagram } = arrival;
        self.expire(now, limits);
        let key = Key { remote: meta.remote, dcid: initial.dcid };
        if let Some(Attempt::Partial(partial)) = self.attempts.get_mut(&key) {
            let outcome = partial.receive(meta, initial, tapped, datagram);
            if matches!(outcome, Outcome::Complete(_)) {
                self.partial.retain(|(_, other)| *other != key);
                self.drop_partial(&key);
            }
            return outcome;
        }
        let mut partial = Partial::new(provider, initial, validated);
        match partial.receive(meta, initial, tapped, datagram) {
            Outcome::Complete(complete) => return Outcome::Complete(complete),
            _ if partial.packets.is_empty() => return Outcome::Silence,
            _ => {}
        }
        let prefix = Prefix::from(meta.remote.ip());
        let neighbours = self.per_prefix.get(&prefix).copied().unwrap_or(0);
        let full = self.partial.len() >= limits.partial_hellos;
        if full || neighbours >= limits.partial_hellos_per_prefix {
            if validated.is_none() {
                return Outcome::Retry { scid: initial.scid };
            }
            // Whoever has proved an address displaces the oldest, who may come back with a token.
            self.evict((!full).then_some(prefix));
        }
        self.attempts.insert(key, Attempt::Partial(Box::new(partial)));
        self.partial.push_back((now, key));
        *self.per_prefix.entry(prefix).or_default() += 1;
        Outcome::Silence
    }

    /// Remembers that a whole first flight was handed to the application.
    pub(super) fn remember(&mut self, now: Time, key: Key) {
        if self.decided.len() >= MAX_REMEMBERED
            && let Some((_, oldest)) = self.decided.pop_front()
        {
            self.forget(&oldest);
        }
        self.attempts.insert(key, Attempt::Decided(None));
        self.decided.push_back((now, key));
    }

    /// Remembers that the application has accepted an attempt (or refused it: `None`).
    pub(super) fn settle(&mut self, key: &Key, handle: Option<ConnectionHandle>) {
        if let Some(attempt) = self.attempts.get_mut(key) {
            *attempt = Attempt::Decided(handle);
        }
    }

    /// Forgets an attempt, which may begin anew.
    pub(super) fn forget(&mut self, key: &Key) {
        if let Some(Attempt::Decided(_)) = self.attempts.get(key) {
            self.attempts.remove(key);
        }
    }

    /// How many attempts hold a part of a ClientHello.
    pub(super) fn partial_count(&self) -> usize {
        self.partial.len()
    }

    /// When something expires.
    pub(super) fn next_timeout(&self, limits: &Limits) -> Option<Time> {
        let partial = self.partial.front().map(|(since, _)| *since + limits.partial_lifetime);
        let decided = self.decided.front().map(|(since, _)| *since + REMEMBERED);
        [partial, decided].into_iter().flatten().min()
    }

    /// Forgets what has had its time.
    pub(super) fn expire(&mut self, now: Time, limits: &Limits) {
        while let Some(&(since, key)) = self.partial.front() {
            if now < since + limits.partial_lifetime {
                break;
            }
            self.partial.pop_front();
            self.drop_partial(&key);
        }
        while let Some(&(since, key)) = self.decided.front() {
            if now < since + REMEMBERED {
                break;
            }
            self.decided.pop_front();
            self.forget(&key);
        }
    }

    fn evict(&mut self, prefix: Option<Prefix>) {
        let oldest = self.partial.iter().position(|(_, key)| {
            prefix.is_none_or(|prefix| Prefix::from(key.remote.ip()) == prefix)
        });
        if let Some((_, key)) = oldest.and_then(|at| self.partial.remove(at)) {
            self.drop_partial(&key);
        }
    }

    fn drop_partial(&mut self, key: &Key) {
        if let Some(Attempt::Partial(_)) = self.attempts.get(key) {
            self.attempts.remove(key);
        }
        let prefix = Prefix::from(key.remote.ip());
        if let Some(count) = self.per_prefix.get_mut(&prefix) {
            *count -= 1;
            if *count == 0 {
                self.per_prefix.remove(&prefix);
            }
        }
    }
}

impl Partial {
    fn new(provider: &dyn Provider, initial: &Protected, validated: Option<Validated>) -> Self {
        Self {
            keys: LevelKeys::initial(provider, &initial.dcid, Side::Server),
            window: ReceivedWindow::new(),
            hello: Assembler::new(MAX_HELLO, MAX_GAPS),
            packets: Vec::new(),
            shown: Vec::new(),
            scid: initial.scid,
            received: 0,
            validated,
        }
    }

    fn receive(
        &mut self,
        meta: &Received,
        initial: &Protected,
        tapped: bool,
        datagram: &mut [u8],
    ) -> Outcome {
        let size = datagram.len();
        let known = self.scid == initial.scid && self.packets.len() < MAX_PACKETS;
        let (Some(packet), true) = (datagram.get_mut(..initial.end), known) else {
            return Outcome::Silence;
        };
        let Ok(opened) = self.keys.open(&mut self.window, packet, initial.number_at) else {
            return Outcome::Silence;
        };
        let Some(payload) = packet.get(opened.payload.clone()) else { return Outcome::Silence };
        if self.take_frames(payload).is_none() {
            return Outcome::Silence;
        }
        if tapped
            && self.shown.iter().map(|shown| shown.datagram).sum::<usize>() + size <= MAX_SHOWN
        {
            self.shown.push(OpenedInitial {
                number: opened.number,
                packet: packet.to_vec(),
                payload: opened.payload,
                datagram: size,
            });
        }
        self.packets.push((opened.number, meta.ecn));
        self.received += size;
        match peek_client_hello(self.hello.ready()) {
            Ok(Peeked::Whole(info)) => Outcome::Complete(Complete {
                scid: self.scid,
                hello: self.hello.take(info.len),
                info,
                packets: core::mem::take(&mut self.packets),
                shown: core::mem::take(&mut self.shown),
                received: self.received,
                validated: self.validated,
            }),
            _ => Outcome::Silence,
        }
    }

    /// Takes handshake bytes; `None` if the packet holds anything that a first flight does not.
    fn take_frames(&mut self, payload: &[u8]) -> Option<()> {
        for frame in Frames::new(payload) {
            let (kind, frame) = frame.ok()?;
            permitted(kind, Space::Initial, Side::Client).then_some(())?;
            match frame {
                Frame::Crypto { offset, data } => self.hello.insert(offset, data).ok()?,
                Frame::Padding(_) | Frame::Ping => {}
                _ => return None,
            }
        }
        Some(())
    }
}
