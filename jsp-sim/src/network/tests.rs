//! The way of datagrams through segments, boxes and links.

use super::*;
use crate::ms;
use crate::trace::Observer;
use jsp_proto::ids::Ecn;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

const A: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const B: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
const C: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 3));
const GATE: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1));

/// Who was told why a datagram was dropped.
#[derive(Clone, Debug, Default)]
struct Drops(Arc<Mutex<Vec<&'static str>>>);

impl Observer for Drops {
    fn dropped(&mut self, _: Time, _: NodeId, _: u64, why: &'static str) {
        self.0.lock().unwrap().push(why);
    }
}

/// Lets everybody out under its own address, and everything in to one host behind it.
#[derive(Debug)]
struct OneHost(SocketAddr);

impl Middlebox for OneHost {
    fn outbound(&mut self, _: Time, datagram: &mut Datagram) -> Verdict {
        datagram.from.set_ip(GATE);
        Verdict::Forward
    }

    fn inbound(&mut self, _: Time, datagram: &mut Datagram) -> Verdict {
        datagram.to = self.0;
        Verdict::Forward
    }

    fn hairpin(&mut self, now: Time, datagram: &mut Datagram) -> Verdict {
        self.inbound(now, datagram)
    }

    fn rebind(&mut self, _: Time) {}

    fn answers_for(&self, address: IpAddr) -> bool {
        address == GATE
    }
}

/// Lets everything through as it is.
#[derive(Debug)]
struct Through;

impl Middlebox for Through {
    fn outbound(&mut self, _: Time, _: &mut Datagram) -> Verdict {
        Verdict::Forward
    }

    fn inbound(&mut self, _: Time, _: &mut Datagram) -> Verdict {
        Verdict::Forward
    }

    fn hairpin(&mut self, _: Time, _: &mut Datagram) -> Verdict {
        Verdict::Forward
    }

    fn rebind(&mut self, _: Time) {}

    fn answers_for(&self, _: IpAddr) -> bool {
        false
    }
}

struct Rig {
    network: Network,
    trace: Trace,
    drops: Drops,
}

impl Rig {
    fn new() -> Self {
        let (mut trace, drops) = (Trace::new(), Drops::default());
        trace.watch(Box::new(drops.clone()));
        Self { network: Network::new(&Seed::from_u64(1)), trace, drops }
    }

    /// A host with one address in `segment`, behind links of the given delays.
    fn host(&mut self, segment: SegmentId, address: IpAddr, up: u64, down: u64) -> NodeId {
        let node = self.network.add_node(address.to_string());
        let [up, down] = [up, down].map(|delay| Link::new().delay(ms(delay)));
        self.network.attach(node, segment, Some(address), up, down);
        node
    }

    fn send(&mut self, at: Time, node: NodeId, from: IpAddr, to: IpAddr, n: u8) {
        let (from, to) = ((from, 1).into(), (to, 1).into());
        let datagram = Datagram { from, to, ecn: Ecn::NotEct, payload: vec![n] };
        self.network.send(at, node, datagram, &mut self.trace);
    }

    /// Lets everything arrive: when, where, from whom and what.
    fn drain(&mut self) -> Vec<(Time, NodeId, IpAddr, u8)> {
        let mut got = Vec::new();
        while let Some(time) = self.network.next_event() {
            self.network.advance(time, &mut self.trace);
            let arrived = self.network.take_arrived();
            got.extend(
                arrived.map(|a| (time, a.node, a.datagram.from.ip(), a.datagram.payload[0])),
            );
        }
        got
    }

    fn drops(&self) -> Vec<&'static str> {
        self.drops.0.lock().unwrap().clone()
    }
}

fn at(millis: u64) -> Time {
    Time::ZERO + ms(millis)
}

#[test]
fn a_datagram_passes_its_senders_link_up_and_its_receivers_link_down() {
    let mut rig = Rig::new();
    let net = rig.network.add_segment();
    let [a, b, c] =
        [(A, 1, 2), (B, 10, 20), (C, 100, 200)].map(|(ip, u, d)| rig.host(net, ip, u, d));
    rig.send(Time::ZERO, a, A, B, 1);
    rig.send(Time::ZERO, a, A, C, 2);
    rig.send(Time::ZERO, b, B, A, 3);
    assert_eq!(rig.drain(), [(at(12), a, B, 3), (at(21), b, A, 1), (at(201), c, A, 2)]);
}

#[test]
fn a_path_between_two_hosts_is_theirs_alone() {
    let mut rig = Rig::new();
    let net = rig.network.add_segment();
    let [a, b, c] = [A, B, C].map(|ip| rig.host(net, ip, 0, 0));
    let [ia, ib] = [a, b].map(|node| rig.network.interfaces(node).next().unwrap());
    rig.network.set_link(LineRef::Path(ia, ib), Link::new().delay(ms(20)));
    rig.send(Time::ZERO, a, A, B, 1);
    rig.send(Time::ZERO, a, A, C, 2);
    rig.send(Time::ZERO, b, B, A, 3);
    assert_eq!(rig.drain(), [(at(0), c, A, 2), (at(0), a, B, 3), (at(20), b, A, 1)]);
    assert_eq!(rig.network.stats(LineRef::Path(ia, ib)).delivered, 1);
    assert_eq!(rig.network.stats(LineRef::Path(ib, ia)), PipeStats::default());
}

#[test]
fn there_is_no_way_to_an_unknown_address_nor_from_a_host_without_an_interface() {
    let mut rig = Rig::new();
    let net = rig.network.add_segment();
    let a = rig.host(net, A, 0, 0);
    let alone = rig.network.add_node("alone");
    rig.send(Time::ZERO, a, A, C, 1);
    rig.send(Time::ZERO, alone, B, A, 2);
    assert_eq!(rig.drain(), []);
    assert_eq!(rig.drops(), ["no-route", "no-route"]);
}

