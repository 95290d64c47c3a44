//! A run as a qlog file, which [qvis](https://qvis.quictools.info) draws.
//!
//! The form is `draft-ietf-quic-qlog-main-schema` and `draft-ietf-quic-qlog-quic-events` at version 0.3,
//! as one JSON document: what qvis reads. A connection has a trace for each end that is recorded; both have the
//! connection's name as `group_id`. Times are milliseconds of the recording host's clock. Packets of
//! data are `1RTT`, those of early data `0RTT`.
//!
//! ```text
//! Qlog ── trace("c0", "client", Side::Client) ──> QlogTrace ── sent, received, lost, late, refused   (a Tap)
//!   │                                                     ├─── metrics, event                        (after each event)
//!   └─ write ──> file                                     └─── started, parameters, note
//! ```
//!
//! What QUIC does not know has a namespace of its own:
//!
//! | event | data | says |
//! |---|---|---|
//! | `jsp:packet_late` | `header` | a packet that had been given up was acknowledged after all |
//! | `jsp:probe_timeout` | `total` | a probe timeout passed |
//! | `jsp:spurious_loss` | `total` | what had counted as congestion was reordering |
//! | `jsp:black_hole` | `total` | the path no longer carries datagrams of the size that it did |
//! | `jsp:stream` | `event`, `stream_id`, `code`, `stream_type` | the engine told its application of a stream |
//! | `jsp:signature_requested` | | the engine asked for a signature |
//! | `jsp:note` | `message` | what the simulator did: an operation, a fault |
//! | `jsp:truncated` | `limit`, `missing` | the log was full; so many events of this trace are missing |

mod event;
mod frame;
mod log;
mod metrics;
mod packet;
mod recorder;
#[cfg(test)]
mod tests;
mod trace;

pub use log::{Qlog, QlogTrace};
pub use recorder::Recorder;
