//! The engine's time: nanoseconds since an endpoint began.

use jsp_proto::time::{Duration, Time};
use std::time::Instant;

/// One origin for everything that an endpoint does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    pub(crate) fn now(&self) -> Time {
        Time::ZERO + self.origin.elapsed()
    }

    /// When `time` is on the system's clock; a year ahead if it lies beyond what that can tell.
    pub(crate) fn instant(&self, time: Time) -> Instant {
        const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
        let after = Duration::from_nanos(time.as_nanos());
        self.origin.checked_add(after).unwrap_or_else(|| self.origin + YEAR)
    }
}
