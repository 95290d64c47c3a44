//! Datagrams that leave together: one call of the operating system for those that are due, of one size,
//! from one place to another.

use super::relay::{Departure, Relay};
use jsp_proto::time::Time;

/// Bytes of a train, at most: what one UDP datagram could carry over IPv6.
const LONGEST: usize = 65_487;

/// The datagrams that leave together.
#[derive(Debug, Default)]
pub(super) struct Train {
    departures: Vec<Departure>,
    bytes: Vec<u8>,
    /// Was due as well, and did not fit.
    next: Option<Departure>,
}

impl Train {
    /// Loads what is due, at most `most` datagrams. Whether there is something.
    pub(super) fn load(&mut self, relay: &mut Relay, now: Time, most: usize) -> bool {
        self.departures.clear();
        self.bytes.clear();
        while let Some(departure) = self.next.take().or_else(|| relay.take_due(now)) {
            if !self.takes(&departure, most) {
                self.next = Some(departure);
                break;
            }
            self.bytes.extend_from_slice(&departure.payload);
            self.departures.push(departure);
        }
        !self.departures.is_empty()
    }

    /// Whether one of its kind can be in it, too: they all have the size of the first; only the last may
    /// be shorter.
    fn takes(&self, departure: &Departure, most: usize) -> bool {
        let (Some(first), Some(last)) = (self.departures.first(), self.departures.last()) else {
            return true;
        };
        let len = departure.payload.len();
        departure.route == first.route
            && departure.ecn == first.ecn
            && last.payload.len() == first.payload.len()
            && (1..=first.payload.len()).contains(&len)
            && self.bytes.len() + len <= LONGEST
            && self.departures.len() < most
    }

    /// The datagrams.
    pub(super) fn departures(&self) -> &[Departure] {
        &self.departures
    }

    /// Their payloads, one behind the other.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Link;
    use crate::proxy::Settings;
    use jsp_proto::ids::Ecn;
    use std::net::SocketAddr;

    /// The trains of datagrams from these ports, with this ECN field and of these sizes.
    fn trains(datagrams: &[(u16, Ecn, usize)], most: usize) -> Vec<Vec<usize>> {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let mut relay = Relay::new(&Settings::new(address(9), Link::new()));
        for (port, ecn, len) in datagrams {
            relay.from_client(Time::ZERO, (address(*port), None), *ecn, &vec![0; *len]);
        }
        let mut train = Train::default();
        let mut trains = Vec::new();
        while train.load(&mut relay, Time::ZERO, most) {
            let sizes: Vec<_> = train.departures().iter().map(|d| d.payload.len()).collect();
            assert_eq!(train.bytes().len(), sizes.iter().sum::<usize>());
            trains.push(sizes);
        }
        trains
    }

    #[test]
    fn a_train_is_of_one_kind_and_only_its_last_may_be_shorter() {
        const NO: Ecn = Ecn::NotEct;
        let same = |sizes: &[usize]| sizes.iter().map(|len| (1, NO, *len)).collect::<Vec<_>>();
        assert_eq!(trains(&same(&[9, 9, 5, 5, 9]), 64), [vec![9, 9, 5], vec![5], vec![9]]);
        assert_eq!(trains(&same(&[9, 0, 0, 9]), 64), [vec![9], vec![0], vec![0], vec![9]]);
        assert_eq!(trains(&same(&[9, 9, 9]), 2), [vec![9, 9], vec![9]]);
        assert_eq!(trains(&same(&[40_000, 40_000]), 64), [vec![40_000], vec![40_000]]);
        let mixed = [(1, NO, 9), (2, NO, 9), (2, Ecn::Ce, 9), (2, Ecn::Ce, 9)];
        assert_eq!(trains(&mixed, 64), [vec![9], vec![9], vec![9, 9]]);
    }
}
