//! How connections end: silence, farewells at every moment, and peers that lost their memory.
#![allow(clippy::unwrap_used)] // A story that cannot be told has failed.

use jsp_proto::error::{AppCode, CloseReason};
use jsp_proto::ids::Side;
use jsp_proto::time::{Duration, Time};
use jsp_sim::app::{Asker, Echo, Idle, Sink, Source};
use jsp_sim::link::Link;
use jsp_sim::machine::Session;
use jsp_sim::pair::{Pair, Scenario};
use jsp_sim::world::Outcome;
use jsp_sim::{ms, secs};

const ONE_WAY: Duration = ms(20);

fn link() -> Link {
    Link::new().delay(ONE_WAY)
}

fn at(duration: Duration) -> Time {
    Time::ZERO + duration
}

fn closed(session: Option<&Session>) -> Option<CloseReason> {
    session.and_then(|session| session.closed.as_ref()).map(|(_, reason)| reason.clone())
}

/// A pair that is connected and has nothing to say.
fn connected(scenario: Scenario) -> Pair {
    let mut pair = scenario.start().unwrap();
    let both = |pair: &Pair| {
        [pair.client(), pair.server()].iter().all(|s| s.is_some_and(|s| s.confirmed.is_some()))
    };
    assert_eq!(pair.run_until(both).unwrap(), Outcome::Done);
    pair.world.run_for(ms(200)).unwrap();
    pair
}

/// Nothing is left: no session, no timer, no datagram.
fn is_forgotten(pair: &Pair) -> bool {
    let machines = [pair.client, pair.server].map(|node| pair.world.host(node));
    machines.iter().all(|machine| machine.endpoint().connections() == 0)
}

#[test]
fn a_silent_connection_times_out_at_both_ends_and_is_forgotten() {
    let scenario = Scenario::new(1)
        .link(&link())
        .transport(|transport| transport.idle_timeout = Some(secs(3)))
        .within(secs(30));
    let mut pair = connected(scenario);
    assert_eq!(pair.run_until(is_forgotten).unwrap(), Outcome::Done);
    assert_eq!(closed(pair.client()), Some(CloseReason::IdleTimeout));
    assert_eq!(closed(pair.server()), Some(CloseReason::IdleTimeout));
    assert!((at(secs(3))..at(ms(3_500))).contains(&pair.world.now()), "{:?}", pair.world.now());
}

#[test]
fn keep_alive_keeps_a_silent_connection_alive() {
    let mut scenario = Scenario::new(1)
        .link(&link())
        .transport(|transport| transport.idle_timeout = Some(secs(3)));
    scenario.client_transport.keep_alive = Some(secs(1));
    let mut pair = connected(scenario);
    pair.world.run_for(secs(60)).unwrap();
    assert_eq!((closed(pair.client()), closed(pair.server())), (None, None));
}

#[test]
fn a_transfer_over_a_cut_cable_ends_with_the_idle_timeout() {
    let cut = link().rate(10_000_000).queue(50_000).outage(at(ms(500))..at(secs(1_000)));
    let mut pair = Scenario::new(1)
        .link(&cut)
        .transport(|transport| transport.idle_timeout = Some(secs(5)))
        .client_app(Source::new(1, 10 << 20))
        .server_app(|_| Sink::new(1, 10 << 20))
        .within(secs(30))
        .start()
        .unwrap();
    assert_eq!(pair.run_until(is_forgotten).unwrap(), Outcome::Done);
    assert_eq!(closed(pair.client()), Some(CloseReason::IdleTimeout));
    assert_eq!(closed(pair.server()), Some(CloseReason::IdleTimeout));
}

/// Closes `side` of a busy pair at `time`, and follows both ends to their graves.
fn close_at(seed: u64, side: Side, time: Duration, link: &Link) -> Pair {
    let mut pair = Scenario::new(seed)
        .link(link)
        .client_app(Asker::new(1_000, 500, ms(7)))
        .server_app(|_| Echo::new())
        .within(secs(60))
        .start()
        .unwrap();
    pair.world.run_for(time).unwrap();
    // Nobody can close what does not exist yet.
    let exists = |pair: &Pair| side == Side::Client || pair.server().is_some();
    assert_eq!(pair.run_until(exists).unwrap(), Outcome::Done);
    pair.with_connection(side, |connection, now| connection.close(now, AppCode(7), b"enough"))
        .unwrap_or_else(|failure| panic!("{failure}"));
    let outcome = pair.run_until(is_forgotten).unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(outcome, Outcome::Done, "{side:?} at {time:?}: {:#?}", pair.report(outcome));
    pair
}

#[test]
fn a_client_may_close_at_every_moment() {
    for millis in (0..200).step_by(5) {
        let pair = close_at(1, Side::Client, ms(millis), &link());
        assert_eq!(closed(pair.client()), Some(CloseReason::Local { code: AppCode(7) }));
        // Established at both ends before the farewell left: then the server learns the words.
        if ms(millis) > 3 * ONE_WAY {
            let words = CloseReason::Remote { code: AppCode(7), reason: "enough".into() };
            assert_eq!(closed(pair.server()), Some(words), "at {millis} ms");
        }
    }
}

#[test]
fn a_server_may_close_at_every_moment() {
    for millis in (20..200).step_by(5) {
        let pair = close_at(1, Side::Server, ms(millis), &link());
        assert_eq!(closed(pair.server()), Some(CloseReason::Local { code: AppCode(7) }));
        let told = closed(pair.client());
        if ms(millis) > 3 * ONE_WAY {
            let words = CloseReason::Remote { code: AppCode(7), reason: "enough".into() };
            assert_eq!(told, Some(words), "at {millis} ms");
        } else {
            assert!(told.is_some(), "at {millis} ms");
        }
    }
}

#[test]
fn farewells_under_loss_leave_nothing_behind() {
    for seed in 0..50 {
        let rough = link().loss(0.2).duplicate(0.1).reorder(0.1, ms(30));
        for side in [Side::Client, Side::Server] {
            close_at(seed, side, ms(seed * 10), &rough);
        }
    }
}

#[test]
fn a_server_that_lost_its_memory_resets_the_connection() {
    let mut pair = connected(Scenario::new(1).link(&link()).within(secs(30)));
    pair.restart_server().unwrap();
    pair.with_connection(Side::Client, |connection, _| connection.ping()).unwrap();
    let over = |pair: &Pair| closed(pair.client()).is_some();
    assert_eq!(pair.run_until(over).unwrap(), Outcome::Done);
    assert_eq!(closed(pair.client()), Some(CloseReason::StatelessReset));

    // And takes the same client back.
    let handle = pair.connect_again(Idle::new()).unwrap();
    let again = |pair: &Pair| pair.world.host(pair.client).session(handle).unwrap().is_done();
    assert_eq!(pair.run_until(again).unwrap(), Outcome::Done);
}

#[test]
fn a_transfer_ends_when_its_server_restarts() {
    for seed in 0..10 {
        let mut pair = Scenario::new(seed)
            .link(&link().rate(20_000_000).queue(100_000))
            .client_app(Source::new(2, 5 << 20))
            .server_app(|_| Sink::new(2, 5 << 20))
            .within(secs(60))
            .start()
            .unwrap();
        pair.world.run_for(ms(300 + 50 * seed)).unwrap();
        pair.restart_server().unwrap();
        let over = |pair: &Pair| closed(pair.client()).is_some();
        assert_eq!(pair.run_until(over).unwrap(), Outcome::Done);
        assert_eq!(closed(pair.client()), Some(CloseReason::StatelessReset), "seed {seed}");
    }
}
