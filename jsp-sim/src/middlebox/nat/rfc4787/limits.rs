//! Seeds, limits and losses of power.

use super::*;

/// REQ-11, for a simulation: the same datagrams at the same times give the same translation.
#[test]
fn the_same_seed_gives_the_same_ports_and_another_seed_others() {
    let ports = |seed| {
        let mut nat =
            Nat::new(NatConfig::new(NatKind::Symmetric).at(pool(4)), &Seed::from_u64(seed))
                .unwrap();
        (4000..4020)
            .map(|port| out(&mut nat, START, &format!("10.0.0.2:{port}"), PEER).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(ports(1), ports(1));
    assert_ne!(ports(1), ports(2));
}

#[test]
fn one_mapping_less_leaves_the_random_ports_of_the_others_as_they_were() {
    let port = |others: u16| {
        let mut nat = nat(NatConfig::new(NatKind::Symmetric));
        for port in 0..others {
            out(&mut nat, START, &format!("10.0.0.9:{}", 5000 + port), PEER).unwrap();
        }
        out(&mut nat, START, HOST, PEER).unwrap()
    };
    assert_eq!(port(0), port(1));
    assert_eq!(port(0), port(7));
}

#[test]
fn after_a_loss_of_power_nobody_is_known_and_everybody_is_somewhere_else() {
    for assignment in [PortAssignment::Preserve, PortAssignment::Random, PortAssignment::Sequential]
    {
        let mut nat = nat(NatConfig { assignment, ..NatConfig::default() });
        let hosts = ["10.0.0.2:4000", "10.0.0.3:4000", "10.0.0.4:5001"];
        let mut outer = hosts.map(|host| out(&mut nat, START, host, PEER).unwrap());
        for _ in 0..5 {
            nat.rebind(START);
            assert_eq!(come(&mut nat, START, PEER, outer[0]), Err(Dropped::NoMapping));
            // Nobody speaks between two losses of power.
            nat.rebind(START);
            let now = hosts.map(|host| out(&mut nat, START, host, PEER).unwrap());
            assert!(outer.iter().zip(&now).all(|(before, now)| before != now), "{outer:?} {now:?}");
            outer = now;
        }
    }
}

#[test]
fn after_a_loss_of_power_a_host_moves_on_in_a_paired_pool() {
    let mut nat = Nat::new(NatConfig::default().at(pool(2)), &Seed::from_u64(1)).unwrap();
    let before = out(&mut nat, START, HOST, PEER).unwrap();
    nat.rebind(START);
    let after = out(&mut nat, START, HOST, PEER).unwrap();
    assert_ne!(before.ip(), after.ip());
    assert_eq!(out(&mut nat, START, "10.0.0.2:4002", PEER).unwrap().ip(), after.ip());
}

#[test]
fn a_translator_with_one_port_gives_it_again_after_a_loss_of_power() {
    let ports = PortRange::new(4000, 4000).unwrap();
    let mut nat = nat(NatConfig { ports, ..NatConfig::default() });
    let before = out(&mut nat, START, HOST, PEER).unwrap();
    nat.rebind(START);
    assert_eq!(out(&mut nat, START, HOST, PEER), Ok(before));
}

#[test]
fn a_translator_takes_no_more_mappings_than_it_may_in_all_and_of_one_host() {
    let (max_mappings, max_mappings_per_host) = (3, 2);
    let mut nat = nat(NatConfig { max_mappings, max_mappings_per_host, ..NatConfig::default() });
    let mut send = |now, from| out(&mut nat, now, from, PEER).map(drop);
    let late = START + secs(100);
    assert_eq!(send(START, "10.0.0.2:1"), Ok(()));
    assert_eq!(send(late, "10.0.0.2:2"), Ok(()));
    assert_eq!(send(late, "10.0.0.2:3"), Err(Dropped::Exhausted), "the host has its two");
    assert_eq!(send(late, "10.0.0.3:1"), Ok(()));
    assert_eq!(send(late, "10.0.0.4:1"), Err(Dropped::Exhausted), "there are three");
    assert_eq!(send(late, "10.0.0.2:2"), Ok(()), "who has one keeps it");
    assert_eq!(send(START + secs(300), "10.0.0.2:3"), Ok(()), "the first has timed out");
}

#[test]
fn a_translator_gives_no_more_permissions_than_it_may() {
    let mut nat = nat(NatConfig { max_permissions: 2, ..NatConfig::default() });
    let mut send = |peer: u8| out(&mut nat, START, HOST, &format!("198.51.100.{peer}:1")).map(drop);
    assert_eq!([1, 2, 3, 1].map(&mut send), [Ok(()), Ok(()), Err(Dropped::Exhausted), Ok(())]);
}

#[test]
fn a_translator_without_an_address_is_not_built() {
    let built = Nat::new(NatConfig::default(), &Seed::from_u64(1)).map(drop);
    assert_eq!(built, Err(Misconfigured::NoAddress));
}
