//! The command as people run it: real processes, real sockets on loopback, real files.

// A test says what went wrong by where it stopped.
#![allow(clippy::unwrap_used)]

mod bench;
mod ends;
mod files;
mod keys;
mod refusals;
mod run;
