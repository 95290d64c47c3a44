//! Nodes with addresses, and the pipes between them.

use crate::agenda::Agenda;
pub use crate::datagram::{Datagram, NodeId};
use crate::link::{Arrival, Dropped, Link, Pipe, PipeStats};
use crate::trace::{Kind, Trace};
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::Time;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Routes datagrams from node to node. Each pair of nodes has a pipe of its own in each direction;
/// there is no path through a third.
#[derive(Debug)]
pub struct Network {
    seed: Seed,
    nodes: u32,
    homes: BTreeMap<IpAddr, NodeId>,
    pipes: BTreeMap<(NodeId, NodeId), Pipe>,
    arrivals: Agenda<Delivery>,
    /// Datagrams that entered the network: each has its number.
    sent: u64,
}

#[derive(Debug)]
struct Delivery {
    node: NodeId,
    number: u64,
    datagram: Datagram,
    corrupted: bool,
}

impl Network {
    /// A network without nodes, of which every random choice follows from `seed`.
    pub fn new(seed: &Seed) -> Self {
        Self {
            seed: Rng::new(seed, "network").seed(),
            nodes: 0,
            homes: BTreeMap::new(),
            pipes: BTreeMap::new(),
            arrivals: Agenda::new(),
            sent: 0,
        }
    }

    /// Adds a node that `addresses` lead to.
    pub fn add_node(&mut self, addresses: impl IntoIterator<Item = IpAddr>) -> NodeId {
        let node = NodeId(self.nodes);
        self.nodes += 1;
        for address in addresses {
            self.set_home(address, node);
        }
        node
    }

    /// Has `address` lead to `node` from now on; what is on its way arrives where it was going.
    pub fn set_home(&mut self, address: IpAddr, node: NodeId) {
        self.homes.insert(address, node);
    }

    /// Lays or changes the link from one node to another. What is on its way arrives as it would have.
    pub fn set_link(&mut self, from: NodeId, to: NodeId, link: Link) {
        let seed = Rng::new(&self.seed, &format!("{:x}>{:x}", from.0, to.0)).seed();
        match self.pipes.get_mut(&(from, to)) {
            Some(pipe) => pipe.change(link, &seed),
            None => {
                self.pipes.insert((from, to), Pipe::new(link, &seed));
            }
        }
    }

    /// The link from one node to another.
    pub fn link(&self, from: NodeId, to: NodeId) -> Option<&Link> {
        self.pipes.get(&(from, to)).map(Pipe::link)
    }

    /// What became of the datagrams from one node to another; zeros if there is no link.
    pub fn stats(&self, from: NodeId, to: NodeId) -> PipeStats {
        self.pipes.get(&(from, to)).map_or_else(PipeStats::default, |pipe| *pipe.stats())
    }

    /// Sends a datagram from `from`, whatever source address it shows.
    pub fn send(
        &mut self,
        now: Time,
        from: NodeId,
        datagram: Datagram,
        trace: &mut Trace,
    ) -> Result<(), Dropped> {
        let number = self.sent;
        self.sent += 1;
        trace.datagram(now, from, number, &datagram);
        let result = self.route(now, from, number, datagram);
        if let Err(why) = result {
            trace.note(now, from, Kind::Dropped, number, &[why as u8]);
        }
        result
    }

    fn route(
        &mut self,
        now: Time,
        from: NodeId,
        number: u64,
        datagram: Datagram,
    ) -> Result<(), Dropped> {
        let node = *self.homes.get(&datagram.to.ip()).ok_or(Dropped::NoRoute)?;
        let pipe = self.pipes.get_mut(&(from, node)).ok_or(Dropped::NoRoute)?;
        let arrivals = &mut self.arrivals;
        pipe.send(now, datagram, |Arrival { time, datagram, corrupted }| {
            arrivals.plan(time, Delivery { node, number, datagram, corrupted });
        })
    }

    /// When and where the next datagram arrives.
    pub fn next_arrival(&self) -> Option<(Time, NodeId)> {
        self.arrivals.peek().map(|(time, delivery)| (time, delivery.node))
    }

