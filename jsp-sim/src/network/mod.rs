//! Segments, the interfaces and boxes on them, and the way of a datagram between two hosts.
//!
//! ```text
//!            segment "home"                       segment "internet"
//!   ┌────┐ up  │                ┌─────┐    up        │          down ┌────┐
//!   │host├────>│───outbound────>│ box ├─────────────>│─────────────->│host│
//!   │    │<────│<───────────────│     │<─────────────│<──────────────│    │
//!   └────┘ down│                └─────┘inbound, down │           up  └────┘
//! ```
//!
//! A *segment* is a realm of addresses. An *interface* attaches a host to a segment with one address at
//! a time, through a link up and a link down. A *box* is the gateway of its inner segment and has an
//! interface of its own in an outer one ([`crate::middlebox`]); two boxes in a row are two layers of
//! translation. Between two interfaces of a segment a path of its own may be laid.
//!
//! A datagram leaves through the interface that has its source address (the host's first, if none
//! has), and goes to the interface that has its destination: over the path between the two, if there is
//! one, then that interface's link down. What the segment does not know goes to its gateway.
//!
//! Every link's random streams are named after the interface or path that it belongs to, so what is
//! added or left out elsewhere does not change them.

mod line;
mod segment;

pub use crate::datagram::{Datagram, NodeId};
pub use line::LineRef;
pub use segment::{BoxId, InterfaceId, SegmentId};

use crate::agenda::Agenda;
use crate::datagram::Packet;
use crate::link::{Dropped, Exit, Link, PipeStats};
use crate::middlebox::{Middlebox, Verdict};
use crate::timers::Timers;
use crate::trace::Trace;
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::Time;
use line::{LineId, Lines, Role};
use segment::{Owner, Segments};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

/// A datagram that passes more boxes than this goes round in circles.
const MAX_HOPS: u8 = 16;

/// A datagram that has reached its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// The host.
    pub node: NodeId,
    /// Whether its bytes are those that were sent.
    pub intact: bool,
    /// What it is.
    pub datagram: Datagram,
}

/// A message from the path to the sender of a datagram: it was larger than a link carries (RFC 1191,
/// RFC 8201).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooBig {
    /// Who sent it.
    pub node: NodeId,
    /// Where it was going.
    pub to: SocketAddr,
    /// What the link carries: bytes of an IP packet.
    pub mtu: usize,
}

/// Hosts, segments, boxes and links.
#[derive(Debug)]
pub struct Network {
    seed: Seed,
    names: Vec<String>,
    segments: Segments,
    lines: Lines,
    /// Packets that leave a line later.
    travelling: Agenda<(LineId, Packet)>,
    /// Lines that act by themselves.
    timers: Timers<LineId>,
    /// Datagrams that have reached a host.
    arrived: Vec<Arrived>,
    too_big: Vec<TooBig>,
    /// Datagrams that entered the network.
    sent: u64,
    work: VecDeque<Step>,
    exits: Vec<Exit>,
}

/// The next part of a packet's way.
#[derive(Debug)]
enum Step {
    Enter(LineId, Packet),
    Leave(LineId, Packet),
}

impl Network {
    /// A network without hosts, of which every random choice follows from `seed`.
    pub fn new(seed: &Seed) -> Self {
        Self {
            seed: Rng::new(seed, "network").seed(),
            names: Vec::new(),
            segments: Segments::default(),
            lines: Lines::default(),
            travelling: Agenda::new(),
            timers: Timers::new(),
            arrived: Vec::new(),
            too_big: Vec::new(),
            sent: 0,
            work: VecDeque::new(),
            exits: Vec::new(),
        }
    }

    /// Adds a segment.
    pub fn add_segment(&mut self) -> SegmentId {
        self.segments.add()
    }

    /// Adds a host. The random streams of its links are named after it.
    pub fn add_node(&mut self, name: impl Into<String>) -> NodeId {
        let node = NodeId(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        self.names.push(name.into());
        node
    }

    /// All hosts, in the order in which they were added.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..u32::try_from(self.names.len()).unwrap_or(u32::MAX)).map(NodeId)
    }

