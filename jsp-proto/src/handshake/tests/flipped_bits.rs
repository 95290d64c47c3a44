//! Each bit of each message flipped in turn, at an end that is fed a recording of the other.
//!
//! Ends repeat themselves from their seeds, so an end that receives a flipped message behaves as it
//! would have against the live peer, whose own view is that of the recording.

use super::pair::{CLIENT, End, Pair, SMALL, client, server};
use crate::handshake::{AcceptAny, ClientAuth, ClientConfig, IdentitySet, ServerConfig};
use crate::ids::{Side, Space};
use std::sync::Arc;
use std::vec::Vec;

fn configs(small: bool) -> (ClientConfig, ServerConfig) {
    let auth = ClientAuth::Required(Arc::new(AcceptAny));
    if small {
        let set = IdentitySet::single(SMALL.identity.clone());
        let client = ClientConfig {
            identity: Some(SMALL.identity.clone()),
            verifier: Arc::new(AcceptAny),
            ..client()
        };
        (client, ServerConfig { identities: set, client_auth: auth, ..server() })
    } else {
        let client = ClientConfig { identity: Some(CLIENT.identity.clone()), ..client() };
        (client, ServerConfig { client_auth: auth, ..server() })
    }
}

type Flight = (Side, Space, Vec<u8>);

fn record(small: bool) -> Vec<Flight> {
    let (client, server) = configs(small);
    let mut pair = Pair::new(client, server);
    let mut flights = Vec::new();
    pair.talk_through(&mut |side, space, flight| flights.push((side, space, flight.clone())));
    pair.assert_agreed();
    flights
}

/// Feeds an end of `side` what the other sent in the recording, `at` flipped in flight `n`.
fn replay(small: bool, side: Side, flights: &[Flight], n: usize, at: usize, bit: u8) -> End {
    let (client, server) = configs(small);
    let mut end = match side {
        Side::Client => End::client(client, 1),
        Side::Server => End::server(server, 2, false),
    };
    for (i, (_, space, flight)) in flights.iter().enumerate().filter(|(_, f)| f.0 != side) {
        let mut flight = flight.clone();
        if i == n {
            flight[at] ^= 1 << bit;
        }
        end.receive(*space, 0, &flight);
    }
    end
}

/// A flip in what the client gets must keep it from completing; one in what the server gets must
/// keep the server from completing, or change what it says so that the client does not.
fn assert_noticed(small: bool, flights: &[Flight], n: usize, at: usize, bit: u8) {
    let receiver = replay(small, flights[n].0.peer(), flights, n, at, bit);
    assert!(
        receiver.completed.is_none(),
        "flight {n}, byte {at}, bit {bit}: completed with another view"
    );
}

#[test]
fn without_a_flip_the_recording_completes() {
    for small in [false, true] {
        let flights = record(small);
        for side in [Side::Client, Side::Server] {
            assert!(replay(small, side, &flights, usize::MAX, 0, 0).completed.is_some());
        }
    }
}

#[test]
fn every_flipped_bit_of_the_small_messages_is_noticed() {
    let flights = record(true);
    for (n, (_, space, flight)) in flights.iter().enumerate() {
        // The key exchange makes up the Initial flights: there, one bit of each byte.
        for at in 0..flight.len() {
            for bit in 0..8u8 {
                if *space == Space::Handshake || usize::from(bit) == at % 8 {
                    assert_noticed(true, &flights, n, at, bit);
                }
            }
        }
    }
}

#[test]
fn a_flipped_bit_in_any_byte_of_a_hybrid_identity_or_proof_is_noticed() {
    let flights = record(false);
    for (n, (_, space, flight)) in flights.iter().enumerate() {
        if *space == Space::Handshake {
            for at in (0..flight.len()).step_by(3) {
                assert_noticed(false, &flights, n, at, (at % 8) as u8);
            }
        }
    }
}
