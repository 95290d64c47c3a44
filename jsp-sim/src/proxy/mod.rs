//! The stages of a [`Link`](crate::link::Link) on real sockets: an impairment proxy in user space for
//! any program that speaks UDP.
//!
//! ```text
//!               listening            there: delay, rate, loss ...         a socket a client
//! client A ──────> ┌───┐ ══════════════════════════════════════════════> ┌───┐ ──────>
//!                  │   │                                                 └───┘         target
//! client B <────── └───┘ <══════════════════════════════════════════════ ┌───┐ <──────
//!                             back: stages of their own                  └───┘
//! ```
//!
//! - All clients share the two links, as those behind one access line do.
//! - Behind the links stands a translator (NAT): each client, which is a remote address, has a socket
//!   of its own towards the target, and only the target is heard there. *Rebinding* gives each client a
//!   new one. What is on its way to the target then leaves from the new port; what the target sends to
//!   the old one is dropped in silence, for its mapping is gone. What has passed the translator already
//!   still comes to the client.
//! - A client is forgotten only when its place is needed by another.
//! - Datagrams keep their bytes, unless a stage corrupts them (the checksum is then right again, so that
//!   the program sees the damage), and their ECN field. That one was too big is counted, and told to
//!   nobody: ICMP is beyond a program without privileges.
//! - Time zero of blackouts and capacity traces is the proxy's start.
//!
//! The rooms: [`Relay`] is all of it without sockets and clocks; [`Proxy`] is the loop around it, on one
//! thread, which sleeps with a timer of nanoseconds and wakes a little early to be in time. Where other
//! processes want its core it is late all the same, and its summary says by how much (on Linux a
//! real-time priority helps: `chrt -f 10 jsp-sim proxy ...`).
//!
//! ```no_run
//! use jsp_sim::{link::Link, ms, proxy::{Proxy, Settings}};
//!
//! let link = Link::new().delay(ms(25)).loss(0.01);
//! let mut proxy = Proxy::bind("127.0.0.1:0".parse()?, &Settings::new("192.0.2.1:4433".parse()?, link))?;
//! println!("clients send to {}", proxy.local_addr());
//! print!("{}", proxy.run(None)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod alarm;
mod clients;
mod counts;
mod relay;
mod run;
mod settings;
mod socket;
mod summary;
mod train;

pub use clients::ClientId;
pub use counts::Counts;
pub use relay::{Change, Departure, Relay, Route, Way};
pub use run::{Proxy, Stopper};
pub use settings::Settings;
pub use summary::{Summary, WaySummary};

#[cfg(test)]
mod tests;
