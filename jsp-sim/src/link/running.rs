//! A stage at work, whatever its kind, and what its neighbours must know about it.

use super::blackout::Blackout;
use super::corrupt::Corrupter;
use super::delay::Delayer;
use super::description::StageKind;
use super::duplicate::Duplicator;
use super::ecn::EcnMeddler;
use super::fate::StageStats;
use super::loss::{Loser, Loss};
use super::mtu::Mtu;
use super::rate::{Capacity, Sender};
use super::reorder::Reorderer;
use super::travel::{Step, Travel};
use super::which::Which;
use jsp_proto::rng::Seed;
use jsp_proto::time::Time;

/// A stage at work.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // A link has a few stages, and they stay where they are.
pub(super) enum Running {
    Delay(Delayer),
    Rate(Box<Sender>),
    Loss(Loser),
    Reorder(Reorderer),
    Duplicate(Duplicator),
    Corrupt(Corrupter),
    Mtu(Mtu),
    Ecn(EcnMeddler),
    Blackout(Blackout),
}

impl Running {
    /// A stage that draws from streams of `seed`.
    pub(super) fn new(kind: StageKind, seed: &Seed) -> Self {
        match kind {
            StageKind::Delay(delay) => Self::Delay(Delayer::new(delay, seed)),
            StageKind::Rate(rate) => Self::Rate(Box::new(Sender::new(rate))),
            StageKind::Loss(loss) => Self::Loss(Loser::new(loss, seed)),
            StageKind::Reorder(reorder) => Self::Reorder(Reorderer::new(reorder, seed)),
            StageKind::Duplicate(duplicate) => Self::Duplicate(Duplicator::new(duplicate, seed)),
            StageKind::Corrupt(corrupt) => Self::Corrupt(Corrupter::new(corrupt, seed)),
            StageKind::Mtu(mtu) => Self::Mtu(mtu),
            StageKind::Ecn(fault) => Self::Ecn(EcnMeddler::new(fault, seed)),
            StageKind::Blackout(blackout) => Self::Blackout(blackout),
        }
    }

    /// Whether it is a stage of this kind.
    pub(super) const fn is(&self, kind: &StageKind) -> bool {
        matches!(
            (self, kind),
            (Self::Delay(_), StageKind::Delay(_))
                | (Self::Rate(_), StageKind::Rate(_))
                | (Self::Loss(_), StageKind::Loss(_))
                | (Self::Reorder(_), StageKind::Reorder(_))
                | (Self::Duplicate(_), StageKind::Duplicate(_))
                | (Self::Corrupt(_), StageKind::Corrupt(_))
                | (Self::Mtu(_), StageKind::Mtu(_))
                | (Self::Ecn(_), StageKind::Ecn(_))
                | (Self::Blackout(_), StageKind::Blackout(_))
        )
    }

    /// Does from now on what `kind` says, with the state that it has; another kind changes nothing.
    /// Packets that it no longer keeps go to `leave`.
    pub(super) fn change(&mut self, kind: &StageKind, leave: impl FnMut(Time, Travel)) {
        match (self, kind) {
            (Self::Delay(running), StageKind::Delay(delay)) => running.delay = *delay,
            (Self::Rate(running), StageKind::Rate(rate)) => running.change(rate.clone(), leave),
            (Self::Loss(running), StageKind::Loss(loss)) => running.loss.clone_from(loss),
            (Self::Reorder(running), StageKind::Reorder(reorder)) => running.reorder = *reorder,
            (Self::Duplicate(running), StageKind::Duplicate(duplicate)) => {
                running.duplicate = *duplicate;
            }
            (Self::Corrupt(running), StageKind::Corrupt(corrupt)) => running.corrupt = *corrupt,
            (Self::Mtu(running), StageKind::Mtu(mtu)) => *running = *mtu,
            (Self::Ecn(running), StageKind::Ecn(fault)) => running.fault = *fault,
            (Self::Blackout(running), StageKind::Blackout(blackout)) => {
                running.clone_from(blackout);
            }
            (running, kind) => debug_assert!(running.is(kind)),
        }
    }

    /// What the stage does with a packet that comes at `at`. A managed queue is asked otherwise.
    pub(super) fn pass(&mut self, at: Time, travel: &mut Travel, stats: &mut StageStats) -> Step {
        match self {
            Self::Delay(running) => running.pass(at, travel),
            Self::Rate(running) => running.pass(at, travel, stats),
            Self::Loss(running) => running.pass(at, stats),
            Self::Reorder(running) => running.pass(at, stats),
            Self::Duplicate(running) => running.pass(at, stats),
            Self::Corrupt(running) => running.pass(at, travel, stats),
            Self::Mtu(running) => running.pass(at, travel),
            Self::Ecn(running) => running.pass(at, travel, stats),
            Self::Blackout(running) => running.pass(at, travel),
        }
    }

    /// The managed queue that it is, if it is one.
    pub(super) fn managed(&mut self) -> Option<&mut Sender> {
        match self {
            Self::Rate(running) if running.is_managed() => Some(running),
            _ => None,
        }
    }

    /// When it has something to do.
    pub(super) fn next_timeout(&self) -> Option<Time> {
        match self {
            Self::Rate(running) => running.next_timeout(),
            _ => None,
        }
    }

    /// Whether it keeps packets, and so must see each when it comes.
    pub(super) fn keeps(&self) -> bool {
        matches!(self, Self::Rate(running) if running.is_managed())
    }

    /// Whether it matters in which order packets come.
    pub(super) fn minds_order(&self) -> bool {
        match self {
            Self::Rate(_) => true,
            Self::Delay(running) => !running.delay.jitter.is_zero() && !running.delay.reorder,
            Self::Loss(running) => !matches!(running.loss, Loss::Random(_)),
            Self::Reorder(running) => matches!(running.reorder.which, Which::Every(_)),
            _ => false,
        }
    }

    /// Whether packets may leave in another order than they came in, now or after a change.
    pub(super) fn disorders(&self) -> bool {
        match self {
            Self::Delay(running) => {
                let delay = &running.delay;
                (!delay.jitter.is_zero() && delay.reorder)
                    || (!running.owes && !delay.least().is_zero())
            }
            Self::Reorder(_) => true,
            Self::Duplicate(running) => !running.duplicate.after.is_zero(),
            _ => false,
        }
    }

    /// Whether it looks at the clock: what it does to a packet depends on when, not only on what came
    /// before.
    pub(super) fn is_clocked(&self) -> bool {
        match self {
            Self::Blackout(_) => true,
            Self::Rate(running) => matches!(running.rate().capacity, Capacity::Trace(_)),
            _ => false,
        }
    }

    /// Has a delay be added at the end of the link, or here.
    pub(super) const fn set_owes(&mut self, owes: bool) {
        if let Self::Delay(running) = self {
            running.owes = owes;
        }
    }
}
