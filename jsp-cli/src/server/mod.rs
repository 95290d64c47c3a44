//! The answering end of `jsp`: what `jsp serve` and the demo run.

mod requests;
mod session;

pub(crate) use requests::{Service, filling};
pub(crate) use session::{Stop, serve};
