//! What connections at rest cost: memory with what C allocates, and signs of life.
//!
//! `cargo bench -p jsp-proto --bench idle --features aws-lc [-- CONNECTIONS [ROUNDS]]`
//!
//! Each connection carries a little and falls silent. Memory is what the process has resident beyond what it
//! had before, on Linux; both ends are in it. A round is a PING and its acknowledgement for each.

#[path = "../tests/support/crowd.rs"]
mod crowd;

use crowd::{Crowd, Ends};
use jsp_proto::connection::{Connection, TransportConfig};
use jsp_proto::crypto::Provider;
use jsp_proto::time::Duration;
use std::sync::Arc;
use std::time::Instant;

const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Bytes that the process has resident; 0 where the system does not say.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kibibytes.unwrap_or(0) << 10
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn main() {
    let mut numbers = std::env::args().filter_map(|arg| arg.parse::<usize>().ok());
    let count = numbers.next().unwrap_or(10_000);
    let rounds = numbers.next().unwrap_or(10);
    // One a run: what the first has freed would hide what the second takes.
    #[cfg(feature = "aws-lc")]
    let provider: Arc<dyn Provider> = Arc::new(jsp_proto::crypto::aws_lc::AwsLc);
    #[cfg(not(feature = "aws-lc"))]
    let provider: Arc<dyn Provider> = Arc::new(jsp_proto::crypto::rustcrypto::RustCrypto);
    println!("{count} connections; the engine's struct is {} bytes", size_of::<Connection>());
    println!("{:<12} {:>16} {:>22}", "provider", "bytes an end", "ns a PING and its ACK");
    let transport = TransportConfig {
        keep_alive: Some(KEEP_ALIVE),
        // They share a clock, which runs on while others are made.
        idle_timeout: None,
        ..TransportConfig::default()
    };
    let mut crowd = Crowd::new(&provider, transport);
    // What the allocator and the tables need anyway is there after the first.
    let mut warm = crowd.connect();
    crowd.echo(&mut warm, 1000);
    let mut all: Vec<Ends> = Vec::with_capacity(count);
    let before = resident();
    for _ in 0..count {
        let mut ends = crowd.connect();
        crowd.echo(&mut ends, 1000);
        crowd.rest(&mut ends, Duration::from_secs(3));
        all.push(ends);
    }
    let bytes = (resident() - before) / (2 * count);
    print!("{:<12} {bytes:>16}", provider.name());
    let began = Instant::now();
    for _ in 0..rounds {
        for ends in &mut all {
            crowd.alive(ends);
        }
    }
    let each = began.elapsed().as_nanos() as f64 / (count * rounds).max(1) as f64;
    println!(" {each:>22.0}");
}
