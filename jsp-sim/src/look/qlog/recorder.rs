//! The recorder of a whole world: a trace for each end of each connection of the machines that it observes.

use super::frame::hex;
use super::log::{Qlog, QlogTrace};
use crate::invariant::{PacketObserver, Who};
use jsp_proto::connection::{Refusal, Tap, TapPacket};
use jsp_proto::ids::{PacketNumber, Space};
use jsp_proto::time::Time;
use jsp_proto::wire::Reader;
use jsp_proto::wire::header::Kind;
use std::collections::BTreeMap;

/// Records the packets of every connection of the machines that it is handed to
/// ([`Machine::observe`](crate::machine::Machine::observe)). What is not a packet (metrics, events, notes) is told
/// to [`Recorder::trace`].
///
/// Until it gets a name ([`QlogTrace::rename`]), a connection is called by the destination ID of the first
/// packet that this end saw, which is the same at both ends where there was no Retry.
#[derive(Debug)]
pub struct Recorder {
    log: Qlog,
    hosts: Vec<String>,
    traces: BTreeMap<Who, QlogTrace>,
}

impl Recorder {
    /// A recorder into `log`. `hosts` are the hosts' names in the order in which the hosts were added to the
    /// world.
    pub fn new(log: Qlog, hosts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let hosts = hosts.into_iter().map(Into::into).collect();
        Self { log, hosts, traces: BTreeMap::new() }
    }

    /// The trace of one end of a connection.
    pub fn trace(&mut self, who: Who) -> &mut QlogTrace {
        let Self { log, hosts, traces } = self;
        traces.entry(who).or_insert_with(|| {
            let host = hosts.get(who.node.0 as usize).cloned();
            let host = host.unwrap_or_else(|| format!("host{}", who.node.0));
            log.trace("", host, who.side)
        })
    }

    /// The trace that a packet belongs to; the first one names it.
    fn of_packet(&mut self, who: Who, packet: &TapPacket<'_>) -> &mut QlogTrace {
        let trace = self.trace(who);
        if trace.is_nameless() {
            trace.rename(destination(packet.header).unwrap_or_default());
        }
        trace
    }
}

/// The destination ID in a long header, as text.
fn destination(header: &[u8]) -> Option<String> {
    let mut reader = Reader::new(header);
    reader.take(5).ok()?;
    Some(hex(reader.u8_prefixed().ok()?))
}

impl PacketObserver for Recorder {
    fn sent(&mut self, who: Who, packet: &TapPacket<'_>) {
        self.of_packet(who, packet).sent(packet);
    }

    fn received(&mut self, who: Who, packet: &TapPacket<'_>) {
        self.of_packet(who, packet).received(packet);
    }

    fn lost(&mut self, who: Who, now: Time, space: Space, number: PacketNumber) {
        self.trace(who).lost(now, space, number);
    }

    fn late(&mut self, who: Who, now: Time, space: Space, number: PacketNumber) {
        self.trace(who).late(now, space, number);
    }

    fn refused(&mut self, who: Who, now: Time, kind: Kind, why: Refusal) {
        self.trace(who).refused(now, kind, why);
    }
}
