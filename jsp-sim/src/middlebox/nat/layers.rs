//! Two translators in a row: homes behind a carrier's (RFC 6888), composed by hand.
//!
//! ```text
//!  10.0.0.2 ─ home A 100.64.0.1 ─┐
//!                                ├─ carrier 203.0.113.1 ─ 198.51.100.7
//!  10.0.0.2 ─ home B 100.64.0.2 ─┘
//! ```

use super::*;
use crate::secs;
use crate::units::Span;
use jsp_proto::ids::Ecn;

const START: Time = Time::ZERO;
const HOST: &str = "10.0.0.2:4000";
const SERVER: &str = "198.51.100.7:443";

struct Carrier {
    homes: [Nat; 2],
    carrier: Nat,
}

impl Carrier {
    fn new(home: NatKind, carrier: NatConfig) -> Self {
        let build = |config: NatConfig, address: &str, seed| {
            Nat::new(config.at([address.parse().unwrap()]), &Seed::from_u64(seed)).unwrap()
        };
        let homes = [("100.64.0.1", 1), ("100.64.0.2", 2)]
            .map(|(address, seed)| build(NatConfig::new(home), address, seed));
        Self { homes, carrier: build(carrier, "203.0.113.1", 3) }
    }

    /// From the host of a home to wherever that is: the home that it reaches, if it is one, and the
    /// datagram as it arrives.
    fn send(
        &mut self,
        now: Time,
        home: usize,
        to: SocketAddr,
    ) -> Result<(Option<usize>, Datagram), Dropped> {
        let from = HOST.parse().unwrap();
        let mut datagram = Datagram { from, to, ecn: Ecn::Ect0, payload: vec![home as u8] };
        forwarded(self.homes[home].outbound(now, &mut datagram))?;
        if !self.carrier.answers_for(datagram.to.ip()) {
            forwarded(self.carrier.outbound(now, &mut datagram))?;
            return Ok((None, datagram));
        }
        forwarded(self.carrier.hairpin(now, &mut datagram))?;
        let home = self.arrive(now, &mut datagram)?;
        Ok((Some(home), datagram))
    }

    /// From the internet.
    fn receive(
        &mut self,
        now: Time,
        from: &str,
        to: SocketAddr,
    ) -> Result<(usize, Datagram), Dropped> {
        let from = from.parse().unwrap();
        let mut datagram = Datagram { from, to, ecn: Ecn::Ect0, payload: Vec::new() };
        forwarded(self.carrier.inbound(now, &mut datagram))?;
        let home = self.arrive(now, &mut datagram)?;
        Ok((home, datagram))
    }

    /// From the carrier's network into a home.
    fn arrive(&mut self, now: Time, datagram: &mut Datagram) -> Result<usize, Dropped> {
        let home = self.homes.iter().position(|home| home.answers_for(datagram.to.ip()));
        let home = home.ok_or(Dropped::NoRoute)?;
        forwarded(self.homes[home].inbound(now, datagram))?;
        assert_eq!(datagram.to, HOST.parse().unwrap());
        Ok(home)
    }

    /// How the internet sees the host of a home that speaks to the server.
    fn seen(&mut self, now: Time, home: usize) -> SocketAddr {
        let (reached, datagram) = self.send(now, home, SERVER.parse().unwrap()).unwrap();
        assert_eq!(reached, None);
        datagram.from
    }
}

fn forwarded(verdict: Verdict) -> Result<(), Dropped> {
    match verdict {
        Verdict::Forward => Ok(()),
        Verdict::Drop(why) => Err(why),
    }
}

#[test]
fn answers_find_their_way_back_through_both_layers() {
    let mut net = Carrier::new(NatKind::PortRestrictedCone, NatConfig::default());
    let seen = [0, 1].map(|home| net.seen(START, home));
    assert_ne!(seen[0], seen[1], "both hosts have the same inner endpoint");
    for home in [0, 1] {
        let (reached, datagram) = net.receive(START, SERVER, seen[home]).unwrap();
        assert_eq!((reached, datagram.from), (home, SERVER.parse().unwrap()));
    }
}

/// RFC 4787, section 6, across layers: the way to a neighbour leads through the carrier and back.
#[test]
fn two_homes_behind_one_carrier_punch_through_by_its_hairpin() {
    let carrier = NatConfig::new(NatKind::PortRestrictedCone);
    let mut net = Carrier::new(NatKind::PortRestrictedCone, carrier);
    let seen = [0, 1].map(|home| net.seen(START, home));
    // The first is filtered at the other's, and opens the way for what comes back.
    assert_eq!(net.send(START, 0, seen[1]), Err(Dropped::Filtered));
    let (reached, datagram) = net.send(START, 1, seen[0]).unwrap();
    assert_eq!((reached, datagram.from), (Some(0), seen[1]));
    let (reached, datagram) = net.send(START, 0, seen[1]).unwrap();
    assert_eq!((reached, datagram.from), (Some(1), seen[0]));
}

#[test]
fn two_homes_behind_a_carrier_without_hairpin_do_not_reach_each_other() {
    let carrier = NatConfig { hairpin: Hairpin::Off, ..NatConfig::new(NatKind::FullCone) };
    let mut net = Carrier::new(NatKind::FullCone, carrier);
    let seen = [0, 1].map(|home| net.seen(START, home));
    for home in [0, 1, 0] {
        assert_eq!(net.send(START, home, seen[1 - home]), Err(Dropped::NoHairpin));
    }
}

#[test]
fn behind_a_symmetric_carrier_no_home_is_where_the_server_saw_it() {
    let mut net = Carrier::new(NatKind::FullCone, NatConfig::new(NatKind::Symmetric));
    let seen = [0, 1].map(|home| net.seen(START, home));
    for home in [0, 1, 0, 1] {
        assert_eq!(net.send(START, home, seen[1 - home]), Err(Dropped::Filtered));
    }
}

#[test]
fn the_shorter_timeout_of_the_two_layers_counts() {
    let carrier = NatConfig { timeout: Span::from_millis(30_000), ..NatConfig::default() };
    let mut net = Carrier::new(NatKind::FullCone, carrier);
    let seen = net.seen(START, 0);
    assert!(net.receive(START + secs(29), SERVER, seen).is_ok());
    assert_eq!(net.receive(START + secs(30), SERVER, seen), Err(Dropped::NoMapping));
    assert_eq!(net.homes[0].mappings().count(), 1, "the home's mapping lives on");
}

#[test]
fn a_carrier_that_lost_its_power_changes_what_a_home_looks_like_and_the_home_knows_nothing() {
    let mut net = Carrier::new(NatKind::FullCone, NatConfig::default());
    let before = net.seen(START, 0);
    let home: Vec<_> = net.homes[0].mappings().collect();
    net.carrier.rebind(START);
    assert_eq!(net.receive(START, SERVER, before), Err(Dropped::NoMapping));
    assert_ne!(net.seen(START, 0), before);
    assert_eq!(net.homes[0].mappings().collect::<Vec<_>>(), home);
}
