//! Values of every shape, for properties.

use crate::error::{AppCode, Code};
use crate::ids::{ConnectionId, Dir, StreamId};
use crate::time::Duration;
use crate::wire::frame::{
    AckFrame, AckFrequencyFrame, AppCloseFrame, EcnCounts, Frame, Frames, NewConnectionId,
    ResetToken, StreamFrame, TransportCloseFrame,
};
use crate::wire::{Put, VARINT_MAX};
use quickcheck::{Arbitrary, Gen};
use std::boxed::Box;
use std::vec::Vec;

/// A variable-length integer of any magnitude, not mostly of the longest form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Varint(pub(super) u64);

impl Arbitrary for Varint {
    fn arbitrary(g: &mut Gen) -> Self {
        Self((u64::arbitrary(g) & VARINT_MAX) >> (u8::arbitrary(g) % 62))
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        Box::new(self.0.shrink().map(Self))
    }
}

/// What a frame is made of; a [`Frame`] borrows from it.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    pub(super) shape: u8,
    pub(super) numbers: [u64; 3],
    pub(super) bytes: Vec<u8>,
    pub(super) flags: [bool; 2],
}

impl Recipe {
    /// How many shapes of frame there are.
    pub(super) const SHAPES: u8 = 22;

    /// The frame; `ack` lends room to an encoded ACK.
    pub(super) fn frame<'a>(&'a self, ack: &'a mut Vec<u8>) -> Frame<'a> {
        let [a, b, c] = self.numbers;
        let data = &self.bytes[..];
        let id = StreamId(a);
        let dir = if self.flags[0] { Dir::Bi } else { Dir::Uni };
        let streams = a % (StreamId::MAX_COUNT + 1);
        match self.shape % Self::SHAPES {
            0 => Frame::Padding(1 + data.len()),
            1 => Frame::Ping,
            2 => self.ack(ack),
            3 => Frame::ResetStream { id, code: AppCode(b), final_size: c },
            4 => Frame::StopSending { id, code: AppCode(b) },
            5 => Frame::Crypto { offset: a, data },
            6 => Frame::MaxData(a),
            7 => Frame::MaxStreamData { id, max: b },
            8 => Frame::MaxStreams { dir, max: streams },
            9 => Frame::DataBlocked(a),
            10 => Frame::StreamDataBlocked { id, limit: b },
            11 => Frame::StreamsBlocked { dir, limit: streams },
            12 => Frame::NewConnectionId(NewConnectionId {
                sequence: a.max(b),
                retire_prior_to: a.min(b),
                id: ConnectionId::new(&[c as u8; 20][..=(c % 20) as usize]).unwrap(),
                reset_token: ResetToken([b as u8; 16]),
            }),
            13 => Frame::RetireConnectionId(a),
            14 => Frame::TransportClose(TransportCloseFrame {
                code: Code(a),
                frame: b as u8,
                reason: data,
            }),
            15 => Frame::AppClose(AppCloseFrame { code: AppCode(a), reason: data }),
            16 => Frame::HandshakeDone,
            17 => Frame::ImmediateAck,
            18 => Frame::AckFrequency(AckFrequencyFrame {
                sequence: a,
                threshold: b,
                max_delay_micros: c,
                reordering: b % 3,
            }),
            _ => Frame::Stream(StreamFrame {
                id,
                offset: if b == 0 { None } else { Some(b as u32) },
                fin: self.flags[0],
                data,
            }),
        }
    }

    /// An ACK of descending ranges whose lengths and gaps are the recipe's bytes.
    fn ack<'a>(&'a self, room: &'a mut Vec<u8>) -> Frame<'a> {
        let mut end = self.numbers[0].max(1 << 20);
        let ranges = core::iter::once(&0).chain(&self.bytes).map(move |&byte| {
            let range = end - u64::from(byte)..=end;
            end = range.start() - 2 - u64::from(byte / 2);
            range
        });
        let [_, ect0, ce] = self.numbers;
        let ecn = self.flags[0].then_some(EcnCounts { ect0, ect1: 7, ce });
        let delay = Duration::from_micros(self.numbers[1]);
        room.clear();
        AckFrame::write(room, 4096, ranges, delay, ecn).unwrap();
        Frames::new(room).next().unwrap().unwrap().1
    }

    /// The frame's encoding.
    pub(super) fn encoded(&self) -> Vec<u8> {
        let (mut out, mut ack) = (Vec::new(), Vec::new());
        self.frame(&mut ack).encode(&mut out).unwrap();
        out
    }
}

impl Arbitrary for Recipe {
    fn arbitrary(g: &mut Gen) -> Self {
        Self {
            shape: u8::arbitrary(g),
            numbers: [(); 3].map(|()| Varint::arbitrary(g).0),
            bytes: Vec::arbitrary(g),
            flags: [(); 2].map(|()| bool::arbitrary(g)),
        }
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let recipe = self.clone();
        Box::new(self.bytes.shrink().map(move |bytes| Self { bytes, ..recipe.clone() }))
    }
}

/// A connection ID of `len` (up to 20) bytes.
pub(super) fn cid(len: usize) -> ConnectionId {
    let bytes: Vec<u8> = (1..=len as u8).collect();
    ConnectionId::new(&bytes).unwrap()
}

/// A payload with one frame of each shape, STREAM last.
pub(super) fn one_of_each() -> Vec<u8> {
    let mut payload = Vec::new();
    for shape in 0..Recipe::SHAPES {
        let recipe = Recipe {
            shape,
            numbers: [70_000 + u64::from(shape), 300, 5],
            bytes: Vec::from(*b"data"),
            flags: [shape % 2 == 0, true],
        };
        payload.put(&recipe.encoded()).unwrap();
    }
    payload
}
