//! `jsp-sim`: networks as they are not wished for. What it does is in `command/`.

mod command;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::main()
}
