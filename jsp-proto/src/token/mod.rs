//! Retry tokens: how a server that keeps nothing knows that a client is where it says it is
//! (RFC 9000, section 8.1).
//!
//! ```text
//!   nonce (96) | encrypted { issued (64) | odcid (8 + 160) | scid (8 + 160) } | tag (128)
//! ```
//!
//! The client's address and port are authenticated with it and not in it. A token is 78 bytes,
//! whatever it holds, and means something only to the key that sealed it: to the client it is
//! opaque, and a restart of the server forgets all of them. The cipher is AES-256-GCM-SIV, which
//! still keeps its promises if random nonces collide, as they may after 2^32 tokens of a flood.

use crate::crypto::{KEY_LEN, NONCE_LEN, PacketKey, Provider, Secret, Suite, TAG_LEN};
use crate::ids::ConnectionId;
use crate::rng::Rng;
use crate::time::{Duration, Time};
use crate::wire::Reader;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use zeroize::Zeroizing;

/// A connection ID's length and its bytes, padded.
const ID_LEN: usize = 1 + ConnectionId::MAX_LEN;
const CONTENT_LEN: usize = 8 + 2 * ID_LEN;
/// The address as of IPv6, and the port.
const ADDRESS_LEN: usize = 16 + 2;

/// Length of every token, in bytes.
pub const TOKEN_LEN: usize = NONCE_LEN + CONTENT_LEN + TAG_LEN;

/// What a server wants to know of the Retry that it sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryToken {
    /// Where the Retry was sent.
    pub remote: SocketAddr,
    /// The destination of the client's first Initial.
    pub odcid: ConnectionId,
    /// The source of the Retry: the destination of the Initials that return the token.
    pub scid: ConnectionId,
    /// When it was sent, by the clock of the engine that sent it.
    pub issued: Time,
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// It was not sealed by this key for this address.
    Unknown,
    /// It is older than allowed, or from the future.
    Expired,
}

/// The key of an endpoint's tokens.
pub struct TokenKey {
    key: Box<dyn PacketKey>,
}

impl TokenKey {
    /// The key that follows from `secret`.
    pub fn new(provider: &dyn Provider, secret: &Secret) -> Self {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        provider.hkdf_expand(secret, b"jsp1 retry token", &mut *key);
        Self { key: provider.packet_key(Suite::Aes256GcmSiv, &key) }
    }

    /// The token, of [`TOKEN_LEN`] bytes.
    pub fn seal(&self, rng: &mut Rng, token: &RetryToken) -> Vec<u8> {
        let nonce = rng.array::<NONCE_LEN>();
        let mut out = Vec::with_capacity(TOKEN_LEN);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&token.issued.as_nanos().to_be_bytes());
        for id in [&token.odcid, &token.scid] {
            let bytes = id.as_bytes();
            out.push(bytes.len() as u8);
            out.extend_from_slice(bytes);
            out.extend_from_slice(&[0; ConnectionId::MAX_LEN][bytes.len()..]);
        }
        let tag = self.key.seal(&nonce, &address(token.remote), &mut out[NONCE_LEN..]);
        out.extend_from_slice(&tag);
        out
    }

    /// What a token holds that came from `remote`, if it was sealed for that address at most
    /// `lifetime` ago. An address in IPv6's mapped form is the same as in its own.
    pub fn open(
        &self,
        token: &[u8],
        remote: SocketAddr,
        now: Time,
        lifetime: Duration,
    ) -> Result<RetryToken, TokenError> {
        let token: [u8; TOKEN_LEN] = token.try_into().map_err(|_| TokenError::Unknown)?;
        let (nonce, sealed) = token.split_first_chunk().ok_or(TokenError::Unknown)?;
        let mut content = [0; TOKEN_LEN - NONCE_LEN];
        content.copy_from_slice(sealed);
        let len = self.key.open(nonce, &address(remote), &mut content);
        let content = len.ok().and_then(|len| content.get(..len)).ok_or(TokenError::Unknown)?;
        let token = decode(content, remote).ok_or(TokenError::Unknown)?;
        if token.issued > now || now.since(token.issued) > lifetime {
            return Err(TokenError::Expired);
        }
        Ok(token)
    }
}

fn decode(content: &[u8], remote: SocketAddr) -> Option<RetryToken> {
    let mut r = Reader::new(content);
    let issued = Time::from_nanos(u64::from_be_bytes(r.array().ok()?));
    let mut id = || {
        let len = usize::from(r.u8().ok()?);
        let padded = r.array::<{ ConnectionId::MAX_LEN }>().ok()?;
        ConnectionId::new(padded.get(..len)?)
    };
    Some(RetryToken { remote, odcid: id()?, scid: id()?, issued })
}

