//! Many seeds on all cores. What a seed gives does not depend on which thread ran it, or when.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Runs `run` for each seed, on as many threads as there are cores, and returns the results in the
/// order of their seeds. If one panics, so does this, after the others have ended.
pub fn each<T: Send>(seeds: Range<u64>, run: impl Fn(u64) -> T + Sync) -> Vec<T> {
    each_on(cores(), seeds, run)
}

/// How many threads run at once on this machine.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// As [`each`], on `threads` threads.
pub fn each_on<T: Send>(
    threads: usize,
    seeds: Range<u64>,
    run: impl Fn(u64) -> T + Sync,
) -> Vec<T> {
    let next = AtomicU64::new(seeds.start);
    let take = || {
        let mut results = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return results;
            }
            results.push((seed, run(seed)));
        }
    };
    let mut results: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(take)).collect();
        workers
            .into_iter()
            .flat_map(|worker| {
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    results.sort_unstable_by_key(|(seed, _)| *seed);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_seed_runs_once_and_results_are_in_order() {
        assert_eq!(super::each(5..1_000, |seed| seed), (5..1_000).collect::<Vec<_>>());
        assert_eq!(super::each(0..0, |seed| seed), Vec::<u64>::new());
    }
}
