//! A loop for those who have no other.

use crate::endpoint::Endpoint;
use mio::{Events, Interest, Poll, Token};
use std::io;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// How often a spinning loop looks before it lets others have the processor: for about 10 us.
const LOOKS: usize = 32;

/// An endpoint with a poll of its own.
///
/// ```
/// # use jsp_driver_mio::{Driver, Endpoint, Event};
/// # fn main() -> std::io::Result<()> {
/// let mut driver = Driver::new(Endpoint::client()?)?;
/// // ... connect ...
/// while driver.connections() > 0 {
///     driver.turn(None)?;
///     while let Some((handle, event)) = driver.poll_event() {
///         // ...
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Driver {
    endpoint: Endpoint,
    poll: Poll,
    events: Events,
    spin: Duration,
    /// Whether the poll watches the endpoint. Nobody is woken while a loop spins, and watching costs
    /// whoever sends something with each datagram.
    watched: bool,
}

impl Driver {
    /// A loop around `endpoint`, which sleeps whenever there is nothing to do.
    ///
    /// # Errors
    /// The system has no more means to watch a socket.
    pub fn new(mut endpoint: Endpoint) -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.registry().register(&mut endpoint, Token(0), Interest::READABLE)?;
        let events = Events::with_capacity(8);
        Ok(Self { endpoint, poll, events, spin: Duration::ZERO, watched: true })
    }

    /// Before each sleep, looks at the socket again and again for as long as `spin`.
    ///
    /// What arrives meanwhile is answered without a wake-up, which takes the system some 20 to 50 us.
    /// The price is a processor that is busy all that time, even if nothing comes: for a peer that
    /// answers within `spin` that is all the time. A loop that spins lets others have the processor
    /// every 10 us or so; still, where there are fewer processors than spinning loops, all are slower.
    #[must_use]
    pub fn with_spin(mut self, spin: Duration) -> Self {
        self.spin = spin;
        self
    }

    /// Sends what is due, then waits until something has arrived or was due, at most for `max_wait`.
    /// Returns whether there was anything. What there is to tell awaits [`Endpoint::poll_event`].
    ///
    /// # Errors
    /// As [`Endpoint::drive`], or the socket cannot be watched.
    pub fn turn(&mut self, max_wait: Option<Duration>) -> io::Result<bool> {
        self.endpoint.flush();
        let mut wait = shorter(self.endpoint.poll_timeout(), max_wait);
        if wait == Some(Duration::ZERO) {
            return self.endpoint.drive();
        }
        // The system tells of room in the socket, and a spinning loop would not hear it.
        if self.spin > Duration::ZERO && !self.endpoint.awaits_room() {
            let spin = wait.map_or(self.spin, |wait| wait.min(self.spin));
            if self.spin(spin)? {
                return Ok(true);
            }
            wait = wait.map(|wait| wait.saturating_sub(spin));
        }
        if !self.watched {
            self.watch(true)?;
            // What came since the last look told nobody.
            if self.endpoint.glance(self.endpoint.now())? {
                return Ok(true);
            }
        }
        match self.poll.poll(&mut self.events, wait) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => self.endpoint.drive(),
        }
    }

    /// The endpoint alone, for another loop.
    pub fn into_endpoint(mut self) -> io::Result<Endpoint> {
        self.watch(false)?;
        Ok(self.endpoint)
    }

    fn watch(&mut self, watch: bool) -> io::Result<()> {
        if watch && !self.watched {
            let registry = self.poll.registry();
            registry.register(&mut self.endpoint, Token(0), Interest::READABLE)?;
        } else if !watch && self.watched {
            self.poll.registry().deregister(&mut self.endpoint)?;
        }
        self.watched = watch;
        Ok(())
    }

    /// Looks for what arrives, for as long as `limit`. No timer is due before that.
    fn spin(&mut self, limit: Duration) -> io::Result<bool> {
        self.watch(false)?;
        let end = self.endpoint.now() + limit;
        loop {
            for _ in 0..LOOKS {
                let now = self.endpoint.now();
                if self.endpoint.glance(now)? {
                    return Ok(true);
                }
                if now >= end {
                    return Ok(false);
                }
                std::hint::spin_loop();
            }
            // Whoever waits for this processor may be who answers. Nobody does: back at once.
            std::thread::yield_now();
        }
    }
}

fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}

impl Deref for Driver {
    type Target = Endpoint;
    fn deref(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl DerefMut for Driver {
    fn deref_mut(&mut self) -> &mut Endpoint {
        &mut self.endpoint
    }
}
