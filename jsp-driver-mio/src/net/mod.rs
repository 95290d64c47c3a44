//! The ground: addresses, sockets, datagrams in and out. Nothing here knows what a connection is.

mod address;
mod batch;
mod offloads;
mod outbox;
mod socket;

pub use address::canonical;
pub use batch::{Batch, Message};
pub use offloads::{Offloads, SendOutcome, SocketOptions};
pub(crate) use outbox::{Exit, Outbox};
pub(crate) use socket::Socket;
