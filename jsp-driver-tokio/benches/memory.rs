//! Resident memory of idle connections: everything that the process holds, what C libraries allocate
//! included. The engine alone, ours with the tokio driver, and quinn, each measured in a process of its
//! own, which holds both ends.
//!
//! `cargo bench -p jsp-driver-tokio --bench memory -- [connections=10000] [json=FILE]`
#![allow(clippy::unwrap_used)] // A bench that cannot run says so by failing.

mod common;

use common::engine::Engines;
use common::report::Report;
use common::{argument, option, our_endpoint, our_transport, resident, runtime};
use jsp_driver_tokio::{ClientConfig, Identity, ServerConfig, default_provider};
use std::process::Command;
use std::time::Duration;

const KIB: f64 = 1024.0;

/// Who holds connections, how many, and says how many bytes those are.
type Holder = fn(usize) -> usize;

/// With the bars: bytes of both ends of an idle connection.
const HOLDERS: [(&str, Holder, Option<f64>); 3] = [
    ("engine", engine, Some(10.0 * KIB)),
    ("tokio", |count| runtime().block_on(ours(count)), Some(16.0 * KIB)),
    ("quinn", |count| runtime().block_on(quinn(count)), None),
];

fn main() {
    let count = argument("connections", 10_000);
    if let Some(who) = option("who") {
        let (_, holder, _) = HOLDERS.into_iter().find(|(name, ..)| *name == who).unwrap();
        println!("{}", holder(count));
        return;
    }
    println!("{count} idle connections, resident bytes of each");
    println!("{:>8} {:>12} {:>12}", "", "one end", "both ends");
    let mut values = Vec::new();
    for (who, _, bar) in HOLDERS {
        let child = Command::new(std::env::current_exe().unwrap())
            .args([format!("who={who}"), format!("connections={count}")])
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        let bytes: f64 = String::from_utf8(child.stdout).unwrap().trim().parse().unwrap();
        let both = bytes / count as f64;
        print!("{who:>8} {:>12.0} {both:>12.0}", both / 2.0);
        match bar {
            Some(bar) => println!("   {:.2} of the bar, {bar} for both ends", both / bar),
            None => println!(),
        }
        values.push((who, both / KIB));
    }
    let mut report = Report::new("memory");
    report.row("idle connection, resident memory of both ends", "KiB", &values);
    report.write();
}

/// What `held` holds beyond its first pair, which pays for what is there only once.
struct Held<T> {
    connections: Vec<T>,
    before: usize,
}

impl<T> Held<T> {
    fn new(count: usize, first: T) -> Self {
        // Touched, so that it does not count.
        let mut connections = Vec::with_capacity(count + 1);
        connections.push(first);
        Self { connections, before: resident() }
    }

    fn push(&mut self, connection: T) {
        self.connections.push(connection);
    }

    fn bytes(&self) -> usize {
        resident() - self.before
    }
}

fn engine(count: usize) -> usize {
    let mut engines = Engines::new(false);
    let mut pair = || {
        let connections = engines.handshake();
        // Where a driver would have it: each by itself.
        engines.settle(connections).map(Box::new)
    };
    let mut held = Held::new(count, pair());
    (0..count).for_each(|_| held.push(pair()));
    held.bytes()
}

async fn ours(count: usize) -> usize {
    let identity = Identity::generate(&*default_provider()).unwrap();
    let server = our_endpoint();
    server.set_server(Some(ServerConfig::with_identity(&identity).with_transport(our_transport())));
    let config = ClientConfig::pinned(identity.fingerprint()).with_transport(our_transport());
    let client = our_endpoint();
    let pair = async || {
        let connecting = client.connect(&config, server.local_addr()).unwrap();
        let accepting = tokio::spawn({
            let server = server.clone();
            async move { server.accept().await.unwrap().await.unwrap() }
        });
        (connecting.await.unwrap(), accepting.await.unwrap())
    };
    holding(count, pair).await
}

async fn quinn(count: usize) -> usize {
    let (config, server) = common::quinn_configs(false);
    let server = common::quinn_endpoint(Some(server));
    let client = common::quinn_endpoint(None);
    let address = server.local_addr().unwrap();
    let pair = async || {
        let connecting = client.connect_with(config.clone(), address, "localhost").unwrap();
        let accepting = tokio::spawn({
            let server = server.clone();
            async move { server.accept().await.unwrap().await.unwrap() }
        });
        (connecting.await.unwrap(), accepting.await.unwrap())
    };
    holding(count, pair).await
}

/// The bytes of so many pairs, once they are idle.
async fn holding<T>(count: usize, pair: impl AsyncFn() -> T) -> usize {
    let first = pair().await;
    settle().await;
    let mut held = Held::new(count, first);
    for _ in 0..count {
        held.push(pair().await);
    }
    settle().await;
    held.bytes()
}

/// Time for the last acknowledgements and key discards.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(500)).await;
}
