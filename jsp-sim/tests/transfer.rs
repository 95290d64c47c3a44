//! Bulk data over rough paths: every byte arrives, once and in its place.
#![allow(clippy::unwrap_used)] // A story that cannot be told has failed.

use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::Duration;
use jsp_sim::app::{Sink, Source};
use jsp_sim::link::{Bursts, Link};
use jsp_sim::pair::{Report, Scenario};
use jsp_sim::share::Share;
use jsp_sim::{ms, secs, seeds};

const SIZE: u64 = 10 << 20;

fn run(scenario: Scenario) -> Report {
    scenario.run().unwrap_or_else(|failure| panic!("{failure}"))
}

fn upload(seed: u64, streams: u64, size: u64) -> Scenario {
    Scenario::new(seed)
        .client_app(Source::new(streams, size))
        .server_app(move |_| Sink::new(streams, size))
}

/// A path whose every fault follows from the seed: loss up to 20 %, alone or in bursts, reordering up
/// to 10 %, copies up to 5 %, flipped bits up to 2 %.
fn rough(rng: &mut Rng) -> Link {
    let mut up_to = |n: u64| rng.below(n + 1);
    let link = Link::new()
        .mtu(1500)
        .delay(Duration::from_micros(2_000 + up_to(8_000)))
        .jitter(Duration::from_micros(up_to(1_000)))
        .rate(20_000_000 + up_to(980_000_000))
        .queue(100_000 + up_to(400_000) as usize)
        .reorder(Share::ppm(up_to(100_000) as u32), Duration::from_micros(up_to(10_000)))
        .duplicate(Share::ppm(up_to(50_000) as u32))
        .corrupt(Share::ppm(up_to(20_000) as u32));
    let loss = Share::ppm(up_to(200_000) as u32);
    match up_to(3) {
        0 => link.bursts(Bursts::new(loss, 1 + up_to(7) as u32)),
        _ => link.loss(loss),
    }
}

fn rough_upload(seed: u64, size: u64) -> Scenario {
    let mut rng = Rng::new(&Seed::from_u64(seed), "paths");
    let (there, back) = (rough(&mut rng), rough(&mut rng));
    let streams = 1 + rng.below(4);
    upload(seed, streams, size / streams).links(there, back).within(secs(120))
}

#[test]
fn ten_mebibytes_arrive_intact_over_every_rough_path() {
    let mut times = seeds::each(0..1_000, |seed| {
        let report = run(rough_upload(seed, SIZE));
        assert!(report.is_success(), "seed {seed}: {report:#?}");
        report.time
    });
    times.sort_unstable();
    println!(
        "virtual time: median {:?}, worst {:?}",
        times[times.len() / 2],
        times[times.len() - 1]
    );
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..4 {
        let trace = |seed| run(rough_upload(seed, 1 << 20)).trace;
        assert_eq!(trace(seed), trace(seed), "seed {seed}");
        assert_ne!(trace(seed), trace(seed + 1));
    }
}

#[test]
fn data_arrives_in_both_directions_at_once_over_rough_paths() {
    const SIZE: u64 = 1 << 20;
    seeds::each(0..100, |seed| {
        let mut rng = Rng::new(&Seed::from_u64(seed), "paths");
        let scenario = Scenario::new(seed)
            .links(rough(&mut rng), rough(&mut rng))
            .client_app((Source::new(2, SIZE / 2), Sink::new(3, SIZE / 3)))
            .server_app(|_| (Source::new(3, SIZE / 3), Sink::new(2, SIZE / 2)))
            .within(secs(60));
        let report = run(scenario);
        assert!(report.is_success(), "seed {seed}: {report:#?}");
    });
}

#[test]
fn a_clean_path_is_filled() {
    // 100 Mbit/s carry 10 MiB in 0.84 s.
    let link = Link::new().delay(ms(10)).rate(100_000_000).queue(500_000);
    let report = run(upload(1, 1, SIZE).link(&link).within(secs(2)));
    assert!(report.is_success(), "{report:#?}");
}

#[test]
fn how_many_segments_a_call_takes_changes_nothing_for_the_receiver() {
    let link = Link::new().delay(ms(10)).rate(100_000_000).queue(500_000).loss(0.01);
    for segments in [1, 2, 64] {
        let report = run(upload(1, 3, 1 << 20).link(&link).segments(segments).within(secs(20)));
        assert!(report.is_success(), "{segments}: {report:#?}");
    }
}
