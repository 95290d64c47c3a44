//! Each rule is proved able to fail: a story that goes well, and with a mistake planted in the engine ends in a
//! breach of the rule that is there for it.
//!
//! What is planted is planted in the whole process: the stories are told one after the other, by one test.
#![allow(clippy::unwrap_used)] // A story that cannot be told has failed.

use jsp_proto::connection::{Connection, Event, TransportConfig};
use jsp_proto::error::AppCode;
use jsp_proto::ids::{Dir, Side, StreamId};
use jsp_proto::planted::{Bug, plant};
use jsp_proto::time::Time;
use jsp_sim::app::content::Content;
use jsp_sim::app::{App, Asker, Echo, Sink, Source};
use jsp_sim::link::Link;
use jsp_sim::pair::{Pair, Scenario};
use jsp_sim::rule::Rule;
use jsp_sim::world::Failure;
use jsp_sim::{ms, secs};
use std::collections::BTreeSet;

/// How a story ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// All is done.
    Well,
    /// The network delivers, and nothing goes on any more; whoever runs scenarios calls it a breach of
    /// [`Rule::Progress`].
    Stuck,
    /// A check failed.
    Broke(Rule),
}

/// The mistake, how the story of a seed ends with it, and the story. Seeds are tried in turn until one does not
/// end well.
type Case = (Bug, End, fn(u64) -> Result<bool, Failure>);

const CASES: [Case; 20] = [
    (Bug::SpuriousInFlight, End::Broke(Rule::InFlight), reordered),
    (Bug::WindowIgnored, End::Broke(Rule::Window), plain),
    (Bug::PacingIgnored, End::Broke(Rule::Pacing), plain),
    (Bug::AmplificationIgnored, End::Broke(Rule::Amplification), silent_client),
    (Bug::NumberReused, End::Broke(Rule::Numbers), interrupted),
    (Bug::AckRange, End::Broke(Rule::Numbers), lossy),
    (Bug::TimeoutInPast, End::Broke(Rule::Timeout), long_silent),
    (Bug::MemoryUnbounded, End::Broke(Rule::Memory), small_buffer),
    (Bug::EventAfterClose, End::Broke(Rule::Closed), closed_by_both),
    (Bug::PollChangesState, End::Broke(Rule::Polls), plain),
    (Bug::EarlyKeyDrop, End::Broke(Rule::Refused), new_keys),
    (Bug::IdleInFlight, End::Broke(Rule::Idle), questions),
    (Bug::MtuOfLostProbe, End::Broke(Rule::Mtu), narrow),
    (Bug::AckOfUnsent, End::Broke(Rule::Forged), forged),
    (Bug::DeliverTwice, End::Broke(Rule::Application), dribbled),
    (Bug::CreditTwice, End::Stuck, very_lossy),
    (Bug::FinLost, End::Stuck, many_ends),
    (Bug::LateTick, End::Stuck, late_timers),
    (Bug::WindowStuck, End::Stuck, late_reader),
    (Bug::HandshakeStuck, End::Stuck, lost_handshake),
];

const SEEDS: u64 = 20;

fn path() -> Link {
    Link::new().delay(ms(20)).rate(50_000_000).queue(200_000)
}

fn upload(seed: u64, link: &Link, streams: u64, size: u64) -> Scenario {
    Scenario::new(seed)
        .link(link)
        .client_app(Source::new(streams, size))
        .server_app(move |_| Sink::new(streams, size))
        .within(secs(60))
}

/// Tells a story to its end, with something that happens on the way.
fn tell(
    scenario: Scenario,
    happens: impl FnOnce(&mut Pair) -> Result<(), Failure>,
) -> Result<bool, Failure> {
    let mut pair = scenario.start()?;
    happens(&mut pair)?;
    let outcome = pair.run_until(Pair::is_over)?;
    Ok(pair.report(outcome).is_success())
}

fn small_windows(transport: &mut TransportConfig) {
    transport.streams.stream_window = 60_000;
    transport.streams.stream_window_max = 60_000;
    transport.streams.connection_window = 60_000;
    transport.streams.connection_window_max = 60_000;
}

fn plain(seed: u64) -> Result<bool, Failure> {
    tell(upload(seed, &path(), 1, 1 << 20), |_| Ok(()))
}

