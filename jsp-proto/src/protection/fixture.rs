//! Packets for the room's tests.
#![allow(clippy::unwrap_used)]

use crate::crypto::TAG_LEN;
use crate::ids::{ConnectionId, PacketNumber};
use crate::wire::header::{Kind, encode_long, encode_short, set_length};
use crate::wire::{TruncatedNumber, Writer};
use std::vec::Vec;

/// A packet ready to be sealed, and where its number lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plain {
    pub(super) bytes: Vec<u8>,
    pub(super) number: PacketNumber,
    pub(super) number_at: usize,
    pub(super) number_len: usize,
}

pub(super) const PAYLOAD: &[u8] = b"eleven frames and some padding";

impl Plain {
    /// A packet of which the peer acknowledged nothing; `phase` counts in short headers only.
    pub(super) fn new(kind: Kind, phase: bool, number: u64) -> Self {
        Self::sized(kind, phase, number, None)
    }

    /// A packet whose number is as short as the peer's acknowledgements allow.
    pub(super) fn sized(kind: Kind, phase: bool, number: u64, acked: Option<u64>) -> Self {
        let number = PacketNumber(number);
        let truncated = TruncatedNumber::new(number, acked.map(PacketNumber));
        let (dcid, scid) = (ConnectionId::from([1; 8]), ConnectionId::from([2; 8]));
        let mut out = [0; 200];
        let mut w = Writer::new(&mut out);
        let encoded = match kind {
            Kind::Data => encode_short(&mut w, &dcid, phase, truncated),
            _ => encode_long(&mut w, kind, &dcid, &scid, b"", truncated),
        }
        .unwrap();
        let mut bytes = w.written().to_vec();
        bytes.extend_from_slice(PAYLOAD);
        bytes.extend_from_slice(&[0; TAG_LEN]);
        if let Some(at) = encoded.length_at {
            let length = bytes.len() - encoded.number_at;
            set_length((&mut bytes[at..at + 2]).try_into().unwrap(), length);
        }
        let number_at = encoded.number_at;
        Self { bytes, number, number_at, number_len: truncated.len() }
    }
}
