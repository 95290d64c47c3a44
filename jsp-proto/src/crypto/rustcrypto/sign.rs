//! Identities: Ed25519 (RFC 8032) and ML-DSA-65 (FIPS 204, empty context, hedged).

use crate::crypto::{CryptoError, IdentitySecret, PublicIdentity, Signature, Signer};
use crate::rng::Rng;
use alloc::boxed::Box;
use ed25519_dalek::Signer as _;
use ml_dsa::{KeyInit, MlDsa65, SignatureEncoding};

/// The signer of an identity's private keys.
pub(super) fn signer(secret: &IdentitySecret) -> Box<dyn Signer> {
    let ed25519 = ed25519_dalek::SigningKey::from_bytes(&secret.ed25519);
    let ml_dsa = secret.ml_dsa.as_ref().map(|seed| ml_dsa::SigningKey::<MlDsa65>::new(seed.into()));
    let public = PublicIdentity {
        ed25519: ed25519.verifying_key().to_bytes(),
        ml_dsa: ml_dsa.as_ref().map(|key| Box::new(key.as_ref().encode().0)),
    };
    Box::new(Keys { ed25519, ml_dsa, public })
}

/// Both halves zeroise themselves on drop.
struct Keys {
    ed25519: ed25519_dalek::SigningKey,
    ml_dsa: Option<ml_dsa::SigningKey<MlDsa65>>,
    public: PublicIdentity,
}

impl Signer for Keys {
    fn public(&self) -> &PublicIdentity {
        &self.public
    }

    fn sign(&self, rng: &mut Rng, message: &[u8]) -> Result<Signature, CryptoError> {
        let ml_dsa = self.ml_dsa.as_ref().map(|key| {
            let signature = key.expanded_key().sign_randomized(message, &[], rng);
            signature.map(|s| Box::new(s.to_bytes().0)).map_err(|_| CryptoError)
        });
        let ed25519 = self.ed25519.try_sign(message).map_err(|_| CryptoError)?;
        Ok(Signature { ed25519: ed25519.to_bytes(), ml_dsa: ml_dsa.transpose()? })
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

/// Strict: also refuses keys of low order and non-canonical encodings, so that a signature cannot
/// be reshaped or hold for several keys.
fn verify_ed25519(identity: &PublicIdentity, message: &[u8], signature: &Signature) -> bool {
    let signature = ed25519_dalek::Signature::from_bytes(&signature.ed25519);
    ed25519_dalek::VerifyingKey::from_bytes(&identity.ed25519)
        .is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
}

/// A half that is there on one side only is a mismatch, never a pass.
fn verify_ml_dsa(identity: &PublicIdentity, message: &[u8], signature: &Signature) -> bool {
    match (&identity.ml_dsa, &signature.ml_dsa) {
        (Some(key), Some(signature)) => {
            let key = ml_dsa::VerifyingKey::<MlDsa65>::decode((&**key).into());
            ml_dsa::Signature::<MlDsa65>::decode((&**signature).into())
                .is_some_and(|signature| key.verify_with_context(message, &[], &signature))
        }
        (None, None) => true,
        _ => false,
    }
}
