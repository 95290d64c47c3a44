//! What happened, as one hash: two runs are the same run if their traces have the same hash. Whoever
//! wants to see more than the hash watches.

use crate::datagram::{Datagram, NodeId};
use jsp_proto::time::Time;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A datagram entered the network.
    Sent = 1,
    /// A datagram did not come through.
    Dropped = 2,
    /// A datagram arrived.
    Arrived = 3,
    /// A timer fired.
    Timer = 4,
    /// A host noted an event of its own.
    Event = 5,
    /// A box let a datagram pass, perhaps with other addresses.
    Passed = 6,
}

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub time: Time,
    /// At which node.
    pub node: NodeId,
    /// What.
    pub kind: Kind,
    /// The datagram's number, or what the host says.
    pub number: u64,
    /// Bytes that belong to it.
    pub len: usize,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { time, node, kind, number, len } = self;
        let nanos = time.as_nanos();
        let (secs, micros) = (nanos / 1_000_000_000, nanos / 1_000 % 1_000_000);
        write!(f, "{secs:>4}.{micros:06} node {} {kind:?} {number} ({len} bytes)", node.0)
    }
}

/// Somebody who watches a run. Watching changes nothing.
pub trait Observer: fmt::Debug + Send {
    /// A datagram enters the network.
    fn sent(&mut self, time: Time, node: NodeId, number: u64, datagram: &Datagram) {
        let _ = (time, node, number, datagram);
    }

    /// A box let a datagram of `node`'s pass; its addresses are those behind the box.
    fn passed(&mut self, time: Time, node: NodeId, number: u64, datagram: &Datagram) {
        let _ = (time, node, number, datagram);
    }

    /// A datagram of `node`'s did not come through.
    fn dropped(&mut self, time: Time, node: NodeId, number: u64, why: &'static str) {
        let _ = (time, node, number, why);
    }

    /// A datagram arrived at `node`.
    fn arrived(&mut self, time: Time, node: NodeId, number: u64, datagram: &Datagram) {
        let _ = (time, node, number, datagram);
    }

    /// A timer of `node`'s fires, that was set for `deadline` by its own clock.
    fn timer(&mut self, time: Time, node: NodeId, deadline: Time) {
        let _ = (time, node, deadline);
    }

    /// `node` noted an event of its own.
    fn event(&mut self, time: Time, node: NodeId, number: u64, what: &[u8]) {
        let _ = (time, node, number, what);
    }
}

/// Everything that happened, hashed; the last of it, readable.
#[derive(Debug)]
pub struct Trace {
    hash: Sha256,
    entries: u64,
    tail: VecDeque<Entry>,
    observers: Vec<Box<dyn Observer>>,
}

/// The SHA-256 of a trace.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceHash(pub [u8; 32]);

impl fmt::Display for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceHash({self})")
    }
}

impl Trace {
    /// How many of the last entries are kept readable.
    pub const TAIL: usize = 40;

    /// Nothing has happened.
    pub fn new() -> Self {
        Self {
            hash: Sha256::new(),
            entries: 0,
            tail: VecDeque::with_capacity(Self::TAIL),
            observers: Vec::new(),
        }
    }

    /// Has somebody watch from now on.
    pub fn watch(&mut self, observer: Box<dyn Observer>) {
        self.observers.push(observer);
    }

    /// A datagram enters the network.
    pub fn sent(&mut self, time: Time, node: NodeId, number: u64, datagram: &Datagram) {
        self.note(time, node, Kind::Sent, number, &datagram.payload);
        self.hash.update(head(datagram));
        self.observers.iter_mut().for_each(|o| o.sent(time, node, number, datagram));
    }

    /// A box let a datagram pass.
    pub fn passed(&mut self, time: Time, node: NodeId, number: u64, datagram: &Datagram) {
        self.note(time, node, Kind::Passed, number, &[]);
        self.hash.update(head(datagram));
        self.observers.iter_mut().for_each(|o| o.passed(time, node, number, datagram));
    }

    /// A datagram did not come through.
    pub fn dropped(&mut self, time: Time, node: NodeId, number: u64, why: &'static str) {
        self.note(time, node, Kind::Dropped, number, why.as_bytes());
        self.observers.iter_mut().for_each(|o| o.dropped(time, node, number, why));
    }

