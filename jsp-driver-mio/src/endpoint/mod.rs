//! Endpoints: a socket, the connections over it, and what serves them all, in the caller's own loop.
//!
//! ```text
//!   socket ─▶ batch ─▶ router ─▶ Table: connections ─▶ Outbox ─▶ socket
//!   clock ───────────▶ Timers ─▶   ▲ Lists: who has events, who may have something to send
//!                                  │
//!   application: poll_event, connection(..).write, ...
//! ```

mod core;
mod door;
mod handle;
mod table;

pub use door::{Door, Incoming};
pub use handle::Endpoint;
pub(crate) use table::{Lists, Live};
