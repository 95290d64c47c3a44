//! A link: what one direction of a path does to the datagrams that enter it.
//!
//! A [`Link`] is a description, plain data that is built in one expression, printed and compared. A
//! [`Pipe`] is a running one, with state and random streams. Both directions of a path are links of
//! their own.
//!
//! ```text
//! datagram ─> outage ─> MTU ─> loss ─> queue ───────> copies ─> bit flips ─> delay ─> datagrams
//!                                      drop-tail                             jitter
//!                                      rate                                  reordering
//!                                      ECN
//! ```
//!
//! The stages are sans-IO: each is asked once for each datagram, in the order that datagrams enter,
//! and answers with what becomes of it and when. No stage before the queue delays anything, so the
//! queue sees datagrams in order of time and can tell at once when each will leave it. Nothing is
//! planned but arrivals.

mod corrupt;
mod delay;
mod loss;
mod queue;

pub use loss::{Bursts, Loss};

use crate::datagram::{Datagram, Packet};
use crate::share::Share;
use corrupt::Corrupt;
use delay::Delay;
use jsp_proto::ids::Ecn;
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::{Duration, Time};
use loss::LossState;
use queue::Queue;
use std::ops::Range;

/// What one direction of a path does to datagrams. [`Link::new`] does nothing at all: it delivers
/// everything at once.
///
/// Sizes are those of IP packets ([`Datagram::packet_len`]), as routers count them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    outages: Vec<Range<Time>>,
    mtu: Option<usize>,
    loss: Vec<Loss>,
    rate: Option<u64>,
    queue: Option<usize>,
    mark: Option<usize>,
    bleach: bool,
    duplicate: Share,
    corrupt: Share,
    delay: Duration,
    jitter: Duration,
    reorder: Share,
    reorder_by: Duration,
}

impl Link {
    /// A link without limits, delay or faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Delivers each datagram `delay` after it left the queue.
    #[must_use]
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Delays each datagram by up to `jitter` more, uniformly drawn. Datagrams keep their order, as
    /// behind a router whose other traffic comes and goes; [`Link::reorder`] changes it.
    #[must_use]
    pub const fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = jitter;
        self
    }

    /// Sends `bits_per_second` at most; 0 means no limit.
    #[must_use]
    pub const fn rate(mut self, bits_per_second: u64) -> Self {
        self.rate = if bits_per_second == 0 { None } else { Some(bits_per_second) };
        self
    }

    /// Lets at most `bytes` wait for the rate, the packet that is being sent included, and drops what
    /// does not fit (a packet that finds nothing waiting always fits). Without it the queue has no
    /// end.
    #[must_use]
    pub const fn queue(mut self, bytes: usize) -> Self {
        self.queue = Some(bytes);
        self
    }

    /// Marks ECN-capable packets that find at least `bytes` waiting as having experienced congestion
    /// (RFC 3168). With 0, all of them.
    #[must_use]
    pub const fn mark_at(mut self, bytes: usize) -> Self {
        self.mark = Some(bytes);
        self
    }

    /// Clears the ECN field of everything, as some routers do.
    #[must_use]
    pub const fn bleach(mut self) -> Self {
        self.bleach = true;
        self
    }

    /// Drops IP packets larger than `bytes` without a word: a black hole for those who believe
    /// otherwise.
    #[must_use]
    pub const fn mtu(mut self, bytes: usize) -> Self {
        self.mtu = Some(bytes);
        self
    }

    /// Loses this share of datagrams, each for itself.
    #[must_use]
    pub fn loss(self, share: impl Into<Share>) -> Self {
        self.with_loss(Loss::Random(share.into()))
    }

    /// Loses datagrams in bursts.
    #[must_use]
    pub fn bursts(self, bursts: Bursts) -> Self {
        self.with_loss(Loss::Bursts(bursts))
    }

    /// Loses the datagrams of these indices, counted from 0 as they enter the link.
    #[must_use]
    pub fn lose_indices(self, indices: impl IntoIterator<Item = u64>) -> Self {
        self.with_loss(Loss::Indices(indices.into_iter().collect()))
    }

    /// Adds a cause of loss; a datagram must survive all.
    #[must_use]
    pub fn with_loss(mut self, loss: Loss) -> Self {
        self.loss.push(loss);
        self
    }

    /// Loses everything that enters during `times`.
    #[must_use]
    pub fn outage(mut self, times: Range<Time>) -> Self {
        self.outages.push(times);
        self
    }

    /// Delays this share of datagrams by `by` more, so that those sent later overtake them.
    #[must_use]
    pub fn reorder(mut self, share: impl Into<Share>, by: Duration) -> Self {
        self.reorder = share.into();
        self.reorder_by = by;
        self
    }

    /// Delivers this share of datagrams twice.
    #[must_use]
    pub fn duplicate(mut self, share: impl Into<Share>) -> Self {
        self.duplicate = share.into();
        self
    }

    /// Flips one to four bits in this share of datagrams.
    #[must_use]
    pub fn corrupt(mut self, share: impl Into<Share>) -> Self {
        self.corrupt = share.into();
        self
    }

    /// The delay that nothing undercuts, in time; serialisation at the rate comes on top.
    pub const fn base_delay(&self) -> Duration {
        self.delay
    }
}

