//! A run of packets that hold nothing but new data of streams, each of the path's full size.
//!
//! Nearly all packets of a transfer are such. What they have in common is done once for a run, not for
//! each packet; anything unusual ends it, and goes the way of all packets (`output.rs`).
//!
//! ```text
//!  before   may it be?  window, pacing, key   header   time, ECN, delivery rate
//!  each     number | frame header | data copied | record | (tap) | sealed
//!  after    headers masked, all at once    streams' accounts    pacer, controller, idle timer
//! ```

use super::Connection;
use super::tap::{Tap, TapPacket};
use crate::crypto::{SAMPLE_LEN, TAG_LEN};
use crate::ids::{ConnectionId, Ecn, PacketNumber, PathId, Space};
use crate::protection::{DataKeys, WINDOW};
use crate::record::SentPacket;
use crate::recovery::SentTrain;
use crate::rng::Rng;
use crate::stream::Turn;
use crate::time::Time;
use crate::wire::header::{Kind, encode_short};
use crate::wire::{TruncatedNumber, Writer};
use core::slice::ChunksExactMut;

/// The most packets of a run: what one system call takes.
const MAX: usize = 64;
/// How many numbers that many packets take at most: of two in a row, one may be left out.
const MOST_NUMBERS: u64 = 2 * MAX as u64;
/// Where the packet number begins in a short header.
const NUMBER_AT: usize = 1 + ConnectionId::LEN;

/// The short header that the packets of a run share, but for their numbers.
struct Header {
    front: [u8; NUMBER_AT],
    number_len: usize,
}

impl Header {
    /// The header of a run that begins with `number`, for a peer that has acknowledged up to `acked`; `None`
    /// if the numbers of the run may differ in length.
    fn new(
        dcid: &ConnectionId,
        key_phase: bool,
        number: PacketNumber,
        acked: Option<PacketNumber>,
    ) -> Option<Self> {
        let last = PacketNumber(number.0 + MOST_NUMBERS);
        let last = TruncatedNumber::overtaken(last, acked, WINDOW);
        let number = TruncatedNumber::overtaken(number, acked, WINDOW);
        if last.len() != number.len() {
            return None;
        }
        let mut bytes = [0; NUMBER_AT + TruncatedNumber::MAX_LEN];
        let encoded = encode_short(&mut Writer::new(&mut bytes), dcid, key_phase, number).ok()?;
        let front = *bytes.first_chunk()?;
        (encoded.number_at == NUMBER_AT).then_some(Self { front, number_len: number.len() })
    }

    const fn len(&self) -> usize {
        NUMBER_AT + self.number_len
    }

    /// Writes the header of packet `number`.
    fn write(&self, number: PacketNumber, packet: &mut [u8]) -> Option<()> {
        let (front, rest) = packet.split_first_chunk_mut()?;
        *front = self.front;
        // What is left of the four bytes is overwritten by the frame.
        let number = (number.0 as u32) << (32 - 8 * self.number_len);
        *rest.first_chunk_mut()? = number.to_be_bytes();
        Some(())
    }
}

/// A run being written.
struct Run<'a> {
    now: Time,
    header: Header,
    keys: &'a mut DataKeys,
    sent: SentTrain<'a>,
    rng: &'a mut Rng,
    tap: Option<&'a mut (dyn Tap + 'static)>,
    /// Packets written so far, and the number of the newest.
    count: usize,
    newest: PacketNumber,
    /// What their headers are to be masked by.
    samples: [[u8; SAMPLE_LEN]; MAX],
}

