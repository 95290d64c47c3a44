//! Search by swarm: random scenarios, thousands of them, each held to every rule.
//!
//! ```text
//!   number ──generate──> scenario ──run──> fine
//!                            │              └──> a rule is broken ──shrink──> the smallest scenario
//!                            └── features and faults of which each run leaves out about half
//! ```
//!
//! A scenario follows from its number, and the number is its seed, too: what is found is found again. How
//! many threads search changes nothing but the time that it takes.

mod draw;
mod feature;
mod generate;
mod network;
mod shrink;

pub use generate::generate;
pub use shrink::{Shrunk, shrink};

use crate::rule::{Rule, Violation};
use crate::scenario::Scenario;
use crate::seeds;
use crate::trace::TraceHash;
use jsp_proto::time::Duration;
use sha2::{Digest, Sha256};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// What one run came to.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The hash of every datagram, event and timer.
    pub trace: TraceHash,
    /// Virtual time that passed.
    pub time: Duration,
    /// Arrivals and timers.
    pub events: u64,
    /// Which rule was broken, if one was.
    pub broken: Option<Violation>,
}

/// A run that broke a rule.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The scenario's number, and the run's seed.
    pub seed: u64,
    /// What was broken.
    pub violation: Violation,
}

/// A search.
#[derive(Clone, Debug)]
pub struct Swarm {
    /// The numbers of the scenarios.
    pub seeds: Range<u64>,
    /// On how many threads.
    pub workers: usize,
    /// Whether to stop at the first finding.
    pub stop: bool,
}

/// What a search came to.
#[derive(Clone, Debug)]
pub struct Harvest {
    /// Runs that took place.
    pub runs: u64,
    /// Virtual time that passed in them.
    pub time: Duration,
    /// Arrivals and timers in them.
    pub events: u64,
    /// One hash over the traces of all runs, in the order of their seeds.
    pub hash: TraceHash,
    /// What was found, in the order of seeds.
    pub findings: Vec<Finding>,
}

/// How far a search is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Runs that are over.
    pub done: u64,
    /// Runs in all.
    pub of: u64,
    /// Rules that were broken.
    pub found: u64,
}

impl Swarm {
    /// Runs every scenario, as `run` does it, and tells `progress` after each. What panics is a finding,
    /// too.
    pub fn search(
        &self,
        run: impl Fn(&Scenario, u64) -> Verdict + Sync,
        progress: impl Fn(Progress) + Sync,
    ) -> Harvest {
        let (done, found) = (AtomicU64::new(0), AtomicU64::new(0));
        let of = self.seeds.end - self.seeds.start;
        let judge = |seed| {
            // Whoever has begun goes on, so that every seed before the first finding has had its run.
            if self.stop && found.load(Ordering::Relaxed) > 0 {
                return None;
            }
            let verdict = guarded(seed, &run);
            found.fetch_add(verdict.broken.is_some().into(), Ordering::Relaxed);
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            progress(Progress { done, of, found: found.load(Ordering::Relaxed) });
            Some((seed, verdict))
        };
        let verdicts = seeds::each_on(self.workers, self.seeds.clone(), judge);
        let mut harvest = Harvest {
            runs: 0,
            time: Duration::ZERO,
            events: 0,
            hash: TraceHash([0; 32]),
            findings: Vec::new(),
        };
        let mut hash = Sha256::new();
        for (seed, verdict) in verdicts.into_iter().flatten() {
            harvest.runs += 1;
            harvest.time += verdict.time;
            harvest.events += verdict.events;
            hash.update(verdict.trace.0);
            let finding = verdict.broken.map(|violation| Finding { seed, violation });
            harvest.findings.extend(finding);
        }
        harvest.hash = TraceHash(hash.finalize().into());
        harvest
    }
}

/// Runs a scenario with a seed.
pub fn run(scenario: &Scenario, seed: u64) -> Verdict {
    match scenario.run(seed) {
        Ok(report) => Verdict {
            trace: report.hash,
            time: report.time,
            events: report.events,
            broken: report.failure.map(|failure| failure.violation),
        },
        Err(fault) => Verdict {
            trace: TraceHash([0; 32]),
            time: Duration::ZERO,
            events: 0,
            broken: Some(Violation::new(Rule::Ended, fault.to_string())),
        },
    }
}

/// Runs the scenario of a number; what panics breaks a rule.
fn guarded(seed: u64, run: impl Fn(&Scenario, u64) -> Verdict) -> Verdict {
    let scenario = generate(seed);
    judged(&scenario, seed, run)
}

/// Runs a scenario; what panics breaks a rule.
pub fn judged(scenario: &Scenario, seed: u64, run: impl Fn(&Scenario, u64) -> Verdict) -> Verdict {
    catch_unwind(AssertUnwindSafe(|| run(scenario, seed))).unwrap_or_else(|panic| {
        let what = panic.downcast_ref::<String>().cloned();
        let what = what.or_else(|| panic.downcast_ref::<&str>().map(|what| (*what).to_owned()));
        Verdict {
            trace: TraceHash([0; 32]),
            time: Duration::ZERO,
            events: 0,
            broken: Some(Violation::new(Rule::Panic, what.unwrap_or_default())),
        }
    })
}

/// The smallest scenario that breaks the same rule under the same seed, with at most `budget` runs.
pub fn reduce(finding: &Finding, budget: u32, run: impl Fn(&Scenario, u64) -> Verdict) -> Shrunk {
    let rule = finding.violation.rule;
    shrink(&generate(finding.seed), budget, |scenario| {
        let verdict = judged(scenario, finding.seed, &run);
        verdict.broken.is_some_and(|violation| violation.rule == rule)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails where a scenario has more than `most` operations.
    fn short(most: usize) -> impl Fn(&Scenario, u64) -> Verdict + Sync {
        move |scenario, seed| Verdict {
            trace: TraceHash([seed as u8; 32]),
            time: Duration::from_secs(1),
            events: 2,
            broken: (scenario.ops.len() > most).then(|| Violation::new(Rule::Progress, "long")),
        }
    }

    #[test]
    fn threads_change_nothing() {
        let search = |workers| {
            let swarm = Swarm { seeds: 0..100, workers, stop: false };
            let harvest = swarm.search(short(5), |_| ());
            let seeds: Vec<_> = harvest.findings.iter().map(|finding| finding.seed).collect();
            (harvest.runs, harvest.events, harvest.hash, seeds)
        };
        assert_eq!(search(1), search(2));
        assert!(!search(1).3.is_empty());
    }

    #[test]
    fn a_search_that_stops_has_found_the_first() {
        let all = Swarm { seeds: 0..100, workers: 2, stop: false }.search(short(7), |_| ());
        let first = Swarm { seeds: 0..100, workers: 2, stop: true }.search(short(7), |_| ());
        assert_eq!(first.findings[0].seed, all.findings[0].seed);
        assert!(first.runs < all.runs);
    }

    #[test]
    fn what_panics_is_found() {
        let swarm = Swarm { seeds: 0..3, workers: 1, stop: false };
        let harvest = swarm.search(|_, seed| panic!("number {seed}"), |_| ());
        let first = &harvest.findings[0];
        assert_eq!(first.violation, Violation::new(Rule::Panic, "number 0"));
    }

    #[test]
    fn a_finding_is_reduced_to_what_breaks_the_same_rule() {
        let run = short(3);
        let harvest = Swarm { seeds: 0..100, workers: 1, stop: true }.search(&run, |_| ());
        let shrunk = reduce(&harvest.findings[0], 500, &run);
        assert_eq!(shrunk.scenario.ops.len(), 4);
    }
}