/// Why a datagram did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// Nobody has the address.
    NoRoute,
    /// It went round in circles.
    HopLimit,
    /// The link was out.
    Outage,
    /// It was larger than the link's MTU. Where the sender is told, this is what it is told.
    TooBig {
        /// What the link carries: bytes of an IP packet.
        mtu: Option<usize>,
    },
    /// It was lost.
    Lost,
    /// The queue was full.
    QueueFull,
    /// A box forbade it: nobody inside had asked for it, or its port is closed.
    Filtered,
    /// It came to an outer endpoint of a translator that stands for nobody.
    NoMapping,
    /// A box had no room for one more mapping, flow or port.
    Exhausted,
    /// It should have been turned round by a translator that does not do that.
    NoHairpin,
}

impl Dropped {
    /// The reason's name, as traces write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoRoute => "no-route",
            Self::HopLimit => "hop-limit",
            Self::Outage => "outage",
            Self::TooBig { .. } => "too-big",
            Self::Lost => "lost",
            Self::QueueFull => "queue-full",
            Self::Filtered => "filtered",
            Self::NoMapping => "no-mapping",
            Self::Exhausted => "exhausted",
            Self::NoHairpin => "no-hairpin",
        }
    }
}

/// What became of the datagrams that entered a pipe, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PipeStats {
    /// Datagrams that entered.
    pub entered: u64,
    /// Bytes of UDP payload that entered.
    pub entered_bytes: u64,
    /// Datagrams that leave or left at the other end, copies included.
    pub delivered: u64,
    /// Bytes of UDP payload that leave or left at the other end.
    pub delivered_bytes: u64,
    /// Lost by chance, by index or in an outage.
    pub lost: u64,
    /// Larger than the MTU.
    pub too_big: u64,
    /// Dropped at the full queue.
    pub queue_full: u64,
    /// Marked as having experienced congestion.
    pub marked: u64,
    /// Delivered twice.
    pub duplicated: u64,
    /// Held back so that others overtake them.
    pub reordered: u64,
    /// Delivered with flipped bits.
    pub corrupted: u64,
}

/// What comes out of a pipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// A datagram leaves the link.
    Arrival {
        /// When; not before it entered.
        time: Time,
        /// What.
        packet: Packet,
    },
    /// A datagram does not come through.
    Dropped {
        /// Why.
        why: Dropped,
        /// Which.
        packet: Packet,
    },
}

/// A link at work.
#[derive(Debug)]
pub struct Pipe {
    link: Link,
    loss: Vec<LossState>,
    queue: Queue,
    copies: Rng,
    corrupt: Corrupt,
    delay: Delay,
    stats: PipeStats,
}

impl Pipe {
    /// A pipe of which every random choice follows from `seed`.
    pub fn new(link: Link, seed: &Seed) -> Self {
        Self {
            loss: (0..link.loss.len()).map(|i| LossState::new(seed, i)).collect(),
            queue: Queue::default(),
            copies: Rng::new(seed, "copies"),
            corrupt: Corrupt::new(seed),
            delay: Delay::new(seed),
            stats: PipeStats::default(),
            link,
        }
    }

