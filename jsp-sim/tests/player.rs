//! Players: whatever they are told, every byte arrives, once and in its place.
#![allow(clippy::unwrap_used)] // A story that cannot be told has failed.

use jsp_proto::connection::{Connection, Event};
use jsp_proto::error::AppCode;
use jsp_proto::time::{Duration, Time};
use jsp_sim::app::{Abandon, App, Pace, Part, Player};
use jsp_sim::link::Link;
use jsp_sim::pair::{Pair, Report, Scenario};
use jsp_sim::world::Outcome;
use jsp_sim::{ms, secs, seeds};

/// A player that is told something at some time.
#[derive(Debug)]
struct Told {
    player: Player,
    at: Duration,
    order: Option<fn(&mut Player, Time, &mut Connection)>,
}

impl Told {
    fn new(player: Player, at: Duration, order: fn(&mut Player, Time, &mut Connection)) -> Self {
        Self { player, at, order: Some(order) }
    }
}

impl App for Told {
    fn on_event(
        &mut self,
        now: Time,
        connection: &mut Connection,
        event: &Event,
    ) -> Result<(), String> {
        self.player.on_event(now, connection, event)
    }

    fn poll(&mut self, now: Time, connection: &mut Connection) -> Result<(), String> {
        if now >= Time::ZERO + self.at
            && let Some(order) = self.order.take()
        {
            order(&mut self.player, now, connection);
        }
        self.player.poll(now, connection)
    }

    fn next_timeout(&self) -> Option<Time> {
        let told = self.order.map(|_| Time::ZERO + self.at);
        told.into_iter().chain(self.player.next_timeout()).min()
    }

    fn is_done(&self) -> bool {
        self.order.is_none() && self.player.is_done()
    }
}

fn rough() -> Link {
    Link::new().delay(ms(20)).rate(20_000_000).queue(60_000).loss(0.03).reorder(0.02, ms(5))
}

fn run(scenario: Scenario) -> (Pair, Report) {
    let mut pair = scenario.within(secs(120)).start().unwrap();
    let outcome = pair.run_until(Pair::is_over).unwrap_or_else(|failure| panic!("{failure}"));
    let report = pair.report(outcome);
    assert_eq!(outcome, Outcome::Done, "{report:#?}");
    (pair, report)
}

fn player(pair: &Pair) -> (&Player, &Player) {
    (pair.client().unwrap().app().unwrap(), pair.server().unwrap().app().unwrap())
}

#[test]
fn both_ends_send_ask_and_echo_at_once_over_rough_paths() {
    seeds::each(0..20, |seed| {
        let all = || {
            let mut player = Player::new();
            player.play(Time::ZERO, 1, Part::Send { streams: 3, size: 100_000 }, ms(0));
            player.play(
                Time::ZERO,
                2,
                Part::Request { streams: 150, size: 100, answer: 3000 },
                ms(1),
            );
            player.play(Time::ZERO, 3, Part::Echo { streams: 2, size: 40_000 }, ms(0));
            player.play(Time::ZERO, 4, Part::Send { streams: 1, size: 0 }, ms(0));
            player
        };
        let scenario =
            Scenario::new(seed).link(&rough()).client_app(all()).server_app(move |_| all());
        let (pair, _) = run(scenario);
        let (client, server) = player(&pair);
        for player in [client, server] {
            assert!([1, 2, 3, 4].iter().all(|task| player.is_task_done(*task)));
            assert_eq!([1, 2, 3, 4].map(|task| player.received(task)), [3, 150, 2, 1]);
            assert_eq!([1, 2, 3, 4].map(|task| player.abandoned(task)), [0; 4]);
            assert_eq!(player.times(2).len(), 150);
            assert_eq!(player.delivered(), 300_000 + 150 * 3100 + 2 * 80_000);
        }
    });
}

const CODE: AppCode = AppCode(7);

