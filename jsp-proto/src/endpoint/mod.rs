//! An endpoint: the pure router between datagrams and connections, client and server in one.
//!
//! It owns no connection. Connection IDs are sealed by a key that connections share, so a datagram
//! is led to its connection by opening its ID, without a table and without a word between the two.
//!
//! ```text
//!                      ┌─ ID of ours ───────────▶ Routed::Connection
//!  datagram ─▶ handle ─┼─ first flight, whole ──▶ Routed::Incoming ─▶ accept, refuse, retry, ignore
//!                      ├─ answered statelessly ─▶ Routed::Reply
//!                      └─ strange ──────────────▶ Routed::Stray, Routed::Dropped
//! ```

mod admission;
mod config;
mod quota;
mod reply;
mod slots;
mod steering;

pub use config::{ClientConfig, EndpointConfig, Limits, ServerConfig};

use crate::cid::{CidKey, ResetKey};
use crate::connection::{Connection, FirstFlight, Setup};
use crate::crypto::Secret;
use crate::error::{Code, TransportError};
use crate::handshake::ClientHelloInfo;
use crate::ids::{ConnectionHandle, ConnectionId, ShardIndex};
use crate::record::{Received, Transmit};
use crate::rng::{Rng, Seed};
use crate::time::Time;
use crate::token::{RetryToken, TokenKey};
use crate::wire::Full;
use crate::wire::header::{Kind, LONG, Packet, Protected};
use crate::wire::parameters::MIN_DATAGRAM;
use admission::{Admission, Arrival, Complete, Key, Outcome, Validated};
use alloc::sync::Arc;
use core::net::{IpAddr, SocketAddr};
use quota::{Bucket, Prefix, Quota};
use slots::Slots;
use steering::{Steering, shard_seed};

/// Where a datagram goes.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "moved once, never stored")]
pub enum Routed {
    /// To this connection.
    Connection(ConnectionHandle),
    /// A client wants to connect: accept, refuse, retry or ignore it.
    Incoming(Incoming),
    /// An answer was written to `reply`.
    Reply(Transmit),
    /// It belongs to no connection by its ID, but may be a stateless reset of one: it is to be given
    /// to each of [`Endpoint::connections_with`] its sender.
    Stray,
    /// Nowhere.
    Dropped,
}

/// A client's whole first flight, not yet answered.
pub struct Incoming {
    key: Key,
    meta: Received,
    flight: FirstFlight,
    info: ClientHelloInfo,
}

impl Incoming {
    /// The client's address.
    pub fn remote(&self) -> SocketAddr {
        self.meta.remote
    }

    /// Whether the client has proved that it receives at its address.
    pub fn is_validated(&self) -> bool {
        self.flight.validated
    }

    /// What the client asks for, in the clear and unauthenticated.
    pub fn hello(&self) -> &ClientHelloInfo {
        &self.info
    }
}

impl core::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Incoming")
            .field("remote", &self.meta.remote)
            .field("validated", &self.flight.validated)
            .finish_non_exhaustive()
    }
}

/// Why no connection was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// The endpoint has as many connections as it may.
    TooMany,
    /// Nobody can be reached at the address: its port or host is 0.
    BadAddress,
    /// The provider could not make a key.
    Crypto,
}

impl core::fmt::Display for ConnectError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::TooMany => "the endpoint has as many connections as it may",
            Self::BadAddress => "the address has port or host 0",
            Self::Crypto => "the cryptographic provider could not make a key",
        })
    }
}

impl core::error::Error for ConnectError {}

/// Why an incoming connection was not made, and what the client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptError {
    /// What is wrong: [`Code::REFUSED`] if the endpoint takes no more connections.
    pub error: TransportError,
    /// The answer that was written to `reply`, to be sent.
    pub transmit: Option<Transmit>,
}

impl core::fmt::Display for AcceptError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.error.fmt(f)
    }
}

impl core::error::Error for AcceptError {}

const REFUSED: TransportError =
    TransportError::new(Code::REFUSED, "the server does not take this connection");

