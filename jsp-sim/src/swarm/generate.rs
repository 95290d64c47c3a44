//! A random scenario from a number.
//!
//! Whatever is drawn, everything must get done in the end, unless an operation ends a connection: what
//! may end it is said in the scenario's expectations, so that whatever else ends one is a finding.

use super::draw::Draw;
use super::feature::{Feature, Features};
use super::network;
use crate::link::{Delay, Stage, StageKind};
use crate::middlebox::{NatConfig, NatKind};
use crate::scenario::{
    Abandon, Action, Address, AddressChange, Admission, At, By, ClockJump, Close, Connection, Echo,
    Ending, ExpectConnection, Gateway, Host, HostFor, Identity, Interface, LateTimers, Limits,
    LinkChange, LinkRef, OnHost, Op, Outage, Path, Read, Reading, Rebind, RefuseSends, Request,
    Scenario, Segments, Send, Transport, Trigger,
};
use crate::units::{BitRate, Size, Span};
use crate::{ms, secs};
use std::collections::BTreeMap;

/// How much all operations of a scenario send together, in bytes.
const VOLUME: u64 = 600_000;
/// How many operations there are at most, faults included.
const OPS: u64 = 10;

const HOME: &str = "home";
const NAT: &str = "nat";
const HOSTS: [&str; 2] = ["client", "server"];

/// The scenario that follows from `seed`.
pub fn generate(seed: u64) -> Scenario {
    let features = Features::draw(seed);
    let mut scenario = Scenario::new(format!("swarm {seed}"));
    scenario.limits = Limits { time: Span::from_millis(1_200_000), events: 3_000_000 };
    lay(seed, &features, &mut scenario);
    for name in HOSTS {
        if let Some(host) = scenario.hosts.get_mut(name) {
            set_up(&mut Draw::new(seed, name), &features, host);
        }
    }
    connect(seed, &features, &mut scenario);
    plan(seed, &features, &mut scenario);
    expect(&features, &mut scenario);
    scenario.give_names();
    scenario
}

/// Links and boxes.
fn lay(seed: u64, features: &Features, scenario: &mut Scenario) {
    let there = network::link(&mut Draw::new(seed, "there"), features);
    let back = if features.has(Feature::Asymmetric) {
        network::link(&mut Draw::new(seed, "back"), features)
    } else {
        there.clone()
    };
    let (there, back) = (LinkRef::Inline(there), LinkRef::Inline(back));
    if !features.has(Feature::Nat) {
        let between = HOSTS.map(Into::into);
        let path = Path { name: "path".into(), between, there, back: Some(back) };
        scenario.paths.push(path);
        return;
    }
    let mut draw = Draw::new(seed, "nat");
    let kinds = [
        NatKind::FullCone,
        NatKind::RestrictedCone,
        NatKind::PortRestrictedCone,
        NatKind::Symmetric,
    ];
    let nat = NatConfig::new(*draw.pick(&kinds));
    let gateway = Gateway {
        inner: HOME.into(),
        outer: crate::scenario::INTERNET.into(),
        up: there,
        down: back,
        nat: Some(nat),
        firewall: None,
        router: None,
    };
    scenario.boxes.insert(NAT.into(), gateway);
    if let Some(client) = scenario.hosts.get_mut("client") {
        client.interfaces = vec![Interface { segment: HOME.into(), ..Interface::default() }];
    }
}

