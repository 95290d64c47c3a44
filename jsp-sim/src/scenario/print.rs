//! Scenarios as TOML that people like to read: one thing a line, with everything about it.
//!
//! Sections of the file are the scenario's own; what is inside them is written inline. Lists of stages
//! and of interfaces have an element a line where they have more than one.

use super::model::Scenario;
use std::fmt::Write as _;
use toml::{Table, Value};

/// Lines are no longer than this where a list can be broken.
const WIDTH: usize = 100;

impl Scenario {
    /// The scenario as the text of a file, from which [`Scenario::from_toml`] reads the same.
    pub fn to_toml(&self) -> String {
        // Every part of a scenario is a string, a number, a list or a map with strings for keys.
        let table = Table::try_from(self).unwrap_or_default();
        let mut out = String::new();
        for (key, value) in &table {
            if !is_section(value) {
                entry(&mut out, key, value);
            }
        }
        for (key, value) in &table {
            if is_section(value) {
                section(&mut out, key, value);
            }
        }
        out
    }
}

/// Whether a part of a scenario has a heading of its own.
fn is_section(value: &Value) -> bool {
    match value {
        Value::Table(_) => true,
        Value::Array(list) => list.iter().all(Value::is_table),
        _ => false,
    }
}

fn section(out: &mut String, key: &str, value: &Value) {
    match value {
        Value::Array(list) => {
            for element in list.iter().filter_map(Value::as_table) {
                let _ = writeln!(out, "\n[[{key}]]");
                entries(out, element);
            }
        }
        // Links are lists; everything else of which there are several by name is a table.
        Value::Table(table) if !table.is_empty() && table.values().all(Value::is_table) => {
            for (name, inner) in table {
                section(out, &format!("{key}.{}", quoted(name)), inner);
            }
        }
        Value::Table(table) => {
            let _ = writeln!(out, "\n[{key}]");
            let inner = |value: &Value| key == "expect" && value.is_table();
            for (key, value) in table.iter().filter(|(_, value)| !inner(value)) {
                entry(out, key, value);
            }
            for (name, value) in table.iter().filter(|(_, value)| inner(value)) {
                section(out, &format!("{key}.{name}"), value);
            }
        }
        _ => {}
    }
}

fn entries(out: &mut String, table: &Table) {
    for (key, value) in table {
        entry(out, key, value);
    }
}

fn entry(out: &mut String, key: &str, value: &Value) {
    let key = quoted(key);
    let line = format!("{key} = {value}");
    match value {
        Value::Array(list) if list.len() > 1 && line.len() > WIDTH => {
            let _ = writeln!(out, "{key} = [");
            for element in list {
                let _ = writeln!(out, "    {element},");
            }
            out.push_str("]\n");
        }
        _ => {
            out.push_str(&line);
            out.push('\n');
        }
    }
}

/// A key, in quotes where it needs them.
fn quoted(key: &str) -> String {
    let entry = Table::from_iter([(key.to_owned(), Value::Boolean(true))]).to_string();
    entry.strip_suffix(" = true\n").unwrap_or(&entry).into()
}
