//! ServerHello and Encrypted: what the server chose.

use super::codec::{
    Extension, Feature, Kind, extensions, features, put_extensions, put_features, put_versions,
    put8, put16, take16, versions, whole,
};
use crate::crypto::XWING_CIPHERTEXT_LEN;
use crate::error::TransportError;
use crate::handshake::names::AlpnList;
use crate::ids::Version;
use crate::wire::{Malformed, Put, parameters};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The server's half of the key exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerHello {
    pub(crate) version: Version,
    pub(crate) random: [u8; 32],
    pub(crate) suite: u8,
    /// Whether the handshake resumes an earlier connection.
    pub(crate) psk_accepted: bool,
    pub(crate) ciphertext: Box<[u8; XWING_CIPHERTEXT_LEN]>,
    pub(crate) extensions: Vec<Extension>,
}

impl ServerHello {
    /// The whole message.
    pub(crate) fn encode(&self) -> Vec<u8> {
        Kind::ServerHello.message(|out| {
            out.put_u32(self.version.0)?;
            out.put(&self.random)?;
            out.put_u8(self.suite)?;
            out.put_u8(u8::from(self.psk_accepted))?;
            out.put(&self.ciphertext[..])?;
            put_extensions(out, &self.extensions)
        })
    }

    /// Parses a body.
    pub(crate) fn decode(body: &[u8]) -> Result<Self, TransportError> {
        whole(body, |r| {
            Ok(Self {
                version: Version(r.u32()?),
                random: r.array()?,
                suite: r.u8()?,
                psk_accepted: flag(r.u8()?)?,
                ciphertext: Box::new(r.array()?),
                extensions: extensions(r)?,
            })
        })
    }
}

/// Whether the server wants the client to prove an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum AuthWish {
    None = 0,
    Optional = 1,
    Required = 2,
}

/// The rest of the server's choice, which only the client can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Encrypted {
    /// All versions that the server speaks.
    pub(crate) versions: Vec<Version>,
    pub(crate) features: Vec<Feature>,
    /// Encoded transport parameters.
    pub(crate) parameters: Vec<u8>,
    /// The protocol chosen; empty if none was offered.
    pub(crate) alpn: Vec<u8>,
    /// Whether early data was accepted.
    pub(crate) early_data: bool,
    pub(crate) client_auth: AuthWish,
    pub(crate) extensions: Vec<Extension>,
}

impl Encrypted {
    /// The whole message.
    pub(crate) fn encode(&self) -> Vec<u8> {
        Kind::Encrypted.message(|out| {
            put_versions(out, &self.versions)?;
            put_features(out, &self.features)?;
            put16(out, |out| out.put(&self.parameters))?;
            put8(out, |out| out.put(&self.alpn))?;
            out.put_u8(u8::from(self.early_data))?;
            out.put_u8(self.client_auth as u8)?;
            put_extensions(out, &self.extensions)
        })
    }

    /// Parses a body.
    pub(crate) fn decode(body: &[u8]) -> Result<Self, TransportError> {
        whole(body, |r| {
            Ok(Self {
                versions: versions(r)?,
                features: features(r)?,
                parameters: take16(r, parameters::MAX_LEN)?.into(),
                alpn: match r.u8_prefixed()? {
                    name if name.len() <= AlpnList::MAX_NAME => name.into(),
                    _ => return Err(Malformed),
                },
                early_data: flag(r.u8()?)?,
                client_auth: match r.u8()? {
                    0 => AuthWish::None,
                    1 => AuthWish::Optional,
                    2 => AuthWish::Required,
                    _ => return Err(Malformed),
                },
                extensions: extensions(r)?,
            })
        })
    }
}

fn flag(byte: u8) -> Result<bool, Malformed> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Malformed),
    }
}
