//! What the benches share: arguments, medians, pairs with and without a cipher, the peer, instructions.
#![allow(dead_code, reason = "each bench uses its part")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot run says so by failing")]

pub(crate) mod callgrind;
mod null;
pub(crate) mod quinn;
mod quinn_clear;
pub(crate) mod report;
pub(crate) mod talk;

use jsp_proto::crypto::Provider;
use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;

/// The UDP payload of every full packet, on both sides.
pub(crate) const PACKET: u16 = 1452;
/// Every window.
pub(crate) const WINDOW: u32 = 8 << 20;

/// What protects packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shielding {
    /// AES-256-GCM.
    Aes256Gcm,
    /// Nothing: packets are in the clear.
    None,
}

impl Shielding {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "AES-256-GCM",
            Self::None => "no cipher",
        }
    }

    /// The fastest provider of this build, with or without its cipher.
    pub(crate) fn provider(self) -> Arc<dyn Provider> {
        #[cfg(feature = "aws-lc")]
        let provider: Arc<dyn Provider> = Arc::new(jsp_proto::crypto::aws_lc::AwsLc);
        #[cfg(not(feature = "aws-lc"))]
        let provider: Arc<dyn Provider> = Arc::new(jsp_proto::crypto::rustcrypto::RustCrypto);
        match self {
            Self::Aes256Gcm => provider,
            Self::None => Arc::new(null::NoCipher(provider)),
        }
    }
}

/// Whether this word is among the arguments.
pub(crate) fn flag(name: &str) -> bool {
    std::env::args().any(|arg| arg == name)
}

/// The value of an argument of the form `name=value`; `cargo bench` itself passes others.
pub(crate) fn argument(name: &str) -> Option<String> {
    std::env::args().find_map(|arg| arg.strip_prefix(name)?.strip_prefix('=').map(Into::into))
}

// As other packages' benches call it.
use argument as option;

/// The same, a number.
pub(crate) fn number(name: &str, default: u64) -> u64 {
    argument(name).map_or(default, |value| value.parse().unwrap())
}

/// The middle of the values.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Nanoseconds of this thread's processor time for each unit of work that `work` says it did.
pub(crate) fn cpu_per_unit(work: impl FnOnce() -> u64) -> f64 {
    let now = || {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
    };
    let began = now();
    let units = work();
    (now() - began) / units as f64
}
