//! What people look at after a run.

#[cfg(feature = "command")]
mod chart;
#[cfg(feature = "command")]
pub mod compare;
#[cfg(feature = "command")]
mod curves;
mod human;
pub mod lines;
pub mod pcapng;
#[cfg(feature = "command")]
pub mod picture;
#[cfg(feature = "command")]
pub mod plot;
pub mod qlog;
pub mod samples;
pub mod summary;
