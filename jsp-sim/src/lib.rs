//! A deterministic network in virtual time: whole lives of connections in milliseconds, and the
//! same seed gives the same life again.
//!
//! ```text
//!   scenario ── who, over what, what befalls them, what is expected; a file, or code
//!       │
//!     World ── virtual time; hosts act at instants, by clocks of their own
//!    /     \
//! Machine  Machine      a host with the engine: an endpoint, connections, an App on each
//!    \     /     \
//!    Network       Watch    after every event: is any rule broken?
//!       │                     ├── recorders: summary, JSON lines, qlog, pcapng, pictures
//!   segments and interfaces   └── swarm: random scenarios, shrunk where one breaks a rule
//!       │
//!     boxes ── NATs, firewalls, routers
//!       │
//!     links ── stages in any order: delay, rate and queue, loss, reordering, MTU, ECN ...
//! ```
//!
//! # Three ways to use it
//!
//! **The command.** A scenario is a TOML file ([`mod@reference`] shows how to write one).
//! `jsp-sim run` runs it and tells how it went, `jsp-sim swarm` searches random ones for one that breaks a
//! rule, `jsp-sim compare` lays runs on one picture, `jsp-sim proxy` does to the datagrams of real programs
//! what a link does. `--help` of each has examples. The same from code:
//!
//! ```
//! use jsp_sim::scenario::Scenario;
//!
//! let scenario = Scenario::from_toml("outage.toml", r#"
//!     name = "an outage"
//!
//!     [[path]]
//!     there = [{ delay = { base = "25ms" } }, { loss = { share = "1%" } }]
//!
//!     [[op]]
//!     send = { size = "100 kB" }
//!
//!     [[op]]
//!     at = "50ms"
//!     outage = { of = "path1", for = "2s" }
//!
//!     [expect]
//!     within = "10s"
//! "#)?;
//! let report = scenario.run(7)?;
//! assert!(report.is_success(), "{report}");
//! assert_eq!(report.hash, scenario.run(7)?.hash);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Your own application on the engine.** Implement [`App`](app::App) for it, and put it on a terrible
//! network; [`app`] has a short example, and `examples/chat.rs` is a chat that must lose nothing in an
//! outage of ten seconds. [`pair`] sets the usual two hosts up, and [`seeds`] runs many seeds on all cores:
//!
//! ```
//! use jsp_sim::app::{Sink, Source};
//! use jsp_sim::{link::Link, ms, pair::Scenario, secs, seeds};
//!
//! let path = Link::new().delay(ms(20)).rate(50_000_000).queue(100_000).loss(0.02);
//! seeds::each(0..3, |seed| {
//!     let report = Scenario::new(seed)
//!         .link(&path)
//!         .client_app(Source::new(1, 100_000)) // your application, in place of these two
//!         .server_app(|_| Sink::new(1, 100_000))
//!         .within(secs(30))
//!         .run()
//!         .unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
//!     assert!(report.is_success(), "seed {seed}: {report:?}");
//! });
//! ```
//!
//! **An application of the tokio driver, unchanged.** With the feature `tokio`, `jsp_sim::tokio::SimNet` gives
//! sockets that the driver takes in place of real ones; tokio's clock is paused, and an hour takes moments.
//! `examples/driver/` runs one application on the loopback and on a simulated network.
//!
//! # The same again
//!
//! A run follows from its scenario and its seed: the hash over every datagram, event and timer
//! ([`trace::TraceHash`]) is the same each time, on any number of threads, in debug and release. This rests on:
//!
//! - No clock is read: time is what the agenda says, and of two things at one instant the one that was
//!   planned first comes first.
//! - Nothing is drawn but from the seed, and each place has a random stream of its own, named by what it
//!   belongs to: a stage of a link, an operation, a host. So a stage or an operation that is deleted leaves the
//!   draws of all others as they were, which is what shrinking lives on.
//! - No hash map decides an order, and what is drawn is whole numbers, on every machine the same.
//!
//! So a failure is a file and a number, and its summary says the command that replays it: with a recorder, or with
//! operations taken out until it passes.
//!
//! # What every run is held to
//!
//! [`rule::Rule`] lists the rules: bytes arrive exactly once and in order, what is in flight adds up, window, pace and
//! amplification limit are kept, no number is used twice, no timer lies in the past, and so on. [`invariant`] keeps
//! books of its own from the packets that pass the engine's tap, and compares them with what the engine says of
//! itself, after every event.
//!
//! A rule that cannot fail proves nothing. With the feature `planted`, `jsp_proto::planted` puts a mistake into the
//! engine, at the place where somebody might have made it: `tests/planted.rs` shows that each such mistake breaks the
//! rule that is there for it, and that the same story without it goes well; `tests/swarm_finds.rs`, that the swarm
//! finds mistakes that nobody told it of, and shrinks them to a few operations.
//!
//! # The rooms
//!
//! | what a network is | |
//! |---|---|
//! | [`link`] | what one direction does to datagrams: a chain of seeded stages |
//! | [`middlebox`] | NATs by RFC 4787, firewalls, routers |
//! | [`network`] | segments, interfaces and boxes on them, the way of a datagram |
//! | [`datagram`] | what travels |
//!
//! | who lives in it | |
//! |---|---|
//! | [`world`] | virtual time: any [`world::Host`]s over a network; their clocks, stalls and late timers |
//! | [`machine`] | the host that runs the engine, and its faults |
//! | [`app`] | applications: a trait, and ready ones |
//! | [`keys`] | identities, made once per process |
//! | `tokio` (a feature) | applications of the tokio driver |
//!
//! | stories | |
//! |---|---|
//! | [`pair`] | a client, a server and the path between them, in one expression |
//! | [`scenario`] | whole stories as files, with faults at their times and what is expected |
//! | [`mod@reference`] | how such a file is written, by example |
//! | [`swarm`] | random scenarios, searched and shrunk |
//! | [`seeds`] | many seeds on all cores |
//! | `proxy` (with the feature `command`) | a link's stages on real sockets |
//!
//! | judging and looking | |
//! |---|---|
//! | [`rule`], [`invariant`] | what must hold, and who watches |
//! | [`trace`] | what happened, as one hash; whoever wants to see more observes |
//! | [`look`] | summary, JSON lines, qlog, pcapng, time series, pictures |
//!
//! | tools | |
//! |---|---|
//! | [`units`], [`share`] | times, rates, sizes and probabilities as people write them, exactly |
//! | [`agenda`], [`timers`] | what is to happen next |
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

#[doc = include_str!("../scenarios/README.md")]
pub mod reference {}

use jsp_proto::time::Duration;

/// `n` milliseconds.
pub const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// `n` seconds.
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}
