//! Threats: a clock that jumps or stalls, timers that come late.

use super::pair::{Pair, closed};
use crate::connection::TransportConfig;
use crate::error::CloseReason;
use crate::ids::Dir;
use crate::stream::ReadError;
use crate::time::{Duration, Time};
use alloc::vec::Vec;

const MS: fn(u64) -> Duration = Duration::from_millis;
const HOUR: Duration = Duration::from_secs(3600);

fn without_idle_timeout() -> Pair {
    let patient = || TransportConfig { idle_timeout: None, ..TransportConfig::default() };
    let mut pair = Pair::with(patient(), patient());
    pair.run(MS(500));
    assert!(pair.client.confirmed);
    pair
}

/// Sends `len` bytes across, in steps of 5 ms, and changes the clock before each one.
fn transfer(pair: &mut Pair, len: usize, mut jump: impl FnMut(usize, &mut Time)) {
    let id = pair.client.open_stream(Dir::Uni).unwrap();
    let data: Vec<u8> = (0..len).map(|n| n as u8).collect();
    let (mut sent, mut arrived) = (0, Vec::new());
    for step in 0..4000 {
        if sent < len {
            sent += pair.client.write(id, &data[sent..]).unwrap_or(0);
            if sent == len {
                pair.client.finish(id).unwrap();
            }
        }
        jump(step, &mut pair.now);
        pair.run(MS(5));
        let server = pair.server();
        server.accept_stream(Dir::Uni);
        let mut buf = [0; 8192];
        loop {
            match server.read(id, &mut buf) {
                Ok(n) => arrived.extend_from_slice(&buf[..n]),
                Err(ReadError::Finished) => {
                    assert!(arrived == data, "step {step}");
                    return;
                }
                Err(_) => break,
            }
        }
    }
    panic!("{} of {len} bytes", arrived.len());
}

#[test]
fn a_jump_of_an_hour_ends_an_idle_connection_once_and_cleanly() {
    let mut pair = Pair::connected();
    pair.now += HOUR;
    pair.run(MS(20));
    assert_eq!(closed(&pair.client_events), Some(&CloseReason::IdleTimeout));
    assert_eq!(closed(&pair.server_events), Some(&CloseReason::IdleTimeout));
    assert!(pair.client.is_drained() && pair.client.next_timeout().is_none());
}

#[test]
fn a_jump_of_an_hour_in_the_handshake_ends_it() {
    for steps in 0..8 {
        let mut pair = Pair::new();
        pair.run(MS(5 * steps));
        pair.now += HOUR;
        pair.client.handle_timeout(pair.now);
        pair.flush_client();
        let reason = closed(&pair.client_events);
        let expected = [CloseReason::IdleTimeout, CloseReason::HandshakeTimeout];
        assert!(reason.is_some_and(|reason| expected.contains(reason)), "{steps}: {reason:?}");
    }
}

#[test]
fn a_connection_without_idle_timeout_outlives_jumps_of_an_hour_amid_a_transfer() {
    let mut pair = without_idle_timeout();
    transfer(&mut pair, 200_000, |step, now| {
        if step % 10 == 9 && step < 60 {
            *now += HOUR;
        }
    });
}

#[test]
fn a_clock_that_runs_back_an_hour_stops_nothing() {
    let mut pair = Pair::connected();
    transfer(&mut pair, 50_000, |step, now| {
        if step == 2 {
            *now = *now - HOUR;
        }
    });
}

#[test]
fn time_inside_never_runs_back() {
    let mut pair = Pair::connected();
    let seen = pair.now;
    let mut out = alloc::vec![0; 65_535];
    pair.client.handle_timeout(seen);
    pair.client.ping();
    assert!(pair.client.poll_transmit(seen - HOUR, &mut out, 1).is_some());
    assert!(pair.client.next_timeout().is_some_and(|at| at > seen), "the probe's timer");
    pair.client.close(seen - HOUR, crate::error::AppCode(1), b"");
    assert!(pair.client.next_timeout().is_some_and(|at| at > seen), "the end of closing");
    pair.client.handle_timeout(seen);
    assert!(!pair.client.is_drained());
}

#[test]
fn a_clock_that_stalls_and_one_that_trembles_lose_no_data() {
    let mut pair = Pair::connected();
    transfer(&mut pair, 100_000, |step, now| {
        // Each fourth step takes place at the time of the one before it.
        if step % 4 == 3 {
            *now = *now - MS(5);
        }
        // And the time of every seventh is off by some.
        if step % 7 == 0 {
            *now += MS(3);
        }
        if step % 7 == 1 {
            *now = *now - MS(3);
        }
    });
}

#[test]
fn the_end_of_time_is_survived() {
    let mut pair = Pair::connected();
    let end = Time::from_nanos(u64::MAX);
    let mut out = alloc::vec![0; 65_535];
    for connection in [&mut pair.client, pair.server.as_mut().unwrap()] {
        connection.ping();
        while connection.poll_transmit(end, &mut out, 64).is_some() {}
        connection.handle_timeout(end);
        connection.close(end, crate::error::AppCode(1), b"");
        while connection.poll_transmit(end, &mut out, 64).is_some() {}
        connection.handle_timeout(end);
        assert!(connection.is_drained());
    }
}

#[test]
fn a_timer_that_comes_an_hour_late_is_followed_by_none_in_the_past() {
    let mut pair = without_idle_timeout();
    let id = pair.client.open_stream(Dir::Uni).unwrap();
    pair.client.write(id, &[1; 5000]).unwrap();
    pair.flush_client();
    for _ in 0..20 {
        let due = pair.client.next_timeout().expect("something is outstanding");
        pair.now = due + HOUR;
        pair.client.handle_timeout(pair.now);
        // The harness asserts that what follows lies in the future.
        let probes = pair.flush_client();
        assert!(!probes.is_empty() && probes.len() < 50, "{}", probes.len());
    }
    assert!(pair.client.is_established());
}
