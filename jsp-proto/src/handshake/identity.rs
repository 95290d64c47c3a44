//! Identities as configurations hold them, and which one a server shows to whom.

use super::names::ServerName;
use crate::crypto::{Algorithm, Fingerprint, Provider, PublicIdentity};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;

/// Public keys, shared between connections, with their fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    public: Arc<PublicIdentity>,
    fingerprint: Fingerprint,
}

impl Identity {
    /// The identity of these keys.
    pub fn new(provider: &dyn Provider, public: impl Into<Arc<PublicIdentity>>) -> Self {
        let public = public.into();
        Self { fingerprint: public.fingerprint(provider), public }
    }

    /// The keys.
    pub const fn public(&self) -> &Arc<PublicIdentity> {
        &self.public
    }

    /// What people pin.
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

/// What a connection remembers of its peer's identity for as long as it lasts: the keys themselves are
/// large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    fingerprint: Fingerprint,
    algorithm: Algorithm,
}

impl PeerIdentity {
    /// What people pin.
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What the peer has signed with.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl From<&Identity> for PeerIdentity {
    fn from(identity: &Identity) -> Self {
        Self { fingerprint: identity.fingerprint, algorithm: identity.public.algorithm() }
    }
}

/// The identities of a server, by the name that clients ask for, with one for every other name.
///
/// It is a plain value: to rotate or to revoke an identity, give the endpoint a configuration with
/// another set. Handshakes under way keep the one that they began with.
#[derive(Clone, Debug, Default)]
pub struct IdentitySet {
    default: Option<Identity>,
    named: BTreeMap<ServerName, Identity>,
}

impl IdentitySet {
    /// A set whose only identity is shown whatever name is asked for.
    pub fn single(identity: Identity) -> Self {
        Self { default: Some(identity), named: BTreeMap::new() }
    }

    /// A set that knows no name yet: clients that ask for another are refused
    /// ([`Code::UNKNOWN_NAME`](crate::error::Code::UNKNOWN_NAME)).
    pub fn strict() -> Self {
        Self::default()
    }

    /// The set with `identity` under `name`, instead of what was there before.
    #[must_use]
    pub fn with(mut self, name: ServerName, identity: Identity) -> Self {
        self.named.insert(name, identity);
        self
    }

    /// The identity to show to a client that asks for `name`.
    pub fn find(&self, name: &ServerName) -> Option<&Identity> {
        self.named.get(name).or(self.default.as_ref())
    }

    /// All identities, the default first.
    pub fn iter(&self) -> impl Iterator<Item = &Identity> {
        self.default.iter().chain(self.named.values())
    }
}
