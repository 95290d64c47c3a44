//! Threat: a frame in the wrong packet type or role. The whole matrix, sealed and sent.

use super::pair::{Pair, client_address, closed, craft_payload};
use crate::error::{AppCode, CloseReason, Code};
use crate::ids::{ConnectionId, Dir, Side, Space, StreamId};
use crate::wire::frame::{
    AckFrame, AckFrequencyFrame, AppCloseFrame, Frame, NewConnectionId, ResetToken, StreamFrame,
    TransportCloseFrame,
};
use alloc::vec::Vec;
use core::time::Duration;

const I: u8 = 1;
const H: u8 = 2;
const C: u8 = 4;
const S: u8 = 8;

/// Each frame type, well formed, and where the specification allows it.
fn matrix() -> Vec<(u8, Vec<u8>)> {
    let id = StreamId::new(Side::Client, Dir::Bi, 0);
    let data = b"x";
    let mut ack = Vec::new();
    AckFrame::write(&mut ack, 64, core::iter::once(0..=0), Duration::ZERO, None).unwrap();
    let mut ack_ecn = Vec::new();
    let counts = Some(crate::wire::frame::EcnCounts::default());
    AckFrame::write(&mut ack_ecn, 64, core::iter::once(0..=0), Duration::ZERO, counts).unwrap();
    let new_id = NewConnectionId {
        sequence: 1,
        retire_prior_to: 0,
        id: ConnectionId::from([9; 8]),
        reset_token: ResetToken([9; 16]),
    };
    let request =
        AckFrequencyFrame { sequence: 0, threshold: 10, max_delay_micros: 9000, reordering: 1 };
    let close = TransportCloseFrame { code: Code::NO_ERROR, frame: 0, reason: b"" };
    let frames = [
        (I | H | C | S, Frame::Padding(4)),
        (I | H | C | S, Frame::Ping),
        (C | S, Frame::ResetStream { id, code: AppCode(0), final_size: 0 }),
        (C | S, Frame::StopSending { id, code: AppCode(0) }),
        (I | H, Frame::Crypto { offset: 0, data }),
        (C | S, Frame::MaxData(9)),
        (C | S, Frame::MaxStreamData { id, max: 9 }),
        (C | S, Frame::MaxStreams { dir: Dir::Bi, max: 9 }),
        (C | S, Frame::MaxStreams { dir: Dir::Uni, max: 9 }),
        (C | S, Frame::DataBlocked(9)),
        (C | S, Frame::StreamDataBlocked { id, limit: 9 }),
        (C | S, Frame::StreamsBlocked { dir: Dir::Bi, limit: 9 }),
        (C | S, Frame::StreamsBlocked { dir: Dir::Uni, limit: 9 }),
        (C | S, Frame::NewConnectionId(new_id)),
        (C | S, Frame::RetireConnectionId(0)),
        (I | H | C | S, Frame::TransportClose(close)),
        (C | S, Frame::AppClose(AppCloseFrame { code: AppCode(0), reason: b"" })),
        (S, Frame::HandshakeDone),
        (C | S, Frame::AckFrequency(request)),
        (C | S, Frame::ImmediateAck),
        (C | S, Frame::Stream(StreamFrame { id, offset: None, fin: false, data })),
    ];
    let encoded = frames.iter().map(|(allowed, frame)| {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes).unwrap();
        (*allowed, bytes)
    });
    encoded.chain([(I | H | C | S, ack), (I | H | C | S, ack_ecn)]).collect()
}

/// Sends `payload` in a packet of `space` from `sender`, at a moment when the peer can read it;
/// returns why the peer ended the connection, if it did.
fn send(sender: Side, space: Space, payload: &[u8]) -> Option<CloseReason> {
    let mut pair = if space == Space::Data {
        Pair::connected()
    } else {
        let mut pair = Pair::new();
        for datagram in pair.flush_client() {
            pair.at_server(client_address(), &datagram);
        }
        for datagram in pair.flush_server() {
            // No more than the ServerHello, for the keys of its space.
            if space == Space::Handshake && pair.client.spaces.handshake.is_none() {
                pair.at_client(&datagram);
            }
        }
        pair
    };
    match sender {
        Side::Client => {
            let packet = craft_payload(&mut pair.client, space, payload);
            pair.at_server(client_address(), &packet);
        }
        Side::Server => {
            let packet = craft_payload(pair.server(), space, payload);
            pair.at_client(&packet);
        }
    }
    pair.flush_client();
    pair.flush_server();
    let events = if sender == Side::Client { &pair.server_events } else { &pair.client_events };
    closed(events).cloned()
}

fn is_refused(reason: Option<&CloseReason>) -> bool {
    matches!(reason, Some(CloseReason::LocalError(error))
        if error.code == Code::PROTOCOL_VIOLATION && error.reason == "frame not allowed here")
}

#[test]
fn a_frame_in_the_wrong_packet_or_from_the_wrong_side_ends_the_connection_and_no_other_does() {
    for (allowed, payload) in matrix() {
        for sender in [Side::Client, Side::Server] {
            let data = if sender == Side::Client { C } else { S };
            for (space, bit) in [(Space::Initial, I), (Space::Handshake, H), (Space::Data, data)] {
                let reason = send(sender, space, &payload);
                let what = (payload[0], sender, space, &reason);
                assert_eq!(is_refused(reason.as_ref()), allowed & bit == 0, "{what:?}");
            }
        }
    }
}

#[test]
fn a_frame_of_no_known_type_ends_the_connection_wherever_it_comes_from() {
    for sender in [Side::Client, Side::Server] {
        for space in Space::ALL {
            for kind in [0x08, 0x0f, 0x1a, 0x1b, 0x20, 0x40, 0x7f] {
                match send(sender, space, &[kind; 20]) {
                    Some(CloseReason::LocalError(error)) => {
                        assert_eq!((error.code, error.frame), (Code::FRAME_ENCODING, kind));
                    }
                    other => panic!("{kind:#x} from {sender:?} in {space:?}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn a_packet_without_frames_ends_the_connection() {
    // The shortest packet: its number takes four bytes, so that nothing need be padded.
    let mut pair = Pair::connected();
    let far = crate::ids::PacketNumber(1 << 28);
    let packet = super::pair::seal(&mut pair.client, Space::Data, far, b"");
    pair.at_server(client_address(), &packet);
    pair.flush_server();
    let reason = closed(&pair.server_events);
    assert!(
        matches!(reason, Some(CloseReason::LocalError(error))
        if error.code == Code::PROTOCOL_VIOLATION),
        "{reason:?}"
    );
}