    /// A host's name.
    pub fn name(&self, node: NodeId) -> &str {
        self.names.get(node.0 as usize).map_or("?", String::as_str)
    }

    /// Attaches a host to a segment. Without an address it hears nothing there until it has one.
    pub fn attach(
        &mut self,
        node: NodeId,
        segment: SegmentId,
        address: Option<IpAddr>,
        up: Link,
        down: Link,
    ) -> InterfaceId {
        let nth = self.segments.interfaces_of(node).count();
        let name = format!("{} {nth}", self.name(node));
        self.add_interface(Owner::Host(node), segment, address, &name, up, down)
    }

    /// Makes a box the gateway of `inner`, with an interface in `outer`. The random streams of its
    /// links are named after it.
    pub fn join(
        &mut self,
        name: &str,
        inner: SegmentId,
        outer: SegmentId,
        middlebox: Box<dyn Middlebox>,
        up: Link,
        down: Link,
    ) -> BoxId {
        let id = self.segments.next_box();
        let interface = self.add_interface(Owner::Box(id), outer, None, name, up, down);
        self.segments.add_box(inner, outer, interface, middlebox);
        id
    }

    fn add_interface(
        &mut self,
        owner: Owner,
        segment: SegmentId,
        address: Option<IpAddr>,
        name: &str,
        up: Link,
        down: Link,
    ) -> InterfaceId {
        let id = self.segments.next_interface();
        let up = self.lines.add(Role::Up(id), up, &self.seed, &format!("{name} up"));
        let down = self.lines.add(Role::Down(id), down, &self.seed, &format!("{name} down"));
        self.segments.add_interface(owner, segment, address, up, down)
    }

    /// Gives an interface another address, or none. What is on its way to the old one is lost once it
    /// gets there, unless somebody else has it by then.
    pub fn set_address(&mut self, interface: InterfaceId, address: Option<IpAddr>) {
        self.segments.set_address(interface, address);
    }

    /// An interface's address, if it has one.
    pub fn address(&self, interface: InterfaceId) -> Option<IpAddr> {
        self.segments.interface(interface).address
    }

    /// A host's interfaces, in the order in which they were attached.
    pub fn interfaces(&self, node: NodeId) -> impl Iterator<Item = InterfaceId> {
        self.segments.interfaces_of(node)
    }

    /// The outer interface of a box.
    pub fn box_interface(&self, id: BoxId) -> InterfaceId {
        self.segments.gate(id).interface
    }

    /// Has a box forget every mapping.
    pub fn rebind(&mut self, now: Time, id: BoxId) {
        self.segments.gate_mut(id).middlebox.rebind(now);
    }

    /// Changes a link, or lays the path between two interfaces. What is on its way arrives as it would
    /// have.
    pub fn set_link(&mut self, place: LineRef, link: Link) {
        if let Some(id) = self.line(place) {
            self.lines.change(id, link, &self.seed);
            self.timers.set(id, self.lines.get(id).pipe.next_timeout());
        } else if let LineRef::Path(from, to) = place {
            let name = format!("{} > {}", self.label(from), self.label(to));
            let id = self.lines.add(Role::Path(to), link, &self.seed, &name);
            self.segments.set_path(from, to, id);
        }
    }

    /// What an interface is called: its owner and which of the owner's it is.
    fn label(&self, id: InterfaceId) -> String {
        match self.segments.interface(id).owner {
            Owner::Host(node) => {
                let nth = self.segments.interfaces_of(node).position(|other| other == id);
                format!("{} {}", self.name(node), nth.unwrap_or_default())
            }
            Owner::Box(id) => format!("box {}", id.0),
        }
    }

    /// A link, if there is one.
    pub fn link(&self, line: LineRef) -> Option<&Link> {
        self.line(line).map(|id| self.lines.get(id).pipe.link())
    }

    /// What became of the datagrams that entered a link; zeros if there is none.
    pub fn stats(&self, line: LineRef) -> PipeStats {
        self.line(line).map(|id| self.lines.get(id).pipe.stats()).unwrap_or_default()
    }

    fn line(&self, line: LineRef) -> Option<LineId> {
        match line {
            LineRef::Up(id) => Some(self.segments.interface(id).up),
            LineRef::Down(id) => Some(self.segments.interface(id).down),
            LineRef::Path(from, to) => self.segments.path(from, to),
        }
    }

