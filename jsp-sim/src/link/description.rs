//! What a link is made of, as plain data.

use super::blackout::{Blackout, Window};
use super::capacity::Trace;
use super::codel::Codel;
use super::corrupt::Corrupt;
use super::delay::Delay;
use super::duplicate::Duplicate;
use super::ecn::EcnFault;
use super::limit::Limit;
use super::loss::{Bursts, Loss};
use super::mtu::Mtu;
use super::rate::{Capacity, Rate};
use super::reorder::Reorder;
use super::which::Which;
use crate::share::Share;
use crate::units::{BitRate, Size, Span};
use jsp_proto::time::{Duration, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ops::Range;

/// What one direction of a path does to datagrams: stages that each passes in order. [`Link::new`] has
/// none: it delivers everything at once.
///
/// Each method adds a stage behind those that are there, unless it says otherwise. Sizes are those of IP
/// packets ([`crate::datagram::Datagram::packet_len`]), as routers count them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Stage>", into = "Vec<Stage>")]
pub struct Link {
    stages: Vec<Stage>,
}

/// One stage of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub struct Stage {
    /// How it is called: its random stream has this name, and so have its counts. Without one it is
    /// called by its kind, with `#2` and so on where there are several.
    pub name: Option<String>,
    /// What it does.
    pub kind: StageKind,
}

/// What a stage does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StageKind {
    /// Delays.
    Delay(Delay),
    /// Sends at a rate, with a queue.
    Rate(Rate),
    /// Loses.
    Loss(Loss),
    /// Holds back.
    Reorder(Reorder),
    /// Copies.
    Duplicate(Duplicate),
    /// Flips bits.
    Corrupt(Corrupt),
    /// Drops what is too large.
    Mtu(Mtu),
    /// Meddles with the ECN field.
    Ecn(EcnFault),
    /// Loses everything for a time.
    Blackout(Blackout),
}

impl StageKind {
    /// The kind's name, as files write it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Delay(_) => "delay",
            Self::Rate(_) => "rate",
            Self::Loss(_) => "loss",
            Self::Reorder(_) => "reorder",
            Self::Duplicate(_) => "duplicate",
            Self::Corrupt(_) => "corrupt",
            Self::Mtu(_) => "mtu",
            Self::Ecn(_) => "ecn",
            Self::Blackout(_) => "blackout",
        }
    }
}

impl From<StageKind> for Stage {
    fn from(kind: StageKind) -> Self {
        Self { name: None, kind }
    }
}

/// How a stage is written: a table with one kind, and a name if need be.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename = "stage")]
struct Form {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay: Option<Delay>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<Rate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    loss: Option<Loss>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reorder: Option<Reorder>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate: Option<Duplicate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    corrupt: Option<Corrupt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mtu: Option<Mtu>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ecn: Option<EcnFault>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blackout: Option<Blackout>,
}

impl TryFrom<Form> for Stage {
    type Error = &'static str;
    fn try_from(form: Form) -> Result<Self, Self::Error> {
        let kinds = [
            form.delay.map(StageKind::Delay),
            form.rate.map(StageKind::Rate),
            form.loss.map(StageKind::Loss),
            form.reorder.map(StageKind::Reorder),
            form.duplicate.map(StageKind::Duplicate),
            form.corrupt.map(StageKind::Corrupt),
            form.mtu.map(StageKind::Mtu),
            form.ecn.map(StageKind::Ecn),
            form.blackout.map(StageKind::Blackout),
        ];
        let mut kinds = kinds.into_iter().flatten();
        match (kinds.next(), kinds.next()) {
            (Some(kind), None) => Ok(Self { name: form.name, kind }),
            _ => Err(
                "a stage is exactly one of delay, rate, loss, reorder, duplicate, corrupt, mtu, \
                      ecn and blackout",
            ),
        }
    }
}

impl From<Stage> for Form {
    fn from(Stage { name, kind }: Stage) -> Self {
        let form = Self { name, ..Self::default() };
        match kind {
            StageKind::Delay(delay) => Self { delay: Some(delay), ..form },
            StageKind::Rate(rate) => Self { rate: Some(rate), ..form },
            StageKind::Loss(loss) => Self { loss: Some(loss), ..form },
            StageKind::Reorder(reorder) => Self { reorder: Some(reorder), ..form },
            StageKind::Duplicate(duplicate) => Self { duplicate: Some(duplicate), ..form },
            StageKind::Corrupt(corrupt) => Self { corrupt: Some(corrupt), ..form },
            StageKind::Mtu(mtu) => Self { mtu: Some(mtu), ..form },
            StageKind::Ecn(ecn) => Self { ecn: Some(ecn), ..form },
            StageKind::Blackout(blackout) => Self { blackout: Some(blackout), ..form },
        }
    }
}

