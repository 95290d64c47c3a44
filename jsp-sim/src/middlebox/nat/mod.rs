//! A network address and port translator for UDP, with the behaviours of RFC 4787.
//!
//! ```text
//!  inner endpoint ─┐                               ┌─ who was spoken to from the
//!  remote, as far ─┴─ mapping ── outer endpoint ───┴─ outer endpoint: permissions
//!  as it counts                                       to answer
//! ```
//!
//! Mappings and permissions are all its state. Both are tables with a limit each, and what has ended
//! is removed before each datagram is looked at: a mapping that has timed out is never used again.

mod assign;
mod config;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod rfc4787;

pub use config::{Hairpin, NatConfig, NatKind, Pooling, PortAssignment};

use super::misconfigured::Misconfigured;
use super::scope::{Remote, plain};
use super::table::Table;
use super::verdict::{Middlebox, Verdict};
use crate::datagram::Datagram;
use crate::link::Dropped;
use assign::{Assigner, Key, Wish};
use jsp_proto::rng::Seed;
use jsp_proto::time::Time;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// A translator at work.
#[derive(Debug)]
pub struct Nat {
    config: NatConfig,
    assigner: Assigner,
    /// Which outer endpoint an inner one has.
    mappings: Table<Key, SocketAddr>,
    /// The same the other way round.
    owners: BTreeMap<SocketAddr, Key>,
    /// Mappings of each inner address.
    hosts: BTreeMap<IpAddr, usize>,
    /// Who may send to which outer endpoint. None outlives the mapping of that endpoint.
    permissions: Table<(SocketAddr, Remote), ()>,
    /// Where mappings were before they were forgotten; at most as many as there may be mappings.
    former: BTreeMap<Key, SocketAddr>,
}

/// A mapping, for whoever looks at a translator from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The inner endpoint.
    pub inner: SocketAddr,
    /// Towards whom it counts.
    pub remote: Remote,
    /// The outer endpoint.
    pub outer: SocketAddr,
}

impl Nat {
    /// A translator without mappings, of which every random choice follows from `seed`.
    pub fn new(config: NatConfig, seed: &Seed) -> Result<Self, Misconfigured> {
        config.check()?;
        if config.addresses.is_empty() {
            return Err(Misconfigured::NoAddress);
        }
        Ok(Self {
            assigner: Assigner::new(seed, config.ports),
            mappings: Table::new(config.max_mappings),
            owners: BTreeMap::new(),
            hosts: BTreeMap::new(),
            permissions: Table::new(config.max_permissions),
            former: BTreeMap::new(),
            config,
        })
    }

    /// How it behaves.
    pub const fn config(&self) -> &NatConfig {
        &self.config
    }

    /// The mappings that lived when the last datagram passed, in the order of their inner endpoints.
    pub fn mappings(&self) -> impl Iterator<Item = Mapping> {
        self.mappings.iter().map(|(Key { inner, remote }, outer)| Mapping { inner, remote, outer })
    }

    /// The outer endpoint of `inner` towards `remote`, which may answer from now on.
    fn leave(
        &mut self,
        now: Time,
        inner: SocketAddr,
        remote: SocketAddr,
    ) -> Result<SocketAddr, Dropped> {
        self.expire(now);
        let key = Key { inner: plain(inner), remote: self.config.mapping.of(remote) };
        let until = self.ends(now, remote);
        let outer = match self.mappings.get(&key) {
            Some(outer) => outer,
            None => self.map(now, key, until)?,
        };
        let refresh = self.config.refresh.outbound();
        if refresh {
            self.mappings.prolong(&key, until);
        }
        let until = self.mappings.ends(&key).map_or(until, |ends| ends.min(until));
        let permission = (outer, self.config.filtering.of(remote));
        if self.permissions.get(&permission).is_none() {
            self.permissions.insert(permission, (), until).map_err(|_| Dropped::Exhausted)?;
        } else if refresh {
            self.permissions.prolong(&permission, until);
        }
        Ok(outer)
    }

    /// The inner endpoint behind `outer`, if `remote` may send there.
    fn enter(
        &mut self,
        now: Time,
        remote: SocketAddr,
        outer: SocketAddr,
    ) -> Result<SocketAddr, Dropped> {
        self.expire(now);
        let outer = plain(outer);
        let key = *self.owners.get(&outer).ok_or(Dropped::NoMapping)?;
        let permission = (outer, self.config.filtering.of(remote));
        if self.permissions.get(&permission).is_none() {
            return Err(Dropped::Filtered);
        }
        // Only what is let in refreshes: else anybody could keep a mapping alive, and fill the table.
        if self.config.refresh.inbound() {
            let until = self.ends(now, remote);
            self.mappings.prolong(&key, until);
            self.permissions.prolong(&permission, until);
        }
        Ok(key.inner)
    }

