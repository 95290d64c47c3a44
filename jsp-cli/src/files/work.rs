//! Blocking work on a thread of its own, and its result.

use std::future::pending;
use tokio::task::{JoinHandle, spawn_blocking};

/// A result that is there, or that another thread is working on.
#[derive(Debug)]
pub(crate) enum Work<T> {
    Done(T),
    Busy(JoinHandle<T>),
}

impl<T: Send + 'static> Work<T> {
    /// Has a thread for blocking work do it. What was begun is completed, even if nobody waits.
    pub(crate) fn begin(work: impl FnOnce() -> T + Send + 'static) -> Self {
        Self::Busy(spawn_blocking(work))
    }

    /// Waits for the result. A panic of the work is one of who waits.
    pub(crate) async fn wait(self) -> T {
        match self {
            Self::Done(result) => result,
            Self::Busy(work) => match work.await {
                Ok(result) => result,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // The runtime ends before the work began, and so does who waits.
                    Err(_) => pending().await,
                },
            },
        }
    }
}
