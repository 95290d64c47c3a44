//! What must hold of every connection, after every event.
//!
//! ```text
//!   engine ──packets──> Ledger ─┐
//!     │                         ├─> Watch::check ──> Ok, or which rule was broken, and how
//!     └──────audit──────────────┘
//! ```
//!
//! A [`Watch`] belongs to one connection. Its ledger hears of each packet through the engine's tap, and keeps
//! books of its own: which numbers were used, what is in flight, what the pace allowed, when something was
//! last heard, which sizes were proved to pass. After each event the books are compared with what the engine
//! says of itself ([`Connection::audit`]). Each [`Rule`] is proved able to fail by a bug that is planted for the
//! purpose (`tests/planted.rs`).
//!
//! Times are those of the connection's host, as the engine sees them.

mod flight;
mod ledger;
mod numbers;
mod pace;
mod taps;

pub use ledger::Latest;
pub use taps::{PacketObserver, SharedObserver, Taps, Who};

use crate::rule::{Rule, Violation};
use jsp_proto::connection::{Audit, Connection};
use jsp_proto::error::CloseReason;
use jsp_proto::ids::Side;
use jsp_proto::time::Time;
use ledger::{Facts, Ledger, Sent};
use pace::Pace;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Watches one connection.
#[derive(Debug)]
pub struct Watch {
    ledger: Arc<Mutex<Ledger>>,
    side: Side,
    /// Whether the client proved its address with a token.
    retried: bool,
    before: Option<Audit>,
    pace: Pace,
    /// Bytes of datagrams that were sent to the peer, by its address.
    sent_bytes: Vec<(SocketAddr, u64)>,
    confirmed: Confirmed,
    closed: bool,
    drained: bool,
    /// When the last key update of the peer's was seen: packets under the old key may come for a while.
    turned: Option<(u64, Time)>,
}

/// Since when the handshake is confirmed. What waited for its keys, damaged or not, is looked at with the event
/// that confirms it, and nothing waits from the next one on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Confirmed {
    Not,
    /// Since this event.
    Now,
    /// Since an earlier one.
    Before,
}

/// What a host knows that the connection does not say.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings {
    /// The time, by the host's clock.
    pub now: Time,
    /// Whether everything that was handed over at this event had the bytes that were sent.
    pub intact: bool,
    /// The peer's address.
    pub remote: SocketAddr,
    /// Bytes of UDP payload that the host has received from there so far.
    pub heard: u64,
    /// Whether the host's socket takes datagrams.
    pub can_send: bool,
    /// Whether a timer of the connection's is over and the host has yet to be told: something else
    /// happened first.
    pub overdue: bool,
}

impl Watch {
    fn new(ledger: Arc<Mutex<Ledger>>, side: Side, retried: bool) -> Self {
        Self {
            ledger,
            side,
            retried,
            before: None,
            pace: Pace::default(),
            sent_bytes: Vec::new(),
            confirmed: Confirmed::Not,
            closed: false,
            drained: false,
            turned: None,
        }
    }

    /// A train of `len` bytes left for the peer at `remote`.
    pub fn on_transmit(&mut self, remote: SocketAddr, len: usize) {
        match self.sent_bytes.iter_mut().find(|(address, _)| *address == remote) {
            Some((_, sent)) => *sent += len as u64,
            None => self.sent_bytes.push((remote, len as u64)),
        }
    }

    /// How many packets were sealed since the last check.
    pub fn sealed(&self) -> usize {
        lock(&self.ledger).facts.sent.len()
    }

    /// What the last packets of data tell, once there are some of both directions.
    pub fn latest(&self) -> Option<Latest> {
        lock(&self.ledger).latest()
    }

    /// The handshake is confirmed.
    pub const fn on_confirmed(&mut self) {
        self.confirmed = Confirmed::Now;
    }

    /// The connection said that it ended.
    pub fn on_closed(&mut self, now: Time, reason: &CloseReason) -> Result<(), Violation> {
        self.closed = true;
        match reason {
            CloseReason::IdleTimeout => self.check_silence(now),
            _ => Ok(()),
        }
    }

