//! `jsp-sim compare`: several runs on one picture.

use super::failure::Failure;
use super::output::PictureFile;
use super::record::sample;
use super::scenario;
use jsp_sim::look::compare::{MOST, compare};
use jsp_sim::look::samples::Samples;
use jsp_sim::seeds;

const EXAMPLES: &str = "\
Examples:
    jsp-sim compare clean.toml lossy.toml -o loss.svg
    jsp-sim compare lossy.toml --seed 1 --seed 2 --seed 3 -o luck.png

    jsp-sim run lossy.toml --samples before.samples      and after a change of the engine
    jsp-sim compare before.samples lossy.toml -o change.svg";

/// Draw several runs on one picture
///
/// It shows what they delivered, their delay, window and losses. Of each run the end of a connection is drawn that sent the most.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Scenarios, which are run, or what `jsp-sim run --samples` wrote
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// The seed for scenarios; with several, each scenario runs under each [default: 0]
    #[arg(long = "seed", value_name = "N")]
    seeds: Vec<u64>,
    /// The picture: FILE.svg or FILE.png
    #[arg(short, long, value_name = "FILE", value_parser = PictureFile::parse)]
    output: PictureFile,
}

/// A run to be drawn.
enum Source {
    Samples(Samples),
    Run(Box<jsp_sim::scenario::Scenario>, u64),
}

/// Draws them.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut sources = Vec::new();
    for file in &args.files {
        read(file, &args.seeds, &mut sources)?;
    }
    if sources.len() > MOST {
        let n = sources.len();
        return Err(Failure::usage(format!("a picture of {n} runs shows nothing; {MOST} at most")));
    }
    let output = args.output.create()?;
    let all = 0..sources.len() as u64;
    let runs = seeds::each(all, |i| match &sources[i as usize] {
        Source::Samples(samples) => Ok(samples.clone()),
        Source::Run(scenario, seed) => {
            Ok(sample(scenario::start(scenario, *seed)?, scenario::title(scenario, *seed)))
        }
    });
    let runs: Vec<Samples> = runs.into_iter().collect::<Result<_, Failure>>()?;
    args.output.write(output, &compare(&runs))
}

/// Adds what a file holds: the samples of a run, or a scenario to be run under each seed.
fn read(file: &str, seeds: &[u64], sources: &mut Vec<Source>) -> Result<(), Failure> {
    let text = scenario::text(file)?;
    if Samples::is_samples(&text) {
        let samples = Samples::read(&text)
            .map_err(|error| Failure::usage(format!("{file} is damaged: {error}")))?;
        sources.push(Source::Samples(samples));
        return Ok(());
    }
    let scenario = Box::new(scenario::parse(file, &text)?);
    let seeds = if seeds.is_empty() { &[0] } else { seeds };
    sources.extend(seeds.iter().map(|seed| Source::Run(scenario.clone(), *seed)));
    Ok(())
}
