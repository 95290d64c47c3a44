//! What an endpoint sends and receives datagrams through: a real UDP socket, or anything else.
//!
//! ```text
//!   endpoint's task ── poll_recv ──▶ ┌────────────────┐      UdpSocket: the kernel, with offloads
//!                  ── poll_writable ▶│ DatagramSocket │ ◀──  a simulated network, a relay, a tunnel,
//!   any task ─────── try_send ──────▶└────────────────┘      a socket that counts or records
//! ```

use jsp_driver_mio::parts::{Batch, SendOutcome};
use jsp_proto::record::Transmit;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A socket that an [`Endpoint`](crate::Endpoint) can live on: datagrams in, datagrams out.
///
/// [`UdpSocket`](crate::UdpSocket) is the one for real networks. Hand another to
/// [`Endpoint::with_socket`](crate::Endpoint::with_socket), and everything above it runs unchanged:
/// over a simulated network, through a relay, in an encapsulation of your own.
///
/// Datagrams may be lost, repeated, reordered and altered on their way; what the engine promises it
/// promises all the same. Addresses only need to lead back: whatever
/// [`Received::remote`](jsp_proto::record::Received::remote) says is where answers are sent.
///
/// No call may block. [`Self::try_send`] comes from any task, from several threads at once and while a
/// connection is locked, so it must not call back into the driver; wakers may be woken from
/// anywhere. The polls come from one task only, so an implementation needs to remember one waker for
/// each of the two, the last.
pub trait DatagramSocket: Send + Sync + fmt::Debug + 'static {
    /// The address that this socket is bound to. It stays as it is.
    fn local_addr(&self) -> SocketAddr;

    /// Whether datagrams can be sent to `remote`, as far as its kind of address goes. An address of
    /// which this is false is not tried. Default: the address families are the same.
    fn reaches(&self, remote: SocketAddr) -> bool {
        self.local_addr().is_ipv4() == remote.is_ipv4()
    }

    /// How many datagrams of equal size one call of [`Self::try_send`] may carry: more make fewer and
    /// longer calls. Asked often, and may change. Default: 1. What is not in `1..=64` is taken for
    /// the nearer end.
    fn max_segments(&self) -> usize {
        1
    }

    /// Sends the datagrams in `bytes` (`transmit.len` bytes): each has `transmit.segment` bytes, the
    /// last may be shorter. All of them are taken or none; one that is too large for the network is
    /// lost, not an error, as probes of the path's MTU are meant to be.
    fn try_send(&self, transmit: &Transmit, bytes: &[u8]) -> SendOutcome;

    /// Waits until [`Self::try_send`] may take something again after it answered
    /// [`SendOutcome::Full`]. Ready without room is allowed; pending, although there is room, is not.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// Receives into `batch`, which is empty, as much as is there and fits; waits for the first.
    /// Ready with nothing is allowed.
    ///
    /// # Errors
    /// What the system says. The endpoint goes on, unless there are 100 in a row: then it takes the
    /// socket for broken, and receives no more.
    fn poll_recv(&self, cx: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>>;

    /// Receives into `batch`, which is empty, what is there, and does not wait: a look for endpoints
    /// that [spin](crate::Endpoint::set_spin), which call [`Self::poll_recv`] as well. Default: sees
    /// nothing.
    ///
    /// # Errors
    /// As [`Self::poll_recv`].
    fn try_recv(&self, batch: &mut Batch) -> io::Result<()> {
        let _ = batch;
        Ok(())
    }
}

/// The pointer's socket.
macro_rules! forward {
    ($pointer:ident) => {
        impl<S: DatagramSocket + ?Sized> DatagramSocket for $pointer<S> {
            fn local_addr(&self) -> SocketAddr {
                (**self).local_addr()
            }

            fn reaches(&self, remote: SocketAddr) -> bool {
                (**self).reaches(remote)
            }

            fn max_segments(&self) -> usize {
                (**self).max_segments()
            }

            fn try_send(&self, transmit: &Transmit, bytes: &[u8]) -> SendOutcome {
                (**self).try_send(transmit, bytes)
            }

            fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
                (**self).poll_writable(cx)
            }

            fn poll_recv(&self, cx: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>> {
                (**self).poll_recv(cx, batch)
            }

            fn try_recv(&self, batch: &mut Batch) -> io::Result<()> {
                (**self).try_recv(batch)
            }
        }
    };
}

forward!(Box);
forward!(Arc);
