//! Links as a user sees them: a description, a seed, datagrams in and out.

use super::arbitrary::Plausible;
use super::*;
use crate::datagram::{Datagram, NodeId, Packet};
use crate::share::Share;
use crate::units::{BitRate, Size, Span};
use crate::{ms, secs};
use jsp_proto::ids::Ecn;
use jsp_proto::rng::Seed;
use jsp_proto::time::{Duration, Time};
use quickcheck::quickcheck;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU64;

/// Packet `n`, whose IP packet has `size` bytes.
pub(super) fn packet(n: u64, size: usize) -> Packet {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let mut payload = vec![0; size - Datagram::IPV4_OVERHEAD];
    payload[..8].copy_from_slice(&n.to_be_bytes());
    let datagram = Datagram { from: address, to: address, ecn: Ecn::Ect0, payload };
    Packet { number: n, node: NodeId(0), hops: 0, corrupted: false, datagram }
}

/// A pipe, what came out of it, and the clock.
struct Bench {
    pipe: Pipe,
    seed: Seed,
    arrivals: Vec<(Time, Packet)>,
    drops: Vec<(u64, Dropped)>,
}

impl Bench {
    fn new(link: Link, seed: u64) -> Self {
        let seed = Seed::from_u64(seed);
        let pipe = Pipe::new(link, &seed);
        Self { pipe, seed, arrivals: Vec::new(), drops: Vec::new() }
    }

    fn send(&mut self, now: Time, packet: Packet) {
        self.wait(now);
        let Self { pipe, arrivals, drops, .. } = self;
        pipe.send(now, packet, &mut |exit| note(now, exit, arrivals, drops));
    }

    /// Fires timers until `now`.
    fn wait(&mut self, now: Time) {
        let Self { pipe, arrivals, drops, .. } = self;
        while let Some(time) = pipe.next_timeout().filter(|time| *time <= now) {
            pipe.handle_timeout(time, &mut |exit| note(time, exit, arrivals, drops));
            assert!(pipe.next_timeout().is_none_or(|next| next > time), "a timer that stays");
        }
    }

    fn change(&mut self, link: Link) {
        self.pipe.change(link, &self.seed);
    }

    /// Numbers of what arrived, in order of time.
    fn order(&self) -> Vec<u64> {
        let mut arrived: Vec<_> = self.arrivals.iter().map(|(time, p)| (*time, p.number)).collect();
        arrived.sort_by_key(|(time, _)| *time);
        arrived.into_iter().map(|(_, number)| number).collect()
    }

    /// When each arrived, in order of time, in milliseconds.
    fn millis(&self) -> Vec<u64> {
        let mut millis: Vec<_> =
            self.arrivals.iter().map(|(t, _)| t.as_nanos() / 1_000_000).collect();
        millis.sort_unstable();
        millis
    }

    fn stage(&self, name: &str) -> StageStats {
        *self.pipe.stages().find(|(stage, _)| *stage == name).unwrap().1
    }
}

fn note(
    now: Time,
    exit: Exit,
    arrivals: &mut Vec<(Time, Packet)>,
    drops: &mut Vec<(u64, Dropped)>,
) {
    match exit {
        Exit::Arrival { time, packet } => {
            assert!(time >= now, "an arrival in the past");
            arrivals.push((time, packet));
        }
        Exit::Dropped { why, packet } => drops.push((packet.number, why)),
    }
}

/// Sends `count` packets of 1000 bytes, one each `gap`, and waits for the last.
fn run(link: Link, seed: u64, count: u32, gap: Duration) -> Bench {
    let mut bench = Bench::new(link, seed);
    for i in 0..count {
        bench.send(Time::ZERO + i * gap, packet(i.into(), 1000));
    }
    bench.wait(Time::from_nanos(u64::MAX));
    assert_eq!(bench.pipe.held(), 0);
    bench
}

fn at(d: Duration) -> Time {
    Time::ZERO + d
}

fn every(nth: u64, offset: u64) -> Every {
    Every { nth: NonZeroU64::new(nth).unwrap(), offset }
}

fn micros(n: u64) -> Duration {
    Duration::from_micros(n)
}

