//! Scenarios from files, and the words by which they are run again.

use super::failure::Failure;
use jsp_sim::scenario::{Fault, Run, Scenario};
use std::borrow::Cow;
use std::fs;

/// Reads a scenario; what is wrong with it is told with its line.
pub(super) fn read(file: &str) -> Result<Scenario, Failure> {
    parse(file, &text(file)?)
}

/// Reads a file that the command line names.
pub(super) fn text(file: &str) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|error| Failure::usage(format!("cannot read {file}: {error}")))
}

pub(super) fn parse(file: &str, text: &str) -> Result<Scenario, Failure> {
    Scenario::from_toml(file, text).map_err(|mistake| {
        let words = mistake.to_string();
        Failure::usage(words.strip_prefix("error: ").unwrap_or(&words))
    })
}

/// Builds a run.
pub(super) fn start(scenario: &Scenario, seed: u64) -> Result<Run, Failure> {
    Run::new(scenario, seed).map_err(|fault: Fault| Failure::usage(fault.to_string()))
}

/// What a run is called.
pub(super) fn title(scenario: &Scenario, seed: u64) -> String {
    format!("{}, seed {seed}", scenario.name)
}

/// The command that runs a file with a seed, for a POSIX shell. `plant` is what
/// [`Plant::words`](super::plant::Plant::words) says.
pub(super) fn replay(file: &str, seed: u64, plant: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/+=:,@%".contains(c);
    let file = if !file.is_empty() && file.chars().all(plain) {
        Cow::Borrowed(file)
    } else {
        Cow::Owned(format!("'{}'", file.replace('\'', r"'\''")))
    };
    format!("jsp-sim run {file} --seed {seed}{plant}")
}

#[cfg(test)]
mod tests {
    use super::replay;

    #[test]
    fn a_shell_reads_the_replay_command_as_it_was_meant() {
        assert_eq!(replay("a/b-1.toml", 7, ""), "jsp-sim run a/b-1.toml --seed 7");
        assert_eq!(replay("it's.toml", 7, ""), r"jsp-sim run 'it'\''s.toml' --seed 7");
        assert_eq!(replay("a b", 7, " --plant x"), "jsp-sim run 'a b' --seed 7 --plant x");
    }
}
