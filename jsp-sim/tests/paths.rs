//! What paths do beside losing datagrams: large and shrinking MTUs, marks, answers under delay.
#![allow(clippy::unwrap_used)] // A story that cannot be told has failed.

use jsp_proto::time::{Duration, Time};
use jsp_sim::app::{Asker, Echo, Sink, Source};
use jsp_sim::link::Link;
use jsp_sim::machine::Session;
use jsp_sim::pair::{Pair, Report, Scenario};
use jsp_sim::world::Outcome;
use jsp_sim::{ms, secs};

const SIZE: u64 = 4 << 20;

fn upload(seed: u64, link: &Link) -> Scenario {
    Scenario::new(seed)
        .link(link)
        .client_app(Source::new(1, SIZE))
        .server_app(|_| Sink::new(1, SIZE))
        .within(secs(60))
}

fn run(scenario: Scenario) -> Report {
    let report = scenario.run().unwrap_or_else(|failure| panic!("{failure}"));
    assert!(report.is_success(), "{report:#?}");
    report
}

fn fast() -> Link {
    Link::new().delay(ms(5)).rate(200_000_000).queue(500_000)
}

fn mtu(report: &Report) -> usize {
    report.client.as_ref().map_or(0, |client| usize::from(client.stats.path.mtu))
}

#[test]
fn the_mtu_of_an_ethernet_path_is_found() {
    let report = run(upload(1, &fast().mtu(1500)));
    assert!((1440..=1472).contains(&mtu(&report)), "{}", mtu(&report));
}

#[test]
fn a_jumbo_path_is_used_as_far_as_the_configuration_allows() {
    let report = run(upload(1, &fast().mtu(9028)).transport(|t| t.mtu.max = 9000));
    assert!((8900..=9000).contains(&mtu(&report)), "{}", mtu(&report));
}

#[test]
fn a_path_that_shrinks_under_a_transfer_is_noticed() {
    for seed in 0..20 {
        let mut pair = upload(seed, &fast().mtu(1500)).start().unwrap();
        pair.run_until(|pair| pair.world.now() >= Time::ZERO + ms(150)).unwrap();
        let (client, server) = (pair.client, pair.server);
        pair.world.connect(client, server, &fast().mtu(1300), &fast().mtu(1300));
        let outcome = pair.run_until(Pair::is_over).unwrap();
        let report = pair.report(outcome);
        assert!(report.is_success(), "seed {seed}: {report:#?}");
        assert!(report.there.too_big > 0, "seed {seed}: it was over before the path shrank");
        assert!(mtu(&report) <= 1300 - 28, "seed {seed}");
    }
}

#[test]
fn marks_slow_a_sender_down_before_the_queue_overflows() {
    let narrow = Link::new().delay(ms(10)).rate(20_000_000).queue(400_000);
    let marked = run(upload(1, &narrow.clone().mark_at(50_000)));
    assert!(marked.there.marked > 0);
    assert_eq!(marked.there.queue_full, 0);
}

#[test]
fn a_path_that_bleaches_or_marks_everything_still_carries_data() {
    run(upload(1, &fast().bleach()));
    run(upload(1, &fast().mark_at(0)));
}

#[test]
fn a_lone_question_is_answered_after_one_round_trip() {
    let scenario = Scenario::new(1)
        .link(&Link::new().delay(ms(20)))
        .client_app(Asker::new(50, 64, ms(100)))
        .server_app(|_| Echo::new())
        .within(secs(20));
    let mut pair = scenario.start().unwrap();
    assert_eq!(pair.run_until(asked).unwrap(), Outcome::Done);
    let asker = pair.client().unwrap().app::<Asker>().unwrap();
    assert_eq!(asker.times(), [ms(40); 50]);
}

fn asked(pair: &Pair) -> bool {
    pair.client().is_some_and(Session::is_done)
}

#[test]
fn questions_are_answered_over_a_rough_path() {
    for seed in 0..20 {
        let rough = Link::new().delay(ms(20)).loss(0.1).reorder(0.1, ms(10)).duplicate(0.05);
        let scenario = Scenario::new(seed)
            .link(&rough)
            .client_app(Asker::new(100, 3_000, ms(10)))
            .server_app(|_| Echo::new())
            .within(secs(60));
        let mut pair = scenario.start().unwrap();
        let outcome = pair.run_until(asked).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(outcome, Outcome::Done, "seed {seed}: {:#?}", pair.report(outcome));
        let times = pair.client().unwrap().app::<Asker>().unwrap().times();
        assert!(times.iter().all(|time| *time < Duration::from_secs(5)), "seed {seed}: {times:?}");
    }
}