impl Run<'_> {
    /// Adds packets until there are `until`; false if the stream has not enough for that, or `packets` are
    /// used up.
    fn fill(
        &mut self,
        turn: &mut Turn<'_>,
        packets: &mut ChunksExactMut<'_, u8>,
        until: usize,
    ) -> bool {
        while self.count < until {
            if packets.next().and_then(|packet| self.add(turn, packet)).is_none() {
                return false;
            }
        }
        true
    }

    /// Writes, seals and remembers one packet. `None`, and nothing has happened, if the stream has not
    /// enough for a whole one.
    fn add(&mut self, turn: &mut Turn<'_>, packet: &mut [u8]) -> Option<()> {
        let number = self.sent.next_number(self.rng);
        self.header.write(number, packet)?;
        let sample = self.samples.get_mut(self.count)?;
        let payload = self.header.len()..packet.len().checked_sub(TAG_LEN)?;
        let frame = turn.fill(packet.get_mut(payload.clone())?)?;
        if let Some(tap) = &mut self.tap {
            tap.sent(&TapPacket {
                now: self.now,
                kind: Kind::Data,
                number,
                generation: self.keys.generation(),
                header: packet.get(..payload.start).unwrap_or_default(),
                payload: packet.get(payload).unwrap_or_default(),
                size: packet.len(),
                datagram: packet.len(),
                ack_eliciting: true,
                in_flight: true,
                exempt: false,
                paced: true,
                mtu_probe: false,
            });
        }
        *sample = self.keys.seal_bare(PathId(0), number, packet, NUMBER_AT, self.header.number_len);
        self.sent.push(number, frame);
        self.newest = number;
        self.count += 1;
        Some(())
    }

    /// Protects the headers of all packets.
    fn protect(&self, packets: &mut [u8], size: usize) {
        let samples = self.samples.get(..self.count).unwrap_or_default();
        self.keys.protect(packets, size, NUMBER_AT, self.header.number_len, samples);
    }
}

impl Connection {
    /// Writes packets of `size` bytes that are full of new data to `out`, of `budget` bytes at most.
    /// Returns how many bytes that is; 0 if something else is to be said first, or nothing.
    pub(super) fn transmit_run(
        &mut self,
        now: Time,
        ecn: Ecn,
        out: &mut [u8],
        size: usize,
        budget: u64,
    ) -> usize {
        let whole = size as u64;
        if budget < whole || self.streams.unsent() < whole || self.has_more_than_data() {
            return 0;
        }
        self.write_run(now, ecn, out, size, budget)
    }

    /// The same, where nothing goes before new data.
    #[inline(never)]
    fn write_run(
        &mut self,
        now: Time,
        ecn: Ecn,
        out: &mut [u8],
        size: usize,
        budget: u64,
    ) -> usize {
        let Self { spaces, recovery, streams, remote_ids, rng, tap, .. } = self;
        let Some(keys) = spaces.data_keys.as_deref_mut() else { return 0 };
        let most = (budget / size as u64).min(keys.sealable()).min(MAX as u64) as usize;
        let number = recovery.next_number(Space::Data, rng);
        let acked = recovery.largest_acked(Space::Data);
        let header = Header::new(&remote_ids.current(), keys.phase(), number, acked);
        let Some(header) = header else { return 0 };
        let packet =
            SentPacket { time: now, size: size as u16, ack_eliciting: true, mtu_probe: false, ecn };
        let mut run = Run {
            now,
            header,
            keys,
            sent: recovery.train(&packet),
            rng,
            tap: tap.as_deref_mut(),
            count: 0,
            newest: number,
            samples: [[0; SAMPLE_LEN]; MAX],
        };
        let mut packets = out.chunks_exact_mut(size);
        while run.count < most
            && let Some(mut turn) = streams.turn()
        {
            let until = most.min(run.count.saturating_add(turn.left()));
            let filled = run.fill(&mut turn, &mut packets, until);
            let taken = turn.end();
            streams.end_turn(taken);
            if !filled || streams.has_control() {
                break;
            }
        }
        let (count, newest) = (run.count, run.newest);
        if count == 0 {
            return 0;
        }
        let len = count * size;
        run.protect(out.get_mut(..len).unwrap_or_default(), size);
        let in_flight = self.recovery.in_flight();
        self.path.on_train_sent(&packet, count as u64, newest, in_flight);
        self.idle.on_sent(now);
        self.counts.packets_sent += count as u64;
        len
    }

    /// Whether something is due that is not new data of streams.
    fn has_more_than_data(&self) -> bool {
        self.recovery.probes(Space::Data) > 0
            || self.spaces.data.acks.has_unsent()
            || self.owes_control()
            || self.streams.has_control()
    }
}
