//! What people look at after a run.

mod human;
pub mod pcapng;
pub mod samples;
