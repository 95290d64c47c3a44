//! A look at a ClientHello before there is a connection.

use super::messages::{ClientHello, Kind, body};
use super::names::{AlpnList, ServerName};
use crate::error::TransportError;
use crate::ids::Version;
use alloc::vec::Vec;

/// What an endpoint learns from the first handshake bytes of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peeked {
    /// The ClientHello is not all there.
    Partial {
        /// Its length in bytes, once the first four are there.
        len: Option<usize>,
    },
    /// It is, and it parses.
    Whole(ClientHelloInfo),
}

/// What anybody can read in a ClientHello. Nothing of it is authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHelloInfo {
    /// The length of the message in bytes.
    pub len: usize,
    /// The versions offered, best first.
    pub versions: Vec<Version>,
    /// The server identity that is asked for; may be empty.
    pub server_name: ServerName,
    /// The application protocols offered, best first.
    pub alpn: AlpnList,
}

/// Looks at the first handshake bytes of a client, which may be incomplete.
///
/// # Errors
/// The bytes cannot become a ClientHello, or it does not parse.
pub fn peek_client_hello(bytes: &[u8]) -> Result<Peeked, TransportError> {
    let Some(len) = Kind::ClientHello.message_len(bytes)? else {
        return Ok(Peeked::Partial { len: None });
    };
    let Some(message) = bytes.get(..len) else {
        return Ok(Peeked::Partial { len: Some(len) });
    };
    let hello = ClientHello::decode(body(message))?;
    Ok(Peeked::Whole(ClientHelloInfo {
        len,
        versions: hello.versions,
        server_name: hello.server_name,
        alpn: hello.alpn,
    }))
}
