//! Transport parameters survive the wire; what is out of range is refused.

use super::sample::{Varint, cid};
use crate::ids::StreamId;
use crate::wire::frame::{MAX_WINDOW, ResetToken};
use crate::wire::parameters::{MAX_LEN, MIN_DATAGRAM, Parameters};
use crate::wire::{Malformed, Put, VARINT_MAX};
use quickcheck::{Arbitrary, Gen, quickcheck};
use std::vec::Vec;

impl Arbitrary for Parameters {
    fn arbitrary(g: &mut Gen) -> Self {
        let mut below = |limit: u64| Varint::arbitrary(g).0 % limit;
        let mut parameters = Self {
            idle_timeout_ms: below(VARINT_MAX),
            max_datagram: MIN_DATAGRAM + below(64_328) as u16,
            max_data: below(VARINT_MAX),
            stream_bidi_local: below(MAX_WINDOW + 1),
            stream_bidi_remote: below(MAX_WINDOW + 1),
            stream_uni: below(MAX_WINDOW + 1),
            max_streams: [below(StreamId::MAX_COUNT + 1), below(StreamId::MAX_COUNT + 1)],
            max_ack_delay_ms: below(1 << 14),
            cid_limit: 2 + below(VARINT_MAX - 2),
            ..Self::default()
        };
        let mut id = || bool::arbitrary(g).then(|| cid(usize::arbitrary(g) % 21));
        parameters.original_dcid = id();
        parameters.initial_scid = id();
        parameters.retry_scid = id();
        parameters.reset_token = bool::arbitrary(g).then_some(ResetToken([u8::arbitrary(g); 16]));
        let most = 1000 * parameters.max_ack_delay_ms.max(1);
        parameters.min_ack_delay_micros =
            bool::arbitrary(g).then(|| u64::arbitrary(g) % (most + 1));
        parameters
    }
}

fn encoded(parameters: &Parameters, grease: u32) -> Vec<u8> {
    let mut out = Vec::new();
    parameters.encode(&mut out, grease).unwrap();
    out
}

fn longest() -> Parameters {
    Parameters {
        original_dcid: Some(cid(20)),
        initial_scid: Some(cid(20)),
        retry_scid: Some(cid(20)),
        reset_token: Some(ResetToken([1; 16])),
        idle_timeout_ms: VARINT_MAX,
        max_datagram: 65_526,
        max_data: VARINT_MAX,
        stream_bidi_local: MAX_WINDOW,
        stream_bidi_remote: MAX_WINDOW,
        stream_uni: MAX_WINDOW,
        max_streams: [StreamId::MAX_COUNT; 2],
        max_ack_delay_ms: (1 << 14) - 1,
        cid_limit: VARINT_MAX,
        min_ack_delay_micros: Some(1000 * ((1 << 14) - 1)),
    }
}

quickcheck! {
    fn parameters_survive_the_wire(parameters: Parameters, grease: u32) -> bool {
        let bytes = encoded(&parameters, grease);
        bytes.len() <= MAX_LEN && Parameters::decode(&bytes) == Ok(parameters)
    }

    fn parameters_with_a_flipped_byte_never_panic(parameters: Parameters, at: usize, bits: u8) -> bool {
        let mut bytes = encoded(&parameters, 3);
        let at = at % bytes.len();
        bytes[at] ^= bits;
        // What is accepted is in range: it survives the wire once more.
        Parameters::decode(&bytes).map_or(true, |read| {
            Parameters::decode(&encoded(&read, 1)) == Ok(read)
        })
    }

    fn parameters_cut_inside_a_value_are_malformed(parameters: Parameters) -> bool {
        // The last parameter means nothing and holds 4 bytes.
        let bytes = encoded(&parameters, 4);
        let whole = bytes.len() - 4;
        (whole..bytes.len()).all(|cut| Parameters::decode(&bytes[..cut]) == Err(Malformed))
    }

    fn a_cut_anywhere_never_panics_nor_invents(parameters: Parameters) -> bool {
        let bytes = encoded(&parameters, 3);
        (0..bytes.len()).all(|cut| Parameters::decode(&bytes[..cut])
            .is_ok_and(|cut| cut.max_data == 0 || cut.max_data == parameters.max_data)
            || Parameters::decode(&bytes[..cut]) == Err(Malformed))
    }
}

