//! What people look at after a run.

pub mod capture;
#[cfg(feature = "command")]
mod chart;
#[cfg(feature = "command")]
pub mod compare;
#[cfg(feature = "command")]
mod curves;
pub mod human;
pub mod lines;
pub mod pcapng;
#[cfg(feature = "command")]
pub mod picture;
#[cfg(feature = "command")]
pub mod plot;
pub mod qlog;
pub mod samples;
pub mod summary;
