//! A line of limited rate and the queue in front of it.
//!
//! A drop-tail queue is known in closed form: when a packet enters, it is known when it will have left.
//! What CoDel does is decided as packets leave the queue, so that a managed queue holds its packets and
//! has a timeout.

use super::capacity::Trace;
use super::codel::{Codel, Managed};
use super::fate::{Dropped, StageStats};
use super::limit::{Backlog, Limit};
use super::line::Line;
use super::travel::{Step, Travel};
use crate::units::BitRate;
use jsp_proto::ids::Ecn;
use jsp_proto::time::{Time, nanos};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Sends one packet after the other, as fast as the capacity allows; those that come meanwhile wait.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub struct Rate {
    /// How fast.
    pub capacity: Capacity,
    /// How long the queue may be, the packet that is being sent included: what does not fit is dropped.
    /// A packet that finds nothing waiting always fits, but for a limit in time, which is how long it
    /// would wait. Without a limit the queue has no end.
    pub queue: Option<Limit>,
    /// From what length on ECN-capable packets are marked as they enter (RFC 3168).
    pub mark_at: Option<Limit>,
    /// Active queue management.
    pub codel: Option<Codel>,
}

/// How fast a line is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Capacity {
    /// Nothing ever waits.
    #[default]
    Unlimited,
    /// The same at all times; not 0.
    Constant(BitRate),
    /// As a trace says.
    Trace(Trace),
}

/// How it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename = "rate")]
struct Form {
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<BitRate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<Trace>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<Limit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mark_at: Option<Limit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    codel: Option<Codel>,
}

impl TryFrom<Form> for Rate {
    type Error = &'static str;
    fn try_from(Form { limit, trace, queue, mark_at, codel }: Form) -> Result<Self, Self::Error> {
        let capacity = match (limit, trace) {
            (Some(_), Some(_)) => return Err("a rate has either a limit or a trace"),
            (Some(rate), _) if rate == BitRate::default() => {
                return Err("a limit of 0 carries nothing: that is a blackout");
            }
            (Some(rate), None) => Capacity::Constant(rate),
            (None, Some(trace)) => Capacity::Trace(trace),
            (None, None) => Capacity::Unlimited,
        };
        Ok(Self { capacity, queue, mark_at, codel })
    }
}

impl From<Rate> for Form {
    fn from(Rate { capacity, queue, mark_at, codel }: Rate) -> Self {
        let (limit, trace) = match capacity {
            Capacity::Unlimited => (None, None),
            Capacity::Constant(rate) => (Some(rate), None),
            Capacity::Trace(trace) => (None, Some(trace)),
        };
        Self { limit, trace, queue, mark_at, codel }
    }
}

/// A line at work.
#[derive(Debug)]
pub(super) struct Sender {
    rate: Rate,
    line: Line,
    /// What a drop-tail queue holds: when each packet will have left, and its size.
    leaving: VecDeque<(Time, u64)>,
    bytes: u64,
    /// What CoDel's queue holds, and when the line takes the next.
    managed: Managed,
    next: Option<Time>,
}

