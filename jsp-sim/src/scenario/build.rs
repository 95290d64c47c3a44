//! From a scenario and a seed to a world: hosts at their places, links and boxes between them.
//!
//! Every seed is drawn by a name: a host's, a box's, a link's place. What is left out elsewhere
//! changes none.

use super::host::{Admission, Host, Identity, Transport};
use super::model::{Gateway, INTERNET, Scenario};
use super::place::{Place, Way};
use crate::app::{App, Player};
use crate::datagram::NodeId;
use crate::keys::Keys;
use crate::machine::{self, Machine};
use crate::middlebox::{Firewall, Middlebox, Nat};
use crate::network::{BoxId, InterfaceId, LineRef, SegmentId};
use crate::units::{Size, Span};
use crate::world::World;
use jsp_proto::connection::TransportConfig;
use jsp_proto::crypto::Secret;
use jsp_proto::crypto::rustcrypto::RustCrypto;
use jsp_proto::endpoint::{ClientConfig, EndpointConfig, Incoming, ServerConfig};
use jsp_proto::error::AppCode;
use jsp_proto::handshake::{self, IdentitySet, Pinned};
use jsp_proto::path::MtuConfig;
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::stream::StreamConfig;
use jsp_proto::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// A scenario's world, and what is where in it.
pub(super) struct Built {
    pub(super) world: World<Machine>,
    pub(super) nodes: BTreeMap<String, NodeId>,
    /// By host and the interface's own name, with the address that it has or would have.
    pub(super) interfaces: BTreeMap<(String, String), (InterfaceId, IpAddr)>,
    pub(super) boxes: BTreeMap<String, BoxId>,
    pub(super) lines: BTreeMap<Place, Vec<LineRef>>,
    seed: Seed,
}

impl Built {
    /// Builds what a scenario describes, which has been checked.
    pub(super) fn new(scenario: &Scenario, seed: u64) -> Self {
        let seed = Seed::from_u64(seed);
        let mut built = Self {
            world: World::new(&seed),
            nodes: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            boxes: BTreeMap::new(),
            lines: BTreeMap::new(),
            seed,
        };
        let network = built.world.network_mut();
        let segments: BTreeMap<&str, SegmentId> =
            scenario.segments().map(|name| (name, network.add_segment())).collect();
        let mut addresses = Addresses::new(scenario);
        for (name, gateway) in &scenario.boxes {
            built.add_box(scenario, &segments, &mut addresses, name, gateway);
        }
        for (name, host) in &scenario.hosts {
            built.add_host(scenario, &segments, &mut addresses, name, host);
        }
        built.lay_paths(scenario);
        built
    }

    fn add_box(
        &mut self,
        scenario: &Scenario,
        segments: &BTreeMap<&str, SegmentId>,
        addresses: &mut Addresses,
        name: &str,
        gateway: &Gateway,
    ) {
        let Some((inner, outer)) =
            segments.get(gateway.inner.as_str()).zip(segments.get(gateway.outer.as_str()))
        else {
            return;
        };
        let Some(middlebox) = self.middlebox(addresses, name, gateway) else { return };
        let link = |link| scenario.link(link).cloned().unwrap_or_default();
        let (up, down) = (link(&gateway.up), link(&gateway.down));
        let network = self.world.network_mut();
        let id = network.join(name, *inner, *outer, middlebox, up, down);
        let interface = network.box_interface(id);
        self.boxes.insert(name.into(), id);
        self.add_line(name, Way::Up, LineRef::Up(interface));
        self.add_line(name, Way::Down, LineRef::Down(interface));
    }

    fn middlebox(
        &self,
        addresses: &mut Addresses,
        name: &str,
        gateway: &Gateway,
    ) -> Option<Box<dyn Middlebox>> {
        if let Some(config) = &gateway.nat {
            let mut config = config.clone();
            if config.addresses.is_empty() {
                config.addresses.push(addresses.next(&gateway.outer));
            }
            let nat = Nat::new(config, &self.seed_of("box", name)).ok()?;
            return Some(Box::new(nat));
        }
        if let Some(config) = &gateway.firewall {
            return Some(Box::new(Firewall::new(config.clone()).ok()?));
        }
        Some(Box::new(gateway.router.clone()?))
    }