/// Router, doorkeeper and maker of connections.
pub struct Endpoint {
    config: EndpointConfig,
    server: Option<Arc<ServerConfig>>,
    rng: Rng,
    cid_key: Arc<CidKey>,
    steering: Steering,
    /// The ID that was last found to be of this shard, and where it leads: datagrams of one connection often come
    /// one after the other.
    routed: Option<([u8; ConnectionId::LEN], ConnectionHandle)>,
    reset_key: Arc<ResetKey>,
    token_key: TokenKey,
    slots: Slots,
    admission: Admission,
    unvalidated: Quota,
    replies: Bucket,
}

impl Endpoint {
    /// An endpoint that connects; [`Self::set_server`] makes it take connections as well. Everything
    /// random follows from `seed`, which the shards of a server have in common.
    pub fn new(config: EndpointConfig, seed: &Seed) -> Self {
        let provider = &config.provider;
        let secret = |seed, name| Secret::new(Rng::new(seed, name).array());
        let reset = config.reset_key.clone().unwrap_or_else(|| secret(seed, "reset key"));
        let own = shard_seed(seed, config.shard);
        let cid_key = CidKey::new(&**provider, &secret(seed, "cid key"), config.shard.index());
        let cid_key = Arc::new(cid_key);
        Self {
            server: None,
            rng: Rng::new(&own, "endpoint"),
            steering: Steering::new(Arc::clone(&cid_key), config.shard, config.limits.connections),
            slots: Slots::new(Arc::clone(&cid_key)),
            cid_key,
            routed: None,
            reset_key: Arc::new(ResetKey::new(Arc::clone(provider), reset)),
            token_key: TokenKey::new(&**provider, &secret(&own, "token key")),
            admission: Admission::default(),
            unvalidated: Quota::new(config.limits.unvalidated_per_second),
            replies: Bucket::new(Time::ZERO, config.limits.replies_per_second),
            config,
        }
    }

    /// Sets how connections are taken from now on; `None` takes none. Identities are rotated by
    /// setting a new configuration: connections that exist keep theirs.
    pub fn set_server(&mut self, server: Option<Arc<ServerConfig>>) {
        self.server = server;
    }

    /// How many connections exist.
    pub fn connections(&self) -> usize {
        self.slots.len()
    }

    /// How many first flights wait for their missing parts.
    pub fn partial_hellos(&self) -> usize {
        self.admission.partial_count()
    }

    /// Begins a connection. Its first flight awaits [`Connection::poll_transmit`].
    pub fn connect(
        &mut self,
        now: Time,
        config: &ClientConfig,
        remote: SocketAddr,
        local: Option<IpAddr>,
    ) -> Result<Connection, ConnectError> {
        if remote.port() == 0 || remote.ip().is_unspecified() {
            return Err(ConnectError::BadAddress);
        }
        let handle =
            self.slots.take(remote, self.config.limits.connections).ok_or(ConnectError::TooMany)?;
        let setup = self.setup(handle, remote, local, Arc::clone(&config.transport));
        Connection::client(now, setup, &config.handshake).map_err(|_| {
            self.slots.free(handle);
            ConnectError::Crypto
        })
    }

    /// How many bytes at the front of a batch of datagrams of `segment` bytes each go to one
    /// connection, and to which: the fast path for what generic receive offload gives. `None` if the
    /// first datagram must go through [`Self::handle`].
    pub fn route_run(&mut self, batch: &[u8], segment: usize) -> Option<(ConnectionHandle, usize)> {
        let segment = segment.max(1);
        let first = *short_dcid(batch.get(..segment).unwrap_or(batch))?;
        let handle = match self.routed {
            Some((id, handle)) if id == first => handle,
            _ => {
                let (handle, _) = self.cid_key.decode_own(&first)?;
                self.routed = Some((first, handle));
                handle
            }
        };
        if !self.slots.is_live(handle) {
            return None;
        }
        let mut end = segment;
        while end < batch.len()
            && let Some(rest) = batch.get(end..)
            && short_dcid(rest.get(..segment).unwrap_or(rest)) == Some(&first)
        {
            end += segment;
        }
        Some((handle, end.min(batch.len())))
    }

