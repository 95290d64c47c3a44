//! Scenarios for properties: any that make sense, however strange.

use super::*;
use crate::link::Link;
use crate::share::Share;
use crate::units::{BitRate, Size, Span};
use quickcheck::{Arbitrary, Gen};
use std::net::IpAddr;

/// One of a few.
fn one<T: Clone>(g: &mut Gen, of: &[T]) -> T {
    g.choose(of).unwrap().clone()
}

/// Something or nothing.
fn maybe<T>(g: &mut Gen, some: impl FnOnce(&mut Gen) -> T) -> Option<T> {
    bool::arbitrary(g).then(|| some(g))
}

/// A name that is not taken, with what TOML has to quote.
fn names(g: &mut Gen, most: usize) -> Vec<String> {
    let n = usize::arbitrary(g) % (most + 1);
    let stem = |g: &mut Gen| one(g, &["a", "phone", "the server", "ü\"\\", "x-1", "\n"]);
    (0..n).map(|i| format!("{} {i}", stem(g))).collect()
}

/// A time within the limit.
fn span(g: &mut Gen) -> Span {
    Span::from_nanos(u64::arbitrary(g) % 1_000_000_000)
}

fn size(g: &mut Gen) -> Size {
    Size::new(u64::from(u32::arbitrary(g)))
}

fn link(g: &mut Gen, links: &[String]) -> LinkRef {
    match maybe(g, |g| g.choose(links).cloned()).flatten() {
        Some(name) => LinkRef::Named(name),
        None => LinkRef::Inline(one(g, &[Link::default(), Link::arbitrary(&mut Gen::new(3))])),
    }
}

fn interface(g: &mut Gen, name: String, links: &[String]) -> Interface {
    let (up, down) = (link(g, links), link(g, links));
    Interface { name, up, down, present: bool::arbitrary(g), ..Interface::default() }
}

fn transport(g: &mut Gen) -> Transport {
    Transport {
        idle_timeout: maybe(g, span),
        keep_alive: maybe(g, span),
        ack_delay: maybe(g, span),
        mtu_max: maybe(g, size),
        ecn: maybe(g, bool::arbitrary),
        max_streams: maybe(g, |g| u64::from(u32::arbitrary(g))),
        send_buffer: maybe(g, size),
        ..Transport::default()
    }
}

fn host(g: &mut Gen, links: &[String]) -> Host {
    let mut names = names(g, 2);
    names.push("eth0".into());
    Host {
        interfaces: names.into_iter().map(|name| interface(g, name, links)).collect(),
        port: u16::arbitrary(g),
        admission: one(g, &[Admission::Accept, Admission::Retry, Admission::Ignore]),
        identity: one(g, &[Identity::Hybrid, Identity::Ed25519]),
        sign_delay: one(g, &[Span::default(), Span::from_millis(3)]),
        segments: 1 + usize::arbitrary(g) % 64,
        transport: transport(g),
    }
}

fn trigger(g: &mut Gen, connection: &str) -> Trigger {
    match u8::arbitrary(g) % 4 {
        0 => Trigger::Connected(connection.into()),
        1 => Trigger::Closed(connection.into()),
        2 => Trigger::Delivered(Delivered { on: connection.into(), bytes: size(g) }),
        _ => Trigger::Sent(u64::from(u16::arbitrary(g))),
    }
}

