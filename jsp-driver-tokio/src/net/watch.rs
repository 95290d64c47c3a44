//! A system's socket with tokio watching when something arrives, and, only while it is full, when it has
//! room again.
//!
//! Whoever watches a socket for room all the time is woken by each datagram that has left its buffer:
//! over a short path that is one needless wake-up for each that is sent.

#[cfg(not(unix))]
pub(super) use portable::Watched;
#[cfg(unix)]
pub(super) use selective::Watched;

use jsp_driver_mio::parts::SendOutcome;
use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::task::{Context, Poll, ready};
use tokio::io::Interest;

/// What a call to receive found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There may be more.
    More,
    /// All that was there.
    All,
}

#[cfg(unix)]
mod selective {
    use super::{Context, ErrorKind, Found, Interest, Poll, SendOutcome, UdpSocket, io, ready};
    use crate::net::lock;
    use std::sync::Mutex;
    use tokio::io::unix::AsyncFd;

    /// See the module.
    #[derive(Debug)]
    pub(in crate::net) struct Watched {
        readable: AsyncFd<UdpSocket>,
        /// The same socket again, while it is full.
        writable: Mutex<Option<AsyncFd<UdpSocket>>>,
    }

    impl Watched {
        pub(in crate::net) fn new(socket: UdpSocket) -> io::Result<Self> {
            let readable = watch(socket, Interest::READABLE)?;
            Ok(Self { readable, writable: Mutex::new(None) })
        }

        pub(in crate::net) fn socket(&self) -> &UdpSocket {
            self.readable.get_ref()
        }

        /// Receives with `attempt`, once it is worth it.
        pub(in crate::net) fn poll_recv(
            &self,
            cx: &mut Context<'_>,
            mut attempt: impl FnMut(&UdpSocket) -> io::Result<Found>,
        ) -> Poll<io::Result<()>> {
            loop {
                let mut guard = ready!(self.readable.poll_read_ready(cx))?;
                match attempt(self.socket()) {
                    Ok(Found::More) => return Poll::Ready(Ok(())),
                    Ok(Found::All) => {
                        // What arrives from here on is told again.
                        guard.clear_ready();
                        return Poll::Ready(Ok(()));
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => guard.clear_ready(),
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
        }

        /// Sends with `attempt`; [`Self::poll_writable`] tells when there is room.
        #[allow(clippy::unused_self)] // The other kind has something to remember.
        pub(in crate::net) fn try_send(
            &self,
            attempt: impl Fn(&UdpSocket) -> SendOutcome,
        ) -> SendOutcome {
            attempt(self.socket())
        }

        pub(in crate::net) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
            let mut writable = lock(&self.writable);
            if writable.is_none() {
                let again = self.socket().try_clone();
                // The system tells of room that is there already, so none is missed.
                *writable = again.and_then(|socket| watch(socket, Interest::WRITABLE)).ok();
            }
            if let Some(watched) = &*writable {
                // An error tells itself with the next attempt.
                let _ = ready!(watched.poll_write_ready(cx));
            }
            *writable = None;
            Poll::Ready(())
        }
    }

    #[expect(
        deprecated,
        reason = "what took its place is unsafe, for descriptors that change or close; a socket of std                   keeps its own"
    )]
    fn watch(socket: UdpSocket, interest: Interest) -> io::Result<AsyncFd<UdpSocket>> {
        AsyncFd::with_interest(socket, interest)
    }
}

#[cfg(not(unix))]
mod portable {
    use super::{Context, ErrorKind, Found, Interest, Poll, SendOutcome, io, ready};
    use tokio::net::UdpSocket;

    /// A socket that is watched for everything, as nothing else is to be had.
    #[derive(Debug)]
    pub(in crate::net) struct Watched {
        socket: UdpSocket,
    }

    impl Watched {
        pub(in crate::net) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
            Ok(Self { socket: UdpSocket::from_std(socket)? })
        }

        pub(in crate::net) fn socket(&self) -> &UdpSocket {
            &self.socket
        }

        pub(in crate::net) fn poll_recv(
            &self,
            cx: &mut Context<'_>,
            mut attempt: impl FnMut(&UdpSocket) -> io::Result<Found>,
        ) -> Poll<io::Result<()>> {
            loop {
                ready!(self.socket.poll_recv_ready(cx))?;
                match self.socket.try_io(Interest::READABLE, || attempt(&self.socket)) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    received => return Poll::Ready(received.map(|_| ())),
                }
            }
        }

        pub(in crate::net) fn try_send(
            &self,
            attempt: impl Fn(&UdpSocket) -> SendOutcome,
        ) -> SendOutcome {
            if attempt(&self.socket) == SendOutcome::Gone {
                return SendOutcome::Gone;
            }
            // Once more where tokio watches, so that it tells when there is room.
            let again = self.socket.try_io(Interest::WRITABLE, || match attempt(&self.socket) {
                SendOutcome::Gone => Ok(()),
                SendOutcome::Full => Err(ErrorKind::WouldBlock.into()),
            });
            if again.is_ok() { SendOutcome::Gone } else { SendOutcome::Full }
        }

        pub(in crate::net) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
            self.socket.poll_send_ready(cx).map(|_| ())
        }
    }
}
