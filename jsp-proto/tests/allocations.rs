//! The steady path allocates nothing: a counting allocator sees every packet of a long transfer.
#![cfg(feature = "rustcrypto")]

#[path = "support/engine.rs"]
mod engine;

use engine::Pair;
use jsp_proto::crypto::rustcrypto::RustCrypto;
use jsp_proto::crypto::{Provider, Suite};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting what the current thread asks of it.
struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(suite: Suite) -> (u64, u64) {
    let provider: Arc<dyn Provider> = Arc::new(RustCrypto);
    let mut pair = Pair::connect(&provider, suite, 1452);
    let id = pair.open();
    let data = [7; 16 << 10];
    // Windows, rings and buffers grow to what the transfer needs.
    pair.bulk(id, &data, 64 << 20);
    let before = COUNT.with(Cell::get);
    let packets = pair.bulk(id, &data, 32 << 20);
    (packets, COUNT.with(Cell::get) - before)
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
fn the_counter_counts() {
    let before = COUNT.with(Cell::get);
    std::hint::black_box(vec![1u8; 100]);
    assert_eq!(COUNT.with(Cell::get) - before, 1);
}
