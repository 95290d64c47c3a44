//! A UDP socket with its offloads: trains in and out, and the ECN field of each datagram.

use jsp_proto::ids::Ecn;
use mio::{Interest, Registry, Token};
use quinn_udp::{EcnCodepoint, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Type};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};

/// What the kernel may hold for us, each way, as far as it allows: bytes.
const KERNEL_BUFFER: usize = 4 << 20;
/// Messages that are received at once: few, for each may be a train of 64 datagrams, and meanwhile
/// nothing is sent.
const MESSAGES: usize = 8;
/// The largest message, trains included.
const LARGEST: usize = 65_535;

/// A UDP socket.
#[derive(Debug)]
pub(super) struct Socket {
    io: mio::net::UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
}

impl Socket {
    /// Binds to `address`; `token` will tell when there is something to receive. On IPv6, IPv4 is heard
    /// as well if the address is unspecified.
    pub(super) fn bind(address: SocketAddr, registry: &Registry, token: Token) -> io::Result<Self> {
        let socket =
            socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        // The default still works, with more losses that are not the link's.
        let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
        let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let state = UdpSocketState::new((&socket).into())?;
        let mut io = mio::net::UdpSocket::from_std(socket.into());
        registry.register(&mut io, token, Interest::READABLE)?;
        let local = io.local_addr()?;
        Ok(Self { io, state, local })
    }

    pub(super) const fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// How many datagrams a train may have.
    pub(super) fn max_segments(&self) -> usize {
        self.state.max_gso_segments().clamp(1, 64)
    }

    /// Sends a train of datagrams, each of `segment` bytes but for the last, which may be shorter.
    pub(super) fn send(
        &self,
        to: SocketAddr,
        from: Option<IpAddr>,
        ecn: Ecn,
        contents: &[u8],
        segment: usize,
    ) -> io::Result<()> {
        let transmit = Transmit {
            destination: to,
            ecn: EcnCodepoint::from_bits(ecn as u8),
            contents,
            segment_size: (segment < contents.len()).then_some(segment),
            // A socket that is bound to one address has no choice.
            src_ip: from.filter(|_| self.local.ip().is_unspecified()),
        };
        self.io.try_io(|| self.state.try_send(UdpSockRef::from(&self.io), &transmit))
    }

    /// Fills `inbox` with what has come; it would block if nothing has.
    pub(super) fn receive(&self, inbox: &mut Inbox) -> io::Result<()> {
        let Inbox { buffer, meta, filled } = inbox;
        *filled = 0;
        let mut rest = buffer.chunks_exact_mut(LARGEST);
        let mut slices: [IoSliceMut<'_>; MESSAGES] =
            std::array::from_fn(|_| IoSliceMut::new(rest.next().unwrap_or_default()));
        *filled = self
            .io
            .try_io(|| self.state.recv(UdpSockRef::from(&self.io), &mut slices, &mut meta[..]))?;
        Ok(())
    }

    pub(super) fn close(mut self, registry: &Registry) {
        // It is closed with it.
        let _ = registry.deregister(&mut self.io);
    }
}

/// What was received at once.
#[derive(Debug)]
pub(super) struct Inbox {
    buffer: Vec<u8>,
    meta: [RecvMeta; MESSAGES],
    filled: usize,
}

impl Inbox {
    pub(super) fn new() -> Self {
        let meta = [RecvMeta::default(); MESSAGES];
        Self { buffer: vec![0; LARGEST * MESSAGES], meta, filled: 0 }
    }

    /// Who sent, to which address of ours, the ECN field, and the UDP payload, of each datagram.
    pub(super) fn datagrams(
        &self,
    ) -> impl Iterator<Item = (SocketAddr, Option<IpAddr>, Ecn, &[u8])> {
        let filled = self.meta.iter().zip(self.buffer.chunks_exact(LARGEST)).take(self.filled);
        filled.flat_map(|(meta, buffer)| {
            let ecn = Ecn::from_bits(meta.ecn.map_or(0, |ecn| ecn as u8));
            let message = buffer.get(..meta.len).unwrap_or_default();
            let empty = message.is_empty().then_some(message);
            let datagrams = message.chunks(meta.stride.max(1)).chain(empty);
            datagrams.map(move |datagram| (meta.addr, meta.dst_ip, ecn, datagram))
        })
    }
}
