//! The commands, one file each.

pub(crate) mod bench;
pub(crate) mod demo;
pub(crate) mod get;
pub(crate) mod keygen;
pub(crate) mod many;
pub(crate) mod ping;
pub(crate) mod send;
pub(crate) mod serve;