#[test]
fn a_link_without_stages_delivers_everything_at_once_and_unchanged() {
    let bench = run(Link::new(), 1, 3, ms(1));
    let expected: Vec<_> = (0..3).map(|i| (at(ms(i)), packet(i, 1000))).collect();
    assert_eq!(bench.arrivals, expected);
    assert_eq!((bench.pipe.stats().entered, bench.pipe.stats().delivered), (3, 3));
}

mod delay {
    use super::*;

    #[test]
    fn it_is_exact_to_the_nanosecond() {
        let delay = Duration::from_nanos(50_000_001);
        let bench = run(Link::new().delay(delay), 1, 100, ms(3));
        assert!((0..).zip(&bench.arrivals).all(|(i, (t, _))| *t == at(delay + i * ms(3))));
    }

    #[test]
    fn jitter_stays_in_its_bounds_and_reaches_both() {
        let bench = run(Link::new().delay(ms(5)).jitter(ms(4)), 1, 1000, ms(10));
        let delays: Vec<_> =
            (0..).zip(&bench.arrivals).map(|(i, (t, _))| *t - at(i * ms(10))).collect();
        assert!(delays.iter().all(|d| (ms(5)..=ms(9)).contains(d)));
        assert!(delays.iter().any(|d| *d < micros(5_100)));
        assert!(delays.iter().any(|d| *d > micros(8_900)));
    }

    #[test]
    fn jitter_keeps_order_unless_it_may_not() {
        let jittery = Delay { base: ms(1).into(), jitter: ms(20).into(), ..Delay::default() };
        let link = |delay| Link::new().stage(StageKind::Delay(delay));
        assert!(run(link(jittery), 1, 1000, ms(1)).order().is_sorted());
        assert!(!run(link(Delay { reorder: true, ..jittery }), 1, 1000, ms(1)).order().is_sorted());
    }

    #[test]
    fn delays_add_up() {
        let bench = run(Link::new().delay(ms(5)).delay(ms(7)), 1, 1, ms(1));
        assert_eq!(bench.millis(), [12]);
    }
}

mod rate {
    use super::*;

    #[test]
    fn it_is_exact() {
        // 1000 bytes at 8 Mbit/s take 1 ms.
        let bench = run(Link::new().rate(8_000_000).delay(ms(10)), 1, 50, Duration::ZERO);
        assert!((1..).zip(&bench.arrivals).all(|(i, (t, _))| *t == at(ms(10) + i * ms(1))));
        assert_eq!(bench.arrivals.len(), 50);
    }

    #[test]
    fn a_full_queue_drops_what_comes_last() {
        for limit in ["5500", "5 packets", "4ms"] {
            let link = Link::new().rate(8_000_000).queue_limit(limit.parse().unwrap());
            let bench = run(link, 1, 20, Duration::ZERO);
            assert_eq!(bench.order(), [0, 1, 2, 3, 4], "{limit}");
            assert_eq!(bench.pipe.stats().queue_full, 15, "{limit}");
        }
    }

    #[test]
    fn a_managed_queue_has_the_same_limits() {
        for (limit, kept) in [("5500", 6), ("5 packets", 6), ("5ms", 6)] {
            let link = Link::new().rate(8_000_000).queue_limit(limit.parse().unwrap());
            let bench = run(link.codel(Codel::default()), 1, 20, Duration::ZERO);
            // One is with the line, five wait.
            assert_eq!(bench.order(), (0..kept).collect::<Vec<_>>(), "{limit}");
        }
    }

    #[test]
    fn an_empty_queue_takes_a_packet_larger_than_itself() {
        let bench = run(Link::new().rate(8_000_000).queue(10), 1, 3, ms(1));
        assert_eq!((bench.arrivals.len(), bench.pipe.stats().queue_full), (3, 0));
    }

