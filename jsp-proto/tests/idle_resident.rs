//! What a connection at rest has resident, what C libraries allocate for it included: the fast provider's keys,
//! which no counting allocator sees.
#![cfg(all(feature = "aws-lc", target_os = "linux"))]

#[path = "support/crowd.rs"]
mod crowd;

use crowd::{Crowd, Ends};
use jsp_proto::connection::TransportConfig;
use jsp_proto::crypto::Provider;
use jsp_proto::crypto::aws_lc::AwsLc;
use jsp_proto::time::Duration;
use std::sync::Arc;

/// Few enough that it takes seconds, and enough that single pages do not matter.
const COUNT: usize = 1000;

/// Bytes that the process has resident.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("what Linux says");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    let kibibytes = line.split_whitespace().next().and_then(|n| n.parse::<usize>().ok());
    kibibytes.expect("a number") << 10
}

/// The only test of its process: others would take memory, too.
#[test]
fn an_idle_connection_has_at_most_five_kibibytes_resident() {
    let provider: Arc<dyn Provider> = Arc::new(AwsLc);
    // They share a clock, which runs on while others are made.
    let transport = TransportConfig { idle_timeout: None, ..TransportConfig::default() };
    let mut crowd = Crowd::new(&provider, transport);
    let connect = |crowd: &mut Crowd| {
        let mut ends = crowd.connect();
        crowd.echo(&mut ends, 1000);
        crowd.rest(&mut ends, Duration::from_secs(3));
        ends
    };
    // What the allocator and the tables need anyway is there after the first.
    let _warm = connect(&mut crowd);
    let mut all: Vec<Ends> = Vec::with_capacity(COUNT);
    let before = resident();
    all.extend((0..COUNT).map(|_| connect(&mut crowd)));
    let bytes = (resident() - before) / (2 * COUNT);
    assert!(bytes <= 5 << 10, "{bytes} bytes");
}
