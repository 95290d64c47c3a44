//! Threats: close floods, stateless resets, calls at the wrong time. However a connection ends, it
//! ends once, and then it is quiet.

use super::pair::{Pair, client_address, closed, craft, fault, from, server_address};
use crate::connection::{Connection, Event, TransportConfig};
use crate::crypto::CryptoError;
use crate::error::{AppCode, CloseReason, Code};
use crate::ids::{Dir, Side, Space, StreamId};
use crate::stream::{StreamConfig, StreamEvent, WriteError};
use crate::time::Duration;
use crate::wire::frame::{AppCloseFrame, Frame, NewConnectionId, ResetToken, TransportCloseFrame};
use alloc::vec;
use alloc::vec::Vec;

const MS: fn(u64) -> Duration = Duration::from_millis;

#[test]
fn a_closed_end_answers_the_first_second_fourth_and_eighth_packet_and_no_other() {
    let mut pair = Pair::connected();
    let now = pair.now;
    pair.server().close(now, AppCode(3), b"enough");
    assert_eq!(pair.flush_server().len(), 1);
    let mut answered = Vec::new();
    for n in 1..=70 {
        let packet = craft(&mut pair.client, Space::Data, &[Frame::Ping]);
        pair.at_server(client_address(), &packet);
        let answers = pair.flush_server();
        assert!(answers.len() <= 1 && answers.iter().all(|answer| answer.len() < 200));
        if !answers.is_empty() {
            answered.push(n);
        }
    }
    assert_eq!(answered, [1, 2, 4, 8, 16, 32, 64]);
}

#[test]
fn what_does_not_authenticate_gets_no_answer_from_a_closed_end() {
    let mut pair = Pair::connected();
    let now = pair.now;
    pair.server().close(now, AppCode(3), b"enough");
    pair.flush_server();
    for _ in 0..16 {
        let mut packet = craft(&mut pair.client, Space::Data, &[Frame::Ping]);
        *packet.last_mut().unwrap() ^= 1;
        pair.at_server(client_address(), &packet);
        assert!(pair.flush_server().is_empty());
    }
}

#[test]
fn closes_that_cross_silence_both_ends() {
    let mut pair = Pair::connected();
    let now = pair.now;
    pair.client.close(now, AppCode(1), b"one");
    pair.server().close(now, AppCode(2), b"two");
    pair.log.clear();
    pair.run(MS(3000));
    assert_eq!(pair.log.len(), 2, "one farewell each");
    assert_eq!(closed(&pair.client_events), Some(&CloseReason::Local { code: AppCode(1) }));
    assert_eq!(closed(&pair.server_events), Some(&CloseReason::Local { code: AppCode(2) }));
    assert!(pair.client.is_drained() && pair.server().is_drained());
}

#[test]
fn a_flood_of_closes_is_answered_by_nothing_and_told_once() {
    let mut pair = Pair::connected();
    for code in 0..20 {
        let reason = b"again";
        let app = Frame::AppClose(AppCloseFrame { code: AppCode(code), reason });
        let transport =
            Frame::TransportClose(TransportCloseFrame { code: Code(code), frame: 0, reason });
        for frame in [app, transport] {
            let packet = craft(&mut pair.client, Space::Data, &[frame]);
            pair.at_server(client_address(), &packet);
            assert!(pair.flush_server().is_empty());
        }
    }
    let ends = pair.server_events.iter().filter(|event| matches!(event, Event::Closed(_)));
    assert_eq!(ends.count(), 1);
}

/// A stateless reset of `len` bytes with this token.
fn reset(token: ResetToken, len: usize) -> Vec<u8> {
    let mut packet = vec![0x5a; len];
    packet[len - 16..].copy_from_slice(&token.0);
    packet
}

#[test]
fn a_stateless_reset_ends_the_connection_whatever_its_length_and_the_shortest_has_21_bytes() {
    for len in [21, 22, 28, 29, 30, 42, 1200] {
        let mut pair = Pair::connected();
        let token = pair.client.remote_ids.reset_token().unwrap();
        for bit in 0..128 {
            let mut other = token;
            other.0[bit / 8] ^= 1 << (bit % 8);
            pair.at_client(&reset(other, len));
        }
        pair.at_client(&reset(token, 20));
        let mut long = reset(token, len);
        long[0] |= 0x80;
        pair.at_client(&long);
        assert!(pair.client.is_established());
        pair.at_client(&reset(token, len));
        assert!(pair.client.is_drained(), "{len} bytes");
        assert!(pair.flush_client().is_empty() && pair.client.next_timeout().is_none());
        assert_eq!(closed(&pair.client_events), Some(&CloseReason::StatelessReset));
    }
}

