//! Frames survive the wire, within the overhead that the protocol promises.

use super::sample::{Recipe, Varint};
use crate::ids::{PacketNumber, StreamId};
use crate::time::Duration;
use crate::wire::frame::{
    AckFrame, AppCloseFrame, EcnCounts, Frame, Frames, MAX_RANGES, MAX_REASON, MAX_WINDOW,
    StreamFrame, StreamHeader, expand_offset,
};
use crate::wire::{Full, Put, VARINT_MAX, Writer, varint_len};
use core::ops::RangeInclusive;
use quickcheck::{TestResult, quickcheck};
use std::vec::Vec;

fn only_frame(bytes: &[u8]) -> Frame<'_> {
    let mut frames = Frames::new(bytes);
    let (kind, frame) = frames.next().unwrap().unwrap();
    assert_eq!((kind, frames.next()), (bytes[0], None));
    frame
}

quickcheck! {
    fn a_frame_survives_the_wire(recipe: Recipe) -> bool {
        let encoded = recipe.encoded();
        let mut ack = Vec::new();
        only_frame(&encoded) == recipe.frame(&mut ack)
    }

    fn frames_follow_one_another(recipes: Vec<Recipe>) -> bool {
        // Runs of padding would join.
        let recipes = recipes.iter().filter(|recipe| recipe.shape % Recipe::SHAPES != 0);
        let payload: Vec<u8> = recipes.clone().flat_map(Recipe::encoded).collect();
        let read: Vec<_> = Frames::new(&payload).map(|frame| frame.unwrap().1).collect();
        let count = recipes.clone().count();
        read.len() == count
            && recipes.zip(&read).all(|(recipe, read)| recipe.frame(&mut Vec::new()) == *read)
    }

    fn a_frame_cut_short_is_malformed_wherever_the_cut(recipe: Recipe) -> TestResult {
        let encoded = recipe.encoded();
        // A shorter run of padding is a run of padding.
        if recipe.shape.is_multiple_of(Recipe::SHAPES) {
            return TestResult::discard();
        }
        let refused = |cut: usize| matches!(
            Frames::new(&encoded[..cut]).collect::<Vec<_>>()[..],
            [Err(error)] if error.code == crate::error::Code::FRAME_ENCODING
                && error.frame == encoded[0]
        );
        TestResult::from_bool((1..encoded.len()).all(refused))
    }

    fn a_frame_that_does_not_fit_says_so(recipe: Recipe) -> bool {
        let (encoded, mut ack) = (recipe.encoded(), Vec::new());
        let frame = recipe.frame(&mut ack);
        (0..encoded.len()).all(|len| {
            frame.encode(&mut Writer::new(&mut std::vec![0; len])) == Err(Full)
        })
    }

    fn the_low_bits_tell_an_offset_within_a_window(expected: Varint, ahead: u32, behind: bool) -> bool {
        let distance = u64::from(ahead) % (MAX_WINDOW + 1);
        let offset = if behind {
            expected.0.saturating_sub(distance)
        } else {
            expected.0 + distance
        };
        let low = (offset != 0).then_some(offset as u32);
        expand_offset(low, expected.0) == offset
    }

    fn any_low_bits_expand_without_harm(low: Option<u32>, expected: Varint) -> bool {
        let offset = expand_offset(low, expected.0);
        low.is_none() && offset == 0
            || low == Some(offset as u32) && (offset.abs_diff(expected.0) <= 1 << 31 || offset < 1 << 32)
    }

    fn a_stream_header_tells_its_size(id: Varint, offset: u64, fin: bool, len: Option<u16>) -> bool {
        let id = StreamId(id.0);
        let mut out = Vec::new();
        StreamHeader { id, offset, fin, len }.encode(&mut out).unwrap();
        let field = len.map_or(0, |len| varint_len(len.into()));
        out.len() == StreamHeader::size_without_length(id, offset) + field
            && out.len() <= StreamHeader::MAX_LEN
    }
}

#[test]
fn offsets_expand_across_the_multiples_of_the_span() {
    for multiple in [1u64 << 32, 1 << 33, 7 << 32, 1 << 61] {
        for expected in (multiple - 3..multiple + 3).chain([multiple - MAX_WINDOW]) {
            for offset in [multiple - 2, multiple - 1, multiple, multiple + 1] {
                assert_eq!(expand_offset(Some(offset as u32), expected), offset, "{expected}");
            }
        }
    }
}

