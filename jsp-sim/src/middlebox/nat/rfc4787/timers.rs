//! Section 4.3: how long a mapping lives, and a permission.

use super::*;

/// Whether a mapping is alive after a silence.
fn alive_after(config: NatConfig, peer: &str, silence: Span) -> bool {
    let mut nat = nat(config);
    let outer = out(&mut nat, START, HOST, peer).unwrap();
    match come(&mut nat, START + silence.duration(), peer, outer) {
        Ok(inner) => inner == endpoint(HOST),
        Err(why) => {
            assert_eq!((why, nat.mappings().count()), (Dropped::NoMapping, 0));
            false
        }
    }
}

/// REQ-5: "A NAT UDP mapping timer MUST NOT expire in less than two minutes, unless REQ-5a applies."
/// REQ-5c: "A default value of five minutes or more for the NAT UDP mapping timer is RECOMMENDED."
#[test]
fn a_mapping_lives_for_five_minutes_of_silence() {
    assert!(alive_after(NatConfig::default(), PEER, seconds(299)));
    assert!(!alive_after(NatConfig::default(), PEER, seconds(300)));
}

/// REQ-5a: "For specific destination ports in the well-known port range (ports 0-1023), a NAT MAY have
/// shorter UDP mapping timers that are specific to the IANA-registered application running over that
/// specific destination port."
#[test]
fn a_mapping_towards_a_well_known_port_may_live_shorter() {
    let config = NatConfig { well_known_timeout: Some(seconds(10)), ..NatConfig::default() };
    assert!(alive_after(config.clone(), "198.51.100.7:1023", seconds(9)));
    assert!(!alive_after(config.clone(), "198.51.100.7:1023", seconds(10)));
    assert!(alive_after(config, "198.51.100.7:1024", seconds(299)));
}

/// REQ-5a, together with REQ-1: one mapping for all, so a short timer cuts off nobody else.
#[test]
fn a_short_timer_does_not_end_a_mapping_that_is_used_otherwise() {
    let well_known_timeout = Some(seconds(10));
    let mut nat = nat(NatConfig { well_known_timeout, ..NatConfig::default() });
    let outer = out(&mut nat, START, HOST, "198.51.100.9:5000").unwrap();
    out(&mut nat, START, HOST, PEER).unwrap();
    let later = START + secs(60);
    assert_eq!(come(&mut nat, later, "198.51.100.9:5000", outer), Ok(endpoint(HOST)));
    assert_eq!(come(&mut nat, later, PEER, outer), Err(Dropped::Filtered));
}

/// REQ-5b: "The value of the NAT UDP mapping timer MAY be configurable."
#[test]
fn the_timeout_can_be_as_short_as_those_of_real_boxes() {
    let config = NatConfig { timeout: seconds(30), ..NatConfig::default() };
    assert!(alive_after(config.clone(), PEER, seconds(29)));
    assert!(!alive_after(config, PEER, seconds(30)));
}

/// Whether a mapping with a timeout of 10 s is alive at 18 s if a datagram went out, or in, at 9 s.
fn refreshed(refresh: Refresh, outward: bool) -> bool {
    let mut nat = nat(NatConfig { timeout: seconds(10), refresh, ..NatConfig::default() });
    let outer = out(&mut nat, START, HOST, PEER).unwrap();
    let now = START + secs(9);
    if outward {
        assert_eq!(out(&mut nat, now, HOST, PEER), Ok(outer));
    } else {
        assert_eq!(come(&mut nat, now, PEER, outer), Ok(endpoint(HOST)));
    }
    let alive = come(&mut nat, START + secs(18), PEER, outer).is_ok();
    assert_eq!(nat.mappings().count(), usize::from(alive), "the mapping, and not its filter alone");
    alive
}

/// REQ-6: "The NAT mapping Refresh Direction MUST have a "NAT Outbound refresh behavior" of "True"."
#[test]
fn a_datagram_that_goes_out_refreshes_the_mapping() {
    assert!(refreshed(Refresh::Outbound, true) && refreshed(Refresh::Both, true));
    assert!(!refreshed(Refresh::Inbound, true) && !refreshed(Refresh::Never, true));
}

/// REQ-6a: "The NAT mapping Refresh Direction MAY have a "NAT Inbound refresh behavior" of "True"."
#[test]
fn a_datagram_that_comes_in_refreshes_the_mapping_if_it_is_to() {
    assert!(refreshed(Refresh::Both, false) && refreshed(Refresh::Inbound, false));
    assert!(!refreshed(Refresh::Outbound, false) && !refreshed(Refresh::Never, false));
}

/// Section 4.3: a translator that inbound datagrams refresh lets outsiders keep its mappings alive.
/// Those at least cannot who are filtered.
#[test]
fn what_is_filtered_refreshes_nothing() {
    let refresh = Refresh::Both;
    let mut nat = nat(NatConfig { timeout: seconds(10), refresh, ..NatConfig::default() });
    let outer = out(&mut nat, START, HOST, PEER).unwrap();
    assert_eq!(come(&mut nat, START + secs(9), ELSEWHERE, outer), Err(Dropped::Filtered));
    assert_eq!(come(&mut nat, START + secs(10), PEER, outer), Err(Dropped::NoMapping));
}

/// Section 5, with REQ-5: a mapping that lives on for another peer does not let this one in for ever.
#[test]
fn a_permission_ends_though_its_mapping_lives() {
    let mut nat = nat(NatConfig { timeout: seconds(10), ..NatConfig::default() });
    let outer = out(&mut nat, START, HOST, PEER).unwrap();
    out(&mut nat, START + secs(5), HOST, ELSEWHERE).unwrap();
    assert_eq!(come(&mut nat, START + secs(10), PEER, outer), Err(Dropped::Filtered));
    assert_eq!(come(&mut nat, START + secs(10), ELSEWHERE, outer), Ok(endpoint(HOST)));
}
