//! Names that travel in the ClientHello, checked once when they are made.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// The name of a server within its address: which of its identities the client asks for. UTF-8, at
/// most 128 bytes, compared byte for byte. The empty name asks for the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerName(String);

/// The name is longer than 128 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadServerName;

impl fmt::Display for BadServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a server name has at most 128 bytes")
    }
}

impl core::error::Error for BadServerName {}

impl ServerName {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 128;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServerName {
    type Err = BadServerName;
    fn from_str(name: &str) -> Result<Self, BadServerName> {
        if name.len() <= Self::MAX_LEN { Ok(Self(name.into())) } else { Err(BadServerName) }
    }
}

/// Application protocols (as in TLS, RFC 7301), best first. Each name has 1 to 64 bytes, all of them
/// with a length byte each at most 256.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlpnList(Vec<Vec<u8>>);

/// A name is empty or longer than 64 bytes, or all of them take more than 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadAlpn;

impl fmt::Display for BadAlpn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "protocol names have 1 to 64 bytes each, and 256 in all with a length byte each",
        )
    }
}

impl core::error::Error for BadAlpn {}

impl AlpnList {
    /// The longest name, in bytes.
    pub const MAX_NAME: usize = 64;
    /// The longest list, in bytes, a length byte for each name included.
    pub const MAX_LEN: usize = 256;

    /// A list of names, best first.
    pub fn new(names: Vec<Vec<u8>>) -> Result<Self, BadAlpn> {
        let total: usize = names.iter().map(|name| name.len().saturating_add(1)).sum();
        let each = names.iter().all(|name| (1..=Self::MAX_NAME).contains(&name.len()));
        if each && total <= Self::MAX_LEN { Ok(Self(names)) } else { Err(BadAlpn) }
    }

    /// The names, best first.
    pub fn names(&self) -> &[Vec<u8>] {
        &self.0
    }

    /// Whether there is no name.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `name` is in the list.
    pub fn contains(&self, name: &[u8]) -> bool {
        self.0.iter().any(|own| own == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_server_name_has_at_most_128_bytes() {
        assert!("n".repeat(128).parse::<ServerName>().is_ok());
        assert_eq!("n".repeat(129).parse::<ServerName>(), Err(BadServerName));
    }

    #[test]
    fn protocol_names_are_neither_empty_nor_too_long() {
        assert!(AlpnList::new(vec![vec![0; 64]; 3]).is_ok());
        assert_eq!(AlpnList::new(vec![vec![]]), Err(BadAlpn));
        assert_eq!(AlpnList::new(vec![vec![0; 65]]), Err(BadAlpn));
        assert!(AlpnList::new(vec![vec![0; 63]; 4]).is_ok());
        assert_eq!(AlpnList::new(vec![vec![0; 64]; 4]), Err(BadAlpn));
    }
}