    /// Which other shard the front of a batch of datagrams of `segment` bytes each belongs to, and how
    /// many bytes of it: those that name the same connection. It is asked where [`Self::route_run`] knows
    /// no connection; what it tells goes to that shard's endpoint, as it came. `None` if this shard may
    /// take the first datagram.
    ///
    /// That is so for IDs that no shard has issued. A client's own choice and a stateless reset's random
    /// bytes look like an ID of another shard by chance, once in 2^32 for each slot that the shards may use
    /// together. Every shard then sees the same in them, so the parts of a ClientHello still meet.
    pub fn steer_run(&self, batch: &[u8], segment: usize) -> Option<(ShardIndex, usize)> {
        self.steering.run(batch, segment)
    }

    /// Which other shard an Initial packet belongs to whose ID its client chose: a keyed hash of the ID
    /// tells, for all of a first flight alike. It is for systems that spread the datagrams of one client
    /// over sockets, or give all to one. Where they keep a client with one socket it is better left there:
    /// what follows would have to be steered, too. `None` if this shard is to take it, and for all other
    /// datagrams.
    ///
    /// Who does not know the key cannot choose the shard, only have all attempts meet one: its caps hold
    /// there, and the other shards do not notice.
    pub fn steer_first_flight(&self, datagram: &[u8]) -> Option<ShardIndex> {
        self.steering.first_flight(datagram)
    }

    /// Finds out where a datagram goes. What it says of a connection is not yet authenticated; the
    /// connection does that. A stateless answer is written to `reply`, which should have room for
    /// 1200 bytes.
    pub fn handle(
        &mut self,
        now: Time,
        meta: &Received,
        datagram: &mut [u8],
        reply: &mut [u8],
    ) -> Routed {
        let Ok(packet) = Packet::parse(datagram) else {
            return self.stray(now, meta, datagram, reply);
        };
        match packet {
            Packet::Protected(protected) => {
                if let Some(handle) = self.find(meta, &protected.dcid) {
                    return Routed::Connection(handle);
                }
                match protected.kind {
                    Kind::Data => self.stray(now, meta, datagram, reply),
                    Kind::Initial => self.initial(now, meta, &protected, datagram, reply),
                    Kind::Early | Kind::Handshake => Routed::Dropped,
                }
            }
            Packet::Retry { dcid, .. } | Packet::Negotiation { dcid, .. } => {
                self.find(meta, &dcid).map_or(Routed::Dropped, Routed::Connection)
            }
            Packet::Other { dcid, scid, .. } => {
                if self.server.is_none()
                    || datagram.len() < usize::from(MIN_DATAGRAM)
                    || !self.may_reply(now)
                {
                    return Routed::Dropped;
                }
                let written = reply::version_negotiation(&mut self.rng, reply, &scid, &dcid);
                replied(meta, written)
            }
        }
    }

