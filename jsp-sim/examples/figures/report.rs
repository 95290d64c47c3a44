//! What benches found.

use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;

/// Whose rows come first.
const BENCHES: [&str; 8] =
    ["bulk", "echo", "handshake", "memory", "keepalive", "beside", "pair", "curve"];

/// A line of the table.
pub(crate) struct Row {
    pub(crate) bench: &'static str,
    pub(crate) what: String,
    pub(crate) unit: String,
    pub(crate) values: BTreeMap<String, f64>,
}

/// All of it.
pub(crate) struct Report {
    pub(crate) machine: String,
    pub(crate) rows: Vec<Row>,
}

impl Report {
    pub(crate) fn read(json: &str) -> Result<Self, Box<dyn Error>> {
        let all: Value = serde_json::from_str(json)?;
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or("not a text");
        let mut rows = Vec::new();
        for bench in BENCHES {
            for row in all[bench].as_array().into_iter().flatten() {
                rows.push(Row {
                    bench,
                    what: text(&row["what"])?,
                    unit: text(&row["unit"])?,
                    values: serde_json::from_value(row["values"].clone())?,
                });
            }
        }
        Ok(Self { machine: text(&all["machine"])?, rows })
    }
}

/// Three digits, and no more.
pub(crate) fn short(value: f64) -> String {
    let decimals = (2.0 - value.abs().log10().floor()).clamp(0.0, 2.0) as usize;
    format!("{value:.decimals$}")
}
