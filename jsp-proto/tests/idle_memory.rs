//! What a connection at rest has on the heap, by a counting allocator.
#![cfg(feature = "rustcrypto")]

#[path = "support/counting.rs"]
mod counting;
#[path = "support/crowd.rs"]
mod crowd;

use counting::{Counting, calls, live};
use crowd::Crowd;
use jsp_proto::connection::{Connection, TransportConfig};
use jsp_proto::crypto::Provider;
use jsp_proto::crypto::rustcrypto::RustCrypto;
use jsp_proto::time::Duration;
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes of one end of a connection at rest, the connection itself included.
fn at_rest(carried: usize) -> usize {
    const COUNT: usize = 20;
    let provider: Arc<dyn Provider> = Arc::new(RustCrypto);
    let mut crowd = Crowd::new(&provider, TransportConfig::default());
    let mut all = Vec::with_capacity(COUNT + 1);
    // The endpoints' own tables are there after the first.
    all.push(crowd.connect());
    let before = live();
    for _ in 0..COUNT {
        let mut ends = crowd.connect();
        if carried > 0 {
            crowd.echo(&mut ends, carried);
        }
        crowd.rest(&mut ends, Duration::from_secs(20));
        all.push(ends);
    }
    let heap = usize::try_from(live() - before).expect("more than before");
    heap / (2 * COUNT) + size_of::<Connection>()
}

#[test]
fn a_connection_that_has_just_been_made_costs_little() {
    let bytes = at_rest(0);
    assert!(bytes <= 4600, "{bytes} bytes");
}

#[test]
fn a_connection_itself_is_small() {
    let bytes = size_of::<Connection>();
    assert!(bytes <= 2304, "{bytes} bytes");
}

#[test]
fn a_connection_that_has_carried_much_gives_it_all_back() {
    let (fresh, used) = (at_rest(0), at_rest(2 << 20));
    assert!(used <= fresh + 256, "{fresh} bytes before, {used} after");
}

#[test]
fn signs_of_life_allocate_nothing() {
    let provider: Arc<dyn Provider> = Arc::new(RustCrypto);
    let keep_alive = Some(Duration::from_secs(20));
    let mut crowd =
        Crowd::new(&provider, TransportConfig { keep_alive, ..TransportConfig::default() });
    let mut ends = crowd.connect();
    crowd.rest(&mut ends, Duration::from_secs(5));
    // What a small packet needs is there after a few.
    (0..200).for_each(|_| crowd.alive(&mut ends));
    let (before, held) = (calls(), live());
    (0..1000).for_each(|_| crowd.alive(&mut ends));
    assert_eq!((calls() - before, live() - held), (0, 0));
}
