//! Several endpoints behind one address: whose a datagram is.

use super::fixture::{Led, START, address, answer, client, flush, give, server_shard};
use crate::connection::Connection;
use crate::endpoint::Endpoint;
use crate::ids::{Shard, ShardIndex};
use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;
use core::num::NonZeroU8;
use quickcheck::quickcheck;

const COUNT: u8 = 4;

fn shards() -> Vec<Endpoint> {
    Shard::all(NonZeroU8::new(COUNT).unwrap()).map(server_shard).collect()
}

fn steered(shard: &Endpoint, datagram: &[u8]) -> Option<u8> {
    let (to, len) = shard.steer_run(datagram, datagram.len())?;
    assert_eq!(len, datagram.len());
    Some(to.0)
}

/// Gives a flight to one shard; the connection that comes of it.
fn accept(shard: &mut Endpoint, flight: &[Vec<u8>]) -> Connection {
    for datagram in flight {
        if let Led::Incoming(incoming) = give(shard, START, address(1), datagram) {
            return shard.accept(START, &incoming, None, &mut [0; 1500]).unwrap();
        }
    }
    panic!("no connection");
}

/// A client and its server's connection on `at`, and what the client says to it next.
fn connected(shard: &mut Endpoint, seed: u64) -> (Connection, Vec<Vec<u8>>) {
    let (mut client, flight) = client(seed);
    let mut server = accept(shard, &flight);
    let mut answers = Vec::new();
    for datagram in flush(&mut server, START) {
        answers.extend(answer(&mut client, START, &datagram));
    }
    assert!(!answers.is_empty());
    (server, answers)
}

#[test]
fn what_names_a_connection_goes_to_its_shard_from_every_other() {
    let mut shards = shards();
    for at in 0..COUNT {
        let (server, answers) = connected(&mut shards[usize::from(at)], 10 + u64::from(at));
        for datagram in &answers {
            for by in 0..COUNT {
                let expected = (by != at).then_some(at);
                assert_eq!(steered(&shards[usize::from(by)], datagram), expected, "{by} of {at}");
            }
            assert!(matches!(
                give(&mut shards[usize::from(at)], START, address(1), datagram),
                Led::Connection
            ));
        }
        assert_eq!(server.handle().index, 0, "every shard counts its own");
    }
}

#[test]
fn a_batch_is_steered_as_far_as_it_names_one_connection() {
    let mut shards = shards();
    let (_, one) = connected(&mut shards[1], 1);
    let (_, other) = connected(&mut shards[2], 2);
    let cut = |datagram: &[u8]| datagram[..100].to_vec();
    let batch = [cut(&one[0]), cut(&one[0]), cut(&other[0])].concat();
    assert_eq!(shards[0].steer_run(&batch, 100), Some((ShardIndex(1), 200)));
    assert_eq!(shards[0].steer_run(&batch[200..], 100), Some((ShardIndex(2), 100)));
    assert_eq!(shards[2].steer_run(&batch[200..], 100), None);
    let ends_short = [cut(&one[0]), one[0][..50].to_vec()].concat();
    assert_eq!(shards[0].steer_run(&ends_short, 100), Some((ShardIndex(1), 150)));
}

#[test]
fn a_first_flight_stays_where_it_came_or_goes_as_a_whole_where_its_hash_says() {
    let shards = shards();
    let mut seen = BTreeSet::new();
    for seed in 0..40 {
        let (_, flight) = client(seed);
        let mut all = BTreeSet::new();
        for datagram in &flight {
            for (by, shard) in (0..).zip(&shards) {
                assert_eq!(steered(shard, datagram), None);
                all.insert(shard.steer_first_flight(datagram).map_or(by, |to| to.0));
            }
        }
        assert_eq!(all.len(), 1, "the shards and the datagrams agree");
        seen.extend(all);
    }
    assert_eq!(seen.len(), usize::from(COUNT), "and all shards have their share");
}

#[test]
fn after_a_retry_the_client_comes_back_to_who_sent_it() {
    let mut shards = shards();
    for seed in 0..20 {
        let (mut client, flight) = client(seed);
        let Some(Led::Incoming(incoming)) = flight
            .iter()
            .map(|datagram| give(&mut shards[3], START, address(1), datagram))
            .find(|led| matches!(led, Led::Incoming(_)))
        else {
            panic!("not whole")
        };
        let mut reply = vec![0; 1500];
        let retry = shards[3].retry(START, &incoming, &mut reply).unwrap();
        let again = answer(&mut client, START, &reply[..retry.len]);
        assert!(again.iter().all(|datagram| steered(&shards[0], datagram) == Some(3)));
        assert!(again.iter().all(|datagram| shards[0].steer_first_flight(datagram).is_none()));
        assert!(again.iter().all(|datagram| steered(&shards[3], datagram).is_none()));
        accept(&mut shards[3], &again);
    }
}

#[test]
fn shards_share_keys_of_ids_and_no_other_randomness() {
    let mut shards = shards();
    let mut short = vec![0x40; 60];
    short[1..9].fill(9);
    let resets = shards.iter_mut().map(|shard| match give(shard, START, address(1), &short) {
        Led::Reply(reply) => reply[reply.len() - 16..].to_vec(),
        other => panic!("{other:?}"),
    });
    assert_eq!(resets.collect::<BTreeSet<_>>().len(), 1, "one token for an ID, from every shard");
    let firsts = shards.iter_mut().map(|shard| {
        let (_, answers) = connected(shard, 5);
        answers[0].clone()
    });
    assert_eq!(firsts.collect::<BTreeSet<_>>().len(), usize::from(COUNT));
}

#[test]
fn an_undivided_endpoint_steers_nothing() {
    let mut only = server_shard(Shard::ONLY);
    let (_, answers) = connected(&mut only, 1);
    let (_, flight) = client(2);
    for datagram in answers.iter().chain(&flight) {
        assert_eq!(steered(&only, datagram), None);
        assert_eq!(only.steer_first_flight(datagram), None);
    }
}

quickcheck! {
    fn whatever_arrives_is_steered_to_a_shard_that_exists(batch: Vec<u8>, segment: usize) -> bool {
        let shard = server_shard(Shard::new(ShardIndex(1), NonZeroU8::new(COUNT).unwrap()).unwrap());
        shard.steer_run(&batch, segment).is_none_or(|(to, len)| {
            to.0 < COUNT && to.0 != 1 && (1..=batch.len()).contains(&len)
        }) && shard.steer_first_flight(&batch).is_none_or(|to| to.0 < COUNT)
    }

    fn random_ids_stay_where_they_came(ids: Vec<u64>) -> bool {
        let shard = server_shard(Shard::new(ShardIndex(0), NonZeroU8::new(COUNT).unwrap()).unwrap());
        let datagram = |id: &u64| [&[0x40], &id.to_be_bytes()[..], &[0; 30]].concat();
        let away = ids.iter().filter(|id| steered(&shard, &datagram(id)).is_some()).count();
        // Each leaves with a chance of 3 * 10^6 / 2^32.
        away <= 2
    }
}
