//! The throughput of one connection beside many idle ones on the same server endpoint, against that of
//! one which has its endpoint for itself, in alternating rounds of one run.
//!
//! `cargo bench -p jsp-driver-tokio --bench beside -- [connections=10000] [mib=512] [rounds=9] [json=FILE]`
#![allow(clippy::unwrap_used)] // A bench that cannot run says so by failing.

mod common;

use common::ours::{self, DRIVERS, Driver, Until};
use common::report::Report;
use common::{argument, median, our_endpoint, our_transport, runtime};
use jsp_driver_tokio::ClientConfig;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

/// The bar: how much of the throughput must remain.
const BAR: f64 = 0.9;

/// Where a server is, and how to connect to it.
type Door = (SocketAddr, ClientConfig);

fn main() {
    let count = argument("connections", 10_000);
    let bytes = argument("mib", 512) << 20;
    let rounds = argument("rounds", 9);
    println!("one connection, GB/s, median of {rounds} rounds of {} MiB", bytes >> 20);
    println!("{:>8} {:>8} {:>24}", "", "alone", format!("beside {count} idle ones"));
    let mut values = Vec::new();
    for driver in DRIVERS {
        let doors = [(); 2].map(|()| server(driver));
        idle(doors[1].clone(), count);
        let mut goodput = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            for ((address, config), goodput) in doors.iter().zip(&mut goodput) {
                let upload = (driver.upload)(config, *address, bytes);
                goodput.push(bytes as f64 / 1e9 / upload.round.time);
            }
        }
        let [alone, beside] = goodput.map(median);
        let ratio = beside / alone;
        println!("{:>8} {alone:>8.3} {beside:>24.3}", driver.name);
        println!("{}, beside / alone: {ratio:.2} (bar: more than {BAR})", driver.name);
        values.push((driver.name, ratio));
    }
    let mut report = Report::new("beside");
    let what = format!("goodput of one connection beside {count} idle ones");
    report.row(&what, "of what it has alone", &values);
    report.write();
}

/// A server on a thread of its own, for as long as the bench runs.
fn server(driver: Driver) -> Door {
    let (tell, told) = mpsc::channel();
    let (client, server) = ours::configs(our_transport());
    std::thread::spawn(move || {
        (driver.serve)(server, &|address| tell.send(address).unwrap(), Until::Killed);
    });
    (told.recv().unwrap(), client)
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