#[test]
fn the_longest_parameters_survive_and_fit() {
    let bytes = encoded(&longest(), u32::MAX);
    assert!(bytes.len() <= MAX_LEN, "{}", bytes.len());
    assert_eq!(Parameters::decode(&bytes), Ok(longest()));
}

#[test]
fn nothing_means_the_defaults() {
    assert_eq!(Parameters::decode(&[]), Ok(Parameters::default()));
}

#[test]
fn an_unknown_parameter_is_ignored() {
    // Of the largest ID; of a small one that is not assigned; and with a value of any length.
    for id in [VARINT_MAX, 0x0a, 0x1f] {
        for len in [0, 1, 200] {
            let mut bytes = encoded(&longest(), 0);
            bytes.put_varint(id).unwrap();
            bytes.put_varint_prefixed(&std::vec![9; len]).unwrap();
            assert_eq!(Parameters::decode(&bytes), Ok(longest()));
        }
    }
}

#[test]
fn a_parameter_told_twice_is_refused() {
    let values: [(u64, &[u8]); 14] = [
        (0x00, &[1]),
        (0x01, &[1]),
        (0x02, &[1; 16]),
        (0x03, &[0x45, 0xdc]),
        (0x04, &[1]),
        (0x05, &[1]),
        (0x06, &[1]),
        (0x07, &[1]),
        (0x08, &[1]),
        (0x09, &[1]),
        (0x0b, &[1]),
        (0x0e, &[2]),
        (0x0f, &[1]),
        (0x10, &[1]),
    ];
    for (id, value) in values {
        let mut bytes = Vec::new();
        bytes.put_varint(id).unwrap();
        bytes.put_varint_prefixed(value).unwrap();
        assert!(Parameters::decode(&bytes).is_ok(), "{id:#x}");
        let twice = [&bytes[..], &bytes[..]].concat();
        assert_eq!(Parameters::decode(&twice), Err(Malformed), "{id:#x}");
    }
}

#[test]
fn a_value_out_of_range_is_refused() {
    let edges = [
        (0x03, 1200, 1199),
        (0x05, MAX_WINDOW, MAX_WINDOW + 1),
        (0x06, MAX_WINDOW, MAX_WINDOW + 1),
        (0x07, MAX_WINDOW, MAX_WINDOW + 1),
        (0x08, StreamId::MAX_COUNT, StreamId::MAX_COUNT + 1),
        (0x09, StreamId::MAX_COUNT, StreamId::MAX_COUNT + 1),
        (0x0b, (1 << 14) - 1, 1 << 14),
        (0x0e, 2, 1),
    ];
    for (id, good, bad) in edges {
        for (value, valid) in [(good, true), (bad, false)] {
            let (mut field, mut bytes) = (Vec::new(), Vec::new());
            field.put_varint(value).unwrap();
            bytes.put_varint(id).unwrap();
            bytes.put_varint_prefixed(&field).unwrap();
            assert_eq!(Parameters::decode(&bytes).is_ok(), valid, "{id:#x} = {value}");
            // Behind a number nothing may follow.
            *bytes.get_mut(1).unwrap() += 1;
            bytes.put_u8(0).unwrap();
            assert_eq!(Parameters::decode(&bytes), Err(Malformed));
        }
    }
}

#[test]
fn ids_and_tokens_of_the_wrong_length_are_refused() {
    for id in [0x00, 0x0f, 0x10] {
        let long = [&[id, 21][..], &[0; 21]].concat();
        assert_eq!(Parameters::decode(&long), Err(Malformed));
    }
    for len in [0, 15, 17] {
        let token = [&[2, len][..], &std::vec![0; usize::from(len)]].concat();
        assert_eq!(Parameters::decode(&token), Err(Malformed));
    }
}

#[test]
fn a_datagram_size_beyond_udp_means_no_limit() {
    let parameters = Parameters::decode(&[0x03, 4, 0xbf, 0xff, 0xff, 0xff]).unwrap();
    assert_eq!(parameters.max_datagram, 65_527);
}

#[test]
fn parameters_of_more_than_512_bytes_are_refused() {
    for (len, valid) in [(512, true), (513, false)] {
        let mut bytes = std::vec![0x3f];
        bytes.put_varint_prefixed(&std::vec![0; len - 3]).unwrap();
        assert_eq!((bytes.len(), Parameters::decode(&bytes).is_ok()), (len, valid));
    }
}
