//! Stateless reset tokens (RFC 9000, section 10.3.2): a function of the ID alone, so that an
//! endpoint that lost its state, but not its key, can still give them.

use crate::crypto::{Provider, Secret};
use crate::ids::ConnectionId;
use crate::wire::frame::{RESET_TOKEN_LEN, ResetToken};
use alloc::sync::Arc;

/// The key of an endpoint's reset tokens.
#[derive(Debug)]
pub struct ResetKey {
    provider: Arc<dyn Provider>,
    secret: Secret,
}

impl ResetKey {
    /// The key `secret`, which the endpoint's restarts should survive.
    pub fn new(provider: Arc<dyn Provider>, secret: Secret) -> Self {
        Self { provider, secret }
    }

    /// The token of `id`: the first 16 bytes of HMAC-SHA-256(secret, id).
    pub fn token(&self, id: &ConnectionId) -> ResetToken {
        let mac = self.provider.hmac_sha256(self.secret.expose(), &[id.as_bytes()]);
        ResetToken(core::array::from_fn::<u8, RESET_TOKEN_LEN, _>(|i| mac[i]))
    }
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    use super::*;
    use crate::crypto::rustcrypto::RustCrypto;

    #[test]
    fn a_token_depends_on_key_and_id_only() {
        let key = |byte| ResetKey::new(Arc::new(RustCrypto), Secret::new([byte; 32]));
        let (one, two) = (ConnectionId::from([1; 8]), ConnectionId::from([2; 8]));
        assert_eq!(key(1).token(&one), key(1).token(&one));
        assert_ne!(key(1).token(&one), key(1).token(&two));
        assert_ne!(key(1).token(&one), key(2).token(&one));
    }
}
