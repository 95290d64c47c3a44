//! Where received datagrams lie until the endpoint has looked at them.

use super::address::canonical;
use jsp_proto::ids::Ecn;
use jsp_proto::record::Received;
use std::fmt;
use std::io::IoSliceMut;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// What is known of a message: datagrams of one sender that arrived together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where its datagrams came from, and how.
    pub received: Received,
    /// Bytes of all of them.
    pub len: usize,
    /// Bytes of each but the last, which may be shorter. Equal to `len` for a single one.
    pub segment: usize,
}

impl Message {
    const NONE: Self = Self {
        received: Received {
            remote: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
            local: None,
            ecn: Ecn::NotEct,
        },
        len: 0,
        segment: 0,
    };
}

/// Room for what one call to receive receives: a few messages, each of one datagram or of several
/// equal ones. An endpoint allocates it once.
///
/// A socket that has its datagrams already adds each with [`Self::push`]; one that has them written
/// lends out [`Self::buffers`], then says what came with [`Self::set`].
///
/// It lends out only as many as are likely to be needed: one more than came the last time, and twice
/// as many if all were. Each that is offered costs a call something, whether it is used or not.
pub struct Batch {
    buffers: Box<[u8]>,
    messages: [Message; Self::MESSAGES],
    count: usize,
    /// How many buffers are lent out.
    lends: usize,
    /// Whether all that were lent out came back with something, or all were pushed to.
    full: bool,
}

impl Batch {
    /// How many messages there is room for. More would only push one another out of the processor's
    /// cache: each may hold 64 datagrams.
    pub const MESSAGES: usize = 8;
    /// Bytes that one message may have, whatever its datagrams' size is.
    pub const MESSAGE: usize = 1 << 16;

    /// Room, with nothing in it.
    pub fn new() -> Self {
        Self {
            buffers: vec![0; Self::MESSAGES * Self::MESSAGE].into(),
            messages: [Message::NONE; Self::MESSAGES],
            count: 0,
            lends: Self::MESSAGES,
            full: false,
        }
    }

    /// Forgets what was received.
    pub fn clear(&mut self) {
        self.count = 0;
        self.full = false;
    }

    /// Whether nothing was received.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of all messages.
    pub fn bytes(&self) -> usize {
        self.messages.iter().take(self.count).map(|message| message.len).sum()
    }

    /// Whether there was no room for another message, so that more may be waiting.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// A single message is likely, and asking for a second is not worth it: there will be time to look
    /// for it later.
    pub(crate) fn expect_one(&mut self) {
        self.lends = 1;
    }

    /// Adds a message: `bytes` are datagrams of `segment` bytes each, the last may be shorter.
    /// Nothing is added, and `false` returned, if there is no room, or if it is longer than
    /// [`Self::MESSAGE`].
    pub fn push(&mut self, received: Received, bytes: &[u8], segment: usize) -> bool {
        if self.count == Self::MESSAGES || bytes.len() > Self::MESSAGE {
            return false;
        }
        let start = self.count * Self::MESSAGE;
        self.buffers[start..start + bytes.len()].copy_from_slice(bytes);
        self.messages[self.count] = Message { received, len: bytes.len(), segment };
        self.count += 1;
        self.full = self.count == Self::MESSAGES;
        true
    }

    /// How many [`Self::buffers`] there are now, `1..=MESSAGES`.
    pub fn lends(&self) -> usize {
        self.lends
    }

    /// The room of as many messages as are likely to come, in order, to be written to; [`Self::set`]
    /// says what was written. At most `N`, and of those only the first [`Self::lends`] are not empty.
    pub fn buffers<const N: usize>(&mut self) -> [IoSliceMut<'_>; N] {
        let mut buffers = self.buffers.chunks_exact_mut(Self::MESSAGE).take(self.lends);
        std::array::from_fn(|_| IoSliceMut::new(buffers.next().unwrap_or_default()))
    }