    /// Checks everything, once the connection has said all that it had to say; `audit` is what it says
    /// of itself.
    pub fn check(
        &mut self,
        connection: &Connection,
        audit: &Audit,
        around: &Surroundings,
    ) -> Result<(), Violation> {
        let ledger = Arc::clone(&self.ledger);
        let mut ledger = lock(&ledger);
        let result = ledger
            .take_violation()
            .and_then(|()| self.check_end(connection))
            .and_then(|()| check_flight(connection, audit, ledger.data_in_flight()))
            .and_then(|()| check_memory(audit))
            .and_then(|()| check_timeout(connection, audit, around))
            .and_then(|()| check_deadline(audit, &ledger))
            .and_then(|()| self.check_amplification(audit, &ledger.facts, around))
            .and_then(|()| self.check_refusals(connection, &ledger.facts, around))
            .and_then(|()| self.check_sent(around.now, audit, &ledger.facts))
            .and_then(|()| check_lies(connection, &ledger.facts));
        ledger.facts.clear();
        self.before = Some(*audit);
        if self.confirmed == Confirmed::Now {
            self.confirmed = Confirmed::Before;
        }
        result
    }

    /// What is closed stays closed, what is drained stays drained.
    fn check_end(&mut self, connection: &Connection) -> Result<(), Violation> {
        let broken = |what: &str| Err(Violation::new(Rule::Closed, what));
        if self.closed && !connection.is_closed() {
            return broken("a connection that had ended says that it has not");
        }
        if self.drained && !connection.is_drained() {
            return broken("a connection that was forgotten came back");
        }
        self.drained = connection.is_drained();
        if self.drained && connection.next_timeout().is_some() {
            return broken("a connection that is over still wants to be called");
        }
        Ok(())
    }

    /// RFC 9000, sections 8.1 and 8.2: what a server may send before it knows that the client receives.
    fn check_amplification(
        &self,
        audit: &Audit,
        facts: &Facts,
        around: &Surroundings,
    ) -> Result<(), Violation> {
        if self.side == Side::Client {
            return Ok(());
        }
        if audit.amplification.validated {
            return if self.retried || facts.heard_handshake {
                Ok(())
            } else {
                let what = "an address counts as validated that has proved nothing";
                Err(Violation::new(Rule::Amplification, what))
            };
        }
        // An address may have other connections, which are heard by the host, too.
        let heard = around.heard.min(audit.amplification.received);
        let sent = self.sent_bytes.iter().find(|(address, _)| *address == around.remote);
        let sent = sent.map_or(0, |(_, sent)| *sent);
        if sent > 3 * heard {
            let what = format!("{sent} bytes were sent to an address that sent {heard}");
            return Err(Violation::new(Rule::Amplification, what));
        }
        Ok(())
    }

    /// A packet that is authentic is opened, unless it is too late or a copy.
    fn check_refusals(
        &mut self,
        connection: &Connection,
        facts: &Facts,
        around: &Surroundings,
    ) -> Result<(), Violation> {
        let generation = facts.received_generation;
        if self.turned.is_none_or(|(known, _)| known < generation) {
            self.turned = Some((generation, around.now));
        }
        let excused =
            !around.intact || self.confirmed != Confirmed::Before || connection.is_closed();
        if facts.not_authentic == 0 || excused {
            return Ok(());
        }
        // RFC 9001, section 6.5: old keys are kept for three probe timeouts.
        let grace = 3 * connection.stats().path.min_rtt;
        let recently = self.turned.is_some_and(|(_, since)| around.now < since + grace);
        if generation > 0 && !recently {
            return Ok(());
        }
        let what = format!("{} packets that arrived intact were refused", facts.not_authentic);
        Err(Violation::new(Rule::Refused, what))
    }

    /// Window, pacing and size of what was sent since the last check.
    fn check_sent(&mut self, now: Time, audit: &Audit, facts: &Facts) -> Result<(), Violation> {
        check_window(audit, &facts.sent)?;
        check_size(audit, facts)?;
        let before = self.before.as_ref().and_then(|before| before.pacing);
        self.pace.check(now, before, audit.pacing, audit.mtu.into(), &facts.sent)
    }

    /// RFC 9000, section 10.1: the timeout counts from the last packet that was received, or the first
    /// that demanded an answer since.
    fn check_silence(&self, now: Time) -> Result<(), Violation> {
        let ledger = lock(&self.ledger);
        let Some(timeout) = self.before.as_ref().and_then(|before| before.idle.timeout) else {
            let what = "a connection without an idle timeout ended by it";
            return Err(Violation::new(Rule::Idle, what));
        };
        let since = ledger.silent_since();
        if now < since + timeout {
            let (silent, agreed) = (now.since(since), timeout);
            let what = format!("idle after {silent:?}, and {agreed:?} were agreed");
            return Err(Violation::new(Rule::Idle, what));
        }
        Ok(())
    }
}