    fn add_host(
        &mut self,
        scenario: &Scenario,
        segments: &BTreeMap<&str, SegmentId>,
        addresses: &mut Addresses,
        name: &str,
        host: &Host,
    ) {
        let places: Vec<_> = host
            .interfaces
            .iter()
            .map(|at| at.address.unwrap_or_else(|| addresses.next(&at.segment)))
            .collect();
        let present = host.interfaces.iter().zip(&places).find(|(at, _)| at.present);
        let address = present.map(|(_, address)| *address).or(places.first().copied());
        let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let mut machine = Machine::new(
            self.endpoint(name),
            &self.seed_of("host", name),
            SocketAddr::new(address, host.port),
        );
        machine.add_key(keys(host.identity).signer);
        machine.set_sign_delay(host.sign_delay.duration());
        machine.set_segments(host.segments);
        let admission = match host.admission {
            Admission::Accept => machine::Admission::Accept,
            Admission::Retry => machine::Admission::Retry,
            Admission::Refuse => machine::Admission::Refuse,
            Admission::Ignore => machine::Admission::Ignore,
        };
        machine.serve(&server_config(host), admission, players(scenario));
        let node = self.world.add_named(name, machine);
        self.nodes.insert(name.into(), node);
        for (at, address) in host.interfaces.iter().zip(places) {
            let link = |link| scenario.link(link).cloned().unwrap_or_default();
            let (up, down) = (link(&at.up), link(&at.down));
            let Some(segment) = segments.get(at.segment.as_str()) else { continue };
            let there = at.present.then_some(address);
            let id = self.world.network_mut().attach(node, *segment, there, up, down);
            self.interfaces.insert((name.into(), at.name.clone()), (id, address));
            let of = format!("{name}.{}", at.name);
            self.add_line(&of, Way::Up, LineRef::Up(id));
            self.add_line(&of, Way::Down, LineRef::Down(id));
        }
    }

    fn lay_paths(&mut self, scenario: &Scenario) {
        for path in &scenario.paths {
            let ends = path.between.each_ref().map(|name| &scenario.hosts[name]);
            for a in &ends[0].interfaces {
                for b in ends[1].interfaces.iter().filter(|b| b.segment == a.segment) {
                    let id = |host: &String, at: &String| {
                        self.interfaces.get(&(host.clone(), at.clone())).map(|(id, _)| *id)
                    };
                    let between = id(&path.between[0], &a.name).zip(id(&path.between[1], &b.name));
                    let Some((a, b)) = between else { continue };
                    let back = path.back.as_ref().unwrap_or(&path.there);
                    for (way, line, link) in [
                        (Way::There, LineRef::Path(a, b), &path.there),
                        (Way::Back, LineRef::Path(b, a), back),
                    ] {
                        let link = scenario.link(link).cloned().unwrap_or_default();
                        self.world.network_mut().set_link(line, link);
                        self.add_line(&path.name, way, line);
                    }
                }
            }
        }
    }

    fn add_line(&mut self, of: &str, way: Way, line: LineRef) {
        self.lines.entry(Place { of: of.into(), way }).or_default().push(line);
    }

    /// A seed for what has this name.
    pub(super) fn seed_of(&self, kind: &str, name: &str) -> Seed {
        Rng::new(&self.seed, &format!("{kind} {name}")).seed()
    }

    /// An endpoint's settings: what it keeps across a restart is its reset key.
    pub(super) fn endpoint(&self, host: &str) -> EndpointConfig {
        let mut config = EndpointConfig::new(Arc::new(RustCrypto));
        let mut rng = Rng::new(&self.seed_of("host", host), "reset key");
        config.reset_key = Some(Secret::new(rng.array()));
        config
    }

    /// Where a host that connects from another finds it.
    pub(super) fn address_of(&self, scenario: &Scenario, from: &str, to: &str) -> SocketAddr {
        let (from, host) = (&scenario.hosts[from], &scenario.hosts[to]);
        let near = |segment: &String| from.interfaces.iter().any(|at| at.segment == *segment);
        let near = host.interfaces.iter().find(|at| at.present && near(&at.segment));
        let outside = || host.interfaces.iter().find(|at| at.segment == INTERNET);
        let at = near.or_else(outside).or(host.interfaces.first());
        let key = at.map(|at| (to.to_owned(), at.name.clone()));
        let known = key.and_then(|key| self.interfaces.get(&key));
        let address = known.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |(_, address)| *address);
        SocketAddr::new(address, host.port)
    }
}

/// Addresses that nobody has asked for: from the range for benchmarks in the internet (RFC 2544), from
/// 10.0.0.0/8 behind boxes.
struct Addresses {
    taken: BTreeSet<(String, IpAddr)>,
    given: BTreeMap<String, u32>,
}

impl Addresses {
    fn new(scenario: &Scenario) -> Self {
        let mut taken = BTreeSet::new();
        for at in scenario.hosts.values().flat_map(|host| &host.interfaces) {
            taken.extend(at.address.map(|address| (at.segment.clone(), address)));
        }
        for gateway in scenario.boxes.values() {
            let pool = gateway.nat.iter().flat_map(|nat| &nat.addresses);
            taken.extend(pool.map(|address| (gateway.outer.clone(), *address)));
        }
        Self { taken, given: BTreeMap::new() }
    }