impl Sender {
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            rate,
            line: Line::new(),
            leaving: VecDeque::new(),
            bytes: 0,
            managed: Managed::default(),
            next: None,
        }
    }

    pub(super) const fn rate(&self) -> &Rate {
        &self.rate
    }

    /// Whether it keeps packets until their time comes.
    pub(super) const fn is_managed(&self) -> bool {
        self.rate.codel.is_some()
    }

    /// Packets that it keeps.
    pub(super) fn kept(&self) -> usize {
        self.managed.len()
    }

    /// Changes what comes after. A managed queue stays where it is, but for the one that is managed no
    /// more: its packets are sent on to `leave` as the old line would have.
    pub(super) fn change(&mut self, rate: Rate, leave: impl FnMut(Time, Travel)) {
        if rate.codel.is_none() {
            self.release(leave);
        }
        if rate.capacity != self.rate.capacity {
            self.line.reset();
        }
        self.rate = rate;
        self.plan();
    }

    /// Sends all that waits in a managed queue, whatever its manager would have said.
    pub(super) fn release(&mut self, mut leave: impl FnMut(Time, Travel)) {
        while let Some((came, travel)) = self.managed.pop() {
            let time = self.send(came, &travel);
            self.leaving.push_back((time, travel.packet.datagram.packet_len() as u64));
            self.bytes += travel.packet.datagram.packet_len() as u64;
            leave(time, travel);
        }
        self.next = None;
    }

    /// A packet comes to a queue without a manager.
    pub(super) fn pass(&mut self, at: Time, travel: &mut Travel, stats: &mut StageStats) -> Step {
        if let Err(why) = self.admit(at, travel, stats) {
            return Step::Drop(why);
        }
        let size = travel.packet.datagram.packet_len() as u64;
        let time = self.send(at, travel);
        if time > at {
            stats.held += u64::from(!self.leaving.is_empty());
            self.leaving.push_back((time, size));
            self.bytes += size;
        }
        Step::On(time)
    }

    /// A packet comes to a managed queue that [`Sender::admit`]s it.
    pub(super) fn keep(&mut self, at: Time, travel: Travel, stats: &mut StageStats) {
        self.managed.enter(at, travel);
        if self.next.is_none() {
            self.plan();
        }
        stats.held += u64::from(self.next.is_some_and(|next| next > at));
    }

    /// When the line takes a packet out of a managed queue.
    pub(super) const fn next_timeout(&self) -> Option<Time> {
        self.next
    }

    /// The line takes a packet out of a managed queue: the packet, and when it has left. Those that the
    /// manager drops go to `drop`.
    pub(super) fn take(
        &mut self,
        now: Time,
        stats: &mut StageStats,
        drop: impl FnMut(Travel),
    ) -> Option<(Time, Travel)> {
        let codel = self.rate.codel?;
        let taken = self.managed.dequeue(&codel, now, drop).map(|(leaves, marked)| {
            stats.marked += u64::from(marked);
            (self.send(leaves.came, &leaves.travel), leaves.travel)
        });
        self.plan();
        taken
    }

    fn plan(&mut self) {
        self.next = match self.managed.oldest() {
            Some(came) => Some(self.line.ready(&self.rate.capacity, came)),
            None => None,
        };
    }

    fn send(&mut self, at: Time, travel: &Travel) -> Time {
        self.line.send(&self.rate.capacity, at, travel.packet.datagram.packet_len() as u64)
    }

    /// Forgets what has left by `at`.
    fn forget(&mut self, at: Time) {
        while let Some(&(_, size)) = self.leaving.front().filter(|(leaves, _)| *leaves <= at) {
            self.bytes -= size;
            self.leaving.pop_front();
        }
    }

    /// Whether a packet finds room; it is marked if the queue is long.
    pub(super) fn admit(
        &mut self,
        at: Time,
        travel: &mut Travel,
        stats: &mut StageStats,
    ) -> Result<(), Dropped> {
        self.forget(at);
        if self.rate.queue.is_none() && self.rate.mark_at.is_none() {
            return Ok(());
        }
        let datagram = &mut travel.packet.datagram;
        let backlog = Backlog {
            bytes: self.bytes + self.managed.bytes(),
            packets: (self.leaving.len() + self.managed.len()) as u64,
            wait: nanos(self.line.ready_behind(&self.rate.capacity, at, self.managed.bytes()) - at),
        };
        if self
            .rate
            .queue
            .is_some_and(|limit| limit.excludes(backlog, datagram.packet_len() as u64))
        {
            return Err(Dropped::QueueFull);
        }
        if datagram.ecn != Ecn::NotEct && self.rate.mark_at.is_some_and(|at| at.is_reached(backlog))
        {
            datagram.ecn = Ecn::Ce;
            stats.marked += 1;
        }
        Ok(())
    }
}
