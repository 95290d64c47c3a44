//! What holds for every translator, whatever passes through it.

use super::*;
use crate::middlebox::{Dependence, PortRange, Refresh};
use crate::units::Span;
use crate::{ms, secs};
use jsp_proto::ids::Ecn;
use quickcheck::{Arbitrary, Gen, quickcheck};
use std::collections::BTreeSet;

const TIMEOUT: u64 = 20;
const LIMIT: usize = 12;
const LIMIT_PER_HOST: usize = 8;
const PERMISSIONS: usize = 24;

/// What passes, or happens: endpoints are few, so that they meet.
#[derive(Clone, Debug)]
struct Event {
    /// Tenths of a second since the last.
    wait: u8,
    inner: u8,
    remote: u8,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Out,
    In { outer: u8 },
    Hairpin { outer: u8 },
    Rebind,
}

impl Arbitrary for Event {
    fn arbitrary(g: &mut Gen) -> Self {
        let outer = u8::arbitrary(g);
        let what = match u8::arbitrary(g) {
            0..=3 => What::Rebind,
            4..=119 => What::Out,
            120..=219 => What::In { outer },
            _ => What::Hairpin { outer },
        };
        let wait = if bool::arbitrary(g) { 0 } else { u8::arbitrary(g) };
        Self { wait, inner: u8::arbitrary(g), remote: u8::arbitrary(g), what }
    }
}

#[derive(Clone, Debug)]
struct Settings(NatConfig);

impl Arbitrary for Settings {
    fn arbitrary(g: &mut Gen) -> Self {
        const DEPENDENCES: [Dependence; 3] = [
            Dependence::EndpointIndependent,
            Dependence::AddressDependent,
            Dependence::AddressAndPortDependent,
        ];
        const ASSIGNMENTS: [PortAssignment; 3] =
            [PortAssignment::Preserve, PortAssignment::Random, PortAssignment::Sequential];
        let dependence = |g: &mut Gen| *g.choose(&DEPENDENCES).unwrap();
        Self(NatConfig {
            addresses: (1..=1 + u8::arbitrary(g) % 3).map(|n| [203, 0, 113, n].into()).collect(),
            pooling: *g.choose(&[Pooling::Paired, Pooling::Arbitrary]).unwrap(),
            mapping: dependence(g),
            filtering: dependence(g),
            assignment: *g.choose(&ASSIGNMENTS).unwrap(),
            parity: bool::arbitrary(g),
            contiguity: bool::arbitrary(g),
            ports: PortRange::new(1020, 1020 + u16::arbitrary(g) % 20).unwrap(),
            timeout: Span::from(secs(TIMEOUT)),
            well_known_timeout: None,
            refresh: *g
                .choose(&[Refresh::Outbound, Refresh::Both, Refresh::Inbound, Refresh::Never])
                .unwrap(),
            hairpin: *g.choose(&[Hairpin::Off, Hairpin::External, Hairpin::Internal]).unwrap(),
            max_mappings: LIMIT,
            max_mappings_per_host: LIMIT_PER_HOST,
            max_permissions: PERMISSIONS,
        })
    }
}

fn inner_endpoint(n: u8) -> SocketAddr {
    ([10, 0, 0, n % 4], 1018 + u16::from(n / 4 % 8)).into()
}

fn remote_endpoint(n: u8) -> SocketAddr {
    ([198, 51, 100, n % 3], 443 + u16::from(n / 3 % 3)).into()
}

/// A datagram that went through: as it was sent, and as it came out.
struct Passed {
    now: Time,
    what: What,
    sent: (SocketAddr, SocketAddr),
    got: (SocketAddr, SocketAddr),
}