/// Gives up the streams of task 5 that are there after half a second.
fn quitter(mut player: Player, how: Option<Abandon>) -> Told {
    player.allow(CODE);
    Told::new(
        player,
        ms(500),
        match how {
            None => |_, _, _| {},
            Some(Abandon::Reset) => |player, _, connection| {
                player.abandon(connection, 5, Abandon::Reset, CODE);
            },
            Some(Abandon::Stop) => |player, _, connection| {
                player.abandon(connection, 5, Abandon::Stop, CODE);
            },
        },
    )
}

#[test]
fn streams_that_either_end_gives_up_are_no_error_where_that_is_known() {
    let send = Part::Send { streams: 200, size: 30_000 };
    let ask = Part::Request { streams: 200, size: 30_000, answer: 10 };
    let fetch = Part::Request { streams: 200, size: 10, answer: 30_000 };
    let echo = Part::Echo { streams: 200, size: 30_000 };
    let (reset, stop) = (Some(Abandon::Reset), Some(Abandon::Stop));
    let both = [(reset, None), (stop, None), (None, reset), (None, stop), (reset, stop)];
    let cases = [ask, fetch, echo].into_iter().flat_map(|part| both.map(|hows| (part, hows)));
    for (part, (client, server)) in cases.chain([(send, (reset, None)), (send, (None, stop))]) {
        seeds::each(0..4, |seed| {
            let mut player = Player::new();
            player.play(Time::ZERO, 5, part, ms(0));
            let scenario = Scenario::new(seed)
                .link(&rough())
                .client_app(quitter(player, client))
                .server_app(move |_| quitter(Player::new(), server));
            let (pair, _) = run(scenario);
            let abandoned = pair.client().unwrap().app::<Told>().unwrap().player.abandoned(5);
            let answered = pair.server().unwrap().app::<Told>().unwrap().player.received(5);
            // Requests that are read already cannot be stopped.
            let late = part == fetch && server == stop && client.is_none();
            assert!(late || abandoned > 0, "{part:?} {client:?} {server:?}");
            assert!(answered + abandoned >= 200, "{part:?} {client:?} {server:?}: {answered}");
        });
    }
}

#[test]
fn a_reset_that_nobody_asked_for_is_an_error() {
    let client = Told::new(Player::bulk(1, 1_000_000), ms(200), |player, _, connection| {
        player.abandon(connection, 0, Abandon::Reset, AppCode(3));
    });
    let scenario = Scenario::new(1).link(&rough()).client_app(client).server_app(|_| Player::new());
    let mut pair = scenario.start().unwrap();
    let failure = pair.run_until(|_| false).unwrap_err().to_string();
    assert!(failure.contains("given up, with AppCode(3), and nobody asked for that"), "{failure}");
}

#[test]
fn a_slow_a_bursty_and_a_pausing_reader_get_everything() {
    let time = |order: fn(&mut Player, Time, &mut Connection)| {
        let scenario = Scenario::new(1)
            .link(&Link::new().delay(ms(10)).rate(100_000_000).queue(200_000))
            .client_app(Player::bulk(2, 1_000_000))
            .server_app(move |_| Told::new(Player::new(), ms(0), order));
        let (pair, report) = run(scenario);
        let server: &Told = pair.server().unwrap().app().unwrap();
        assert_eq!((server.player.received(0), server.player.delivered()), (2, 2_000_000));
        report.time
    };
    let free = time(|_, _, _| {});
    assert!(free < ms(500), "{free:?}");
    let slow = time(|player, now, _| player.set_pace(now, Pace::Rate(4_000_000)));
    assert!((ms(3950)..ms(4200)).contains(&slow), "{slow:?}");
    let bursty = time(|player, now, _| player.set_pace(now, Pace::Bursts(ms(300))));
    assert!((ms(600)..ms(2000)).contains(&bursty), "{bursty:?}");
    let pausing = time(|player, now, _| player.pause(now, secs(3)));
    assert!((secs(3)..ms(3800)).contains(&pausing), "{pausing:?}");
}
