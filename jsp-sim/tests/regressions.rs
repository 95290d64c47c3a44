//! Scenarios that once failed, each under the seed that it says. The head of each says what was wrong.
//!
//! What a search finds (`jsp-sim swarm`) becomes one of them: the file as it was written, with what was wrong
//! once that is known.
#![allow(clippy::unwrap_used)] // A story that cannot be told has failed.

use jsp_sim::scenario::Scenario;
use jsp_sim::seeds;
use std::fs;
use std::path::{Path, PathBuf};

/// The seed that a file's head tells.
fn seed(text: &str) -> Option<u64> {
    let mut head = text.lines().take_while(|line| line.starts_with('#'));
    head.find_map(|line| line.strip_prefix("# seed: "))?.parse().ok()
}

#[test]
fn what_was_mended_stays_mended() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 4);
    let failures = seeds::each(0..files.len() as u64, |i| {
        let file = files[i as usize].display().to_string();
        let text = fs::read_to_string(&file).unwrap();
        let seed = seed(&text).unwrap_or_else(|| panic!("{file} says no seed"));
        let scenario = Scenario::from_toml(&file, &text).unwrap_or_else(|it| panic!("{it}"));
        let report = scenario.run(seed).unwrap();
        (!report.is_success()).then(|| format!("{file}\n{report}"))
    });
    let failures: Vec<_> = failures.into_iter().flatten().collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