fn reordered(seed: u64) -> Result<bool, Failure> {
    tell(upload(seed, &path().reorder(0.05, ms(60)), 1, 1 << 20), |_| Ok(()))
}

fn lossy(seed: u64) -> Result<bool, Failure> {
    let link = path().loss(0.1).reorder(0.05, ms(60));
    tell(upload(seed, &link, 3, 300_000).transport(small_windows), |_| Ok(()))
}

/// The connection's window is wider than what is in flight, so that there is credit to take when something is sent
/// again.
fn very_lossy(seed: u64) -> Result<bool, Failure> {
    let wide = |transport: &mut TransportConfig| {
        small_windows(transport);
        transport.streams.connection_window = 200_000;
        transport.streams.connection_window_max = 200_000;
    };
    tell(upload(seed, &path().loss(0.2), 3, 600_000).transport(wide), |_| Ok(()))
}

fn interrupted(seed: u64) -> Result<bool, Failure> {
    let link = path().outage(Time::ZERO + ms(150)..Time::ZERO + ms(900));
    tell(upload(seed, &link, 1, 1 << 20), |_| Ok(()))
}

/// After its first flight nothing arrives from the client for a while.
fn silent_client(seed: u64) -> Result<bool, Failure> {
    let there = Link::new().delay(ms(20)).lose_indices(3..9);
    tell(Scenario::new(seed).links(there, Link::new().delay(ms(20))), |_| Ok(()))
}

fn lost_handshake(seed: u64) -> Result<bool, Failure> {
    let back = Link::new().delay(ms(20)).lose_indices(0..2);
    tell(Scenario::new(seed).links(Link::new().delay(ms(20)), back), |_| Ok(()))
}

fn long_silent(seed: u64) -> Result<bool, Failure> {
    let mut pair = upload(seed, &path(), 1, 10_000).start()?;
    pair.world.run_for(secs(20))?;
    Ok(pair.is_over())
}

fn small_buffer(seed: u64) -> Result<bool, Failure> {
    let scenario = upload(seed, &path(), 1, 1 << 20);
    tell(scenario.transport(|transport| transport.streams.send_buffer = 40_000), |_| Ok(()))
}

fn closed_by_both(seed: u64) -> Result<bool, Failure> {
    let mut pair = Scenario::new(seed).link(&path()).start()?;
    pair.world.run_for(ms(500))?;
    for side in [Side::Client, Side::Server] {
        pair.with_connection(side, |connection, now| connection.close(now, AppCode(1), b""))?;
    }
    pair.world.run_for(secs(5))?;
    Ok(true)
}

fn new_keys(seed: u64) -> Result<bool, Failure> {
    tell(upload(seed, &path().reorder(0.2, ms(5)), 1, 1 << 20), |pair| {
        pair.world.run_for(ms(200))?;
        pair.with_connection(Side::Client, |connection, _| connection.update_keys())?;
        Ok(())
    })
}

fn questions(seed: u64) -> Result<bool, Failure> {
    let scenario = Scenario::new(seed)
        .link(&path())
        .client_app(Asker::new(5, 100, secs(1)))
        .server_app(|_| Echo::new())
        .within(secs(20));
    let mut pair = scenario.start()?;
    pair.world.run_for(secs(10))?;
    Ok(pair.is_over())
}

fn narrow(seed: u64) -> Result<bool, Failure> {
    tell(upload(seed, &path().mtu(1330), 1, 1 << 20), |_| Ok(()))
}

fn forged(seed: u64) -> Result<bool, Failure> {
    let mut pair = upload(seed, &path(), 1, 1 << 20).start()?;
    pair.world.run_for(ms(200))?;
    let handle = pair.handle;
    let done = pair.world.act(pair.client, |machine, context| machine.forge(context, handle))?;
    Ok(done && pair.client().is_some_and(|session| session.closed.is_some()))
}

fn many_ends(seed: u64) -> Result<bool, Failure> {
    tell(upload(seed, &path().loss(0.2), 50, 500), |_| Ok(()))
}

/// Timers that fire up to 50 ms late, and an interruption that only they can end.
fn late_timers(seed: u64) -> Result<bool, Failure> {
    let link = path().outage(Time::ZERO + ms(150)..Time::ZERO + ms(600));
    tell(upload(seed, &link, 1, 1 << 20), |pair| {
        let client = pair.client;
        pair.world.delay_timers(client, ms(50), secs(60));
        Ok(())
    })
}