fn action(g: &mut Gen, on: &str, host: &str, opener: Option<&str>) -> Action {
    let (on, host) = (on.to_owned(), host.to_owned());
    let by = one(g, &[By::Client, By::Server]);
    let lasting = span(g);
    let streams = 1 + u64::from(u8::arbitrary(g));
    let abandon = opener.map(|of| Abandon { of: of.into(), by: None });
    match (u8::arbitrary(g) % 22, abandon) {
        (0, _) => Action::Request(Request {
            on,
            by,
            streams,
            gap: span(g),
            size: size(g),
            answer: size(g),
        }),
        (1, _) => Action::Echo(Echo { on, by, streams, gap: Span::default(), size: size(g) }),
        (2, _) => Action::Ping(At { on, by }),
        (3, _) => Action::UpdateKeys(At { on, by }),
        (4, Some(abandon)) => Action::Reset(abandon),
        (5, Some(abandon)) => Action::Stop(abandon),
        (6, _) => Action::Close(Close { on, by, code: u64::from(u32::arbitrary(g)) }),
        (7, _) => {
            let how = [
                Reading::Freely,
                Reading::Pause(lasting),
                Reading::Rate(BitRate::new(64_000)),
                Reading::Every(lasting),
            ];
            Action::Read(Read { on, by, how: one(g, &how) })
        }
        (8, _) => Action::Forge(At { on, by }),
        (9, _) => Action::Stall(HostFor { host, lasting }),
        (10, _) => Action::ClockJump(ClockJump { host, by: span(g) }),
        (11, _) => Action::ClockStop(HostFor { host, lasting }),
        (12, _) => Action::LateTimers(LateTimers { host, by: span(g), lasting }),
        (13, _) => Action::Segments(Segments { host, most: 1 }),
        (14, _) => Action::RefuseSends(RefuseSends { host, share: Share::arbitrary(g), lasting }),
        (15, _) => Action::FillSocket(HostFor { host, lasting }),
        (16, _) => Action::Restart(OnHost { host }),
        (17, _) => {
            let address = IpAddr::from(u32::arbitrary(g).to_be_bytes());
            let changes =
                [AddressChange::Appears, AddressChange::Vanishes, AddressChange::Becomes(address)];
            Action::Address(Address { host, interface: "eth0".into(), change: one(g, &changes) })
        }
        (18, _) => {
            let set = Link::arbitrary(&mut Gen::new(3)).stages().to_vec();
            let remove = names(g, 2);
            Action::Link(LinkChange { of: host, remove, set, before: maybe(g, |_| "x".into()) })
        }
        (19, _) => Action::Outage(Outage { of: format!("{host}.eth0.up"), lasting }),
        _ => Action::Send(Send { on, by, streams, size: size(g) }),
    }
}

impl Arbitrary for Scenario {
    fn arbitrary(g: &mut Gen) -> Self {
        let mut scenario = Self::new(one(g, &["", "a \"scenario\"", "several\nlines"]));
        scenario.about = one(g, &["", "what it is for"]).into();
        scenario.limits.events = u64::from(u32::arbitrary(g));
        let links: Vec<_> = names(g, 3).iter().map(|name| format!("link {name}")).collect();
        for name in &links {
            scenario.links.insert(name.clone(), Link::arbitrary(&mut Gen::new(4)));
        }
        if bool::arbitrary(g) {
            scenario.hosts.clear();
            let names = names(g, 3);
            for name in names.into_iter().chain(["a".into(), "b".into()]) {
                scenario.hosts.insert(name, host(g, &links));
            }
            scenario.connections.clear();
        }
        let hosts: Vec<_> = scenario.hosts.keys().cloned().collect();
        let [first, second] = [&hosts[0], &hosts[1]].map(Clone::clone);
        for name in names(g, 2).iter().map(|name| format!("path {name}")) {
            let back = maybe(g, |g| link(g, &links));
            let there = link(g, &links);
            scenario.paths.push(Path {
                name,
                between: [first.clone(), second.clone()],
                there,
                back,
            });
        }
        for name in names(g, 2).into_iter().chain(["c0".into()]) {
            if scenario.connection(&name).is_none() {
                let after = None;
                let (from, to) = (first.clone(), second.clone());
                scenario.connections.push(Connection { name, from, to, at: span(g), after });
            }
        }
        let connections: Vec<_> = scenario.connections.iter().map(|c| c.name.clone()).collect();
        let mut opener = None;
        for name in names(g, 12) {
            let (on, host) = (one(g, &connections), one(g, &hosts));
            let action = action(g, &on, &host, opener.as_deref());
            if matches!(action, Action::Send(_) | Action::Echo(_)) {
                opener = Some(name.clone());
            }
            let after = maybe(g, |g| trigger(g, &on));
            scenario.ops.push(Op { name, at: span(g), after, action });
        }
        if bool::arbitrary(g) {
            let expected = ExpectConnection {
                ends: maybe(g, |_| Ending::Idle),
                may_end: maybe(g, |_| Ending::StatelessReset).into_iter().collect(),
                handshake: maybe(g, span),
                goodput: None,
            };
            let connections = [(one(g, &connections), expected)].into();
            scenario.expect =
                Expect { done: bool::arbitrary(g), within: maybe(g, span), connections };
        }
        scenario
    }
}
