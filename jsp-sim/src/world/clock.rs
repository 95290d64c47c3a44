//! What a host's clock shows, when its timers fire, and when it runs at all.
//!
//! ```text
//! world   ──────┬───────────────┬──────────>      true time
//! jumped  ──────┴──────────────────────────>      shows more from then on
//! stopped ──────────┐           ┌──────────>      shows the same for a while, then the truth
//! stalled ──────                 ──────────>      the host does not run: what happens waits for it
//! ```
//!
//! A host's clock never goes backwards: it is what the operating system calls a monotonic clock.

use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::{Duration, Time, nanos};

/// A host's clock and its faults; without any, true time and punctual timers.
#[derive(Debug)]
pub(super) struct Clock {
    /// How much the clock shows beyond true time.
    ahead: Duration,
    /// What it shows while it is stopped, and until when that lasts.
    stopped: Option<(Time, Time)>,
    /// Until when the host does not run.
    stalled: Option<Time>,
    /// How late timers may be, and until when they may.
    late: Option<(Duration, Time)>,
    lateness: Rng,
    /// The deadline that the host asked for last, and how late its timer will be.
    deadline: Option<(Time, Duration)>,
}

impl Clock {
    /// A faultless clock; how late timers are, if they ever are, follows from `seed`.
    pub(super) fn new(seed: &Seed) -> Self {
        Self {
            ahead: Duration::ZERO,
            stopped: None,
            stalled: None,
            late: None,
            lateness: Rng::new(seed, "late timers"),
            deadline: None,
        }
    }

    /// What the clock shows at true time `now`.
    pub(super) fn read(&self, now: Time) -> Time {
        match self.stopped {
            Some((shown, until)) if now < until => shown,
            _ => now + self.ahead,
        }
    }

    /// The clock jumps forward by `by`, at `now`.
    pub(super) fn jump(&mut self, now: Time, by: Duration) {
        self.ahead += by;
        if let Some((shown, until)) = &mut self.stopped
            && now < *until
        {
            *shown += by;
        }
    }

    /// The clock stands still from `now` on for `duration`, then shows the truth again.
    pub(super) fn stop(&mut self, now: Time, duration: Duration) {
        self.stopped = Some((self.read(now), now + duration));
    }

    /// The host does not run from `now` on for `duration`: neither datagrams nor timers reach it.
    pub(super) fn stall(&mut self, now: Time, duration: Duration) {
        self.stalled = self.stalled.max(Some(now + duration));
    }

    /// Whether the host runs at `now`.
    pub(super) fn runs(&self, now: Time) -> bool {
        self.stalled.is_none_or(|until| until <= now)
    }

    /// Timers are up to `most` late, uniformly drawn, as long as they are due before `until`.
    pub(super) fn delay_timers(&mut self, most: Duration, until: Time) {
        self.late = Some((most, until));
    }

    /// The true time, `now` or later, at which the host is to be woken for a `deadline` by its own
    /// clock, and for datagrams if some are `waiting`.
    pub(super) fn wake(
        &mut self,
        now: Time,
        deadline: Option<Time>,
        waiting: bool,
    ) -> Option<Time> {
        let timer = deadline.map(|deadline| {
            let due = self.reaches(now, deadline);
            due + self.lateness(deadline, due)
        });
        let arrivals = waiting.then_some(now);
        let wake = timer.into_iter().chain(arrivals).min()?;
        Some(wake.max(self.stalled.unwrap_or(now)))
    }

    /// When the clock first shows `local`, not before `now`.
    fn reaches(&self, now: Time, local: Time) -> Time {
        let running = Time::ZERO + local.since(Time::ZERO + self.ahead);
        match self.stopped {
            Some((shown, until)) if now < until && local > shown => running.max(until),
            Some((_, until)) if now < until => now,
            _ => running.max(now),
        }
    }

    /// How late the timer for `deadline` is: drawn once for each deadline.
    fn lateness(&mut self, deadline: Time, due: Time) -> Duration {
        let Some((most, _)) = self.late.filter(|(_, until)| due < *until) else {
            return Duration::ZERO;
        };
        match self.deadline {
            Some((known, late)) if known == deadline => late,
            _ => {
                let late = Duration::from_nanos(self.lateness.below(nanos(most).saturating_add(1)));
                self.deadline = Some((deadline, late));
                late
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ms, secs};

    fn at(d: Duration) -> Time {
        Time::ZERO + d
    }

    fn clock() -> Clock {
        Clock::new(&Seed::from_u64(1))
    }

    #[test]
    fn a_faultless_clock_shows_the_truth_and_wakes_on_time() {
        let mut clock = clock();
        assert_eq!(clock.read(at(secs(3))), at(secs(3)));
        assert_eq!(clock.wake(at(secs(3)), Some(at(secs(4))), false), Some(at(secs(4))));
        assert_eq!(clock.wake(at(secs(3)), Some(at(secs(2))), false), Some(at(secs(3))));
        assert_eq!(clock.wake(at(secs(3)), None, false), None);
        assert_eq!(clock.wake(at(secs(3)), None, true), Some(at(secs(3))));
    }

    #[test]
    fn a_jump_brings_deadlines_nearer() {
        let mut clock = clock();
        clock.jump(at(secs(1)), secs(5));
        assert_eq!(clock.read(at(secs(1))), at(secs(6)));
        assert_eq!(clock.wake(at(secs(1)), Some(at(secs(4))), false), Some(at(secs(1))));
        assert_eq!(clock.wake(at(secs(1)), Some(at(secs(9))), false), Some(at(secs(4))));
    }

    #[test]
    fn a_stopped_clock_reaches_nothing_before_it_goes_on() {
        let mut clock = clock();
        clock.stop(at(secs(1)), secs(5));
        assert_eq!(clock.read(at(secs(3))), at(secs(1)));
        assert_eq!(clock.wake(at(secs(2)), Some(at(secs(2))), false), Some(at(secs(6))));
        assert_eq!(clock.wake(at(secs(2)), Some(at(secs(8))), false), Some(at(secs(8))));
        assert_eq!(clock.wake(at(secs(2)), Some(at(secs(1))), false), Some(at(secs(2))));
        assert_eq!(clock.read(at(secs(6))), at(secs(6)));
    }

    #[test]
    fn a_stalled_host_is_woken_when_it_runs_again() {
        let mut clock = clock();
        clock.stall(at(secs(1)), secs(5));
        assert!(!clock.runs(at(secs(5))) && clock.runs(at(secs(6))));
        assert_eq!(clock.wake(at(secs(1)), Some(at(secs(2))), false), Some(at(secs(6))));
        assert_eq!(clock.wake(at(secs(1)), Some(at(secs(9))), true), Some(at(secs(6))));
        assert_eq!(clock.read(at(secs(6))), at(secs(6)));
    }

    #[test]
    fn a_timer_is_late_once_and_within_bounds() {
        let mut clock = clock();
        clock.delay_timers(ms(100), at(secs(10)));
        let mut seen = Vec::new();
        for i in 1..9 {
            let deadline = at(secs(i));
            let wake = clock.wake(Time::ZERO, Some(deadline), false).unwrap();
            assert_eq!(clock.wake(at(ms(3)), Some(deadline), false), Some(wake));
            assert!((deadline..=deadline + ms(100)).contains(&wake));
            seen.push(wake - deadline);
        }
        seen.dedup();
        assert!(seen.len() > 4, "{seen:?}");
        assert_eq!(clock.wake(Time::ZERO, Some(at(secs(10))), false), Some(at(secs(10))));
    }
}
