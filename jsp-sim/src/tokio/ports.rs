//! Who listens where on the simulated hosts, and what has come for them.

use crate::datagram::{Datagram, NodeId};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::Waker;

/// Bytes that wait for one socket at most; what comes beyond is lost, as in a real one.
const ROOM: usize = 4 << 20;
/// The first of the ports that are given to who does not choose one (RFC 6335, section 6).
const EPHEMERAL: u16 = 49_152;

/// A bound socket.
#[derive(Debug, Default)]
pub(super) struct Port {
    waiting: VecDeque<Datagram>,
    bytes: usize,
    reader: Option<Waker>,
}

impl Port {
    /// The next datagram that has come.
    pub(super) fn take(&mut self) -> Option<Datagram> {
        let datagram = self.waiting.pop_front()?;
        self.bytes -= datagram.payload.len();
        Some(datagram)
    }

    /// The next datagram that has come, which stays.
    pub(super) fn peek(&self) -> Option<&Datagram> {
        self.waiting.front()
    }

    /// Remembers who waits for the next datagram.
    pub(super) fn wait(&mut self, reader: &Waker) {
        match &mut self.reader {
            Some(known) => known.clone_from(reader),
            None => self.reader = Some(reader.clone()),
        }
    }

    fn put(&mut self, datagram: Datagram) -> Option<Waker> {
        if self.bytes + datagram.payload.len() > ROOM {
            return None;
        }
        self.bytes += datagram.payload.len();
        self.waiting.push_back(datagram);
        self.reader.take()
    }
}

/// All bound sockets, by host and address.
#[derive(Debug, Default)]
pub(super) struct Ports {
    open: BTreeMap<(NodeId, SocketAddr), Port>,
    /// How many ports were given to who chose none.
    given: u16,
}

impl Ports {
    /// Opens a port at `address` of `node`; port 0 is any that is free. Returns where it was opened.
    pub(super) fn open(&mut self, node: NodeId, address: SocketAddr) -> io::Result<SocketAddr> {
        let address = match address.port() {
            0 => self.choose(node, address.ip()),
            _ => Some(address).filter(|address| !self.is_taken(node, *address)),
        };
        let address = address.ok_or(io::ErrorKind::AddrInUse)?;
        self.open.insert((node, address), Port::default());
        Ok(address)
    }

    pub(super) fn close(&mut self, node: NodeId, address: SocketAddr) {
        self.open.remove(&(node, address));
    }

    pub(super) fn get(&mut self, node: NodeId, address: SocketAddr) -> Option<&mut Port> {
        self.open.get_mut(&(node, address))
    }

    /// Puts a datagram where it belongs, if anybody listens there. Returns who waited for it.
    pub(super) fn deliver(&mut self, node: NodeId, datagram: Datagram) -> Option<Waker> {
        let (ip, port) = (datagram.to.ip(), datagram.to.port());
        let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let both = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        let at = [ip, any, both]
            .into_iter()
            .filter(|at| *at != any || ip.is_ipv4())
            .map(|at| (node, SocketAddr::new(at, port)))
            .find(|at| self.open.contains_key(at))?;
        self.open.get_mut(&at)?.put(datagram)
    }

    fn choose(&mut self, node: NodeId, ip: IpAddr) -> Option<SocketAddr> {
        const COUNT: u16 = u16::MAX - EPHEMERAL + 1;
        for _ in 0..COUNT {
            let address = SocketAddr::new(ip, EPHEMERAL + self.given % COUNT);
            self.given = (self.given + 1) % COUNT;
            if !self.is_taken(node, address) {
                return Some(address);
            }
        }
        None
    }

    fn is_taken(&self, node: NodeId, address: SocketAddr) -> bool {
        let first = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        self.open.range((node, first)..).take_while(|((at, _), _)| *at == node).any(
            |((_, open), _)| {
                open.port() == address.port()
                    && (open.ip() == address.ip()
                        || hears(open.ip(), address.ip())
                        || hears(address.ip(), open.ip()))
            },
        )
    }
}

/// Whether a socket that is bound to `at` hears what is for `ip`, because it hears any address.
fn hears(at: IpAddr, ip: IpAddr) -> bool {
    at.is_unspecified() && (at.is_ipv6() || ip.is_ipv4())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsp_proto::ids::Ecn;

    const A: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    fn datagram(to: &str, len: usize) -> Datagram {
        let payload = vec![1; len];
        Datagram { from: at("192.0.2.9:9"), to: at(to), ecn: Ecn::NotEct, payload }
    }

    #[test]
    fn an_address_belongs_to_one_socket_of_a_host() {
        let mut ports = Ports::default();
        for (node, address, free) in [
            (A, "192.0.2.1:7", true),
            (A, "192.0.2.1:7", false),
            (B, "192.0.2.1:7", true),
            (A, "192.0.2.2:7", true),
            (A, "0.0.0.0:7", false),
            (A, "[::]:7", false),
            (A, "[2001:db8::1]:7", true),
            (A, "[::]:8", true),
            (A, "192.0.2.1:8", false),
            (A, "0.0.0.0:9", true),
            (A, "[2001:db8::1]:9", true),
        ] {
            assert_eq!(ports.open(node, at(address)).is_ok(), free, "{node:?} {address}");
        }
        ports.close(A, at("192.0.2.1:7"));
        assert!(ports.open(A, at("192.0.2.1:7")).is_ok());
    }

    #[test]
    fn who_chooses_no_port_gets_one_that_nobody_has() {
        let mut ports = Ports::default();
        ports.open(A, at("192.0.2.1:49153")).unwrap();
        let given: Vec<_> =
            (0..3).map(|_| ports.open(A, at("192.0.2.1:0")).unwrap().port()).collect();
        assert_eq!(given, [49_152, 49_154, 49_155]);
        ports.close(A, at("192.0.2.1:49152"));
        ports.given = u16::MAX - EPHEMERAL;
        let given: Vec<_> =
            (0..3).map(|_| ports.open(A, at("192.0.2.1:0")).unwrap().port()).collect();
        assert_eq!(given, [65_535, 49_152, 49_156], "after the last the first, if it is free");
    }

    #[test]
    fn a_datagram_goes_to_who_has_its_address_or_hears_any() {
        let mut ports = Ports::default();
        for (address, to) in [
            ("192.0.2.1:7", "192.0.2.1:7"),
            ("0.0.0.0:8", "192.0.2.1:8"),
            ("[::]:9", "192.0.2.1:9"),
            ("[::]:10", "[2001:db8::1]:10"),
        ] {
            ports.open(A, at(address)).unwrap();
            ports.deliver(A, datagram(to, 5));
            ports.deliver(B, datagram(to, 5));
            let port = ports.get(A, at(address)).unwrap();
            assert_eq!(port.take(), Some(datagram(to, 5)));
            assert_eq!(port.take(), None);
        }
        ports.deliver(A, datagram("[2001:db8::1]:8", 5));
        assert_eq!(ports.get(A, at("0.0.0.0:8")).unwrap().peek(), None, "it hears IPv4 alone");
    }

    #[test]
    fn what_nobody_reads_takes_no_more_memory_than_a_sockets_buffer() {
        let mut ports = Ports::default();
        let address = "192.0.2.1:7";
        ports.open(A, at(address)).unwrap();
        for _ in 0..2 * ROOM / 1000 {
            ports.deliver(A, datagram(address, 1000));
        }
        let port = ports.get(A, at(address)).unwrap();
        assert_eq!(port.waiting.len(), ROOM / 1000);
        while port.take().is_some() {}
        assert_eq!(port.bytes, 0);
    }
}
