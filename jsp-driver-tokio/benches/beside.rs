//! The throughput of one connection beside many idle ones on the same server endpoint, against that of
//! one which has its endpoint for itself, in alternating rounds of one run.
//!
//! `cargo bench -p jsp-driver-tokio --bench beside -- [connections=10000] [mib=512] [rounds=9] [json=FILE]`
#![allow(clippy::unwrap_used)] // A bench that cannot run says so by failing.

mod common;

use bytes::Bytes;
use common::report::Report;
use common::{CHUNK, argument, median, our_endpoint, our_transport, runtime};
use jsp_driver_tokio::jsp_proto::crypto::Suite;
use jsp_driver_tokio::{
    AppCode, ClientConfig, Connection, Identity, ServerConfig, default_provider,
};
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The bar: how much of the throughput must remain.
const BAR: f64 = 0.9;

/// Where a server is, and how to connect to it.
type Door = (SocketAddr, ClientConfig);

fn main() {
    let count = argument("connections", 10_000);
    let bytes = argument("mib", 512) << 20;
    let rounds = argument("rounds", 9);
    let [alone, beside] = [(); 2].map(|()| server());
    idle(beside.clone(), count);
    println!("one connection, GB/s, median of {rounds} rounds of {} MiB", bytes >> 20);
    let mut goodput = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (door, goodput) in [&alone, &beside].into_iter().zip(&mut goodput) {
            goodput.push(runtime().block_on(bulk(door, bytes)));
        }
    }
    let [alone, beside] = goodput.map(median);
    println!("{:>28} {alone:>8.3}", "alone");
    println!("{:>28} {beside:>8.3}", format!("beside {count} idle ones"));
    println!("beside / alone: {:.2} (bar: more than {BAR})", beside / alone);
    let mut report = Report::new("beside");
    report.row("one connection alone", "GB/s", &[("tokio", alone)]);
    report.row(&format!("the same beside {count} idle ones"), "GB/s", &[("tokio", beside)]);
    report.write();
}

/// A server on a thread of its own, for as long as the bench runs.
fn server() -> Door {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        runtime().block_on(async {
            let identity = Identity::generate(&*default_provider()).unwrap();
            let endpoint = our_endpoint();
            let config = ServerConfig::with_identity(&identity).with_transport(our_transport());
            endpoint.set_server(Some(config));
            let client = ClientConfig::pinned(identity.fingerprint())
                .with_suites(&[Suite::Aes256Gcm])
                .with_transport(our_transport());
            tell.send((endpoint.local_addr(), client)).unwrap();
            endpoint.serve(count_bytes).await;
        });
    });
    told.recv().unwrap()
}

/// Tells on each stream how much came in on it.
async fn count_bytes(connection: Connection) {
    while let Ok((mut send, mut recv)) = connection.accept_bi().await {
        let mut total = 0u64;
        while let Some(read) = recv.with_chunk(<[u8]>::len).await.unwrap() {
            total += read as u64;
        }
        send.write_all(&total.to_be_bytes()).await.unwrap();
        send.finish().unwrap();
    }
}

/// Connections that do nothing but stay alive, on a thread of their own.
fn idle((address, config): Door, count: usize) {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        runtime().block_on(async {
            let mut transport = our_transport();
            transport.keep_alive = Some(Duration::from_secs(30));
            let config = config.with_transport(transport);
            let endpoint = our_endpoint();
            let mut held = Vec::with_capacity(count);
            for _ in 0..count {
                held.push(endpoint.connect(&config, address).unwrap().await.unwrap());
            }
            tell.send(()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    told.recv().unwrap();
}

/// Gigabytes a second of a connection's life, from its first byte to the word that all is there.
async fn bulk((address, config): &Door, bytes: usize) -> f64 {
    let endpoint = our_endpoint();
    let connection = endpoint.connect(config, *address).unwrap().await.unwrap();
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    let chunk = Bytes::from(vec![0x5a; CHUNK]);
    let start = Instant::now();
    for _ in 0..bytes / CHUNK {
        send.write_bytes(chunk.clone()).await.unwrap();
    }
    send.finish().unwrap();
    let answer = recv.read_to_end(8).await.unwrap();
    let time = start.elapsed().as_secs_f64();
    assert_eq!(answer, (bytes as u64).to_be_bytes());
    connection.close(AppCode(0), b"");
    endpoint.wait_idle().await;
    bytes as f64 / 1e9 / time
}
