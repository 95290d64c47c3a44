//! The system's UDP socket, watched by tokio.

use super::socket::DatagramSocket;
use super::watch::{Found, Watched};
use jsp_driver_mio::SocketOptions;
use jsp_driver_mio::parts::{Batch, Offloads, SendOutcome};
use jsp_proto::record::Transmit;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::{Context, Poll};

/// A UDP socket of the system, with what it can do for many datagrams at once (segmentation and
/// receive offload, batches of messages) and the ECN field of each.
///
/// [`Endpoint::bind`](crate::Endpoint::bind) makes one. Made here, it can be put into a
/// [`DatagramSocket`] of your own, which counts, records or wraps what passes.
#[derive(Debug)]
pub struct UdpSocket {
    watched: Watched,
    offloads: Offloads,
}

impl UdpSocket {
    /// Binds to `address`. On an IPv6 socket, IPv4 is heard as well if the address is unspecified.
    ///
    /// # Errors
    /// The address cannot be used, or this is not within a tokio runtime with I/O.
    pub fn bind(address: SocketAddr, options: &SocketOptions) -> io::Result<Self> {
        // Otherwise tokio panics.
        tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        let (socket, offloads) = Offloads::bind(address, options)?;
        Ok(Self { watched: Watched::new(socket)?, offloads })
    }
}

impl DatagramSocket for UdpSocket {
    fn local_addr(&self) -> SocketAddr {
        self.offloads.local_addr()
    }

    fn reaches(&self, remote: SocketAddr) -> bool {
        self.offloads.reaches(remote)
    }

    fn max_segments(&self) -> usize {
        self.offloads.max_segments()
    }

    fn try_send(&self, transmit: &Transmit, bytes: &[u8]) -> SendOutcome {
        self.watched.try_send(|socket| self.offloads.try_send(socket, transmit, bytes))
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.watched.poll_writable(cx)
    }

    fn poll_recv(&self, cx: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>> {
        self.watched.poll_recv(cx, |socket| {
            self.offloads.recv(socket, batch)?;
            let all = TAKES_ALL && !batch.is_full() && batch.bytes() <= LITTLE;
            Ok(if all { Found::All } else { Found::More })
        })
    }

    fn try_recv(&self, batch: &mut Batch) -> io::Result<()> {
        match self.offloads.recv(self.watched.socket(), batch) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            received => received,
        }
    }
}

/// While more bytes than this are dealt with, more have usually arrived: asking for them costs less than
/// to sleep and be woken.
const LITTLE: usize = 4 << 10;

/// Whether a call to receive takes messages for as long as there are some and there is room, as
/// Linux's does: one that returns with room left has seen that no more is there.
const TAKES_ALL: bool = cfg!(any(target_os = "linux", target_os = "android"));

#[cfg(test)]
mod tests {
    use super::*;
    use jsp_proto::ids::Ecn;
    use jsp_proto::record::Received;
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