/// What is authenticated of an address.
fn address(remote: SocketAddr) -> [u8; ADDRESS_LEN] {
    let ip = match remote.ip() {
        core::net::IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        core::net::IpAddr::V6(ip) => ip,
    };
    let mut out = [0; ADDRESS_LEN];
    let (to_ip, to_port) = out.split_at_mut(16);
    to_ip.copy_from_slice(&ip.octets());
    to_port.copy_from_slice(&remote.port().to_be_bytes());
    out
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    use super::*;
    use crate::crypto::rustcrypto::RustCrypto;
    use crate::rng::Seed;
    use quickcheck::quickcheck;

    const LIFETIME: Duration = Duration::from_secs(10);
    const ISSUED: Time = Time::from_nanos(5_000_000_000);

    fn key(byte: u8) -> TokenKey {
        TokenKey::new(&RustCrypto, &Secret::new([byte; 32]))
    }

    fn rng() -> Rng {
        Rng::new(&Seed::from_u64(1), "tokens")
    }

    fn token(remote: &str) -> RetryToken {
        RetryToken {
            remote: remote.parse().expect("an address"),
            odcid: ConnectionId::from([7; 8]),
            scid: ConnectionId::from([9; 8]),
            issued: ISSUED,
        }
    }

    const HERE: &str = "192.0.2.1:4433";

    #[test]
    fn a_token_opens_until_its_lifetime_ends() {
        for remote in [HERE, "[2001:db8::1]:4433"] {
            let token = token(remote);
            let sealed = key(1).seal(&mut rng(), &token);
            for age in [Duration::ZERO, LIFETIME] {
                let opened = key(1).open(&sealed, token.remote, ISSUED + age, LIFETIME);
                assert_eq!(opened, Ok(token));
            }
            let late = ISSUED + LIFETIME + Duration::from_nanos(1);
            assert_eq!(
                key(1).open(&sealed, token.remote, late, LIFETIME),
                Err(TokenError::Expired)
            );
        }
    }

    #[test]
    fn a_token_from_the_future_is_refused() {
        let token = token(HERE);
        let sealed = key(1).seal(&mut rng(), &token);
        let early = ISSUED - Duration::from_nanos(1);
        let refused = key(1).open(&sealed, token.remote, early, Duration::MAX);
        assert_eq!(refused, Err(TokenError::Expired));
    }

    #[test]
    fn a_token_is_good_for_its_address_and_its_key_only() {
        let token = token(HERE);
        let sealed = key(1).seal(&mut rng(), &token);
        for elsewhere in ["192.0.2.2:4433", "192.0.2.1:4434", "[2001:db8::1]:4433"] {
            let remote = elsewhere.parse().unwrap();
            assert_eq!(key(1).open(&sealed, remote, ISSUED, LIFETIME), Err(TokenError::Unknown));
        }
        let refused = key(2).open(&sealed, token.remote, ISSUED, LIFETIME);
        assert_eq!(refused, Err(TokenError::Unknown));
        let mapped = "[::ffff:192.0.2.1]:4433".parse().unwrap();
        assert!(key(1).open(&sealed, mapped, ISSUED, LIFETIME).is_ok());
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let token = token(HERE);
        let mut sealed = key(1).seal(&mut rng(), &token);
        for bit in 0..sealed.len() * 8 {
            sealed[bit / 8] ^= 1 << (bit % 8);
            let refused = key(1).open(&sealed, token.remote, ISSUED, LIFETIME);
            assert_eq!(refused, Err(TokenError::Unknown), "bit {bit}");
            sealed[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn two_tokens_of_the_same_content_differ() {
        let mut rng = rng();
        assert_ne!(key(1).seal(&mut rng, &token(HERE)), key(1).seal(&mut rng, &token(HERE)));
    }

    quickcheck! {
        fn every_token_is_of_one_size_and_gives_back_what_it_holds(
            odcid: Vec<u8>, scid: Vec<u8>, issued: u64
        ) -> bool {
            let id = |bytes: &[u8]| ConnectionId::new(&bytes[..bytes.len().min(20)]);
            let (Some(odcid), Some(scid)) = (id(&odcid), id(&scid)) else { return false };
            let issued = Time::from_nanos(issued);
            let token = RetryToken { odcid, scid, issued, ..token(HERE) };
            let sealed = key(1).seal(&mut rng(), &token);
            sealed.len() == TOKEN_LEN
                && key(1).open(&sealed, token.remote, issued, LIFETIME) == Ok(token)
        }

        fn other_bytes_are_no_token(bytes: Vec<u8>) -> bool {
            let remote = token(HERE).remote;
            key(1).open(&bytes, remote, ISSUED, LIFETIME) == Err(TokenError::Unknown)
        }
    }
}
