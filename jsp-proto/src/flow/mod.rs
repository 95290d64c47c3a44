//! Flow control: how much may be sent, and how much is promised (`spec/06-flow-control.md`; RFC 9000,
//! section 4). Streams and the connection share one pair of types.

mod credit;

pub use credit::{Exceeded, ReceiveCredit, SendCredit};
