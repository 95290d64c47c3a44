use super::*;
use crate::middlebox::Refresh::{Both, Inbound, Never, Outbound};
use crate::units::Span;
use crate::{ms, secs};
use jsp_proto::ids::Ecn;
use quickcheck::quickcheck;

const INNER: &str = "10.1.0.2:4000";
const SERVER: &str = "198.51.100.7:443";

fn datagram(from: &str, to: &str) -> Datagram {
    let [from, to] = [from, to].map(|endpoint| endpoint.parse().unwrap());
    Datagram { from, to, ecn: Ecn::Ect0, payload: vec![7] }
}

fn firewall(config: FirewallConfig) -> Firewall {
    Firewall::new(config).unwrap()
}

fn out(firewall: &mut Firewall, now: Time, from: &str, to: &str) -> Verdict {
    let sent = datagram(from, to);
    let mut passed = sent.clone();
    let verdict = firewall.outbound(now, &mut passed);
    assert_eq!(passed, sent, "a firewall translates nothing");
    verdict
}

fn come(firewall: &mut Firewall, now: Time, from: &str, to: &str) -> Verdict {
    let sent = datagram(from, to);
    let mut passed = sent.clone();
    let verdict = firewall.inbound(now, &mut passed);
    assert_eq!(passed, sent, "a firewall translates nothing");
    verdict
}

const START: Time = Time::ZERO;
const FILTERED: Verdict = Verdict::Drop(Dropped::Filtered);
const EXHAUSTED: Verdict = Verdict::Drop(Dropped::Exhausted);

fn ports(text: &str) -> Vec<crate::middlebox::PortRange> {
    text.split(',').map(|range| range.parse().unwrap()).collect()
}

#[test]
fn only_who_was_asked_may_answer() {
    let mut firewall = firewall(FirewallConfig::default());
    assert_eq!(come(&mut firewall, START, SERVER, INNER), FILTERED);
    assert_eq!(out(&mut firewall, START, INNER, SERVER), Verdict::Forward);
    assert_eq!(come(&mut firewall, START, SERVER, INNER), Verdict::Forward);
    assert_eq!(come(&mut firewall, START, "198.51.100.7:444", INNER), FILTERED);
    assert_eq!(come(&mut firewall, START, "198.51.100.6:443", INNER), FILTERED);
    assert_eq!(come(&mut firewall, START, SERVER, "10.1.0.2:4001"), FILTERED);
}

/// RFC 6092, REC-17: "If application transparency is most important, then a stateful packet filter
/// SHOULD have "endpoint-independent filtering" behavior for UDP. If a more stringent filtering
/// behavior is most important, then a filter SHOULD have "address-dependent filtering" behavior."
#[test]
fn filtering_may_depend_on_nothing_or_on_the_address_alone() {
    let verdicts = |filtering| {
        let mut firewall = firewall(FirewallConfig { filtering, ..Default::default() });
        // Neighbours in the table that must not count.
        out(&mut firewall, START, "10.1.0.2:3999", "203.0.113.9:9");
        out(&mut firewall, START, "10.1.0.2:4001", "198.51.100.6:443");
        out(&mut firewall, START, INNER, SERVER);
        [
            "198.51.100.7:1",
            "198.51.100.7:65535",
            "198.51.100.6:443",
            "203.0.113.9:9",
            "[2001:db8::1]:1",
        ]
        .map(|from| come(&mut firewall, START, from, INNER) == Verdict::Forward)
    };
    assert_eq!(verdicts(Dependence::EndpointIndependent), [true; 5]);
    assert_eq!(verdicts(Dependence::AddressDependent), [true, true, false, false, false]);
    assert_eq!(verdicts(Dependence::AddressAndPortDependent), [false; 5]);
}

/// RFC 6092, REC-14: "A state record for a UDP flow [..] MUST NOT expire in less than two minutes of
/// idle time. [..] The DEFAULT is five minutes."
#[test]
fn a_flow_lives_for_five_minutes_of_silence() {
    let mut firewall = firewall(FirewallConfig::default());
    out(&mut firewall, START, INNER, SERVER);
    assert_eq!(come(&mut firewall, START + secs(299), SERVER, INNER), Verdict::Forward);
    assert_eq!(come(&mut firewall, START + secs(300), SERVER, INNER), FILTERED);
    assert_eq!(firewall.flows(), 0);
}

/// RFC 6092, REC-16: "A state record for a UDP flow MUST be refreshed when a packet is forwarded from
/// the interior to the exterior, and it MAY be refreshed when a packet is forwarded in the reverse
/// direction."
#[test]
fn a_flow_is_refreshed_from_inside_and_from_outside_if_it_is_to_be() {
    let alive_after = |refresh, inside: bool| {
        let timeout = Span::from_millis(10_000);
        let mut firewall = firewall(FirewallConfig { timeout, refresh, ..Default::default() });
        out(&mut firewall, START, INNER, SERVER);
        let now = START + secs(9);
        if inside {
            out(&mut firewall, now, INNER, SERVER);
        } else {
            come(&mut firewall, now, SERVER, INNER);
        }
        come(&mut firewall, START + secs(18), SERVER, INNER) == Verdict::Forward
    };
    assert_eq!(
        [Outbound, Both, Inbound, Never].map(|r| alive_after(r, true)),
        [true, true, false, false]
    );
    assert_eq!(
        [Outbound, Both, Inbound, Never].map(|r| alive_after(r, false)),
        [false, true, true, false]
    );
}

