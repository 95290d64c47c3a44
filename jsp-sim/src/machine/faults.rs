//! What goes wrong with a machine's socket.

use crate::share::Share;
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::Time;

/// Whether the socket takes what is sent.
#[derive(Debug)]
pub(super) struct SocketFaults {
    rng: Rng,
    /// Which share of sends fails, and until when.
    refused: Option<(Share, Time)>,
    /// Until when the socket takes nothing: its buffer is full.
    full: Option<Time>,
}

/// What the socket does with a train of datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Send {
    /// It goes out.
    Taken,
    /// The operating system refuses it, and a driver counts it as lost.
    Refused,
}

impl SocketFaults {
    /// A faultless socket; which sends are refused, if any are, follows from `seed`.
    pub(super) fn new(seed: &Seed) -> Self {
        Self { rng: Rng::new(seed, "refused sends"), refused: None, full: None }
    }

    /// Refuses this share of sends until `until`.
    pub(super) fn refuse(&mut self, share: Share, until: Time) {
        self.refused = Some((share, until));
    }

    /// Takes nothing until `until`.
    pub(super) fn fill(&mut self, until: Time) {
        self.full = self.full.max(Some(until));
    }

    /// When the socket takes something again, if it does not at `now`.
    pub(super) fn full_until(&self, now: Time) -> Option<Time> {
        self.full.filter(|until| now < *until)
    }

    /// A train is handed over.
    pub(super) fn send(&mut self, now: Time) -> Send {
        match self.refused {
            Some((share, until)) if now < until && share.hits(&mut self.rng) => Send::Refused,
            _ => Send::Taken,
        }
    }
}
