//! The ground: addresses, sockets, received datagrams. Nothing here knows what a connection is.

mod address;
mod batch;
mod offloads;

pub use address::canonical;
pub use batch::{Batch, Message};
pub use offloads::{Offloads, SendOutcome, SocketOptions};