impl TryFrom<Vec<Stage>> for Link {
    type Error = String;
    /// Two stages of one name are one too many.
    fn try_from(stages: Vec<Stage>) -> Result<Self, String> {
        let mut names = BTreeSet::new();
        match stages.iter().filter_map(|s| s.name.as_ref()).find(|name| !names.insert(*name)) {
            Some(name) => Err(format!("two stages are called {name:?}")),
            None => Ok(Self { stages }),
        }
    }
}

impl From<Link> for Vec<Stage> {
    fn from(link: Link) -> Self {
        link.stages
    }
}

impl Link {
    /// A link without limits, delay or faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Its stages, in the order in which datagrams pass them.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// The names of its stages, all different.
    pub fn names(&self) -> Vec<String> {
        let taken: BTreeSet<_> = self.stages.iter().filter_map(|s| s.name.as_deref()).collect();
        let mut names = Vec::with_capacity(self.stages.len());
        // A name that was given belongs to the first that has it.
        let mut given = BTreeSet::new();
        for stage in &self.stages {
            let name = match stage.name.as_deref() {
                Some(name) if given.insert(name) => name.to_owned(),
                name => {
                    let name = name.unwrap_or(stage.kind.name());
                    let free = |n: &String| !taken.contains(n.as_str()) && !names.contains(n);
                    // One more candidate than there are stages: one of them is free.
                    std::iter::once(name.to_owned())
                        .chain((2..=self.stages.len() + 1).map(|n| format!("{name}#{n}")))
                        .find(free)
                        .unwrap_or_default()
                }
            };
            names.push(name);
        }
        names
    }

    /// Gives every stage the name that it is called by: from then on, none is called otherwise because
    /// another goes.
    #[must_use]
    pub fn pinned(mut self) -> Self {
        let names = self.names();
        for (stage, name) in self.stages.iter_mut().zip(names) {
            stage.name = Some(name);
        }
        self
    }

    /// The link without the stage of this index, which leaves the names, and so the draws, of the others
    /// as they were.
    #[must_use]
    pub fn without(self, index: usize) -> Self {
        let mut link = self.pinned();
        if index < link.stages.len() {
            link.stages.remove(index);
        }
        link
    }

    /// Adds a stage.
    #[must_use]
    pub fn stage(mut self, stage: impl Into<Stage>) -> Self {
        self.stages.push(stage.into());
        self
    }

    fn kind(self, kind: StageKind) -> Self {
        self.stage(kind)
    }

