//! Who is trusted: the [`Verifier`] trait and the usual policies.
//!
//! A verifier decides about an identity whose possession the peer has *already proved* with every
//! signature that its algorithm demands. What it answers is never told to the peer in more words
//! than "identity not accepted".

use crate::crypto::{Algorithm, Fingerprint, PublicIdentity};
use crate::ids::Side;
use alloc::string::String;
use alloc::vec::Vec;
use subtle::ConstantTimeEq;

/// An identity that a peer has proved to hold.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a> {
    /// Which end the peer is.
    pub side: Side,
    /// The name that the client asked for; may be empty.
    pub server_name: &'a str,
    /// Its public keys.
    pub identity: &'a PublicIdentity,
    /// Their fingerprint.
    pub fingerprint: Fingerprint,
}

/// The identity is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected;

/// Decides whether an identity is trusted.
pub trait Verifier: Send + Sync {
    /// Trusts the peer or not. It is called once per handshake, after the peer's signatures
    /// verified, and must not block for long: it runs within the engine.
    fn verify(&self, peer: &Peer<'_>) -> Result<(), Rejected>;

    /// Whether identities without a post-quantum key ([`Algorithm::Ed25519`]) may be trusted at
    /// all. Others never reach [`Verifier::verify`].
    fn allows_ed25519_only(&self) -> bool {
        false
    }
}

/// Applies a verifier's whole policy.
pub(super) fn judge(verifier: &dyn Verifier, peer: &Peer<'_>) -> Result<(), Rejected> {
    match peer.identity.algorithm() {
        Algorithm::Hybrid => {}
        Algorithm::Ed25519 if verifier.allows_ed25519_only() => {}
        Algorithm::Ed25519 => return Err(Rejected),
    }
    verifier.verify(peer)
}

fn same(a: &Fingerprint, b: &Fingerprint) -> bool {
    a.0.ct_eq(&b.0).into()
}

fn require(condition: bool) -> Result<(), Rejected> {
    if condition { Ok(()) } else { Err(Rejected) }
}

/// Trusts one identity, whose fingerprint is known from elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Pinned {
    fingerprint: Fingerprint,
    ed25519_only: bool,
}

impl Pinned {
    /// Trusts the identity of this fingerprint, if it is hybrid.
    pub const fn new(fingerprint: Fingerprint) -> Self {
        Self { fingerprint, ed25519_only: false }
    }

    /// Also trusts it if it is Ed25519 alone.
    #[must_use]
    pub const fn allow_ed25519_only(mut self) -> Self {
        self.ed25519_only = true;
        self
    }
}

impl Verifier for Pinned {
    fn verify(&self, peer: &Peer<'_>) -> Result<(), Rejected> {
        require(same(&self.fingerprint, &peer.fingerprint))
    }

    fn allows_ed25519_only(&self) -> bool {
        self.ed25519_only
    }
}

/// Trusts the identities on a list.
#[derive(Clone, Debug)]
pub struct AllowList {
    fingerprints: Vec<Fingerprint>,
    ed25519_only: bool,
}

impl AllowList {
    /// Trusts the identities of these fingerprints, if they are hybrid.
    pub fn new(fingerprints: impl IntoIterator<Item = Fingerprint>) -> Self {
        Self { fingerprints: fingerprints.into_iter().collect(), ed25519_only: false }
    }

    /// Also trusts those that are Ed25519 alone.
    #[must_use]
    pub const fn allow_ed25519_only(mut self) -> Self {
        self.ed25519_only = true;
        self
    }
}

impl Verifier for AllowList {
    fn verify(&self, peer: &Peer<'_>) -> Result<(), Rejected> {
        // The whole list, whichever entry matches: the time shows its length only.
        let found =
            self.fingerprints.iter().fold(false, |found, f| found | same(f, &peer.fingerprint));
        require(found)
    }

    fn allows_ed25519_only(&self) -> bool {
        self.ed25519_only
    }
}

/// Remembers which identity was first seen under a name.
pub trait PinStore: Send + Sync {
    /// The identity remembered under `name`.
    fn get(&self, name: &str) -> Option<Fingerprint>;

    /// Remembers it. [`Rejected`] if that is impossible: then the peer is not trusted either.
    fn put(&self, name: &str, fingerprint: Fingerprint) -> Result<(), Rejected>;
}

/// Trusts the first identity that proves itself under a name, and no other after it: what SSH does.
/// For clients; whoever sits in the path of the first connection wins.
#[derive(Clone, Debug)]
pub struct TrustOnFirstUse<S> {
    store: S,
    name: Option<String>,
    ed25519_only: bool,
}

impl<S: PinStore> TrustOnFirstUse<S> {
    /// Trust kept in `store` under the server's name. Without a name nobody is trusted.
    pub const fn new(store: S) -> Self {
        Self { store, name: None, ed25519_only: false }
    }

    /// Trust kept under `name` (an address and port, say) whatever the server's name is.
    #[must_use]
    pub fn remember_as(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Also trusts identities that are Ed25519 alone.
    #[must_use]
    pub fn allow_ed25519_only(mut self) -> Self {
        self.ed25519_only = true;
        self
    }

    /// The store.
    pub const fn store(&self) -> &S {
        &self.store
    }
}

impl<S: PinStore> Verifier for TrustOnFirstUse<S> {
    fn verify(&self, peer: &Peer<'_>) -> Result<(), Rejected> {
        let name = self.name.as_deref().unwrap_or(peer.server_name);
        require(!name.is_empty() && peer.side == Side::Server)?;
        match self.store.get(name) {
            Some(pin) => require(same(&pin, &peer.fingerprint)),
            None => self.store.put(name, peer.fingerprint),
        }
    }

    fn allows_ed25519_only(&self) -> bool {
        self.ed25519_only
    }
}

/// Trusts everybody who proves an identity, Ed25519 alone included.
///
/// **Dangerous for clients: anybody in the path can be the server.** For servers that authorise an
/// identity later, by its fingerprint, and for tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct AcceptAny;

impl Verifier for AcceptAny {
    fn verify(&self, _: &Peer<'_>) -> Result<(), Rejected> {
        Ok(())
    }

    fn allows_ed25519_only(&self) -> bool {
        true
    }
}
