//! What each end brings to a handshake. Plain values, shared between connections.

use super::identity::{Identity, IdentitySet};
use super::key_log::KeyLog;
use super::messages::{AuthWish, Feature};
use super::names::{AlpnList, ServerName};
use super::verify::Verifier;
use crate::crypto::{Provider, Suite};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A client's side of handshakes.
#[derive(Clone)]
pub struct ClientConfig {
    /// The cryptography.
    pub provider: Arc<dyn Provider>,
    /// The suites to offer, best first; empty means the provider's order.
    pub suites: Vec<Suite>,
    /// The application protocols to offer, best first; empty means that both ends know it anyway.
    /// Anybody on the way can read it.
    pub alpn: AlpnList,
    /// Which of the server's identities to ask for. Anybody on the way can read it.
    pub server_name: ServerName,
    /// Whom to trust.
    pub verifier: Arc<dyn Verifier>,
    /// Who this client is, should the server ask.
    pub identity: Option<Identity>,
    /// The server's identity, if its keys are known: then the server need not send them. It says
    /// nothing about trust, and anybody on the way can read the fingerprint.
    pub held_server: Option<Identity>,
    /// Optional parts of the protocol to offer, at most 31.
    pub features: Vec<Feature>,
    /// Where secrets are written down, if anywhere.
    pub key_log: Option<Arc<dyn KeyLog>>,
}

impl ClientConfig {
    /// A client without an identity, that names no protocol and no server.
    pub fn new(provider: Arc<dyn Provider>, verifier: Arc<dyn Verifier>) -> Self {
        Self {
            provider,
            suites: Vec::new(),
            alpn: AlpnList::default(),
            server_name: ServerName::default(),
            verifier,
            identity: None,
            held_server: None,
            features: Vec::new(),
            key_log: None,
        }
    }

    /// The suites that are offered, each once.
    pub(super) fn offered_suites(&self) -> Vec<Suite> {
        suites(&self.suites, &*self.provider)
    }
}

/// Whether clients prove an identity.
#[derive(Clone, Default)]
pub enum ClientAuth {
    /// They are not asked.
    #[default]
    None,
    /// They may; one that does must be trusted.
    Optional(Arc<dyn Verifier>),
    /// They must, and be trusted.
    Required(Arc<dyn Verifier>),
}

impl ClientAuth {
    pub(super) const fn wish(&self) -> AuthWish {
        match self {
            Self::None => AuthWish::None,
            Self::Optional(_) => AuthWish::Optional,
            Self::Required(_) => AuthWish::Required,
        }
    }

    pub(super) const fn verifier(&self) -> Option<&Arc<dyn Verifier>> {
        match self {
            Self::None => None,
            Self::Optional(verifier) | Self::Required(verifier) => Some(verifier),
        }
    }
}

/// A server's side of handshakes.
#[derive(Clone)]
pub struct ServerConfig {
    /// The cryptography.
    pub provider: Arc<dyn Provider>,
    /// The suites to accept, best first; empty means the provider's order.
    pub suites: Vec<Suite>,
    /// The application protocols that are spoken, best first; empty means that clients must not
    /// name any.
    pub alpn: AlpnList,
    /// Who this server is.
    pub identities: IdentitySet,
    /// Whether clients prove an identity.
    pub client_auth: ClientAuth,
    /// Optional parts of the protocol to offer, at most 31.
    pub features: Vec<Feature>,
    /// Where secrets are written down, if anywhere.
    pub key_log: Option<Arc<dyn KeyLog>>,
}

impl ServerConfig {
    /// A server that asks no client for an identity and names no protocol.
    pub fn new(provider: Arc<dyn Provider>, identities: IdentitySet) -> Self {
        Self {
            provider,
            suites: Vec::new(),
            alpn: AlpnList::default(),
            identities,
            client_auth: ClientAuth::None,
            features: Vec::new(),
            key_log: None,
        }
    }

    /// The suites that are accepted, each once.
    pub(super) fn accepted_suites(&self) -> Vec<Suite> {
        suites(&self.suites, &*self.provider)
    }
}

fn suites(configured: &[Suite], provider: &dyn Provider) -> Vec<Suite> {
    let order = if configured.is_empty() { provider.suites() } else { configured };
    let mut suites = Vec::with_capacity(Suite::ALL.len());
    for suite in order {
        if !suites.contains(suite) {
            suites.push(*suite);
        }
    }
    suites
}
