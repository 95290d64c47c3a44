//! How the two address families write each other's addresses.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

/// An address as the engine knows it: IPv4 is IPv4, whatever the socket's family is.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(ip.into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

/// An address as a socket of IPv6 writes it: IPv4 is mapped.
pub(super) fn mapped(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) => SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into(),
        SocketAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mapped_is_the_same_address() {
        for text in ["192.0.2.1:7", "[2001:db8::1]:7"] {
            let address: SocketAddr = text.parse().unwrap();
            assert!(mapped(address).is_ipv6());
            assert_eq!(canonical(mapped(address)), address);
        }
    }
}
