//! Many files at once over one connection.

use crate::failure::{Failure, Kind};
use crate::progress::Progress;
use crate::protocol::MAX_REQUESTS;
use crate::say;
use crate::units::{Rate, Size, Span};
use std::time::Duration;
use tokio::task::JoinSet;

/// Files that are on their way at the same time: enough to hide the round trips of small ones.
const AT_ONCE: usize = MAX_REQUESTS as usize;
/// Failures that are told one by one.
const TOLD: usize = 10;

/// How many files made it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
    failed: usize,
    /// The kind of the first failure.
    kind: Option<Kind>,
}

impl Tally {
    /// What to print about it, or the failure that it was.
    pub(crate) fn conclude(self, did: &str, time: Duration) -> Result<(), Failure> {
        let Self { files, bytes, failed, kind } = self;
        anstream::println!(
            "{did} {files} files, {} in {}, {}; every hash verified",
            Size(bytes),
            Span(time),
            Rate::of(bytes, time)
        );
        match kind {
            None => Ok(()),
            Some(kind) => {
                Err(Failure::new(kind, format!("{failed} of {} files failed", files + failed)))
            }
        }
    }

    fn add(&mut self, result: Result<u64, Failure>) {
        match result {
            Ok(bytes) => {
                self.files += 1;
                self.bytes += bytes;
            }
            Err(failure) => {
                self.failed += 1;
                self.kind.get_or_insert(failure.kind);
                if self.failed <= TOLD {
                    say::warning(&failure.message);
                } else if self.failed == TOLD + 1 {
                    say::warning("there are more like these");
                }
            }
        }
    }
}

/// Does `work` for each of `jobs`, which tells how many bytes it moved. One failure does not stop the
/// others, unless the connection is gone.
pub(crate) async fn run<J, F>(
    what: &str,
    jobs: Vec<J>,
    work: impl Fn(J) -> F,
) -> Result<Tally, Failure>
where
    F: Future<Output = Result<u64, Failure>> + Send + 'static,
{
    let progress = Progress::files(what, jobs.len() as u64);
    let (mut tally, mut tasks, mut jobs) = (Tally::default(), JoinSet::new(), jobs.into_iter());
    loop {
        while tasks.len() < AT_ONCE {
            let Some(job) = jobs.next() else { break };
            tasks.spawn(work(job));
        }
        let Some(result) = tasks.join_next().await else { return Ok(tally) };
        let result = result.map_err(|error| Failure::local(error.to_string()))?;
        if let Err(failure @ Failure { kind: Kind::Connection, .. }) = result {
            return Err(failure);
        }
        tally.add(result);
        progress.advance(1);
    }
}
