//! How fast virtual time passes, every rule checked after every event.
//!
//! ```sh
//! cargo bench -p jsp-sim --bench speed
//! ```
//!
//! One core. The bars: a bulk transfer at 100 Mbit/s at least ten times faster than real time; an hour of a
//! thousand idle connections in less than ten seconds.

use jsp_sim::app::{Idle, Sink, Source};
use jsp_sim::link::Link;
use jsp_sim::pair::Scenario;
use jsp_sim::{ms, secs};
use std::time::{Duration, Instant};

fn main() {
    bulk(ms(10));
    bulk(ms(50));
    idle(None);
    idle(Some(secs(25)));
}

/// 125 MB over 100 Mbit/s: ten seconds and a little.
fn bulk(delay: Duration) {
    const SIZE: u64 = 125_000_000;
    let link = Link::new().mtu(1500).rate(100_000_000).queue(500_000).delay(delay);
    let start = Instant::now();
    let report = Scenario::new(1)
        .link(&link)
        .client_app(Source::new(1, SIZE))
        .server_app(|_| Sink::new(1, SIZE))
        .within(secs(60))
        .run()
        .unwrap_or_else(|failure| panic!("{failure}"));
    let took = start.elapsed();
    assert!(report.is_success(), "{report:#?}");
    let (virtual_time, real) = (report.time.as_secs_f64(), took.as_secs_f64());
    let packets = report.there.entered + report.back.entered;
    println!(
        "bulk, 100 Mbit/s, {:?} one way: {virtual_time:.2} s in {real:.3} s, {:.1} times real time, \
         {:.2} us a datagram",
        delay,
        virtual_time / real,
        real * 1e6 / packets as f64,
    );
}

/// A thousand connections between two hosts, for an hour.
fn idle(keep_alive: Option<Duration>) {
    const CONNECTIONS: usize = 1000;
    let hour = secs(3600);
    let start = Instant::now();
    let mut pair = Scenario::new(1)
        .link(&Link::new().delay(ms(20)))
        .transport(|config| {
            config.keep_alive = keep_alive;
            config.idle_timeout = if keep_alive.is_some() { Some(secs(30)) } else { None };
        })
        .client_app(Idle::new())
        .server_app(|_| Idle::new())
        .within(hour)
        .start()
        .unwrap_or_else(|failure| panic!("{failure}"));
    for _ in 1..CONNECTIONS {
        pair.connect_again(Idle::new()).unwrap_or_else(|failure| panic!("{failure}"));
    }
    pair.world.run_for(hour).unwrap_or_else(|failure| panic!("{failure}"));
    let took = start.elapsed();
    let alive = |node| {
        let sessions = pair.world.host(node).sessions();
        sessions.filter(|session| session.connected.is_some() && session.closed.is_none()).count()
    };
    assert_eq!([pair.client, pair.server].map(alive), [CONNECTIONS; 2]);
    let kept = keep_alive.map_or("silent".into(), |each| format!("a sign of life each {each:?}"));
    println!(
        "{CONNECTIONS} idle connections, {kept}, an hour: {:.2} s, {} events",
        took.as_secs_f64(),
        pair.world.events(),
    );
}
