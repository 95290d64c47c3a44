//! `jsp-sim run`: a scenario under a seed, or under many.

use super::failure::Failure;
use super::plant::Plant;
use super::record::{Files, Recorders};
use super::scenario::{self, replay};
use super::summary::summarise;
use super::verdict;
use jsp_sim::look::human;
use jsp_sim::scenario::{Report, Scenario};
use jsp_sim::seeds;
use std::ops::Range;
use std::process::ExitCode;
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
    jsp-sim run outage.toml                          seed 0, and a summary
    jsp-sim run outage.toml --seed 7 --plot 7.svg    what happened, as a picture
    jsp-sim run outage.toml --seeds 0..1000          a thousand runs, on all cores
    jsp-sim run outage.toml --seed 7 --hash          the same on every machine, every time

Exit codes: 0 passed, 1 a rule or an expectation was broken, 2 the file or command line is wrong.";

/// Run a scenario in virtual time, and tell how it went.
///
/// After every event every connection is held to the rules of the protocol. If one is broken, or an
/// expectation of the scenario's, the summary says which, when, where, and what happened before.
///
/// A seed is a number. All random choices of a run follow from it: what is lost, when, and every key.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The scenario, a TOML file
    scenario: String,
    /// What all random choices follow from
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "seeds")]
    seed: u64,
    /// Run under each of these seeds, the last one left out, on all cores
    #[arg(long, value_name = "A..B", value_parser = parse_seeds)]
    seeds: Option<Range<u64>>,
    /// Print the hash over every datagram, event and timer, and nothing else
    #[arg(long)]
    hash: bool,
    #[command(flatten)]
    plant: Plant,
    #[command(flatten)]
    files: Files,
}

/// Runs it, and prints what came of it.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let scenario = scenario::read(&args.scenario)?;
    args.plant.plant();
    match &args.seeds {
        None => one(args, &scenario),
        Some(_) if args.files.any() => {
            Err(Failure::usage("files are written of one run, not of many")
                .with_hint("Say --seed N instead of --seeds A..B"))
        }
        Some(seeds) => many(args, &scenario, seeds.clone()),
    }
}

fn one(args: &Args, scenario: &Scenario) -> Result<ExitCode, Failure> {
    let mut run = scenario::start(scenario, args.seed)?;
    let mut recorders = Recorders::new(&args.files, &mut run, args.seed)?;
    let begun = Instant::now();
    let report = run.finish_with(|run| recorders.look(run));
    let wall = begun.elapsed();
    let samples = recorders.finish()?;
    if args.hash {
        anstream::println!("{}", report.hash);
    } else {
        let replay = replay(&args.scenario, args.seed, &args.plant.words());
        anstream::print!("{}", summarise(scenario, &report, &samples, wall, replay));
    }
    Ok(verdict(report.is_success()))
}

/// A line for each seed, and what there is to say of those that failed.
fn many(args: &Args, scenario: &Scenario, seeds: Range<u64>) -> Result<ExitCode, Failure> {
    // Whatever is wrong with the scenario is so under every seed.
    scenario::start(scenario, seeds.start)?;
    let reports: Vec<Report> =
        seeds::each(seeds, |seed| scenario.run(seed)).into_iter().filter_map(Result::ok).collect();
    for report in &reports {
        anstream::println!("{}", line(args, report));
    }
    let failed = reports.iter().filter(|report| !report.is_success()).count();
    if !args.hash {
        let (runs, failed) = (human::counted(reports.len() as u64, "run"), failed as u64);
        anstream::println!("{runs}, {} failed", human::count(failed));
    }
    Ok(verdict(failed == 0))
}

fn line(args: &Args, report: &Report) -> String {
    let Report { seed, time, events, hash, .. } = report;
    if args.hash {
        return format!("{seed} {hash}");
    }
    let what = match &report.failure {
        None => "PASSED".to_owned(),
        Some(failure) => format!("FAILED  {}", failure.violation),
    };
    let head =
        format!("seed {seed:<6} {:>8} {:>9} events", human::span(*time), human::count(*events));
    let tail = match report.failure {
        None => String::new(),
        Some(_) => format!("\n    {}", replay(&args.scenario, *seed, &args.plant.words())),
    };
    format!("{head}  {what}{tail}")
}

fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("`{text}` is no number"));
    let (start, end) = text.split_once("..").ok_or("seeds are a range, such as 0..100")?;
    let seeds = number(start)?..number(end)?;
    if seeds.is_empty() { Err("there is no seed in it".into()) } else { Ok(seeds) }
}

#[cfg(test)]
mod tests {
    use super::parse_seeds;

    #[test]
    fn seeds_are_a_range_with_something_in_it() {
        assert_eq!(parse_seeds("3..10"), Ok(3..10));
        for wrong in ["3", "3..3", "4..3", "a..3", "..", "3..=4"] {
            assert!(parse_seeds(wrong).is_err(), "{wrong}");
        }
    }
}