/// A host's settings.
fn set_up(draw: &mut Draw, features: &Features, host: &mut Host) {
    let Host { transport, .. } = host;
    if features.has(Feature::SmallWindows) {
        transport.stream_window = Some(draw.size(2_000, 200_000));
        transport.connection_window = Some(draw.size(4_000, 400_000));
    }
    if features.has(Feature::SmallBuffers) {
        transport.send_buffer = Some(draw.size(4_000, 500_000));
        transport.send_backlog = Some(draw.size(2_000, 100_000));
    }
    if features.has(Feature::FewStreams) {
        transport.max_streams = Some(draw.between(1, 10));
    }
    if features.has(Feature::Timeouts) {
        timeouts(draw, transport);
    }
    if features.has(Feature::ShortIdle) {
        transport.idle_timeout = Some(draw.span(secs(1), secs(8)));
    }
    if features.has(Feature::Mtus) {
        transport.mtu_max = Some(Size::new(*draw.pick(&[1200, 1350, 1452, 4000, 9000])));
        transport.ecn = Some(draw.one_in(2));
    }
    if features.has(Feature::Retry) {
        host.admission = Admission::Retry;
    }
    if features.has(Feature::SlowSigning) {
        host.sign_delay = draw.span(ms(1), ms(300));
    }
    if features.has(Feature::Segments) {
        host.segments = *draw.pick(&[1, 2, 10, 64]);
    }
    if features.has(Feature::Ed25519) {
        host.identity = Identity::Ed25519;
    }
}

fn timeouts(draw: &mut Draw, transport: &mut Transport) {
    transport.idle_timeout = Some(draw.span(secs(20), secs(60)));
    transport.ack_delay = Some(draw.span(ms(1), ms(100)));
    transport.initial_rtt = Some(draw.span(ms(5), ms(500)));
    if draw.one_in(2) {
        transport.keep_alive = Some(draw.span(ms(500), secs(15)));
    }
}

fn connect(seed: u64, features: &Features, scenario: &mut Scenario) {
    let mut draw = Draw::new(seed, "connections");
    let more = if features.has(Feature::Connections) { draw.between(1, 3) } else { 0 };
    for i in 1..=more {
        let at = draw.span(ms(1), secs(2));
        // A server behind a translator cannot be reached.
        let turned = !features.has(Feature::Nat) && draw.one_in(3);
        let [from, to] = if turned { ["server", "client"] } else { HOSTS }.map(Into::into);
        scenario.connections.push(Connection { name: format!("c{i}"), from, to, at, after: None });
    }
}

/// Operations on connections and faults of hosts and network.
fn plan(seed: u64, features: &Features, scenario: &mut Scenario) {
    use Feature as F;
    let deeds = features.among(&[F::Send, F::Request, F::Echo]);
    let rest = features.among(&[
        F::Ping,
        F::UpdateKeys,
        F::Reset,
        F::Stop,
        F::Read,
        F::Close,
        F::Forge,
        F::Stall,
        F::ClockJump,
        F::ClockStop,
        F::LateTimers,
        F::Segments,
        F::RefuseSends,
        F::FillSocket,
        F::LinkChange,
        F::Outage,
        F::Restart,
        F::Address,
        F::Rebind,
    ]);
    let deeds = if deeds.is_empty() { vec![F::Send] } else { deeds };
    let mut draw = Draw::new(seed, "plan");
    let count = draw.between(1, OPS);
    let mut left = VOLUME;
    for i in 0..count {
        let name = format!("op{}", i + 1);
        // What happens is drawn from a stream of its own, so that one more choice changes no other.
        let mut own = Draw::new(seed, &name);
        let deed = rest.is_empty() || own.one_in(2);
        let feature = *own.pick(if deed { &deeds } else { &rest });
        let Some(action) = action(&mut own, feature, scenario, &mut left) else { continue };
        let latest = if own.one_in(5) { secs(20) } else { secs(4) };
        let at = own.span(ms(1), latest);
        let mut op = Op::new(name, at, action);
        if let Some(on) = op.action.connection()
            && own.one_in(3)
        {
            op.after = Some(Trigger::Connected(on.into()));
            op.at = own.span(ms(1) / 10, ms(200));
        }
        scenario.ops.push(op);
    }
}

