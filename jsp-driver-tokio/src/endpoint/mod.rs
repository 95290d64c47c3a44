//! Endpoints: a socket, the connections over it, and the one task that serves them all.

mod desk;
mod handle;
mod host;
mod incoming;
mod task;

pub use handle::Endpoint;
pub use incoming::Incoming;