#[test]
fn a_reset_token_of_an_id_that_is_not_in_use_resets_nothing() {
    let mut pair = Pair::connected();
    let first = pair.client.remote_ids.reset_token().unwrap();
    let unused = ResetToken([9; 16]);
    let frame = Frame::NewConnectionId(NewConnectionId {
        sequence: 8,
        retire_prior_to: 8,
        id: crate::ids::ConnectionId::from([9; 8]),
        reset_token: unused,
    });
    pair.at_client(&reset(unused, 40));
    assert!(pair.client.is_established(), "not issued yet");
    let packet = craft(pair.server(), Space::Data, &[frame]);
    pair.at_client(&packet);
    pair.at_client(&reset(first, 40));
    assert!(pair.client.is_established(), "retired");
    pair.at_client(&reset(unused, 40));
    assert!(pair.client.is_drained());
}

#[test]
fn a_server_that_lost_its_state_ends_the_client_by_a_stateless_reset() {
    let mut pair = Pair::connected();
    let handle = pair.server.take().unwrap().handle();
    // The same keys, and nothing else, are left.
    pair.server_endpoint.release(handle);
    pair.client.ping();
    let ping = pair.flush_client().remove(0);
    let answer = pair.at_server(client_address(), &ping);
    // A PING is short; its reset is shorter still.
    let answer = answer.expect("a reset");
    assert!(answer.len() < ping.len());
    pair.at_client(&answer);
    assert!(pair.client.is_drained());
}

/// Every call of the public interface but `close`.
fn call_everything(connection: &mut Connection, pair_now: crate::time::Time) {
    let now = pair_now;
    let mut out = vec![0; 65_535];
    for id in [0, 1, 2, 3, 4, 400, u64::from(u32::MAX), (1 << 62) - 1].map(StreamId) {
        let mut buf = [0; 10];
        let _ = connection.write(id, b"data");
        let _ = connection.write_bytes(id, &mut bytes::Bytes::from_static(b"data"));
        let _ = connection.read(id, &mut buf);
        let _ = connection.read(id, &mut []);
        let _ = connection.peek(id).map(|chunk| assert!(!chunk.data.is_empty()));
        connection.consume(id, 0);
        connection.consume(id, usize::MAX);
        let _ = connection.finish(id);
        let _ = connection.finish(id);
        let _ = connection.stop(id, AppCode(1));
        let _ = connection.reset(id, AppCode(1));
        let _ = connection.reset(id, AppCode(u64::MAX));
    }
    for dir in Dir::ALL {
        let _ = connection.accept_stream(dir);
        let _ = connection.open_stream(dir);
    }
    connection.ping();
    connection.update_keys();
    let _ = connection.export_keying_material(b"label", b"context", &mut out[..32]);
    let _ = connection.export_keying_material(&[b'x'; 300], b"", &mut out[..9000]);
    let _ = (connection.stats(), connection.side(), connection.handle(), connection.remote());
    let _ = (connection.alpn(), connection.peer_identity(), connection.suite());
    let _ = alloc::format!("{connection:?}");
    connection.handle_timeout(now);
    connection.handle_datagrams(now, &from(client_address()), &mut [], 0);
    connection.handle_datagrams(now, &from(server_address()), &mut [0x40; 50], 7);
    assert!(connection.poll_transmit(now, &mut [], 1).is_none());
    assert!(connection.poll_transmit(now, &mut out, 0).is_none());
}

#[test]
fn every_call_is_legal_at_every_moment_and_the_end_is_told_once() {
    let mut pair = Pair::new();
    let now = pair.now;
    call_everything(&mut pair.client, now);
    for _ in 0..40 {
        pair.run(MS(5));
        let now = pair.now;
        call_everything(&mut pair.client, now);
        if let Some(server) = &mut pair.server {
            call_everything(server, now);
        }
    }
    assert!(pair.client.is_established() && pair.server().is_established());
    let now = pair.now;
    pair.client.close(now, AppCode(u64::MAX), &[0xff; 5000]);
    for _ in 0..400 {
        let now = pair.now;
        call_everything(&mut pair.client, now);
        call_everything(pair.server(), now);
        pair.client.close(now, AppCode(9), b"again");
        pair.run(MS(5));
    }
    assert!(pair.client.is_drained() && pair.server().is_drained());
    assert_eq!((pair.client.next_timeout(), pair.server().next_timeout()), (None, None));
    for events in [&pair.client_events, &pair.server_events] {
        let ends = events.iter().filter(|event| matches!(event, Event::Closed(_))).count();
        assert_eq!(ends, 1);
        assert!(matches!(events.last(), Some(Event::Closed(_))), "{:?}", events.last());
    }
}

