//! Sections 4.1, 4.2 and 4.4: which outer endpoint an inner one has.

use super::*;

/// The outer endpoints of one inner one towards a peer, another port and another address.
fn mapped(mapping: Dependence) -> [SocketAddr; 3] {
    let mut nat = nat(NatConfig { mapping, ..NatConfig::default() });
    let outer = [PEER, SAME_ADDRESS, ELSEWHERE].map(|to| out(&mut nat, START, HOST, to).unwrap());
    let again = [PEER, SAME_ADDRESS, ELSEWHERE].map(|to| out(&mut nat, START, HOST, to).unwrap());
    assert_eq!(outer, again, "a mapping is used again");
    outer
}

/// REQ-1: "A NAT MUST have an "Endpoint-Independent Mapping" behavior."
#[test]
fn an_inner_endpoint_has_one_outer_endpoint_towards_everybody() {
    let [peer, same_address, elsewhere] = mapped(Dependence::EndpointIndependent);
    assert_eq!(peer, endpoint("203.0.113.1:4000"));
    assert!(peer == same_address && peer == elsewhere);
}

/// Section 4.1: "Address-Dependent Mapping: The NAT reuses the port mapping for subsequent packets
/// sent from the same internal IP address and port (X:x) to the same external IP address, regardless
/// of the external port."
#[test]
fn an_address_dependent_mapping_is_one_for_each_remote_address() {
    let [peer, same_address, elsewhere] = mapped(Dependence::AddressDependent);
    assert!(peer == same_address && peer != elsewhere);
}

/// Section 4.1: "Address and Port-Dependent Mapping: The NAT reuses the port mapping for subsequent
/// packets sent from the same internal IP address and port (X:x) to the same external IP address and
/// port while the mapping is still active."
#[test]
fn an_address_and_port_dependent_mapping_is_one_for_each_remote_endpoint() {
    let [peer, same_address, elsewhere] = mapped(Dependence::AddressAndPortDependent);
    assert!(peer != same_address && same_address != elsewhere && peer != elsewhere);
}

/// How many outer addresses each of eight hosts has for forty ports, and all of them together.
fn addresses_used(pooling: Pooling) -> (Vec<usize>, usize) {
    let config = NatConfig { pooling, ..NatConfig::default() }.at(pool(4));
    let mut nat = Nat::new(config, &Seed::from_u64(1)).unwrap();
    let mut all = std::collections::BTreeSet::new();
    let each = (1..=8).map(|host| {
        let used: std::collections::BTreeSet<_> = (5000..5040)
            .map(|port| out(&mut nat, START, &format!("10.0.0.{host}:{port}"), PEER).unwrap().ip())
            .collect();
        all.extend(used.iter().copied());
        used.len()
    });
    (each.collect(), all.len())
}

/// REQ-2: "It is RECOMMENDED that a NAT have an "IP address pooling" behavior of "Paired"."
#[test]
fn a_host_keeps_to_one_address_of_a_paired_pool() {
    let (each, all) = addresses_used(Pooling::Paired);
    assert_eq!(each, [1; 8]);
    assert!(all > 1, "different hosts have different addresses");
}

/// Section 4.1: with an "IP address pooling" behavior of "Arbitrary", a host's mappings may be at
/// several addresses.
#[test]
fn a_host_gets_any_address_of_an_arbitrary_pool() {
    let (each, _) = addresses_used(Pooling::Arbitrary);
    assert_eq!(each, [4; 8]);
}

/// Section 4.1: what finds no port at one address of an arbitrary pool gets one at another; a paired
/// host does not.
#[test]
fn an_arbitrary_pool_is_used_to_its_last_port() {
    let mapped = |pooling| {
        let ports = PortRange::new(5000, 5009).unwrap();
        let config =
            NatConfig { pooling, ports, parity: false, ..NatConfig::default() }.at(pool(4));
        let mut nat = Nat::new(config, &Seed::from_u64(1)).unwrap();
        let ports = 4000..4060;
        ports.filter(|port| out(&mut nat, START, &format!("10.0.0.2:{port}"), PEER).is_ok()).count()
    };
    assert_eq!((mapped(Pooling::Arbitrary), mapped(Pooling::Paired)), (40, 10));
}

