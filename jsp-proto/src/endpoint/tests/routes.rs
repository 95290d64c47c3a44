//! Runs of datagrams, and whose they are.

use super::fixture::{address, endpoint};
use crate::endpoint::Endpoint;
use crate::ids::ConnectionHandle;
use alloc::vec;
use alloc::vec::Vec;

/// What a router looks at in a datagram of `len` bytes that names a connection.
fn datagram(endpoint: &Endpoint, handle: ConnectionHandle, len: usize) -> Vec<u8> {
    let mut datagram = vec![0; len];
    datagram[0] = 0x40;
    datagram[1..9].copy_from_slice(endpoint.cid_key.encode(handle, 0).as_bytes());
    datagram
}

#[test]
fn a_run_ends_where_another_connection_is_named() {
    let mut endpoint = endpoint(1);
    let [one, other] = [1, 2].map(|n| endpoint.slots.take(address(n), 8).unwrap());
    let batch = [(one, 40), (one, 40), (other, 40), (one, 20)]
        .map(|(handle, len)| datagram(&endpoint, handle, len))
        .concat();
    assert_eq!(endpoint.route_run(&batch, 40), Some((one, 80)));
    assert_eq!(endpoint.route_run(&batch[80..], 40), Some((other, 40)));
    assert_eq!(endpoint.route_run(&batch[120..], 40), Some((one, 20)));
    assert_eq!(endpoint.route_run(&batch[120..], usize::MAX), Some((one, 20)));
    assert_eq!(endpoint.route_run(&batch[120..128], 40), None, "too short to name one");
    assert_eq!(endpoint.route_run(&[], 0), None);
}

#[test]
fn a_way_that_is_remembered_ends_with_its_connection() {
    let mut endpoint = endpoint(1);
    let gone = endpoint.slots.take(address(1), 8).unwrap();
    let batch = datagram(&endpoint, gone, 40);
    assert_eq!(endpoint.route_run(&batch, 40), Some((gone, 40)));
    endpoint.release(gone);
    assert_eq!(endpoint.route_run(&batch, 40), None);
    let heir = endpoint.slots.take(address(2), 8).unwrap();
    assert_eq!(heir.index, gone.index);
    assert_eq!(endpoint.route_run(&batch, 40), None, "the slot is another's now");
}
