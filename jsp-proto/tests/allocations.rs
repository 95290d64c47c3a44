//! The steady path allocates nothing: a counting allocator sees every packet of a long transfer.
#![cfg(feature = "rustcrypto")]

#[path = "support/bulk.rs"]
mod bulk;
#[path = "support/counting.rs"]
mod counting;
#[path = "support/engine.rs"]
mod engine;

use bulk::bulk;
use counting::{Counting, calls};
use engine::Pair;
use jsp_proto::crypto::rustcrypto::RustCrypto;
use jsp_proto::crypto::{Provider, Suite};
use jsp_proto::stream::StreamConfig;
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(suite: Suite) -> (u64, u64) {
    let provider: Arc<dyn Provider> = Arc::new(RustCrypto);
    let mut pair = Pair::connect(&provider, suite, 1452);
    let data = [7; 16 << 10];
    // Windows, rings and buffers grow to what the transfer needs.
    bulk(&mut pair, &data, 64 << 20);
    let before = calls();
    let packets = bulk(&mut pair, &data, 32 << 20);
    (packets, calls() - before)
}

#[test]
fn a_steady_transfer_allocates_nothing_per_packet() {
    for suite in Suite::ALL {
        let (packets, allocations) = allocations(suite);
        assert!(packets > 20_000, "{packets} packets");
        assert_eq!(allocations, 0, "{suite}: over {packets} packets");
    }
}

#[test]
fn a_writer_that_keeps_a_small_buffer_full_allocates_nothing() {
    let provider: Arc<dyn Provider> = Arc::new(RustCrypto);
    let streams = StreamConfig { send_buffer: 256 << 10, ..StreamConfig::default() };
    let mut pair = Pair::with_streams(&provider, Suite::Aes256Gcm, 1452, streams);
    let data = [7; 16 << 10];
    bulk(&mut pair, &data, 64 << 20);
    let before = calls();
    let packets = bulk(&mut pair, &data, 32 << 20);
    assert_eq!(calls() - before, 0, "over {packets} packets");
}

#[test]
fn the_counter_counts() {
    let before = calls();
    std::hint::black_box(vec![1u8; 100]);
    assert_eq!(calls() - before, 1);
}
