//! What one small datagram costs: 64 bytes there and back, and a sign of life with its answer. Both ends
//! count, and all that a driver asks of an engine between two polls of its socket.

use crate::Engine;
use crate::common::callgrind::{self, Cost};
use crate::common::report::Report;
use crate::common::talk::{STAGES, Talk, echo, keep_alive};
use crate::common::{Shielding, cpu_per_unit, flag, median, number, quinn};
use crate::ours;
use jsp_proto::time::Duration;

/// What is exchanged.
#[derive(Clone, Copy)]
pub(crate) enum Exchange {
    /// A message of 64 bytes, and the same back.
    Echo,
    /// A sign of life after some silence, and its acknowledgement.
    KeepAlive,
}

impl Exchange {
    const ALL: [Self; 2] = [Self::Echo, Self::KeepAlive];

    fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::KeepAlive => "keepalive",
        }
    }

    /// The exchange that this word asks for.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|exchange| exchange.name() == name)
    }

    /// Runs so many of it.
    pub(crate) fn run(self, pair: &mut dyn Talks, times: u64) -> u64 {
        match self {
            Self::Echo => pair.echo(times),
            Self::KeepAlive => pair.keep_alive(times),
        }
    }
}

/// A pair of either engine.
pub(crate) trait Talks {
    fn echo(&mut self, times: u64) -> u64;
    fn keep_alive(&mut self, times: u64) -> u64;
}

impl<T: Talk> Talks for T {
    fn echo(&mut self, times: u64) -> u64 {
        echo(self, &[7; 64], times)
    }

    fn keep_alive(&mut self, times: u64) -> u64 {
        keep_alive(self, times)
    }
}

pub(crate) fn connect(engine: Engine, shielding: Shielding) -> Box<dyn Talks> {
    let keep_alive = Duration::from_secs(3);
    match engine {
        Engine::Ours => Box::new(ours::Talkers::connect(&shielding.provider(), keep_alive)),
        Engine::Quinn => Box::new(quinn::Talkers::connect(shielding, keep_alive)),
    }
}

/// Times and instructions of both exchanges.
pub(crate) fn tables(report: &mut Report) {
    let all = !flag("times") && !flag("instructions");
    if all || flag("times") {
        times(report);
    }
    if all || flag("instructions") {
        instructions();
    }
}

/// Processor time: the median of rounds that take turns.
fn times(report: &mut Report) {
    println!("{:<10} {:<12} {:>8} {:>8} {:>6}", "ns", "cipher", "ours", "quinn", "ratio");
    for exchange in Exchange::ALL {
        for shielding in [Shielding::Aes256Gcm, Shielding::None] {
            let mut pairs = Engine::ALL.map(|engine| connect(engine, shielding));
            let mut rounds = [const { Vec::new() }; 2];
            for _ in 0..number("rounds", 9) {
                for (pair, rounds) in pairs.iter_mut().zip(&mut rounds) {
                    rounds.push(cpu_per_unit(|| exchange.run(&mut **pair, 20_000)));
                }
            }
            let [ours, quinn] = rounds.map(median);
            let (name, cipher) = (exchange.name(), shielding.name());
            println!("{name:<10} {cipher:<12} {ours:>8.0} {quinn:>8.0} {:>6.3}", ours / quinn);
            let what = format!("engines alone, {name}, {cipher}, processor time of both");
            report.row(&what, "ns for an exchange", &[("engine", ours), ("quinn", quinn)]);
        }
    }
}

/// Instructions, without a cipher: in all, and at each step.
fn instructions() {
    for exchange in Exchange::ALL {
        println!("\ninstructions for each {}, no cipher", exchange.name());
        print!("{:<8} {:>7}", "engine", "all");
        for (name, _) in STAGES {
            print!(" {name:>7}");
        }
        println!();
        for engine in Engine::ALL {
            let Cost { total, parts } = match count(exchange, engine) {
                Ok(cost) => cost,
                Err(error) => return println!("not counted: {error}"),
            };
            print!("{:<8} {total:>7.0}", engine.name());
            for part in parts {
                print!(" {part:>7.0}");
            }
            println!();
        }
    }
}

fn count(exchange: Exchange, engine: Engine) -> Result<Cost, String> {
    let functions = STAGES.map(|(_, function)| function);
    let run = |times: u64| {
        let only = format!("only={}", engine.name());
        let times = format!("times={times}");
        callgrind::run(&[exchange.name().into(), only, "nocipher".into(), times], &functions)
    };
    Ok(&run(7000)? - &run(2000)?)
}