fn action(
    draw: &mut Draw,
    feature: Feature,
    scenario: &Scenario,
    left: &mut u64,
) -> Option<Action> {
    let on = draw.pick(&scenario.connections).name.clone();
    let by = *draw.pick(&[By::Client, By::Server]);
    let host = (*draw.pick(&HOSTS)).to_owned();
    let at = At { on: on.clone(), by };
    Some(match feature {
        Feature::Send => {
            let (streams, size) = volume(draw, left)?;
            Action::Send(Send { on, by, streams, size })
        }
        Feature::Request => {
            let (streams, answer) = volume(draw, left)?;
            let gap = gap(draw);
            Action::Request(Request { on, by, streams, gap, size: draw.size(1, 5_000), answer })
        }
        Feature::Echo => {
            let (streams, size) = volume(draw, left)?;
            let gap = gap(draw);
            // Whoever echoes reads no more than it can write. If both ends did, each would wait for the
            // other to read, with windows full of what neither can echo.
            Action::Echo(Echo { on, by: By::Client, streams, gap, size })
        }
        Feature::Ping => Action::Ping(at),
        Feature::UpdateKeys => Action::UpdateKeys(at),
        Feature::Forge => Action::Forge(at),
        Feature::Reset | Feature::Stop => {
            let abandon = Abandon { of: opener(draw, scenario)?, by: None };
            let stop = feature == Feature::Stop;
            if stop { Action::Stop(abandon) } else { Action::Reset(abandon) }
        }
        Feature::Read => Action::Read(Read { on, by, how: reading(draw) }),
        Feature::Close => Action::Close(Close { on, by, code: draw.between(0, 100) }),
        Feature::Stall => Action::Stall(HostFor { host, lasting: draw.span(ms(1), secs(3)) }),
        Feature::ClockJump => Action::ClockJump(ClockJump { host, by: draw.span(ms(1), secs(3)) }),
        Feature::ClockStop => {
            Action::ClockStop(HostFor { host, lasting: draw.span(ms(1), secs(2)) })
        }
        Feature::LateTimers => {
            let (by, lasting) = (draw.span(ms(1), ms(60)), draw.span(ms(100), secs(20)));
            Action::LateTimers(LateTimers { host, by, lasting })
        }
        Feature::Segments => Action::Segments(Segments { host, most: *draw.pick(&[1, 2, 7, 64]) }),
        Feature::RefuseSends => {
            let (share, lasting) = (draw.share(10, 500), draw.span(ms(10), secs(2)));
            Action::RefuseSends(RefuseSends { host, share, lasting })
        }
        Feature::FillSocket => {
            Action::FillSocket(HostFor { host, lasting: draw.span(ms(1), secs(1)) })
        }
        Feature::Outage => Action::Outage(Outage {
            of: place(draw, scenario),
            lasting: draw.span(ms(10), secs(4)),
        }),
        Feature::LinkChange => {
            let delay = Delay { base: draw.span(ms(1) / 10, ms(200)), ..Delay::default() };
            let mut stage = Stage::from(StageKind::Delay(delay));
            stage.name = Some("delay".into());
            let of = place(draw, scenario);
            Action::Link(LinkChange { of, remove: Vec::new(), set: vec![stage], before: None })
        }
        Feature::Restart => Action::Restart(OnHost { host }),
        Feature::Address => Action::Address(Address {
            host,
            interface: "eth0".into(),
            change: *draw.pick(&[AddressChange::Vanishes, AddressChange::Appears]),
        }),
        Feature::Rebind if scenario.boxes.contains_key(NAT) => {
            Action::Rebind(Rebind { gateway: NAT.into() })
        }
        _ => return None,
    })
}

/// How many streams of which size, of what is left to be sent.
fn volume(draw: &mut Draw, left: &mut u64) -> Option<(u64, Size)> {
    let streams = *draw.pick(&[1, 1, 1, 2, 3, 8, 20]);
    let most = *left / streams;
    if most < 2 {
        return None;
    }
    let size = draw.scale(1, most.min(300_000));
    *left -= size * streams;
    Some((streams, Size::new(size)))
}

