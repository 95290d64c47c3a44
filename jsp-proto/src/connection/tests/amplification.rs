//! Threat: amplification. Until a client's address is proved, at most three bytes go to it for each
//! that came from it, counted here over every shape of handshake.

use super::mitm::{Initial, gather, spread};
use super::pair::{Pair, client_address, closed, opening};
use crate::crypto::rustcrypto::RustCrypto;
use crate::handshake::{AcceptAny, AlpnList, ClientAuth, Identity};
use crate::ids::Side;
use crate::time::Duration;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

const MS: fn(u64) -> Duration = Duration::from_millis;

fn sent_by_server(pair: &Pair) -> usize {
    let logged = pair.log.iter().filter(|(from_client, _)| !from_client);
    pair.answered + logged.map(|(_, datagram)| datagram.len()).sum::<usize>()
}

fn is_validated(pair: &Pair) -> bool {
    pair.server.as_ref().is_some_and(|server| server.path.amplification_budget() == u64::MAX)
}

/// Runs for `steps` of 5 ms and checks after each one, as long as the address is not proved; returns
/// what the server sent until then.
fn run_within_the_limit(
    pair: &mut Pair,
    steps: u32,
    mut filter: impl FnMut(bool, &[u8]) -> bool,
) -> usize {
    let mut unvalidated = 0;
    for step in 0..steps {
        let before = is_validated(pair);
        pair.run_with(MS(5), |from_client, datagram| {
            filter(from_client, &datagram).then_some(datagram)
        });
        if !before && !is_validated(pair) {
            let (sent, arrived) = (sent_by_server(pair), pair.arrived);
            assert!(sent <= 3 * arrived, "step {step}: {sent} bytes for {arrived}");
            unvalidated = sent;
        }
    }
    unvalidated
}

fn mutual() -> Pair {
    let identity = Identity::new(&RustCrypto, super::pair::client_signer().public().clone());
    Pair::with_handshake(|client, server| {
        client.identity = Some(identity);
        server.client_auth = ClientAuth::Required(Arc::new(AcceptAny));
    })
}

fn held() -> Pair {
    let identity = Identity::new(&RustCrypto, super::pair::server_signer().public().clone());
    Pair::with_handshake(|client, _| client.held_server = Some(identity))
}

/// The largest ClientHello and server flight that configuration can lead to.
fn large() -> Pair {
    let names = AlpnList::new((0..3).map(|n| vec![b'a' + n; 64]).collect()).unwrap();
    let identity = Identity::new(&RustCrypto, super::pair::client_signer().public().clone());
    Pair::with_handshake(|client, server| {
        client.alpn = names.clone();
        server.alpn = names;
        client.identity = Some(identity);
        server.client_auth = ClientAuth::Required(Arc::new(AcceptAny));
        client.features = (0..31).map(crate::handshake::Feature).collect();
        server.features.clone_from(&client.features);
    })
}

