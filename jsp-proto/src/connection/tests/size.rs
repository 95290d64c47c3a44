//! How much a connection takes by itself, without what it has on the heap.

use crate::connection::Connection;

#[test]
fn a_connection_is_small_for_there_may_be_a_hundred_thousand() {
    assert!(size_of::<Connection>() <= 3 << 10, "{}", size_of::<Connection>());
}