#[test]
fn an_address_can_vanish_and_appear_elsewhere() {
    let mut rig = Rig::new();
    let [one, two] = [(), ()].map(|()| rig.network.add_segment());
    let a = rig.host(one, A, 5, 0);
    let b = rig.host(one, B, 0, 10);
    let [home] = rig.network.interfaces(b).collect::<Vec<_>>()[..] else { panic!() };
    let away = rig.network.attach(b, two, None, Link::new(), Link::new());
    rig.send(Time::ZERO, a, A, B, 1);
    assert_eq!(rig.drain(), [(at(15), b, A, 1)]);

    // It vanishes while something is on the way to it.
    rig.send(at(20), a, A, B, 2);
    rig.network.advance(at(26), &mut rig.trace);
    rig.network.set_address(home, None);
    rig.network.set_address(away, Some(B));
    rig.send(at(30), a, A, B, 3);
    assert_eq!(rig.drain(), []);
    assert_eq!(rig.drops(), ["no-route", "no-route"]);

    rig.network.set_address(home, Some(C));
    rig.send(at(50), a, A, C, 4);
    assert_eq!(rig.drain(), [(at(65), b, A, 4)]);
}

#[test]
fn the_source_address_picks_the_interface() {
    let mut rig = Rig::new();
    let net = rig.network.add_segment();
    let a = rig.host(net, A, 1, 0);
    rig.network.attach(a, net, Some(C), Link::new().delay(ms(50)), Link::new());
    let b = rig.host(net, B, 0, 0);
    rig.send(Time::ZERO, a, A, B, 1);
    rig.send(Time::ZERO, a, C, B, 2);
    rig.send(Time::ZERO, a, GATE, B, 3);
    assert_eq!(rig.drain(), [(at(1), b, A, 1), (at(1), b, GATE, 3), (at(50), b, C, 2)]);
}

#[test]
fn what_a_segment_does_not_know_goes_through_its_gateway_and_comes_back_through_it() {
    let mut rig = Rig::new();
    let [home, internet] = [(), ()].map(|()| rig.network.add_segment());
    let a = rig.host(home, A, 1, 1);
    let b = rig.host(internet, B, 10, 10);
    let gate = OneHost((A, 7).into());
    let [up, down] = [100, 200].map(|delay| Link::new().delay(ms(delay)));
    let id = rig.network.join("gate", home, internet, Box::new(gate), up, down);
    rig.send(Time::ZERO, a, A, B, 1);
    assert_eq!(rig.drain(), [(at(111), b, GATE, 1)]);
    rig.send(at(200), b, B, GATE, 2);
    assert_eq!(rig.drain(), [(at(411), a, B, 2)]);
    // From inside to the box's own outer address: turned round without leaving.
    rig.send(at(500), a, A, GATE, 3);
    assert_eq!(rig.drain(), [(at(502), a, A, 3)]);
    // Private addresses lead nowhere from outside.
    rig.send(at(600), b, B, A, 4);
    assert_eq!(rig.drain(), []);
    assert_eq!(rig.network.stats(LineRef::Up(rig.network.box_interface(id))).delivered, 1);
}

#[test]
fn private_addresses_may_repeat_behind_different_gateways() {
    let mut rig = Rig::new();
    let [one, two, internet] = [(), (), ()].map(|()| rig.network.add_segment());
    let [first, second] = [one, two].map(|segment| rig.host(segment, A, 0, 0));
    let b = rig.host(internet, B, 0, 0);
    for (name, segment) in [("one", one), ("two", two)] {
        let gate = Box::new(OneHost((A, 1).into()));
        rig.network.join(name, segment, internet, gate, Link::new(), Link::new());
    }
    rig.send(Time::ZERO, first, A, B, 1);
    rig.send(Time::ZERO, second, A, B, 2);
    let got = rig.drain();
    assert_eq!(got.iter().map(|(_, node, ..)| *node).collect::<Vec<_>>(), [b, b]);
}

#[test]
fn what_goes_round_in_circles_ends() {
    let mut rig = Rig::new();
    let [one, two] = [(), ()].map(|()| rig.network.add_segment());
    let a = rig.host(one, A, 0, 0);
    // Each is the other's gateway.
    for (name, inner, outer) in [("there", one, two), ("back", two, one)] {
        let gate = Box::new(Through);
        rig.network.join(name, inner, outer, gate, Link::new(), Link::new());
    }
    rig.send(Time::ZERO, a, A, B, 1);
    assert_eq!(rig.drain(), []);
    assert_eq!(rig.drops(), ["hop-limit"]);
}

#[test]
fn links_draw_from_streams_of_their_own() {
    let mut rig = Rig::new();
    let net = rig.network.add_segment();
    let [a, b] = [A, B].map(|ip| rig.host(net, ip, 0, 0));
    let [ia, ib] = [a, b].map(|node| rig.network.interfaces(node).next().unwrap());
    for line in [LineRef::Path(ia, ib), LineRef::Path(ib, ia)] {
        rig.network.set_link(line, Link::new().loss(0.5));
    }
    for n in 0..64 {
        rig.send(Time::ZERO, a, A, B, n);
        rig.send(Time::ZERO, b, B, A, n);
    }
    let got = rig.drain();
    let at = |node| got.iter().filter(|g| g.1 == node).map(|g| g.3).collect::<Vec<_>>();
    assert_ne!(at(a), at(b));
}