/// REQ-3: "A NAT MUST NOT have a "Port assignment" behavior of "Port overloading"."
#[test]
fn two_hosts_with_the_same_port_get_different_ones() {
    for assignment in [PortAssignment::Preserve, PortAssignment::Random, PortAssignment::Sequential]
    {
        let mut nat = nat(NatConfig { assignment, ..NatConfig::default() });
        let first = out(&mut nat, START, "10.0.0.2:4000", PEER).unwrap();
        let second = out(&mut nat, START, "10.0.0.3:4000", PEER).unwrap();
        assert_ne!(first, second);
        assert_eq!(come(&mut nat, START, PEER, first), Ok(endpoint("10.0.0.2:4000")));
        assert_eq!(come(&mut nat, START, PEER, second), Ok(endpoint("10.0.0.3:4000")));
    }
}

/// REQ-3: without overloading, a datagram for which there is no port left cannot leave.
#[test]
fn a_translator_without_a_free_port_drops_until_one_is_free() {
    let ports = PortRange::new(5000, 5001).unwrap();
    let mut nat = nat(NatConfig { ports, parity: false, ..NatConfig::default() });
    let mut send = |now, host| out(&mut nat, now, &format!("10.0.0.{host}:4000"), PEER);
    assert!(send(START, 1).is_ok() && send(START + secs(1), 2).is_ok());
    assert_eq!(send(START + secs(2), 3), Err(Dropped::Exhausted));
    assert!(send(START + secs(300), 3).is_ok(), "the first has timed out");
    assert_eq!(send(START + secs(300), 1), Err(Dropped::Exhausted));
}

/// REQ-3a: "If the host's source port was in the range 0-1023, it is RECOMMENDED the NAT's source port
/// be in the same range. If the host's source port was in the range 1024-65535, it is RECOMMENDED that
/// the NAT's source port be in that range."
#[test]
fn a_port_stays_on_its_side_of_1024() {
    for assignment in [PortAssignment::Preserve, PortAssignment::Random, PortAssignment::Sequential]
    {
        let mut nat = nat(NatConfig { assignment, ..NatConfig::default() });
        for host in 1..=100 {
            for port in [1023, 1024] {
                let outer = out(&mut nat, START, &format!("10.0.0.{host}:{port}"), PEER).unwrap();
                assert_eq!(outer.port() < 1024, port < 1024, "{assignment:?}");
            }
        }
    }
}

/// Section 4.2.1: "Port preservation" behavior; never at the price of overloading.
#[test]
fn a_port_is_preserved_if_it_is_free() {
    let mut nat = nat(NatConfig::default());
    assert_eq!(out(&mut nat, START, "10.0.0.2:4000", PEER), Ok(endpoint("203.0.113.1:4000")));
    assert_eq!(out(&mut nat, START, "10.0.0.2:4444", PEER), Ok(endpoint("203.0.113.1:4444")));
    assert_eq!(out(&mut nat, START, "10.0.0.3:4000", PEER), Ok(endpoint("203.0.113.1:4002")));
}

/// Section 4.2.1: translators without port preservation.
#[test]
fn ports_are_drawn_at_random_or_counted_up_if_they_are_not_preserved() {
    let outer_ports = |assignment, parity| {
        let ports = PortRange::new(20_000, 29_999).unwrap();
        let mut nat = nat(NatConfig { assignment, parity, ports, ..NatConfig::default() });
        (4000..4010)
            .map(|port| out(&mut nat, START, &format!("10.0.0.2:{port}"), PEER).unwrap().port())
            .collect::<Vec<_>>()
    };
    let counted = outer_ports(PortAssignment::Sequential, false);
    assert_eq!(counted, (20_000..20_010).collect::<Vec<_>>());
    let random = outer_ports(PortAssignment::Random, true);
    assert!(random.iter().all(|port| (20_000..30_000).contains(port)));
    assert!(!random.is_sorted() && random.windows(2).all(|pair| pair[0].abs_diff(pair[1]) > 1));
}

