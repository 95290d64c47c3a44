//! What a system's UDP socket does for many datagrams at once: offloads, batches, ECN and addresses of
//! both families, through `quinn-udp`; whoever watches the socket's readiness.

use super::address::mapped;
use super::batch::{Batch, Message};
use jsp_proto::ids::Ecn;
use jsp_proto::record::{Received, Transmit};
use quinn_udp::{EcnCodepoint, RecvMeta, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Type};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};

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
    /// Whether other sockets may be bound to the same address, all of them with this option, so that
    /// each gets a part of the senders (`SO_REUSEPORT`; nowhere but on Unix). Default: no.
    pub share_address: bool,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            receive_buffer: 4 << 20,
            send_buffer: 4 << 20,
            segmentation_offload: true,
            share_address: false,
        }
    }
}

/// As many messages as come where there is no crowd.
const FEW: usize = 2;

/// What became of datagrams that were to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// Gone, or lost as the network loses some: the engine finds out.
    Gone,
    /// Not one of them was taken, as there is no room now. They are to be offered again once there
    /// is.
    Full,
}

/// How to talk with one bound socket. The socket itself is held by whoever watches its readiness, and
/// comes with each call.
#[derive(Debug)]
pub struct Offloads {
    state: UdpSocketState,
    local: SocketAddr,
    segmentation: bool,
}

impl Offloads {
    /// Binds a non-blocking socket to `address`. On an IPv6 socket, IPv4 is heard as well if the
    /// address is unspecified.
    ///
    /// # Errors
    /// The address cannot be used.
    pub fn bind(address: SocketAddr, options: &SocketOptions) -> io::Result<(UdpSocket, Self)> {
        let socket =
            socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        // As much as the kernel grants; the default still works, with more losses.
        let _ = socket.set_recv_buffer_size(options.receive_buffer);
        let _ = socket.set_send_buffer_size(options.send_buffer);
        if options.share_address {
            share_address(&socket)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let state = UdpSocketState::new((&socket).into())?;
        let socket = UdpSocket::from(socket);
        let local = socket.local_addr()?;
        Ok((socket, Self { state, local, segmentation: options.segmentation_offload }))
    }

    /// The address that the socket is bound to.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Whether datagrams can be sent to `remote`, as far as its kind of address goes.
    pub fn reaches(&self, remote: SocketAddr) -> bool {
        match (self.local, remote) {
            (SocketAddr::V4(_), SocketAddr::V4(_)) | (SocketAddr::V6(_), SocketAddr::V6(_)) => true,
            (SocketAddr::V6(local), SocketAddr::V4(_)) => local.ip().is_unspecified(),
            (SocketAddr::V4(_), SocketAddr::V6(_)) => false,
        }
    }

    /// How many datagrams of equal size one call of [`Self::try_send`] may carry, of `1..=64`. May
    /// change.
    pub fn max_segments(&self) -> usize {
        if self.segmentation { self.state.max_gso_segments().clamp(1, 64) } else { 1 }
    }

    /// Sends the datagrams in `bytes`: each has `transmit.segment` bytes, the last may be shorter.
    /// What the network refuses counts as lost: the engine finds out, and probes of a too large MTU
    /// are meant to be.
    pub fn try_send<'s, S>(&self, socket: &'s S, transmit: &Transmit, bytes: &[u8]) -> SendOutcome
    where
        UdpSockRef<'s>: From<&'s S>,
    {
        if transmit.segment < bytes.len() && self.max_segments() == 1 {
            return self.send_each(socket, transmit, bytes);
        }
        match self.send(socket, transmit, bytes, transmit.segment) {
            Ok(()) => SendOutcome::Gone,
            Err(error) if error.kind() == ErrorKind::WouldBlock => SendOutcome::Full,
            Err(error) if transmit.segment < bytes.len() && self.max_segments() == 1 => {
                tracing::debug!(%error, "segmentation offload failed, sending one by one");
                self.send_each(socket, transmit, bytes)
            }
            Err(error) => {
                tracing::trace!(%error, to = %transmit.remote, size = transmit.segment, "not sent");
                SendOutcome::Gone
            }
        }
    }

    /// Receives into `batch` what is there and fits.
    ///
    /// # Errors
    /// What the system says; [`ErrorKind::WouldBlock`] if nothing is there.
    pub fn recv<'s, S>(&self, socket: &'s S, batch: &mut Batch) -> io::Result<()>
    where
        UdpSockRef<'s>: From<&'s S>,
    {
        let socket = UdpSockRef::from(socket);
        // Small datagrams come one by one, and little is touched for them.
        if batch.lends() <= FEW {
            self.recv_up_to::<FEW>(socket, batch)
        } else {
            self.recv_up_to::<{ Batch::MESSAGES }>(socket, batch)
        }
    }

    fn recv_up_to<const N: usize>(
        &self,
        socket: UdpSockRef<'_>,
        batch: &mut Batch,
    ) -> io::Result<()> {
        let mut meta = [RecvMeta::default(); N];
        let lends = batch.lends().min(N);
        let count = self.state.recv(socket, &mut batch.buffers::<N>()[..lends], &mut meta)?;
        batch.set(meta.iter().take(count).map(message));
        Ok(())
    }

    /// Sends a train without the kernel's help. What does not fit counts as lost.
    fn send_each<'s, S>(&self, socket: &'s S, transmit: &Transmit, bytes: &[u8]) -> SendOutcome
    where
        UdpSockRef<'s>: From<&'s S>,
    {
        for datagram in bytes.chunks(transmit.segment.max(1)) {
            let _ = self.send(socket, transmit, datagram, datagram.len());
        }
        SendOutcome::Gone
    }

    fn send<'s, S>(
        &self,
        socket: &'s S,
        transmit: &Transmit,
        contents: &[u8],
        segment: usize,
    ) -> io::Result<()>
    where
        UdpSockRef<'s>: From<&'s S>,
    {
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
        self.state.try_send(UdpSockRef::from(socket), &transmit)
    }
}

#[cfg(unix)]
fn share_address(socket: &socket2::Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(unix))]
fn share_address(_: &socket2::Socket) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

fn message(meta: &RecvMeta) -> Message {
    let ecn = meta.ecn.map_or(Ecn::NotEct, |ecn| Ecn::from_bits(ecn as u8));
    let received = Received { remote: meta.addr, local: meta.dst_ip, ecn };
    Message { received, len: meta.len, segment: meta.stride }
}
