//! Threats: spoofed first packets, half hellos. What strangers can make an endpoint keep is bounded,
//! and no patient client is refused for its neighbours' sake.

use super::fixture::{Led, START, address, answer, client, give, server};
use crate::endpoint::Endpoint;
use crate::time::{Duration, Time};
use core::net::SocketAddr;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// A client that does what clients do until its ClientHello is whole; at most one Retry.
fn is_admitted(endpoint: &mut Endpoint, now: Time, remote: SocketAddr, seed: u64) -> bool {
    let (mut patient, mut flight) = client(seed);
    for _ in 0..2 {
        let mut retry = None;
        for datagram in &flight {
            match give(endpoint, now, remote, datagram) {
                Led::Incoming(_) => return true,
                Led::Reply(reply) => retry = Some(reply),
                Led::Nowhere | Led::Connection => {}
            }
        }
        match retry {
            Some(retry) => flight = answer(&mut patient, now, &retry),
            None => return false,
        }
    }
    false
}

#[test]
fn a_spoofed_first_packet_leaves_nothing_behind() {
    let mut endpoint = server();
    let (_, flight) = client(7);
    let mut replies = 0;
    for n in 0..30_000 {
        let now = START + Duration::from_micros(10) * n;
        match give(&mut endpoint, now, address(n), &flight[n as usize % 2]) {
            Led::Reply(reply) => {
                replies += 1;
                assert!(reply.len() < 200);
            }
            Led::Nowhere => {}
            other => panic!("{other:?}"),
        }
        assert!(endpoint.partial_hellos() <= 1024);
    }
    assert!(replies > 10_000, "beyond the caps there are Retries: {replies}");
    assert_eq!(endpoint.connections(), 0);
    let later = START + Duration::from_millis(1300);
    endpoint.handle_timeout(later);
    assert_eq!((endpoint.partial_hellos(), endpoint.next_timeout()), (0, None));
}

#[test]
fn a_packet_that_does_not_open_leaves_nothing_at_all() {
    let mut endpoint = server();
    let (_, flight) = client(7);
    for n in 0..2000usize {
        let mut forged = flight[0].clone();
        let at = 30 + n % 1000;
        forged[at] ^= 1 << (n % 8);
        assert!(matches!(give(&mut endpoint, START, address(n as u32), &forged), Led::Nowhere));
        let short = &flight[0][..1199 - n % 1000];
        assert!(matches!(give(&mut endpoint, START, address(n as u32), short), Led::Nowhere));
    }
    assert_eq!((endpoint.partial_hellos(), endpoint.next_timeout()), (0, None));
}

#[test]
fn half_hellos_come_in_any_order_and_twice_and_slowly_and_lead_to_one_connection() {
    let orders: [&[usize]; 7] = [
        &[0, 1, 2],
        &[2, 1, 0],
        &[1, 2, 0],
        &[0, 0, 0, 1, 1, 2],
        &[0, 2, 0, 2, 1],
        &[2, 2, 1, 1, 0],
        &[1, 0, 2],
    ];
    for (n, order) in orders.into_iter().enumerate() {
        let mut endpoint = server();
        let (_, flight) = client(n as u64 + 3);
        let (last, before) = order.split_last().unwrap();
        let mut now = START;
        for &i in before {
            assert!(matches!(give(&mut endpoint, now, address(1), &flight[i]), Led::Nowhere));
            assert_eq!(endpoint.partial_hellos(), 1);
            now += MS(100);
        }
        let led = give(&mut endpoint, now, address(1), &flight[*last]);
        let Led::Incoming(incoming) = led else { panic!("{order:?}: {led:?}") };
        assert_eq!(endpoint.partial_hellos(), 0);
        // Copies that come before the application decides, and after it.
        assert!(matches!(give(&mut endpoint, now, address(1), &flight[0]), Led::Nowhere));
        let mut reply = [0; 1500];
        let connection = endpoint.accept(now, &incoming, None, &mut reply).unwrap();
        for datagram in &flight {
            assert!(matches!(give(&mut endpoint, now, address(1), datagram), Led::Connection));
        }
        // The same packets from elsewhere are somebody else's.
        assert!(matches!(give(&mut endpoint, now, address(2), &flight[0]), Led::Nowhere));
        endpoint.release(connection.handle());
        assert_eq!(endpoint.connections(), 0);
    }
}

#[test]
fn a_half_hello_is_forgotten_after_its_time_and_the_client_may_begin_again() {
    let mut endpoint = server();
    let (mut slow, flight) = client(3);
    give(&mut endpoint, START, address(1), &flight[0]);
    give(&mut endpoint, START + MS(500), address(1), &flight[1]);
    assert_eq!(endpoint.next_timeout(), Some(START + MS(1000)));
    endpoint.handle_timeout(START + MS(999));
    assert_eq!(endpoint.partial_hellos(), 1);
    // The rest comes too late, and is a beginning; a probe timeout brings all of it.
    let late = START + MS(1001);
    assert!(matches!(give(&mut endpoint, late, address(1), &flight[2]), Led::Nowhere));
    assert_eq!(endpoint.partial_hellos(), 1);
    slow.handle_timeout(late);
    let again = super::fixture::flush(&mut slow, late);
    assert!(!again.is_empty());
    let incoming = again
        .iter()
        .filter(|datagram| {
            matches!(give(&mut endpoint, late, address(1), datagram), Led::Incoming(_))
        })
        .count();
    assert_eq!(incoming, 1);
}

