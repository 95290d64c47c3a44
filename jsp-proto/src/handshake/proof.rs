//! What an identity signs, and when a proof is accepted.

use super::identity::Identity;
use super::messages::Proof;
use super::verify::{Peer, Verifier, judge};
use crate::crypto::{CryptoError, Provider, Signature};
use crate::error::{Code, TransportError};
use crate::ids::Side;
use alloc::vec;
use alloc::vec::Vec;

/// The one error of everything about identities: a peer that learns more could probe.
pub(super) const NOT_ACCEPTED: TransportError =
    TransportError::new(Code::IDENTITY, "identity not accepted");

/// What `side` signs; `hash` covers everything through its own Identity (as RFC 8446, section
/// 4.4.3).
pub(super) fn message(side: Side, hash: &[u8; 32]) -> Vec<u8> {
    let label: &[u8] = match side {
        Side::Client => b"jsp1 client proof\0",
        Side::Server => b"jsp1 server proof\0",
    };
    let mut message = vec![b' '; 64];
    message.extend_from_slice(label);
    message.extend_from_slice(hash);
    message
}

/// Whether the peer proved `identity` with the Proof of this body, and is trusted. Every signature
/// is checked first, whatever the verifier would say; the verifier sees no identity whose signatures
/// did not verify, so none is remembered.
pub(super) fn check(
    provider: &dyn Provider,
    verifier: &dyn Verifier,
    (side, server_name): (Side, &str),
    identity: &Identity,
    hash: &[u8; 32],
    body: &[u8],
) -> Result<(), TransportError> {
    let public = identity.public();
    let Proof(signature) = Proof::decode(body, public.algorithm()).map_err(|_| NOT_ACCEPTED)?;
    provider
        .verify(public, &message(side, hash), &signature)
        .map_err(|CryptoError| NOT_ACCEPTED)?;
    let peer = Peer { side, server_name, identity: public, fingerprint: identity.fingerprint() };
    judge(verifier, &peer).map_err(|_| NOT_ACCEPTED)
}

/// The Proof of our own identity. A signer that fails, or whose signature has not the parts that the
/// identity demands, is this end's fault.
pub(super) fn own(
    identity: &Identity,
    signature: Result<Signature, CryptoError>,
) -> Result<Proof, TransportError> {
    signature
        .ok()
        .filter(|signature| signature.ml_dsa.is_some() == identity.public().ml_dsa.is_some())
        .map(Proof)
        .ok_or(TransportError::new(Code::INTERNAL, "no signature for the identity"))
}
