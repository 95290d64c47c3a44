//! The core, in virtual time.

use super::*;
use crate::link::{Codel, Link};
use crate::ms;
use jsp_proto::ids::Ecn;
use jsp_proto::time::{Duration, Time};
use quickcheck::{TestResult, quickcheck};
use std::net::SocketAddr;

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn settings(link: Link) -> Settings {
    Settings::new(address(9), link)
}

fn at(millis: u64) -> Time {
    Time::ZERO + ms(millis)
}

/// Sends from the client at port `from`.
fn send(relay: &mut Relay, now: Time, from: u16, payload: &[u8]) {
    relay.from_client(now, (address(from), None), Ecn::Ect0, payload);
}

/// What leaves by `until`, as it comes due.
fn leaving(relay: &mut Relay, until: Time) -> Vec<Departure> {
    let mut left = Vec::new();
    while let Some(time) = relay.next_timeout()
        && time <= until
    {
        relay.handle_timeout(time);
        while let Some(departure) = relay.take_due(time) {
            relay.departed(time, &departure);
            left.push(departure);
        }
    }
    left
}

#[test]
fn datagrams_leave_when_the_link_says_and_to_whom_they_were_sent() {
    let mut relay = Relay::new(&settings(Link::new().delay(ms(25))));
    send(&mut relay, at(0), 1, b"one");
    send(&mut relay, at(1), 2, b"two");
    assert_eq!(relay.poll_change(), Some(Change::Open(ClientId(0))));
    assert_eq!(relay.poll_change(), Some(Change::Open(ClientId(1))));
    assert_eq!(relay.poll_change(), None);
    assert_eq!(relay.next_timeout(), Some(at(25)));
    assert_eq!(relay.take_due(at(25) - Duration::from_nanos(1)), None);
    let left = leaving(&mut relay, at(30));
    let told = left.iter().map(|d| (d.route, d.due, d.payload.as_slice())).collect::<Vec<_>>();
    assert_eq!(
        told,
        [
            (Route::Target(ClientId(0)), at(25), b"one".as_slice()),
            (Route::Target(ClientId(1)), at(26), b"two"),
        ]
    );
    relay.from_target(at(30), ClientId(1), Ecn::Ce, b"answer");
    let left = leaving(&mut relay, at(60));
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].route, Route::Client(address(2), None));
    assert_eq!((left[0].ecn, left[0].due), (Ecn::Ce, at(55)));
}

#[test]
fn clients_share_the_line() {
    // A packet of 1250 bytes takes 10 ms.
    let mut relay = Relay::new(&settings(Link::new().rate(1_000_000).queue(64_000)));
    send(&mut relay, at(0), 1, &[0; 1250 - 28]);
    send(&mut relay, at(0), 2, &[0; 1250 - 28]);
    let due = leaving(&mut relay, at(100)).iter().map(|d| d.due).collect::<Vec<_>>();
    assert_eq!(due, [at(10), at(20)]);
}

#[test]
fn what_was_taken_late_is_told_as_the_proxys_own_error() {
    let mut relay = Relay::new(&settings(Link::new().delay(ms(10))));
    send(&mut relay, at(5), 1, b"x");
    relay.handle_timeout(at(17));
    let departure = relay.take_due(at(17)).unwrap();
    relay.departed(at(17), &departure);
    let near = |got: Option<Duration>, wanted: Duration| {
        got.unwrap().abs_diff(wanted) <= wanted.mul_f64(0.01)
    };
    assert!(near(relay.counts(Way::There).delay(0.5), ms(12)));
    assert!(near(relay.counts(Way::There).error(0.5), ms(2)));
    assert_eq!(relay.counts(Way::Back).error(0.5), None);
}

#[test]
fn a_managed_queue_that_is_looked_at_late_still_tells_the_right_times() {
    let link = Link::new().rate(1_000_000).queue(64_000).codel(Codel::default());
    let mut relay = Relay::new(&settings(link));
    for _ in 0..3 {
        send(&mut relay, at(0), 1, &[0; 1250 - 28]);
    }
    relay.handle_timeout(at(100));
    let mut due = Vec::new();
    while let Some(departure) = relay.take_due(at(100)) {
        due.push(departure.due);
    }
    assert_eq!(due, [at(10), at(20), at(30)]);
}

