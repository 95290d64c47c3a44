//! Who has which address where.

use super::line::LineId;
use crate::datagram::NodeId;
use crate::middlebox::Middlebox;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A realm of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId(pub(super) u32);

/// What attaches a host or a box to a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceId(pub(super) u32);

/// A box between two segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoxId(pub(super) u32);

/// Whose an interface is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Host(NodeId),
    Box(BoxId),
}

#[derive(Debug)]
pub(super) struct Interface {
    pub(super) owner: Owner,
    pub(super) segment: SegmentId,
    pub(super) address: Option<IpAddr>,
    pub(super) up: LineId,
    pub(super) down: LineId,
}

/// A box at its place.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) inner: SegmentId,
    pub(super) interface: InterfaceId,
    pub(super) middlebox: Box<dyn Middlebox>,
}

#[derive(Debug, Default)]
struct Segment {
    /// Hosts' addresses.
    homes: BTreeMap<IpAddr, InterfaceId>,
    /// Boxes that have addresses here.
    boxes: Vec<BoxId>,
    gateway: Option<BoxId>,
}

/// All segments, with what is attached to them.
#[derive(Debug, Default)]
pub(super) struct Segments {
    realms: Vec<Segment>,
    interfaces: Vec<Interface>,
    gates: Vec<Gate>,
    /// Hosts' interfaces, in the order in which they were attached.
    hosts: BTreeMap<NodeId, Vec<InterfaceId>>,
    paths: BTreeMap<(InterfaceId, InterfaceId), LineId>,
}

impl Segments {
    pub(super) fn add(&mut self) -> SegmentId {
        self.realms.push(Segment::default());
        SegmentId(index(self.realms.len() - 1))
    }

    /// The ID that the next interface will have.
    pub(super) fn next_interface(&self) -> InterfaceId {
        InterfaceId(index(self.interfaces.len()))
    }

    pub(super) fn add_interface(
        &mut self,
        owner: Owner,
        segment: SegmentId,
        address: Option<IpAddr>,
        up: LineId,
        down: LineId,
    ) -> InterfaceId {
        let id = self.next_interface();
        self.interfaces.push(Interface { owner, segment, address: None, up, down });
        if let Owner::Host(node) = owner {
            self.hosts.entry(node).or_default().push(id);
        }
        self.set_address(id, address);
        id
    }

    /// The ID that the next box will have.
    pub(super) fn next_box(&self) -> BoxId {
        BoxId(index(self.gates.len()))
    }

    pub(super) fn add_box(
        &mut self,
        inner: SegmentId,
        outer: SegmentId,
        interface: InterfaceId,
        middlebox: Box<dyn Middlebox>,
    ) {
        let id = self.next_box();
        self.gates.push(Gate { inner, interface, middlebox });
        self.realms[inner.0 as usize].gateway = Some(id);
        self.realms[outer.0 as usize].boxes.push(id);
    }

    pub(super) fn set_address(&mut self, id: InterfaceId, address: Option<IpAddr>) {
        let interface = &mut self.interfaces[id.0 as usize];
        let homes = &mut self.realms[interface.segment.0 as usize].homes;
        if let Some(old) = interface.address
            && homes.get(&old) == Some(&id)
        {
            homes.remove(&old);
        }
        if let Some(new) = address {
            homes.insert(new, id);
        }
        interface.address = address;
    }

    pub(super) fn interface(&self, id: InterfaceId) -> &Interface {
        &self.interfaces[id.0 as usize]
    }

    pub(super) fn gate(&self, id: BoxId) -> &Gate {
        &self.gates[id.0 as usize]
    }

    pub(super) fn gate_mut(&mut self, id: BoxId) -> &mut Gate {
        &mut self.gates[id.0 as usize]
    }

    pub(super) fn set_path(&mut self, from: InterfaceId, to: InterfaceId, line: LineId) {
        self.paths.insert((from, to), line);
    }

    pub(super) fn path(&self, from: InterfaceId, to: InterfaceId) -> Option<LineId> {
        self.paths.get(&(from, to)).copied()
    }

    pub(super) fn interfaces_of(&self, node: NodeId) -> impl Iterator<Item = InterfaceId> {
        self.hosts.get(&node).into_iter().flatten().copied()
    }

    /// The interface through which a host sends from `address`: the one that has it, else the first.
    pub(super) fn source(&self, node: NodeId, address: IpAddr) -> Option<InterfaceId> {
        let has = |id: &InterfaceId| self.interface(*id).address == Some(address);
        self.interfaces_of(node).find(has).or_else(|| self.interfaces_of(node).next())
    }

    /// Which interface a segment leads `address` to: a host's, or that of a box that answers for it.
    pub(super) fn home(&self, segment: SegmentId, address: IpAddr) -> Option<InterfaceId> {
        let segment = &self.realms[segment.0 as usize];
        segment.homes.get(&address).copied().or_else(|| {
            let mut gates = segment.boxes.iter().map(|id| self.gate(*id));
            gates.find(|gate| gate.middlebox.answers_for(address)).map(|gate| gate.interface)
        })
    }

    pub(super) fn gateway(&self, segment: SegmentId) -> Option<BoxId> {
        self.realms[segment.0 as usize].gateway
    }
}

fn index(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
