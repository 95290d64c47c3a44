//! A chat through a tunnel: an application of your own, tested on a terrible network.
//!
//!     cargo run -p jsp-sim --example chat            # seed 1
//!     cargo run -p jsp-sim --example chat -- 42      # another network, the same each time
//!
//! Three guests share a connection to a room. Each says a line every 400 ms on a stream of their own,
//! and in the middle everything is lost for ten seconds. The room must hear every line of each guest,
//! once and in order. What a real chat would do with sockets is done here by two structs, [`Guests`]
//! and [`Room`], that implement [`App`]: the simulator calls them, and they call the connection.

use jsp_proto::connection::{Connection, Event};
use jsp_proto::ids::{Dir, StreamId};
use jsp_proto::stream::ReadError;
use jsp_proto::time::{Duration, Time};
use jsp_sim::app::App;
use jsp_sim::link::Link;
use jsp_sim::pair::{Report, Scenario};
use jsp_sim::world::Failure;
use jsp_sim::{ms, secs};
use std::collections::BTreeMap;

const NAMES: [&str; 3] = ["Ada", "Grace", "Hedy"];
const LINES: usize = 50;
const PAUSE: Duration = Duration::from_millis(400);

/// The client: what the guests say, and what of it the connection has not taken yet.
#[derive(Debug, Default)]
struct Guests {
    streams: Vec<(StreamId, Vec<u8>)>,
    said: usize,
    next: Option<Time>,
}

impl App for Guests {
    /// Called for everything that happens. This chat waits for one thing only: the connection.
    fn on_event(
        &mut self,
        now: Time,
        connection: &mut Connection,
        event: &Event,
    ) -> Result<(), String> {
        if let Event::Connected = event {
            for _ in NAMES {
                let id = connection.open_stream(Dir::Uni).ok_or("no stream is allowed")?;
                self.streams.push((id, Vec::new()));
            }
            self.next = Some(now);
        }
        Ok(())
    }

    /// Called after events, and when [`App::next_timeout`] has come: the time to write.
    fn poll(&mut self, now: Time, connection: &mut Connection) -> Result<(), String> {
        if self.next.is_some_and(|next| next <= now) {
            for ((_, unsent), name) in self.streams.iter_mut().zip(NAMES) {
                unsent.extend(format!("{name} says line {}\n", self.said).bytes());
            }
            self.said += 1;
            self.next = (self.said < LINES).then_some(now + PAUSE);
        }
        for (id, unsent) in &mut self.streams {
            if !unsent.is_empty()
                && let Ok(taken) = connection.write(*id, unsent)
            {
                unsent.drain(..taken);
            }
        }
        Ok(())
    }

    fn next_timeout(&self) -> Option<Time> {
        self.next
    }

    fn is_done(&self) -> bool {
        self.said == LINES
    }
}

/// The server: the beginning of a line on each stream, and how many lines of each guest were heard.
#[derive(Debug, Default)]
struct Room {
    streams: BTreeMap<StreamId, Vec<u8>>,
    heard: BTreeMap<String, usize>,
    last: Option<Time>,
    silence: Duration,
}

impl Room {
    /// What must never happen is an error, and fails the run at that very event.
    fn hear(&mut self, now: Time, line: &str) -> Result<(), String> {
        let (name, n) = line.split_once(" says line ").ok_or(format!("who says {line:?}?"))?;
        let expected = self.heard.entry(name.to_owned()).or_default();
        if n != expected.to_string() {
            return Err(format!("{name} was to say line {expected}, and the room heard {line:?}"));
        }
        *expected += 1;
        self.silence = self.silence.max(now.since(self.last.unwrap_or(now)));
        self.last = Some(now);
        Ok(())
    }
}

impl App for Room {
    fn on_event(&mut self, _: Time, _: &mut Connection, _: &Event) -> Result<(), String> {
        Ok(())
    }

    fn poll(&mut self, now: Time, connection: &mut Connection) -> Result<(), String> {
        while let Some(id) = connection.accept_stream(Dir::Uni) {
            self.streams.insert(id, Vec::new());
        }
        let mut lines = Vec::new();
        for (id, begun) in &mut self.streams {
            let mut buffer = [0; 1024];
            loop {
                match connection.read(*id, &mut buffer) {
                    Ok(n) => begun.extend(&buffer[..n]),
                    Err(ReadError::Blocked) => break,
                    Err(error) => return Err(format!("a guest left: {error}")),
                }
            }
            while let Some(end) = begun.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = begun.drain(..=end).take(end).collect();
                lines.push(String::from_utf8(line).map_err(|error| error.to_string())?);
            }
        }
        lines.iter().try_for_each(|line| self.hear(now, line))
    }

    fn is_done(&self) -> bool {
        self.heard.len() == NAMES.len() && self.heard.values().all(|lines| *lines == LINES)
    }
}

/// The network and the story. Whatever is random in it follows from the seed.
fn chat(seed: u64) -> Result<(Report, Duration), Failure> {
    let at = |seconds| Time::ZERO + secs(seconds);
    let path = Link::new()
        .rate(2_000_000)
        .queue(32_000)
        .delay(ms(40))
        .jitter(ms(10))
        .loss(0.03)
        .duplicate(0.01)
        .outage(at(5)..at(15));
    let mut pair = Scenario::new(seed)
        .link(&path)
        .client_app(Guests::default())
        .server_app(|_| Room::default())
        .within(secs(60))
        .start()?;
    let outcome = pair.run_until(jsp_sim::pair::Pair::is_over)?;
    let silence = pair.server().and_then(|room| room.app::<Room>()).map(|room| room.silence);
    Ok((pair.report(outcome), silence.unwrap_or_default()))
}

fn main() {
    let seed = std::env::args().nth(1).and_then(|seed| seed.parse().ok()).unwrap_or(1);
    match chat(seed) {
        Ok((report, silence)) if report.is_success() => {
            println!("Every line of {} was heard, once and in order,", NAMES.join(", "));
            println!(
                "after {:.1} s; the longest silence was {:.1} s.",
                report.time.as_secs_f64(),
                silence.as_secs_f64()
            );
            println!("{} datagrams were lost on the way.", report.there.lost + report.back.lost);
            println!("To see the same again: seed {seed} (trace {}).", report.trace);
        }
        Ok((report, _)) => println!("Not everything was heard with seed {seed}: {report:#?}"),
        Err(failure) => println!("With seed {seed}, {failure}"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_line_is_lost_in_the_outage_whatever_the_seed() {
        jsp_sim::seeds::each(0..20, |seed| {
            let (report, silence) = super::chat(seed).unwrap_or_else(|failure| panic!("{failure}"));
            assert!(report.is_success(), "seed {seed}: {report:#?}");
            assert!(silence >= super::secs(10), "seed {seed}: there was no outage");
        });
    }
}
