//! On how much of a remote endpoint a box's behaviour depends, and what keeps its state alive.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// What of the remote endpoint counts: for the mapping of a translator (RFC 4787, section 4.1), for
/// the filter of a translator (section 5) or of a firewall (RFC 6092, section 3.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dependence {
    /// Nothing: all remote endpoints are one.
    EndpointIndependent,
    /// Its address: all its ports are one.
    AddressDependent,
    /// Its address and its port.
    AddressAndPortDependent,
}

impl Dependence {
    /// What counts of `remote`.
    pub const fn of(self, remote: SocketAddr) -> Remote {
        match self {
            Self::EndpointIndependent => Remote::Any,
            Self::AddressDependent => Remote::Address(remote.ip()),
            Self::AddressAndPortDependent => Remote::Endpoint(plain(remote)),
        }
    }
}

/// As much of a remote endpoint as counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Remote {
    /// Any at all.
    Any,
    /// Any port of an address.
    Address(IpAddr),
    /// One endpoint.
    Endpoint(SocketAddr),
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Address(address) => address.fmt(f),
            Self::Endpoint(endpoint) => endpoint.fmt(f),
        }
    }
}

/// Which datagrams prolong what a box remembers (RFC 4787, section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refresh {
    /// Those that go out: what RFC 4787 demands at the least.
    Outbound,
    /// Those that go out and those that come in.
    Both,
    /// Those that come in, as a box may not do that keeps to RFC 4787.
    Inbound,
    /// None: what is remembered ends a fixed time after it began. Such boxes exist.
    Never,
}

impl Refresh {
    /// Whether a datagram that goes out prolongs.
    pub const fn outbound(self) -> bool {
        matches!(self, Self::Outbound | Self::Both)
    }

    /// Whether a datagram that comes in prolongs.
    pub const fn inbound(self) -> bool {
        matches!(self, Self::Inbound | Self::Both)
    }
}

/// An endpoint without the flow label and scope that an IPv6 socket address may carry: they say
/// nothing about who it is.
pub(super) const fn plain(endpoint: SocketAddr) -> SocketAddr {
    SocketAddr::new(endpoint.ip(), endpoint.port())
}
