//! The secrets of Initial packets, which anybody who sees the client's first destination ID can
//! compute (RFC 9001, section 5.2). They keep out what was not meant for this protocol.

use super::label::expand_secret;
use crate::crypto::{Provider, Secret};
use crate::ids::{ConnectionId, Side};

/// SHA-256("jsp1 initial salt").
const SALT: [u8; 32] = [
    0xe8, 0x2a, 0x9b, 0xea, 0xf1, 0x73, 0x8f, 0xe5, 0x9b, 0x60, 0xe8, 0x1a, 0x78, 0x6a, 0x13, 0x41,
    0x2b, 0xd6, 0x83, 0x21, 0x35, 0x79, 0xa4, 0x48, 0xe3, 0x0b, 0x7a, 0x4e, 0xb2, 0x88, 0x11, 0x6d,
];

/// The traffic secrets of Initial packets.
#[derive(Clone, Debug)]
pub struct InitialSecrets {
    /// Of the packets that the client sends.
    pub client: Secret,
    /// Of the packets that the server sends.
    pub server: Secret,
}

impl InitialSecrets {
    /// The secret of the packets that `side` sends.
    pub const fn of(&self, side: Side) -> &Secret {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }
}

/// The secrets of the connection whose client chose `odcid` as its first destination.
pub fn initial_secrets(provider: &dyn Provider, odcid: &ConnectionId) -> InitialSecrets {
    let initial = provider.hkdf_extract(&SALT, odcid.as_bytes());
    InitialSecrets {
        client: expand_secret(provider, &initial, b"client in", b""),
        server: expand_secret(provider, &initial, b"server in", b""),
    }
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    use super::*;
    use crate::crypto::rustcrypto::RustCrypto;

    #[test]
    fn the_salt_is_the_hash_of_its_name() {
        let mut hash = RustCrypto.sha256();
        hash.update(b"jsp1 initial salt");
        assert_eq!(hash.snapshot(), SALT);
    }

    #[test]
    fn each_side_and_each_id_has_its_secret() {
        let one = initial_secrets(&RustCrypto, &ConnectionId::from([1; 8]));
        let two = initial_secrets(&RustCrypto, &ConnectionId::from([2; 8]));
        assert_ne!(one.client.expose(), one.server.expose());
        assert_ne!(one.client.expose(), two.client.expose());
    }
}
