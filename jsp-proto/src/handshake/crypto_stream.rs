//! The handshake's bytes in both directions, one pair of buffers for each packet-number space that
//! carries them.

use super::assembler::Assembler;
use super::messages::Kind;
use super::outgoing::Outgoing;
use crate::error::{Code, TransportError};
use crate::ids::Space;
use crate::record::{Held, SentFrame};
use crate::wire::Writer;
use alloc::vec::Vec;

/// Initial and Handshake; there are no handshake bytes in 1-RTT packets.
#[derive(Debug)]
pub(super) struct CryptoStreams {
    spaces: [CryptoStream; 2],
}

#[derive(Debug)]
struct CryptoStream {
    incoming: Assembler,
    outgoing: Outgoing,
}

impl CryptoStreams {
    pub(super) fn new() -> Self {
        let stream = || CryptoStream {
            incoming: Assembler::new(Assembler::MAX_LEN, Assembler::MAX_GAPS),
            outgoing: Outgoing::default(),
        };
        Self { spaces: [stream(), stream()] }
    }

    /// Takes a piece that arrived.
    pub(super) fn receive(
        &mut self,
        space: Space,
        offset: u64,
        data: &[u8],
    ) -> Result<(), TransportError> {
        let Some(stream) = self.spaces.get_mut(space.index()) else {
            let reason = "handshake data in a 1-RTT packet";
            return Err(TransportError::new(Code::PROTOCOL_VIOLATION, reason));
        };
        stream.incoming.insert(offset, data)
    }

    /// The next message, header included, if it is all there; it must be of type `kind`.
    pub(super) fn next(
        &mut self,
        space: Space,
        kind: Kind,
    ) -> Result<Option<Vec<u8>>, TransportError> {
        let Some(stream) = self.spaces.get_mut(space.index()) else { return Ok(None) };
        let ready = stream.incoming.ready();
        let len = kind.message_len(ready)?.filter(|&len| len <= ready.len());
        Ok(len.map(|len| stream.incoming.take(len)))
    }

    /// The peer may send no more in `space`.
    pub(super) fn finish(&mut self, space: Space) -> Result<(), TransportError> {
        self.spaces.get_mut(space.index()).map_or(Ok(()), |stream| stream.incoming.finish())
    }

    /// Queues a message.
    pub(super) fn send(&mut self, space: Space, message: &[u8]) {
        if let Some(outgoing) = self.outgoing(space) {
            outgoing.push(message);
        }
    }

    /// The sending half of `space`.
    pub(super) fn outgoing(&mut self, space: Space) -> Option<&mut Outgoing> {
        self.spaces.get_mut(space.index()).map(|stream| &mut stream.outgoing)
    }

    pub(super) fn has_data(&self, space: Space) -> bool {
        self.spaces.get(space.index()).is_some_and(|stream| stream.outgoing.has_data())
    }

    pub(super) fn write(
        &mut self,
        space: Space,
        w: &mut Writer<'_>,
        sent: &mut Vec<SentFrame>,
        limit: usize,
    ) -> usize {
        self.outgoing(space).map_or(0, |outgoing| outgoing.write(w, sent, limit))
    }

    /// The memory that both directions' buffers take.
    pub(super) fn memory(&self) -> Held {
        let each = self
            .spaces
            .iter()
            .flat_map(|stream| [stream.incoming.memory(), stream.outgoing.memory()]);
        each.fold(Held::default(), |all, one| Held {
            bytes: all.bytes + one.bytes,
            limit: all.limit + one.limit,
        })
    }

    /// Bytes of messages sent or to be sent, and bytes of messages received.
    pub(super) fn totals(&self) -> (u32, u32) {
        let sent = self.spaces.iter().map(|stream| stream.outgoing.len()).sum();
        let received = self.spaces.iter().map(|stream| stream.incoming.taken()).sum();
        (sent, received)
    }
}
