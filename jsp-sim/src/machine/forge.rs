//! A peer that lies: packets that an honest one would never send, sealed with its keys.
//!
//! Whoever knows a connection's secrets can speak in its peer's name. A machine notes the traffic secrets of its
//! own connections, which are those of both directions, for nothing but this.

use super::Machine;
use crate::invariant::{Latest, Watch};
use crate::world::Context;
use jsp_proto::crypto::{Provider, Secret, Suite};
use jsp_proto::handshake::{self, KeyLog, label};
use jsp_proto::ids::{ConnectionHandle, Ecn, PacketNumber, PathId, Side};
use jsp_proto::protection::SealKey;
use jsp_proto::record::Received;
use jsp_proto::time::Duration;
use jsp_proto::wire::frame::AckFrame;
use jsp_proto::wire::header::encode_short;
use jsp_proto::wire::{Full, Put, TruncatedNumber, Writer};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How far the number of a forged packet lies above the last one that came from the peer, so that it is
/// not one of those under way; and how far the number that it acknowledges lies above the last one sent.
const AHEAD: u64 = 1000;

/// The first traffic secrets of one connection: the client's and the server's.
pub(super) struct TrafficSecrets {
    secrets: Mutex<[Option<Secret>; 2]>,
    /// Where the application has its secrets written.
    log: Option<Arc<dyn KeyLog>>,
}

impl TrafficSecrets {
    fn new(log: Option<Arc<dyn KeyLog>>) -> Arc<Self> {
        Arc::new(Self { secrets: Mutex::default(), log })
    }

    /// Settings for one connection, whose secrets are noted.
    pub(super) fn of_client(
        config: &handshake::ClientConfig,
    ) -> (Arc<handshake::ClientConfig>, Arc<Self>) {
        let secrets = Self::new(config.key_log.clone());
        let key_log: Option<Arc<dyn KeyLog>> = Some(secrets.clone());
        (Arc::new(handshake::ClientConfig { key_log, ..config.clone() }), secrets)
    }

    /// The same for a server.
    pub(super) fn of_server(
        config: &handshake::ServerConfig,
    ) -> (Arc<handshake::ServerConfig>, Arc<Self>) {
        let secrets = Self::new(config.key_log.clone());
        let key_log: Option<Arc<dyn KeyLog>> = Some(secrets.clone());
        (Arc::new(handshake::ServerConfig { key_log, ..config.clone() }), secrets)
    }

    fn lock(&self) -> MutexGuard<'_, [Option<Secret>; 2]> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What protects the first packets of data of `side`.
    fn of(&self, side: Side) -> Option<Secret> {
        self.lock()[usize::from(side == Side::Server)].clone()
    }
}

impl KeyLog for TrafficSecrets {
    fn log(&self, name: &str, client_random: &[u8; 32], secret: &[u8]) {
        let of = match name {
            label::CLIENT_TRAFFIC => Some(0),
            label::SERVER_TRAFFIC => Some(1),
            _ => None,
        };
        if let (Some(of), Ok(secret)) = (of, secret.try_into()) {
            self.lock()[of] = Some(Secret::new(secret));
        }
        if let Some(log) = &self.log {
            log.log(name, client_random, secret);
        }
    }
}

impl fmt::Debug for TrafficSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrafficSecrets").finish_non_exhaustive()
    }
}

impl Machine {
    /// Hands a connection a packet as its peer would seal it, that acknowledges what was never sent, and
    /// settles it. A sound connection ends over it (RFC 9000, section 13.1).
    ///
    /// Returns whether that could be done: not before packets of data went both ways, and not once the
    /// connection has ended. The peer knows nothing of it. Its own packets keep their numbers, and stay
    /// readable as far as the window of numbers reaches.
    pub fn forge(&mut self, context: &mut Context<'_>, handle: ConnectionHandle) -> bool {
        let Some(session) = self.sessions.get_mut(&handle) else { return false };
        let connection = &mut session.connection;
        let secret = session.secrets.of(connection.side().peer());
        let latest = session.watch.as_ref().and_then(Watch::latest);
        let (Some(suite), Some(secret), Some(latest), false) =
            (connection.suite(), secret, latest, connection.is_closed())
        else {
            return false;
        };
        let Ok(mut packet) = lie(&*self.provider, suite, &secret, &latest) else { return false };
        let local = Some(self.address.ip());
        let meta = Received { remote: connection.remote(), local, ecn: Ecn::NotEct };
        let len = packet.len();
        connection.handle_datagrams(context.now, &meta, &mut packet, len);
        self.settle(context, handle);
        true
    }
}

/// A packet of data that acknowledges one that was never sent. It demands no answer.
fn lie(
    provider: &dyn Provider,
    suite: Suite,
    secret: &Secret,
    latest: &Latest,
) -> Result<Vec<u8>, Full> {
    let number = PacketNumber(latest.received.0 + AHEAD);
    let never = latest.sent.0 + AHEAD;
    let truncated = TruncatedNumber::new(number, None);
    let mut packet = vec![0; 100];
    let mut w = Writer::new(&mut packet);
    let header = encode_short(&mut w, &latest.dcid, latest.generation & 1 == 1, truncated)?;
    AckFrame::write(&mut w, 64, [never..=never].into_iter(), Duration::ZERO, None)?;
    // PADDING for header protection to sample, and the tag's place.
    w.put(&[0; 4])?;
    w.put(&[0; 16])?;
    let len = w.len();
    packet.truncate(len);
    let key = SealKey::of_generation(provider, suite, secret, latest.generation);
    key.seal(PathId(0), number, &mut packet, header.number_at, truncated.len());
    Ok(packet)
}
