//! What can go wrong with an endpoint.

use jsp_proto::endpoint;
use std::fmt;

/// Why no connection was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// The endpoint has as many connections as it may.
    TooMany,
    /// Nobody can be reached at the address: its port or host is 0.
    BadAddress,
    /// The endpoint's socket has no way to this kind of address.
    AddressFamily,
    /// The endpoint was closed.
    EndpointClosed,
    /// The provider could not make a key.
    Crypto,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMany => "the endpoint has as many connections as it may",
            Self::BadAddress => "the address has port or host 0",
            Self::AddressFamily => "the socket cannot reach this kind of address",
            Self::EndpointClosed => "the endpoint was closed",
            Self::Crypto => "the cryptographic provider could not make a key",
        })
    }
}

impl std::error::Error for ConnectError {}

impl From<endpoint::ConnectError> for ConnectError {
    fn from(error: endpoint::ConnectError) -> Self {
        match error {
            endpoint::ConnectError::TooMany => Self::TooMany,
            endpoint::ConnectError::BadAddress => Self::BadAddress,
            endpoint::ConnectError::Crypto => Self::Crypto,
        }
    }
}
