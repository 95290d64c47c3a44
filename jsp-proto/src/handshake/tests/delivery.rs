//! Handshake bytes in whatever pieces and order the network likes.

use super::pair::{CLIENT, End, Pair, client, server};
use crate::error::Code;
use crate::handshake::{AcceptAny, Assembler, ClientAuth, ClientConfig, ServerConfig};
use crate::ids::{Side, Space};
use crate::rng::{Rng, Seed};
use quickcheck::{QuickCheck, TestResult};
use std::sync::Arc;
use std::vec::Vec;

/// A piece on its way.
struct Piece {
    to: Side,
    space: Space,
    offset: u64,
    data: Vec<u8>,
}

fn mutual() -> Pair {
    let config = ClientConfig { identity: Some(CLIENT.identity.clone()), ..client() };
    let auth = ClientAuth::Required(Arc::new(AcceptAny));
    Pair::new(config, ServerConfig { client_auth: auth, ..server() })
}

/// Cuts what there is into pieces of at most `limit` bytes, each on its way once or twice.
fn collect(pair: &mut Pair, limit: usize, rng: &mut Rng, network: &mut Vec<Piece>) {
    for (side, end) in [(Side::Client, &mut pair.client), (Side::Server, &mut pair.server)] {
        for space in [Space::Initial, Space::Handshake] {
            for (offset, data) in end.pieces(space, limit) {
                for _ in 0..=rng.below(2) {
                    network.push(Piece { to: side.peer(), space, offset, data: data.clone() });
                }
            }
        }
    }
}

#[test]
fn pieces_of_any_size_in_any_order_and_twice_complete_the_handshake() {
    fn property(seed: u64, limit: u16) -> TestResult {
        // Smaller pieces, shuffled, would leave more gaps than are legal.
        let limit = 300 + usize::from(limit % 1200);
        let mut rng = Rng::new(&Seed::from_u64(seed), "network");
        let (mut pair, mut network) = (mutual(), Vec::new());
        loop {
            collect(&mut pair, limit, &mut rng, &mut network);
            if network.is_empty() {
                break;
            }
            let Piece { to, space, offset, data } =
                network.swap_remove(rng.below(network.len() as u64) as usize);
            match to {
                Side::Client => pair.client.receive(space, offset, &data),
                Side::Server => pair.server.receive(space, offset, &data),
            }
        }
        pair.assert_agreed();
        TestResult::passed()
    }
    QuickCheck::new().tests(50).quickcheck(property as fn(u64, u16) -> TestResult);
}

#[test]
fn one_byte_at_a_time_completes_the_handshake() {
    let (mut pair, mut network) = (mutual(), Vec::new());
    let mut rng = Rng::new(&Seed::from_u64(1), "network");
    loop {
        collect(&mut pair, 1, &mut rng, &mut network);
        if network.is_empty() {
            break;
        }
        for Piece { to, space, offset, data } in network.drain(..) {
            match to {
                Side::Client => pair.client.receive(space, offset, &data),
                Side::Server => pair.server.receive(space, offset, &data),
            }
        }
    }
    pair.assert_agreed();
}

fn fails(end: &mut End, space: Space, offset: u64, data: &[u8]) -> Code {
    let error = end.handshake.receive(space, offset, data).unwrap_err();
    let again = end.handshake.receive(Space::Initial, 0, &[]).unwrap_err();
    assert_eq!(error, again, "an error stays");
    error.code
}

fn listening() -> End {
    End::server(server(), 1, false)
}

#[test]
fn sparse_handshake_data_is_refused_at_a_bounded_cost() {
    let code = fails(&mut listening(), Space::Initial, u64::from(Assembler::MAX_LEN), &[1]);
    assert_eq!(code, Code::CRYPTO_BUFFER);
    let mut end = listening();
    for i in 1..=32 {
        end.handshake.receive(Space::Handshake, i * 400, &[1]).unwrap();
    }
    assert_eq!(fails(&mut end, Space::Handshake, 33 * 400, &[1]), Code::CRYPTO_BUFFER);
}

#[test]
fn data_after_the_last_message_of_a_space_is_refused() {
    let hello = End::client(client(), 1).pieces(Space::Initial, 4096).remove(0).1;
    let mut longer = hello.clone();
    longer.push(0);
    let code = fails(&mut listening(), Space::Initial, 0, &longer);
    assert_eq!(code, Code::PROTOCOL_VIOLATION);

    let mut pair = Pair::run(client(), server());
    pair.server.receive(Space::Initial, 0, &hello);
    pair.assert_agreed();
    let end = hello.len() as u64;
    assert_eq!(fails(&mut pair.server, Space::Initial, end, &[1]), Code::PROTOCOL_VIOLATION);
    let end = u64::from(pair.client.handshake.bytes_received());
    assert_eq!(fails(&mut pair.client, Space::Handshake, end, &[1]), Code::PROTOCOL_VIOLATION);
}

#[test]
fn handshake_data_among_application_data_is_refused() {
    assert_eq!(fails(&mut listening(), Space::Data, 0, &[1]), Code::PROTOCOL_VIOLATION);
}

#[test]
fn a_message_out_of_turn_or_too_long_is_refused_at_its_header() {
    let mut client = End::client(client(), 1);
    assert_eq!(fails(&mut client, Space::Initial, 0, &[1]), Code::HANDSHAKE_MESSAGE);
    for kind in [0, 2, 6, 7, 255] {
        assert_eq!(fails(&mut listening(), Space::Initial, 0, &[kind]), Code::HANDSHAKE_MESSAGE);
    }
    let code = fails(&mut listening(), Space::Initial, 0, &[1, 0, 0x0c, 0]);
    assert_eq!(code, Code::HANDSHAKE_MESSAGE);
    assert!(listening().handshake.receive(Space::Initial, 0, &[1, 0, 0x0b, 0xfc]).is_ok());
}
