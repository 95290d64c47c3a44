//! Threat: malformed packets. Nothing that arrives panics, loops or reads past its end.

use super::sample::{Recipe, one_of_each};
use crate::ids::{Side, Space};
use crate::wire::Reader;
use crate::wire::frame::{Frame, Frames, MAX_RANGES};
use crate::wire::header::Packet;
use crate::wire::permission::permitted;
use quickcheck::quickcheck;
use std::vec::Vec;

/// Reads all of `payload`; how many frames it held.
fn read_all(payload: &[u8]) -> usize {
    let mut count = 0;
    let mut frames = Frames::new(payload);
    while let Some(frame) = frames.next() {
        count += 1;
        match frame {
            Ok((kind, Frame::Ack(ack))) => {
                let mut below = u64::MAX;
                let ranges = ack.ranges().inspect(|range| {
                    assert!(range.start() <= range.end() && *range.end() < below);
                    below = *range.start();
                });
                assert!((1..=MAX_RANGES).contains(&ranges.count()) && kind < 4);
            }
            Ok((kind, _)) => assert!(permitted(kind, Space::Data, Side::Server) || kind == 6),
            Err(_) => assert!(frames.next().is_none(), "nothing follows a fault"),
        }
    }
    count
}

fn parses_within(datagram: &[u8]) -> bool {
    let mut rest = datagram;
    let mut packets = 0;
    while let Ok(packet) = Packet::parse(rest) {
        let within = |range: &core::ops::Range<usize>| rest.get(range.clone()).is_some();
        packets += 1;
        let sound = match &packet {
            Packet::Protected(p) => within(&p.token) && within(&(p.number_at + 20..p.end)),
            Packet::Retry { token: range, .. } | Packet::Negotiation { versions: range, .. } => {
                within(range)
            }
            Packet::Other { .. } => true,
        };
        let Packet::Protected(packet) = packet else { return sound };
        if !sound || packet.end == 0 {
            return false;
        }
        rest = &rest[packet.end..];
    }
    packets <= datagram.len()
}

quickcheck! {
    fn random_bytes_never_panic_and_reading_them_ends(chunks: Vec<Vec<u8>>) -> bool {
        let bytes = chunks.concat();
        read_all(&bytes) <= bytes.len() && parses_within(&bytes)
    }

    fn a_flipped_frame_never_panics(recipe: Recipe, at: usize, bits: u8) -> bool {
        let mut bytes = recipe.encoded();
        let at = at % bytes.len();
        bytes[at] ^= bits;
        read_all(&bytes) <= bytes.len()
    }

    fn frames_behind_any_type_byte_end(kind: u8, bytes: Vec<u8>) -> bool {
        let payload = [&[kind][..], &bytes].concat();
        (1..=payload.len()).contains(&read_all(&payload))
    }

    fn a_long_header_of_random_fields_never_panics(first: u8, version: Option<u32>, rest: Vec<u8>) -> bool {
        let version = version.unwrap_or(crate::ids::Version::V1.0);
        parses_within(&[&[first | 0x80][..], &version.to_be_bytes(), &rest].concat())
    }
}

#[test]
fn every_truncation_of_every_frame_together_ends_in_one_fault_or_none() {
    let payload = one_of_each();
    let whole = read_all(&payload);
    assert_eq!(whole, usize::from(Recipe::SHAPES));
    for cut in 0..payload.len() {
        let frames: Vec<_> = Frames::new(&payload[..cut]).collect();
        let faults = frames.iter().filter(|frame| frame.is_err()).count();
        assert!(faults <= 1 && frames.len() <= whole, "{cut}");
    }
}

#[test]
fn a_million_bytes_of_padding_are_one_frame() {
    let payload = std::vec![0; 1 << 20];
    assert_eq!(read_all(&payload), 1);
}

#[test]
fn a_length_near_the_largest_integer_is_malformed() {
    for prefix in [&[0x06, 0x00][..], &[0x1d, 0x00], &[0xa0, 0x00]] {
        let bytes = [prefix, &[0xff; 8], &[0; 32]].concat();
        assert!(Frames::new(&bytes).next().unwrap().is_err());
    }
    assert!(Reader::new(&[0xff; 9]).varint_prefixed().is_err());
    assert!(Reader::new(&[]).take(usize::MAX).is_err());
}
