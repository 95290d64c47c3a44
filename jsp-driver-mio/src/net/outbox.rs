//! Where datagrams are written before they are sent, and wait if the socket is full.

use super::offloads::SendOutcome;
use super::socket::Socket;
use jsp_proto::record::Transmit;

/// Room for one train of segments: the largest UDP payload, and what an engine wants to be offered.
const TRAIN: usize = 65_535;

/// Room for a single train. One that the socket does not take stays, and nobody writes another before
/// it is gone: whatever the application writes meanwhile waits where it is bounded, in the streams.
#[derive(Debug)]
pub(crate) struct Outbox {
    train: Box<[u8]>,
    owed: Option<Transmit>,
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self { train: vec![0; TRAIN].into(), owed: None }
    }

    /// Whether a train waits for the socket.
    pub(crate) fn is_full(&self) -> bool {
        self.owed.is_some()
    }

    /// Sends what `write` writes, until it has nothing more (`true`), `limit` trains are gone, or
    /// the socket is full.
    pub(crate) fn send(
        &mut self,
        socket: &mut Socket,
        limit: usize,
        mut write: impl FnMut(&mut [u8]) -> Option<Transmit>,
    ) -> bool {
        for _ in 0..limit {
            if self.is_full() {
                return false;
            }
            let Some(transmit) = write(&mut self.train) else { return true };
            self.owed = Some(transmit);
            self.resume(socket);
        }
        false
    }

    /// Offers the train that waits, if there is one; `true` if there is none any more.
    pub(crate) fn resume(&mut self, socket: &mut Socket) -> bool {
        if let Some(transmit) = &self.owed {
            let bytes = self.train.get(..transmit.len).unwrap_or_default();
            let full = socket.try_send(transmit, bytes) == SendOutcome::Full;
            socket.await_room(full);
            if full {
                return false;
            }
            self.owed = None;
        }
        true
    }
}
