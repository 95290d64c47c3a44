//! Threats: handshake data, connection-ID churn, acknowledgements, fragments, stream counts. What a
//! peer that means harm can make an end keep is bounded, and beyond the bound the connection ends.

use super::pair::{Pair, client_address, craft, craft_payload, fault, seal};
use crate::error::{AppCode, Code};
use crate::ids::{ConnectionId, Dir, PacketNumber, Side, Space, StreamId};
use crate::stream::ReadError;
use crate::time::Duration;
use crate::wire::Put;
use crate::wire::frame::{AckFrame, Frame, Frames, NewConnectionId, ResetToken, StreamFrame};
use alloc::vec::Vec;
use core::ops::RangeInclusive;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Both ends can read Handshake packets, and neither is done.
fn amid_handshake() -> Pair {
    let mut pair = Pair::new();
    for datagram in pair.flush_client() {
        pair.at_server(client_address(), &datagram);
    }
    for datagram in pair.flush_server() {
        if pair.client.spaces.handshake.is_none() {
            pair.at_client(&datagram);
        }
    }
    pair
}

fn server_fault_after(pair: &mut Pair, space: Space, frames: &[Frame<'_>]) -> Option<Code> {
    let packet = craft(&mut pair.client, space, frames);
    pair.at_server(client_address(), &packet);
    pair.flush_server();
    fault(&pair.server_events)
}

#[test]
fn handshake_data_far_ahead_of_what_arrived_ends_the_connection() {
    let far = |offset, data| Frame::Crypto { offset, data };
    let mut pair = amid_handshake();
    assert_eq!(server_fault_after(&mut pair, Space::Handshake, &[far(16_383, b"x")]), None);
    let fault = server_fault_after(&mut pair, Space::Handshake, &[far(16_384, b"x")]);
    assert_eq!(fault, Some(Code::CRYPTO_BUFFER));
    for offset in [16_383, 1 << 32, (1 << 62) - 3] {
        let mut pair = amid_handshake();
        let fault = server_fault_after(&mut pair, Space::Handshake, &[far(offset, b"xy")]);
        assert_eq!(fault, Some(Code::CRYPTO_BUFFER), "{offset}");
    }
}

#[test]
fn handshake_data_with_too_many_gaps_ends_the_connection() {
    let mut pair = amid_handshake();
    let mut kept = 0;
    while server_fault_after(
        &mut pair,
        Space::Handshake,
        &[Frame::Crypto { offset: 100 + 2 * kept, data: b"x" }],
    )
    .is_none()
    {
        kept += 1;
        assert!(kept <= 33, "unbounded");
    }
    assert_eq!(fault(&pair.server_events), Some(Code::CRYPTO_BUFFER));
    assert!(kept >= 31, "{kept}");
}

fn new_id(sequence: u64, retire_prior_to: u64) -> Frame<'static> {
    let mut id = [7; 8];
    id.copy_from_slice(&(sequence + 1000).to_be_bytes());
    Frame::NewConnectionId(NewConnectionId {
        sequence,
        retire_prior_to,
        id: ConnectionId::from(id),
        reset_token: ResetToken([sequence as u8; 16]),
    })
}

#[test]
fn connection_ids_that_churn_without_acknowledged_retirements_end_the_connection() {
    let mut pair = Pair::connected();
    let mut taken = 0;
    // The server's RETIRE_CONNECTION_IDs are never acknowledged: nothing of it reaches the client.
    for sequence in 8..100 {
        if server_fault_after(&mut pair, Space::Data, &[new_id(sequence, sequence)]).is_some() {
            break;
        }
        taken += 1;
    }
    assert_eq!(fault(&pair.server_events), Some(Code::CONNECTION_ID_LIMIT));
    assert!((20..=32).contains(&taken), "{taken}");
}

#[test]
fn more_connection_ids_than_announced_end_the_connection_and_duplicates_do_not() {
    let mut pair = Pair::connected();
    for _ in 0..1000 {
        assert_eq!(server_fault_after(&mut pair, Space::Data, &[new_id(9, 8)]), None);
    }
    let fault = server_fault_after(&mut pair, Space::Data, &[new_id(17, 8)]);
    assert_eq!(fault, Some(Code::CONNECTION_ID_LIMIT));

    let mut pair = Pair::connected();
    assert_eq!(server_fault_after(&mut pair, Space::Data, &[new_id(9, 8)]), None);
    let Frame::NewConnectionId(mut other) = new_id(9, 8) else { unreachable!() };
    other.reset_token = ResetToken([1; 16]);
    let fault = server_fault_after(&mut pair, Space::Data, &[Frame::NewConnectionId(other)]);
    assert_eq!(fault, Some(Code::PROTOCOL_VIOLATION), "issued twice, differently");
}

