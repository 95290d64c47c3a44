//! Streams over real sockets: data arrives whole, in order, and no faster than it is read.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod common;

use bytes::Bytes;
use common::{Pair, pattern, soon};
use jsp_driver_tokio::{AppCode, CloseReason, Connection, ReadError, ReadToEndError, WriteError};
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Echoes each stream until the connection ends.
async fn echo(connection: Connection) {
    while let Ok((mut send, mut recv)) = connection.accept_bi().await {
        tokio::spawn(async move {
            tokio::io::copy(&mut recv, &mut send).await.unwrap();
            send.finish().unwrap();
        });
    }
}

#[tokio::test]
async fn what_is_sent_comes_back() {
    let pair = Pair::new();
    let (client, server) = pair.connect().await;
    tokio::spawn(echo(server));
    let (mut send, mut recv) = client.open_bi().await.unwrap();
    send.write_all(b"hello, ").await.unwrap();
    send.write_bytes(Bytes::from_static(b"world")).await.unwrap();
    send.finish().unwrap();
    let back = soon("echo", recv.read_to_end(100)).await.unwrap();
    assert_eq!(back, b"hello, world");
    soon("acknowledgement", send.finished()).await.unwrap();
    // The end is told as often as it is asked for.
    assert_eq!(recv.read(&mut [0; 10]).await, Ok(None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_streams_at_a_time_keep_their_bytes_apart() {
    let pair = Pair::new();
    let (client, server) = pair.connect().await;
    tokio::spawn(echo(server));
    let tasks: Vec<_> = (0..1000u64)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move {
                let data = pattern(1000 + n as usize, n);
                let (mut send, mut recv) = client.open_bi().await.unwrap();
                send.write_all(&data).await.unwrap();
                send.finish().unwrap();
                assert!(recv.read_to_end(1 << 20).await.unwrap() == data, "stream {n}");
            })
        })
        .collect();
    for task in tasks {
        soon("stream", task).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_connections_at_once_each_get_their_own_answer() {
    let pair = Pair::new();
    let server = pair.server.clone();
    tokio::spawn(async move { server.serve(echo).await });
    let tasks: Vec<_> = (0..100u64)
        .map(|n| {
            let connecting = pair.client.connect(&pair.config, pair.server.local_addr()).unwrap();
            tokio::spawn(async move {
                let connection = connecting.await.unwrap();
                let data = pattern(20_000, n);
                let (mut send, mut recv) = connection.open_bi().await.unwrap();
                send.write_all(&data).await.unwrap();
                send.finish().unwrap();
                assert!(recv.read_to_end(1 << 20).await.unwrap() == data, "connection {n}");
            })
        })
        .collect();
    for task in tasks {
        soon("connection", task).await.unwrap();
    }
    soon("all to go", pair.client.wait_idle()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_transfer_arrives_with_the_right_hash() {
    const CHUNKS: u64 = 64;
    let pair = Pair::new();
    let (client, server) = pair.connect().await;
    let sender = tokio::spawn(async move {
        let mut send = client.open_uni().await.unwrap();
        let mut hash = Sha256::new();
        for n in 0..CHUNKS {
            let chunk = pattern(1 << 20, n);
            hash.update(&chunk);
            send.write_bytes(chunk.into()).await.unwrap();
        }
        send.finish().unwrap();
        send.finished().await.unwrap();
        hash.finalize()
    });
    let mut recv = soon("stream", server.accept_uni()).await.unwrap();
    let (mut hash, mut total) = (Sha256::new(), 0);
    let chunk = |bytes: &[u8]| {
        hash.update(bytes);
        total += bytes.len();
        bytes.len()
    };
    let mut chunk = chunk;
    while soon("chunk", recv.with_chunk(&mut chunk)).await.unwrap().is_some() {}
    assert_eq!(total as u64, CHUNKS << 20);
    assert_eq!(hash.finalize(), soon("sender", sender).await.unwrap());
}

#[tokio::test]
async fn who_reads_slowly_holds_the_writer_back() {
    let pair = Pair::with(
        |server| {
            let mut transport = jsp_driver_tokio::TransportConfig::default();
            transport.streams.stream_window = 64 << 10;
            transport.streams.stream_window_max = 64 << 10;
            server.with_transport(transport)
        },
        |client| {
            let mut transport = jsp_driver_tokio::TransportConfig::default();
            transport.streams.send_buffer = 128 << 10;
            transport.streams.send_backlog = 64 << 10;
            client.with_transport(transport)
        },
    );
    let (client, server) = pair.connect().await;
    let mut send = client.open_uni().await.unwrap();
    let mut written = 0;
    let chunk = [7; 16 << 10];
    // Nobody reads: the writer stops when window and buffer are full.
    while let Ok(n) = tokio::time::timeout(Duration::from_millis(300), send.write(&chunk)).await {
        written += n.unwrap();
        assert!(written <= 256 << 10, "nothing holds the writer back");
    }
    assert!(written >= 64 << 10);
    // Once somebody reads, it goes on, and what a cancelled write did not take is not there twice.
    let mut recv = server.accept_uni().await.unwrap();
    let reader = tokio::spawn(async move { recv.read_to_end(1 << 20).await.unwrap() });
    soon("write", send.write_all(b"the end")).await.unwrap();
    send.finish().unwrap();
    let read = soon("read", reader).await.unwrap();
    assert_eq!(read.len(), written + 7);
    assert!(read.ends_with(b"the end") && read[..written].iter().all(|byte| *byte == 7));
}

#[tokio::test]
async fn futures_that_are_dropped_have_taken_nothing() {
    let pair = Pair::new();
    let (client, server) = pair.connect().await;
    let short = Duration::from_millis(20);
    for _ in 0..3 {
        assert!(tokio::time::timeout(short, server.accept_uni()).await.is_err());
    }
    let mut send = client.open_uni().await.unwrap();
    send.write_all(b"a").await.unwrap();
    let mut recv = soon("accept", server.accept_uni()).await.unwrap();
    let mut buffer = [0; 16];
    assert_eq!(soon("read", recv.read(&mut buffer)).await, Ok(Some(1)));
    for _ in 0..3 {
        assert!(tokio::time::timeout(short, recv.read(&mut buffer)).await.is_err());
    }
    send.write_all(b"bcd").await.unwrap();
    send.finish().unwrap();
    assert_eq!(soon("rest", recv.read_to_end(10)).await.unwrap(), b"bcd");
}

#[tokio::test]
async fn a_stream_that_is_dropped_unfinished_reads_as_reset_not_as_whole() {
    let pair = Pair::new();
    let (client, server) = pair.connect().await;
    let mut send = client.open_uni().await.unwrap();
    send.write_all(b"half").await.unwrap();
    let mut recv = soon("accept", server.accept_uni()).await.unwrap();
    drop(send);
    let error = soon("reset", recv.read_to_end(100)).await.unwrap_err();
    assert_eq!(error, ReadToEndError::Read(ReadError::Reset(AppCode(0))));
}

#[tokio::test]
async fn a_reader_that_has_enough_stops_the_writer() {
    let pair = Pair::new();
    let (client, server) = pair.connect().await;
    let mut send = client.open_uni().await.unwrap();
    send.write_all(b"first").await.unwrap();
    let mut recv = soon("accept", server.accept_uni()).await.unwrap();
    recv.stop(AppCode(42)).unwrap();
    assert_eq!(soon("stop", send.stopped()).await, Ok(Some(AppCode(42))));
    assert_eq!(send.write(b"more").await, Err(WriteError::Stopped(AppCode(42))));
    assert_eq!(recv.read(&mut [0; 1]).await, Err(ReadError::Closed));
}

#[tokio::test]
async fn tokios_traits_work() {
    let pair = Pair::new();
    let (client, server) = pair.connect().await;
    tokio::spawn(echo(server));
    let (mut send, mut recv) = client.open_bi().await.unwrap();
    let data = pattern(300_000, 5);
    let writer = {
        let data = data.clone();
        tokio::spawn(async move {
            AsyncWriteExt::write_all(&mut send, &data).await.unwrap();
            send.shutdown().await.unwrap();
        })
    };
    let mut back = Vec::new();
    soon("read", AsyncReadExt::read_to_end(&mut recv, &mut back)).await.unwrap();
    assert!(back == data);
    soon("writer", writer).await.unwrap();
}

#[tokio::test]
async fn nothing_that_was_finished_is_lost_when_everything_is_dropped() {
    let pair = Pair::new();
    let (client, server) = pair.connect().await;
    let data = pattern(3 << 20, 1);
    let mut send = client.open_uni().await.unwrap();
    let writer = {
        let data = data.clone();
        tokio::spawn(async move {
            send.write_all(&data).await.unwrap();
            send.finish().unwrap();
            // The last handles of the connection.
            drop((send, client));
        })
    };
    let mut recv = soon("accept", server.accept_uni()).await.unwrap();
    assert!(soon("read", recv.read_to_end(4 << 20)).await.unwrap() == data);
    soon("writer", writer).await.unwrap();
    let reason = soon("close", server.closed()).await;
    assert_eq!(reason, CloseReason::Remote { code: AppCode(0), reason: String::new() });
}

#[tokio::test]
async fn a_shutdown_of_the_endpoint_loses_nothing_that_was_finished() {
    let pair = Pair::new();
    let (client, server) = pair.connect().await;
    let data = pattern(200_000, 2);
    let mut send = client.open_uni().await.unwrap();
    soon("write", send.write_all(&data)).await.unwrap();
    send.finish().unwrap();
    let reader = tokio::spawn(async move {
        let mut recv = server.accept_uni().await.unwrap();
        let read = recv.read_to_end(1 << 20).await.unwrap();
        (read, server.closed().await)
    });
    soon("shutdown", pair.client.shutdown(AppCode(7), b"bye")).await;
    assert_eq!(pair.client.connections(), 0);
    let (read, reason) = soon("reader", reader).await.unwrap();
    assert!(read == data);
    assert_eq!(reason, CloseReason::Remote { code: AppCode(7), reason: "bye".into() });
}

#[tokio::test]
async fn a_close_wakes_everybody_who_waits() {
    let pair = Pair::new();
    let (client, server) = pair.connect().await;
    let mut send = client.open_uni().await.unwrap();
    send.write_all(b"x").await.unwrap();
    let mut recv = soon("accept", server.accept_uni()).await.unwrap();
    assert_eq!(soon("read", recv.read(&mut [0; 1])).await, Ok(Some(1)));
    let reading = tokio::spawn(async move { recv.read(&mut [0; 1]).await });
    let accepting = tokio::spawn({
        let server = server.clone();
        async move { server.accept_bi().await.err() }
    });
    let finished = tokio::spawn(async move { send.finished().await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    client.close(AppCode(9), b"enough");
    let remote = CloseReason::Remote { code: AppCode(9), reason: "enough".into() };
    let lost = ReadError::ConnectionLost(remote.clone());
    assert_eq!(soon("reader", reading).await.unwrap(), Err(lost));
    assert_eq!(soon("accept", accepting).await.unwrap(), Some(remote));
    let local = CloseReason::Local { code: AppCode(9) };
    let lost = WriteError::ConnectionLost(local.clone());
    assert_eq!(soon("finished", finished).await.unwrap(), Err(lost));
    assert_eq!(client.open_uni().await.err(), Some(local));
}