    #[test]
    fn packets_that_find_a_long_queue_are_marked_if_they_can_be() {
        let link = Link::new().rate(8_000_000).mark_at(3_000);
        let bench = run(link.clone(), 1, 6, Duration::ZERO);
        let ecn: Vec<_> = bench.arrivals.iter().map(|(_, p)| p.datagram.ecn).collect();
        assert_eq!(ecn, [Ecn::Ect0, Ecn::Ect0, Ecn::Ect0, Ecn::Ce, Ecn::Ce, Ecn::Ce]);
        assert_eq!((bench.pipe.stats().marked, bench.stage("rate").marked), (3, 3));

        let mut bench = Bench::new(link.mark_at(0), 1);
        let mut deaf = packet(0, 1000);
        deaf.datagram.ecn = Ecn::NotEct;
        bench.send(Time::ZERO, deaf.clone());
        assert_eq!(bench.arrivals[0].1, deaf);
    }

    #[test]
    fn codel_brings_a_standing_queue_to_its_target() {
        // 8.4 Mbit/s for 8 Mbit/s. Without a manager, the last of 20,000 packets waits for 0.95 s.
        let gap = micros(952);
        let bench = run(Link::new().rate(8_000_000).codel(Codel::default()), 1, 20_000, gap);
        let waits: Vec<_> =
            bench.arrivals.iter().map(|(t, p)| *t - at(gap * p.number as u32)).collect();
        let late = &waits[waits.len() / 2..];
        let mean = late.iter().sum::<Duration>() / late.len() as u32;
        assert!(mean < ms(15), "{mean:?}");
        let stats = bench.pipe.stats();
        assert_eq!(stats.managed as usize, bench.drops.len());
        assert!((800..1_100).contains(&stats.managed), "{}", stats.managed);
        assert!(bench.drops.iter().all(|(_, why)| *why == Dropped::Managed));
    }

    #[test]
    fn codel_leaves_a_burst_alone() {
        let mut bench = Bench::new(Link::new().rate(8_000_000).codel(Codel::default()), 1);
        for burst in 0..10 {
            for n in 0..80 {
                bench.send(at(burst * ms(100)), packet(u64::from(burst) * 80 + n, 1000));
            }
        }
        bench.wait(at(secs(9)));
        assert_eq!((bench.arrivals.len(), bench.drops.len()), (800, 0));
    }

    #[test]
    fn codel_without_a_queue_sends_as_drop_tail_does() {
        let plain = Link::new().rate(8_000_000).delay(ms(5));
        let managed = Link::new().rate(8_000_000).codel(Codel::default()).delay(ms(5));
        let gap = micros(1_100);
        assert_eq!(run(plain, 1, 100, gap).arrivals, run(managed, 1, 100, gap).arrivals);
    }

    #[test]
    fn a_trace_serves_what_waits_at_each_opportunity() {
        let trace = Trace::parse("x", "1\n5\n5\n10\n").unwrap();
        let bench = run(Link::new().trace(trace.clone()), 1, 8, Duration::ZERO);
        // 1504 bytes each: one packet and a half, three after the next, and so on.
        assert_eq!(bench.millis(), [1, 5, 5, 5, 10, 10, 11, 15]);
        let link = Link::new().trace(trace).codel(Codel::default());
        assert_eq!(run(link, 1, 8, Duration::ZERO).millis(), [1, 5, 5, 5, 10, 10, 11, 15]);
    }

    #[test]
    fn a_busy_trace_carries_its_mean() {
        for name in Trace::built_in() {
            let trace = Trace::load(name).unwrap();
            let (mean, period) = (trace.mean(), trace.period());
            let bench = run(Link::new().trace(trace), 1, 40_000, Duration::ZERO);
            let seconds = bench.millis()[39_999] as f64 / 1e3;
            let rounds = (seconds * 1e3 / f64::from(period)).floor();
            let carried = 40_000.0 * 8_000.0 / seconds;
            let tolerance = 0.5 / rounds.max(1.0);
            assert!((carried / mean as f64 - 1.0).abs() < tolerance, "{name}: {carried} {mean}");
        }
    }
}

mod loss {
    use super::*;

    #[test]
    fn it_has_its_share_under_every_seed_and_seeds_differ() {
        let mut survivors = Vec::new();
        for seed in 0..20 {
            let bench = run(Link::new().loss(0.2), seed, 5_000, ms(1));
            let stats = bench.pipe.stats();
            assert!((900..1_100).contains(&stats.lost), "seed {seed}: {}", stats.lost);
            assert_eq!(stats.lost + stats.delivered, 5_000);
            survivors.push(bench.order());
        }
        survivors.dedup();
        assert_eq!(survivors.len(), 20);
    }

