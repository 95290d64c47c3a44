//! Streams: ordered, reliable bytes in one or both directions (`spec/08-streams.md`; RFC 9000,
//! sections 2 to 4).
//!
//! [`Streams`] owns everything that a connection knows of its streams. The application writes, reads and
//! ends them; frames come in from packets and go out into packets; what packets carried is reported
//! back, once, as acknowledged or lost; [`StreamEvent`]s tell the application when a call that could
//! do nothing now can.
//!
//! ```text
//!   application     write ----> SendBuffer --.            .--> Ring ----> peek, consume
//!                                             \          /
//!   states          SendPart (3.1)   ready queues     RecvPart (3.2)
//!                                              \      /
//!   packets                   write_control, write_data   on_stream, on_reset_stream, on_max_data ...
//!                             on_data_acked, on_reset_acked, on_lost
//! ```
//!
//! # What bounds memory and work
//!
//! - The limit on the number of streams is checked before anything is allocated. A new stream is
//!   granted only when an earlier one has ended for both ends *and* the application here has accepted it
//!   and heard its end, and grants are announced in batches: a peer that opens and resets streams as fast
//!   as it can gets as many as the application takes, and at any time at most `max_streams` exist.
//! - A stream that the peer skipped costs no state until a frame for it arrives; a stream that has ended
//!   leaves none, and late frames for it mean nothing.
//! - Received data is stored within the windows that were announced (gaps counted); all rings of a
//!   connection together within a small multiple of the connection's window.
//! - Data to be sent is taken within the peer's credit for the stream and within
//!   [`StreamConfig::send_backlog`] and [`StreamConfig::send_buffer`] for the connection.
//! - Each kind of event is queued at most once per stream.

mod config;
mod count;
mod event;
mod input;
mod memory;
mod output;
mod pool;
mod quantum;
mod queue;
mod ranges;
mod recv;
mod ring;
mod send;
mod send_buffer;
mod state;
mod streams;
mod table;
#[cfg(test)]
mod tests;
mod turn;

pub use config::StreamConfig;
pub use event::{Chunk, ClosedStream, ReadError, StreamEvent, WriteError};
pub use memory::StreamMemory;
pub use streams::{StreamStats, Streams};
pub use turn::{Taken, Turn};
