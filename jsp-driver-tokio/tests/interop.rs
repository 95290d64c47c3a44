//! This driver and the one for mio are two loops around one engine: each serves the other's clients.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod common;

use common::{identity, loopback, pattern, soon};
use jsp_driver_mio as mio;
use jsp_driver_mio::Dir;
use jsp_driver_tokio::{AppCode, ClientConfig, Endpoint, EndpointOptions, ServerConfig};
use std::collections::BTreeMap;
use std::future::IntoFuture as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Beyond the windows that streams begin with.
const LEN: usize = 3 << 20;

/// Takes what is there; `true` at the end of the stream.
fn take(connection: &mut mio::ConnectionMut<'_>, id: mio::StreamId, into: &mut Vec<u8>) -> bool {
    loop {
        let taken = connection.with_chunk(id, |chunk| {
            into.extend_from_slice(chunk);
            chunk.len()
        });
        match taken {
            Ok(_) => {}
            Err(mio::ReadError::Finished) => return true,
            Err(_) => return false,
        }
    }
}

/// Writes what is taken of `data`, and the end after all of it.
fn give(connection: &mut mio::ConnectionMut<'_>, id: mio::StreamId, data: &mut &[u8]) {
    while !data.is_empty() {
        let Ok(taken) = connection.write(id, data) else { return };
        *data = &data[taken..];
    }
    let _ = connection.finish(id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_on_tokio_is_served_on_mio() {
    let identity = identity();
    let server = mio::Endpoint::server(loopback(), ServerConfig::with_identity(&identity)).unwrap();
    let address = server.local_addr();
    let over = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&over);
    let serving = std::thread::spawn(move || {
        let mut driver = mio::Driver::new(server).unwrap();
        let mut streams: BTreeMap<mio::StreamId, (Vec<u8>, usize, bool)> = BTreeMap::new();
        while !end.load(Ordering::Relaxed) {
            driver.turn(Some(Duration::from_millis(20))).unwrap();
            while let Some((handle, event)) = driver.poll_event() {
                let mut connection = driver.connection(handle).unwrap();
                match event {
                    mio::Event::Opened { dir } => while connection.accept(dir).is_some() {},
                    mio::Event::Readable(id) | mio::Event::Writable(id) => {
                        let (data, written, ended) = streams.entry(id).or_default();
                        *ended = *ended || take(&mut connection, id, data);
                        if *ended {
                            let mut rest = &data[*written..];
                            give(&mut connection, id, &mut rest);
                            *written = data.len() - rest.len();
                        }
                    }
                    _ => {}
                }
            }
        }
    });
    let client = Endpoint::bind(loopback(), EndpointOptions::default()).unwrap();
    let config = ClientConfig::pinned(identity.fingerprint());
    let connecting = client.connect(&config, address).unwrap();
    let connection = soon("handshake", connecting.into_future()).await.unwrap();
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    let data = pattern(LEN, 1);
    soon("echo", async {
        send.write_all(&data).await.unwrap();
        send.finish().unwrap();
        assert!(recv.read_to_end(LEN).await.unwrap() == data);
        client.shutdown(AppCode(0), b"done").await;
    })
    .await;
    over.store(true, Ordering::Relaxed);
    serving.join().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_on_mio_is_served_on_tokio() {
    let identity = identity();
    let server = Endpoint::server(loopback(), ServerConfig::with_identity(&identity)).unwrap();
    let address = server.local_addr();
    tokio::spawn(async move {
        server
            .serve(|connection| async move {
                let (mut send, mut recv) = connection.accept_bi().await.unwrap();
                let all = recv.read_to_end(LEN).await.unwrap();
                send.write_all(&all).await.unwrap();
                send.finish().unwrap();
                connection.closed().await;
            })
            .await;
    });
    let asking = tokio::task::spawn_blocking(move || {
        let endpoint = mio::Endpoint::bind(loopback(), EndpointOptions::default()).unwrap();
        let mut driver = mio::Driver::new(endpoint).unwrap();
        driver.connect(&ClientConfig::pinned(identity.fingerprint()), address).unwrap();
        let (data, mut answer) = (pattern(LEN, 2), Vec::new());
        let mut rest = &data[..];
        let begin = Instant::now();
        loop {
            assert!(begin.elapsed() < Duration::from_secs(60));
            driver.turn(Some(Duration::from_millis(20))).unwrap();
            while let Some((handle, event)) = driver.poll_event() {
                let mut connection = driver.connection(handle).unwrap();
                match event {
                    mio::Event::Connected => {
                        let id = connection.open(Dir::Bi).unwrap();
                        give(&mut connection, id, &mut rest);
                    }
                    mio::Event::Writable(id) => give(&mut connection, id, &mut rest),
                    mio::Event::Readable(id) if take(&mut connection, id, &mut answer) => {
                        assert!(answer == data);
                        return;
                    }
                    mio::Event::Closed(reason) => panic!("{reason}"),
                    _ => {}
                }
            }
        }
    });
    soon("echo", asking).await.unwrap();
}
