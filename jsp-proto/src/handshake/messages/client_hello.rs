//! ClientHello: all that the client offers, in one message of at most 3072 bytes.

use super::codec::{
    Extension, Feature, Kind, extensions, features, list, put_extensions, put_features,
    put_versions, put8, put16, take16, versions, whole,
};
use crate::crypto::{Fingerprint, XWING_PUBLIC_LEN};
use crate::error::TransportError;
use crate::handshake::names::{AlpnList, ServerName};
use crate::ids::Version;
use crate::wire::{Malformed, Put, Reader, parameters};
use alloc::boxed::Box;
use alloc::vec::Vec;

const MAX_SUITES: usize = 16;

/// The client's offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientHello {
    /// Best first.
    pub(crate) versions: Vec<Version>,
    pub(crate) random: [u8; 32],
    /// Best first, as numbers: unknown ones are kept.
    pub(crate) suites: Vec<u8>,
    pub(crate) features: Vec<Feature>,
    pub(crate) key: Box<[u8; XWING_PUBLIC_LEN]>,
    /// Encoded transport parameters.
    pub(crate) parameters: Vec<u8>,
    pub(crate) alpn: AlpnList,
    pub(crate) server_name: ServerName,
    /// The server identity whose full key the client holds.
    pub(crate) held: Option<Fingerprint>,
    pub(crate) extensions: Vec<Extension>,
}

impl ClientHello {
    /// The whole message.
    pub(crate) fn encode(&self) -> Vec<u8> {
        Kind::ClientHello.message(|out| {
            put_versions(out, &self.versions)?;
            out.put(&self.random)?;
            put8(out, |out| out.put(&self.suites))?;
            put_features(out, &self.features)?;
            out.put(&self.key[..])?;
            put16(out, |out| out.put(&self.parameters))?;
            put16(out, |out| {
                let mut names = self.alpn.names().iter();
                names.try_for_each(|name| put8(out, |out| out.put(name)))
            })?;
            put8(out, |out| out.put(self.server_name.as_str().as_bytes()))?;
            out.put_u8(u8::from(self.held.is_some()))?;
            if let Some(fingerprint) = &self.held {
                out.put(&fingerprint.0)?;
            }
            put_extensions(out, &self.extensions)
        })
    }

    /// Parses a body.
    pub(crate) fn decode(body: &[u8]) -> Result<Self, TransportError> {
        whole(body, |r| {
            Ok(Self {
                versions: versions(r)?,
                random: r.array()?,
                suites: list(r.u8_prefixed()?, MAX_SUITES, Reader::u8)?,
                features: features(r)?,
                key: Box::new(r.array()?),
                parameters: take16(r, parameters::MAX_LEN)?.into(),
                alpn: alpn(r)?,
                server_name: server_name(r)?,
                held: match r.u8()? {
                    0 => None,
                    1 => Some(Fingerprint(r.array()?)),
                    _ => return Err(Malformed),
                },
                extensions: extensions(r)?,
            })
        })
    }
}

fn alpn(r: &mut Reader<'_>) -> Result<AlpnList, Malformed> {
    let bytes = take16(r, AlpnList::MAX_LEN)?;
    let names = list(bytes, AlpnList::MAX_LEN, |r| r.u8_prefixed().map(Vec::from))?;
    AlpnList::new(names).map_err(|_| Malformed)
}

fn server_name(r: &mut Reader<'_>) -> Result<ServerName, Malformed> {
    let name = core::str::from_utf8(r.u8_prefixed()?).map_err(|_| Malformed)?;
    name.parse().map_err(|_| Malformed)
}
