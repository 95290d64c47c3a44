//! A link: what one direction of a path does to the datagrams that enter it.
//!
//! A [`Link`] is a description: an ordered list of named stages, plain data that is built in one
//! expression or read from a file, printed and compared. A [`Pipe`] is a running one, with state and
//! random streams. Both directions of a path are links of their own.
//!
//! ```text
//!            delay       rate        loss        reorder
//! packet ─> ┌─────┐ ──> ┌─────┐ ──> ┌─────┐ ──> ┌─────┐ ──> packets, each with the time at which
//!           └─────┘     └─────┘     └─────┘     └─────┘     it leaves; or why it does not
//! ```
//!
//! Stages compose in any order, and a kind may occur as often as one likes:
//!
//! | kind | what it does |
//! |---|---|
//! | [`Delay`] | delay and jitter, by distribution |
//! | [`Rate`] | a line of limited rate (constant, or a [`Trace`]), its queue (drop-tail or [`Codel`]) and its ECN marks |
//! | [`Loss`] | independent, in bursts, every nth, by index |
//! | [`Reorder`] | holds some back, so that others overtake them |
//! | [`Duplicate`] | copies some, at once or later |
//! | [`Corrupt`] | flips bits |
//! | [`Mtu`] | drops what is too large, silently or telling the sender |
//! | [`EcnFault`] | marks, bleaches or drops what is ECN-capable |
//! | [`Blackout`] | loses everything for a while, once or again and again |
//!
//! Each stage draws from a random stream that follows from the link's seed and the stage's name alone:
//! what is done to one stage leaves the draws of the others as they were.
//!
//! As TOML:
//!
//! ```toml
//! up = [
//!     { rate = { limit = "20 Mbit/s", queue = "64 kB" } },
//!     { loss = { bursts = { degrade = "1%", recover = "25%" } } },
//!     { name = "far", delay = { base = "25ms", jitter = "2ms", distribution = "pareto" } },
//! ]
//! ```

#[cfg(test)]
mod arbitrary;
mod blackout;
pub mod capacity;
mod codel;
mod corrupt;
mod delay;
mod description;
mod distribution;
mod duplicate;
mod ecn;
mod fate;
mod limit;
mod line;
mod loss;
mod mtu;
mod pipe;
mod rate;
mod reorder;
mod running;
mod travel;
mod which;

pub use blackout::{Blackout, Periodic, Window};
pub use capacity::Trace;
pub use codel::Codel;
pub use corrupt::Corrupt;
pub use delay::Delay;
pub use description::{Link, Stage, StageKind};
pub use distribution::Distribution;
pub use duplicate::Duplicate;
pub use ecn::EcnFault;
pub use fate::{Dropped, Exit, PipeStats, StageStats};
pub use limit::Limit;
pub use loss::{Bursts, Loss};
pub use mtu::Mtu;
pub use pipe::Pipe;
pub use rate::{Capacity, Rate};
pub use reorder::Reorder;
pub use which::{Every, Which};

#[cfg(test)]
mod tests;
