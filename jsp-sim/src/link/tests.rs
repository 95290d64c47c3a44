//! Links as a user sees them: a description, a seed, datagrams in and out.

use super::*;
use crate::datagram::NodeId;
use crate::{ms, secs};
use std::net::{Ipv4Addr, SocketAddr};

/// A datagram whose IP packet has `size` bytes and whose payload begins with `n`.
fn datagram(n: u8, size: usize) -> Datagram {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let mut payload = vec![0; size - Datagram::IPV4_OVERHEAD];
    payload[0] = n;
    Datagram { from: address, to: address, ecn: Ecn::Ect0, payload }
}

/// What arrives of it, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Arrival {
    time: Time,
    datagram: Datagram,
    corrupted: bool,
}

fn send(pipe: &mut Pipe, now: Time, datagram: Datagram) -> (Vec<Arrival>, Option<Dropped>) {
    let packet = Packet { number: 0, node: NodeId(0), hops: 0, corrupted: false, datagram };
    let (mut arrivals, mut dropped) = (Vec::new(), None);
    pipe.send(now, packet, &mut |exit| match exit {
        Exit::Arrival { time, packet: Packet { datagram, corrupted, .. } } => {
            arrivals.push(Arrival { time, datagram, corrupted });
        }
        Exit::Dropped { why, .. } => dropped = Some(why),
    });
    (arrivals, dropped)
}

/// Sends `count` datagrams of 1000 bytes, one each `gap`, and returns what leaves in the order in
/// which it was sent.
fn run(link: Link, seed: u64, count: u32, gap: Duration) -> (Vec<Arrival>, PipeStats) {
    let mut pipe = Pipe::new(link, &Seed::from_u64(seed));
    let mut arrivals = Vec::new();
    for i in 0..count {
        arrivals.extend(send(&mut pipe, Time::ZERO + i * gap, datagram(i as u8, 1000)).0);
    }
    (arrivals, *pipe.stats())
}

fn at(d: Duration) -> Time {
    Time::ZERO + d
}

#[test]
fn a_link_without_properties_delivers_everything_at_once_and_unchanged() {
    let (arrivals, stats) = run(Link::new(), 1, 3, ms(1));
    let expected: Vec<_> = (0..3u8)
        .map(|i| Arrival { time: at(ms(i.into())), datagram: datagram(i, 1000), corrupted: false })
        .collect();
    assert_eq!(arrivals, expected);
    assert_eq!((stats.entered, stats.delivered), (3, 3));
}

#[test]
fn delay_is_exact() {
    let (arrivals, _) = run(Link::new().delay(ms(50)), 1, 100, ms(3));
    assert!((0..).zip(&arrivals).all(|(i, a)| a.time == at(ms(50) + i * ms(3))));
}

#[test]
fn rate_is_exact() {
    // 1000 bytes at 8 Mbit/s take 1 ms.
    let (arrivals, _) = run(Link::new().rate(8_000_000).delay(ms(10)), 1, 50, Duration::ZERO);
    assert!((1..).zip(&arrivals).all(|(i, a)| a.time == at(ms(10) + i * ms(1))));
    assert_eq!(arrivals.len(), 50);
}

#[test]
fn a_full_queue_drops_what_comes_last() {
    let link = Link::new().rate(8_000_000).queue(5_500);
    let (arrivals, stats) = run(link, 1, 20, Duration::ZERO);
    let first: Vec<_> = arrivals.iter().map(|a| a.datagram.payload[0]).collect();
    assert_eq!(first, [0, 1, 2, 3, 4]);
    assert_eq!(stats.queue_full, 15);
}

#[test]
fn an_empty_queue_takes_a_packet_larger_than_itself() {
    let (arrivals, stats) = run(Link::new().rate(8_000_000).queue(10), 1, 3, ms(1));
    assert_eq!((arrivals.len(), stats.queue_full), (3, 0));
}

#[test]
fn packets_larger_than_the_mtu_vanish() {
    let mut pipe = Pipe::new(Link::new().mtu(1000), &Seed::from_u64(1));
    assert_eq!(send(&mut pipe, Time::ZERO, datagram(0, 1000)).1, None);
    let (_, dropped) = send(&mut pipe, Time::ZERO, datagram(0, 1001));
    assert_eq!(dropped, Some(Dropped::TooBig { mtu: None }));
    assert_eq!(pipe.stats().too_big, 1);
}

#[test]
fn packets_that_find_a_long_queue_are_marked_if_they_can_be() {
    let link = Link::new().rate(8_000_000).mark_at(3_000);
    let (arrivals, stats) = run(link.clone(), 1, 6, Duration::ZERO);
    let ecn: Vec<_> = arrivals.iter().map(|a| a.datagram.ecn).collect();
    assert_eq!(ecn, [Ecn::Ect0, Ecn::Ect0, Ecn::Ect0, Ecn::Ce, Ecn::Ce, Ecn::Ce]);
    assert_eq!(stats.marked, 3);

    let mut pipe = Pipe::new(link.mark_at(0), &Seed::from_u64(1));
    let deaf = Datagram { ecn: Ecn::NotEct, ..datagram(0, 1000) };
    assert_eq!(send(&mut pipe, Time::ZERO, deaf).0[0].datagram.ecn, Ecn::NotEct);
}