#[test]
fn where_udp_is_blocked_nothing_passes() {
    let config = FirewallConfig { udp_blocked: true, open: ports("1-65535"), ..Default::default() };
    let mut firewall = firewall(config);
    assert_eq!(out(&mut firewall, START, INNER, SERVER), FILTERED);
    assert_eq!(come(&mut firewall, START, SERVER, INNER), FILTERED);
}

#[test]
fn flows_begin_inside_only_to_ports_that_are_allowed_and_not_denied() {
    let (allow, deny) = (ports("443,5000-6000"), ports("5500"));
    let mut firewall = firewall(FirewallConfig { allow, deny, ..Default::default() });
    let mut to = |port| out(&mut firewall, START, INNER, &format!("198.51.100.7:{port}"));
    assert_eq!([443, 5000, 6000].map(&mut to), [Verdict::Forward; 3]);
    assert_eq!([442, 4999, 6001, 5500].map(&mut to), [FILTERED; 4]);
}

#[test]
fn a_server_on_an_open_port_is_reached_and_may_answer_to_any_port() {
    let config = FirewallConfig { open: ports("4433"), allow: ports("443"), ..Default::default() };
    let mut firewall = firewall(config);
    let (server, client) = ("10.1.0.9:4433", "203.0.113.5:50000");
    assert_eq!(out(&mut firewall, START, server, client), FILTERED);
    assert_eq!(come(&mut firewall, START, client, server), Verdict::Forward);
    assert_eq!(out(&mut firewall, START, server, client), Verdict::Forward);
    assert_eq!(come(&mut firewall, START, client, "10.1.0.9:4434"), FILTERED);
}

#[test]
fn new_flows_wait_for_their_turn_and_old_ones_do_not() {
    let new_flows = Some(FlowRate { per_second: 10, burst: 3 });
    let mut firewall = firewall(FirewallConfig { new_flows, ..Default::default() });
    let mut begin = |now, port| out(&mut firewall, now, &format!("10.1.0.2:{port}"), SERVER);
    let start = START + secs(5);
    assert_eq!([1, 2, 3].map(|port| begin(start, port)), [Verdict::Forward; 3]);
    assert_eq!(begin(start, 4), EXHAUSTED);
    assert_eq!(begin(start, 1), Verdict::Forward, "an old flow takes nothing");
    assert_eq!(begin(start + ms(99), 4), EXHAUSTED);
    assert_eq!(begin(start + ms(100), 4), Verdict::Forward);
    assert_eq!(begin(start + ms(100), 5), EXHAUSTED);
    // After a rest, the burst again and no more.
    let later = start + secs(60);
    assert_eq!([5, 6, 7].map(|port| begin(later, port)), [Verdict::Forward; 3]);
    assert_eq!(begin(later, 8), EXHAUSTED);
}

#[test]
fn a_firewall_that_lost_its_power_knows_no_flow() {
    let mut firewall = firewall(FirewallConfig::default());
    out(&mut firewall, START, INNER, SERVER);
    firewall.rebind(START);
    assert_eq!(come(&mut firewall, START, SERVER, INNER), FILTERED);
    out(&mut firewall, START, INNER, SERVER);
    assert_eq!(come(&mut firewall, START, SERVER, INNER), Verdict::Forward);
}

#[test]
fn a_firewall_answers_for_what_is_behind_it_and_turns_nothing_round() {
    let through = vec!["10.1.0.0/16".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
    let mut firewall = firewall(FirewallConfig { through, ..Default::default() });
    let behind = ["10.1.2.3", "2001:db8::7", "10.2.0.1", "2001:db9::1"]
        .map(|address| firewall.answers_for(address.parse().unwrap()));
    assert_eq!(behind, [true, true, false, false]);
    let verdict = firewall.hairpin(START, &mut datagram(INNER, "10.1.0.3:1"));
    assert_eq!(verdict, Verdict::Drop(Dropped::NoRoute));
}

quickcheck! {
    fn nothing_unasked_comes_in_and_flows_are_bounded(events: Vec<(bool, u8, u8, u8)>) -> bool {
        let timeout = Span::from_millis(50_000);
        let config = FirewallConfig { timeout, max_flows: 8, ..Default::default() };
        let mut firewall = firewall(config);
        let (mut asked, mut now) = (std::collections::BTreeMap::new(), START);
        events.into_iter().all(|(outward, inner, outer, wait)| {
            now += ms(u64::from(wait) * 100);
            let flow = (inner % 4 + 1, outer % 4 + 1);
            let (inner, outer) = (format!("10.1.0.2:{}", flow.0), format!("198.51.100.7:{}", flow.1));
            let alive = asked.get(&flow).is_some_and(|last: &Time| now - *last < secs(50));
            let right = if outward {
                let passed = out(&mut firewall, now, &inner, &outer) == Verdict::Forward;
                if passed {
                    asked.insert(flow, now);
                }
                passed || !alive
            } else {
                (come(&mut firewall, now, &outer, &inner) == Verdict::Forward) == alive
            };
            right && firewall.flows() <= 8
        })
    }
}
