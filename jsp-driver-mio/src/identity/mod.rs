//! Identities that can be made, kept in a file and used.

mod file;

pub use file::IdentityFileError;

use crate::signing::SignWith;
use jsp_proto::crypto::{CryptoError, Fingerprint, IdentitySecret, Provider, Signer};
use jsp_proto::handshake;
use jsp_proto::rng::Seed;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroize;

/// An identity with its private keys: what a server shows, or a client that is asked who it is.
///
/// Cheap to clone. The private keys are wiped with the last clone and never printed.
#[derive(Clone)]
pub struct Identity {
    public: handshake::Identity,
    secret: Arc<IdentitySecret>,
    signer: Arc<dyn Signer>,
}

impl Identity {
    /// A new hybrid identity (Ed25519 and ML-DSA-65), from the operating system's randomness.
    ///
    /// # Errors
    /// The operating system has none.
    pub fn generate(provider: &dyn Provider) -> io::Result<Self> {
        let mut secret = IdentitySecret { ed25519: [0; 32], ml_dsa: Some([0; 32]) };
        entropy(&mut secret.ed25519)?;
        if let Some(seed) = &mut secret.ml_dsa {
            entropy(seed)?;
        }
        Self::from_secret(provider, secret).map_err(io::Error::other)
    }

    /// A new identity of Ed25519 alone, for constrained devices. Peers accept it only where their
    /// policy says so, as it does not resist quantum computers.
    ///
    /// # Errors
    /// The operating system has no randomness.
    pub fn generate_ed25519_only(provider: &dyn Provider) -> io::Result<Self> {
        let mut secret = IdentitySecret { ed25519: [0; 32], ml_dsa: None };
        entropy(&mut secret.ed25519)?;
        Self::from_secret(provider, secret).map_err(io::Error::other)
    }

    /// The identity of these private keys.
    ///
    /// # Errors
    /// The provider cannot use them.
    pub fn from_secret(
        provider: &dyn Provider,
        secret: IdentitySecret,
    ) -> Result<Self, CryptoError> {
        let signer: Arc<dyn Signer> = provider.signer(&secret)?.into();
        let public = handshake::Identity::new(provider, signer.public().clone());
        Ok(Self { public, secret: Arc::new(secret), signer })
    }

    /// Reads an identity that [`Self::save`] wrote.
    ///
    /// # Errors
    /// The file cannot be read, or is not such a file.
    pub fn load(
        provider: &dyn Provider,
        path: impl AsRef<Path>,
    ) -> Result<Self, IdentityFileError> {
        let secret = file::load(provider, path.as_ref())?;
        Self::from_secret(provider, secret).map_err(|_| IdentityFileError::Malformed)
    }

    /// Writes the private keys to a new file that only its owner can read (mode 0600 on Unix).
    ///
    /// # Errors
    /// The file exists already (it is left alone), or cannot be written.
    pub fn save(
        &self,
        provider: &dyn Provider,
        path: impl AsRef<Path>,
    ) -> Result<(), IdentityFileError> {
        file::save(provider, path.as_ref(), &self.secret)
    }

    /// What people pin.
    pub fn fingerprint(&self) -> Fingerprint {
        self.public.fingerprint()
    }

    /// The public keys.
    pub fn public(&self) -> &handshake::Identity {
        &self.public
    }

    /// Signatures by this identity by whoever drives the connection, which is the default.
    pub fn signer(&self) -> Arc<dyn Signer> {
        Arc::clone(&self.signer)
    }

    pub(crate) fn inline(&self) -> SignWith {
        SignWith::Inline(self.signer())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.fingerprint())
    }
}

/// A seed from the operating system's randomness.
///
/// # Errors
/// It has none.
pub fn system_seed() -> io::Result<Seed> {
    let mut seed = [0; 32];
    entropy(&mut seed)?;
    Ok(Seed::new(seed))
}

/// Fills `out` with the operating system's randomness.
fn entropy(out: &mut [u8]) -> io::Result<()> {
    getrandom::fill(out).map_err(|error| {
        out.zeroize();
        io::Error::other(error)
    })
}
