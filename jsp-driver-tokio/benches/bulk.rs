//! Bulk goodput over loopback, ours and quinn's in alternating rounds of one run, with equal packet
//! size, cipher (AES-256-GCM), windows, socket buffers and threads: one for each side.
//!
//! `cargo bench -p jsp-driver-tokio --bench bulk -- [mib=512] [rounds=5]`
#![allow(clippy::unwrap_used)] // A bench that cannot run says so by failing.

mod common;

use bytes::Bytes;
use common::{argument, median, our_endpoint, our_transport, process_cpu};
use jsp_driver_tokio::jsp_proto::crypto::Suite;
use jsp_driver_tokio::{AppCode, ClientConfig, Identity, ServerConfig, default_provider};
use std::future::Future;
use std::net::SocketAddr;
use std::time::Instant;
use tokio::sync::oneshot;

/// What the application hands over at once.
const CHUNK: usize = 1 << 20;

/// What a round measured.
#[derive(Clone, Copy)]
struct Round {
    /// Seconds from the first byte to the receiver's word that all is there.
    time: f64,
    /// Processor seconds of both sides meanwhile.
    cpu: f64,
}

fn main() {
    let bytes = argument("mib", 512) << 20;
    let rounds = argument("rounds", 5);
    let only = std::env::args().find_map(|arg| arg.strip_prefix("only=").map(str::to_owned));
    println!(
        "bulk over loopback, {} MiB a round, packets of {} bytes",
        bytes >> 20,
        common::PACKET
    );
    let mut results = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        if only.as_deref() != Some("quinn") {
            results[0].push(round(our_server, |address| our_client(address, bytes)));
        }
        if only.as_deref() != Some("ours") {
            results[1].push(round(quinn_server, |address| quinn_client(address, bytes)));
        }
    }
    let gb = bytes as f64 / 1e9;
    let mut goodput = [0.0; 2];
    let mut cost = [0.0; 2];
    println!("{:>8} {:>12} {:>14}", "", "GB/s", "CPU s per GB");
    for (n, name) in ["ours", "quinn"].into_iter().enumerate() {
        if results[n].is_empty() {
            continue;
        }
        goodput[n] = median(results[n].iter().map(|round| gb / round.time).collect());
        cost[n] = median(results[n].iter().map(|round| round.cpu / gb).collect());
        println!("{name:>8} {:>12.3} {:>14.3}", goodput[n], cost[n]);
    }
    if only.is_none() {
        println!("goodput, ours / quinn: {:.2} (bar: at least 1)", goodput[0] / goodput[1]);
        println!("CPU per byte, ours / quinn: {:.2} (bar: at most 1)", cost[0] / cost[1]);
    }
}

/// What a client needs to know of a server, and how the server is told to end.
type Door<T> = (SocketAddr, T);

fn round<T, S, C>(
    server: impl FnOnce(oneshot::Sender<Door<T>>) -> S + Send + 'static,
    client: impl FnOnce(Door<T>) -> C,
) -> Round
where
    T: Send + 'static,
    S: Future<Output = ()>,
    C: Future<Output = Round>,
{
    let (tell, told) = oneshot::channel();
    let serving = std::thread::spawn(move || runtime().block_on(server(tell)));
    let result = runtime().block_on(async { client(told.await.unwrap()).await });
    serving.join().unwrap();
    result
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn our_server(tell: oneshot::Sender<Door<ClientConfig>>) {
    let identity = Identity::generate(&*default_provider()).unwrap();
    let config = ServerConfig::with_identity(&identity).with_transport(our_transport());
    let endpoint = our_endpoint();
    endpoint.set_server(Some(config));
    let client = ClientConfig::pinned(identity.fingerprint())
        .with_suites(&[Suite::Aes256Gcm])
        .with_transport(our_transport());
    tell.send((endpoint.local_addr(), client)).unwrap();
    let connection = endpoint.accept().await.unwrap().await.unwrap();
    let (mut send, mut recv) = connection.accept_bi().await.unwrap();
    let mut total = 0u64;
    while let Some(read) = recv.with_chunk(<[u8]>::len).await.unwrap() {
        total += read as u64;
    }
    send.write_all(&total.to_be_bytes()).await.unwrap();
    send.finish().unwrap();
    connection.closed().await;
}

async fn our_client((address, config): Door<ClientConfig>, bytes: usize) -> Round {
    let endpoint = our_endpoint();
    let connection = endpoint.connect(&config, address).unwrap().await.unwrap();
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    let chunk = Bytes::from(vec![0x5a; CHUNK]);
    let (start, cpu) = (Instant::now(), process_cpu());
    for _ in 0..bytes / CHUNK {
        send.write_bytes(chunk.clone()).await.unwrap();
    }
    send.finish().unwrap();
    let answer = recv.read_to_end(8).await.unwrap();
    let round = measured(start, cpu);
    assert_eq!(answer, (bytes as u64).to_be_bytes());
    if std::env::var_os("STATS").is_some() {
        println!("{:#?}", connection.stats());
    }
    connection.close(AppCode(0), b"");
    endpoint.wait_idle().await;
    round
}

async fn quinn_server(tell: oneshot::Sender<Door<quinn::ClientConfig>>) {
    let (client, server) = common::quinn_configs(false);
    let endpoint = common::quinn_endpoint(Some(server));
    tell.send((endpoint.local_addr().unwrap(), client)).ok().unwrap();
    let connection = endpoint.accept().await.unwrap().await.unwrap();
    let (mut send, mut recv) = connection.accept_bi().await.unwrap();
    let mut total = 0u64;
    while let Some(chunk) = recv.read_chunk(usize::MAX, true).await.unwrap() {
        total += chunk.bytes.len() as u64;
    }
    send.write_all(&total.to_be_bytes()).await.unwrap();
    send.finish().unwrap();
    connection.closed().await;
}

async fn quinn_client((address, config): Door<quinn::ClientConfig>, bytes: usize) -> Round {
    let endpoint = common::quinn_endpoint(None);
    let connecting = endpoint.connect_with(config, address, "localhost").unwrap();
    let connection = connecting.await.unwrap();
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    let chunk = Bytes::from(vec![0x5a; CHUNK]);
    let (start, cpu) = (Instant::now(), process_cpu());
    for _ in 0..bytes / CHUNK {
        send.write_chunk(chunk.clone()).await.unwrap();
    }
    send.finish().unwrap();
    let answer = recv.read_to_end(8).await.unwrap();
    let round = measured(start, cpu);
    assert_eq!(answer, (bytes as u64).to_be_bytes());
    connection.close(0u32.into(), b"");
    endpoint.wait_idle().await;
    round
}

fn measured(start: Instant, cpu: f64) -> Round {
    Round { time: start.elapsed().as_secs_f64(), cpu: process_cpu() - cpu }
}
