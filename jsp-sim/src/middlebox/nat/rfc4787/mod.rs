//! Each behaviour of a translator, by the requirement of RFC 4787 that it is taken from.

mod filtering;
mod limits;
mod mapping;
mod timers;

use super::*;
use crate::middlebox::{Dependence, PortRange, Refresh};
use crate::secs;
use crate::units::Span;
use jsp_proto::ids::Ecn;

const POOL: [&str; 4] = ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"];
const HOST: &str = "10.0.0.2:4000";
const PEER: &str = "198.51.100.7:443";
const SAME_ADDRESS: &str = "198.51.100.7:444";
const ELSEWHERE: &str = "198.51.100.8:443";
const START: Time = Time::from_nanos(1_000_000_000);

fn endpoint(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn pool(size: usize) -> Vec<IpAddr> {
    POOL[..size].iter().map(|address| address.parse().unwrap()).collect()
}

/// A translator with one outer address.
fn nat(config: NatConfig) -> Nat {
    Nat::new(config.at(pool(1)), &Seed::from_u64(1)).unwrap()
}

/// Sends a datagram whose payload holds its addresses, as protocols do that ALGs meddle with, and
/// checks that nothing but what is translated changes.
fn pass(
    from: SocketAddr,
    to: SocketAddr,
    ask: impl FnOnce(&mut Datagram) -> Verdict,
) -> Result<(SocketAddr, SocketAddr), Dropped> {
    let payload = format!("{from} {to}").into_bytes();
    let mut datagram = Datagram { from, to, ecn: Ecn::Ce, payload: payload.clone() };
    let verdict = ask(&mut datagram);
    assert_eq!((datagram.ecn, datagram.payload), (Ecn::Ce, payload));
    match verdict {
        Verdict::Forward => Ok((datagram.from, datagram.to)),
        Verdict::Drop(why) => Err(why),
    }
}

/// The outer endpoint with which a datagram leaves.
fn out(nat: &mut Nat, now: Time, from: &str, to: &str) -> Result<SocketAddr, Dropped> {
    let to = endpoint(to);
    let passed = pass(endpoint(from), to, |datagram| nat.outbound(now, datagram))?;
    assert_eq!(passed.1, to, "a datagram goes out to where it was sent");
    Ok(passed.0)
}

/// The inner endpoint that a datagram reaches.
fn come(nat: &mut Nat, now: Time, from: &str, to: SocketAddr) -> Result<SocketAddr, Dropped> {
    let from = endpoint(from);
    let passed = pass(from, to, |datagram| nat.inbound(now, datagram))?;
    assert_eq!(passed.0, from, "a datagram comes in from whom it was sent by");
    Ok(passed.1)
}

/// Source and destination of a datagram that is turned round.
fn turn(
    nat: &mut Nat,
    now: Time,
    from: &str,
    to: SocketAddr,
) -> Result<(SocketAddr, SocketAddr), Dropped> {
    pass(endpoint(from), to, |datagram| nat.hairpin(now, datagram))
}

const fn seconds(n: u64) -> Span {
    Span::from_millis(n * 1000)
}
