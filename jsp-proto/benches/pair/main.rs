//! What a packet costs an engine: ours and quinn-proto's, each as a pair in one thread without sockets,
//! in the same run. Both ends and their acknowledgements count.
//!
//! `cargo bench -p jsp-proto --bench pair --features aws-lc`
//!
//! | after `--` | |
//! |---|---|
//! | (nothing) | times and instructions |
//! | `times`, `instructions` | one of them; `mib=`, `rounds=`: how much is carried, how often |
//! | `json=FILE` | also writes what it found there |
//! | `echo` | the same of small datagrams: 64 bytes there and back, and a sign of life with its answer |
//! | `only=ours`, `only=quinn` | one transfer and nothing else, for a profiler; `nocipher`, `mib=` |
//! | the same with `echo`, `keepalive` | such exchanges and nothing else; `nocipher`, `times=` |
//!
//! Instructions are counted by valgrind, which does not know the widest vector instructions of
//! ciphers: without a cipher.

#[path = "../../tests/support/bulk.rs"]
mod bulk;
#[path = "../common/mod.rs"]
mod common;
mod echo;
#[path = "../../tests/support/engine.rs"]
mod engine;
mod ours;

use bulk::{Ends, bulk};
use common::callgrind::{self, Cost};
use common::report::Report;
use common::{PACKET, Shielding, argument, cpu_per_unit, flag, median, number};
use jsp_proto::crypto::Suite;

/// Our share of the peer's instructions, at most.
const BAR: f64 = 0.35;
/// What an application writes at once.
const WRITE: usize = 64 << 10;

#[derive(Clone, Copy)]
pub(crate) enum Engine {
    Ours,
    Quinn,
}

impl Engine {
    const ALL: [Self; 2] = [Self::Ours, Self::Quinn];

    fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Quinn => "quinn",
        }
    }

    fn connect(self, shielding: Shielding) -> Box<dyn Transfer> {
        match self {
            Self::Ours => {
                Box::new(engine::Pair::connect(&shielding.provider(), Suite::Aes256Gcm, PACKET))
            }
            Self::Quinn => Box::new(common::quinn::Pair::connect(shielding)),
        }
    }
}

/// A pair of either engine.
trait Transfer {
    /// Carries so many MiB; returns how many datagrams that took.
    fn transfer(&mut self, mib: u64) -> u64;
}

impl<E: Ends> Transfer for E {
    fn transfer(&mut self, mib: u64) -> u64 {
        bulk(self, &vec![7; WRITE], mib << 20)
    }
}

fn main() {
    let exchange = std::env::args().find_map(|word| echo::Exchange::named(&word));
    if let Some(name) = argument("only") {
        let engine = Engine::ALL.into_iter().find(|engine| engine.name() == name);
        let engine = engine.expect("ours or quinn");
        let shielding = if flag("nocipher") { Shielding::None } else { Shielding::Aes256Gcm };
        let units = match exchange {
            Some(exchange) => {
                exchange.run(&mut *echo::connect(engine, shielding), number("times", 100_000))
            }
            None => engine.connect(shielding).transfer(number("mib", 64)),
        };
        println!("{units}");
        return;
    }
    let all = !flag("times") && !flag("instructions");
    let mut report = Report::new("pair");
    if exchange.is_some() {
        echo::tables(&mut report);
        report.write();
        return;
    }
    if all || flag("times") {
        times(&mut report);
    }
    if all || flag("instructions") {
        instructions(&mut report);
    }
    report.write();
}

/// Processor time and the goodput that it allows: the median of rounds that take turns.
fn times(report: &mut Report) {
    println!("{:<12} {:<8} {:>8} {:>10}", "cipher", "engine", "GB/CPU-s", "ns/packet");
    for shielding in [Shielding::Aes256Gcm, Shielding::None] {
        let mut pairs = Engine::ALL.map(|engine| engine.connect(shielding));
        let mib = number("mib", 256);
        for pair in &mut pairs {
            pair.transfer(mib.min(64));
        }
        let mut rounds = [const { Vec::new() }; 2];
        let mut packets = [0; 2];
        for _ in 0..number("rounds", 5) {
            for at in [0, 1] {
                rounds[at].push(cpu_per_unit(|| {
                    packets[at] = pairs[at].transfer(mib);
                    packets[at]
                }));
            }
        }
        let medians = rounds.map(median);
        for (at, engine) in Engine::ALL.into_iter().enumerate() {
            let rate = (mib << 20) as f64 / packets[at] as f64 / medians[at];
            let each = medians[at];
            println!("{:<12} {:<8} {rate:>8.3} {each:>10.0}", shielding.name(), engine.name());
        }
        println!("{:<12} {:<8} {:>8} {:>10.3}", "", "ratio", "", medians[0] / medians[1]);
        let what = format!("engines alone in bulk, {}, processor time of both", shielding.name());
        report.row(&what, "ns for a packet", &[("engine", medians[0]), ("quinn", medians[1])]);
    }
}

/// The steps of a turn in the order of the table's columns: those that make datagrams, then those that
/// take them.
const STAGES: [(&str, &str); 7] = [
    ("write", "stage::write"),
    ("send", "stage::send"),
    ("send acks", "stage::acknowledge"),
    ("receive", "stage::receive"),
    ("read", "stage::read"),
    ("take acks", "stage::acknowledged"),
    ("timers", "stage::tick"),
];

/// Instructions for each packet, without a cipher: in all, on the way out, on the way in, at each step.
fn instructions(report: &mut Report) {
    println!("\ninstructions for each data packet, no cipher");
    print!("{:<8} {:>6} {:>6} {:>6}", "engine", "all", "out", "in");
    for (name, _) in STAGES {
        print!(" {name:>9}");
    }
    println!();
    let costs = match Engine::ALL.map(count) {
        [Ok(ours), Ok(quinn)] => [ours, quinn],
        [Err(error), _] | [_, Err(error)] => return println!("not counted: {error}"),
    };
    for (engine, Cost { total, parts }) in Engine::ALL.iter().zip(&costs) {
        let [out, into] = [&parts[..3], &parts[3..]].map(|parts| parts.iter().sum::<f64>());
        print!("{:<8} {total:>6.0} {out:>6.0} {into:>6.0}", engine.name());
        for part in parts {
            print!(" {part:>9.0}");
        }
        println!();
    }
    let ratio = costs[0].total / costs[1].total;
    let verdict = if ratio <= BAR { "within" } else { "beyond" };
    println!("ratio {ratio:.3}: {verdict} the bar of {BAR}");
    let what = "engines alone in bulk, no cipher, instructions of both";
    let values = [("engine", costs[0].total), ("quinn", costs[1].total)];
    report.row(what, "for a packet", &values);
}

fn count(engine: Engine) -> Result<Cost, String> {
    let functions = STAGES.map(|(_, function)| function);
    let run = |mib: u64| {
        let only = format!("only={}", engine.name());
        callgrind::run(&[only, "nocipher".into(), format!("mib={mib}")], &functions)
    };
    let mib = number("mib", 24);
    Ok(&run(mib + 8)? - &run(8)?)
}
