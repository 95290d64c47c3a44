//! `jsp-sim swarm`: the search for a run that breaks a rule.

use super::failure::Failure;
use super::plant::Plant;
use super::scenario::replay;
use super::verdict;
use indicatif::{ProgressBar, ProgressStyle};
use jsp_sim::look::human;
use jsp_sim::scenario::Scenario;
use jsp_sim::seeds;
use jsp_sim::swarm::{self, Finding, Harvest, Progress, Shrunk, Swarm};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, IsTerminal as _};
use std::num::{NonZeroU64, NonZeroUsize};
use std::panic;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const EXAMPLES: &str = "\
Examples:
    jsp-sim swarm                        a thousand scenarios, seeds 0 to 999
    jsp-sim swarm --until-failure        go on until something is found
    jsp-sim swarm --seed 417 --runs 1    one scenario of a search again

The same seeds give the same hash on every machine, however many workers there are.

Exit codes: 0 nothing was found, 1 something was, 2 the command line is wrong.";

/// Search random scenarios for one that breaks a rule, and shrink what is found.
///
/// Each seed gives a scenario: links, boxes, hosts, operations and faults, of which each run leaves out
/// about half (swarm testing). Of each rule that is broken the first finding is made as small as it can
/// be and still break the rule, and is written as a scenario file that `jsp-sim run` replays.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// How many scenarios
    #[arg(long, value_name = "N", default_value = "1000")]
    runs: NonZeroU64,
    /// The first one's seed
    #[arg(long, value_name = "FIRST", default_value_t = 0)]
    seed: u64,
    /// On how many threads [default: one for each core]
    #[arg(long, value_name = "W")]
    workers: Option<NonZeroUsize>,
    /// How many runs shrinking a finding may take; 0 leaves it as it is
    #[arg(long, value_name = "BUDGET", default_value_t = 400)]
    shrink: u32,
    /// The folder for what is found
    #[arg(long, value_name = "DIR", default_value = "failures")]
    out: PathBuf,
    /// Stop at the first finding; without one, go on with the next seeds, for ever
    #[arg(long)]
    until_failure: bool,
    #[command(flatten)]
    plant: Plant,
}

/// Searches, and tells what was found.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    args.plant.plant();
    // What panics is a finding, and is told as one.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let found = search(args).and_then(|harvest| {
        let first = first_of_each_rule(&harvest);
        anstream::print!("{}", tally(&harvest));
        first.into_iter().try_for_each(|finding| tell(args, finding))?;
        Ok(!harvest.findings.is_empty())
    });
    panic::set_hook(hook);
    found.map(|found| verdict(!found))
}

/// Searches once, or until something is found.
fn search(args: &Args) -> Result<Harvest, Failure> {
    let workers = args.workers.map_or_else(seeds::cores, NonZeroUsize::get);
    let mut first = args.seed;
    loop {
        let end = first.checked_add(args.runs.get()).ok_or_else(|| {
            Failure::usage(format!("there are no {} seeds from {first} on", args.runs))
        })?;
        let search = Swarm { seeds: first..end, workers, stop: args.until_failure };
        let (begun, meter) = (Instant::now(), Meter::new(args.runs.get()));
        let harvest = search.search(swarm::run, |progress| meter.tell(progress));
        meter.end();
        anstream::print!("{}", account(&harvest, begun.elapsed(), workers));
        if !args.until_failure || !harvest.findings.is_empty() {
            return Ok(harvest);
        }
        first = end;
    }
}

/// What a search was.
fn account(harvest: &Harvest, wall: Duration, workers: usize) -> String {
    let Harvest { runs, time, events, hash, .. } = harvest;
    format!(
        "{}: {} of virtual time, {} events, in {} on {}\nhash   {hash}\n",
        human::counted(*runs, "run"),
        human::span(*time),
        human::count(*events),
        human::span(wall),
        human::counted(workers as u64, "thread"),
    )
}

/// What was found, by rule.
fn tally(harvest: &Harvest) -> String {
    let mut rules = BTreeMap::new();
    for finding in &harvest.findings {
        *rules.entry(finding.violation.rule.name()).or_insert(0_u64) += 1;
    }
    if rules.is_empty() {
        return "found  nothing\n".into();
    }
    let rules: Vec<_> =
        rules.into_iter().map(|(rule, n)| format!("{} {rule}", human::count(n))).collect();
    format!("found  {}\n", rules.join(", "))
}

fn first_of_each_rule(harvest: &Harvest) -> Vec<&Finding> {
    let mut first = BTreeMap::new();
    for finding in &harvest.findings {
        first.entry(finding.violation.rule).or_insert(finding);
    }
    let mut first: Vec<_> = first.into_values().collect();
    first.sort_unstable_by_key(|finding| finding.seed);
    first
}

/// Shrinks a finding, writes it down, and says how to see it again.
fn tell(args: &Args, finding: &Finding) -> Result<(), Failure> {
    let Finding { seed, violation } = finding;
    anstream::println!("\n{violation}\n    seed {seed}");
    let Shrunk { scenario, tried } = swarm::reduce(finding, args.shrink, swarm::run);
    // The smaller scenario may break the rule in other words.
    let verdict = swarm::judged(&scenario, *seed, swarm::run);
    let what = verdict.broken.as_ref().unwrap_or(violation).what.as_str();
    let operations = human::counted(scenario.ops.len() as u64, "operation");
    anstream::println!("    shrunk to {operations} in {}", human::counted(tried.into(), "run"));
    let plant = args.plant.words();
    let file = args.out.join(format!("{}-{seed}.toml", violation.rule.name()));
    write(&file, &document(&scenario, finding, what))
        .map_err(|error| Failure::io(format!("cannot write {}", file.display()), &error))?;
    anstream::println!("    {}", replay(&file.to_string_lossy(), *seed, &plant));
    Ok(())
}

/// The file of a finding.
fn document(scenario: &Scenario, finding: &Finding, what: &str) -> String {
    let mut text = format!("# rule: {}\n", finding.violation.rule.name());
    for line in what.lines() {
        let _ = writeln!(text, "# what: {line}");
    }
    let _ = writeln!(text, "# seed: {}\n", finding.seed);
    text + &scenario.to_toml()
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, text)
}

/// Shows how far a search is, on standard error: a bar on a terminal, elsewhere a line for each tenth.
struct Meter(Option<ProgressBar>);

impl Meter {
    fn new(runs: u64) -> Self {
        if !io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::new(runs);
        let template = "{wide_bar:.cyan/blue} {pos}/{len} runs  {per_sec}  {eta}  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        Self(Some(bar))
    }

    fn tell(&self, Progress { done, of, found }: Progress) {
        let findings = || match found {
            0 => String::new(),
            found => format!("{} found", human::count(found)),
        };
        match &self.0 {
            Some(bar) => {
                bar.set_position(done);
                bar.set_message(findings());
            }
            None if done * 10 / of > (done - 1) * 10 / of => {
                let line =
                    format!("{} of {} runs  {}", human::count(done), human::count(of), findings());
                anstream::eprintln!("{}", line.trim_end());
            }
            None => {}
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
