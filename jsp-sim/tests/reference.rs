//! The reference of scenarios, `scenarios/README.md`: each of its examples is a scenario that passes, and nothing that
//! may stand in a scenario is missing from it.
#![allow(clippy::unwrap_used)] // An example that does not read has failed.

use jsp_sim::scenario::Scenario;
use jsp_sim::seeds;
use std::collections::BTreeSet;

const REFERENCE: &str = include_str!("../scenarios/README.md");

/// A key, or a value, that nothing has: errors tell what there is instead.
const UNKNOWN: &str = "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq";

/// A place of each table and each choice of words; `?` stands for [`UNKNOWN`].
const PLACES: [&str; 50] = [
    "? = 1",
    "limits = { ? = 1 }",
    "host.a = { ? = 1 }",
    "host.a.admission = '?'",
    "host.a.identity = '?'",
    "host.a.interfaces = [{ ? = 1 }]",
    "host.a.transport = { ? = 1 }",
    "box.b = { inner = 'x', ? = 1 }",
    "box.b = { inner = 'x', nat = { ? = 1 } }",
    "box.b = { inner = 'x', nat = { kind = '?' } }",
    "box.b = { inner = 'x', nat = { pooling = '?' } }",
    "box.b = { inner = 'x', nat = { mapping = '?' } }",
    "box.b = { inner = 'x', nat = { assignment = '?' } }",
    "box.b = { inner = 'x', nat = { refresh = '?' } }",
    "box.b = { inner = 'x', nat = { hairpin = '?' } }",
    "box.b = { inner = 'x', firewall = { ? = 1 } }",
    "box.b = { inner = 'x', firewall = { new_flows = { ? = 1 } } }",
    "box.b = { inner = 'x', router = { ? = 1 } }",
    "path = [{ ? = 1 }]",
    "connection = [{ ? = 1 }]",
    "connection = [{ after = { ? = '1' } }]",
    "connection = [{ after = { delivered = { ? = 1 } } }]",
    "link.x = [{ ? = 1 }]",
    "link.x = [{ delay = { ? = 1 } }]",
    "link.x = [{ delay = { base = '1s', distribution = '?' } }]",
    "link.x = [{ rate = { ? = 1 } }]",
    "link.x = [{ rate = { codel = { ? = 1 } } }]",
    "link.x = [{ loss = { ? = 1 } }]",
    "link.x = [{ loss = { bursts = { ? = 1 } } }]",
    "link.x = [{ loss = { every = { ? = 1 } } }]",
    "link.x = [{ reorder = { ? = 1 } }]",
    "link.x = [{ duplicate = { ? = 1 } }]",
    "link.x = [{ corrupt = { ? = 1 } }]",
    "link.x = [{ mtu = { ? = 1 } }]",
    "link.x = [{ ecn = '?' }]",
    "link.x = [{ blackout = { ? = 1 } }]",
    "link.x = [{ blackout = { times = [{ ? = 1 }] } }]",
    "link.x = [{ blackout = { periodic = { ? = 1 } } }]",
    "op = [{ ? = 1 }]",
    "op = [{ read = { how = '?' } }]",
    "op = [{ address = { host = 'a', change = '?' } }]",
    "op = [{ link = { ? = 1 } }]",
    "op = [{ outage = { ? = 1 } }]",
    "op = [{ late_timers = { ? = 1 } }]",
    "op = [{ request = { ? = 1 } }]",
    "op = [{ ping = { by = '?' } }]",
    "expect = { ? = 1 }",
    "expect.connection.c0 = { ? = 1 }",
    "expect.connection.c0.ends = '?'",
    "op = [{ refuse_sends = { ? = 1 } }]",
];

/// The TOML blocks, each with the line on which it begins.
fn examples() -> Vec<(usize, String)> {
    let mut examples = Vec::new();
    let mut lines = REFERENCE.lines().enumerate();
    while let Some((i, line)) = lines.next() {
        if line == "```toml" {
            let text = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
            examples.push((i + 2, text.collect::<Vec<_>>().join("\n")));
        }
    }
    examples
}

#[test]
fn every_example_is_a_scenario_that_passes() {
    let examples = examples();
    assert!(examples.len() >= 10, "{}", examples.len());
    let failures = seeds::each(0..examples.len() as u64, |i| {
        let (line, text) = &examples[i as usize];
        match Scenario::from_toml("example", text) {
            Err(mistake) => Some(format!("in the example of line {line}, {mistake}")),
            Ok(scenario) => {
                let report = scenario.run(1).unwrap();
                let told = report.ops.iter().all(|op| op.began.is_some());
                let passes = report.is_success() && told;
                (!passes).then(|| format!("the example of line {line}: {report}"))
            }
        }
    });
    let failures: Vec<_> = failures.into_iter().flatten().collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn nothing_that_may_stand_in_a_scenario_is_missing() {
    let word = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    let told: BTreeSet<_> = REFERENCE.split(|c| !word(c)).collect();
    let mut missing = BTreeSet::new();
    for place in PLACES {
        let text = format!("name = 'x'\n{}", place.replace('?', UNKNOWN));
        let mistake = Scenario::from_toml("it", &text).unwrap_err();
        let known: Vec<_> = mistake.what.split('`').skip(3).step_by(2).collect();
        assert!(mistake.what.contains(UNKNOWN) && !known.is_empty(), "{place}: {}", mistake.what);
        let untold = known.into_iter().filter(|name| !told.contains(name));
        missing.extend(untold.map(|name| format!("{name}, of {place}")));
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
