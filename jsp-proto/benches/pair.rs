//! Two engines in one thread, no sockets: what the protocol and the cipher cost.
//!
//! `cargo bench -p jsp-proto --bench pair --features aws-lc [-- MEBIBYTES]`

#[path = "../tests/support/engine.rs"]
mod engine;

use engine::Pair;
use jsp_proto::crypto::{Provider, Suite};
use std::sync::Arc;
use std::time::Instant;

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn main() {
    let mebibytes = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(2048u64);
    let providers: Vec<Arc<dyn Provider>> = vec![
        #[cfg(feature = "aws-lc")]
        Arc::new(jsp_proto::crypto::aws_lc::AwsLc),
        #[cfg(feature = "rustcrypto")]
        Arc::new(jsp_proto::crypto::rustcrypto::RustCrypto),
    ];
    let data = vec![7; 64 << 10];
    println!("{:<12} {:<18} {:>6} {:>10} {:>12}", "provider", "suite", "mtu", "GB/s", "ns/packet");
    for provider in providers {
        for mtu in [1452, 8952] {
            let mut pair = Pair::connect(&provider, Suite::Aes256Gcm, mtu);
            let began = Instant::now();
            let id = pair.open();
            let packets = pair.bulk(id, &data, mebibytes << 20);
            let took = began.elapsed();
            println!(
                "{:<12} {:<18} {mtu:>6} {:>10.3} {:>12.0}",
                provider.name(),
                Suite::Aes256Gcm.name(),
                (mebibytes << 20) as f64 / took.as_secs_f64() / 1e9,
                took.as_nanos() as f64 / packets as f64,
            );
        }
    }
}
