//! Ten mistakes, planted in the engine one after the other: the swarm finds each within 2,000 runs, and shrinks
//! what it found to five operations at most.
//!
//! What is planted is planted in the whole process, so this is one test.

use jsp_proto::planted::{Bug, plant};
use jsp_sim::seeds::cores;
use jsp_sim::swarm::{Swarm, judged, reduce, run};
use std::time::Instant;

const BUGS: [Bug; 10] = [
    Bug::CreditTwice,
    Bug::FinLost,
    Bug::AckRange,
    Bug::AckOfUnsent,
    Bug::SpuriousInFlight,
    Bug::LateTick,
    Bug::EarlyKeyDrop,
    Bug::IdleInFlight,
    Bug::WindowStuck,
    Bug::MtuOfLostProbe,
];

/// In how many runs a mistake must be found.
const RUNS: u64 = 2000;
/// To how many operations it must shrink, with how many runs.
const OPS: usize = 5;
const BUDGET: u32 = 300;

#[test]
fn ten_planted_mistakes_are_found_and_shrunk() {
    std::panic::set_hook(Box::new(|_| ()));
    let mut missed = Vec::new();
    for bug in BUGS {
        plant(Some(bug));
        let start = Instant::now();
        let swarm = Swarm { seeds: 0..RUNS, workers: cores(), stop: true };
        let harvest = swarm.search(run, |_| ());
        let Some(finding) = harvest.findings.first() else {
            missed.push(format!("{bug} was not found"));
            continue;
        };
        let searched = start.elapsed();
        let shrunk = reduce(finding, BUDGET, run);
        plant(None);
        let ops: Vec<_> = shrunk.scenario.ops.iter().map(|op| op.action.name()).collect();
        println!(
            "{bug}: run {} broke {} after {searched:.1?}; shrunk to {} operations ({}) in {} runs, {:.1?}",
            finding.seed,
            finding.violation,
            ops.len(),
            ops.join(", "),
            shrunk.tried,
            start.elapsed().saturating_sub(searched),
        );
        if ops.len() > OPS {
            missed.push(format!("{bug} has {} operations", ops.len()));
        }
        // The mistake is what fails, not the scenario.
        let without = judged(&shrunk.scenario, finding.seed, run).broken;
        if let Some(violation) = without {
            missed.push(format!("without {bug} the scenario breaks {violation}"));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}
