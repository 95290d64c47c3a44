//! What benches found, in a file that the README's table and picture are made from:
//!
//! ```json
//! { "machine": "AMD EPYC, 2 cores, Linux 6.18",
//!   "bulk": [ { "what": "bulk, packets of 1452 bytes", "unit": "GB/s", "values": { "quinn": 0.97, … } }, … ],
//!   … }
//! ```

use serde_json::{Map, Value, json};
use std::fs;

/// Rows of one bench.
pub(crate) struct Report {
    bench: &'static str,
    rows: Vec<Value>,
}

impl Report {
    pub(crate) fn new(bench: &'static str) -> Self {
        Self { bench, rows: Vec::new() }
    }

    /// What was measured, in which unit, and what each of the contenders got.
    pub(crate) fn row(&mut self, what: &str, unit: &str, values: &[(&str, f64)]) {
        let values: Map<_, _> =
            values.iter().map(|(who, value)| ((*who).to_owned(), rounded(*value))).collect();
        self.rows.push(json!({ "what": what, "unit": unit, "values": values }));
    }

    /// Puts the rows in the place of those that said the same before, in the file that `json=FILE`
    /// names; does nothing without one.
    pub(crate) fn write(self) {
        let Some(path) = super::option("json") else { return };
        let mut all: Map<_, _> = fs::read(&path)
            .map_or_else(|_| Map::new(), |old| serde_json::from_slice(&old).unwrap());
        all.insert("machine".into(), machine().into());
        let rows = all.entry(self.bench).or_insert_with(|| json!([])).as_array_mut().unwrap();
        rows.retain(|old| {
            !self.rows.iter().any(|new| new["what"] == old["what"] && new["unit"] == old["unit"])
        });
        rows.extend(self.rows);
        fs::write(path, serde_json::to_string_pretty(&all).unwrap() + "\n").unwrap();
    }
}

/// Four digits say more than a noisy machine knows.
fn rounded(value: f64) -> Value {
    let text = format!("{value:.3e}");
    text.parse::<f64>().unwrap().into()
}

/// The processor and the system that figures belong to.
fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("? :");
    let model = model.trim_start_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // Without what a distributor or a cloud appends.
    let kernel = kernel.trim().split('-').next().unwrap_or_default();
    format!("{model}, {cores} cores, Linux {kernel}")
}
