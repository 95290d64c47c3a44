//! What an exchange of small messages takes: as few datagrams as it can, and no sleep where none is
//! wanted.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod common;

use common::{Pair, soon};
use jsp_driver_tokio::{Connection, RecvStream, SendStream};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

fn packets(connection: &Connection) -> u64 {
    connection.stats().counts.packets_sent
}

/// The last octet of what comes next.
async fn next(recv: &mut RecvStream) -> Option<u8> {
    let mut buffer = [0; 1000];
    let read = recv.read(&mut buffer).await.ok()??;
    buffer[..read].last().copied()
}

/// Answers each message with its last octet.
async fn answer(mut send: SendStream, mut recv: RecvStream) {
    while let Some(octet) = next(&mut recv).await {
        send.write_all(&[octet]).await.unwrap();
    }
}

/// A connection whose handshake is long over, and a stream whose other end answers.
async fn exchange(pair: &Pair) -> ([Connection; 2], SendStream, RecvStream) {
    let (client, server) = pair.connect().await;
    let (mut send, mut recv) = client.open_bi().await.unwrap();
    send.write_all(&[0]).await.unwrap();
    let (theirs, requests) = soon("stream", server.accept_bi()).await.unwrap();
    tokio::spawn(answer(theirs, requests));
    assert_eq!(soon("answer", next(&mut recv)).await, Some(0));
    tokio::time::sleep(Duration::from_millis(200)).await;
    ([client, server], send, recv)
}

#[tokio::test]
async fn an_answer_takes_the_acknowledgement_along() {
    let pair = Pair::new();
    let (ends, mut send, mut recv) = exchange(&pair).await;
    let before = ends.each_ref().map(packets);
    for n in 0..200 {
        send.write_all(&[n]).await.unwrap();
        assert_eq!(soon("answer", next(&mut recv)).await, Some(n));
    }
    for (end, before) in ends.iter().zip(before) {
        let took = packets(end) - before;
        assert!((200..=300).contains(&took), "{:?}: {took}", end.side());
    }
}

#[tokio::test]
async fn small_writes_of_a_turn_share_datagrams() {
    let pair = Pair::new();
    let ([client, _server], mut send, mut recv) = exchange(&pair).await;
    let before = packets(&client);
    for n in 1..=100 {
        send.write_all(&[n]).await.unwrap();
    }
    while soon("answer", next(&mut recv)).await != Some(100) {}
    // The first, the others, and acknowledgements; several turns if somebody stops this thread.
    let took = packets(&client) - before;
    assert!(took <= 20, "{took} packets for 100 writes");
}

#[tokio::test]
async fn a_flush_does_not_wait_for_more() {
    let pair = Pair::new();
    let ([client, _server], mut send, _recv) = exchange(&pair).await;
    let before = packets(&client);
    for n in 1..=5 {
        send.write_all(&[n]).await.unwrap();
        send.flush().await.unwrap();
    }
    assert_eq!(packets(&client) - before, 5);
}

#[tokio::test]
async fn endpoints_that_spin_do_the_same_and_let_others_run() {
    let pair = Pair::new();
    for endpoint in [&pair.client, &pair.server] {
        endpoint.set_spin(Duration::from_millis(20));
    }
    let (_ends, mut send, mut recv) = exchange(&pair).await;
    for n in 0..200 {
        send.write_all(&[n]).await.unwrap();
        assert_eq!(soon("answer", next(&mut recv)).await, Some(n));
        if n % 50 == 0 {
            // Longer than they spin.
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
}