#[test]
fn ids_that_a_peer_retires_as_fast_as_they_come_are_replaced_and_never_more_than_four() {
    let mut pair = Pair::connected();
    let mut used = Vec::new();
    for _ in 0..60 {
        assert!(pair.client.remote_ids.rotate(), "there is always another");
        used.push(pair.client.remote_ids.current());
        pair.run(MS(40));
        assert!(pair.server().local_ids.active() <= 4);
    }
    used.sort_unstable();
    used.dedup();
    assert_eq!(used.len(), 60);
    assert!(pair.client.is_established() && pair.server().is_established());
    for _ in 0..100 {
        let again = Frame::RetireConnectionId(5);
        assert_eq!(server_fault_after(&mut pair, Space::Data, &[again]), None);
    }
    let never = Frame::RetireConnectionId(5000);
    let fault = server_fault_after(&mut pair, Space::Data, &[never]);
    assert_eq!(fault, Some(Code::PROTOCOL_VIOLATION));
}

fn ack(ranges: impl Iterator<Item = RangeInclusive<u64>>) -> Vec<u8> {
    let mut payload = Vec::new();
    AckFrame::write(&mut payload, 4096, ranges, Duration::ZERO, None).unwrap();
    payload
}

#[test]
fn acknowledging_a_packet_that_was_never_sent_ends_the_connection() {
    let mut pair = Pair::connected();
    let next = {
        let server = pair.server.as_mut().unwrap();
        server.recovery.next_number(Space::Data, &mut server.rng).0
    };
    let packet = craft_payload(&mut pair.client, Space::Data, &ack(core::iter::once(0..=next + 9)));
    pair.at_server(client_address(), &packet);
    pair.flush_server();
    assert_eq!(fault(&pair.server_events), Some(Code::PROTOCOL_VIOLATION));
}

#[test]
fn an_optimistic_acknowledger_hits_a_number_that_was_left_out() {
    let mut pair = Pair::connected();
    let id = pair.server().open_stream(Dir::Uni).unwrap();
    let mut gained = 0;
    for _ in 0..4000 {
        let _ = pair.server().write(id, &[0; 10_000]);
        // Nothing that the server sends arrives; all of it, whatever the number, is acknowledged.
        let sent = pair.flush_server();
        gained += sent.iter().map(Vec::len).sum::<usize>();
        let server = pair.server.as_mut().unwrap();
        let next = server.recovery.next_number(Space::Data, &mut server.rng).0;
        let acks = ack(core::iter::once(0..=next - 1));
        let packet = craft_payload(&mut pair.client, Space::Data, &acks);
        pair.at_server(client_address(), &packet);
        pair.now += MS(10);
        if pair.server().is_closed() {
            break;
        }
    }
    pair.flush_server();
    assert_eq!(fault(&pair.server_events), Some(Code::PROTOCOL_VIOLATION));
    assert!(gained < 10 << 20, "{gained} bytes until then");
}

#[test]
fn an_ack_of_more_than_256_ranges_is_refused_and_one_of_256_is_not() {
    // Built by hand: the engine's own writer stops at 256.
    let frame = |further: u64| {
        let mut payload = Vec::from([2]);
        payload.put_varint(2 * further + 10).unwrap();
        payload.put_varint(0).unwrap();
        payload.put_varint(further).unwrap();
        payload.put_varint(0).unwrap();
        for _ in 0..further {
            payload.put(&[0, 0]).unwrap();
        }
        payload
    };
    assert!(Frames::new(&frame(255)).all(|frame| frame.is_ok()));
    let mut pair = Pair::connected();
    let packet = craft_payload(&mut pair.client, Space::Data, &frame(256));
    pair.at_server(client_address(), &packet);
    pair.flush_server();
    assert_eq!(fault(&pair.server_events), Some(Code::FRAME_ENCODING));
}

