//! Threats: stateless resets as an oracle, or in a loop; floods of tiny datagrams.

use super::fixture::{Led, START, address, endpoint, give, server};
use crate::time::Duration;
use alloc::vec;
use alloc::vec::Vec;

#[test]
fn two_endpoints_that_lost_their_state_fall_silent() {
    for len in (1..60).chain([100, 1200, 1500]) {
        let (mut one, mut other) = (endpoint(1), endpoint(2));
        let mut datagram = vec![0x47; len];
        let mut sizes = vec![len];
        while let Led::Reply(reply) = give(&mut one, START, address(1), &datagram) {
            assert!(reply.len() < datagram.len(), "{sizes:?} then {}", reply.len());
            assert!(reply.len() >= 21 && reply[0] & 0xc0 == 0x40);
            sizes.push(reply.len());
            datagram = reply;
            core::mem::swap(&mut one, &mut other);
        }
        assert!(sizes.len() <= 24, "{sizes:?}");
    }
}

#[test]
fn a_reset_is_the_same_for_the_same_id_and_says_nothing_about_another() {
    let mut endpoint = endpoint(1);
    let mut token = |id: u8| {
        let mut datagram = vec![id; 60];
        datagram[0] = 0x40;
        let Led::Reply(reply) = give(&mut endpoint, START, address(1), &datagram) else {
            panic!("no reset");
        };
        reply[reply.len() - 16..].to_vec()
    };
    assert_eq!(token(7), token(7));
    assert_ne!(token(7), token(8));
}

#[test]
fn a_flood_is_answered_no_more_often_than_the_limit_allows() {
    let mut endpoint = server();
    let mut answers = 0;
    for n in 0..30_000u32 {
        // Within one second; every third is too short to be answered.
        let now = START + Duration::from_micros(30) * n;
        let len = [0, 12, 40, 60, 1200][n as usize % 5];
        let datagram = vec![0x41; len];
        answers +=
            usize::from(matches!(give(&mut endpoint, now, address(n), &datagram), Led::Reply(_)));
    }
    assert!((10_000..=20_000).contains(&answers), "{answers}");
    assert_eq!((endpoint.partial_hellos(), endpoint.connections()), (0, 0));
}

#[test]
fn long_headers_of_no_connection_are_never_answered_by_a_reset() {
    let mut endpoint = server();
    for first in 0x80..=0xff_u8 {
        let datagram: Vec<u8> = core::iter::once(first).chain(vec![0x4a; 1300]).collect();
        if let Led::Reply(reply) = give(&mut endpoint, START, address(1), &datagram) {
            assert_eq!(reply[1..5], [0; 4], "only Version Negotiation");
            assert!(reply.len() < 100);
        }
    }
}