#[test]
fn a_lost_fragment_is_made_up_for_by_the_probe_timeout() {
    for lost in 0..3 {
        let mut endpoint = server();
        let (mut unlucky, flight) = client(3);
        for (i, datagram) in flight.iter().enumerate() {
            if i != lost {
                let led = give(&mut endpoint, START, address(1), datagram);
                assert!(matches!(led, Led::Nowhere), "a part is never answered");
            }
        }
        let due = unlucky.next_timeout().unwrap();
        unlucky.handle_timeout(due);
        let again = super::fixture::flush(&mut unlucky, due);
        let led = again.iter().any(|datagram| {
            matches!(give(&mut endpoint, due, address(1), datagram), Led::Incoming(_))
        });
        assert!(led, "fragment {lost}");
    }
}

#[test]
fn a_retry_between_two_fragments_leads_to_a_validated_connection() {
    let mut endpoint = server();
    // Strangers of other prefixes fill the table between the client's fragments.
    let (_, stranger) = client(9);
    let (mut patient, flight) = client(3);
    for n in 0..1024 {
        give(&mut endpoint, START, address(n * 200), &stranger[0]);
    }
    assert_eq!(endpoint.partial_hellos(), 1024);
    let mut retries = flight.iter().filter_map(|datagram| {
        match give(&mut endpoint, START, address(1 << 20), datagram) {
            Led::Reply(reply) => Some(reply),
            _ => None,
        }
    });
    let retry = retries.next().expect("any fragment can be answered");
    drop(retries);
    let again = answer(&mut patient, START + MS(20), &retry);
    let (first, rest) = again.split_first().unwrap();
    let now = START + MS(40);
    // A fragment with the token displaces the oldest stranger.
    assert!(matches!(give(&mut endpoint, now, address(1 << 20), first), Led::Nowhere));
    assert_eq!(endpoint.partial_hellos(), 1024);
    // More strangers, more Retries: they cannot displace it in turn.
    for n in 0..2000 {
        give(&mut endpoint, now, address((5000 + n) * 200), &stranger[0]);
    }
    let led = rest.iter().find_map(|datagram| {
        match give(&mut endpoint, now, address(1 << 20), datagram) {
            Led::Incoming(incoming) => Some(incoming),
            _ => None,
        }
    });
    assert!(led.expect("the rest completes it").is_validated());
}

#[test]
fn a_token_of_another_address_or_of_long_ago_is_as_good_as_none() {
    let mut endpoint = server();
    let (_, stranger) = client(9);
    let (mut thief, flight) = client(3);
    for n in 0..1024 {
        give(&mut endpoint, START, address(n * 200), &stranger[0]);
    }
    let Led::Reply(retry) = give(&mut endpoint, START, address(1 << 20), &flight[0]) else {
        panic!("no Retry");
    };
    let again = answer(&mut thief, START, &retry);
    let led = give(&mut endpoint, START, address(1 << 21), &again[0]);
    assert!(matches!(led, Led::Reply(_)), "another address: {led:?}");
    let old = START + Duration::from_secs(11);
    for datagram in &again {
        if let Led::Incoming(incoming) = give(&mut endpoint, old, address(1 << 20), datagram) {
            assert!(!incoming.is_validated(), "expired");
        }
    }
}

#[test]
fn neighbours_who_fill_a_prefix_with_half_hellos_never_refuse_a_patient_client() {
    let mut endpoint = server();
    let (_, stranger) = client(9);
    for n in 0..150 {
        give(&mut endpoint, START, address(n), &stranger[0]);
    }
    assert_eq!(endpoint.partial_hellos(), 64, "the cap of a prefix");
    for n in 150..160 {
        assert!(is_admitted(&mut endpoint, START, address(n), u64::from(n)), "neighbour {n}");
    }
    assert!(is_admitted(&mut endpoint, START, address(500), 500), "and another prefix");
}

#[test]
fn neighbours_who_use_up_the_handshakes_of_a_second_never_refuse_a_patient_client() {
    let mut endpoint = server();
    let (_, stranger) = client(9);
    let mut begun = 0;
    for n in 0..600u16 {
        // One host behind a NAT, many ports.
        let remote = SocketAddr::new(address(1).ip(), 10_000 + n);
        for datagram in &stranger {
            begun += usize::from(matches!(
                give(&mut endpoint, START, remote, datagram),
                Led::Incoming(_)
            ));
        }
    }
    assert_eq!(begun, 128, "a second's worth for one prefix");
    for n in 2..12 {
        assert!(is_admitted(&mut endpoint, START, address(n), u64::from(n)), "neighbour {n}");
    }
    assert!(is_admitted(&mut endpoint, START, address(500), 500), "and another prefix");
}

#[test]
fn a_client_whose_fragments_conflict_or_never_fit_gets_nothing_and_costs_little() {
    let mut endpoint = server();
    let (_, one) = client(3);
    // Half of a ClientHello again and again, in packets that are all the same: nothing grows.
    for _ in 0..1000 {
        assert!(matches!(give(&mut endpoint, START, address(1), &one[0]), Led::Nowhere));
    }
    assert_eq!(endpoint.partial_hellos(), 1);
}