#[test]
fn a_stream_frame_at_a_multiple_of_the_span_is_not_one_at_the_start() {
    let mut out = Vec::new();
    let header = StreamHeader { id: StreamId(4), offset: 1 << 32, fin: false, len: None };
    header.encode(&mut out).unwrap();
    let expected = StreamFrame { id: StreamId(4), offset: Some(0), fin: false, data: &[] };
    assert_eq!(only_frame(&out), Frame::Stream(expected));
}

#[test]
fn a_stream_frame_costs_at_most_eight_bytes_for_the_first_streams() {
    for id in (0..1024).map(StreamId) {
        for offset in [0, 1, 1 << 16, u64::from(u32::MAX), 1 << 32, VARINT_MAX] {
            // Data of 16 KiB and more takes the rest of its packet, which has no other room.
            for len in [None, Some(0), Some(63), Some(64), Some((1 << 14) - 1)] {
                let mut out = Vec::new();
                StreamHeader { id, offset, fin: true, len }.encode(&mut out).unwrap();
                assert!(out.len() <= 8, "{id:?} at {offset}, {len:?}: {}", out.len());
            }
        }
    }
}

#[test]
fn a_stream_without_a_length_takes_the_rest_of_the_packet() {
    let mut out = Vec::new();
    let header = StreamHeader { id: StreamId(9), offset: 3, fin: true, len: None };
    header.encode(&mut out).unwrap();
    out.put(b"rest\x01\x00").unwrap();
    let expected =
        StreamFrame { id: StreamId(9), offset: Some(3), fin: true, data: b"rest\x01\x00" };
    assert_eq!(only_frame(&out), Frame::Stream(expected));
}

#[test]
fn a_stream_id_beyond_62_bits_or_with_stray_bits_is_malformed() {
    let mut widest = std::vec![0x8c];
    widest.put(&VARINT_MAX.to_be_bytes()).unwrap();
    assert!(matches!(only_frame(&widest), Frame::Stream(frame) if frame.id.0 == VARINT_MAX));
    let (mut beyond, mut stray) = (widest.clone(), widest);
    beyond[1] = 0x40;
    stray[0] |= 1;
    for bytes in [beyond, stray] {
        assert!(Frames::new(&bytes).next().unwrap().is_err());
    }
}

fn every_other_packet(largest: u64) -> impl Iterator<Item = RangeInclusive<u64>> {
    (0..=largest).rev().step_by(2).map(|number| number..=number)
}

fn read_ranges(bytes: &[u8]) -> Vec<RangeInclusive<u64>> {
    let Frame::Ack(ack) = only_frame(bytes) else { panic!("not an ACK") };
    ack.ranges().collect()
}

#[test]
fn an_ack_holds_256_ranges_and_no_more() {
    let largest = 1 << 40;
    let mut out = Vec::new();
    let ranges = every_other_packet(largest);
    AckFrame::write(&mut out, usize::MAX, ranges, Duration::ZERO, None).unwrap();
    let expected: Vec<_> = every_other_packet(largest).take(MAX_RANGES).collect();
    assert_eq!(read_ranges(&out), expected);
    // The same frame with one range more: the count is the two-byte field behind type, largest
    // and delay.
    let count_at = 1 + 8 + 1;
    assert_eq!(out[count_at..count_at + 2], [0x40, 0xff]);
    out[count_at..count_at + 2].copy_from_slice(&[0x41, 0x00]);
    out.put(&[0, 0]).unwrap();
    assert!(Frames::new(&out).next().unwrap().is_err());
}

#[test]
fn the_widest_ranges_of_the_receive_window_all_fit() {
    // 1024 packets in 256 ranges of the longest encodings that the window allows.
    let largest = 1 << 50;
    let ranges = (0..256u64).map(|i| largest - 4 * i..=largest - 4 * i);
    let mut out = Vec::new();
    AckFrame::write(&mut out, usize::MAX, ranges, Duration::ZERO, None).unwrap();
    assert_eq!(read_ranges(&out).len(), 256);
    let halves = [largest - 500..=largest, largest - 1023..=largest - 600];
    out.clear();
    AckFrame::write(&mut out, usize::MAX, halves.iter().cloned(), Duration::ZERO, None).unwrap();
    assert_eq!(read_ranges(&out), halves);
}