fn gap(draw: &mut Draw) -> Span {
    if draw.one_in(2) { Span::default() } else { draw.span(ms(1), ms(300)) }
}

fn reading(draw: &mut Draw) -> Reading {
    match draw.between(0, 3) {
        0 => Reading::Freely,
        1 => Reading::Pause(draw.span(ms(10), secs(5))),
        2 => Reading::Rate(BitRate::new(draw.scale(200_000, 20_000_000))),
        _ => Reading::Every(draw.span(ms(1), ms(300))),
    }
}

/// An operation that opens streams.
fn opener(draw: &mut Draw, scenario: &Scenario) -> Option<String> {
    let opens =
        |op: &&Op| matches!(op.action, Action::Send(_) | Action::Request(_) | Action::Echo(_));
    let openers: Vec<_> = scenario.ops.iter().filter(opens).collect();
    (!openers.is_empty()).then(|| draw.pick(&openers).name.clone())
}

/// Where something happens to the network.
fn place(draw: &mut Draw, scenario: &Scenario) -> String {
    let (of, ways) = if scenario.boxes.contains_key(NAT) {
        (NAT, ["", ".up", ".down"])
    } else {
        ("path", ["", ".there", ".back"])
    };
    format!("{of}{}", draw.pick(&ways))
}

/// Which connections may end, and how.
fn expect(features: &Features, scenario: &mut Scenario) {
    let mut may = BTreeMap::<String, Vec<Ending>>::new();
    let mut allow = |name: &str, endings: &[Ending]| {
        may.entry(name.to_owned()).or_default().extend(endings);
    };
    let lost = [Ending::Idle, Ending::HandshakeTimeout, Ending::StatelessReset];
    for op in &scenario.ops {
        match &op.action {
            Action::Close(Close { on, .. }) => {
                // A farewell may be lost.
                allow(on, &[Ending::Closed, Ending::Idle, Ending::HandshakeTimeout]);
            }
            Action::Forge(At { on, .. }) => {
                allow(on, &[Ending::Error, Ending::Idle]);
            }
            // Until connections move with their addresses, they end when these change.
            Action::Restart(_) | Action::Address(_) | Action::Rebind(_) => {
                scenario.connections.iter().for_each(|c| allow(&c.name, &lost));
            }
            _ => {}
        }
    }
    if features.has(Feature::ShortIdle) {
        scenario.connections.iter().for_each(|c| allow(&c.name, &[Ending::Idle]));
    }
    // A handshake that is unlucky for ten seconds is given up.
    let rough = [Feature::Outage, Feature::Blackout, Feature::Stall, Feature::ClockJump];
    if !features.among(&rough).is_empty() {
        for host in scenario.hosts.values_mut() {
            host.transport.handshake_timeout = Some(Span::from_millis(60_000));
        }
    }
    for (name, mut may_end) in may {
        may_end.sort_unstable();
        may_end.dedup();
        let expected = ExpectConnection { may_end, ..ExpectConnection::default() };
        scenario.expect.connections.insert(name, expected);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_scenario_is_valid_and_comes_back_from_its_text() {
        for seed in 0..300 {
            let scenario = generate(seed);
            let text = scenario.to_toml();
            let parsed = Scenario::from_toml("swarm.toml", &text);
            let parsed = parsed.unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
            assert_eq!(parsed, scenario, "seed {seed}:\n{text}");
        }
    }

    #[test]
    fn every_action_is_drawn_and_no_run_does_everything() {
        let mut seen = BTreeSet::new();
        for seed in 0..2000 {
            let scenario = generate(seed);
            let own: BTreeSet<_> = scenario.ops.iter().map(|op| op.action.name()).collect();
            assert!(own.len() <= 10);
            seen.extend(own);
        }
        let missing: Vec<_> = Action::NAMES.iter().filter(|name| !seen.contains(*name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
