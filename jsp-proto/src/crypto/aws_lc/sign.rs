//! Identities: Ed25519 (RFC 8032) and ML-DSA-65 (FIPS 204, empty context, hedged).

use crate::crypto::{
    CryptoError, IdentitySecret, ML_DSA_SIGNATURE_LEN, PublicIdentity, Signature, Signer,
};
use crate::rng::Rng;
use alloc::boxed::Box;
use aws_lc_rs::signature::{
    ED25519, Ed25519KeyPair, KeyPair, ML_DSA_65, ML_DSA_65_SIGNING, PqdsaKeyPair, UnparsedPublicKey,
};

/// The signer of an identity's private keys.
pub(super) fn signer(secret: &IdentitySecret) -> Result<Box<dyn Signer>, CryptoError> {
    let ed25519 = Ed25519KeyPair::from_seed_unchecked(&secret.ed25519).map_err(|_| CryptoError)?;
    let ml_dsa = secret
        .ml_dsa
        .as_ref()
        .map(|seed| PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, seed).map_err(|_| CryptoError))
        .transpose()?;
    let public = PublicIdentity {
        ed25519: ed25519.public_key().as_ref().try_into().map_err(|_| CryptoError)?,
        ml_dsa: ml_dsa
            .as_ref()
            .map(|key| Box::<[u8]>::from(key.public_key().as_ref()).try_into())
            .transpose()
            .map_err(|_| CryptoError)?,
    };
    Ok(Box::new(Keys { ed25519, ml_dsa, public }))
}

/// AWS-LC wipes its keys as it frees them.
struct Keys {
    ed25519: Ed25519KeyPair,
    ml_dsa: Option<PqdsaKeyPair>,
    public: PublicIdentity,
}

impl Signer for Keys {
    fn public(&self) -> &PublicIdentity {
        &self.public
    }

    fn sign(&self, _: &mut Rng, message: &[u8]) -> Result<Signature, CryptoError> {
        let ed25519 = self.ed25519.try_sign(message).map_err(|_| CryptoError)?;
        let ml_dsa = self.ml_dsa.as_ref().map(|key| sign_ml_dsa(key, message)).transpose()?;
        let ed25519 = ed25519.as_ref().try_into().map_err(|_| CryptoError)?;
        Ok(Signature { ed25519, ml_dsa })
    }
}

fn sign_ml_dsa(
    key: &PqdsaKeyPair,
    message: &[u8],
) -> Result<Box<[u8; ML_DSA_SIGNATURE_LEN]>, CryptoError> {
    let mut signature = Box::new([0; ML_DSA_SIGNATURE_LEN]);
    match key.sign(message, &mut signature[..]) {
        Ok(ML_DSA_SIGNATURE_LEN) => Ok(signature),
        _ => Err(CryptoError),
    }
}

/// Verifies every signature that `identity` demands.
pub(super) fn verify(
    identity: &PublicIdentity,
    message: &[u8],
    signature: &Signature,
) -> Result<(), CryptoError> {
    let classical = verify_ed25519(identity, message, signature);
    let post_quantum = verify_ml_dsa(identity, message, signature);
    // `&`, not `&&`, and both computed above: which half failed must not show in the time.
    if classical & post_quantum { Ok(()) } else { Err(CryptoError) }
}

/// As strict as the portable provider: AWS-LC itself takes keys and commitments of low order, under
/// which one signature can hold for many messages.
fn verify_ed25519(identity: &PublicIdentity, message: &[u8], signature: &Signature) -> bool {
    let verified = UnparsedPublicKey::new(&ED25519, &identity.ed25519)
        .verify(message, &signature.ed25519)
        .is_ok();
    let fresh = signature.ed25519.first_chunk().is_some_and(|r| !is_low_order(r));
    verified & fresh & !is_low_order(&identity.ed25519)
}

/// A half that is there on one side only is a mismatch, never a pass.
fn verify_ml_dsa(identity: &PublicIdentity, message: &[u8], signature: &Signature) -> bool {
    match (&identity.ml_dsa, &signature.ml_dsa) {
        (Some(key), Some(signature)) => {
            UnparsedPublicKey::new(&ML_DSA_65, &key[..]).verify(message, &signature[..]).is_ok()
        }
        (None, None) => true,
        _ => false,
    }
}

/// Whether an encoded point is one of the eight of small order: their five y-coordinates, and the
/// two of them that fit below 2^255 unreduced as well. The last bit is the sign of x.
fn is_low_order(point: &[u8; 32]) -> bool {
    let mut y = *point;
    y[31] &= 0x7f;
    LOW_ORDER_Y.contains(&y)
}

#[rustfmt::skip]
const LOW_ORDER_Y: [[u8; 32]; 7] = [
    [0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00],
    [0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00],
    [0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05],
    [0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a],
    [0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    [0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    [0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "rustcrypto")]
    fn the_portable_provider_calls_the_same_points_weak() {
        let mut seen = 0;
        for y in LOW_ORDER_Y {
            for sign in [0, 0x80] {
                let mut point = y;
                point[31] |= sign;
                assert!(is_low_order(&point));
                // The points with x = 0 have no second sign: some of these do not decode.
                if let Ok(key) = ed25519_dalek::VerifyingKey::from_bytes(&point) {
                    assert!(key.is_weak());
                    seen += 1;
                }
            }
        }
        assert!(seen >= 8, "{seen}");
        let honest = ed25519_dalek::SigningKey::from_bytes(&[5; 32]).verifying_key();
        assert!(!is_low_order(honest.as_bytes()));
    }
}
