//! Taps for the connections of one machine: into the books, and to whoever records packets.

use super::Watch;
use super::ledger::Ledger;
use crate::datagram::NodeId;
use jsp_proto::connection::{Refusal, Tap, TapFactory, TapPacket};
use jsp_proto::ids::{ConnectionHandle, PacketNumber, Side, Space};
use jsp_proto::time::Time;
use jsp_proto::wire::header::Kind;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Whose packets they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who {
    /// The host.
    pub node: NodeId,
    /// The connection, at that host.
    pub handle: ConnectionHandle,
    /// Which end of it the host is.
    pub side: Side,
}

/// Somebody who records packets in the clear. Recording changes nothing. Times are the host's.
pub trait PacketObserver: Send + fmt::Debug {
    /// A packet is about to be sealed.
    fn sent(&mut self, who: Who, packet: &TapPacket<'_>);

    /// A packet was opened.
    fn received(&mut self, who: Who, packet: &TapPacket<'_>);

    /// A packet was given up.
    fn lost(&mut self, who: Who, now: Time, space: Space, number: PacketNumber) {
        let _ = (who, now, space, number);
    }

    /// A packet that was given up is acknowledged after all.
    fn late(&mut self, who: Who, now: Time, space: Space, number: PacketNumber) {
        let _ = (who, now, space, number);
    }

    /// A packet was not taken.
    fn refused(&mut self, who: Who, now: Time, kind: Kind, why: Refusal) {
        let _ = (who, now, kind, why);
    }
}

/// Whoever records packets, shared by all connections of a world.
pub type SharedObserver = Arc<Mutex<dyn PacketObserver>>;

/// Makes the taps of a machine's connections.
#[derive(Debug)]
pub struct Taps {
    node: Mutex<Option<NodeId>>,
    /// The books of connections that have begun and that nobody watches yet.
    ledgers: Mutex<BTreeMap<ConnectionHandle, Arc<Mutex<Ledger>>>>,
    observers: Mutex<Vec<SharedObserver>>,
}

impl Taps {
    /// Taps that lead to the books alone.
    pub fn new() -> Self {
        Self { node: Mutex::default(), ledgers: Mutex::default(), observers: Mutex::default() }
    }

    /// Has somebody record the packets of connections that begin from now on; `node` is the machine's.
    pub fn observe(&self, node: NodeId, observer: SharedObserver) {
        *lock(&self.node) = Some(node);
        lock(&self.observers).push(observer);
    }

    /// The watch of a connection that has just begun, if it had a tap.
    pub fn watch(&self, handle: ConnectionHandle, side: Side, retried: bool) -> Option<Watch> {
        let ledger = lock(&self.ledgers).remove(&handle)?;
        Some(Watch::new(ledger, side, retried))
    }
}

impl Default for Taps {
    fn default() -> Self {
        Self::new()
    }
}

impl TapFactory for Taps {
    fn tap(&self, handle: ConnectionHandle, side: Side) -> Option<Box<dyn Tap>> {
        let ledger = Arc::new(Mutex::new(Ledger::new()));
        lock(&self.ledgers).insert(handle, Arc::clone(&ledger));
        let node = lock(&self.node).unwrap_or(NodeId(u32::MAX));
        let observers = lock(&self.observers).clone();
        Some(Box::new(Books { who: Who { node, handle, side }, ledger, observers }))
    }
}

#[derive(Debug)]
struct Books {
    who: Who,
    ledger: Arc<Mutex<Ledger>>,
    observers: Vec<SharedObserver>,
}

impl Books {
    /// Tells everybody who records.
    fn tell(&self, what: impl Fn(&mut dyn PacketObserver, Who)) {
        for observer in &self.observers {
            what(&mut *observer.lock().unwrap_or_else(PoisonError::into_inner), self.who);
        }
    }
}

impl Tap for Books {
    fn sent(&mut self, packet: &TapPacket<'_>) {
        lock(&self.ledger).sent(packet);
        self.tell(|observer, who| observer.sent(who, packet));
    }

    fn received(&mut self, packet: &TapPacket<'_>) {
        lock(&self.ledger).received(packet);
        self.tell(|observer, who| observer.received(who, packet));
    }

    fn lost(&mut self, now: Time, space: Space, number: PacketNumber) {
        lock(&self.ledger).lost(space, number);
        self.tell(|observer, who| observer.lost(who, now, space, number));
    }

    fn late(&mut self, now: Time, space: Space, number: PacketNumber) {
        self.tell(|observer, who| observer.late(who, now, space, number));
    }

    fn refused(&mut self, now: Time, kind: Kind, why: Refusal) {
        lock(&self.ledger).refused(kind, why);
        self.tell(|observer, who| observer.refused(who, now, kind, why));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