/// Its name, and a pair before its first packet.
type Shape = (&'static str, fn() -> Pair);

const SHAPES: [Shape; 4] =
    [("normal", Pair::new), ("mutual", mutual), ("held identity", held), ("large", large)];

#[test]
fn every_shape_of_handshake_stays_within_three_times_and_needs_one_round_trip() {
    for (shape, new) in SHAPES {
        let mut pair = new();
        let sent = run_within_the_limit(&mut pair, 6, |_, _| true);
        assert!(pair.client.is_established(), "{shape}: {:?}", closed(&pair.client_events));
        assert!((3000..=3 * 3600).contains(&sent), "{shape}: {sent}");
        run_within_the_limit(&mut pair, 100, |_, _| true);
        assert!(pair.client.confirmed && pair.server().confirmed, "{shape}");
    }
}

#[test]
fn a_server_whose_flights_are_all_lost_stops_at_three_times() {
    for (shape, new) in SHAPES {
        let mut pair = new();
        let sent = run_within_the_limit(&mut pair, 2200, |from_client, _| from_client);
        assert!(!is_validated(&pair), "{shape}");
        assert!(sent > 3600, "{shape}: it tried again: {sent}");
        assert!(pair.client.is_drained() && pair.server().is_drained());
    }
}

#[test]
fn a_client_that_falls_silent_is_sent_no_more_than_three_times() {
    let mut pair = Pair::new();
    let mut seen = 0;
    let sent = run_within_the_limit(&mut pair, 2200, |from_client, _| {
        seen += usize::from(from_client);
        from_client && seen <= 3
    });
    assert!((3601..=10_800).contains(&sent), "{sent}");
    assert_eq!(pair.arrived, 3600);
}

#[test]
fn after_a_lost_flight_the_handshake_completes_within_the_limit() {
    for (shape, new) in SHAPES {
        for lost in 1..=8 {
            let mut pair = new();
            let mut count = 0;
            run_within_the_limit(&mut pair, 1000, |from_client, _| {
                count += usize::from(!from_client);
                from_client || count > lost
            });
            assert!(pair.client.confirmed, "{shape}, {lost} lost");
            assert!(pair.server().confirmed, "{shape}, {lost} lost");
        }
    }
}

#[test]
fn a_client_whose_answer_is_lost_completes_within_the_limit() {
    for (shape, new) in SHAPES {
        for lost in 1..=4 {
            let mut pair = new();
            let mut count = 0;
            // The first three are the ClientHello.
            run_within_the_limit(&mut pair, 1500, |from_client, _| {
                count += usize::from(from_client);
                !from_client || count <= 3 || count > 3 + lost
            });
            assert!(pair.client.confirmed && pair.server().confirmed, "{shape}, {lost} lost");
        }
    }
}

#[test]
fn a_retry_is_smaller_than_what_it_answers_and_proves_the_address() {
    let mut pair = Pair::new();
    let odcid = opening(&pair.client).original_dcid;
    let flight = pair.flush_client();
    let initials: Vec<_> =
        flight.iter().map(|d| Initial::open(&odcid, Side::Client, d).unwrap()).collect();
    // The quota of this prefix is used up by others.
    let hello = gather(&initials);
    let mut answer = None;
    for n in 0..200u16 {
        let address = core::net::SocketAddr::new(client_address().ip(), 5000 + n);
        for initial in spread(&initials, &hello) {
            let mut bytes = initial.seal(&odcid, Side::Client);
            let mut reply = vec![0; 1500];
            let meta = super::pair::from(address);
            let _ = pair.server_endpoint.handle(pair.now, &meta, &mut bytes, &mut reply);
        }
    }
    for datagram in &flight {
        if let Some(retry) = pair.at_server(client_address(), datagram) {
            assert!(retry.len() < 200);
            answer = Some(retry);
        }
    }
    assert!(pair.server.is_none(), "nothing is kept");
    pair.at_client(&answer.expect("a Retry"));
    assert!(opening(&pair.client).retry_scid.is_some());
    run_within_the_limit(&mut pair, 40, |_, _| true);
    assert!(pair.client.confirmed && pair.server().confirmed);
}

#[test]
fn a_refusal_and_a_farewell_stay_within_the_limit() {
    let mut pair = Pair::with_handshake(|client, _| {
        client.alpn = AlpnList::new(vec![b"other".to_vec()]).unwrap();
    });
    run_within_the_limit(&mut pair, 200, |_, _| true);
    assert!(pair.refused.is_some());
    assert!(pair.answered < 1200, "{}", pair.answered);

    let mut pair = Pair::new();
    run_within_the_limit(&mut pair, 4, |from_client, _| from_client);
    let now = pair.now;
    pair.server().close(now, crate::error::AppCode(1), &[b'x'; 1024]);
    run_within_the_limit(&mut pair, 2200, |from_client, _| from_client);
}