    /// Makes a mapping.
    fn map(&mut self, now: Time, key: Key, until: Time) -> Result<SocketAddr, Dropped> {
        let host = key.inner.ip();
        let of_host = self.hosts.get(&host).copied().unwrap_or(0);
        if of_host >= self.config.max_mappings_per_host
            || self.mappings.len() >= self.config.max_mappings
        {
            return Err(Dropped::Exhausted);
        }
        let same_family = |address: &&IpAddr| address.is_ipv4() == host.is_ipv4();
        let pool: Vec<_> = self.config.addresses.iter().filter(same_family).copied().collect();
        if pool.is_empty() {
            return Err(Dropped::NoRoute);
        }
        let owners = &self.owners;
        let wish = Wish {
            key,
            now,
            former: self.former.get(&key).copied(),
            beside: if self.config.contiguity { self.neighbour(key) } else { None },
            taken: |endpoint| owners.contains_key(&endpoint),
        };
        let outer = self.assigner.assign(&self.config, &pool, &wish).ok_or(Dropped::Exhausted)?;
        self.mappings.insert(key, outer, until).map_err(|_| Dropped::Exhausted)?;
        self.owners.insert(outer, key);
        self.hosts.insert(host, of_host + 1);
        Ok(outer)
    }

    /// Where a mapping has to be to stand beside that of the other half of an even port and the next.
    fn neighbour(&self, key: Key) -> Option<SocketAddr> {
        let port = key.inner.port();
        let other = Key { inner: SocketAddr::new(key.inner.ip(), port ^ 1), ..key };
        let beside = self.mappings.get(&other)?;
        let wanted = match port % 2 {
            0 => beside.port().checked_sub(1),
            _ => beside.port().checked_add(1),
        };
        wanted.map(|port| SocketAddr::new(beside.ip(), port))
    }

    /// When what is used now towards `remote` ends.
    fn ends(&self, now: Time, remote: SocketAddr) -> Time {
        let timeout = match self.config.well_known_timeout {
            Some(timeout) if remote.port() < 1024 => timeout,
            _ => self.config.timeout,
        };
        now + timeout.duration()
    }

    /// Removes what has ended.
    fn expire(&mut self, now: Time) {
        self.permissions.expire(now, |_, ()| ());
        let (owners, hosts) = (&mut self.owners, &mut self.hosts);
        self.mappings.expire(now, |key, outer| {
            owners.remove(&outer);
            let host = key.inner.ip();
            match hosts.get_mut(&host) {
                Some(count) if *count > 1 => *count -= 1,
                _ => {
                    hosts.remove(&host);
                }
            }
        });
    }
}

impl Middlebox for Nat {
    fn outbound(&mut self, now: Time, datagram: &mut Datagram) -> Verdict {
        self.leave(now, datagram.from, datagram.to).map(|outer| datagram.from = outer).into()
    }

    fn inbound(&mut self, now: Time, datagram: &mut Datagram) -> Verdict {
        self.enter(now, datagram.from, datagram.to).map(|inner| datagram.to = inner).into()
    }

    fn hairpin(&mut self, now: Time, datagram: &mut Datagram) -> Verdict {
        self.expire(now);
        if self.config.hairpin == Hairpin::Off {
            return Verdict::Drop(Dropped::NoHairpin);
        }
        // Out and in again: the receiver's filter asks for the sender's outer endpoint.
        let (from, to) = (datagram.from, datagram.to);
        self.leave(now, from, to)
            .and_then(|outer| Ok((outer, self.enter(now, outer, to)?)))
            .map(|(outer, inner)| {
                datagram.to = inner;
                if self.config.hairpin == Hairpin::External {
                    datagram.from = outer;
                }
            })
            .into()
    }

    fn rebind(&mut self, now: Time) {
        self.expire(now);
        let before = std::mem::take(&mut self.former);
        self.former = self.mappings.iter().collect();
        let room = self.config.max_mappings - self.former.len();
        for (key, outer) in before.into_iter().take(room) {
            self.former.entry(key).or_insert(outer);
        }
        self.assigner.forget();
        self.mappings.clear();
        self.permissions.clear();
        self.owners.clear();
        self.hosts.clear();
    }

    fn answers_for(&self, address: IpAddr) -> bool {
        self.config.addresses.contains(&address)
    }
}