    /// Takes the next datagram, if it has arrived by `now`.
    pub fn receive(&mut self, now: Time, trace: &mut Trace) -> Option<(NodeId, Datagram)> {
        let Delivery { node, number, datagram, corrupted } = self.arrivals.take(now)?;
        // The bytes were traced as they were sent; only where they differ are they traced again.
        let news: &[u8] = if corrupted { &datagram.payload } else { &[] };
        trace.note(now, node, Kind::Arrived, number, news);
        trace.note(now, node, Kind::Ecn, number, &[datagram.ecn as u8]);
        Some((node, datagram))
    }

    /// Datagrams that are on their way.
    pub fn in_transit(&self) -> usize {
        self.arrivals.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ms;
    use jsp_proto::ids::Ecn;
    use std::net::Ipv4Addr;

    const A: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
    const C: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 3));

    fn datagram(to: IpAddr, n: u8) -> Datagram {
        Datagram { from: (A, 1).into(), to: (to, 1).into(), ecn: Ecn::NotEct, payload: vec![n] }
    }

    fn drain(network: &mut Network, trace: &mut Trace) -> Vec<(Time, NodeId, u8)> {
        let mut got = Vec::new();
        while let Some((time, _)) = network.next_arrival() {
            let (node, datagram) = network.receive(time, trace).unwrap();
            got.push((time, node, datagram.payload[0]));
        }
        got
    }

    #[test]
    fn datagrams_go_where_their_address_lives_and_take_as_long_as_that_link_says() {
        let (mut network, mut trace) = (Network::new(&Seed::from_u64(1)), Trace::new());
        let [a, b, c] = [A, B, C].map(|address| network.add_node([address]));
        network.set_link(a, b, Link::new().delay(ms(20)));
        network.set_link(a, c, Link::new().delay(ms(10)));
        network.send(Time::ZERO, a, datagram(B, 1), &mut trace).unwrap();
        network.send(Time::ZERO, a, datagram(C, 2), &mut trace).unwrap();
        assert_eq!(network.in_transit(), 2);
        let expected = [(Time::ZERO + ms(10), c, 2), (Time::ZERO + ms(20), b, 1)];
        assert_eq!(drain(&mut network, &mut trace), expected);
        assert_eq!(network.stats(a, b).delivered, 1);
    }

    #[test]
    fn there_is_no_way_without_a_link_or_to_an_unknown_address() {
        let (mut network, mut trace) = (Network::new(&Seed::from_u64(1)), Trace::new());
        let [a, b] = [A, B].map(|address| network.add_node([address]));
        network.set_link(a, b, Link::new());
        let mut send = |from, to| network.send(Time::ZERO, from, datagram(to, 1), &mut trace);
        assert_eq!(send(a, B), Ok(()));
        assert_eq!(send(b, A), Err(Dropped::NoRoute));
        assert_eq!(send(a, C), Err(Dropped::NoRoute));
    }

    #[test]
    fn an_address_that_moves_takes_its_datagrams_along() {
        let (mut network, mut trace) = (Network::new(&Seed::from_u64(1)), Trace::new());
        let [a, b, c] = [A, B, C].map(|address| network.add_node([address]));
        network.set_link(a, b, Link::new());
        network.set_link(a, c, Link::new());
        network.send(Time::ZERO, a, datagram(B, 1), &mut trace).unwrap();
        network.set_home(B, c);
        network.send(Time::ZERO, a, datagram(B, 2), &mut trace).unwrap();
        let got = drain(&mut network, &mut trace);
        assert_eq!(got, [(Time::ZERO, b, 1), (Time::ZERO, c, 2)]);
    }

    #[test]
    fn the_two_directions_draw_from_streams_of_their_own() {
        let (mut network, mut trace) = (Network::new(&Seed::from_u64(1)), Trace::new());
        let [a, b] = [A, B].map(|address| network.add_node([address]));
        network.set_link(a, b, Link::new().loss(0.5));
        network.set_link(b, a, Link::new().loss(0.5));
        let mut fates = |from, to| {
            (0..64)
                .map(|_| network.send(Time::ZERO, from, datagram(to, 1), &mut trace).is_ok())
                .collect::<Vec<_>>()
        };
        assert_ne!(fates(a, B), fates(b, A));
    }
}
