//! Who signs: whoever drives the connection, a thread for blocking work, or something that answers later.

use jsp_proto::crypto::{CryptoError, Fingerprint, PublicIdentity, Signature, Signer};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// What an [`AsyncSigner`] answers, in its own time.
pub type Signing = Pin<Box<dyn Future<Output = Result<Signature, CryptoError>> + Send>>;

/// Holds an identity's private keys somewhere that takes time to answer: a hardware module, another
/// process, another machine.
pub trait AsyncSigner: Send + Sync {
    /// The public keys.
    fn public(&self) -> &PublicIdentity;
    /// Signs `message` with each key. An error fails the handshake that asked.
    fn sign(&self, message: Vec<u8>) -> Signing;
}

/// How signatures of an identity are made.
///
/// The driver for tokio does all three by itself. The one for mio, which has no threads and no
/// futures, signs what is [`Self::Inline`] and asks the application for the rest.
#[derive(Clone)]
pub enum SignWith {
    /// By whoever drives the connection: about 0.1 ms with the fast provider, 0.5 ms with the portable
    /// one. The shortest handshake.
    Inline(Arc<dyn Signer>),
    /// On a thread for blocking work, so that a server's other connections need not wait.
    Blocking(Arc<dyn Signer>),
    /// Elsewhere.
    Remote(Arc<dyn AsyncSigner>),
}

impl fmt::Debug for SignWith {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inline(_) => "Inline",
            Self::Blocking(_) => "Blocking",
            Self::Remote(_) => "Remote",
        })
    }
}

/// The signers of a configuration's identities.
#[derive(Clone, Debug, Default)]
pub struct Signers {
    by_identity: Arc<BTreeMap<Fingerprint, SignWith>>,
}

impl Signers {
    pub(crate) fn add(&mut self, identity: Fingerprint, signer: SignWith) {
        Arc::make_mut(&mut self.by_identity).insert(identity, signer);
    }

    /// How signatures of `identity` are made, if this is one of the configuration's.
    pub fn find(&self, identity: &Fingerprint) -> Option<&SignWith> {
        self.by_identity.get(identity)
    }
}