/// Section 4.2.1: counting goes on after ports have become free, and begins again at the end.
#[test]
fn ports_are_counted_up_round_and_round() {
    let (assignment, parity) = (PortAssignment::Sequential, false);
    let ports = PortRange::new(5000, 5003).unwrap();
    let mut nat = nat(NatConfig { assignment, parity, ports, ..NatConfig::default() });
    let outer = (0..6).map(|n| out(&mut nat, START + secs(n * 300), HOST, PEER).unwrap().port());
    assert_eq!(outer.collect::<Vec<_>>(), [5000, 5001, 5002, 5003, 5000, 5001]);
}

/// REQ-4: "It is RECOMMENDED that a NAT have a "Port parity preservation" behavior of "Yes"."
#[test]
fn even_ports_are_mapped_to_even_ones_and_odd_to_odd() {
    for assignment in [PortAssignment::Preserve, PortAssignment::Random, PortAssignment::Sequential]
    {
        let kept = |parity| {
            let mut nat = nat(NatConfig { assignment, parity, ..NatConfig::default() });
            [4000, 4001].into_iter().all(|port| {
                (1..=40).all(|host| {
                    let from = format!("10.0.0.{host}:{port}");
                    out(&mut nat, START, &from, PEER).unwrap().port() % 2 == port % 2
                })
            })
        };
        assert!(kept(true), "{assignment:?}");
        assert!(!kept(false), "{assignment:?}");
    }
}

/// Section 4.2.3: some translators attempt port contiguity, for the pairs of RTP and RTCP.
#[test]
fn neighbouring_ports_are_mapped_to_neighbours_if_that_is_asked_for() {
    let distance = |contiguity, first: &str, second: &str| {
        let assignment = PortAssignment::Random;
        let mut nat = nat(NatConfig { assignment, contiguity, ..NatConfig::default() });
        let mut port = |from: &str| i32::from(out(&mut nat, START, from, PEER).unwrap().port());
        let first = port(first);
        port(second) - first
    };
    let (even, odd) = ("10.0.0.2:4000", "10.0.0.2:4001");
    assert_eq!(distance(true, even, odd), 1);
    assert_eq!(distance(true, odd, even), -1);
    assert_ne!(distance(false, even, odd), 1);
    assert_ne!(distance(true, odd, "10.0.0.2:4002"), 1, "an odd port and the next are no pair");
}

/// REQ-7: "A NAT device [..] MUST either (1) [..] or (2) Be able to translate and forward traffic
/// between all internal nodes and all external nodes whose IP addresses numerically conflict with the
/// internal network."
#[test]
fn an_outer_host_may_have_the_address_of_an_inner_one() {
    let mut nat = nat(NatConfig::default());
    let (host, namesake) = ("10.0.0.2:4000", "10.0.0.2:4000");
    let outer = out(&mut nat, START, host, namesake).unwrap();
    assert_eq!(come(&mut nat, START, namesake, outer), Ok(endpoint(host)));
    out(&mut nat, START, "10.0.0.3:4000", namesake).unwrap();
    assert_eq!(come(&mut nat, START, namesake, outer), Ok(endpoint(host)));
}

#[test]
fn each_address_family_has_its_own_outer_addresses() {
    let outer: IpAddr = "2001:db8::1".parse().unwrap();
    let mut nat = nat(NatConfig::default());
    let (from, to) = ("[fd00::2]:4000", "[2001:db8:7::7]:443");
    assert_eq!(out(&mut nat, START, from, to), Err(Dropped::NoRoute));
    let config = NatConfig::default().at([pool(1)[0], outer]);
    let mut nat = Nat::new(config, &Seed::from_u64(1)).unwrap();
    assert_eq!(out(&mut nat, START, from, to), Ok(SocketAddr::new(outer, 4000)));
    assert_eq!(out(&mut nat, START, HOST, PEER), Ok(endpoint("203.0.113.1:4000")));
    assert!(nat.answers_for(outer) && !nat.answers_for("10.0.0.2".parse().unwrap()));
}
