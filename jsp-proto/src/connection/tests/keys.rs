//! Threats: replayed packets across key updates, updates out of turn.

use super::pair::{Pair, client_address, craft, seal};
use crate::ids::{PacketNumber, Space};
use crate::protection::DataKeys;
use crate::time::Duration;
use crate::wire::frame::Frame;
use alloc::vec::Vec;

const MS: fn(u64) -> Duration = Duration::from_millis;

fn keys(connection: &mut crate::connection::Connection) -> &mut DataKeys {
    connection.spaces.data_keys.as_mut().unwrap()
}

#[test]
fn packets_of_every_generation_are_refused_when_they_come_again() {
    let mut pair = Pair::connected();
    let mut captured = Vec::new();
    for _ in 0..4 {
        let packet = craft(&mut pair.client, Space::Data, &[Frame::Ping]);
        pair.at_server(client_address(), &packet);
        captured.push(packet);
        pair.client.update_keys();
        pair.client.ping();
        // At once, while the keys of the generation before are still there, and after.
        for wait in [15, 500] {
            pair.run(MS(wait));
            let received = pair.server().stats().counts.packets_received;
            for packet in captured.iter().rev().chain(&captured) {
                pair.at_server(client_address(), packet);
            }
            assert_eq!(pair.server().stats().counts.packets_received, received);
        }
    }
    assert_eq!(pair.server().stats().counts.key_updates, 4);
    assert!(pair.client.is_established() && pair.server().is_established());
}

#[test]
fn a_key_update_before_the_last_one_was_acknowledged_does_not_take_place() {
    let mut pair = Pair::connected();
    pair.client.update_keys();
    pair.client.ping();
    pair.flush_client();
    assert_eq!(pair.client.stats().counts.key_updates, 1);
    for _ in 0..10 {
        // The acknowledgement is lost, so nothing allows a second update.
        pair.client.update_keys();
        pair.client.ping();
        pair.flush_client();
    }
    assert_eq!(pair.client.stats().counts.key_updates, 1);
    pair.run(MS(3000));
    assert!(pair.client.stats().counts.key_updates >= 2, "it is made up for");
    assert!(pair.client.is_established() && pair.server().is_established());
}

#[test]
fn a_packet_that_was_sealed_before_an_update_and_comes_after_it_is_welcome() {
    let mut pair = Pair::connected();
    let old = craft(&mut pair.client, Space::Data, &[Frame::Ping]);
    let now = pair.now;
    assert!(keys(&mut pair.client).update(now));
    let new = craft(&mut pair.client, Space::Data, &[Frame::Ping]);
    let before = pair.server().stats().counts.packets_received;
    pair.at_server(client_address(), &new);
    pair.at_server(client_address(), &old);
    assert_eq!(pair.server().stats().counts.packets_received, before + 2);
}

#[test]
fn a_packet_with_older_keys_than_one_before_it_is_not_even_tried() {
    let mut pair = Pair::connected();
    let number = {
        let client = &mut pair.client;
        client.recovery.next_number(Space::Data, &mut client.rng)
    };
    // The later number is sealed first, with the keys before the update: what no honest peer does.
    let keys_of_before = seal(&mut pair.client, Space::Data, PacketNumber(number.0 + 9), &[1]);
    let mut twin = Pair::connected();
    let now = twin.now;
    assert!(keys(&mut twin.client).update(now));
    // The twin has the same seeds, hence the same secrets.
    let updated = seal(&mut twin.client, Space::Data, number, &[1]);
    pair.at_server(client_address(), &updated);
    assert!(pair.server().is_established());
    let before = pair.server().stats().counts;
    pair.at_server(client_address(), &keys_of_before);
    let after = pair.server().stats().counts;
    assert_eq!(after.packets_received, before.packets_received);
    assert_eq!(after.packets_refused, before.packets_refused + 1);
    assert!(pair.server().is_established());
}
