//! The steady path allocates nothing: a counting allocator sees every packet of a long transfer, and
//! every turn of many echoes, the runtime's part included.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod common;
#[path = "../../jsp-proto/tests/support/counting.rs"]
mod counting;

use bytes::Bytes;
use common::{Pair, soon};
use counting::{Counting, calls};
use jsp_driver_tokio::{RecvStream, SendStream};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CHUNK: usize = 256 << 10;
const ECHO: usize = 64;
/// Rounds, until one of them is steady: where a processor has other things to do as well, packets are late
/// at times and taken for lost, and the first loss needs room to be noted.
const ROUNDS: usize = 5;

/// Echoes of [`ECHO`] bytes.
async fn echoes(send: &mut SendStream, recv: &mut RecvStream, count: usize) {
    let mut answer = [0; ECHO];
    for _ in 0..count {
        send.write_all(&[7; ECHO]).await.unwrap();
        fill(recv, &mut answer).await;
    }
}

/// Chunks to a peer that echoes only the first bytes of each.
async fn bulk(send: &mut SendStream, recv: &mut RecvStream, chunk: &Bytes, count: usize) {
    let mut answer = [0; ECHO];
    for _ in 0..count {
        send.write_bytes(chunk.clone()).await.unwrap();
        fill(recv, &mut answer).await;
    }
}

async fn fill(recv: &mut RecvStream, out: &mut [u8]) {
    let mut at = 0;
    while at < out.len() {
        at += recv.read(&mut out[at..]).await.unwrap().unwrap();
    }
}

/// Answers [`ECHO`] bytes to each `size`.
async fn answer(send: &mut SendStream, recv: &mut RecvStream, size: usize) {
    let mut at = 0;
    while let Ok(Some(read)) = recv.with_chunk(|chunk| chunk.len().min(size - at)).await {
        at += read;
        if at == size {
            at = 0;
            send.write_all(&[8; ECHO]).await.unwrap();
        }
    }
}

#[tokio::test]
async fn neither_echoes_nor_bulk_allocate_for_a_packet() {
    let pair = Pair::new();
    let (client, server) = pair.connect().await;
    tokio::spawn(async move {
        // One stream after the other.
        for size in [ECHO, CHUNK] {
            let (mut send, mut recv) = server.accept_bi().await.unwrap();
            answer(&mut send, &mut recv, size).await;
        }
    });
    let (mut send, mut recv) = client.open_bi().await.unwrap();
    // Buffers, queues and windows grow to what this takes.
    soon("warm-up", echoes(&mut send, &mut recv, 2000)).await;
    assert!(calls() > 0, "the counter counts");
    let mut allocations = Vec::with_capacity(ROUNDS);
    while allocations.len() < ROUNDS && allocations.last() != Some(&0) {
        let before = calls();
        soon("echoes", echoes(&mut send, &mut recv, 2000)).await;
        allocations.push(calls() - before);
    }
    assert_eq!(allocations.last(), Some(&0), "in 2000 echoes: {allocations:?}");
    send.finish().unwrap();

    let chunk = Bytes::from(vec![9; CHUNK]);
    let (mut send, mut recv) = client.open_bi().await.unwrap();
    soon("warm-up", bulk(&mut send, &mut recv, &chunk, 200)).await;
    allocations.clear();
    while allocations.len() < ROUNDS && allocations.last() != Some(&0) {
        let (before, first) = (calls(), client.stats().counts.packets_sent);
        soon("bulk", bulk(&mut send, &mut recv, &chunk, 100)).await;
        let packets = client.stats().counts.packets_sent - first;
        assert!(packets > 1000, "{packets} packets");
        allocations.push(calls() - before);
    }
    assert_eq!(allocations.last(), Some(&0), "over 1000 packets and more: {allocations:?}");
}