    fn next(&mut self, segment: &str) -> IpAddr {
        let base = if segment == INTERNET { [198, 18, 0, 0] } else { [10, 0, 0, 0] };
        let given = self.given.entry(segment.into()).or_default();
        loop {
            *given += 1;
            let address = IpAddr::from(Ipv4Addr::from(u32::from_be_bytes(base) + *given));
            if self.taken.insert((segment.into(), address)) {
                return address;
            }
        }
    }
}

/// The keys of all hosts with this kind of identity: made once per process.
fn keys(identity: Identity) -> Keys {
    match identity {
        Identity::Hybrid => Keys::server(),
        Identity::Ed25519 => Keys::constrained(),
    }
}

fn server_config(host: &Host) -> ServerConfig {
    let identities = IdentitySet::single(keys(host.identity).identity);
    let handshake = handshake::ServerConfig::new(Arc::new(RustCrypto), identities);
    ServerConfig { handshake: Arc::new(handshake), transport: Arc::new(transport(&host.transport)) }
}

/// How `from` connects to `to`: it asks for a server of the connection's name, so that both ends know
/// which connection it is.
pub(super) fn client_config(from: &Host, to: &Host, connection: &str) -> ClientConfig {
    // The fingerprint says of which kind the identity is.
    let pin = Pinned::new(keys(to.identity).identity.fingerprint()).allow_ed25519_only();
    let pin = Arc::new(pin);
    let mut handshake = handshake::ClientConfig::new(Arc::new(RustCrypto), pin);
    handshake.server_name = connection.parse().unwrap_or_default();
    ClientConfig { handshake: Arc::new(handshake), transport: Arc::new(transport(&from.transport)) }
}

/// The player for an end of a connection, which knows with what codes streams may be given up.
pub(super) fn player(codes: &[AppCode], connection: &str) -> Player {
    let mut player = Player::new().named(connection);
    for code in codes {
        player.allow(*code);
    }
    player
}

fn players(scenario: &Scenario) -> machine::AppFactory {
    let codes = super::run::codes(scenario);
    Box::new(move |incoming: &Incoming| {
        let app: Box<dyn App> = Box::new(player(&codes, incoming.hello().server_name.as_str()));
        app
    })
}

/// The engine's settings where nothing else is said.
pub(super) fn transport(settings: &Transport) -> TransportConfig {
    let default = TransportConfig::default();
    let time = |span: Option<Span>, usual: Duration| span.map_or(usual, Span::duration);
    let never = |span: Option<Span>, usual: Option<Duration>| match span {
        Some(span) => (!span.is_zero()).then(|| span.duration()),
        None => usual,
    };
    let bytes = |size: Option<Size>, usual: u64| size.map_or(usual, Size::bytes);
    let held = |size: Option<Size>, usual: usize| {
        size.map_or(usual, |size| usize::try_from(size.bytes()).unwrap_or(usize::MAX))
    };
    let datagram = |size: Option<Size>, usual: u16| {
        size.map_or(usual, |size| u16::try_from(size.bytes()).unwrap_or(u16::MAX))
    };
    let streams = default.streams;
    let min = datagram(settings.mtu_min, default.mtu.min);
    let max = datagram(settings.mtu_max, default.mtu.max).max(min);
    TransportConfig {
        idle_timeout: never(settings.idle_timeout, default.idle_timeout),
        handshake_timeout: time(settings.handshake_timeout, default.handshake_timeout),
        keep_alive: never(settings.keep_alive, default.keep_alive),
        max_ack_delay: time(settings.ack_delay, default.max_ack_delay),
        initial_rtt: time(settings.initial_rtt, default.initial_rtt),
        mtu: MtuConfig { min, max, ..default.mtu },
        streams: StreamConfig {
            max_streams: settings.max_streams.map_or(streams.max_streams, |n| [n; 2]),
            stream_window: bytes(settings.stream_window, streams.stream_window),
            stream_window_max: bytes(settings.stream_window_max, streams.stream_window_max),
            connection_window: bytes(settings.connection_window, streams.connection_window),
            connection_window_max: bytes(
                settings.connection_window_max,
                streams.connection_window_max,
            ),
            send_buffer: held(settings.send_buffer, streams.send_buffer),
            send_backlog: held(settings.send_backlog, streams.send_backlog),
        },
        ecn: settings.ecn.unwrap_or(default.ecn),
        ..default
    }
}