    /// Sends a datagram from `node`, whatever source address it shows, and returns its number. Nobody
    /// tells a sender what becomes of it.
    pub fn send(&mut self, now: Time, node: NodeId, datagram: Datagram, trace: &mut Trace) -> u64 {
        let number = self.sent;
        self.sent += 1;
        trace.sent(now, node, number, &datagram);
        let source = self.segments.source(node, datagram.from.ip());
        let packet = Packet { number, node, hops: 0, corrupted: false, datagram };
        match source {
            Some(interface) => {
                let up = self.segments.interface(interface).up;
                self.work.push_back(Step::Enter(up, packet));
                self.carry(now, trace);
            }
            None => drop_packet(now, &packet, Dropped::NoRoute, trace),
        }
        number
    }

    /// How many datagrams hosts have sent.
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// When something happens here next by itself.
    pub fn next_event(&self) -> Option<Time> {
        let leaves = self.travelling.peek().map(|(time, _)| time);
        let acts = self.timers.first().map(|(time, _)| time);
        leaves.into_iter().chain(acts).min()
    }

    /// Lets everything happen that is due by `now`.
    pub fn advance(&mut self, now: Time, trace: &mut Trace) {
        loop {
            if let Some((line, packet)) = self.travelling.take(now) {
                self.work.push_back(Step::Leave(line, packet));
            } else if let Some((_, line)) = self.timers.first().filter(|(time, _)| *time <= now) {
                let mut exits = std::mem::take(&mut self.exits);
                let pipe = &mut self.lines.get_mut(line).pipe;
                pipe.handle_timeout(now, &mut |exit| exits.push(exit));
                self.timers.set(line, pipe.next_timeout());
                self.exits = exits;
                self.settle_exits(now, line, trace);
            } else {
                return;
            }
            self.carry(now, trace);
        }
    }