    /// Names the last stage.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        if let Some(stage) = self.stages.last_mut() {
            stage.name = Some(name.into());
        }
        self
    }

    /// Delays each datagram.
    #[must_use]
    pub fn delay(self, delay: Duration) -> Self {
        self.kind(StageKind::Delay(Delay::constant(delay)))
    }

    /// Has the last delay vary: up to `jitter` more, uniformly drawn. Without a delay it adds one of
    /// zero. Datagrams keep their order, as behind a router whose other traffic comes and goes;
    /// [`Link::reorder`] changes it.
    #[must_use]
    pub fn jitter(mut self, jitter: Duration) -> Self {
        let last = self.stages.iter_mut().rev().find_map(|stage| match &mut stage.kind {
            StageKind::Delay(delay) => Some(delay),
            _ => None,
        });
        if let Some(delay) = last {
            delay.jitter = jitter.into();
            return self;
        }
        self.kind(StageKind::Delay(Delay { jitter: jitter.into(), ..Delay::default() }))
    }

    /// Sends `bits_per_second` at most; 0 means no limit.
    #[must_use]
    pub fn rate(self, bits_per_second: u64) -> Self {
        if bits_per_second == 0 {
            return self;
        }
        self.capacity(Capacity::Constant(BitRate::new(bits_per_second)))
    }

    /// Sends when `trace` says so.
    #[must_use]
    pub fn trace(self, trace: Trace) -> Self {
        self.capacity(Capacity::Trace(trace))
    }

    fn capacity(mut self, capacity: Capacity) -> Self {
        // A queue that was described before its rate.
        if let Some(Stage { kind: StageKind::Rate(rate), .. }) = self.stages.last_mut()
            && rate.capacity == Capacity::Unlimited
        {
            rate.capacity = capacity;
            return self;
        }
        self.kind(StageKind::Rate(Rate { capacity, ..Rate::default() }))
    }

    /// The last rate, which is added if there is none.
    fn refine(mut self, change: impl FnOnce(&mut Rate)) -> Self {
        let last = self.stages.iter_mut().rev().find_map(|stage| match &mut stage.kind {
            StageKind::Rate(rate) => Some(rate),
            _ => None,
        });
        if let Some(rate) = last {
            change(rate);
            return self;
        }
        let mut rate = Rate::default();
        change(&mut rate);
        self.kind(StageKind::Rate(rate))
    }

    /// Lets at most `bytes` wait for the last rate, the packet that is being sent included, and drops
    /// what does not fit (a packet that finds nothing waiting always fits). Without it the queue has no
    /// end.
    #[must_use]
    pub fn queue(self, bytes: usize) -> Self {
        self.queue_limit(Limit::Bytes(Size::new(bytes as u64)))
    }

    /// As [`Link::queue`], in bytes, packets or time.
    #[must_use]
    pub fn queue_limit(self, limit: Limit) -> Self {
        self.refine(|rate| rate.queue = Some(limit))
    }

    /// Marks ECN-capable packets that find at least `bytes` waiting for the last rate as having
    /// experienced congestion (RFC 3168). With 0, all of them.
    #[must_use]
    pub fn mark_at(self, bytes: usize) -> Self {
        self.refine(|rate| rate.mark_at = Some(Limit::Bytes(Size::new(bytes as u64))))
    }

    /// Manages the queue of the last rate (RFC 8289).
    #[must_use]
    pub fn codel(self, codel: Codel) -> Self {
        self.refine(|rate| rate.codel = Some(codel))
    }

    /// Clears the ECN field of everything, as some routers do.
    #[must_use]
    pub fn bleach(self) -> Self {
        self.kind(StageKind::Ecn(EcnFault::Bleach))
    }

    /// Meddles with the ECN field.
    #[must_use]
    pub fn ecn(self, fault: EcnFault) -> Self {
        self.kind(StageKind::Ecn(fault))
    }

    /// Drops IP packets larger than `bytes` without a word: a black hole for those who believe
    /// otherwise.
    #[must_use]
    pub fn mtu(self, bytes: usize) -> Self {
        self.kind(StageKind::Mtu(Mtu { size: Size::new(bytes as u64), tell: false }))
    }

    /// Drops IP packets larger than `bytes`, and tells the sender.
    #[must_use]
    pub fn told_mtu(self, bytes: usize) -> Self {
        self.kind(StageKind::Mtu(Mtu { size: Size::new(bytes as u64), tell: true }))
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

    /// Loses the datagrams of these indices, counted from 0 as they enter the stage.
    #[must_use]
    pub fn lose_indices(self, indices: impl IntoIterator<Item = u64>) -> Self {
        self.with_loss(Loss::Indices(indices.into_iter().collect()))
    }

    /// Adds a cause of loss.
    #[must_use]
    pub fn with_loss(self, loss: Loss) -> Self {
        self.kind(StageKind::Loss(loss))
    }

    /// Loses everything that comes during `times`.
    #[must_use]
    pub fn outage(self, times: Range<Time>) -> Self {
        let [from, to] = [times.start, times.end].map(|time| Span::from_nanos(time.as_nanos()));
        self.blackout(Blackout::Times(vec![Window { from, to }]))
    }

    /// Loses everything for a while, once or again and again.
    #[must_use]
    pub fn blackout(self, blackout: Blackout) -> Self {
        self.kind(StageKind::Blackout(blackout))
    }

    /// Delays this share of datagrams by `by` more, so that those sent later overtake them.
    #[must_use]
    pub fn reorder(self, share: impl Into<Share>, by: Duration) -> Self {
        let which = Which::Share(share.into());
        self.kind(StageKind::Reorder(Reorder { which, by: by.into() }))
    }

    /// Delivers this share of datagrams twice.
    #[must_use]
    pub fn duplicate(self, share: impl Into<Share>) -> Self {
        let after = Span::ZERO;
        self.kind(StageKind::Duplicate(Duplicate { share: share.into(), after }))
    }

    /// Flips one to four bits in this share of datagrams.
    #[must_use]
    pub fn corrupt(self, share: impl Into<Share>) -> Self {
        self.kind(StageKind::Corrupt(Corrupt { share: share.into() }))
    }

    /// The sum of its delays without jitter; serialisation at the rate comes on top.
    pub fn base_delay(&self) -> Duration {
        let delays = self.stages.iter().filter_map(|stage| match &stage.kind {
            StageKind::Delay(delay) => Some(delay.base.duration()),
            _ => None,
        });
        delays.fold(Duration::ZERO, Duration::saturating_add)
    }
}
