//! What people look at after a run.

mod human;
pub mod lines;
pub mod pcapng;
pub mod qlog;
pub mod samples;
pub mod summary;
