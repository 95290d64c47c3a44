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
mod mail;
mod table;

pub use door::{Door, Incoming};
pub use handle::Endpoint;
pub use mail::Steered;
pub(crate) use table::{Lists, Live};
