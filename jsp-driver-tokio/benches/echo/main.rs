//! Echo latency over loopback: 64 bytes there and back, one request at a time, client and server each
//! on a thread of its own; ours beside quinn, TLS over TCP and UDP without a protocol, on plain sockets
//! (`raw`) and on sockets as our drivers have them (`bare`), in alternating rounds of one run.
//!
//! *Sleeping*, a side that waits leaves the processor to others, so wake-ups are most of what is
//! measured. *Spinning*, it does not: that needs two cores that nobody else wants.
//!
//! `cargo bench -p jsp-driver-tokio --bench echo -- [echoes=2000] [rounds=21] [mode=MODE] [only=NAME]
//! [json=FILE]`
#![allow(clippy::unwrap_used)] // A bench that cannot run says so by failing.

#[path = "../common/mod.rs"]
mod common;

mod bare;
mod mio;
mod ours;
mod quinn;
mod raw;
mod tls;

use common::report::Report;
use common::{argument, median, option, runtime};
use std::time::{Duration, Instant};

/// Bytes of a request, and of its answer.
const SIZE: usize = 64;
/// Requests before those that are measured.
const WARM_UP: usize = 200;
/// How long ours spins before it sleeps: longer than any round trip.
const SPIN: Duration = Duration::from_millis(20);

/// Who takes part.
struct Contender {
    name: &'static str,
    /// Measures a round of so many echoes: the time of each.
    run: fn(usize) -> Vec<Duration>,
    /// What its median may be at most, as a multiple of another's.
    bar: Option<(&'static str, f64)>,
}

const SLEEPING: &[Contender] = &[
    Contender { name: "raw", run: raw::sleeping, bar: None },
    Contender { name: "bare", run: bare::sleeping, bar: None },
    Contender { name: "mio", run: mio::sleeping, bar: Some(("raw", 1.08)) },
    Contender { name: "tokio", run: ours::sleeping, bar: Some(("quinn", 0.95)) },
    Contender { name: "quinn", run: quinn::round, bar: None },
    Contender { name: "tls", run: tls::round, bar: None },
];

const SPINNING: &[Contender] = &[
    Contender { name: "raw", run: raw::spinning, bar: None },
    Contender { name: "bare", run: bare::spinning, bar: None },
    Contender { name: "mio", run: mio::spinning, bar: Some(("raw", 1.6)) },
    Contender { name: "tokio", run: ours::spinning, bar: None },
];

/// What is shown of a round's times.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

/// Microseconds, for each of the quantiles.
type Times = [f64; QUANTILES.len()];

fn main() {
    let (echoes, rounds) = (argument("echoes", 2000), argument("rounds", 21));
    let (only, only_mode) = (option("only"), option("mode"));
    let mut report = Report::new("echo");
    println!(
        "echo of {SIZE} bytes over loopback, microseconds: quantiles of {echoes} echoes, and of"
    );
    println!("each the median of {rounds} rounds");
    for (mode, contenders) in [("sleeping", SLEEPING), ("spinning", SPINNING)] {
        if only_mode.as_deref().is_some_and(|only| only != mode) {
            continue;
        }
        let wanted = |one: &&Contender| only.as_deref().is_none_or(|only| only == one.name);
        let contenders: Vec<_> = contenders.iter().filter(wanted).collect();
        let mut times = vec![Vec::new(); contenders.len()];
        for _ in 0..rounds {
            for (times, contender) in times.iter_mut().zip(&contenders) {
                times.push(quantiles((contender.run)(echoes)));
            }
        }
        let medians = times.iter().map(|rounds| {
            std::array::from_fn(|at| median(rounds.iter().map(|round: &Times| round[at]).collect()))
        });
        let results: Vec<_> = contenders.into_iter().zip(medians).collect();
        table(mode, &results);
        for (at, (quantile, _)) in QUANTILES.iter().enumerate() {
            let what = format!("echo of {SIZE} bytes, both sides {mode}, {quantile}");
            let values: Vec<_> = results.iter().map(|(one, times)| (one.name, times[at])).collect();
            report.row(&what, "us", &values);
        }
    }
    report.write();
}

fn table(mode: &str, results: &[(&Contender, Times)]) {
    print!("{mode:>10}");
    for (name, _) in QUANTILES {
        print!(" {name:>8}");
    }
    println!();
    for (one, times) in results {
        print!("{:>10}", one.name);
        for time in times {
            print!(" {time:>8.1}");
        }
        println!();
    }
    for (one, times) in results.iter().filter(|(one, _)| one.bar.is_some()) {
        for (other, theirs) in results.iter().filter(|(other, _)| other.name != one.name) {
            let [p50, _, p99, _] = std::array::from_fn(|at| times[at] / theirs[at]);
            let bar = one.bar.filter(|(name, _)| *name == other.name);
            let bar = bar.map_or(String::new(), |(_, bar)| format!(" (bar: at most {bar})"));
            println!("{mode}, {} / {}: p50 {p50:.2}{bar}, p99 {p99:.2}", one.name, other.name);
        }
    }
}

fn quantiles(mut times: Vec<Duration>) -> Times {
    times.sort_unstable();
    let at = |quantile: f64| times[(times.len() as f64 * quantile) as usize];
    QUANTILES.map(|(_, quantile)| at(quantile).as_secs_f64() * 1e6)
}

/// Runs a task on a runtime of one thread, as a server runs its tasks.
fn run<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> T {
    // The future of `block_on` itself would wait for an extra look at the network each time.
    runtime().block_on(async { tokio::spawn(task).await.unwrap() })
}

/// The times of echoes, but for those of the first few.
struct Stopwatch {
    times: Vec<Duration>,
    echoes: usize,
    left: usize,
    start: Instant,
}

impl Stopwatch {
    fn new(echoes: usize) -> Self {
        let times = Vec::with_capacity(echoes);
        Self { times, echoes, left: WARM_UP + echoes, start: Instant::now() }
    }

    /// Begins an echo; `false` if there were enough.
    fn begins(&mut self) -> bool {
        self.start = Instant::now();
        self.left > 0
    }

    /// An echo has arrived.
    fn ends(&mut self) {
        let time = self.start.elapsed();
        self.left -= 1;
        if self.left < self.echoes {
            self.times.push(time);
        }
    }
}
