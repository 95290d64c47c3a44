//! The smallest scenario that still fails (delta debugging: Zeller and Hildebrandt, 2002).
//!
//! A scenario is shrunk as the document that it is written as: elements of lists go, keys go, numbers
//! become small and round. What is no scenario any more is not tried. Names stay, and with them the
//! random draws of what is left.

use crate::scenario::Scenario;
use toml::{Table, Value};

/// What is harsher the smaller it is, until nothing works at all: made smaller, it would be a failure of its
/// own.
const HARSH: [&str; 13] = [
    "nth",
    "recover",
    "mtu",
    "queue",
    "stream_window",
    "stream_window_max",
    "connection_window",
    "connection_window_max",
    "send_buffer",
    "send_backlog",
    "max_streams",
    "idle_timeout",
    "handshake_timeout",
];

/// Where something stands in a document.
type Route = Vec<Key>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    Of(String),
    At(usize),
}

/// What shrinking came to.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest scenario that was found.
    pub scenario: Scenario,
    /// How many scenarios were tried.
    pub tried: u32,
}

/// Makes a failing scenario smaller as long as it `fails`, with at most `budget` tries.
pub fn shrink(scenario: &Scenario, budget: u32, fails: impl FnMut(&Scenario) -> bool) -> Shrunk {
    let Some(document) = document(scenario) else {
        return Shrunk { scenario: scenario.clone(), tried: 0 };
    };
    let best = scenario.clone();
    let mut search = Search { document, best, tried: 0, budget, fails };
    loop {
        let before = search.document.clone();
        search.shorten_lists();
        search.drop_keys();
        search.simplify_numbers();
        if search.document == before || search.tried >= budget {
            return Shrunk { scenario: search.best, tried: search.tried };
        }
    }
}

fn document(scenario: &Scenario) -> Option<Value> {
    scenario.to_toml().parse::<Table>().ok().map(Value::Table)
}

struct Search<F> {
    document: Value,
    best: Scenario,
    tried: u32,
    budget: u32,
    fails: F,
}

impl<F: FnMut(&Scenario) -> bool> Search<F> {
    /// Keeps a smaller document if it is a scenario that fails.
    fn keep_if_failing(&mut self, document: Value) -> bool {
        if self.tried >= self.budget {
            return false;
        }
        let Ok(text) = toml::to_string(&document) else { return false };
        let Ok(scenario) = Scenario::from_toml("shrunk.toml", &text) else { return false };
        if scenario == self.best {
            // Only the text became shorter.
            self.document = document;
            return true;
        }
        self.tried += 1;
        let fails = (self.fails)(&scenario);
        if fails {
            self.document = document;
            self.best = scenario;
        }
        fails
    }

    /// Takes elements out of lists: half of them, a quarter, one by one.
    fn shorten_lists(&mut self) {
        for route in routes(&self.document, Value::is_array) {
            if route.first() == Some(&Key::Of("expect".into())) {
                continue;
            }
            let len = |document: &Value| {
                get(document, &route).and_then(Value::as_array).map_or(0, Vec::len)
            };
            let mut chunk = len(&self.document).div_ceil(2);
            while chunk > 0 {
                let mut at = 0;
                while at < len(&self.document) {
                    let mut smaller = self.document.clone();
                    if let Some(Value::Array(list)) = get_mut(&mut smaller, &route) {
                        list.drain(at..(at + chunk).min(list.len()));
                    }
                    if !self.keep_if_failing(smaller) {
                        at += chunk;
                    }
                }
                chunk = if chunk == 1 { 0 } else { chunk.div_ceil(2) };
            }
        }
    }

    /// Takes keys out of tables, which then have their defaults.
    fn drop_keys(&mut self) {
        for route in routes(&self.document, |_| true) {
            let Some((Key::Of(key), table)) = route.split_last() else { continue };
            // Names hold the draws, and what is expected says what is a failure.
            if key == "name" || route.first() == Some(&Key::Of("expect".into())) {
                continue;
            }
            let mut smaller = self.document.clone();
            if let Some(Value::Table(table)) = get_mut(&mut smaller, table)
                && table.remove(key).is_some()
            {
                self.keep_if_failing(smaller);
            }
        }
    }

