//! Datagrams that came to the wrong shard, on their way to the right one.
//!
//! ```text
//!   kernel ─▶ shard 0 ─ route: mine ──────▶ connection
//!                │ steer: shard 1's
//!                ▼
//!             mailbox 1, bounded ─ waker ─▶ shard 1 ─ route ─▶ connection ─▶ its own socket
//! ```
//!
//! What finds the mailbox full is lost, as datagrams may be: a shard that cannot keep up is not helped
//! by a longer queue, and the one that has the datagram never waits.

use jsp_proto::ids::{Shard, ShardIndex};
use jsp_proto::record::Received;
use mio::{Registry, Token, Waker};
use std::io;
use std::num::NonZeroU8;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many letters a mailbox holds, each of at most 64 KiB: what a shard takes in a few turns.
pub(super) const MAILBOX: usize = 64;

/// Datagrams of one sender that arrived together, for a shard that did not get them.
pub(super) struct Letter {
    pub(super) received: Received,
    pub(super) segment: usize,
    pub(super) bytes: Box<[u8]>,
}

/// How a shard is reached by the others.
struct Slit {
    letters: SyncSender<Letter>,
    /// Wakes the shard's loop, once that watches the endpoint.
    bell: Mutex<Option<Waker>>,
    /// Whether it was rung since the shard last looked.
    rung: AtomicBool,
}

/// What steering has led to, since an endpoint began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steered {
    /// Runs of datagrams that came here, and were passed on to the shard that they belong to.
    pub passed_on: u64,
    /// The same, for which that shard had no room: they are lost.
    pub lost: u64,
    /// Runs of datagrams that other shards have passed on to this one.
    pub taken: u64,
}

/// A shard's mailbox, and the way to all others.
pub(super) struct Mail {
    slits: Arc<[Slit]>,
    inbox: Receiver<Letter>,
    own: ShardIndex,
    pub(super) steered: Steered,
}

impl Mail {
    /// Mailboxes for so many shards, in their order.
    pub(super) fn for_all(count: NonZeroU8) -> Vec<Self> {
        let (slits, inboxes): (Vec<_>, Vec<_>) = Shard::all(count)
            .map(|_| {
                let (letters, inbox) = sync_channel(MAILBOX);
                (Slit { letters, bell: Mutex::default(), rung: AtomicBool::new(false) }, inbox)
            })
            .unzip();
        let slits: Arc<[Slit]> = slits.into();
        let mail = |(shard, inbox): (Shard, _)| Self {
            slits: Arc::clone(&slits),
            inbox,
            own: shard.index(),
            steered: Steered::default(),
        };
        Shard::all(count).zip(inboxes).map(mail).collect()
    }

    /// Passes a letter on to another shard.
    pub(super) fn pass_on(&mut self, to: ShardIndex, letter: Letter) {
        let Some(slit) = self.slits.get(usize::from(to.0)) else { return };
        if slit.letters.try_send(letter).is_err() {
            self.steered.lost += 1;
            return;
        }
        self.steered.passed_on += 1;
        if !slit.rung.swap(true, Ordering::AcqRel)
            && let Some(waker) = &*lock(&slit.bell)
            && let Err(error) = waker.wake()
        {
            tracing::debug!(%error, "a shard cannot be woken");
        }
    }

    /// The next letter for this shard.
    pub(super) fn next(&mut self) -> Option<Letter> {
        let letter = self.inbox.try_recv().ok()?;
        self.steered.taken += 1;
        Some(letter)
    }

    /// Whether letters came since this was last asked.
    pub(super) fn has_rung(&self) -> bool {
        // What is passed on from here on rings again.
        self.own().is_some_and(|slit| slit.rung.swap(false, Ordering::AcqRel))
    }

    /// Rings at `token` from now on.
    pub(super) fn watch(&self, registry: &Registry, token: Token) -> io::Result<()> {
        let waker = Waker::new(registry, token)?;
        if let Some(slit) = self.own() {
            *lock(&slit.bell) = Some(waker);
        }
        Ok(())
    }

    /// Rings no more.
    pub(super) fn unwatch(&self) {
        if let Some(slit) = self.own() {
            *lock(&slit.bell) = None;
        }
    }

    fn own(&self) -> Option<&Slit> {
        self.slits.get(usize::from(self.own.0))
    }
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail").field("own", &self.own).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsp_proto::ids::Ecn;

    fn letter(byte: u8) -> Letter {
        let remote = "192.0.2.1:7".parse().unwrap();
        let received = Received { remote, local: None, ecn: Ecn::NotEct };
        Letter { received, segment: 1, bytes: Box::new([byte]) }
    }

    #[test]
    fn letters_reach_whom_they_are_for_in_order_and_ring_once() {
        let mut shards = Mail::for_all(NonZeroU8::new(3).unwrap());
        for byte in 0..5 {
            shards[0].pass_on(ShardIndex(2), letter(byte));
        }
        assert!(shards[2].has_rung() && !shards[2].has_rung() && !shards[1].has_rung());
        let got: Vec<u8> = std::iter::from_fn(|| shards[2].next()).map(|l| l.bytes[0]).collect();
        assert_eq!(got, [0, 1, 2, 3, 4]);
        assert!(shards[1].next().is_none());
        assert_eq!((shards[0].steered.passed_on, shards[2].steered.taken), (5, 5));
    }

    #[test]
    fn a_full_mailbox_loses_what_comes_and_makes_nobody_wait() {
        let mut shards = Mail::for_all(NonZeroU8::new(2).unwrap());
        for byte in 0..100 {
            shards[1].pass_on(ShardIndex(0), letter(byte));
        }
        let Steered { passed_on, lost, .. } = shards[1].steered;
        assert_eq!((passed_on, lost), (MAILBOX as u64, 100 - MAILBOX as u64));
        assert_eq!(std::iter::from_fn(|| shards[0].next()).count(), MAILBOX);
    }
}