/// Runs the events through a translator, and has `judge` look at it after each; `passed` are all
/// datagrams that it forwarded since it last forgot everything.
fn all(
    settings: Settings,
    seed: u64,
    events: &[Event],
    mut judge: impl FnMut(Time, &Nat, &[Passed]) -> bool,
) -> bool {
    let mut nat = Nat::new(settings.0, &Seed::from_u64(seed)).unwrap();
    let (mut now, mut passed) = (Time::ZERO, Vec::new());
    let mut known: Vec<SocketAddr> = vec!["203.0.113.1:1020".parse().unwrap()];
    events.iter().all(|event| {
        now += ms(u64::from(event.wait) * 100);
        let (inner, remote) = (inner_endpoint(event.inner), remote_endpoint(event.remote));
        let outer = |n: u8| known[usize::from(n) % known.len()];
        let (from, to) = match event.what {
            What::Out => (inner, remote),
            What::In { outer: n } => (remote, outer(n)),
            What::Hairpin { outer: n } => (inner, outer(n)),
            What::Rebind => {
                nat.rebind(now);
                passed.clear();
                return judge(now, &nat, &passed);
            }
        };
        let mut datagram = Datagram { from, to, ecn: Ecn::Ect0, payload: Vec::new() };
        let verdict = match event.what {
            What::In { .. } => nat.inbound(now, &mut datagram),
            What::Hairpin { .. } => nat.hairpin(now, &mut datagram),
            _ => nat.outbound(now, &mut datagram),
        };
        if verdict == Verdict::Forward {
            let got = (datagram.from, datagram.to);
            if matches!(event.what, What::Out) && !known.contains(&got.0) {
                known.push(got.0);
            }
            passed.push(Passed { now, what: event.what, sent: (from, to), got });
        }
        judge(now, &nat, &passed)
    })
}

/// Without what is turned round: it does not always show by which outer endpoint it left.
fn straight(mut events: Vec<Event>) -> Vec<Event> {
    events.retain(|event| !matches!(event.what, What::Hairpin { .. }));
    events
}

quickcheck! {
    fn no_two_inner_endpoints_share_an_outer_one(settings: Settings, seed: u64, events: Vec<Event>) -> bool {
        all(settings, seed, &events, |_, nat, _| {
            let outer: BTreeSet<_> = nat.mappings().map(|mapping| mapping.outer).collect();
            outer.len() == nat.mappings().count()
        })
    }

    fn what_comes_in_reaches_who_last_went_out_there(settings: Settings, seed: u64, events: Vec<Event>) -> bool {
        all(settings, seed, &straight(events), |_, _, passed| match passed.split_last() {
            Some((last, before)) if matches!(last.what, What::In { .. }) => {
                let mut out = before.iter().rev().filter(|one| matches!(one.what, What::Out));
                let left = out.find(|one| one.got.0 == last.sent.1);
                left.is_some_and(|left| left.sent.0 == last.got.1)
            }
            _ => true,
        })
    }

    fn only_who_was_spoken_to_within_the_timeout_comes_in(settings: Settings, seed: u64, events: Vec<Event>) -> bool {
        let (filtering, refresh) = (settings.0.filtering, settings.0.refresh);
        all(settings, seed, &straight(events), |_, _, passed| match passed.split_last() {
            Some((last, before)) if matches!(last.what, What::In { .. }) => {
                let (remote, outer) = last.sent;
                let mut lately = before.iter().filter(|one| last.now - one.now < secs(TIMEOUT));
                lately.any(|one| match one.what {
                    What::Out => {
                        one.got.0 == outer && filtering.of(one.sent.1) == filtering.of(remote)
                    }
                    _ => {
                        refresh.inbound()
                            && one.sent.1 == outer
                            && filtering.of(one.sent.0) == filtering.of(remote)
                    }
                })
            }
            _ => true,
        })
    }

    fn no_mapping_outlives_its_timeout(settings: Settings, seed: u64, events: Vec<Event>) -> bool {
        all(settings, seed, &events, |now, nat, _| {
            nat.mappings().all(|mapping| {
                let Mapping { inner, remote, outer } = mapping;
                let ends = nat.mappings.ends(&Key { inner, remote });
                let within = ends.is_some_and(|ends| now < ends && ends <= now + secs(TIMEOUT));
                within && nat.owners.get(&outer) == Some(&Key { inner, remote })
            })
        })
    }

    fn no_permission_outlives_its_mapping(settings: Settings, seed: u64, events: Vec<Event>) -> bool {
        all(settings, seed, &events, |_, nat, _| {
            nat.permissions.iter().all(|(permission, ())| {
                let owner = nat.owners.get(&permission.0);
                owner.is_some_and(|key| nat.permissions.ends(&permission) <= nat.mappings.ends(key))
            })
        })
    }

    fn memory_is_bounded_and_tables_agree(settings: Settings, seed: u64, events: Vec<Event>) -> bool {
        all(settings, seed, &events, |_, nat, _| {
            nat.mappings.len() <= LIMIT
                && nat.permissions.len() <= PERMISSIONS
                && nat.former.len() <= LIMIT
                && nat.owners.len() == nat.mappings.len()
                && nat.hosts.values().sum::<usize>() == nat.mappings.len()
                && nat.hosts.values().all(|of_host| (1..=LIMIT_PER_HOST).contains(of_host))
        })
    }
}
