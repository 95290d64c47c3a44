//! What streams allocate, by a counting allocator: nothing per packet on the steady path, and no more than
//! the windows whatever a peer sends.

#![allow(clippy::unwrap_used, reason = "a test that fails here has failed")]

#[path = "support/counting.rs"]
mod counting;

use bytes::Bytes;
use counting::{Counting, calls, live};
use jsp_proto::ids::{Dir, Side, StreamId};
use jsp_proto::record::SentFrame;
use jsp_proto::stream::{StreamConfig, Streams};
use jsp_proto::time::{Duration, Time};
use jsp_proto::wire::Writer;
use jsp_proto::wire::frame::{Frame, Frames, StreamFrame};
use jsp_proto::wire::parameters::Parameters;
#[global_allocator]
static ALLOCATOR: Counting = Counting;

const RTT: Duration = Duration::from_millis(20);

fn ends(config: &StreamConfig) -> [Streams; 2] {
    let mut parameters = Parameters::default();
    config.announce(&mut parameters);
    [Side::Client, Side::Server].map(|side| {
        let mut streams = Streams::new(side, config);
        streams.set_peer_parameters(&parameters);
        streams
    })
}

/// Carries one packet, and reports it as acknowledged. Returns whether there was one.
fn carry(from: &mut Streams, to: &mut Streams, now: Time, sent: &mut Vec<SentFrame>) -> bool {
    let mut bytes = [0; 1200];
    let mut w = Writer::new(&mut bytes);
    from.write_control(&mut w, sent);
    from.write_data(&mut w, sent);
    let len = w.len();
    for frame in Frames::new(&bytes[..len]) {
        match frame.unwrap().1 {
            Frame::Stream(frame) => {
                to.on_stream(now, RTT, &frame).unwrap();
                to.settle();
            }
            Frame::MaxData(max) => to.on_max_data(max),
            Frame::MaxStreamData { id, max } => to.on_max_stream_data(id, max).unwrap(),
            _ => {}
        }
    }
    for frame in sent.drain(..) {
        if let SentFrame::Stream { id, start, len, fin } = frame {
            from.on_data_acked(id, start..start + u64::from(len), fin);
        }
    }
    len > 0
}

/// Sends `packets` packets' worth from one end to the other, which reads at once.
fn flow(ends: &mut [Streams; 2], id: StreamId, data: &mut Bytes, packets: usize) {
    let [client, server] = ends;
    let mut sent = Vec::with_capacity(16);
    let owned = !data.is_empty();
    for packet in 0..packets {
        let now = Time::from_nanos(packet as u64 * 100_000);
        if owned {
            let _ = client.write_bytes(id, &mut data.split_to(1150));
        } else {
            let _ = client.write(id, &[7; 1150]);
        }
        while carry(client, server, now, &mut sent) {}
        while let Ok(chunk) = server.peek(id) {
            let n = chunk.data.len();
            server.consume(id, n);
        }
        while carry(server, client, now, &mut sent) {}
        while client.poll_event().is_some() {}
        while server.poll_event().is_some() {}
    }
}

#[test]
fn a_steady_flow_allocates_nothing() {
    for owned in [false, true] {
        let mut ends = ends(&StreamConfig::default());
        let id = ends[0].open(Dir::Uni).unwrap();
        let mut data = Bytes::from(vec![7; if owned { 12_000 * 1150 } else { 0 }]);
        // The windows grow for a while.
        flow(&mut ends, id, &mut data, 2000);
        let before = calls();
        flow(&mut ends, id, &mut data, 10_000);
        // The list of sent frames is this test's own.
        assert_eq!(calls() - before, 1, "owned: {owned}");
        assert_eq!(ends[1].stats().received, 12_000 * 1150);
    }
}

#[test]
fn streams_that_do_nothing_hold_nothing() {
    let before = live();
    let mut quiet = ends(&StreamConfig::default());
    assert_eq!(live() - before, 0);
    assert!(size_of::<Streams>() <= 1200, "{}", size_of::<Streams>());
    let id = quiet[0].open(Dir::Uni).unwrap();
    let state = live() - before;
    flow(&mut quiet, id, &mut Bytes::new(), 100);
    for end in &mut quiet {
        end.release_memory();
    }
    // Queues keep a few slots; buffers are gone. (Both ends have the stream now.)
    assert!(live() - before <= 2 * state + 1000, "{} {state}", live() - before);
}

/// What a server allocates at most while a hostile client sends what `attack` makes of each number.
fn peak<'a>(attack: impl Fn(u64) -> StreamFrame<'a>, frames: u64) -> isize {
    let [_, mut server] = ends(&StreamConfig::default());
    let before = live();
    counting::peak();
    for n in 0..frames {
        // The connection would end with the first error; streams must be safe even after it.
        let _ = server.on_stream(Time::ZERO, RTT, &attack(n));
        server.settle();
    }
    counting::peak() - before
}

fn stream(index: u64) -> StreamId {
    StreamId::new(Side::Client, Dir::Uni, index)
}

#[test]
fn one_byte_fragments_take_less_than_twice_the_window() {
    let fragment = |n: u64| StreamFrame {
        id: stream(0),
        offset: Some(2 * n as u32 + 1),
        fin: false,
        data: b"x",
    };
    let window = StreamConfig::default().stream_window.cast_signed() as isize;
    let peak = peak(fragment, 4096);
    assert!(peak < 2 * window, "{peak}");
}

#[test]
fn sparse_and_high_offsets_take_less_than_twice_the_connections_window() {
    let last = StreamConfig::default().stream_window as u32 - 1;
    let sparse = |n: u64| StreamFrame { id: stream(n), offset: Some(last), fin: false, data: b"x" };
    let window = StreamConfig::default().connection_window.cast_signed() as isize;
    let peak = peak(sparse, 100);
    assert!(peak < 2 * window, "{peak}");
}

#[test]
fn streams_beyond_the_limit_take_nothing() {
    let over = |n: u64| StreamFrame { id: stream(100 + n), offset: None, fin: true, data: b"x" };
    assert_eq!(peak(over, 10_000), 0);
}
