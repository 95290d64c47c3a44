//! Instructions, counted by valgrind: a measure that does not mind who else uses the machine.
//!
//! A bench runs itself under callgrind twice, for a short and for a long transfer. The difference is
//! what the additional packets took; handshake and set-up drop out.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Sub;
use std::process::Command;

/// What a run told and took.
pub(crate) struct Run {
    /// What the bench printed last: how many units of work it did.
    units: u64,
    /// Instructions of all functions.
    total: u64,
    /// Instructions inside each of the functions that were asked for, callees included.
    parts: Vec<u64>,
}

/// Instructions for each unit of work.
pub(crate) struct Cost {
    /// In all.
    pub(crate) total: f64,
    /// Inside each of the functions that were asked for.
    pub(crate) parts: Vec<f64>,
}

impl Sub for &Run {
    type Output = Cost;

    fn sub(self, less: &Run) -> Cost {
        let units = (self.units - less.units) as f64;
        let parts = self.parts.iter().zip(&less.parts);
        Cost {
            total: (self.total - less.total) as f64 / units,
            parts: parts.map(|(more, less)| (more - less) as f64 / units).collect(),
        }
    }
}

/// Runs this bench with `args` under callgrind; `parts` are path ends of functions, `module::name`.
/// An error says why there is no count.
pub(crate) fn run(args: &[String], parts: &[&str]) -> Result<Run, String> {
    let file = std::env::temp_dir().join(format!("jsp-callgrind-{}", std::process::id()));
    let bench = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(bench)
        .args(args)
        // A string instruction would count once for each byte.
        .env("GLIBC_TUNABLES", "glibc.cpu.x86_rep_movsb_threshold=1073741824")
        .output()
        .map_err(|error| format!("valgrind cannot be run ({error})"))?;
    let profile = fs::read_to_string(&file);
    let _ = fs::remove_file(&file);
    let told = String::from_utf8_lossy(&output.stdout);
    let units = told.lines().last().and_then(|line| line.trim().parse().ok());
    let (Some(units), Ok(profile)) = (units, profile) else {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    };
    let (total, parts) = read(&profile, parts);
    Ok(Run { units, total, parts })
}

/// Reads callgrind's format: the total, and what calls of the functions named cost.
fn read(profile: &str, parts: &[&str]) -> (u64, Vec<u64>) {
    let mut total = 0;
    let mut costs = vec![0; parts.len()];
    // A name stands in full where it is first used, as `(id) name`; afterwards as `(id)`.
    let mut ids: BTreeMap<&str, Option<usize>> = BTreeMap::new();
    let mut called = None;
    let mut is_call = false;
    for line in profile.lines() {
        if is_call {
            // "line cost", after "calls=".
            is_call = false;
            let cost = line.split(' ').nth(1).and_then(|cost| cost.parse::<u64>().ok());
            if let (Some(part), Some(cost)) = (called, cost) {
                costs[part] += cost;
            }
        } else if let Some(name) = line.strip_prefix("cfn=").or_else(|| line.strip_prefix("fn=")) {
            let (id, name) = name.split_once(' ').unwrap_or((name, ""));
            if !name.is_empty() {
                ids.insert(id, parts.iter().position(|part| is_function(name, part)));
            }
            called = ids.get(id).copied().flatten();
        } else if line.starts_with("calls=") {
            is_call = true;
        } else if let Some(cost) = line.strip_prefix("totals: ") {
            total = cost.trim().parse().unwrap_or(0);
        }
    }
    (total, costs)
}

/// Whether `name`, generic arguments and all, is that of the function whose path ends like `part`.
fn is_function(name: &str, part: &str) -> bool {
    let mut rest = name;
    while let Some(at) = rest.find(part) {
        let (before, after) = (&rest[..at], &rest[at + part.len()..]);
        let ends = after.is_empty() || after.starts_with("::<") || after.starts_with("::h");
        if ends && (before.is_empty() || before.ends_with("::")) {
            return true;
        }
        rest = after;
    }
    false
}
