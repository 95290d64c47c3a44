//! The ground that endpoints and connections share: clock, socket, timers, scratch memory.
//!
//! Nothing here knows what a connection is.

mod agenda;
mod clock;
mod io;
mod scratch;
mod socket;
mod udp;
mod watch;

pub(crate) use agenda::Plan;
pub(crate) use io::{Io, Turn};
pub(crate) use scratch::Scratch;
pub use socket::DatagramSocket;
pub use udp::UdpSocket;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, whatever happened to who held it before: a panic of one caller is not everybody's.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
