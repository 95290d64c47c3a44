//! A deterministic network in virtual time: whole lives of connections in milliseconds, and the
//! same seed gives the same life again.
//!
//! ```text
//!             World ── virtual time, timers, limits, the trace
//!            /     \
//!        Host       Host        sans-IO: datagrams in, datagrams out, a next timeout
//!            \     /
//!            Network ── routes datagrams by address, one pipe for each direction
//!               │
//!             Link: stages in any order: delay, rate and queue, loss, reordering, MTU, ECN ...
//! ```
//!
//! - [`link`]: what one direction of a path does to datagrams, as a chain of seeded stages.
//! - [`network`]: nodes, addresses and the pipes between them.
//! - [`world`]: runs any [`world::Host`]s over a network and keeps the [`trace`].
//! - [`machine`]: the host that runs the engine: an endpoint, its connections, their [`app`]s.
//! - [`pair`]: a client, a server and the path between them, in one expression.
//! - [`look`]: what people look at after a run.
//! - `proxy` (with the feature `command`): a link's stages on real sockets, for any UDP program.
//! - [`scenario`]: whole stories as files, with faults at their times and what is expected.
//! - [`seeds`]: the same story under many seeds, on all cores.
//! - `tokio` (a feature): applications of the tokio driver on such a network, unchanged.
//!
//! Nothing here reads a clock or draws from anything but the seed; every stage of every link has a
//! random stream of its own, so changing one leaves the draws of the others as they were.
//!
//! ```
//! use jsp_sim::{link::Link, ms};
//!
//! // 100 Mbit/s with 50 ms one way, a queue of 64 kB and one datagram in a hundred lost.
//! let link = Link::new().delay(ms(50)).rate(100_000_000).queue(64_000).loss(0.01);
//! assert_eq!(link.base_delay(), ms(50));
//! ```
#![forbid(unsafe_code)]

pub mod agenda;
pub mod app;
pub mod datagram;
pub mod invariant;
pub mod keys;
pub mod link;
pub mod look;
pub mod machine;
pub mod middlebox;
pub mod network;
pub mod pair;
#[cfg(feature = "command")]
pub mod proxy;
pub mod rule;
pub mod scenario;
pub mod seeds;
pub mod share;
pub mod swarm;
pub mod timers;
#[cfg(feature = "tokio")]
pub mod tokio;
pub mod trace;
pub mod units;
pub mod world;

use jsp_proto::time::Duration;

/// `n` milliseconds.
pub const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// `n` seconds.
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}