    /// Says what lies in [`Self::buffers`], of the first on; it replaces what was there. Those beyond
    /// [`Self::MESSAGES`] are left out.
    pub fn set(&mut self, messages: impl IntoIterator<Item = Message>) {
        self.count = 0;
        for (slot, message) in self.messages.iter_mut().zip(messages) {
            *slot = message;
            self.count += 1;
        }
        self.full = self.count >= self.lends;
        let likely = if self.full { 2 * self.lends } else { self.count + 1 };
        self.lends = likely.clamp(2, Self::MESSAGES);
    }

    /// The messages that were received, with their bytes. Addresses are canonical: an IPv4 address is
    /// one, even where the socket tells it as a mapped one of IPv6. Lengths are within bounds, whoever
    /// [`Self::set`] them.
    pub fn messages(&mut self) -> impl Iterator<Item = (Message, &mut [u8])> {
        let filled = self.buffers.chunks_exact_mut(Self::MESSAGE).zip(&self.messages);
        filled.take(self.count).map(|(buffer, message)| {
            let received = Received {
                remote: canonical(message.received.remote),
                local: message.received.local.map(|ip| ip.to_canonical()),
                ecn: message.received.ecn,
            };
            let len = message.len.min(Self::MESSAGE);
            let segment = message.segment.clamp(1, Self::MESSAGE);
            (Message { received, len, segment }, &mut buffer[..len])
        })
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.messages[..self.count]).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(remote: &str) -> Received {
        Received { remote: remote.parse().unwrap(), local: None, ecn: Ecn::Ect0 }
    }

    #[test]
    fn what_is_pushed_is_there_until_there_is_no_room() {
        let mut batch = Batch::new();
        for n in 0..Batch::MESSAGES {
            assert!(batch.push(received("192.0.2.1:7"), &vec![n as u8; n], 2));
        }
        assert!(batch.is_full() && !batch.push(received("192.0.2.1:7"), b"more", 4));
        let found: Vec<_> =
            batch.messages().map(|(m, bytes)| (m.segment, bytes.to_vec())).collect();
        let sent: Vec<_> = (0..Batch::MESSAGES).map(|n| (2, vec![n as u8; n])).collect();
        assert_eq!(found, sent);
        batch.clear();
        assert_eq!(batch.messages().count(), 0);
        assert!(!batch.push(received("192.0.2.1:7"), &vec![0; Batch::MESSAGE + 1], 1200));
    }

    #[test]
    fn what_was_written_to_the_buffers_is_told_with_plain_addresses_and_within_bounds() {
        let mut batch = Batch::new();
        batch.buffers::<1>()[0][..2].copy_from_slice(b"hi");
        let received = received("[::ffff:192.0.2.1]:7");
        let honest = Message { received, len: 2, segment: 2 };
        let liar = Message { received, len: usize::MAX, segment: 0 };
        batch.set([honest, liar].into_iter().chain([honest; Batch::MESSAGES]));
        let found: Vec<_> = batch.messages().map(|(m, bytes)| (m, bytes.len())).collect();
        assert_eq!(found.len(), Batch::MESSAGES);
        assert_eq!(found[0].0.received.remote, "192.0.2.1:7".parse().unwrap());
        assert_eq!((found[0].1, found[1].0.segment, found[1].1), (2, 1, Batch::MESSAGE));
        assert_eq!(&*batch.messages().next().unwrap().1, b"hi");
    }
    #[test]
    fn as_much_room_is_lent_out_as_is_likely_to_be_needed() {
        let message = Message { received: received("192.0.2.1:7"), len: 2, segment: 2 };
        let mut batch = Batch::new();
        let mut lent = Vec::new();
        for came in [1, 1, 2, 4, 8, 8, 5, 6, 0] {
            lent.push(batch.lends());
            let buffers = batch.buffers::<{ Batch::MESSAGES }>();
            assert_eq!(buffers.iter().filter(|buffer| !buffer.is_empty()).count(), batch.lends());
            batch.set([message; Batch::MESSAGES].into_iter().take(came));
            assert_eq!(batch.is_full(), came == *lent.last().unwrap(), "{came} of {lent:?}");
        }
        assert_eq!(lent, [8, 2, 2, 4, 8, 8, 8, 6, 8]);
        assert_eq!(batch.lends(), 2);
        batch.expect_one();
        assert_eq!(batch.lends(), 1);
    }
}
