//! Sleeping until a time, to some microseconds.
//!
//! The kernel's timer for a poll counts in milliseconds, and is late on purpose to save wakeups. On Linux
//! a timer file descriptor is neither. What is left to the time is spent awake, asking the sockets over
//! and over.

use mio::{Registry, Token};
use std::io;
use std::time::Duration;

/// What wakes a poll.
#[derive(Debug)]
pub(super) struct Alarm(imp::Alarm);

impl Alarm {
    /// An alarm that wakes the poll of `registry`.
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        imp::Alarm::new(registry, token).map(Self)
    }

    /// Sets the alarm, and tells how long the poll may sleep besides.
    pub(super) fn set(&mut self, wait: Duration) -> io::Result<Option<Duration>> {
        self.0.set(wait)
    }
}

#[cfg(target_os = "linux")]
mod imp {
    use super::{Duration, Registry, Token, io};
    use mio::Interest;
    use mio::unix::SourceFd;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use std::os::fd::{AsRawFd, OwnedFd};

    /// How long before its time it rings: what waking up takes, nearly always.
    const EARLY: Duration = Duration::from_micros(60);

    #[derive(Debug)]
    pub(super) struct Alarm(OwnedFd);

    impl Alarm {
        pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            // Registered for edges: each ringing is one, so that nobody needs to read from it.
            registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
            Ok(Self(timer))
        }

        pub(super) fn set(&mut self, wait: Duration) -> io::Result<Option<Duration>> {
            let wait = wait.saturating_sub(EARLY);
            if wait.is_zero() {
                return Ok(Some(Duration::ZERO));
            }
            let never = Timespec { tv_sec: 0, tv_nsec: 0 };
            let it_value = Timespec::try_from(wait).map_err(io::Error::other)?;
            let spec = Itimerspec { it_interval: never, it_value };
            timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &spec)?;
            Ok(None)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::{Duration, Registry, Token, io};

    /// A poll's timeout is rounded up to this.
    const GRAIN: Duration = Duration::from_millis(1);

    #[derive(Debug)]
    pub(super) struct Alarm;

    impl Alarm {
        pub(super) fn new(_: &Registry, _: Token) -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) fn set(&mut self, wait: Duration) -> io::Result<Option<Duration>> {
            Ok(Some(wait.saturating_sub(GRAIN)))
        }
    }
}
