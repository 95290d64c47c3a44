//! Where datagrams are written before they are sent, and wait if the socket is full.

use super::offloads::SendOutcome;
use jsp_proto::record::Transmit;

/// Room for one train of segments: the largest UDP payload, and what an engine wants to be offered.
const TRAIN: usize = 65_535;

/// What trains leave through.
pub(crate) trait Exit {
    /// Sends a train.
    fn try_send(&self, transmit: &Transmit, bytes: &[u8]) -> SendOutcome;
    /// Whether the loop is to be woken when there is room.
    fn await_room(&mut self, awaits: bool);
}

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
        exit: &mut impl Exit,
        limit: usize,
        mut write: impl FnMut(&mut [u8]) -> Option<Transmit>,
    ) -> bool {
        for _ in 0..limit {
            if self.is_full() {
                return false;
            }
            let Some(transmit) = write(&mut self.train) else { return true };
            self.owed = Some(transmit);
            self.resume(exit);
        }
        false
    }

    /// Offers the train that waits, if there is one; `true` if there is none any more.
    pub(crate) fn resume(&mut self, exit: &mut impl Exit) -> bool {
        if let Some(transmit) = &self.owed {
            let bytes = self.train.get(..transmit.len).unwrap_or_default();
            let full = exit.try_send(transmit, bytes) == SendOutcome::Full;
            exit.await_room(full);
            if full {
                return false;
            }
            self.owed = None;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsp_proto::ids::Ecn;
    use std::cell::{Cell, RefCell};

    /// Has room for so many trains.
    #[derive(Default)]
    struct Narrow {
        room: Cell<usize>,
        sent: RefCell<Vec<Vec<u8>>>,
        awaited: bool,
    }

    impl Exit for Narrow {
        fn try_send(&self, _: &Transmit, bytes: &[u8]) -> SendOutcome {
            let Some(left) = self.room.get().checked_sub(1) else { return SendOutcome::Full };
            self.room.set(left);
            self.sent.borrow_mut().push(bytes.to_vec());
            SendOutcome::Gone
        }

        fn await_room(&mut self, awaits: bool) {
            self.awaited = awaits;
        }
    }

    /// Writes trains of one byte, numbered, up to `end`.
    fn numbers(next: &Cell<u8>, end: u8) -> impl FnMut(&mut [u8]) -> Option<Transmit> + '_ {
        move |train| {
            let number = next.replace(next.get() + u8::from(next.get() < end));
            train[0] = number;
            let remote = "192.0.2.1:7".parse().unwrap();
            let transmit = Transmit { remote, local: None, ecn: Ecn::Ect0, len: 1, segment: 1 };
            (number < end).then_some(transmit)
        }
    }

    #[test]
    fn a_train_that_met_a_full_socket_leaves_first_and_once() {
        let (mut outbox, next) = (Outbox::new(), Cell::new(0));
        let mut exit = Narrow::default();
        exit.room.set(2);
        assert!(!outbox.send(&mut exit, 16, numbers(&next, 5)));
        assert!(outbox.is_full() && exit.awaited);
        // Nobody is asked for more, and what waits is not lost.
        assert_eq!(next.get(), 3);
        assert!(!outbox.send(&mut exit, 16, numbers(&next, 5)) && !outbox.resume(&mut exit));
        assert_eq!(next.get(), 3);
        exit.room.set(16);
        assert!(outbox.resume(&mut exit) && !exit.awaited);
        assert!(outbox.send(&mut exit, 16, numbers(&next, 5)));
        assert_eq!(*exit.sent.borrow(), [[0], [1], [2], [3], [4]]);
    }

    #[test]
    fn a_connection_that_never_ends_gives_way_to_others() {
        let (mut outbox, next) = (Outbox::new(), Cell::new(0));
        let mut exit = Narrow::default();
        exit.room.set(100);
        assert!(!outbox.send(&mut exit, 16, numbers(&next, u8::MAX)));
        assert_eq!((next.get(), outbox.is_full()), (16, false));
    }
}