    #[test]
    fn indices_count_what_enters_the_stage() {
        let link = Link::new().lose_indices([0, 1]).lose_indices([0]);
        assert_eq!(run(link, 1, 5, ms(1)).order(), [3, 4]);
    }

    #[test]
    fn every_nth_is_lost() {
        let bench = run(Link::new().with_loss(Loss::Every(every(3, 1))), 1, 9, ms(1));
        assert_eq!(bench.order(), [0, 2, 3, 5, 6, 8]);
    }
}

mod other_stages {
    use super::*;

    #[test]
    fn packets_larger_than_the_mtu_vanish() {
        let mut bench = Bench::new(Link::new().mtu(1000), 1);
        bench.send(Time::ZERO, packet(0, 1000));
        bench.send(Time::ZERO, packet(1, 1001));
        assert_eq!(bench.order(), [0]);
        assert_eq!(bench.drops, [(1, Dropped::TooBig { mtu: None })]);
        assert_eq!(bench.pipe.stats().too_big, 1);
    }

    #[test]
    fn a_sender_who_is_told_the_mtu_is_told_when_the_packet_has_come_so_far() {
        let mut bench = Bench::new(Link::new().delay(ms(7)).told_mtu(1000), 1);
        bench.send(Time::ZERO, packet(0, 1001));
        bench.wait(at(micros(6_999)));
        assert_eq!(bench.drops, []);
        bench.wait(at(ms(7)));
        assert_eq!(bench.drops, [(0, Dropped::TooBig { mtu: Some(1000) })]);
        let stage = bench.stage("mtu");
        assert_eq!((stage.entered, stage.left, stage.dropped), (1, 0, 1));
    }

    #[test]
    fn bleaching_wipes_marks_too() {
        let bench = run(Link::new().mark_at(0).bleach(), 1, 3, ms(1));
        assert!(bench.arrivals.iter().all(|(_, p)| p.datagram.ecn == Ecn::NotEct));
    }

    #[test]
    fn a_share_of_what_is_ecn_capable_is_marked() {
        for seed in 0..20 {
            let link = Link::new().ecn(EcnFault::Mark(0.1.into()));
            let bench = run(link, seed, 2_000, ms(1));
            let marked = bench.arrivals.iter().filter(|(_, p)| p.datagram.ecn == Ecn::Ce).count();
            assert!((140..260).contains(&marked), "seed {seed}: {marked}");
            assert_eq!(bench.pipe.stats().marked, marked as u64);
        }
    }

    #[test]
    fn some_boxes_drop_what_is_ecn_capable_and_nothing_else() {
        let mut bench = Bench::new(Link::new().ecn(EcnFault::Drop), 1);
        for (n, ecn) in (0..).zip([Ecn::NotEct, Ecn::Ect0, Ecn::Ect1, Ecn::Ce]) {
            let mut packet = packet(n, 1000);
            packet.datagram.ecn = ecn;
            bench.send(Time::ZERO, packet);
        }
        assert_eq!(bench.order(), [0]);
        assert!(bench.drops.iter().all(|(_, why)| *why == Dropped::EcnCapable));
    }

    #[test]
    fn nothing_passes_during_an_outage_and_everything_before_and_after() {
        let bench = run(Link::new().outage(at(ms(3))..at(ms(5))), 1, 8, ms(1));
        assert_eq!(bench.order(), [0, 1, 2, 5, 6, 7]);
        assert_eq!(bench.pipe.stats().lost, 2);
    }

