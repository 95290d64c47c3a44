//! Connections and their streams, as applications hold them.
//!
//! ```text
//!   Connection, SendStream, RecvStream      handles of the application
//!                  │ lock, call, flush
//!                  ▼
//!   Link ── Mutex<State> ── the engine's connection, who waits for what
//!                  ▲
//!                  │ lock, datagrams and timers, flush
//!           the endpoint's task
//! ```
//!
//! There is no task and no channel for a connection: whoever has something for it locks it, tells the
//! engine, and sends what the engine then wants sent, unless it may soon share a datagram.

mod handle;
mod link;
mod outbox;
mod recv_stream;
mod send_stream;
mod waiters;

pub use handle::{Connecting, Connection};
pub(crate) use link::{Link, Start};
pub use recv_stream::RecvStream;
pub use send_stream::SendStream;
