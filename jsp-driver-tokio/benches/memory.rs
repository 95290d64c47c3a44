//! Resident memory of idle connections, ours and quinn's: everything that the process holds, what C
//! libraries allocate included. Each is measured in a process of its own, which holds both ends.
//!
//! `cargo bench -p jsp-driver-tokio --bench memory -- [connections=10000]`
#![allow(clippy::unwrap_used)] // A bench that cannot run says so by failing.

mod common;

use common::{argument, our_endpoint, our_transport};
use jsp_driver_tokio::{ClientConfig, Identity, ServerConfig, default_provider};
use std::process::Command;

/// The bar: bytes for one end of an idle connection.
const BAR: f64 = 16.0 * 1024.0;

fn main() {
    let count = argument("connections", 10_000);
    if let Some(who) = std::env::args().find_map(|arg| arg.strip_prefix("who=").map(str::to_owned))
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let bytes = runtime
            .block_on(async { if who == "ours" { ours(count).await } else { quinn(count).await } });
        println!("{bytes}");
        return;
    }
    println!("{count} idle connections, resident bytes of each");
    println!("{:>8} {:>12} {:>12}", "", "one end", "both ends");
    let mut both = [0.0; 2];
    for (n, who) in ["ours", "quinn"].into_iter().enumerate() {
        let child = Command::new(std::env::current_exe().unwrap())
            .args([format!("who={who}"), format!("connections={count}")])
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        let bytes: f64 = String::from_utf8(child.stdout).unwrap().trim().parse().unwrap();
        both[n] = bytes / count as f64;
        println!("{who:>8} {:>12.0} {:>12.0}", both[n] / 2.0, both[n]);
    }
    println!("one end, ours: {:.2} of the bar of 16 KiB", both[0] / 2.0 / BAR);
    println!("ours / quinn: {:.2}", both[0] / both[1]);
}

fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * rustix::param::page_size()
}

async fn ours(count: usize) -> usize {
    let identity = Identity::generate(&*default_provider()).unwrap();
    let server = our_endpoint();
    server.set_server(Some(ServerConfig::with_identity(&identity).with_transport(our_transport())));
    let config = ClientConfig::pinned(identity.fingerprint()).with_transport(our_transport());
    let client = our_endpoint();
    let mut held = Vec::with_capacity(2 * count);
    // The first pays for what is there only once.
    for n in 0..=count {
        if n == 1 {
            settle().await;
        }
        let connecting = client.connect(&config, server.local_addr()).unwrap();
        let accepting = tokio::spawn({
            let server = server.clone();
            async move { server.accept().await.unwrap().await.unwrap() }
        });
        held.push(connecting.await.unwrap());
        held.push(accepting.await.unwrap());
        if n == 0 {
            settle().await;
            FIRST.set(resident()).unwrap();
        }
    }
    settle().await;
    resident() - FIRST.get().unwrap()
}

async fn quinn(count: usize) -> usize {
    let (config, server) = common::quinn_configs(false);
    let server = common::quinn_endpoint(Some(server));
    let client = common::quinn_endpoint(None);
    let mut held = Vec::with_capacity(2 * count);
    for n in 0..=count {
        let address = server.local_addr().unwrap();
        let connecting = client.connect_with(config.clone(), address, "localhost").unwrap();
        let accepting = tokio::spawn({
            let server = server.clone();
            async move { server.accept().await.unwrap().await.unwrap() }
        });
        held.push(connecting.await.unwrap());
        held.push(accepting.await.unwrap());
        if n == 0 {
            settle().await;
            FIRST.set(resident()).unwrap();
        }
    }
    settle().await;
    resident() - FIRST.get().unwrap()
}

static FIRST: std::sync::OnceLock<usize> = std::sync::OnceLock::new();

/// Time for the last acknowledgements and key discards.
async fn settle() {
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
}