    /// Makes numbers small and round, also those with units.
    fn simplify_numbers(&mut self) {
        for route in routes(&self.document, |value| value.is_integer() || value.is_str()) {
            if route.iter().any(|key| matches!(key, Key::Of(key) if HARSH.contains(&key.as_str())))
            {
                continue;
            }
            while let Some(value) = get(&self.document, &route).cloned() {
                let simpler = simpler(&value).into_iter().any(|value| {
                    let mut smaller = self.document.clone();
                    if let Some(place) = get_mut(&mut smaller, &route) {
                        *place = value;
                    }
                    self.keep_if_failing(smaller)
                });
                if !simpler {
                    break;
                }
            }
        }
    }
}

/// Simpler values in place of one, the simplest first.
fn simpler(value: &Value) -> Vec<Value> {
    match value {
        Value::Integer(n) => simpler_numbers(u64::try_from(*n).unwrap_or(0))
            .map(|n| Value::Integer(n.cast_signed()))
            .collect(),
        Value::String(text) => {
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = text.split_at(digits);
            let unit = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
            let Ok(number) = number.parse::<u64>() else { return Vec::new() };
            let rounded = (unit != rest).then(|| format!("{number}{unit}"));
            // A slower line is no simpler one.
            let fewer = (!unit.ends_with("bit/s"))
                .then(|| simpler_numbers(number).map(|n| format!("{n}{unit}")));
            rounded.into_iter().chain(fewer.into_iter().flatten()).map(Value::String).collect()
        }
        _ => Vec::new(),
    }
}

/// Smaller or rounder numbers than `n`.
fn simpler_numbers(n: u64) -> impl Iterator<Item = u64> {
    let magnitude = 10_u64.pow(n.max(1).ilog10());
    let mut simpler = vec![0, 1, magnitude, n / magnitude * magnitude, n / 2];
    simpler.retain(|s| *s < n);
    simpler.dedup();
    simpler.into_iter()
}

/// Every place of a document that holds something of a kind, the innermost last.
fn routes(document: &Value, kind: impl Fn(&Value) -> bool + Copy) -> Vec<Route> {
    fn walk(
        value: &Value,
        here: &mut Route,
        kind: impl Fn(&Value) -> bool + Copy,
        found: &mut Vec<Route>,
    ) {
        if kind(value) {
            found.push(here.clone());
        }
        let children: Vec<(Key, &Value)> = match value {
            Value::Table(table) => table.iter().map(|(k, v)| (Key::Of(k.clone()), v)).collect(),
            Value::Array(list) => list.iter().enumerate().map(|(i, v)| (Key::At(i), v)).collect(),
            _ => return,
        };
        for (key, child) in children {
            here.push(key);
            walk(child, here, kind, found);
            here.pop();
        }
    }
    let mut found = Vec::new();
    walk(document, &mut Route::new(), kind, &mut found);
    found
}

fn get<'a>(document: &'a Value, route: &[Key]) -> Option<&'a Value> {
    route.iter().try_fold(document, |value, key| match key {
        Key::Of(key) => value.get(key),
        Key::At(at) => value.get(at),
    })
}

fn get_mut<'a>(document: &'a mut Value, route: &[Key]) -> Option<&'a mut Value> {
    route.iter().try_fold(document, |value, key| match key {
        Key::Of(key) => value.get_mut(key),
        Key::At(at) => value.get_mut(at),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Action, Op};
    use crate::swarm::generate;

    /// A failure that one kind of operation causes, alone, from 100 bytes on.
    fn sends(scenario: &Scenario) -> bool {
        scenario
            .ops
            .iter()
            .any(|op| matches!(&op.action, Action::Send(send) if send.size.bytes() >= 100))
    }

    #[test]
    fn what_does_not_matter_goes() {
        let big = (0..1000).map(generate).find(|s| s.ops.len() > 8 && sends(s)).unwrap();
        let small = shrink(&big, 2000, sends).scenario;
        assert!(sends(&small));
        let [Op { action: Action::Send(send), .. }] = &small.ops[..] else { panic!("{small:#?}") };
        assert_eq!(send.streams, 1);
        assert!((100..=1000).contains(&send.size.bytes()), "{}", small.to_toml());
        assert!(small.paths.is_empty() && small.boxes.is_empty(), "{}", small.to_toml());
        assert_eq!(small.connections.len(), 1);
    }

    #[test]
    fn what_does_not_fail_is_left_alone_and_the_budget_is_kept() {
        let scenario = generate(1);
        let mut tries = 0;
        let shrunk = shrink(&scenario, 7, |_| {
            tries += 1;
            false
        });
        assert_eq!((shrunk.tried, tries), (7, 7));
        assert_eq!(shrunk.scenario, scenario);
    }
}