    #[test]
    fn what_was_sent_before_an_outage_and_comes_there_in_it_is_lost() {
        let link = Link::new().delay(ms(2)).outage(at(ms(3))..at(ms(5)));
        assert_eq!(run(link, 1, 8, ms(1)).order(), [0, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn held_back_datagrams_are_overtaken() {
        for seed in 0..20 {
            let bench = run(Link::new().delay(ms(10)).reorder(0.1, ms(5)), seed, 1_000, ms(1));
            let reordered = bench.pipe.stats().reordered;
            assert!((60..140).contains(&reordered), "seed {seed}: {reordered}");
            let late =
                (0..).zip(&bench.arrivals).filter(|(i, (t, _))| *t == at(ms(15) + *i * ms(1)));
            assert_eq!(late.count() as u64, reordered);
            assert!(!bench.order().is_sorted());
        }
    }

    #[test]
    fn every_nth_can_be_held_back() {
        let reorder = Reorder { which: Which::Every(every(4, 1)), by: micros(1_500).into() };
        let bench = run(Link::new().stage(StageKind::Reorder(reorder)), 1, 8, ms(1));
        assert_eq!(bench.order(), [0, 2, 1, 3, 4, 6, 5, 7]);
    }

    #[test]
    fn copies_are_delivered_beside_the_original_or_later() {
        for seed in 0..20 {
            let after = ms(3);
            let twice = Duplicate { share: 0.1.into(), after: after.into() };
            let bench = run(Link::new().stage(StageKind::Duplicate(twice)), seed, 1_000, ms(1));
            let duplicated = bench.pipe.stats().duplicated;
            assert!((60..140).contains(&duplicated), "seed {seed}: {duplicated}");
            assert_eq!(bench.arrivals.len() as u64, 1_000 + duplicated);
            let twins = bench.arrivals.windows(2).filter(|w| w[0].1 == w[1].1);
            assert_eq!(twins.clone().count() as u64, duplicated);
            assert!(twins.into_iter().all(|w| w[1].0 - w[0].0 == after));
        }
        let bench = run(Link::new().duplicate(1.0), 1, 2, ms(1));
        assert_eq!(bench.millis(), [0, 0, 1, 1]);
    }

    #[test]
    fn corruption_flips_one_to_four_bits_of_its_share() {
        let mut seen = [0; 5];
        for seed in 0..20 {
            let bench = run(Link::new().corrupt(0.1), seed, 1_000, ms(1));
            for (_, got) in &bench.arrivals {
                let sent = packet(got.number, 1000).datagram.payload;
                let pairs = sent.iter().zip(&got.datagram.payload);
                let flips: u32 = pairs.map(|(a, b)| (a ^ b).count_ones()).sum();
                assert_eq!(got.corrupted, flips != 0, "datagram {}", got.number);
                seen[flips as usize] += 1;
            }
            let corrupted = bench.pipe.stats().corrupted;
            assert!((60..140).contains(&corrupted), "seed {seed}: {corrupted}");
        }
        assert!(seen[1..].iter().all(|n| *n > 300), "{seen:?}");
    }
}

mod composition {
    use super::*;

    fn rough() -> Link {
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
    }

    const GAP: Duration = Duration::from_micros(100);

    #[test]
    fn two_rates_in_a_row_let_pass_what_the_slower_does() {
        for rates in [[8_000_000, 4_000_000], [4_000_000, 8_000_000]] {
            let link = Link::new().rate(rates[0]).rate(rates[1]);
            let bench = run(link, 1, 10, Duration::ZERO);
            let expected: Vec<_> = (0..10).map(|i| 3 + 2 * i).collect();
            assert_eq!(bench.millis(), expected, "{rates:?}");
        }
    }

    #[test]
    fn a_delay_before_a_rate_is_as_long_as_behind_it() {
        let before = Link::new().delay(ms(30)).rate(8_000_000).queue(9_000);
        let behind = Link::new().rate(8_000_000).queue(9_000).delay(ms(30));
        for gap in [Duration::ZERO, micros(300), ms(2)] {
            let (before, behind) =
                (run(before.clone(), 1, 50, gap), run(behind.clone(), 1, 50, gap));
            assert_eq!(before.arrivals, behind.arrivals);
            assert_eq!(before.drops, behind.drops);
        }
    }

    #[test]
    fn a_rate_behind_reordering_serves_who_comes_first() {
        let reorder = Reorder { which: Which::Every(every(4, 0)), by: micros(2_500).into() };
        let link = Link::new().stage(StageKind::Reorder(reorder)).rate(8_000_000);
        let bench = run(link, 1, 4, ms(1));
        assert_eq!(bench.order(), [1, 2, 0, 3]);
        // 1 and 2 pass an idle line; 0 comes at 2.5 ms and waits for 2, 3 waits for 0.
        let nanos: Vec<_> = bench.arrivals.iter().map(|(t, _)| t.as_nanos() / 1_000_000).collect();
        assert_eq!(nanos, [2, 3, 4, 5]);
    }

    #[test]
    fn a_rate_behind_a_blackout_behind_a_delay_is_asked_in_time() {
        // The delay cannot be put off, because of the blackout; then it falls, and those behind overtake.
        let link =
            |delay| Link::new().delay(delay).outage(at(secs(8))..at(secs(9))).rate(8_000_000);
        let mut bench = Bench::new(link(ms(50)), 1);
        bench.send(Time::ZERO, packet(0, 1000));
        bench.change(link(ms(5)));
        bench.send(Time::ZERO, packet(1, 1000));
        bench.wait(at(secs(1)));
        assert_eq!(bench.order(), [1, 0]);
        assert_eq!(bench.millis(), [6, 51]);
    }

    #[test]
    fn the_same_seed_gives_the_same_arrivals_and_another_seed_others() {
        let arrivals = |seed| run(rough(), seed, 2_000, GAP).arrivals;
        assert_eq!(arrivals(7), arrivals(7));
        assert_ne!(arrivals(7), arrivals(8));
    }

    #[test]
    fn what_is_done_to_one_stage_leaves_the_others_draws_alone() {
        // How the loss of one stage looks to one behind it changes; so each stage is asked about what it
        // does to the nth packet that it sees.
        let fates = |link: Link| {
            let bench = run(link, 7, 2_000, GAP);
            let corrupted = bench.arrivals.iter().map(|(_, p)| p.corrupted).collect::<Vec<_>>();
            (bench.drops.iter().map(|(n, _)| *n).collect::<Vec<_>>(), corrupted)
        };
        let link = Link::new().loss(0.1).loss(0.2).reorder(0.1, ms(5)).corrupt(0.1);
        let whole = fates(link.clone());
        let no_reordering = fates(link.clone().without(2));
        assert_eq!(whole, no_reordering);
        let more_delay = fates(link.clone().delay(ms(90)));
        assert_eq!(whole, more_delay);
        // Without the first loss, the second is still called loss#2.
        let second = fates(link.clone().without(0)).0;
        let alone = fates(Link::new().loss(0.2).named("loss#2")).0;
        assert_eq!(second, alone);
    }

    #[test]
    fn each_stage_counts_what_it_did() {
        let bench = run(rough(), 7, 2_000, GAP);
        let stats = bench.pipe.stats();
        let names: Vec<_> = bench.pipe.stages().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(names, ["delay", "rate", "loss", "loss#2", "reorder", "duplicate", "corrupt"]);
        let mut entered = 2_000;
        for (name, stage) in bench.pipe.stages() {
            assert_eq!(stage.entered, entered, "{name}");
            assert_eq!(stage.left, entered - stage.dropped + stage.duplicated, "{name}");
            entered = stage.left;
        }
        assert_eq!(stats.delivered, entered);
        assert_eq!(stats.lost, bench.stage("loss").dropped + bench.stage("loss#2").dropped);
        assert_eq!(stats.queue_full, bench.stage("rate").dropped);
        assert_eq!(stats.reordered, bench.stage("reorder").held);
        assert_eq!(stats.corrupted, bench.stage("corrupt").corrupted);
        assert!(stats.reordered > 0 && stats.corrupted > 0 && stats.duplicated > 0);
    }

    quickcheck! {
        fn stages_compose_in_any_order_and_lose_count_of_nothing(link: Plausible, gap: u8) -> bool {
            let Plausible(link) = link;
            let gap = micros(u64::from(gap) * 10);
            let bench = run(link.clone(), 1, 200, gap);
            let stats = bench.pipe.stats();
            let again = run(link, 1, 200, gap);
            stats.entered == 200
                && stats.delivered == bench.arrivals.len() as u64
                && stats.delivered + bench.drops.len() as u64 == 200 + stats.duplicated
                && again.arrivals == bench.arrivals
                && again.drops == bench.drops
        }

        fn a_link_that_changes_in_the_middle_loses_count_of_nothing(
            before: Plausible,
            after: Plausible
        ) -> bool {
            let mut bench = Bench::new(before.0, 1);
            for n in 0..100 {
                bench.send(Time::ZERO + n as u32 * micros(300), packet(n, 1000));
            }
            bench.change(after.0);
            for n in 100..200 {
                bench.send(Time::ZERO + n as u32 * micros(300), packet(n, 1000));
            }
            bench.wait(Time::from_nanos(u64::MAX));
            let stats = bench.pipe.stats();
            bench.pipe.held() == 0
                && stats.delivered == bench.arrivals.len() as u64
                && stats.delivered + bench.drops.len() as u64 == 200 + stats.duplicated
        }
    }
}

mod change {
    use super::*;

    #[test]
    fn it_applies_to_what_comes_after() {
        let mut bench = Bench::new(Link::new().delay(secs(1)), 1);
        bench.send(Time::ZERO, packet(0, 1000));
        bench.change(Link::new().delay(ms(1)));
        bench.send(Time::ZERO, packet(1, 1000));
        let times: Vec<_> = bench.arrivals.iter().map(|(time, _)| *time).collect();
        assert_eq!(times, [at(secs(1)), at(ms(1))]);
    }

    #[test]
    fn stages_that_stay_keep_their_queue_and_their_draws() {
        let link = Link::new().loss(0.3).rate(8_000_000);
        let unchanged = run(link.clone(), 1, 100, micros(500));
        let mut bench = Bench::new(link.clone(), 1);
        for n in 0..100 {
            if n == 50 {
                bench.change(Link::new().mtu(1400).loss(0.3).rate(8_000_000).bleach());
                bench.change(link.clone());
            }
            bench.send(Time::ZERO + n as u32 * micros(500), packet(n, 1000));
        }
        assert_eq!(bench.arrivals, unchanged.arrivals);
    }

    #[test]
    fn a_managed_queue_that_goes_sends_what_it_holds() {
        for after in [Link::new(), Link::new().rate(8_000_000)] {
            let mut bench = Bench::new(Link::new().rate(8_000_000).codel(Codel::default()), 1);
            for n in 0..5 {
                bench.send(Time::ZERO, packet(n, 1000));
            }
            assert_eq!(bench.pipe.held(), 4);
            bench.change(after);
            bench.wait(at(secs(1)));
            assert_eq!(bench.millis(), [1, 2, 3, 4, 5]);
        }
    }
}

mod text {
    use super::*;
    use serde::{Deserialize, Serialize};

    /// A document needs a table at its top.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct File {
        link: Link,
    }

    fn parse(stages: &str) -> Result<Link, String> {
        toml::from_str::<File>(&format!("link = [{stages}]"))
            .map(|file| file.link)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_link_is_written_as_people_think_of_it() {
        let link = parse(
            r#"
            { mtu = { size = 1500 } },
            { rate = { limit = "20 Mbit/s", queue = "64 kB" } },
            { loss = { share = 0.01 } },
            { name = "far", delay = { base = "25ms", jitter = "5ms" } },
            "#,
        );
        let expected = Link::new().mtu(1500).rate(20_000_000).queue(64_000).loss(0.01);
        let expected = expected.delay(ms(25)).jitter(ms(5)).named("far");
        assert_eq!(link, Ok(expected));
    }

    #[test]
    fn every_stage_can_be_written() {
        let link = parse(
            r#"
            { delay = { base = "1ms", jitter = "2ms", distribution = "normal", reorder = true } },
            { rate = { trace = "lte-up", queue = "50 packets", mark_at = "5ms" } },
            { rate = { limit = "1Gbit/s", codel = { target = "5ms", mark = true } } },
            { loss = { bursts = { degrade = "1%", recover = "25%" } } },
            { loss = { every = { nth = 10, offset = 3 } } },
            { loss = { packets = [0, 7] } },
            { reorder = { share = "2%", by = "5ms" } },
            { reorder = { every = { nth = 5 }, by = "5ms" } },
            { duplicate = { share = "1%", after = "1ms" } },
            { corrupt = { share = "1%" } },
            { mtu = { size = 1280, tell = true } },
            { ecn = { mark = "5%" } },
            { ecn = "bleach" },
            { ecn = "drop" },
            { blackout = { times = [{ from = "2s", to = "5s" }] } },
            { blackout = { periodic = { every = "10s", lasts = "300ms" } } },
            "#,
        )
        .unwrap();
        assert_eq!(link.stages().len(), 16);
        let codel = Codel { mark: true, ..Codel::default() };
        let rate = Rate {
            capacity: Capacity::Constant(BitRate::new(1_000_000_000)),
            codel: Some(codel),
            ..Rate::default()
        };
        assert_eq!(link.stages()[2].kind, StageKind::Rate(rate));
        assert_eq!(
            link.stages()[10].kind,
            StageKind::Mtu(Mtu { size: Size::new(1280), tell: true })
        );
        let periodic = Periodic {
            every: Span::from_millis(10_000),
            lasts: Span::from_millis(300),
            from: Span::ZERO,
        };
        assert_eq!(link.stages()[15].kind, StageKind::Blackout(Blackout::Periodic(periodic)));
    }

    #[test]
    fn an_error_says_what_is_wrong_and_where() {
        let error = |stages: &str| parse(stages).unwrap_err();
        let unknown = error("{ delai = {} }");
        assert!(
            unknown.contains("unknown field `delai`, expected one of `name`, `delay`"),
            "{unknown}"
        );
        assert!(unknown.contains("line 1, column"), "{unknown}");
        for (stages, expected) in [
            ("{}", "a stage is exactly one of delay, rate"),
            ("{ ecn = 'drop', mtu = { size = 1 } }", "a stage is exactly one of"),
            ("{ delay = { base = 25 } }", "\"25\" is not a length of time"),
            ("{ delay = { base = '1ms', jiter = '1ms' } }", "unknown field `jiter`"),
            ("{ loss = { share = 2.0 } }", "\"2\" is not a share"),
            ("{ loss = { chance = 0.1 } }", "unknown variant `chance`, expected one of `share`"),
            ("{ rate = { limit = '0 bit/s' } }", "that is a blackout"),
            ("{ rate = { limit = '1 bit/s', trace = 'wifi' } }", "either a limit or a trace"),
            ("{ rate = { trace = 'wify' } }", "built in are lte-down, lte-up, satellite, wifi"),
            ("{ loss = { every = { nth = 0 } } }", "nonzero"),
            ("{ reorder = { by = '1ms' } }", "reorder needs either share or every"),
            (
                "{ name = 'a', ecn = 'drop' }, { name = 'a', ecn = 'drop' }",
                "two stages are called \"a\"",
            ),
        ] {
            let error = error(stages);
            assert!(error.contains(expected), "{stages}: {error}");
        }
    }

    #[test]
    fn names_are_never_the_same_and_stay_once_they_are_pinned() {
        let link = Link::new().loss(0.1).named("loss#2").loss(0.1).loss(0.1).loss(0.1);
        assert_eq!(link.names(), ["loss#2", "loss", "loss#3", "loss#4"]);
        assert_eq!(link.clone().without(1).names(), ["loss#2", "loss#3", "loss#4"]);
        assert_eq!(link.without(9).names(), ["loss#2", "loss", "loss#3", "loss#4"]);
    }

    quickcheck! {
        fn every_link_is_written_and_read_back(link: Link) -> bool {
            let file = File { link };
            let text = toml::to_string(&file).unwrap();
            let json = serde_json::to_string(&file).unwrap();
            toml::from_str::<File>(&text).unwrap() == file
                && serde_json::from_str::<File>(&json).unwrap() == file
        }

        fn names_are_all_different(link: Link) -> bool {
            let mut names = link.names();
            names.sort();
            names.dedup();
            names.len() == link.stages().len() && link.clone().pinned().names() == link.names()
        }
    }

    #[test]
    fn shares_are_written_as_percentages() {
        let text = toml::to_string(&File { link: Link::new().loss(Share::ppm(12_500)) }).unwrap();
        assert!(text.contains("share = \"1.25%\""), "{text}");
    }
}