#[test]
fn an_ack_keeps_its_limit_and_drops_the_oldest_ranges() {
    let ecn = Some(EcnCounts { ect0: 1 << 40, ect1: 3, ce: 70 });
    let all: Vec<_> = every_other_packet(400).collect();
    let mut shortest = None;
    for limit in 0..500 {
        let mut out = Vec::new();
        let delay = Duration::from_micros(70);
        match AckFrame::write(&mut out, limit, all.iter().cloned(), delay, ecn) {
            Ok(()) => {
                let read = read_ranges(&out);
                // A further range takes 2 bytes here, and the count may grow by one.
                let full = out.len() + 3 > limit || read.len() == all.len();
                assert!(out.len() <= limit && full, "{limit}: {}", out.len());
                assert_eq!(read, all[..read.len()]);
                shortest.get_or_insert(limit);
            }
            Err(Full) => assert!(shortest.is_none() && out.is_empty()),
        }
    }
    // Type, largest, delay, count, first range, ECN counts.
    assert_eq!(shortest, Some(1 + 2 + 2 + 1 + 1 + 8 + 1 + 2));
}

#[test]
fn an_ack_of_nothing_is_not_written() {
    let none = core::iter::empty();
    let written = AckFrame::write(&mut Vec::new(), 100, none, Duration::ZERO, None);
    assert_eq!(written, Err(Full));
}

#[test]
fn an_ack_of_packets_below_zero_is_malformed() {
    // Largest 4: a first range of 5 further packets; then a gap that goes below 0, or a range.
    for body in [&[4, 0, 0, 5][..], &[4, 0, 1, 2, 1, 0], &[4, 0, 1, 0, 1, 2]] {
        let mut bytes = std::vec![2];
        bytes.put(body).unwrap();
        assert!(Frames::new(&bytes).next().unwrap().is_err(), "{body:?}");
    }
    assert_eq!(read_ranges(&[2, 4, 0, 1, 0, 1, 1]), [4..=4, 0..=1]);
}

#[test]
fn the_longest_delay_survives() {
    let mut out = Vec::new();
    AckFrame::write(&mut out, 100, core::iter::once(1..=1), Duration::MAX, None).unwrap();
    let Frame::Ack(ack) = only_frame(&out) else { panic!("not an ACK") };
    assert_eq!((ack.largest, ack.delay_micros), (PacketNumber(1), VARINT_MAX));
}

#[test]
fn the_header_within_a_stream_is_the_usual_one_but_for_the_offset() {
    for bits in 0..62 {
        for id in
            [StreamId(1 << bits), StreamId((1 << bits) - 1), StreamId(0x2_a5a5_5a5a >> (bits % 34))]
        {
            let mut out = Vec::new();
            let header = StreamHeader { id, offset: 0x0102_0304, fin: false, len: None };
            header.encode(&mut out).unwrap();
            let (mut bytes, len) = StreamHeader::within(id);
            bytes[len - 4..len].copy_from_slice(&[1, 2, 3, 4]);
            assert_eq!(bytes[..len], out, "{id:?}");
        }
    }
}

#[test]
fn a_reason_that_is_too_long_loses_its_end() {
    let long = [b'x'; MAX_REASON + 1];
    let mut out = Vec::new();
    let code = crate::error::AppCode(3);
    Frame::AppClose(AppCloseFrame { code, reason: &long }).encode(&mut out).unwrap();
    let expected = AppCloseFrame { code, reason: &long[..MAX_REASON] };
    assert_eq!(only_frame(&out), Frame::AppClose(expected));
    // A peer that does not cut is at fault.
    let mut out = std::vec![0x1d, 3];
    out.put_varint_prefixed(&long).unwrap();
    assert!(Frames::new(&out).next().unwrap().is_err());
}

#[test]
fn a_connection_id_frame_outside_its_ranges_is_malformed() {
    let frame = |retire: u8, len: u8| {
        let mut out = std::vec![0x18, 5, retire, len];
        out.put(&std::vec![1; usize::from(len) + 16]).unwrap();
        Frames::new(&out).next().unwrap().is_ok()
    };
    assert!(frame(5, 1) && frame(0, 20));
    assert!(!frame(6, 8) && !frame(0, 0) && !frame(0, 21));
}

#[test]
fn more_streams_than_there_are_numbers_for_are_malformed() {
    for kind in [0x12, 0x13, 0x16, 0x17] {
        for (max, valid) in [(StreamId::MAX_COUNT, true), (StreamId::MAX_COUNT + 1, false)] {
            let mut out = std::vec![kind];
            out.put_varint(max).unwrap();
            assert_eq!(Frames::new(&out).next().unwrap().is_ok(), valid);
        }
    }
}
