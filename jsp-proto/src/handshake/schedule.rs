//! The key schedule, in the shape of TLS 1.3's (RFC 8446, section 7.1). Each stage is a type that
//! consumes the one before it, so no secret can be derived before what it must depend on.
//!
//! ```text
//!            0 (or a PSK)
//!                |
//!  0 ------> Extract = early
//!                |  "derived"
//!  X-Wing -> Extract = handshake ---> "c hs", "s hs"   (ClientHello..ServerHello)
//!                |  "derived"            '--> "finished"
//!  0 ------> Extract = master ------> "c ap", "s ap"   (ClientHello..server's Finished)
//!                '------------------> "exp", "res"     (ClientHello..client's Finished)
//! ```

use super::key_log::{KeyLog, label};
use crate::crypto::{Provider, Secret};
use crate::ids::Side;
use crate::protection::{MAX_LABEL, expand_label, expand_secret};
use alloc::sync::Arc;
use core::fmt;

const ZERO: [u8; 32] = [0; 32];

/// What every stage needs beside its secret.
pub(super) struct Tools {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) log: Option<Arc<dyn KeyLog>>,
    pub(super) client_random: [u8; 32],
}

impl Tools {
    fn extract(&self, name: &str, before: &Secret, input: &[u8]) -> Secret {
        let salt = expand_secret(&*self.provider, before, b"derived", &[]);
        self.logged(name, self.provider.hkdf_extract(salt.expose(), input))
    }

    fn expand(&self, name: &str, from: &Secret, label: &[u8], hash: &[u8; 32]) -> Secret {
        self.logged(name, expand_secret(&*self.provider, from, label, hash))
    }

    fn logged(&self, name: &str, secret: Secret) -> Secret {
        if let Some(log) = &self.log {
            log.log(name, &self.client_random, secret.expose());
        }
        secret
    }

    fn finished(&self, traffic: &Secret, hash: &[u8; 32]) -> [u8; 32] {
        let key = expand_secret(&*self.provider, traffic, b"finished", &[]);
        self.provider.hmac_sha256(key.expose(), &[hash])
    }
}

/// The secrets of both directions.
pub(super) struct Traffic {
    client: Secret,
    server: Secret,
}

impl Traffic {
    /// What `side` seals with, and what it opens with.
    pub(super) fn seal_and_open(&self, side: Side) -> (Secret, Secret) {
        let (client, server) = (self.client.clone(), self.server.clone());
        match side {
            Side::Client => (client, server),
            Side::Server => (server, client),
        }
    }
}

/// After ServerHello.
pub(super) struct HandshakeStage {
    tools: Tools,
    secret: Secret,
    pub(super) traffic: Traffic,
}

impl HandshakeStage {
    /// `shared` is the key exchange's secret, `hash` covers ClientHello and ServerHello. Without
    /// resumption a string of zeros stands in the PSK's place.
    pub(super) fn new(tools: Tools, shared: &Secret, hash: &[u8; 32]) -> Self {
        let early = tools.logged(label::EARLY, tools.provider.hkdf_extract(&ZERO, &ZERO));
        let secret = tools.extract(label::HANDSHAKE, &early, shared.expose());
        let traffic = Traffic {
            client: tools.expand(label::CLIENT_HANDSHAKE, &secret, b"c hs", hash),
            server: tools.expand(label::SERVER_HANDSHAKE, &secret, b"s hs", hash),
        };
        Self { tools, secret, traffic }
    }

    /// The server's Finished; `hash` covers everything before it.
    pub(super) fn server_finished(&self, hash: &[u8; 32]) -> [u8; 32] {
        self.tools.finished(&self.traffic.server, hash)
    }

    /// The next stage; `hash` covers everything through the server's Finished.
    pub(super) fn application(self, hash: &[u8; 32]) -> ApplicationStage {
        let Self { tools, secret, traffic } = self;
        let master = tools.extract(label::MASTER, &secret, &ZERO);
        let application = Traffic {
            client: tools.expand(label::CLIENT_TRAFFIC, &master, b"c ap", hash),
            server: tools.expand(label::SERVER_TRAFFIC, &master, b"s ap", hash),
        };
        ApplicationStage { tools, client_handshake: traffic.client, master, traffic: application }
    }
}

/// After the server's Finished.
pub(super) struct ApplicationStage {
    tools: Tools,
    client_handshake: Secret,
    master: Secret,
    pub(super) traffic: Traffic,
}

impl ApplicationStage {
    /// The client's Finished; `hash` covers everything before it.
    pub(super) fn client_finished(&self, hash: &[u8; 32]) -> [u8; 32] {
        self.tools.finished(&self.client_handshake, hash)
    }

    /// The exporter and the resumption secret; `hash` covers everything through the client's
    /// Finished.
    pub(super) fn complete(self, hash: &[u8; 32]) -> (Secret, Secret) {
        let expand = |name, label: &[u8]| self.tools.expand(name, &self.master, label, hash);
        (expand(label::EXPORTER, b"exp"), expand(label::RESUMPTION, b"res"))
    }
}

/// More bytes were asked for, or the label is longer, than the exporter has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadExport;

impl fmt::Display for BadExport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an export has at most 8160 bytes and a label of at most 250")
    }
}

impl core::error::Error for BadExport {}

/// Derives keys for the application from [`Completed::exporter`](super::Completed::exporter) (RFC
/// 8446, section 7.5): both ends get the same bytes, nobody else does, and other labels or contexts
/// give unrelated ones. `out` is at most 8160 bytes, `label` at most 250, `context` of any length.
pub fn export(
    provider: &dyn Provider,
    exporter: &Secret,
    label: &[u8],
    context: &[u8],
    out: &mut [u8],
) -> Result<(), BadExport> {
    if label.len() > MAX_LABEL || out.len() > 255 * 32 {
        return Err(BadExport);
    }
    let secret = expand_secret(provider, exporter, label, &[]);
    let mut hash = provider.sha256();
    hash.update(context);
    expand_label(provider, &secret, b"exporter", &hash.snapshot(), out);
    Ok(())
}