#[test]
fn rebinding_comes_to_every_client_on_time_and_once_for_what_was_slept_through() {
    let settings = Settings { rebind: Some(ms(100)), ..settings(Link::new()) };
    let mut relay = Relay::new(&settings);
    send(&mut relay, at(0), 1, b"");
    send(&mut relay, at(0), 2, b"");
    leaving(&mut relay, at(1));
    while relay.poll_change().is_some() {}
    assert_eq!(relay.next_timeout(), Some(at(100)));
    relay.handle_timeout(at(350));
    assert_eq!(relay.poll_change(), Some(Change::Rebind(ClientId(0))));
    assert_eq!(relay.poll_change(), Some(Change::Rebind(ClientId(1))));
    assert_eq!(relay.poll_change(), None);
    assert_eq!(relay.next_timeout(), Some(at(400)));
    relay.from_target_to_nobody(b"too late");
    assert_eq!(relay.counts(Way::Back).dropped["no-mapping"], 1);
}

#[test]
fn a_new_client_may_take_the_place_of_a_silent_one_whose_datagrams_are_then_dropped() {
    let settings = Settings { clients: 1, ..settings(Link::new().delay(ms(60_000))) };
    let mut relay = Relay::new(&settings);
    send(&mut relay, at(0), 1, b"old");
    send(&mut relay, at(1), 2, b"refused");
    assert_eq!(relay.counts(Way::There).dropped["exhausted"], 1);
    send(&mut relay, at(40_000), 2, b"new");
    let changes: Vec<_> = std::iter::from_fn(|| relay.poll_change()).collect();
    let (old, new) = (ClientId(0), ClientId(1));
    assert_eq!(changes, [Change::Open(old), Change::Close(old), Change::Open(new)]);
    let left = leaving(&mut relay, at(200_000));
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].route, Route::Target(new));
    assert_eq!(relay.counts(Way::There).dropped["no-mapping"], 1);
}

#[test]
fn memory_is_bounded() {
    let settings = Settings { memory: 10_000, ..settings(Link::new().delay(ms(10))) };
    let mut relay = Relay::new(&settings);
    for _ in 0..15 {
        send(&mut relay, at(0), 1, &[0; 1000]);
    }
    assert_eq!(relay.counts(Way::There).dropped["exhausted"], 5);
    assert_eq!(leaving(&mut relay, at(10)).len(), 10);
    send(&mut relay, at(11), 1, &[0; 1000]);
    assert_eq!(relay.counts(Way::There).dropped["exhausted"], 5);
}

#[test]
fn what_overtakes_is_counted() {
    let mut relay = Relay::new(&settings(Link::new().reorder(1.0, ms(10))));
    send(&mut relay, at(0), 1, b"held");
    assert_eq!(leaving(&mut relay, at(100)).len(), 1);
    assert_eq!(relay.counts(Way::There).overtaken, 0);
    let mut relay = Relay::new(&settings(Link::new().reorder(0.2, ms(20))));
    for i in 0..100 {
        send(&mut relay, at(i), 1, &[i as u8]);
    }
    let order: Vec<_> = leaving(&mut relay, at(1000)).iter().map(|d| d.payload[0]).collect();
    let late = (0..100).filter(|i| order[..*i].iter().any(|before| *before > order[*i])).count();
    assert!(late > 0);
    assert_eq!(relay.counts(Way::There).overtaken, late as u64);
}

#[test]
fn the_seed_decides_who_is_lost() {
    let lost = |seed| {
        let link = Link::new().loss(0.3);
        let settings = Settings { seed: jsp_proto::rng::Seed::from_u64(seed), ..settings(link) };
        let mut relay = Relay::new(&settings);
        (0..50).for_each(|i| send(&mut relay, at(i), 1, &[i as u8]));
        leaving(&mut relay, at(100)).into_iter().map(|d| d.payload[0]).collect::<Vec<_>>()
    };
    assert_eq!(lost(1), lost(1));
    assert_ne!(lost(1), lost(2));
}

quickcheck! {
    fn every_datagram_is_accounted_for(link: Link, gaps: Vec<u16>, len: u8) -> TestResult {
        let mut relay = Relay::new(&settings(link));
        let mut now = Time::ZERO;
        for gap in &gaps {
            now += Duration::from_micros(u64::from(*gap));
            send(&mut relay, now, 1, &vec![0; usize::from(len)]);
        }
        for _ in 0..100_000 {
            let Some(time) = relay.next_timeout() else { break };
            leaving(&mut relay, time);
        }
        if relay.next_timeout().is_some() {
            return TestResult::discard();
        }
        let counts = relay.counts(Way::There);
        let dropped: u64 = counts.dropped.values().sum();
        let whole = counts.came == gaps.len() as u64
            && counts.came + relay.stats(Way::There).duplicated == counts.left + dropped
            && Summary::new(&relay, ms(1)).there.in_flight() == 0;
        TestResult::from_bool(whole)
    }
}
