//! The system's UDP socket: offloads, batches, ECN and addresses of both families, through `quinn-udp`.

use super::address::mapped;
use super::batch::{Batch, Message};
use super::socket::{DatagramSocket, SendOutcome};
use jsp_proto::ids::Ecn;
use jsp_proto::record::{Received, Transmit};
use quinn_udp::{EcnCodepoint, RecvMeta, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Type};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::{Context, Poll};
use tokio::io::Interest;

/// How a socket is set up.
#[derive(Clone, Debug)]
pub struct SocketOptions {
    /// Bytes that the kernel may hold for us to receive, as far as it allows. Default: 4 MiB.
    pub receive_buffer: usize,
    /// Bytes that it may hold for us to send, as far as it allows. Default: 4 MiB.
    pub send_buffer: usize,
    /// Whether trains of segments are handed to the kernel as one (generic segmentation offload)
    /// where it can do that. Default: yes.
    pub segmentation_offload: bool,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self { receive_buffer: 4 << 20, send_buffer: 4 << 20, segmentation_offload: true }
    }
}

/// A UDP socket of the system, with what it can do for many datagrams at once (segmentation and
/// receive offload, batches of messages) and the ECN field of each.
///
/// [`Endpoint::bind`](crate::Endpoint::bind) makes one. Made here, it can be put into a
/// [`DatagramSocket`] of your own, which counts, records or wraps what passes.
#[derive(Debug)]
pub struct UdpSocket {
    io: tokio::net::UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    offload: bool,
}

impl UdpSocket {
    /// Binds to `address`. On an IPv6 socket, IPv4 is heard as well if the address is unspecified.
    ///
    /// # Errors
    /// The address cannot be used, or this is not within a tokio runtime with I/O.
    pub fn bind(address: SocketAddr, options: &SocketOptions) -> io::Result<Self> {
        // Otherwise tokio panics.
        tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        let socket =
            socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        // As much as the kernel grants; the default still works, with more losses.
        let _ = socket.set_recv_buffer_size(options.receive_buffer);
        let _ = socket.set_send_buffer_size(options.send_buffer);
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let state = UdpSocketState::new((&socket).into())?;
        let io = tokio::net::UdpSocket::from_std(socket.into())?;
        let local = io.local_addr()?;
        Ok(Self { io, state, local, offload: options.segmentation_offload })
    }

    /// Sends a train without the kernel's help. What does not fit counts as lost.
    fn send_each(&self, transmit: &Transmit, bytes: &[u8]) -> SendOutcome {
        for datagram in bytes.chunks(transmit.segment.max(1)) {
            let _ = self.send(transmit, datagram, datagram.len());
        }
        SendOutcome::Gone
    }

    fn send(&self, transmit: &Transmit, contents: &[u8], segment: usize) -> io::Result<()> {
        let remote = transmit.remote;
        let transmit = quinn_udp::Transmit {
            // As this socket's family writes it.
            destination: if self.local.is_ipv6() { mapped(remote) } else { remote },
            ecn: EcnCodepoint::from_bits(transmit.ecn as u8),
            contents,
            segment_size: (segment < contents.len()).then_some(segment),
            // A socket that is bound to one address has no choice.
            src_ip: transmit.local.filter(|_| self.local.ip().is_unspecified()),
        };
        let attempt = || self.state.try_send(UdpSockRef::from(&self.io), &transmit);
        match attempt() {
            // Once more where tokio watches, so that it tells when there is room.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.io.try_io(Interest::WRITABLE, attempt)
            }
            sent => sent,
        }
    }
}

impl DatagramSocket for UdpSocket {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn reaches(&self, remote: SocketAddr) -> bool {
        match (self.local, remote) {
            (SocketAddr::V4(_), SocketAddr::V4(_)) | (SocketAddr::V6(_), SocketAddr::V6(_)) => true,
            (SocketAddr::V6(local), SocketAddr::V4(_)) => local.ip().is_unspecified(),
            (SocketAddr::V4(_), SocketAddr::V6(_)) => false,
        }
    }

    fn max_segments(&self) -> usize {
        if self.offload { self.state.max_gso_segments().clamp(1, 64) } else { 1 }
    }