#[test]
fn alternate_packet_numbers_are_acknowledged_in_bounded_space() {
    let mut pair = Pair::connected();
    let server = pair.server.as_mut().unwrap();
    let first = server.recovery.next_number(Space::Data, &mut server.rng).0 + 1;
    for n in 0..3000 {
        let packet = seal(pair.server(), Space::Data, PacketNumber(first + 2 * n), &[1]);
        pair.at_client(&packet);
        for answer in pair.flush_client() {
            assert!(answer.len() <= 1200, "{}", answer.len());
        }
        pair.now += Duration::from_micros(10);
    }
    assert!(pair.client.is_established());
    let window = &pair.client.spaces.data.window;
    assert!(window.ranges().count() <= 512, "a bitmap of 1024");
}

fn stream(index: u64) -> StreamId {
    StreamId::new(Side::Client, Dir::Bi, index)
}

#[test]
fn one_byte_fragments_cost_no_more_than_twice_the_window_and_then_the_connection() {
    let mut pair = Pair::connected();
    let window = 256 << 10;
    let mut offset = 1;
    for _ in 0..2000 {
        let mut payload = Vec::new();
        for _ in 0..100 {
            let fragment =
                StreamFrame { id: stream(0), offset: Some(offset), fin: false, data: b"x" };
            Frame::Stream(fragment).encode(&mut payload).unwrap();
            offset += 2;
        }
        let packet = craft_payload(&mut pair.client, Space::Data, &payload);
        pair.at_server(client_address(), &packet);
        assert!(pair.server().streams.receive_memory() <= 2 * window);
        if pair.server().is_closed() {
            break;
        }
    }
    pair.flush_server();
    assert_eq!(fault(&pair.server_events), Some(Code::FRAGMENTATION));
}

#[test]
fn a_stream_beyond_the_limit_ends_the_connection_before_anything_is_kept() {
    for index in [100, 101, 1 << 40, (1 << 60) - 1] {
        let mut pair = Pair::connected();
        let frame = StreamFrame { id: stream(index), offset: None, fin: false, data: b"x" };
        let fault = server_fault_after(&mut pair, Space::Data, &[Frame::Stream(frame)]);
        assert_eq!(fault, Some(Code::STREAM_LIMIT), "{index}");
        assert_eq!(pair.server().streams.count(), 0);
    }
    let mut pair = Pair::connected();
    let frame = StreamFrame { id: stream(99), offset: None, fin: false, data: b"x" };
    assert_eq!(server_fault_after(&mut pair, Space::Data, &[Frame::Stream(frame)]), None);
    assert_eq!(pair.server().streams.count(), 1, "those before it are only counted");
}

#[test]
fn a_storm_of_resets_never_has_more_streams_than_the_limit_and_waits_a_round_trip_for_more() {
    let mut pair = Pair::connected();
    let mut opened = 0;
    let mut accepted = Vec::new();
    for round in 1..=50 {
        while let Some(id) = pair.client.open_stream(Dir::Bi) {
            opened += 1;
            pair.client.write(id, b"x").unwrap();
            // Some are reset before anything of them was sent, some after.
            if id.index() % 2 == 0 {
                pair.flush_client();
            }
            pair.client.reset(id, AppCode(1)).unwrap();
            pair.client.stop(id, AppCode(1)).unwrap();
        }
        assert!(opened <= 100 * round, "{opened} after {round} round trips");
        for _ in 0..4 {
            pair.run(MS(5));
            let server = pair.server();
            // A diligent application, or the storm would end with the first hundred.
            accepted.extend(core::iter::from_fn(|| server.accept_stream(Dir::Bi)));
            accepted.retain(|&id| {
                loop {
                    match server.read(id, &mut [0; 10]) {
                        Ok(_) => {}
                        Err(error) => break error == ReadError::Blocked,
                    }
                }
            });
            assert!(server.streams.count() <= 100);
            assert!(server.streams.receive_memory() <= 1 << 20);
        }
    }
    assert!(opened > 1000, "{opened}");
    assert!(pair.client.is_established() && pair.server().is_established());
}

#[test]
fn more_data_than_the_credit_ends_the_connection() {
    let mut pair = Pair::connected();
    let data = [0; 1000];
    let beyond = StreamFrame { id: stream(0), offset: Some(256 << 10), fin: false, data: &data };
    let fault = server_fault_after(&mut pair, Space::Data, &[Frame::Stream(beyond)]);
    assert_eq!(fault, Some(Code::FLOW_CONTROL));
    assert_eq!(pair.server().streams.receive_memory(), 0);
}