#[test]
fn bleaching_wipes_marks_too() {
    let (arrivals, _) = run(Link::new().mark_at(0).bleach(), 1, 3, ms(1));
    assert!(arrivals.iter().all(|a| a.datagram.ecn == Ecn::NotEct));
}

#[test]
fn loss_has_its_share_under_every_seed_and_seeds_differ() {
    let mut survivors = Vec::new();
    for seed in 0..20 {
        let (arrivals, stats) = run(Link::new().loss(0.2), seed, 5_000, ms(1));
        assert!((900..1_100).contains(&stats.lost), "seed {seed}: {}", stats.lost);
        assert_eq!(stats.lost + stats.delivered, 5_000);
        survivors.push(arrivals.iter().map(|a| a.time).collect::<Vec<_>>());
    }
    survivors.dedup();
    assert_eq!(survivors.len(), 20);
}

#[test]
fn nothing_passes_during_an_outage_and_everything_before_and_after() {
    let (arrivals, stats) = run(Link::new().outage(at(ms(3))..at(ms(5))), 1, 8, ms(1));
    let passed: Vec<_> = arrivals.iter().map(|a| a.datagram.payload[0]).collect();
    assert_eq!(passed, [0, 1, 2, 5, 6, 7]);
    assert_eq!(stats.lost, 2);
}

#[test]
fn held_back_datagrams_are_overtaken() {
    let link = Link::new().delay(ms(10)).reorder(0.1, ms(5));
    let (arrivals, stats) = run(link, 1, 1_000, ms(1));
    assert!((60..140).contains(&stats.reordered), "{}", stats.reordered);
    let late = (0..).zip(&arrivals).filter(|(i, a)| a.time == at(ms(15) + *i * ms(1))).count();
    assert_eq!(late as u64, stats.reordered);
    assert!(!arrivals.is_sorted_by_key(|a| a.time));
}

#[test]
fn copies_are_delivered_beside_the_original() {
    let (arrivals, stats) = run(Link::new().duplicate(0.1), 1, 1_000, ms(1));
    assert!((60..140).contains(&stats.duplicated), "{}", stats.duplicated);
    assert_eq!(arrivals.len() as u64, 1_000 + stats.duplicated);
    let twins = arrivals.windows(2).filter(|w| w[0] == w[1]).count();
    assert_eq!(twins as u64, stats.duplicated);
}

#[test]
fn corruption_flips_one_to_four_bits_of_its_share() {
    let (arrivals, stats) = run(Link::new().corrupt(0.1), 1, 1_000, ms(1));
    let mut seen = [0; 5];
    for (i, arrival) in (0..).zip(&arrivals) {
        let sent = datagram(i as u8, 1000).payload;
        let flips: u32 =
            sent.iter().zip(&arrival.datagram.payload).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!(arrival.corrupted, flips != 0, "datagram {i}");
        seen[flips as usize] += 1;
    }
    assert!((60..140).contains(&stats.corrupted), "{}", stats.corrupted);
    assert!(seen[1..].iter().all(|n| *n > 5), "{seen:?}");
}

#[test]
fn the_same_seed_gives_the_same_arrivals_and_one_stage_leaves_the_others_draws_alone() {
    let rough = || {
        Link::new()
            .delay(ms(20))
            .jitter(ms(5))
            .rate(50_000_000)
            .queue(20_000)
            .loss(0.05)
            .bursts(Bursts::new(0.02, 4))
            .reorder(0.05, ms(7))
            .duplicate(0.02)
            .corrupt(0.02)
    };
    let gap = Duration::from_micros(100);
    assert_eq!(run(rough(), 7, 2_000, gap), run(rough(), 7, 2_000, gap));
    assert_ne!(run(rough(), 7, 2_000, gap).0, run(rough(), 8, 2_000, gap).0);

    let more_delay = run(rough().delay(ms(90)), 7, 2_000, gap);
    assert_eq!(run(rough(), 7, 2_000, gap).1, more_delay.1);
    let no_flips = run(rough().corrupt(Share::NEVER), 7, 2_000, gap);
    let times =
        |(arrivals, _): &(Vec<Arrival>, _)| arrivals.iter().map(|a| a.time).collect::<Vec<_>>();
    assert_eq!(times(&run(rough(), 7, 2_000, gap)), times(&no_flips));
}

#[test]
fn a_changed_link_applies_to_what_comes_after() {
    let seed = Seed::from_u64(1);
    let mut pipe = Pipe::new(Link::new().delay(secs(1)), &seed);
    let mut times = Vec::new();
    times.extend(send(&mut pipe, Time::ZERO, datagram(0, 1000)).0.iter().map(|a| a.time));
    pipe.change(Link::new().delay(ms(1)), &seed);
    times.extend(send(&mut pipe, Time::ZERO, datagram(1, 1000)).0.iter().map(|a| a.time));
    assert_eq!(times, [at(secs(1)), at(ms(1))]);
}