/// The engine's count is the sum over what it remembers, and over what `data` was seen to leave.
fn check_flight(connection: &Connection, audit: &Audit, data: u64) -> Result<(), Violation> {
    let (counted, sum) = (audit.in_flight, audit.in_flight_sum);
    if counted != sum {
        let what = format!("{counted} bytes count as in flight, the packets in flight have {sum}");
        return Err(Violation::new(Rule::InFlight, what));
    }
    // What is closed does not hear acknowledgements any more.
    let counted = audit.in_flight.saturating_sub(audit.handshake_in_flight);
    if counted != data && !connection.is_closed() {
        let what = format!("{counted} bytes of data count as in flight, {data} were seen to be");
        return Err(Violation::new(Rule::InFlight, what));
    }
    Ok(())
}

/// The next timeout lies in the future, and whatever is in flight has one.
fn check_timeout(
    connection: &Connection,
    audit: &Audit,
    around: &Surroundings,
) -> Result<(), Violation> {
    match connection.next_timeout() {
        Some(next) if next <= around.now && around.can_send && !around.overdue => {
            let (next, now) = (next.as_nanos(), around.now.as_nanos());
            let what = format!("the next timeout is at {next} ns, and it is {now} ns");
            Err(Violation::new(Rule::Timeout, what))
        }
        None if !connection.is_drained() && audit.in_flight > 0 => {
            let what = "packets are in flight, and no timer is set";
            Err(Violation::new(Rule::Timeout, what))
        }
        _ => Ok(()),
    }
}

/// A silent connection is not about to end before its time (RFC 9000, section 10.1).
fn check_deadline(audit: &Audit, ledger: &Ledger) -> Result<(), Violation> {
    let (Some(timeout), Some(deadline)) = (audit.idle.timeout, audit.idle.deadline) else {
        return Ok(());
    };
    let agreed = ledger.silent_since() + timeout;
    if deadline < agreed {
        let early = agreed.since(deadline);
        let what = format!("the connection would count as idle {early:?} before its time");
        return Err(Violation::new(Rule::Idle, what));
    }
    Ok(())
}

fn check_memory(audit: &Audit) -> Result<(), Violation> {
    let Some((name, held)) = audit.memory.excess() else { return Ok(()) };
    let what = format!("{name}: {} bytes of at most {}", held.bytes, held.limit);
    Err(Violation::new(Rule::Memory, what))
}

/// What the window binds fits it, whatever came after it that is exempt.
fn check_window(audit: &Audit, sent: &[Sent]) -> Result<(), Violation> {
    for (handshake, in_flight) in [(true, audit.handshake_in_flight), (false, audit.in_flight)] {
        let kind = sent.iter().filter(|sent| sent.handshake == handshake);
        if !kind.clone().any(|sent| sent.in_flight && !sent.exempt) {
            continue;
        }
        let mut slack = kind.clone().filter(|sent| sent.exempt).map(|sent| sent.size).sum::<u64>();
        let beyond = |sent: &Sent| sent.size.saturating_sub(audit.mtu.into());
        slack += kind.filter(|sent| sent.mtu_probe).map(beyond).sum::<u64>();
        if !handshake {
            // Packets of the handshake do not see those of data.
            slack += sent.iter().filter(|sent| sent.handshake).map(|sent| sent.size).sum::<u64>();
        }
        if in_flight > audit.window + slack {
            let window = audit.window;
            let what = format!("{in_flight} bytes are in flight, the window is {window}");
            return Err(Violation::new(Rule::Window, what));
        }
    }
    Ok(())
}

/// Beyond what may be taken for granted, only what a probe was seen to prove is used.
fn check_size(audit: &Audit, facts: &Facts) -> Result<(), Violation> {
    let known = facts.proven_mtu.max(audit.assumed_mtu.into());
    let used = facts.sent.iter().filter(|sent| !sent.mtu_probe).map(|sent| sent.datagram);
    let size = used.max().unwrap_or(0).max(audit.mtu.into());
    if size > known {
        let what = format!("datagrams have {size} bytes, the path is known for {known}");
        return Err(Violation::new(Rule::Mtu, what));
    }
    Ok(())
}

/// Whoever acknowledges what was never sent is not listened to any more (RFC 9000, section 13.1).
fn check_lies(connection: &Connection, facts: &Facts) -> Result<(), Violation> {
    match facts.lie {
        Some(number) if !connection.is_closed() => {
            let what = format!("the acknowledgement of packet {number}, never sent, was taken");
            Err(Violation::new(Rule::Forged, what))
        }
        _ => Ok(()),
    }
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}
