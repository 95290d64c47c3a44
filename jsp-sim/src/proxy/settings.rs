//! What a proxy is told.

use crate::link::Link;
use jsp_proto::rng::Seed;
use jsp_proto::time::Duration;
use std::net::SocketAddr;

/// What a proxy does.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where clients are relayed to.
    pub target: SocketAddr,
    /// What lies between clients and target, on the way there.
    pub there: Link,
    /// And on the way back.
    pub back: Link,
    /// What everything random follows from.
    pub seed: Seed,
    /// How often each client gets a new port towards the target. Default: never.
    pub rebind: Option<Duration>,
    /// How many clients there may be at once. Default: 400; with the sockets of before a rebinding they
    /// stay below the 1024 that a process may usually open.
    pub clients: usize,
    /// Bytes of datagrams on their way, in both directions together; what comes beyond is dropped.
    /// Default: 256 MB, which is 10 Gbit/s for 200 ms.
    pub memory: usize,
}

impl Settings {
    /// A proxy with the same stages in both directions; their random choices differ.
    pub fn new(target: SocketAddr, link: Link) -> Self {
        Self {
            target,
            there: link.clone(),
            back: link,
            seed: Seed::from_u64(0),
            rebind: None,
            clients: 400,
            memory: 256_000_000,
        }
    }
}
