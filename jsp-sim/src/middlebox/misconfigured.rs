//! What can be wrong with the description of a box.

use std::fmt;
use std::net::IpAddr;

/// Why a box cannot be built from its description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misconfigured {
    /// A translator without an outer address translates to nothing.
    NoAddress,
    /// The pool of a translator lists this address twice.
    RepeatedAddress(IpAddr),
    /// The setting of this name must not be zero.
    Zero(&'static str),
}

impl fmt::Display for Misconfigured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress => f.write_str("`addresses` is empty: a NAT needs an outer address"),
            Self::RepeatedAddress(address) => {
                write!(f, "`addresses` lists {address} more than once")
            }
            Self::Zero(setting) => write!(f, "`{setting}` must not be zero"),
        }
    }
}

impl std::error::Error for Misconfigured {}