    /// Changes what the pipe does from now on: what waits in the queue leaves as it would have, what
    /// comes after obeys `link`. Random streams go on, except that causes of loss start anew where
    /// they differ.
    pub fn change(&mut self, link: Link, seed: &Seed) {
        if link.loss != self.link.loss {
            self.loss = (0..link.loss.len()).map(|i| LossState::new(seed, i)).collect();
        }
        self.link = link;
    }

    /// What the pipe does.
    pub const fn link(&self) -> &Link {
        &self.link
    }

    /// What became of the datagrams so far.
    pub const fn stats(&self) -> &PipeStats {
        &self.stats
    }

    /// Takes a datagram that enters at `now`, and hands what becomes of it at once to `out`.
    pub fn send(&mut self, now: Time, packet: Packet, out: &mut dyn FnMut(Exit)) {
        self.stats.entered += 1;
        self.stats.entered_bytes += packet.datagram.payload.len() as u64;
        match self.admit(now, &packet.datagram) {
            Ok((left, ecn)) => {
                let datagram = Datagram { ecn, ..packet.datagram };
                let packet = Packet { datagram, ..packet };
                if self.link.duplicate.hits(&mut self.copies) {
                    self.stats.duplicated += 1;
                    out(self.finish(left, packet.clone()));
                }
                out(self.finish(left, packet));
            }
            Err(why) => {
                match why {
                    Dropped::TooBig { .. } => self.stats.too_big += 1,
                    Dropped::QueueFull => self.stats.queue_full += 1,
                    _ => self.stats.lost += 1,
                }
                out(Exit::Dropped { why, packet });
            }
        }
    }

    /// When the pipe has something to do by itself.
    pub const fn next_timeout(&self) -> Option<Time> {
        None
    }

    /// The time of [`Pipe::next_timeout`] has come; what leaves now goes to `out`.
    pub fn handle_timeout(&mut self, now: Time, out: &mut dyn FnMut(Exit)) {
        let _ = (now, out);
    }

    /// The first half: whether the datagram comes through, and when it has left the queue.
    fn admit(&mut self, now: Time, datagram: &Datagram) -> Result<(Time, Ecn), Dropped> {
        let size = datagram.packet_len();
        if self.link.outages.iter().any(|out| out.contains(&now)) {
            return Err(Dropped::Outage);
        }
        if self.link.mtu.is_some_and(|mtu| size > mtu) {
            return Err(Dropped::TooBig { mtu: None });
        }
        // Every cause is asked, so that each counts every datagram.
        let index = self.stats.entered - 1;
        let causes = self.link.loss.iter().zip(&mut self.loss);
        if causes.fold(false, |lost, (loss, state)| state.loses(loss, index) | lost) {
            return Err(Dropped::Lost);
        }
        let waiting = self.queue.waiting(now);
        if waiting != 0 && self.link.queue.is_some_and(|limit| waiting + size > limit) {
            return Err(Dropped::QueueFull);
        }
        let mut ecn = datagram.ecn;
        if ecn != Ecn::NotEct && self.link.mark.is_some_and(|at| waiting >= at) {
            self.stats.marked += 1;
            ecn = Ecn::Ce;
        }
        if self.link.bleach {
            ecn = Ecn::NotEct;
        }
        Ok((self.queue.enter(now, size, self.link.rate), ecn))
    }

    /// The second half, for each copy: its bits and its delay.
    fn finish(&mut self, left: Time, mut packet: Packet) -> Exit {
        let corrupted = self.corrupt.pass(self.link.corrupt, &mut packet.datagram.payload);
        packet.corrupted |= corrupted;
        self.stats.corrupted += u64::from(corrupted);
        let mut time = self.delay.pass(left, self.link.delay, self.link.jitter);
        if self.delay.holds_back(self.link.reorder) {
            self.stats.reordered += 1;
            time += self.link.reorder_by;
        }
        self.stats.delivered += 1;
        self.stats.delivered_bytes += packet.datagram.payload.len() as u64;
        Exit::Arrival { time, packet }
    }
}

#[cfg(test)]
mod tests;