    /// Takes the datagrams that have reached their hosts, in the order in which they did.
    pub fn take_arrived(&mut self) -> std::vec::Drain<'_, Arrived> {
        self.arrived.drain(..)
    }

    /// Takes what senders are to be told.
    pub fn take_too_big(&mut self) -> std::vec::Drain<'_, TooBig> {
        self.too_big.drain(..)
    }

    /// Datagrams that are between two links; what waits in a queue is not counted.
    pub fn in_transit(&self) -> usize {
        self.travelling.len()
    }

    /// Carries what was picked up as far as it gets without waiting.
    fn carry(&mut self, now: Time, trace: &mut Trace) {
        while let Some(step) = self.work.pop_front() {
            match step {
                Step::Enter(line, packet) => {
                    let mut exits = std::mem::take(&mut self.exits);
                    let pipe = &mut self.lines.get_mut(line).pipe;
                    pipe.send(now, packet, &mut |exit| exits.push(exit));
                    self.timers.set(line, pipe.next_timeout());
                    self.exits = exits;
                    self.settle_exits(now, line, trace);
                }
                Step::Leave(line, packet) => self.leave(now, line, packet, trace),
            }
        }
    }

    /// Plans, forwards or buries what came out of a line.
    fn settle_exits(&mut self, now: Time, line: LineId, trace: &mut Trace) {
        let last = self.is_last(line);
        for exit in self.exits.drain(..) {
            match exit {
                // At a host things arrive through the agenda, so that all of an instant arrive together.
                Exit::Arrival { time, packet } if time > now || last => {
                    self.travelling.plan(time, (line, packet));
                }
                Exit::Arrival { packet, .. } => self.work.push_back(Step::Leave(line, packet)),
                Exit::Dropped { why, packet } => {
                    drop_packet(now, &packet, why, trace);
                    if let Dropped::TooBig { mtu: Some(mtu) } = why {
                        let (node, to) = (packet.node, packet.datagram.to);
                        self.too_big.push(TooBig { node, to, mtu });
                    }
                }
            }
        }
    }

    fn is_last(&self, line: LineId) -> bool {
        match self.lines.get(line).role {
            Role::Down(id) => matches!(self.segments.interface(id).owner, Owner::Host(_)),
            Role::Up(_) | Role::Path(_) => false,
        }
    }

    /// A packet has come to the end of a line.
    fn leave(&mut self, now: Time, line: LineId, packet: Packet, trace: &mut Trace) {
        match self.lines.get(line).role {
            Role::Up(from) => {
                let segment = self.segments.interface(from).segment;
                self.route(now, segment, Some(from), packet, trace);
            }
            Role::Path(to) => {
                let down = self.segments.interface(to).down;
                self.work.push_back(Step::Enter(down, packet));
            }
            Role::Down(at) => self.reach(now, at, packet, trace),
        }
    }

    /// A packet has come to an interface.
    fn reach(&mut self, now: Time, at: InterfaceId, mut packet: Packet, trace: &mut Trace) {
        let interface = self.segments.interface(at);
        match interface.owner {
            Owner::Host(_) if interface.address != Some(packet.datagram.to.ip()) => {
                drop_packet(now, &packet, Dropped::NoRoute, trace);
            }
            Owner::Host(node) => {
                let Packet { number, corrupted, datagram, .. } = packet;
                trace.arrived(now, node, number, corrupted, &datagram);
                self.arrived.push(Arrived { node, intact: !corrupted, datagram });
            }
            Owner::Box(id) => {
                let inner = self.segments.gate(id).inner;
                let middlebox = &mut self.segments.gate_mut(id).middlebox;
                let verdict = middlebox.inbound(now, &mut packet.datagram);
                if judge(now, verdict, &mut packet, trace) {
                    self.deliver(now, inner, packet, trace);
                }
            }
        }
    }

    /// Leads a packet on in a segment: to an address in it, or out through the gateway.
    fn route(
        &mut self,
        now: Time,
        segment: SegmentId,
        from: Option<InterfaceId>,
        mut packet: Packet,
        trace: &mut Trace,
    ) {
        let to = packet.datagram.to.ip();
        if let Some(to) = self.segments.home(segment, to) {
            let path = from.and_then(|from| self.segments.path(from, to));
            let line = path.unwrap_or_else(|| self.segments.interface(to).down);
            self.work.push_back(Step::Enter(line, packet));
            return;
        }
        let Some(id) = self.segments.gateway(segment) else {
            return drop_packet(now, &packet, Dropped::NoRoute, trace);
        };
        let gate = self.segments.gate_mut(id);
        let outer = gate.interface;
        if gate.middlebox.answers_for(to) {
            let verdict = gate.middlebox.hairpin(now, &mut packet.datagram);
            if judge(now, verdict, &mut packet, trace) {
                self.deliver(now, segment, packet, trace);
            }
            return;
        }
        let verdict = gate.middlebox.outbound(now, &mut packet.datagram);
        if judge(now, verdict, &mut packet, trace) {
            let up = self.segments.interface(outer).up;
            self.work.push_back(Step::Enter(up, packet));
        }
    }

    /// Leads a packet that a box let in to somebody in the box's inner segment.
    fn deliver(&mut self, now: Time, segment: SegmentId, packet: Packet, trace: &mut Trace) {
        match self.segments.home(segment, packet.datagram.to.ip()) {
            Some(to) => {
                let down = self.segments.interface(to).down;
                self.work.push_back(Step::Enter(down, packet));
            }
            None => drop_packet(now, &packet, Dropped::NoRoute, trace),
        }
    }
}

/// Notes what a box did with a packet; whether it goes on.
fn judge(now: Time, verdict: Verdict, packet: &mut Packet, trace: &mut Trace) -> bool {
    packet.hops += 1;
    match verdict {
        Verdict::Forward if packet.hops > MAX_HOPS => {
            drop_packet(now, packet, Dropped::HopLimit, trace);
            false
        }
        Verdict::Forward => {
            trace.passed(now, packet.node, packet.number, &packet.datagram);
            true
        }
        Verdict::Drop(why) => {
            drop_packet(now, packet, why, trace);
            false
        }
    }
}

fn drop_packet(now: Time, packet: &Packet, why: Dropped, trace: &mut Trace) {
    trace.dropped(now, packet.node, packet.number, why.name());
}

#[cfg(test)]
mod tests;
