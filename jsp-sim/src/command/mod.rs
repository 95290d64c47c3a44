//! The command: one file for each subcommand, with its arguments, its help and what it does.
//!
//! Results go to standard output, everything else to standard error.

mod compare;
mod failure;
mod link;
mod output;
mod plant;
mod proxy;
mod record;
mod run;
mod scenario;
mod summary;
mod swarm;

use anstyle::{AnsiColor, Style};
use clap::{Parser, Subcommand};
use failure::Failure;
use std::process::ExitCode;

const FOOT: &str = "\
A scenario is a TOML file: who there is, what lies between them, what they do, what befalls them,
and what is expected. A run is a scenario and a seed: the same two give the same run, to the bit.

    $ cat upload.toml
    name = \"an upload over a slow line that loses\"
    [[path]]
    there = [
        { rate = { limit = \"10 Mbit/s\", queue = \"64 kB\" } },
        { loss = { share = \"1%\" } },
        { delay = { base = \"20ms\" } },
    ]
    [[op]]
    send = { size = \"1 MB\" }
    [[op]]
    at = \"500ms\"
    outage = { of = \"path1\", for = \"1s\" }
    [expect]
    within = \"10s\"

    $ jsp-sim run upload.toml --seed 1 --plot upload.svg

Exit codes:
    0  done, and all was as it should be
    1  a rule or an expectation was broken, or something on this machine failed
    2  the command line, or a file that it names, is wrong";

/// Networks as they are not wished for, for programs that must bear them.
#[derive(Debug, Parser)]
#[command(name = "jsp-sim", version, after_help = FOOT, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What each does, its arguments say.
#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Args>),
    Swarm(swarm::Args),
    Compare(compare::Args),
    Proxy(proxy::Args),
}

/// Runs the command line of this process.
pub(crate) fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Swarm(args) => swarm::run(&args),
        Command::Compare(args) => compare::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Proxy(args) => proxy::run(&args).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|failure| {
        tell(&failure);
        ExitCode::from(failure.kind as u8)
    })
}

/// The exit code of a command that has told already whether all was as it should be.
fn verdict(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What has failed, and what to do about it.
fn tell(failure: &Failure) {
    let bad = AnsiColor::Red.on_default().bold();
    let dim = Style::new().dimmed();
    anstream::eprintln!("{bad}error:{bad:#} {}", failure.message.trim_end());
    if let Some(hint) = &failure.hint {
        anstream::eprintln!("  {dim}{hint}{dim:#}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
