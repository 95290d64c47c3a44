//! A stream's turn at filling whole packets.
//!
//! In a transfer nearly every packet holds one frame: new data of one stream, up to the packet's last
//! byte and so without a length. A [`Turn`] writes those and nothing else, as long as credit allows a
//! packet's worth. What is left is for [`Streams::write_data`]: remnants, ends of streams, lost data. A
//! packet holds the same bytes whichever of the two wrote it.

use super::send::Piece;
use super::send_buffer::Source;
use super::streams::Streams;
use crate::ids::StreamId;
use crate::record::SentFrame;
use crate::wire::frame::StreamHeader;
use core::ops::Range;

/// Bytes of a frame's offset, at the end of its header.
const OFFSET_LEN: usize = 4;

/// See the module's documentation.
#[derive(Debug)]
pub struct Turn<'a> {
    id: StreamId,
    /// How many more packets it may fill.
    left: usize,
    source: Source<'a>,
    /// What was written, and where what may be written ends.
    taken: Range<u64>,
    packets: usize,
    limit: u64,
    /// The frames' header, but for the offset.
    header: [u8; StreamHeader::MAX_LEN],
    header_len: usize,
}

/// What a turn took, for [`Streams::end_turn`].
#[derive(Debug)]
#[must_use = "what was taken is to be accounted for"]
pub struct Taken {
    id: StreamId,
    range: Range<u64>,
    packets: usize,
    chunk: usize,
}

impl Turn<'_> {
    /// How many more packets it may fill: any number, while no other stream waits for its turn.
    pub const fn left(&self) -> usize {
        self.left
    }

    /// Fills `payload` with a frame; `None`, and no byte is taken, if there is not enough for all of it.
    pub fn fill(&mut self, payload: &mut [u8]) -> Option<SentFrame> {
        let (start, len) = (self.taken.end, payload.len().checked_sub(self.header_len)?);
        let end = start + len as u64;
        if end > self.limit || self.left == 0 {
            return None;
        }
        // All of the array, which is quicker than some of it; what is beyond the header is overwritten.
        *payload.first_chunk_mut()? = self.header;
        let (header, data) = payload.split_at_mut_checked(self.header_len)?;
        *header.last_chunk_mut::<OFFSET_LEN>()? = (start as u32).to_be_bytes();
        self.source.take(data);
        self.taken.end = end;
        self.packets += 1;
        self.left -= 1;
        Some(SentFrame::Stream { id: self.id, start, len: len as u32, fin: false })
    }

    /// What was taken.
    pub fn end(self) -> Taken {
        let Self { id, packets, taken: range, source, .. } = self;
        Taken { id, range, packets, chunk: source.chunk() }
    }
}

impl Streams {
    /// A train of up to so many packets begins: turns are as long as suits it. One that the last train cut
    /// short goes on.
    pub fn begin_train(&mut self, packets: usize) {
        if let Some(id) = self.quantum.begin_train(packets) {
            self.fresh.end_turn(id);
        }
    }

    /// A stream had a part in so many packets. It is another's turn if that is as many as it may.
    pub(super) fn pass_on(&mut self, id: StreamId, packets: usize) {
        if self.quantum.spend(id, packets) {
            self.urgent.end_turn(id);
            self.fresh.end_turn(id);
        }
    }

    /// The turn of the stream that has waited longest with new data, if nothing goes before new data.
    pub fn turn(&mut self) -> Option<Turn<'_>> {
        if !self.urgent.is_empty() {
            return None;
        }
        let id = self.fresh.front()?;
        let left = if self.fresh.is_alone() { usize::MAX } else { self.quantum.left(id) };
        let part = self.table.get(&id)?.send.as_ref()?;
        let Range { start, end } = part.fresh()?.range;
        let end = end.min(start.saturating_add(self.send_credit.available()));
        // The last byte goes with the end of the stream.
        let limit = if part.is_finished() { end.min(part.buffer.end() - 1) } else { end };
        // A frame at offset 0 has no offset.
        if start == 0 || limit <= start {
            return None;
        }
        let (header, header_len) = StreamHeader::within(id);
        let source = part.buffer.source(start);
        Some(Turn { id, left, source, taken: start..start, packets: 0, limit, header, header_len })
    }

    /// Accounts for what a turn took. If that is all it may, it is another stream's turn.
    pub fn end_turn(&mut self, taken: Taken) {
        let Taken { id, range, packets, chunk } = taken;
        if range.is_empty() {
            return;
        }
        let len = range.end - range.start;
        if let Some(part) = self.table.get_mut(&id).and_then(|stream| stream.send.as_mut()) {
            part.buffer.seek(chunk);
            part.on_sent(&Piece { range, fin: false, again: false });
        }
        self.unsent -= len;
        let outcome = self.send_credit.spend(len);
        debug_assert!(outcome.is_ok());
        self.refresh(id);
        self.pass_on(id, packets);
        self.wake_writers();
    }
}

