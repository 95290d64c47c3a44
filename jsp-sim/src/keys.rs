//! Identities for simulations: made from a number, once per process.

use jsp_proto::crypto::rustcrypto::RustCrypto;
use jsp_proto::crypto::{IdentitySecret, Provider, Signer};
use jsp_proto::handshake::Identity;
use jsp_proto::rng::{Rng, Seed};
use std::sync::{Arc, LazyLock};

/// An identity with its private keys.
#[derive(Clone)]
pub struct Keys {
    /// What signs.
    pub signer: Arc<dyn Signer>,
    /// What others see.
    pub identity: Identity,
}

impl Keys {
    /// A hybrid identity that follows from `n`.
    pub fn hybrid(n: u64) -> Self {
        Self::new(n, true)
    }

    /// An identity without a post-quantum key that follows from `n`.
    pub fn ed25519(n: u64) -> Self {
        Self::new(n, false)
    }

    fn new(n: u64, hybrid: bool) -> Self {
        let mut rng = Rng::new(&Seed::from_u64(n), "identity");
        let secret = IdentitySecret { ed25519: rng.array(), ml_dsa: hybrid.then(|| rng.array()) };
        // The portable provider takes any 32 bytes as seeds.
        #[allow(clippy::unwrap_used)]
        let signer: Arc<dyn Signer> = RustCrypto.signer(&secret).unwrap().into();
        let identity = Identity::new(&RustCrypto, signer.public().clone());
        Self { signer, identity }
    }

    /// The hybrid identity of servers.
    pub fn server() -> Self {
        static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::hybrid(1));
        KEYS.clone()
    }

    /// The hybrid identity of clients.
    pub fn client() -> Self {
        static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::hybrid(2));
        KEYS.clone()
    }

    /// The identity of constrained devices, without a post-quantum key.
    pub fn constrained() -> Self {
        static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::ed25519(3));
        KEYS.clone()
    }
}
