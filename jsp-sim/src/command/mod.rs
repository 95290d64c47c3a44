//! The command: one file for each subcommand, with its arguments, its help and what it does.
//!
//! Results go to standard output, everything else to standard error.

mod failure;
mod link;
mod proxy;

use anstyle::{AnsiColor, Style};
use clap::{Parser, Subcommand};
use failure::Failure;
use std::process::ExitCode;

const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  something on this machine failed
    2  the command line, or a file that it names, is wrong";

/// Networks as they are not wished for, for programs that must bear them.
#[derive(Debug, Parser)]
#[command(name = "jsp-sim", version, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Delay, lose, reorder and mark the datagrams of real UDP programs
    Proxy(proxy::Args),
}

/// Runs the command line of this process.
pub(crate) fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Proxy(args) => proxy::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tell(&failure);
            ExitCode::from(failure.kind as u8)
        }
    }
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
