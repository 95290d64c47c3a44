//! Scenarios: whole stories as plain data, read from and written to TOML.
//!
//! A scenario says who there is, what lies between them, what they do, what befalls them, and what is
//! expected. A run is a scenario and a seed: the same two give the same run, to the last bit.
//!
//! ```
//! use jsp_sim::scenario::Scenario;
//!
//! let scenario = Scenario::from_toml("upload.toml", r#"
//! name = "an upload over a slow line"
//!
//! [[path]]
//! there = [{ delay = { base = "20ms" } }, { rate = { limit = "10 Mbit/s", queue = "64 kB" } }]
//!
//! [[op]]
//! send = { size = "1 MB" }
//!
//! [expect]
//! within = "2s"
//! "#).unwrap();
//! assert_eq!(scenario.ops.len(), 1);
//! ```
//!
//! - [`Scenario`] and its parts: the model. Everything that is usual need not be written: two hosts,
//!   `client` and `server`, and one connection between them, `c0`.
//! - [`Scenario::from_toml`]: reading, with errors that show the line. [`Scenario::to_toml`]: writing.
//! - [`Run`]: a run that is watched while it goes on.
//! - [`Scenario::check`]: what must hold beyond the grammar, for scenarios that were made, not read.
//!
//! Random draws belong to names: to an operation's, a path's, an interface's, a stage's. Whatever is
//! deleted takes its draws along and leaves the others theirs.

mod act;
mod build;
mod check;
mod expect;
mod host;
mod judge;
mod model;
mod op;
mod parse;
mod patience;
mod place;
mod print;
mod report;
mod run;
mod view;
mod written;

pub use check::{Fault, Step};
pub use expect::{Ending, Expect, ExpectConnection};
pub use host::{Admission, Host, Identity, Interface, Transport};
pub use model::{Connection, Gateway, INTERNET, Limits, LinkRef, Path, Scenario};
pub use op::{
    Abandon, Action, Address, AddressChange, At, By, ClockJump, Close, Delivered, Echo, HostFor,
    LateTimers, LinkChange, OnHost, Op, Outage, Read, Reading, Rebind, RefuseSends, Request,
    Segments, Send, Trigger,
};
pub use parse::Mistake;
pub use place::{Place, Way};
pub use report::{ConnectionReport, EndReport, OpReport, Report};
pub use run::Run;
pub use view::EndView;

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod tests;