    /// A datagram arrived. Its bytes were traced as they were sent; only where they differ are they
    /// again.
    pub fn arrived(
        &mut self,
        time: Time,
        node: NodeId,
        number: u64,
        corrupted: bool,
        datagram: &Datagram,
    ) {
        let news: &[u8] = if corrupted { &datagram.payload } else { &[] };
        self.note(time, node, Kind::Arrived, number, news);
        self.hash.update([datagram.ecn as u8]);
        self.observers.iter_mut().for_each(|o| o.arrived(time, node, number, datagram));
    }

    /// A timer fires.
    pub fn timer(&mut self, time: Time, node: NodeId, deadline: Time) {
        self.note(time, node, Kind::Timer, deadline.as_nanos(), &[]);
        self.observers.iter_mut().for_each(|o| o.timer(time, node, deadline));
    }

    /// A host noted an event of its own.
    pub fn event(&mut self, time: Time, node: NodeId, number: u64, what: &[u8]) {
        self.note(time, node, Kind::Event, number, what);
        self.observers.iter_mut().for_each(|o| o.event(time, node, number, what));
    }

    /// Hashes that something happened, with the bytes that belong to it.
    fn note(&mut self, time: Time, node: NodeId, kind: Kind, number: u64, bytes: &[u8]) {
        let mut head = [0; 29];
        head[..8].copy_from_slice(&time.as_nanos().to_be_bytes());
        head[8..12].copy_from_slice(&node.0.to_be_bytes());
        head[12] = kind as u8;
        head[13..21].copy_from_slice(&number.to_be_bytes());
        head[21..].copy_from_slice(&(bytes.len() as u64).to_be_bytes());
        self.hash.update(head);
        self.hash.update(bytes);
        self.entries += 1;
        if self.tail.len() == Self::TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(Entry { time, node, kind, number, len: bytes.len() });
    }

    /// How many things happened.
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// The hash of everything so far.
    pub fn hash(&self) -> TraceHash {
        TraceHash(self.hash.clone().finalize().into())
    }

    /// The last things that happened, oldest first.
    pub fn tail(&self) -> impl Iterator<Item = &Entry> {
        self.tail.iter()
    }
}

/// A datagram's addresses and ECN field, of one length whatever they are.
fn head(datagram: &Datagram) -> [u8; 37] {
    let mut head = [0; 37];
    for (part, address) in head.chunks_mut(18).zip([datagram.from, datagram.to]) {
        let ip = match address.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        part[..16].copy_from_slice(&ip.octets());
        part[16..].copy_from_slice(&address.port().to_be_bytes());
    }
    head[36] = datagram.ecn as u8;
    head
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(time: u64, node: u32, kind: Kind, number: u64, bytes: &[u8]) -> TraceHash {
        let mut trace = Trace::new();
        trace.note(Time::from_nanos(time), NodeId(node), kind, number, bytes);
        trace.hash()
    }

    #[test]
    fn every_part_of_an_entry_counts() {
        let reference = hash(1, 1, Kind::Sent, 1, b"a");
        assert_eq!(reference, hash(1, 1, Kind::Sent, 1, b"a"));
        assert_ne!(reference, hash(2, 1, Kind::Sent, 1, b"a"));
        assert_ne!(reference, hash(1, 2, Kind::Sent, 1, b"a"));
        assert_ne!(reference, hash(1, 1, Kind::Timer, 1, b"a"));
        assert_ne!(reference, hash(1, 1, Kind::Sent, 2, b"a"));
        assert_ne!(reference, hash(1, 1, Kind::Sent, 1, b"b"));
    }

    #[test]
    fn the_tail_keeps_the_last_entries() {
        let mut trace = Trace::new();
        for i in 0..100 {
            trace.event(Time::ZERO, NodeId(0), i, &[]);
        }
        let numbers: Vec<_> = trace.tail().map(|e| e.number).collect();
        assert_eq!(numbers, (60..100).collect::<Vec<_>>());
        assert_eq!(trace.entries(), 100);
    }
}