    /// The connections with a peer, for datagrams that name none ([`Routed::Stray`]); at most 64.
    pub fn connections_with(
        &self,
        remote: SocketAddr,
    ) -> impl Iterator<Item = ConnectionHandle> + '_ {
        self.slots.with_peer(remote).take(64)
    }

    /// Takes an incoming connection, with `config` or else the one of [`Self::set_server`]. If that
    /// cannot be, an answer that says why is written to `reply`.
    pub fn accept(
        &mut self,
        now: Time,
        incoming: &Incoming,
        config: Option<&Arc<ServerConfig>>,
        reply: &mut [u8],
    ) -> Result<Connection, AcceptError> {
        let config = config.or(self.server.as_ref()).map(Arc::clone);
        self.try_accept(now, incoming, config).map_err(|error| AcceptError {
            error,
            transmit: self.turn_away(incoming, &error, reply),
        })
    }

    fn try_accept(
        &mut self,
        now: Time,
        incoming: &Incoming,
        config: Option<Arc<ServerConfig>>,
    ) -> Result<Connection, TransportError> {
        let Incoming { key, meta, flight, .. } = incoming;
        let config = config.ok_or(REFUSED)?;
        let max = self.config.limits.connections;
        let handle = self.slots.take(meta.remote, max).ok_or(REFUSED)?;
        let transport = Arc::clone(&config.transport);
        let setup = self.setup(handle, meta.remote, meta.local, transport);
        let connection = Connection::server(now, setup, &config.handshake, flight)
            .inspect_err(|_| self.slots.free(handle))?;
        self.admission.settle(key, Some(handle));
        Ok(connection)
    }

    /// Refuses an incoming connection: the client learns it at once.
    pub fn refuse(&mut self, incoming: &Incoming, reply: &mut [u8]) -> Option<Transmit> {
        self.turn_away(incoming, &REFUSED, reply)
    }

    fn turn_away(
        &mut self,
        incoming: &Incoming,
        error: &TransportError,
        reply: &mut [u8],
    ) -> Option<Transmit> {
        let Incoming { key, meta, flight, .. } = incoming;
        self.admission.settle(key, None);
        let scid = ConnectionId::from(self.rng.array());
        let provider = &*self.config.provider;
        let written = reply::refusal(provider, reply, &flight.scid, &flight.dcid, &scid, error);
        written.ok().map(|len| reply::transmit(meta, len))
    }

    /// Asks an incoming connection for proof of its address; nothing is kept of it. A client that
    /// has proved it already is refused instead.
    pub fn retry(&mut self, now: Time, incoming: &Incoming, reply: &mut [u8]) -> Option<Transmit> {
        if incoming.flight.validated {
            return self.refuse(incoming, reply);
        }
        self.admission.forget(&incoming.key);
        let Incoming { meta, flight, .. } = incoming;
        let written = self.write_retry(now, meta, &flight.dcid, &flight.scid, reply);
        written.ok().map(|len| reply::transmit(meta, len))
    }

    /// Leaves an incoming connection without an answer; copies of its flight go nowhere either.
    pub fn ignore(&mut self, incoming: &Incoming) {
        self.admission.settle(&incoming.key, None);
    }

    /// Frees the slot of a connection that is drained. Its IDs then lead nowhere.
    pub fn release(&mut self, handle: ConnectionHandle) {
        self.slots.free(handle);
    }

    /// When [`Self::handle_timeout`] has something to forget.
    pub fn next_timeout(&self) -> Option<Time> {
        self.admission.next_timeout(&self.config.limits)
    }

    /// Forgets first flights that stayed incomplete, or were decided long ago.
    pub fn handle_timeout(&mut self, now: Time) {
        self.admission.expire(now, &self.config.limits);
    }

    fn setup(
        &mut self,
        handle: ConnectionHandle,
        remote: SocketAddr,
        local: Option<IpAddr>,
        config: Arc<crate::connection::TransportConfig>,
    ) -> Setup {
        Setup {
            handle,
            cid_key: Arc::clone(&self.cid_key),
            reset_key: Arc::clone(&self.reset_key),
            seed: self.rng.seed(),
            remote,
            local,
            config,
        }
    }

    /// The live connection that `dcid` names, or that a first flight to it led to.
    fn find(&self, meta: &Received, dcid: &ConnectionId) -> Option<ConnectionHandle> {
        let own = dcid.as_bytes().try_into().ok().and_then(|id| self.cid_key.decode_own(id));
        own.map(|(handle, _)| handle).filter(|handle| self.slots.is_live(*handle)).or_else(|| {
            let key = Key { remote: meta.remote, dcid: *dcid };
            self.admission.find(&key).filter(|handle| self.slots.is_live(*handle))
        })
    }

    /// An Initial packet of no connection.
    fn initial(
        &mut self,
        now: Time,
        meta: &Received,
        packet: &Protected,
        datagram: &mut [u8],
        reply: &mut [u8],
    ) -> Routed {
        let key = Key { remote: meta.remote, dcid: packet.dcid };
        let short = packet.dcid.as_bytes().len() < ConnectionId::LEN;
        if self.server.is_none()
            || datagram.len() < usize::from(MIN_DATAGRAM)
            || short
            || self.admission.is_decided(&key)
        {
            return Routed::Dropped;
        }
        let validated = self.validate(now, meta, packet, datagram);
        let limits = &self.config.limits;
        let provider = &*self.config.provider;
        let tapped = self.server.as_ref().is_some_and(|server| server.transport.taps.is_some());
        let arrival = Arrival { meta, initial: packet, validated, tapped, datagram };
        let outcome = self.admission.receive(now, limits, provider, arrival);
        match outcome {
            Outcome::Silence => Routed::Dropped,
            Outcome::Retry { scid } => self.stateless_retry(now, meta, &packet.dcid, &scid, reply),
            Outcome::Complete(complete) => {
                let prefix = Prefix::from(meta.remote.ip());
                let (total, each) =
                    (limits.unvalidated_per_second, limits.unvalidated_per_second_per_prefix);
                if complete.validated.is_none() && !self.unvalidated.take(now, prefix, total, each)
                {
                    return self.stateless_retry(now, meta, &packet.dcid, &complete.scid, reply);
                }
                self.admission.remember(now, key);
                Routed::Incoming(Self::incoming(key, meta, complete))
            }
        }
    }

    fn incoming(key: Key, meta: &Received, complete: Complete) -> Incoming {
        let Complete { scid, hello, info, packets, shown, received, validated } = complete;
        let flight = FirstFlight {
            dcid: key.dcid,
            scid,
            original_dcid: validated.map_or(key.dcid, |v| v.original_dcid),
            retry_scid: validated.map(|v| v.retry_scid),
            hello,
            packets,
            shown,
            received,
            validated: validated.is_some(),
        };
        Incoming { key, meta: *meta, flight, info }
    }

    /// What an Initial's token proves, if it is one of ours for this address and destination.
    fn validate(
        &self,
        now: Time,
        meta: &Received,
        packet: &Protected,
        datagram: &[u8],
    ) -> Option<Validated> {
        let token = datagram.get(packet.token.clone()).filter(|token| !token.is_empty())?;
        let lifetime = self.config.limits.token_lifetime;
        let token = self.token_key.open(token, meta.remote, now, lifetime).ok()?;
        let matches = token.scid == packet.dcid;
        matches.then_some(Validated { original_dcid: token.odcid, retry_scid: token.scid })
    }

    fn stateless_retry(
        &mut self,
        now: Time,
        meta: &Received,
        dcid: &ConnectionId,
        scid: &ConnectionId,
        reply: &mut [u8],
    ) -> Routed {
        if !self.may_reply(now) {
            return Routed::Dropped;
        }
        let written = self.write_retry(now, meta, dcid, scid, reply);
        replied(meta, written)
    }

    fn write_retry(
        &mut self,
        now: Time,
        meta: &Received,
        original: &ConnectionId,
        client: &ConnectionId,
        reply: &mut [u8],
    ) -> Result<usize, Full> {
        let slots = &self.slots;
        let scid = self.steering.retry_id(&mut self.rng, |handle| slots.is_live(handle));
        let token = RetryToken { remote: meta.remote, odcid: *original, scid, issued: now };
        let token = self.token_key.seal(&mut self.rng, &token);
        let provider = &*self.config.provider;
        reply::retry(provider, &mut self.rng, reply, client, original, &scid, &token)
    }

    /// A datagram that names no connection: perhaps a stateless reset for one of ours, perhaps of a
    /// connection that is gone.
    fn stray(&mut self, now: Time, meta: &Received, datagram: &[u8], reply: &mut [u8]) -> Routed {
        if self.slots.with_peer(meta.remote).next().is_some() {
            return Routed::Stray;
        }
        let Some(dcid) = short_dcid(datagram) else { return Routed::Dropped };
        let token = self.reset_key.token(&ConnectionId::from(*dcid));
        if !self.may_reply(now) {
            return Routed::Dropped;
        }
        reply::stateless_reset(&mut self.rng, reply, datagram.len(), &token)
            .map_or(Routed::Dropped, |len| Routed::Reply(reply::transmit(meta, len)))
    }

    fn may_reply(&mut self, now: Time) -> bool {
        self.replies.take(now, self.config.limits.replies_per_second)
    }
}

impl core::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Endpoint").field("connections", &self.slots.len()).finish_non_exhaustive()
    }
}

/// The destination of a packet with a short header.
fn short_dcid(datagram: &[u8]) -> Option<&[u8; ConnectionId::LEN]> {
    let (first, rest) = datagram.split_first()?;
    (first & LONG == 0).then(|| rest.first_chunk())?
}

fn replied(meta: &Received, written: Result<usize, Full>) -> Routed {
    written.map_or(Routed::Dropped, |len| Routed::Reply(reply::transmit(meta, len)))
}

#[cfg(test)]
#[cfg(feature = "rustcrypto")]
mod tests;
