//! What the streams of a connection hold, and what they may.

use super::config::StreamConfig;
use super::pool::{ChunkPool, RingPool};
use super::state::Stream;
use super::streams::Streams;
use crate::record::Held;

/// What streams hold: first what flow control and settings bound exactly, then the memory that this takes,
/// by capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamMemory {
    /// Bytes received, gaps included, that the application has not consumed. Limit: what the connection's window
    /// may grow to.
    pub unread: Held,
    /// Bytes written that the peer has not acknowledged. Limit:
    /// [`send_buffer`](super::StreamConfig::send_buffer).
    pub unacknowledged: Held,
    /// Receive buffers, spares, and what is noted of gaps. Limit: four times the connection's present window
    /// (buffers double, and shrink late), and for each stream the smallest buffer and the most gaps.
    pub receive: Held,
    /// Send buffers, spares, and what is noted of losses. Limit: four times
    /// [`send_buffer`](super::StreamConfig::send_buffer) (data, spares, notes), and for each stream two chunks
    /// of 64 KiB, one partly acknowledged and one partly filled.
    pub send: Held,
    /// The states of streams. Limit: those that this end opened, and as many as the peer may have.
    pub states: Held,
}

impl Streams {
    /// What the streams hold, and what `config`, which they were made with, lets them. It looks at each stream and
    /// each chunk of data.
    pub fn memory(&self, config: &StreamConfig) -> StreamMemory {
        let config = &config.clone().clamped();
        let credit = &self.receive_credit;
        let window_max = config.connection_window_max.max(config.connection_window);
        let window = credit.window().min(window_max);

        let mut receive =
            Held { bytes: self.rings.bytes() as u64, limit: window.saturating_mul(4) };
        let mut send = Held::new(self.chunks.bytes(), config.send_buffer.saturating_mul(4));
        let local = self.table.opened_by(self.side) as u64;
        for stream in self.table.values() {
            if let Some(part) = &stream.recv {
                let window =
                    part.credit.window().min(config.stream_window_max.max(config.stream_window));
                let islands = part.ring.island_memory(window);
                receive.bytes += islands.bytes;
                receive.limit += islands.limit + RingPool::MIN as u64;
            }
            if let Some(part) = &stream.send {
                send.bytes += part.buffer.memory() as u64;
                send.limit += 2 * ChunkPool::MAX as u64;
            }
        }
        let state = size_of::<Stream>() as u64;
        let most = config.max_streams.iter().fold(local, |sum, max| sum.saturating_add(*max));
        StreamMemory {
            unread: Held { bytes: credit.received() - credit.consumed(), limit: window_max },
            unacknowledged: Held { bytes: self.buffered, limit: config.send_buffer as u64 },
            receive,
            send,
            states: Held {
                bytes: self.table.len() as u64 * state,
                limit: most.saturating_mul(state),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Dir, Side, StreamId};
    use crate::stream::StreamConfig;
    use crate::time::{Duration, Time};
    use crate::wire::frame::StreamFrame;
    use crate::wire::parameters::Parameters;
    use alloc::vec;
    use bytes::Bytes;
    use quickcheck::quickcheck;

    fn small() -> StreamConfig {
        StreamConfig {
            max_streams: [4; 2],
            stream_window: 3000,
            stream_window_max: 10_000,
            connection_window: 5000,
            connection_window_max: 20_000,
            send_buffer: 10_000,
            send_backlog: 7000,
        }
    }

    fn streams(side: Side) -> Streams {
        let mut parameters = Parameters::default();
        StreamConfig::default().announce(&mut parameters);
        let mut streams = Streams::new(side, &small());
        streams.set_peer_parameters(&parameters);
        streams
    }

    fn parts(memory: &StreamMemory) -> [Held; 5] {
        [memory.unread, memory.unacknowledged, memory.receive, memory.send, memory.states]
    }

    quickcheck! {
        fn whatever_a_peer_sends_nothing_is_over_its_limit(steps: vec::Vec<(u8, u16, u16, u16)>) -> bool {
            let mut streams = streams(Side::Server);
            let data = [7; 2000];
            let mut now = Time::ZERO;
            steps.into_iter().all(|(stream, offset, len, take)| {
                now += Duration::from_micros(100);
                let id = StreamId::new(Side::Client, Dir::Uni, u64::from(stream % 6));
                let data = &data[..usize::from(len) % 2000];
                let frame = StreamFrame { id, offset: Some(u32::from(offset) % 16_384), fin: false, data };
                let _ = streams.on_stream(now, Duration::from_millis(1), &frame);
                streams.settle();
                while streams.accept(Dir::Uni).is_some() {}
                streams.consume(id, usize::from(take) % 3000);
                streams.receive_credit.announced();
                if let Some(part) = streams.table.get_mut(&id).and_then(|stream| stream.recv.as_mut()) {
                    part.credit.announced();
                }
                !parts(&streams.memory(&small())).iter().any(Held::is_over)
            })
        }

        fn whatever_is_written_nothing_is_over_its_limit(steps: vec::Vec<(u8, u16, bool)>) -> bool {
            let mut streams = streams(Side::Client);
            let ids = [0; 3].map(|_| streams.open(Dir::Uni).unwrap());
            steps.into_iter().all(|(stream, len, owned)| {
                let id = ids[usize::from(stream) % 3];
                let data = vec![7; usize::from(len)];
                if owned {
                    let _ = streams.write_bytes(id, &mut Bytes::from(data));
                } else {
                    let _ = streams.write(id, &data);
                }
                !parts(&streams.memory(&small())).iter().any(Held::is_over)
            })
        }
    }

    #[test]
    fn what_is_held_is_what_was_stored_and_written() {
        let mut server = streams(Side::Server);
        assert!(parts(&server.memory(&small())).iter().all(|held| held.bytes == 0));
        let id = StreamId::new(Side::Client, Dir::Bi, 0);
        let frame = StreamFrame { id, offset: Some(500), fin: false, data: &[1; 100] };
        server.on_stream(Time::ZERO, Duration::from_millis(1), &frame).unwrap();
        server.settle();
        let memory = server.memory(&small());
        assert_eq!(memory.unread.bytes, 600, "the gap is charged");
        assert!(memory.receive.bytes > 1024, "a buffer, and a note of the gap");
        assert_eq!(memory.states.bytes, size_of::<Stream>() as u64);
        server.write(id, &[2; 300]).unwrap();
        let memory = server.memory(&small());
        assert_eq!(memory.unacknowledged, Held { bytes: 300, limit: 10_000 });
        assert!(memory.send.bytes >= 512);
        server.write_bytes(id, &mut Bytes::from(vec![3; 1000])).unwrap();
        assert!(server.memory(&small()).send.bytes >= memory.send.bytes + 1000);
    }
}
