//! Everything that parses what a stranger sends: packet headers, frames, parameters, messages of the
//! handshake.
//!
//! The first byte of the input says what the rest is: 0 a datagram, 1 the payload of a packet,
//! 2 transport parameters, 3 a ClientHello, 4 what a server answers (two bytes of length, the
//! Initial bytes, the Handshake bytes), which a client takes whose seed never changes. Besides not panicking, a decoder must stay within its input, and what it
//! accepts must survive being encoded again.

#![no_main]

use jsp_proto::crypto::rustcrypto::RustCrypto;
use jsp_proto::handshake::{AcceptAny, ClientConfig, Handshake, Peeked, peek_client_hello};
use jsp_proto::ids::{ConnectionId, Side, Space};
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::wire::frame::{Frame, Frames, MAX_RANGES, StreamFrame};
use jsp_proto::wire::header::Packet;
use jsp_proto::wire::parameters::Parameters;
use jsp_proto::wire::permission::permitted;
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

fuzz_target!(|input: &[u8]| {
    match input.split_first() {
        Some((0, datagram)) => read_datagram(datagram),
        Some((1, payload)) => read_payload(payload),
        Some((2, parameters)) => read_parameters(parameters),
        Some((3, hello)) => read_client_hello(hello),
        Some((4, flight)) => read_server_flight(flight),
        _ => {}
    }
});

fn read_datagram(mut rest: &[u8]) {
    while let Ok(packet) = Packet::parse(rest) {
        match packet {
            Packet::Protected(packet) => {
                let _ = &rest[packet.token];
                assert!(rest[packet.number_at..packet.end].len() >= 20);
                rest = &rest[packet.end..];
            }
            Packet::Retry { token, .. } => return assert!(!rest[token].is_empty()),
            Packet::Negotiation { versions, .. } => {
                return assert!(!rest[versions.clone()].is_empty() && versions.len() % 4 == 0);
            }
            Packet::Other { .. } => return,
        }
    }
}

fn read_payload(payload: &[u8]) {
    let mut count = 0;
    for frame in Frames::new(payload) {
        count += 1;
        let Ok((kind, frame)) = frame else { break };
        assert!(
            Space::ALL.iter().any(|&space| permitted(kind, space, Side::Server)),
            "a frame that parses is permitted somewhere"
        );
        if let Frame::Ack(ack) = &frame {
            let mut below = u64::MAX;
            for range in ack.ranges() {
                assert!(range.start() <= range.end() && *range.end() < below);
                below = *range.start();
            }
            assert!((1..=MAX_RANGES).contains(&ack.ranges().count()));
        }
        assert_survives(&frame);
    }
    assert!(count <= payload.len());
}

fn assert_survives(frame: &Frame<'_>) {
    let mut encoded = Vec::new();
    // A frame's data is limited to what a datagram can hold.
    if frame.encode(&mut encoded).is_err() {
        return assert!(
            matches!(frame, Frame::Stream(StreamFrame { data, .. }) if data.len() > 0xffff)
        );
    }
    let mut frames = Frames::new(&encoded);
    let again = frames.next().and_then(Result::ok).map(|(_, frame)| frame);
    assert_eq!((again.as_ref(), frames.next()), (Some(frame), None));
}

fn read_parameters(bytes: &[u8]) {
    if let Ok(parameters) = Parameters::decode(bytes) {
        let mut encoded = Vec::new();
        parameters.encode(&mut encoded, 7).expect("a vector has room");
        assert_eq!(Parameters::decode(&encoded), Ok(parameters));
    }
}

fn read_client_hello(bytes: &[u8]) {
    match peek_client_hello(bytes) {
        Ok(Peeked::Whole(info)) => assert!(info.len <= bytes.len()),
        Ok(Peeked::Partial { len }) => assert!(len.is_none_or(|len| len > bytes.len())),
        Err(_) => {}
    }
}

fn read_server_flight(bytes: &[u8]) {
    let Some((len, rest)) = bytes.split_first_chunk() else { return };
    let (initial, handshake) = rest.split_at(rest.len().min(u16::from_be_bytes(*len).into()));
    let config = ClientConfig::new(Arc::new(RustCrypto), Arc::new(AcceptAny));
    let rng = Rng::new(&Seed::from_u64(1), "client");
    let odcid = ConnectionId::from([9, 1, 2, 3, 4, 5, 6, 7]);
    let mut client = Handshake::client(Arc::new(config), rng, &Parameters::default(), odcid)
        .expect("the portable provider generates keys");
    let taken = client
        .receive(Space::Initial, 0, initial)
        .and_then(|()| client.receive(Space::Handshake, 0, handshake));
    while client.poll().is_some() {}
    // What was refused stays refused.
    if taken.is_err() {
        assert_eq!(client.receive(Space::Handshake, 0, &[]), taken);
    }
}
