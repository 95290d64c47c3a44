//! `jsp`: files, round trips and measurements over JetStreamProto.
//!
//! ```text
//!   commands/     what people run: keygen serve get send ping bench demo
//!     │
//!     ├── client/     asks      ┐
//!     ├── server/     answers   ┴── content, protocol    what is said on a stream
//!     │                             files/               names, folders, reading and writing
//!     └── args url setup failure say report progress units    what people write and read
//! ```
//!
//! What is said on a stream is described in `PROTOCOL.md`.

mod args;
mod client;
mod commands;
mod content;
mod failure;
mod files;
mod keylog;
mod noise;
mod progress;
mod protocol;
mod report;
mod runtime;
mod say;
mod server;
mod setup;
mod signals;
mod units;
mod url;

use args::{Cli, Command};
use clap::Parser as _;
use commands::{bench, demo, get, keygen, ping, send, serve};
use failure::Failure;
use setup::Setup;
use std::process::ExitCode;
use tracing_subscriber::filter::LevelFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    log(cli.shared.verbose);
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say::error(&failure.message);
            if let Some(hint) = &failure.hint {
                say::hint(hint);
            }
            ExitCode::from(failure.kind as u8)
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let setup = Setup::new(&cli.shared)?;
    if let Command::Keygen(args) = &cli.command {
        return keygen::run(&setup, args);
    }
    let runtime = match &cli.command {
        Command::Serve(_) => runtime::all(),
        _ => runtime::single(),
    };
    let runtime = runtime.map_err(|error| Failure::io("cannot start", &error))?;
    runtime.block_on(async {
        match cli.command {
            Command::Keygen(_) => Ok(()),
            Command::Serve(args) => serve::run(&setup, &args).await,
            Command::Get(args) => get::run(&setup, args).await,
            Command::Send(args) => send::run(&setup, args).await,
            Command::Ping(args) => ping::run(&setup, args).await,
            Command::Bench(args) => bench::run(&setup, args).await,
            Command::Demo(args) => demo::run(&setup, args).await,
        }
    })
}

/// Sends what is logged to standard error; without `--verbose`, warnings only.
fn log(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(anstream::stderr)
        .with_target(false)
        .init();
}