fn late_reader(seed: u64) -> Result<bool, Failure> {
    let scenario = upload(seed, &path(), 1, 300_000).transport(small_windows);
    let sink = |_: &_| Late { sink: Sink::new(1, 300_000), from: Time::ZERO + secs(1) };
    tell(scenario.server_app(sink), |_| Ok(()))
}

/// Two pieces have a packet each; repeated they share one, though the first may have arrived.
fn dribbled(seed: u64) -> Result<bool, Failure> {
    let scenario = upload(seed, &path(), 1, Dribble::SIZE).client_app(Dribble::default());
    let (there, back) = (path().loss(0.2), path().loss(0.5));
    tell(scenario.links(there, back), |_| Ok(()))
}

/// Writes a few bytes, twice in a row, and then again when it is known what became of them.
#[derive(Debug, Default)]
struct Dribble {
    stream: Option<StreamId>,
    next: Option<Time>,
    written: u64,
}

impl Dribble {
    const SIZE: u64 = 5000;
}

impl App for Dribble {
    fn on_event(&mut self, now: Time, _: &mut Connection, event: &Event) -> Result<(), String> {
        if matches!(event, Event::Connected) {
            self.next = Some(now);
        }
        Ok(())
    }

    fn poll(&mut self, now: Time, connection: &mut Connection) -> Result<(), String> {
        if self.next.is_none_or(|next| now < next) {
            return Ok(());
        }
        let open = || connection.open_stream(Dir::Uni).ok_or("no stream is allowed");
        let id = self.stream.map_or_else(open, Ok)?;
        self.stream = Some(id);
        let mut bytes = [0; 100];
        Content::new(id.0).fill(self.written, &mut bytes);
        let written = connection.write(id, &bytes).map_err(|error| error.to_string())?;
        self.written += written as u64;
        let gap = if self.written.is_multiple_of(200) { ms(400) } else { ms(5) };
        self.next = Some(now + gap).filter(|_| self.written < Self::SIZE);
        if self.next.is_none() {
            connection.finish(id).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn next_timeout(&self) -> Option<Time> {
        self.next
    }

    fn is_done(&self) -> bool {
        self.written >= Self::SIZE
    }
}

/// Reads nothing before its time.
#[derive(Debug)]
struct Late {
    sink: Sink,
    from: Time,
}

impl App for Late {
    fn on_event(
        &mut self,
        now: Time,
        connection: &mut Connection,
        event: &Event,
    ) -> Result<(), String> {
        self.sink.on_event(now, connection, event)
    }

    fn poll(&mut self, now: Time, connection: &mut Connection) -> Result<(), String> {
        if now < self.from {
            return Ok(());
        }
        // Never again, so that the timer is over.
        self.from = Time::ZERO;
        self.sink.poll(now, connection)
    }

    fn next_timeout(&self) -> Option<Time> {
        Some(self.from).filter(|from| *from > Time::ZERO)
    }

    fn is_done(&self) -> bool {
        self.sink.is_done()
    }
}

/// How the first story that does not end well ends, and what was said.
fn end(story: fn(u64) -> Result<bool, Failure>) -> (End, String) {
    for seed in 0..SEEDS {
        match story(seed) {
            Ok(true) => {}
            Ok(false) => return (End::Stuck, format!("seed {seed}")),
            Err(failure) => {
                let what = format!("seed {seed}: {}", failure.violation);
                return (End::Broke(failure.violation.rule), what);
            }
        }
    }
    (End::Well, String::new())
}

#[test]
fn each_rule_fails_where_a_mistake_breaks_it_and_nowhere_else() {
    let mut wrong = Vec::new();
    for (bug, expected, story) in CASES {
        plant(None);
        let (without, what) = end(story);
        if without != End::Well {
            wrong.push(format!("{bug} is not planted, and its story ends {without:?}: {what}"));
        }
        plant(Some(bug));
        let (with, what) = end(story);
        println!("{bug}: {with:?}, {what}");
        if with != expected {
            wrong.push(format!("{bug} ends {with:?}, not {expected:?}: {what}"));
        }
    }
    plant(None);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let bugs: BTreeSet<_> = CASES.map(|(bug, ..)| bug).into();
    assert_eq!(bugs, Bug::ALL.into());
}
