//! Sections 5 to 8: who comes in, from outside and from inside.

use super::*;

/// Whether a peer that was spoken to, another port of it and another address may send.
fn let_in(filtering: Dependence) -> [bool; 3] {
    let mut nat = nat(NatConfig { filtering, ..NatConfig::default() });
    let outer = out(&mut nat, START, HOST, PEER).unwrap();
    [PEER, SAME_ADDRESS, ELSEWHERE].map(|from| match come(&mut nat, START, from, outer) {
        Ok(inner) => inner == endpoint(HOST),
        Err(why) => {
            assert_eq!(why, Dropped::Filtered);
            false
        }
    })
}

/// REQ-8: "If application transparency is most important, it is RECOMMENDED that a NAT have
/// "Endpoint-Independent Filtering" behavior."
#[test]
fn an_endpoint_independent_filter_lets_everybody_in() {
    assert_eq!(let_in(Dependence::EndpointIndependent), [true, true, true]);
}

/// REQ-8: "If a more stringent filtering behavior is most important, it is RECOMMENDED that a NAT have
/// "Address-Dependent Filtering" behavior."
#[test]
fn an_address_dependent_filter_lets_in_the_addresses_that_were_spoken_to() {
    assert_eq!(let_in(Dependence::AddressDependent), [true, true, false]);
}

/// Section 5: with "Address and Port-Dependent Filtering", the inner endpoint has to speak first to the
/// very endpoint that is to send.
#[test]
fn an_address_and_port_dependent_filter_lets_in_the_endpoints_that_were_spoken_to() {
    assert_eq!(let_in(Dependence::AddressAndPortDependent), [true, false, false]);
}

/// Section 5: filters belong to an endpoint, not to a host.
#[test]
fn who_was_spoken_to_from_one_port_may_not_send_to_another() {
    let mut nat = nat(NatConfig::default());
    out(&mut nat, START, "10.0.0.2:4000", PEER).unwrap();
    let other = out(&mut nat, START, "10.0.0.2:4002", ELSEWHERE).unwrap();
    assert_eq!(come(&mut nat, START, PEER, other), Err(Dropped::Filtered));
}

/// Section 5: what nobody inside asked for has nowhere to go.
#[test]
fn a_datagram_to_an_outer_endpoint_without_a_mapping_is_dropped() {
    let mut nat = nat(NatConfig::new(NatKind::FullCone));
    let outer = out(&mut nat, START, HOST, PEER).unwrap();
    let beside = SocketAddr::new(outer.ip(), outer.port() + 1);
    assert_eq!(come(&mut nat, START, PEER, beside), Err(Dropped::NoMapping));
}

const OTHER_HOST: &str = "10.0.0.3:5000";

/// REQ-9: "A NAT MUST support "Hairpinning"."
/// REQ-9a: "A NAT Hairpinning behavior MUST be "External source IP address and port"."
#[test]
fn hosts_behind_one_translator_reach_each_other_by_their_outer_endpoints() {
    let mut nat = nat(NatConfig::new(NatKind::FullCone));
    let to = out(&mut nat, START, OTHER_HOST, PEER).unwrap();
    let (from, inner) = turn(&mut nat, START, HOST, to).unwrap();
    assert_eq!((from, inner), (endpoint("203.0.113.1:4000"), endpoint(OTHER_HOST)));
    // The answer goes back the same way.
    assert_eq!(turn(&mut nat, START, OTHER_HOST, from), Ok((to, endpoint(HOST))));
}

/// REQ-9 with REQ-8: what is turned round is filtered by the outer endpoint that it shows.
#[test]
fn what_is_turned_round_passes_the_filter_of_whom_it_reaches() {
    let mut nat = nat(NatConfig::new(NatKind::PortRestrictedCone));
    let [here, there] = [HOST, OTHER_HOST].map(|host| out(&mut nat, START, host, PEER).unwrap());
    assert_eq!(turn(&mut nat, START, HOST, there), Err(Dropped::Filtered));
    assert_eq!(turn(&mut nat, START, OTHER_HOST, here), Ok((there, endpoint(HOST))));
    assert_eq!(turn(&mut nat, START, HOST, there), Ok((here, endpoint(OTHER_HOST))));
}

/// Section 6: some translators show the "Internal source IP address and port".
#[test]
fn what_is_turned_round_may_show_its_inner_source() {
    let hairpin = Hairpin::Internal;
    let mut nat = nat(NatConfig { hairpin, ..NatConfig::new(NatKind::FullCone) });
    let to = out(&mut nat, START, OTHER_HOST, PEER).unwrap();
    assert_eq!(turn(&mut nat, START, HOST, to), Ok((endpoint(HOST), endpoint(OTHER_HOST))));
}

/// Section 6: many translators do not turn anything round.
#[test]
fn a_translator_without_hairpinning_turns_nothing_round_and_remembers_nothing() {
    let hairpin = Hairpin::Off;
    let mut nat = nat(NatConfig { hairpin, ..NatConfig::new(NatKind::FullCone) });
    let to = out(&mut nat, START, OTHER_HOST, PEER).unwrap();
    assert_eq!(turn(&mut nat, START, HOST, to), Err(Dropped::NoHairpin));
    assert_eq!(nat.mappings().count(), 1);
}

/// REQ-10: "NAT ALGs for UDP-based protocols SHOULD be turned off."
#[test]
fn addresses_in_a_payload_stay_as_they_are() {
    let mut nat = nat(NatConfig::default());
    let (from, to) = (endpoint(HOST), endpoint(PEER));
    let payload = format!("PORT {from} {}", nat.config().addresses[0]).into_bytes();
    let mut datagram = Datagram { from, to, ecn: Ecn::Ect0, payload: payload.clone() };
    assert_eq!(nat.outbound(START, &mut datagram), Verdict::Forward);
    assert_ne!(datagram.from, from);
    assert_eq!(datagram.payload, payload);
}

/// REQ-11: "A NAT MUST have deterministic behavior, i.e., it MUST NOT change the NAT translation
/// (Section 4) or the Filtering (Section 5) Behavior at any point in time, or under any particular
/// conditions."
#[test]
fn a_conflict_of_ports_changes_no_behaviour() {
    // Section 8: there are translators that fall back to symmetric ones for the second host.
    let mut nat = nat(NatConfig::new(NatKind::RestrictedCone));
    for host in 2..60 {
        let from = format!("10.0.0.{host}:4000");
        let outer =
            [PEER, SAME_ADDRESS, ELSEWHERE].map(|to| out(&mut nat, START, &from, to).unwrap());
        assert!(outer[0] == outer[1] && outer[0] == outer[2]);
        assert_eq!(come(&mut nat, START, SAME_ADDRESS, outer[0]), Ok(endpoint(&from)));
        assert_eq!(come(&mut nat, START, "192.0.2.1:1", outer[0]), Err(Dropped::Filtered));
    }
}
