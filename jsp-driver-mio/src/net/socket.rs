//! The endpoint's socket: watched by mio, asked for room only while something waits for it.

use super::Batch;
use super::offloads::{Offloads, SendOutcome, SocketOptions};
use super::outbox::Exit;
use jsp_proto::record::Transmit;
use mio::event::Source;
use mio::{Interest, Registry, Token};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

/// See the module.
///
/// A system tells of room after each datagram that left, if it is asked to: every datagram would wake
/// the loop a second time. So it is asked only while there is none.
#[derive(Debug)]
pub(crate) struct Socket {
    io: mio::net::UdpSocket,
    offloads: Offloads,
    watched: Option<(Registry, Token)>,
    /// Whether the system was asked to tell of room.
    awaits_room: bool,
}

impl Socket {
    pub(crate) fn bind(address: SocketAddr, options: &SocketOptions) -> io::Result<Self> {
        let (socket, offloads) = Offloads::bind(address, options)?;
        let io = mio::net::UdpSocket::from_std(socket);
        Ok(Self { io, offloads, watched: None, awaits_room: false })
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.offloads.local_addr()
    }

    pub(crate) fn reaches(&self, remote: SocketAddr) -> bool {
        self.offloads.reaches(remote)
    }

    pub(crate) fn max_segments(&self) -> usize {
        self.offloads.max_segments()
    }

    /// Receives into `batch`.
    ///
    /// # Errors
    /// What the system says; `WouldBlock` if nothing is there.
    pub(crate) fn recv(&self, batch: &mut Batch) -> io::Result<()> {
        self.io.try_io(|| self.offloads.recv(&self.io, batch))
    }
}

impl Exit for Socket {
    fn try_send(&self, transmit: &Transmit, bytes: &[u8]) -> SendOutcome {
        let sent = self.io.try_io(|| match self.offloads.try_send(&self.io, transmit, bytes) {
            SendOutcome::Gone => Ok(()),
            SendOutcome::Full => Err(ErrorKind::WouldBlock.into()),
        });
        if sent.is_ok() { SendOutcome::Gone } else { SendOutcome::Full }
    }

    /// Has the system tell of room, or no longer.
    fn await_room(&mut self, awaits: bool) {
        if self.awaits_room == awaits {
            return;
        }
        self.awaits_room = awaits;
        if let Some((registry, token)) = &self.watched
            && let Err(error) = registry.reregister(&mut self.io, *token, interest(awaits))
        {
            tracing::debug!(%error, "the socket cannot be watched");
        }
    }
}

fn interest(awaits_room: bool) -> Interest {
    if awaits_room { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE }
}

impl Source for Socket {
    fn register(&mut self, registry: &Registry, token: Token, _: Interest) -> io::Result<()> {
        let clone = registry.try_clone()?;
        self.io.register(registry, token, interest(self.awaits_room))?;
        self.watched = Some((clone, token));
        Ok(())
    }

    fn reregister(&mut self, registry: &Registry, token: Token, _: Interest) -> io::Result<()> {
        let clone = registry.try_clone()?;
        self.io.reregister(registry, token, interest(self.awaits_room))?;
        self.watched = Some((clone, token));
        Ok(())
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.watched = None;
        self.io.deregister(registry)
    }
}