#[cfg(test)]
mod tests {
    use super::super::quantum::TURN;
    use super::*;
    use crate::ids::{Dir, Side};
    use crate::stream::StreamConfig;
    use crate::wire::Writer;
    use crate::wire::parameters::Parameters;
    use alloc::vec;
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    /// What one packet held: its payload and the records of its frames.
    type Packet = (Vec<u8>, Vec<SentFrame>);

    fn streams(credit: u64) -> (Streams, [StreamId; 3]) {
        let mut parameters = Parameters::default();
        StreamConfig::default().announce(&mut parameters);
        parameters.max_data = credit;
        let mut streams = Streams::new(Side::Client, &StreamConfig::default());
        streams.set_peer_parameters(&parameters);
        let ids = [0; 3].map(|_| streams.open(Dir::Uni).unwrap());
        (streams, ids)
    }

    fn general(streams: &mut Streams, size: usize) -> Option<Packet> {
        let (mut payload, mut sent) = (vec![0; size], Vec::new());
        let mut w = Writer::new(&mut payload);
        streams.write_data(&mut w, &mut sent);
        let len = w.len();
        payload.truncate(len);
        (len > 0).then_some((payload, sent))
    }

    fn turns(streams: &mut Streams, size: usize, most: usize) -> Vec<Packet> {
        let mut packets = Vec::new();
        while let Some(mut turn) = streams.turn() {
            let before = packets.len();
            while packets.len() < most {
                let mut payload = vec![0; size];
                let Some(frame) = turn.fill(&mut payload) else { break };
                packets.push((payload, vec![frame]));
            }
            let taken = turn.end();
            streams.end_turn(taken);
            if packets.len() == before {
                break;
            }
        }
        packets
    }

    quickcheck! {
        fn a_packet_is_the_same_whoever_writes_it(
            writes: Vec<(u8, u16, bool)>, size: u8, most: u8, credit: u16
        ) -> bool {
            let (size, most) = (200 + usize::from(size), usize::from(most % 8));
            let ((mut plain, ids), (mut turned, _)) =
                (streams(4 * u64::from(credit)), streams(4 * u64::from(credit)));
            writes.into_iter().all(|(stream, len, finish)| {
                let id = ids[usize::from(stream) % 3];
                let data: Vec<u8> = (0..len % 8000).map(|n| n as u8).collect();
                for streams in [&mut plain, &mut turned] {
                    let _ = streams.write(id, &data);
                    if finish && stream % 7 == 0 {
                        let _ = streams.finish(id);
                    }
                }
                let mut packets = turns(&mut turned, size, most);
                packets.extend(general(&mut turned, size));
                let expected: Vec<_> =
                    (0..packets.len()).filter_map(|_| general(&mut plain, size)).collect();
                packets == expected && plain.has_control() == turned.has_control()
            })
        }
    }

    #[test]
    fn with_several_streams_a_turn_is_some_packets_of_a_long_train_and_with_one_it_is_all_of_them()
    {
        let (mut streams, ids) = streams(1 << 20);
        for id in ids {
            streams.write(id, &vec![7; 20_000]).unwrap();
        }
        // The first frame of a stream has no offset: that is not for a turn.
        assert!(turns(&mut streams, 1000, 1).is_empty());
        for _ in ids {
            general(&mut streams, 100);
        }
        let order = |packets: Vec<Packet>| {
            let ids = packets.into_iter().map(|(_, sent)| match sent[0] {
                SentFrame::Stream { id, .. } => id,
                other => panic!("{other:?}"),
            });
            ids.collect::<Vec<_>>()
        };
        streams.begin_train(45);
        // The first turn is cut short, and goes on with the next train.
        let mut packets = order(turns(&mut streams, 1000, 5));
        streams.begin_train(45);
        packets.extend(order(turns(&mut streams, 1000, 3 * TURN - 5)));
        assert_eq!(packets, ids.map(|id| [id; TURN]).concat());
        // Short trains leave a packet to each stream in turn.
        streams.begin_train(7);
        let packets = order(turns(&mut streams, 1000, 6));
        assert_eq!(packets, [ids, ids].concat());
        for id in &ids[1..] {
            streams.reset(*id, crate::error::AppCode(0)).unwrap();
        }
        assert_eq!(order(turns(&mut streams, 1000, 4)), [ids[0]; 4]);
    }
}
