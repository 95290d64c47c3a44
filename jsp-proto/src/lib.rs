//! The JetStreamProto engine: a post-quantum secure UDP transport as a pure state machine.
//!
//! The engine has no clock, socket, thread or global randomness. Everything enters by argument
//! (datagrams, [`time::Time`], one [`rng::Seed`]), datagrams leave through a slice that the caller
//! owns, and the same configuration, seed and inputs give the same bytes out.
//!
//! # The house
//!
//! Modules are floors; a room imports only from floors below its own (`tests/architecture.rs`).
//!
//! | floor | rooms |
//! |---|---|
//! | 5 | [`endpoint`] |
//! | 4 | [`connection`] |
//! | 3 | [`handshake`], [`path`], [`stream`] |
//! | 2 | [`protection`], [`recovery`], [`congestion`], [`flow`], [`cid`], [`token`] |
//! | 1 | [`crypto`], [`wire`] |
//! | 0 | [`time`], [`rng`], [`ids`], [`rtt`], [`error`], [`record`], [`planted`] |
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(test, feature = "aws-lc"))]
extern crate std;

pub mod error;
pub mod ids;
pub mod planted;
pub mod record;
pub mod rng;
pub mod rtt;
pub mod time;

pub mod crypto;
pub mod wire;

pub mod cid;
pub mod congestion;
pub mod flow;
pub mod protection;
pub mod recovery;
pub mod token;

pub mod handshake;
pub mod path;
pub mod stream;

pub mod connection;

pub mod endpoint;