    /// What the network refuses counts as lost: the engine finds out, and probes of a too large MTU
    /// are meant to be.
    fn try_send(&self, transmit: &Transmit, bytes: &[u8]) -> SendOutcome {
        if transmit.segment < bytes.len() && self.max_segments() == 1 {
            return self.send_each(transmit, bytes);
        }
        match self.send(transmit, bytes, transmit.segment) {
            Ok(()) => SendOutcome::Gone,
            Err(error) if error.kind() == ErrorKind::WouldBlock => SendOutcome::Full,
            Err(error) if transmit.segment < bytes.len() && self.max_segments() == 1 => {
                tracing::debug!(%error, "segmentation offload failed, sending one by one");
                self.send_each(transmit, bytes)
            }
            Err(error) => {
                tracing::trace!(%error, to = %transmit.remote, size = transmit.segment, "not sent");
                SendOutcome::Gone
            }
        }
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.io.poll_send_ready(cx).map(|_| ())
    }

    fn poll_recv(&self, cx: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>> {
        loop {
            match self.io.poll_recv_ready(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
            let mut meta = [RecvMeta::default(); Batch::MESSAGES];
            let mut buffers = batch.buffers();
            let received = self.io.try_io(Interest::READABLE, || {
                self.state.recv(UdpSockRef::from(&self.io), &mut buffers, &mut meta)
            });
            match received {
                Ok(count) => {
                    batch.set(meta.iter().take(count).map(message));
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

fn message(meta: &RecvMeta) -> Message {
    let ecn = meta.ecn.map_or(Ecn::NotEct, |ecn| Ecn::from_bits(ecn as u8));
    let received = Received { remote: meta.addr, local: meta.dst_ip, ecn };
    Message { received, len: meta.len, segment: meta.stride }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::net::IpAddr;

    fn transmit(remote: SocketAddr, len: usize, segment: usize) -> Transmit {
        Transmit { remote, local: None, ecn: Ecn::Ect0, len, segment }
    }

    async fn receive(socket: &UdpSocket, bytes: usize) -> (Vec<Vec<u8>>, Received) {
        let (mut datagrams, mut batch, mut last) = (Vec::<Vec<u8>>::new(), Batch::new(), None);
        while datagrams.iter().map(Vec::len).sum::<usize>() < bytes {
            poll_fn(|cx| socket.poll_recv(cx, &mut batch)).await.unwrap();
            for (message, bytes) in batch.messages() {
                datagrams.extend(bytes.chunks(message.segment).map(<[u8]>::to_vec));
                last = Some(message.received);
            }
        }
        (datagrams, last.unwrap())
    }

    #[tokio::test]
    async fn a_train_arrives_as_the_datagrams_that_it_was_made_of() {
        let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
        for segmentation_offload in [true, false] {
            let options = SocketOptions { segmentation_offload, ..SocketOptions::default() };
            let a = UdpSocket::bind(loopback, &options).unwrap();
            let b = UdpSocket::bind(loopback, &options).unwrap();
            let train: Vec<u8> = (0..25_000u32).map(|n| (n / 1200) as u8).collect();
            let sent = a.try_send(&transmit(b.local_addr(), train.len(), 1200), &train);
            assert_eq!(sent, SendOutcome::Gone);
            if !segmentation_offload {
                assert_eq!(a.max_segments(), 1);
            }
            let (datagrams, meta) = receive(&b, train.len()).await;
            assert_eq!(datagrams.len(), 21);
            assert_eq!(datagrams.concat(), train);
            assert_eq!(
                (meta.remote, meta.ecn),
                (a.local_addr(), Ecn::Ect0),
                "offload {segmentation_offload}"
            );
        }
    }

    #[tokio::test]
    async fn a_dual_stack_socket_tells_ipv4_addresses_as_what_they_are() {
        let both = UdpSocket::bind("[::]:0".parse().unwrap(), &SocketOptions::default()).unwrap();
        let port = both.local_addr().port();
        for (local, target) in [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1")] {
            let peer = UdpSocket::bind(local.parse().unwrap(), &SocketOptions::default()).unwrap();
            let ip: IpAddr = target.parse().unwrap();
            peer.try_send(&transmit(SocketAddr::new(ip, port), 5, 5), b"hello");
            let (_, meta) = receive(&both, 5).await;
            assert_eq!((meta.remote, meta.local), (peer.local_addr(), Some(ip)));
            let answer = Transmit { local: meta.local, ..transmit(meta.remote, 2, 2) };
            both.try_send(&answer, b"hi");
            let (datagrams, meta) = receive(&peer, 2).await;
            assert_eq!((&datagrams[0][..], meta.remote.ip()), (&b"hi"[..], ip));
        }
    }

    #[tokio::test]
    async fn a_datagram_that_the_network_refuses_counts_as_lost() {
        let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let socket = UdpSocket::bind(loopback, &SocketOptions::default()).unwrap();
        let large = vec![0; 65_535];
        let to = transmit(socket.local_addr(), large.len(), large.len());
        assert_eq!(socket.try_send(&to, &large), SendOutcome::Gone);
    }
}
