//! Flow control: how much may be sent, and how much is promised (`spec/08-streams.md`, "Flow control"; RFC 9000,
//! section 4). Streams and the connection share one pair of types.

mod credit;

pub use credit::{Exceeded, ReceiveCredit, SendCredit, two_round_trips_ago};
