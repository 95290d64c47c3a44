//! What travels: datagrams, and who sends them.

use jsp_proto::ids::Ecn;
use std::net::SocketAddr;

/// A host on the network, in the order in which they were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// A UDP datagram with what its IP header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Where it says that it comes from.
    pub from: SocketAddr,
    /// Where it goes.
    pub to: SocketAddr,
    /// The ECN field.
    pub ecn: Ecn,
    /// The UDP payload.
    pub payload: Vec<u8>,
}

impl Datagram {
    /// Bytes of the IPv4 and UDP headers.
    pub const IPV4_OVERHEAD: usize = 28;
    /// Bytes of the IPv6 and UDP headers.
    pub const IPV6_OVERHEAD: usize = 48;

    /// Bytes of the IP packet that carries it.
    pub const fn packet_len(&self) -> usize {
        self.payload.len()
            + if self.to.is_ipv4() { Self::IPV4_OVERHEAD } else { Self::IPV6_OVERHEAD }
    }
}

/// A datagram on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Its number: datagrams are counted as they enter the network. A copy has that of its original.
    pub number: u64,
    /// Who sent it.
    pub node: NodeId,
    /// How many boxes it has passed.
    pub hops: u8,
    /// Whether its bytes are not those that were sent.
    pub corrupted: bool,
    /// What it is.
    pub datagram: Datagram,
}