#[test]
fn a_close_in_the_middle_of_the_handshake_reaches_the_other_end() {
    for (steps, side) in [(1, Side::Client), (3, Side::Server), (4, Side::Server)] {
        let mut pair = Pair::new();
        pair.run(MS(5 * steps));
        let now = pair.now;
        match side {
            Side::Client => pair.client.close(now, AppCode(3), b"secret reason"),
            Side::Server => pair.server().close(now, AppCode(3), b"secret reason"),
        }
        pair.run(MS(12_000));
        assert!(pair.client.is_drained());
        if let Some(server) = &pair.server {
            assert!(server.is_drained());
            let other =
                if side == Side::Client { &pair.server_events } else { &pair.client_events };
            let reason = closed(other);
            assert!(
                matches!(reason, Some(CloseReason::RemoteError { code: Code::NO_ERROR, .. })),
                "{side:?} after {steps} steps: {reason:?}"
            );
        }
    }
}

#[test]
fn a_signer_that_fails_ends_the_connection_and_an_answer_without_a_question_does_nothing() {
    let mut pair = Pair::new();
    let now = pair.now;
    pair.client.provide_signature(now, Err(CryptoError));
    for datagram in pair.flush_client() {
        pair.at_server(client_address(), &datagram);
    }
    pair.server().provide_signature(now, Err(CryptoError));
    pair.flush_server();
    assert_eq!(fault(&pair.server_events), Some(Code::INTERNAL));
    assert!(!pair.client.is_closed());

    let mut pair = Pair::connected();
    let now = pair.now;
    pair.server().provide_signature(now, Err(CryptoError));
    assert!(pair.server().is_established());
}

#[test]
fn extra_polls_change_nothing() {
    let story = |extra: bool| {
        let mut pair = Pair::new();
        let mut small = vec![0; 1100];
        for step in 0..120u32 {
            pair.run(MS(5));
            let now = pair.now - MS(5);
            if step == 40 {
                let id = pair.client.open_stream(Dir::Uni).unwrap();
                pair.client.write(id, &vec![7; 30_000]).unwrap();
            }
            if step == 100 {
                pair.client.close(now, AppCode(1), b"");
            }
            if !extra {
                continue;
            }
            let Pair { client, server, .. } = &mut pair;
            for connection in core::iter::once(client).chain(server) {
                for _ in 0..3 {
                    let timeout = connection.next_timeout();
                    assert!(connection.poll_transmit(now, &mut small, 9).is_none());
                    connection.handle_timeout(now);
                    assert!(connection.poll_event().is_none_or(|event| matches!(
                        event,
                        Event::Stream(StreamEvent::Opened { .. } | StreamEvent::Readable(_))
                            | Event::Confirmed
                            | Event::Closed(_)
                    )));
                    connection.handle_datagrams(now, &from(client_address()), &mut [], 1);
                    assert_eq!(connection.next_timeout(), timeout);
                    let _ = connection.stats();
                }
            }
        }
        pair.log
    };
    let (plain, polled) = (story(false), story(true));
    assert_eq!(plain.len(), polled.len());
    assert!(plain == polled, "the same bytes");
}

#[test]
fn nothing_follows_the_event_that_tells_of_the_end() {
    let streams = StreamConfig { send_buffer: 1000, ..StreamConfig::default() };
    let config = TransportConfig { streams, ..TransportConfig::default() };
    let mut pair = Pair::with(config, TransportConfig::default());
    pair.run(MS(500));
    let [full, waiting] = [0; 2].map(|_| pair.client.open_stream(Dir::Uni).unwrap());
    assert_eq!(pair.client.write(full, &[7; 2000]), Ok(1000));
    assert_eq!(pair.client.write(waiting, b"x"), Err(WriteError::Blocked));
    pair.client.close(pair.now, AppCode(1), b"");
    let last = core::iter::from_fn(|| pair.client.poll_event()).last();
    assert!(matches!(last, Some(Event::Closed(_))));
    // It makes room for the other writer, whom that helps no more.
    pair.client.reset(full, AppCode(2)).unwrap();
    assert!(pair.client.poll_event().is_none());
}
