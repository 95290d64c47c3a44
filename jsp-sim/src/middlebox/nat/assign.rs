//! Which outer endpoint a mapping gets.

use super::config::{NatConfig, Pooling, PortAssignment};
use crate::middlebox::ports::PortRange;
use crate::middlebox::scope::Remote;
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::Time;
use sha2::{Digest, Sha256};
use std::net::{IpAddr, SocketAddr};

/// What is being mapped: an inner endpoint, towards as much of the remote one as counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) inner: SocketAddr,
    pub(super) remote: Remote,
}

/// What the choice for one mapping has to respect.
pub(super) struct Wish<F> {
    pub(super) key: Key,
    pub(super) now: Time,
    /// Where the mapping was before the translator forgot it: not there again.
    pub(super) former: Option<SocketAddr>,
    /// Where it would like to be, as the neighbour of another.
    pub(super) beside: Option<SocketAddr>,
    /// Whether an outer endpoint has a mapping.
    pub(super) taken: F,
}

/// Chooses outer endpoints. What is random follows from the seed, the key and the time, so that one
/// mapping more or less leaves the others as they were.
pub(super) struct Assigner {
    secret: [u8; 32],
    /// How often everything was forgotten: each time, hosts move on by one in the pool.
    generation: usize,
    /// The port that was assigned last.
    last: u16,
}

impl Assigner {
    pub(super) fn new(seed: &Seed, ports: PortRange) -> Self {
        Self { secret: Rng::new(seed, "nat").array(), generation: 0, last: ports.last() }
    }

    /// Has hosts get other addresses from now on, where there are several.
    pub(super) const fn forget(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// A free outer endpoint of the address family of `pool`, which is not empty.
    pub(super) fn assign<F: Fn(SocketAddr) -> bool>(
        &mut self,
        config: &NatConfig,
        pool: &[IpAddr],
        wish: &Wish<F>,
    ) -> Option<SocketAddr> {
        let Key { inner, remote } = wish.key;
        let host = self.draw(&format!("host {}", inner.ip()));
        let mut draw = self.draw(&format!("port {inner} {remote} {}", wish.now.as_nanos()));
        let (first, tries) = match config.pooling {
            Pooling::Paired => (place(host, self.generation, pool.len()), 1),
            Pooling::Arbitrary => (draw.below(pool.len() as u64) as usize, pool.len()),
        };
        let candidates = Candidates::new(config, inner.port());
        let start = match config.assignment {
            PortAssignment::Preserve => candidates.index(inner.port()),
            PortAssignment::Random => None,
            PortAssignment::Sequential => Some(candidates.after(self.last)),
        };
        let start = start.unwrap_or_else(|| draw.below(u64::from(candidates.count)) as u32);
        let found = (0..tries)
            .map(|n| pool[(first + n) % pool.len()])
            .find_map(|address| find(address, &candidates, start, wish))?;
        self.last = found.port();
        Some(found)
    }

    /// The random stream called `name`.
    fn draw(&self, name: &str) -> Rng {
        let digest = Sha256::new().chain_update(self.secret).chain_update(name).finalize();
        Rng::new(&Seed::new(digest.into()), "draw")
    }
}

impl std::fmt::Debug for Assigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assigner").field("generation", &self.generation).finish_non_exhaustive()
    }
}

/// Where in a pool of `size` a host is in a generation.
fn place(mut host: Rng, generation: usize, size: usize) -> usize {
    (host.below(size as u64) as usize + generation % size) % size
}

/// A free endpoint at `address`.
fn find<F: Fn(SocketAddr) -> bool>(
    address: IpAddr,
    candidates: &Candidates,
    start: u32,
    wish: &Wish<F>,
) -> Option<SocketAddr> {
    let free = |endpoint: &SocketAddr| !(wish.taken)(*endpoint);
    let beside = wish
        .beside
        .filter(|endpoint| endpoint.ip() == address && candidates.index(endpoint.port()).is_some());
    let all = (0..candidates.count).map(|n| SocketAddr::new(address, candidates.port(start, n)));
    // Only who has nowhere else to go returns to where it was.
    let former = wish
        .former
        .filter(|endpoint| endpoint.ip() == address && candidates.index(endpoint.port()).is_some());
    beside
        .into_iter()
        .chain(all)
        .filter(|endpoint| Some(*endpoint) != wish.former)
        .chain(former)
        .find(free)
}

/// The ports that a mapping may get: `count` of them from `first`, each second one if parity counts.
#[derive(Debug, PartialEq, Eq)]
struct Candidates {
    first: u16,
    step: u16,
    count: u32,
}

impl Candidates {
    /// Those for an inner port. RFC 4787, REQ-3a: on the same side of 1024; REQ-4: of the same parity.
    /// Where the configured range has no such port, that preference is void, always.
    fn new(config: &NatConfig, inner: u16) -> Self {
        let side =
            if inner < 1024 { PortRange::new(1, 1023) } else { PortRange::new(1024, u16::MAX) };
        let ports = side.and_then(|side| config.ports.and(side)).unwrap_or(config.ports);
        let (first, last) = (ports.first(), ports.last());
        let aligned = first.checked_add((first ^ inner) % 2).filter(|port| *port <= last);
        let (first, step) = match aligned {
            Some(aligned) if config.parity => (aligned, 2),
            _ => (first, 1),
        };
        Self { first, step, count: u32::from((last - first) / step) + 1 }
    }

    /// The port `n` places after the place `start`, in the round.
    const fn port(&self, start: u32, n: u32) -> u16 {
        self.first + self.step * ((start + n) % self.count) as u16
    }

    /// The place of a port, if it is one of them.
    fn index(&self, port: u16) -> Option<u32> {
        let distance = port.checked_sub(self.first)?;
        let place = u32::from(distance / self.step);
        (distance.is_multiple_of(self.step) && place < self.count).then_some(place)
    }

    /// The place of the first port above `port`, or the first of all.
    fn after(&self, port: u16) -> u32 {
        let place = port.checked_sub(self.first).map_or(0, |distance| distance / self.step + 1);
        if u32::from(place) < self.count { u32::from(place) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    quickcheck! {
        fn candidates_are_in_range_distinct_and_of_the_right_kind(range: (u16, u16), inner: u16, parity: bool) -> bool {
            let Some(ports) = PortRange::new(range.0, range.1) else { return true };
            let config = NatConfig { parity, ports, ..NatConfig::default() };
            let candidates = Candidates::new(&config, inner);
            let all: Vec<_> = (0..candidates.count).map(|n| candidates.port(0, n)).collect();
            let side = |port: u16| port < 1024;
            let same_side = (range.0..=range.1).any(|port| side(port) == side(inner));
            let same_kind = |port: u16| {
                (!same_side || side(port) == side(inner)) && (!parity || port % 2 == inner % 2)
            };
            all.is_sorted_by(|a, b| a < b)
                && all.iter().all(|port| ports.contains(*port))
                && (0..).zip(&all).all(|(n, port)| candidates.index(*port) == Some(n))
                && (all.iter().all(|port| same_kind(*port))
                    || !(range.0..=range.1).any(same_kind))
        }
    }

    #[test]
    fn the_port_after_the_last_is_the_first() {
        let candidates = Candidates { first: 10, step: 2, count: 3 };
        let after = |port| candidates.port(candidates.after(port), 0);
        assert_eq!([9, 10, 11, 12, 14, 15, 900].map(after), [10, 12, 12, 14, 10, 10, 10]);
    }
}
