//! Who sends through the proxy.

use jsp_proto::time::{Duration, Time};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// A client: no two ever have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u32);

/// Who was silent for less than this does not lose its place to somebody else.
const SETTLED: Duration = Duration::from_secs(30);

/// The clients, by number and by address.
#[derive(Debug)]
pub(super) struct Clients {
    table: BTreeMap<ClientId, Client>,
    numbers: BTreeMap<SocketAddr, ClientId>,
    most: usize,
    next: u32,
}

#[derive(Debug)]
struct Client {
    address: SocketAddr,
    /// Which of our addresses it sends to, as far as that is known.
    local: Option<IpAddr>,
    heard: Time,
}

/// What hearing an address comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It is a client's.
    Known(ClientId),
    /// It is now a new client's, who may have taken the place of another.
    New(ClientId, Option<ClientId>),
    /// There is no place left.
    Full,
}

impl Clients {
    pub(super) const fn new(most: usize) -> Self {
        Self { table: BTreeMap::new(), numbers: BTreeMap::new(), most, next: 0 }
    }

    /// Something has come from `address`, to `local` of ours.
    pub(super) fn hear(&mut self, now: Time, address: SocketAddr, local: Option<IpAddr>) -> Heard {
        if let Some(id) = self.numbers.get(&address)
            && let Some(client) = self.table.get_mut(id)
        {
            client.heard = now;
            client.local = local;
            return Heard::Known(*id);
        }
        let mut gone = None;
        if self.table.len() >= self.most {
            let idlest = self.table.iter().min_by_key(|(_, client)| client.heard);
            match idlest {
                Some((id, client)) if now.since(client.heard) >= SETTLED => gone = Some(*id),
                _ => return Heard::Full,
            }
        }
        if let Some(client) = gone.and_then(|id| self.table.remove(&id)) {
            self.numbers.remove(&client.address);
        }
        let id = ClientId(self.next);
        self.next = self.next.wrapping_add(1);
        self.numbers.insert(address, id);
        self.table.insert(id, Client { address, local, heard: now });
        Heard::New(id, gone)
    }

    /// Where a client is, and which of our addresses it knows.
    pub(super) fn place(&self, id: ClientId) -> Option<(SocketAddr, Option<IpAddr>)> {
        self.table.get(&id).map(|client| (client.address, client.local))
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = ClientId> + '_ {
        self.table.keys().copied()
    }

    /// How many there were in all.
    pub(super) const fn total(&self) -> u32 {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn the_longest_silent_gives_its_place_away_and_only_if_it_was_silent_for_long() {
        let mut clients = Clients::new(2);
        let at = |seconds| Time::ZERO + Duration::from_secs(seconds);
        assert_eq!(clients.hear(at(0), address(1), None), Heard::New(ClientId(0), None));
        assert_eq!(clients.hear(at(1), address(2), None), Heard::New(ClientId(1), None));
        assert_eq!(clients.hear(at(2), address(1), None), Heard::Known(ClientId(0)));
        assert_eq!(clients.hear(at(30), address(3), None), Heard::Full);
        let taken = Heard::New(ClientId(2), Some(ClientId(1)));
        assert_eq!(clients.hear(at(31), address(3), None), taken);
        assert_eq!(clients.place(ClientId(1)), None);
        assert_eq!(clients.place(ClientId(2)), Some((address(3), None)));
        assert_eq!(clients.ids().count(), 2);
        assert_eq!(clients.total(), 3);
    }
}
