//! Identity, Proof and Finished: who somebody is, that they are, and that nothing was changed.

use super::codec::{Kind, whole};
use crate::crypto::{Algorithm, Fingerprint, PublicIdentity, Signature};
use crate::error::TransportError;
use crate::wire::{Malformed, Put, Reader};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

const NONE: u8 = 0;
const HYBRID: u8 = Algorithm::Hybrid as u8;
const ED25519: u8 = Algorithm::Ed25519 as u8;
const FINGERPRINT: u8 = 3;

/// Who the sender is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IdentityMessage {
    /// Nobody in particular: a client whose identity is optional. No Proof follows.
    None,
    /// The public keys.
    Full(Arc<PublicIdentity>),
    /// The receiver said that it holds the public keys of this fingerprint.
    Held(Fingerprint),
}

impl IdentityMessage {
    /// The whole message.
    pub(crate) fn encode(&self) -> Vec<u8> {
        Kind::Identity.message(|out| match self {
            Self::None => out.put_u8(NONE),
            Self::Full(identity) => {
                out.put_u8(identity.algorithm() as u8)?;
                out.put(&identity.ed25519)?;
                identity.ml_dsa.iter().try_for_each(|key| out.put(&key[..]))
            }
            Self::Held(fingerprint) => {
                out.put_u8(FINGERPRINT)?;
                out.put(&fingerprint.0)
            }
        })
    }

    /// Parses a body.
    pub(crate) fn decode(body: &[u8]) -> Result<Self, TransportError> {
        whole(body, |r| {
            Ok(match r.u8()? {
                NONE => Self::None,
                HYBRID => Self::full(r, true)?,
                ED25519 => Self::full(r, false)?,
                FINGERPRINT => Self::Held(Fingerprint(r.array()?)),
                _ => return Err(Malformed),
            })
        })
    }

    fn full(r: &mut Reader<'_>, hybrid: bool) -> Result<Self, Malformed> {
        let ed25519 = r.array()?;
        let ml_dsa = if hybrid { Some(Box::new(r.array()?)) } else { None };
        Ok(Self::Full(Arc::new(PublicIdentity { ed25519, ml_dsa })))
    }
}

/// The signatures that an identity's algorithm demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proof(pub(crate) Signature);

impl Proof {
    /// The whole message.
    pub(crate) fn encode(&self) -> Vec<u8> {
        Kind::Proof.message(|out| {
            out.put(&self.0.ed25519)?;
            self.0.ml_dsa.iter().try_for_each(|half| out.put(&half[..]))
        })
    }

    /// Parses the body of a proof for an identity of `algorithm`.
    pub(crate) fn decode(body: &[u8], algorithm: Algorithm) -> Result<Self, TransportError> {
        whole(body, |r| {
            let ed25519 = r.array()?;
            let ml_dsa = match algorithm {
                Algorithm::Hybrid => Some(Box::new(r.array()?)),
                Algorithm::Ed25519 => None,
            };
            Ok(Self(Signature { ed25519, ml_dsa }))
        })
    }
}

/// A MAC over everything before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finished(pub(crate) [u8; 32]);

impl Finished {
    /// The whole message.
    pub(crate) fn encode(&self) -> Vec<u8> {
        Kind::Finished.message(|out| out.put(&self.0))
    }

    /// Parses a body.
    pub(crate) fn decode(body: &[u8]) -> Result<Self, TransportError> {
        whole(body, |r| r.array().map(Self))
    }
}
