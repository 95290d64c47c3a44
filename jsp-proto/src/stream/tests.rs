//! Two ends that exchange frames over a network made of a list, and what a hostile end can do.

use super::{ReadError, StreamConfig, StreamEvent, Streams, WriteError};
use crate::error::{AppCode, Code, TransportError};
use crate::ids::{Dir, Side, StreamId};
use crate::record::SentFrame;
use crate::rng::{Rng, Seed};
use crate::time::{Duration, Time};
use crate::wire::Writer;
use crate::wire::frame::{Frame, Frames, MAX_WINDOW, StreamFrame};
use crate::wire::parameters::Parameters;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;

const RTT: Duration = Duration::from_millis(20);

fn parameters(config: &StreamConfig) -> Parameters {
    let mut parameters = Parameters::default();
    config.announce(&mut parameters);
    parameters
}

fn streams(side: Side, own: &StreamConfig, peer: &StreamConfig) -> Streams {
    let mut streams = Streams::new(side, own);
    streams.set_peer_parameters(&parameters(peer));
    streams
}

/// A client and a server with the same limits.
fn pair(config: &StreamConfig) -> [Streams; 2] {
    [Side::Client, Side::Server].map(|side| streams(side, config, config))
}

fn handle(streams: &mut Streams, now: Time, frame: &Frame<'_>) -> Result<(), TransportError> {
    match *frame {
        Frame::Stream(ref frame) => {
            let outcome = streams.on_stream(now, RTT, frame);
            streams.settle();
            outcome?;
        }
        Frame::ResetStream { id, code, final_size } => {
            streams.on_reset_stream(id, code, final_size)?;
        }
        Frame::StopSending { id, code } => streams.on_stop_sending(id, code)?,
        Frame::MaxData(max) => streams.on_max_data(max),
        Frame::MaxStreamData { id, max } => streams.on_max_stream_data(id, max)?,
        Frame::MaxStreams { dir, max } => streams.on_max_streams(dir, max),
        Frame::StreamDataBlocked { id, .. } => streams.on_stream_data_blocked(id)?,
        Frame::Padding(_) | Frame::DataBlocked(_) | Frame::StreamsBlocked { .. } => {}
        ref other => panic!("streams do not send {other:?}"),
    }
    Ok(())
}

/// The next packet of `size` bytes that `streams` sends, if it has anything to send. What it does not fill
/// is padding.
fn packet(streams: &mut Streams, size: usize) -> Option<(Vec<u8>, Vec<SentFrame>)> {
    let pending = streams.has_pending();
    let (mut bytes, mut sent) = (vec![0; size], Vec::new());
    let mut w = Writer::new(&mut bytes);
    streams.write_control(&mut w, &mut sent);
    streams.write_data(&mut w, &mut sent);
    assert_eq!(pending, !w.is_empty(), "has_pending tells whether there is a packet");
    pending.then_some((bytes, sent))
}

fn deliver(streams: &mut Streams, now: Time, bytes: &[u8]) -> Result<(), TransportError> {
    Frames::new(bytes).try_for_each(|frame| handle(streams, now, &frame?.1))
}

/// A packet with these frames arrived.
fn acked(streams: &mut Streams, sent: &[SentFrame]) {
    for frame in sent {
        match *frame {
            SentFrame::Stream { id, start, len, fin } => {
                streams.on_data_acked(id, start..start + u64::from(len), fin);
            }
            SentFrame::ResetStream(id) => streams.on_reset_acked(id),
            _ => {}
        }
    }
}

/// A packet with these frames was lost.
fn lost(streams: &mut Streams, sent: &[SentFrame]) {
    for frame in sent {
        streams.on_lost(frame);
    }
}

/// Exchanges packets until neither end has any more, none lost.
fn settle(ends: &mut [Streams; 2]) {
    loop {
        let mut moved = false;
        for from in 0..2 {
            while let Some((bytes, sent)) = packet(&mut ends[from], 1200) {
                deliver(&mut ends[1 - from], Time::ZERO, &bytes).unwrap();
                acked(&mut ends[from], &sent);
                moved = true;
            }
        }
        if !moved {
            return;
        }
    }
}

fn events(streams: &mut Streams) -> Vec<StreamEvent> {
    core::iter::from_fn(|| streams.poll_event()).collect()
}

fn stream_frame(id: StreamId, offset: u32, data: &[u8], fin: bool) -> Frame<'_> {
    Frame::Stream(StreamFrame { id, offset: Some(offset), fin, data })
}

fn code(result: Result<(), TransportError>) -> Code {
    result.unwrap_err().code
}

/// A stream's content, distinct for each stream.
fn content(id: StreamId, len: usize) -> Vec<u8> {
    (0..len as u64).map(|n| (n.wrapping_mul(id.0 * 2 + 3) >> 3) as u8).collect()
}

/// An application that sends on every stream it has and reads everything.
struct App {
    to_send: BTreeMap<StreamId, Bytes>,
    received: BTreeMap<StreamId, Vec<u8>>,
    finished: usize,
    opened: usize,
}

impl App {
    fn run(&mut self, streams: &mut Streams, rng: &mut Rng) {
        while let Some(event) = streams.poll_event() {
            self.finished += usize::from(matches!(event, StreamEvent::Finished(_)));
        }
        while self.opened > 0
            && let Some(id) = streams.open(if rng.below(2) == 0 { Dir::Bi } else { Dir::Uni })
        {
            self.opened -= 1;
            self.to_send.insert(id, content(id, rng.below(30_000) as usize).into());
            if id.dir() == Dir::Bi {
                self.received.insert(id, Vec::new());
            }
        }
        for dir in Dir::ALL {
            while let Some(id) = streams.accept(dir) {
                self.received.insert(id, Vec::new());
                if dir == Dir::Bi {
                    self.to_send.insert(id, content(id, rng.below(3000) as usize).into());
                }
            }
        }
        self.to_send.retain(|&id, data| {
            loop {
                if data.is_empty() {
                    streams.finish(id).unwrap();
                    return false;
                }
                let wrote = if rng.below(2) == 0 {
                    streams.write_bytes(id, data)
                } else {
                    let n = data.len().min(1 + rng.below(700) as usize);
                    streams.write(id, &data[..n]).inspect(|&n| drop(data.split_to(n)))
                };
                match wrote {
                    Ok(n) => assert!(n > 0),
                    Err(error) => {
                        assert_eq!(error, WriteError::Blocked);
                        return true;
                    }
                }
            }
        });
        self.received.retain(|&id, bytes| {
            let mut buffer = [0; 1000];
            loop {
                let room = 1 + rng.below(1000) as usize;
                match streams.read(id, &mut buffer[..room]) {
                    Ok(n) => bytes.extend_from_slice(&buffer[..n]),
                    Err(ReadError::Blocked) => return true,
                    Err(error) => {
                        assert_eq!(error, ReadError::Finished);
                        assert_eq!(*bytes, content(id, bytes.len()));
                        return false;
                    }
                }
            }
        });
    }

    fn is_done(&self) -> bool {
        self.opened == 0 && self.to_send.is_empty() && self.received.is_empty()
    }
}

/// A packet on its way, or its acknowledgement on the way back.
struct Flight {
    from: usize,
    bytes: Vec<u8>,
    sent: Vec<SentFrame>,
}

/// Everything that two applications say to each other arrives, over a network that loses `loss` percent,
/// delivers in any order, duplicates, and sometimes reports a loss that was none.
fn conversation(seed: u64, loss: u64, config: &StreamConfig) {
    let mut rng = Rng::new(&Seed::from_u64(seed), "network");
    let mut ends = pair(config);
    let app =
        |opened| App { to_send: BTreeMap::new(), received: BTreeMap::new(), finished: 0, opened };
    let mut apps = [app(20), app(10)];
    let mut flights: Vec<Flight> = Vec::new();
    for round in 0.. {
        assert!(round < 100_000, "seed {seed}: no progress");
        let now = Time::from_nanos(round * 100_000);
        for from in 0..2 {
            apps[from].run(&mut ends[from], &mut rng);
            for _ in 0..rng.below(4) {
                let size = 100 + rng.below(1400) as usize;
                if let Some((bytes, sent)) = packet(&mut ends[from], size) {
                    flights.push(Flight { from, bytes, sent });
                }
            }
        }
        while !flights.is_empty() && rng.below(10) < 5 {
            let at = rng.below(flights.len() as u64) as usize;
            let Flight { from, bytes, sent } = flights.swap_remove(at);
            let dropped = rng.below(100) < loss;
            let (forward, late) = (1 - from, rng.below(50) == 0);
            if dropped || late {
                lost(&mut ends[from], &sent);
            }
            if late {
                flights.push(Flight { from, bytes, sent });
            } else if !dropped {
                deliver(&mut ends[forward], now, &bytes).unwrap();
                acked(&mut ends[from], &sent);
            }
        }
        let done = apps.iter().all(App::is_done) && flights.is_empty();
        if done && ends.iter().all(|end| end.is_flushed() && !end.has_pending()) {
            break;
        }
    }
    for end in &mut ends {
        assert_eq!((end.count(), end.buffered, end.unsent), (0, 0, 0), "seed {seed}");
        end.release_memory();
        assert_eq!(end.receive_memory(), 0);
    }
    assert_eq!(ends[0].stats().sent, ends[1].stats().received);
    assert_eq!(ends[0].stats().received, ends[1].stats().sent);
    assert!(loss == 0 || ends[0].stats().retransmitted > 0);
    for (app, end) in apps.iter_mut().zip(&mut ends) {
        app.finished +=
            events(end).iter().filter(|e| matches!(e, StreamEvent::Finished(_))).count();
    }
    let bidirectional = ends[0].local[0].credit.used() + ends[1].local[0].credit.used();
    assert_eq!((apps[0].finished + apps[1].finished) as u64, 30 + bidirectional);
}

fn small() -> StreamConfig {
    StreamConfig {
        max_streams: [3, 5],
        stream_window: 4000,
        stream_window_max: 20_000,
        connection_window: 9000,
        connection_window_max: 50_000,
        send_buffer: 12_000,
        send_backlog: 3000,
    }
}

#[test]
fn without_loss_everything_arrives_in_any_order() {
    for seed in 0..20 {
        conversation(seed, 0, &small());
        conversation(seed, 0, &StreamConfig::default());
    }
}

#[test]
fn with_loss_everything_arrives() {
    for seed in 0..20 {
        conversation(seed, 30, &small());
        conversation(seed, 10, &StreamConfig::default());
    }
}

#[test]
fn data_that_fits_a_packet_travels_in_one() {
    let config = StreamConfig::default();
    for len in 1..300 {
        for size in [200, 201, 202] {
            let mut ends = pair(&config);
            let id = ends[0].open(Dir::Bi).unwrap();
            ends[0].write(id, &content(id, len)).unwrap();
            ends[0].finish(id).unwrap();
            let (bytes, sent) = packet(&mut ends[0], size).unwrap();
            // A byte of type and one of ID come before the data; the length is left out where it must be.
            let first = SentFrame::Stream {
                id,
                start: 0,
                len: len.min(size - 2) as u32,
                fin: len <= size - 2,
            };
            assert_eq!(sent, [first], "{len} bytes in {size}");
            deliver(&mut ends[1], Time::ZERO, &bytes).unwrap();
            settle(&mut ends);
            assert_eq!(ends[1].accept(Dir::Bi), Some(id));
            let mut buffer = vec![0; 1000];
            assert_eq!(ends[1].read(id, &mut buffer).unwrap_or(0), len);
            assert_eq!(buffer[..len], content(id, len));
        }
    }
}

#[test]
fn no_frame_costs_more_than_eight_bytes_in_a_large_packet_either() {
    // From where a length would take four bytes, to what a packet of the largest size cannot hold.
    let lens = (16_370..16_400).chain((1..4).map(|n| n * 16_383 + 1)).chain(49_000..49_200);
    for len in lens.chain(64_970..65_010) {
        for spare in [0, 1, 2, 3, 4, 7, 8, 9, 20_000] {
            let mut ends = pair(&StreamConfig::default());
            let id = ends[0].open(Dir::Bi).unwrap();
            // An offset other than 0 makes the header as long as it gets.
            ends[0].write(id, &[7; 100]).unwrap();
            packet(&mut ends[0], 1200).unwrap();
            ends[0].write(id, &content(id, len)).unwrap();
            let size = (len + 6 + spare).min(65_000);
            let (mut bytes, mut sent) = (vec![0; size], Vec::new());
            let mut w = Writer::new(&mut bytes);
            ends[0].write_data(&mut w, &mut sent);
            let bytes = w.written();
            let carried: usize = Frames::new(bytes)
                .map(|frame| match frame.unwrap().1 {
                    Frame::Stream(frame) => frame.data.len(),
                    Frame::Padding(_) => 0,
                    other => panic!("{other:?}"),
                })
                .sum();
            let overhead = bytes.len() - carried;
            assert!(overhead <= 8 * sent.len(), "{overhead} for {len} bytes, {spare} to spare");
            // What is left for another packet is less than a piece is worth.
            assert!(carried + 40 > len.min(65_000 - 6), "{carried} of {len}, {spare} to spare");
        }
    }
}

#[test]
fn a_sender_never_keeps_more_than_truncated_offsets_can_tell_apart() {
    let greedy = StreamConfig {
        send_buffer: usize::MAX,
        send_backlog: usize::MAX,
        ..StreamConfig::default()
    };
    let mut ends = pair(&greedy);
    let id = ends[0].open(Dir::Uni).unwrap();
    ends[0].on_max_stream_data(id, 1 << 40).unwrap();
    let mut taken = 0;
    // 2 GiB are offered: the same 16 MiB, again and again.
    let piece = Bytes::from(vec![0; 16 << 20]);
    for _ in 0..128 {
        taken += ends[0].write_bytes(id, &mut piece.clone()).unwrap_or(0) as u64;
    }
    assert_eq!(taken, MAX_WINDOW);
}

#[test]
fn streams_take_turns_a_packet_each() {
    let mut ends = pair(&StreamConfig::default());
    let ids = [(); 3].map(|()| ends[0].open(Dir::Uni).unwrap());
    for id in ids {
        ends[0].write(id, &[1; 10_000]).unwrap();
    }
    let order: Vec<_> = (0..6)
        .map(|_| match packet(&mut ends[0], 1200).unwrap().1[..] {
            [SentFrame::Stream { id, .. }] => id,
            ref other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(order, [ids, ids].concat());
}

#[test]
fn lost_data_goes_before_new_data() {
    let mut ends = pair(&StreamConfig::default());
    let id = ends[0].open(Dir::Uni).unwrap();
    ends[0].write(id, &[1; 10_000]).unwrap();
    let first = packet(&mut ends[0], 1200).unwrap();
    packet(&mut ends[0], 1200).unwrap();
    lost(&mut ends[0], &first.1);
    assert_eq!(packet(&mut ends[0], 1200).unwrap().0, first.0);
}

#[test]
fn events_are_queued_once_until_they_are_fetched() {
    let mut ends = pair(&StreamConfig::default());
    let id = ends[0].open(Dir::Uni).unwrap();
    for _ in 0..5 {
        ends[0].write(id, b"hello").unwrap();
        settle(&mut ends);
    }
    let told = [StreamEvent::Opened { dir: Dir::Uni }, StreamEvent::Readable(id)];
    assert_eq!(events(&mut ends[1]), told);
    ends[0].write(id, b"hello").unwrap();
    settle(&mut ends);
    assert_eq!(events(&mut ends[1]), [StreamEvent::Readable(id)]);
}

#[test]
fn a_blocked_writer_is_told_when_the_peer_has_read() {
    let mut ends = pair(&small());
    let id = ends[0].open(Dir::Uni).unwrap();
    let mut written = 0;
    loop {
        match ends[0].write(id, &[1; 10_000]) {
            Ok(n) => written += n,
            Err(error) => {
                assert_eq!(error, WriteError::Blocked);
                settle(&mut ends);
                if !events(&mut ends[0]).contains(&StreamEvent::Writable(id)) {
                    break;
                }
            }
        }
    }
    assert_eq!(written, 4000);
    assert_eq!(ends[1].accept(Dir::Uni), Some(id));
    assert_eq!(ends[1].read(id, &mut [0; 3000]), Ok(3000));
    settle(&mut ends);
    assert_eq!(events(&mut ends[0]), [StreamEvent::Writable(id)]);
    assert_eq!(ends[0].write(id, &[1; 3000]), Ok(3000));
}

#[test]
fn the_backlog_bounds_what_is_kept_before_it_is_sent() {
    let config = StreamConfig { send_backlog: 5000, ..StreamConfig::default() };
    let mut ends = pair(&config);
    let ids = [(); 2].map(|()| ends[0].open(Dir::Uni).unwrap());
    assert_eq!(ends[0].write(ids[0], &[1; 10_000]), Ok(5000));
    assert_eq!(ends[0].write(ids[1], &[1; 10_000]), Err(WriteError::Blocked));
    settle(&mut ends);
    assert!(events(&mut ends[0]).contains(&StreamEvent::Writable(ids[1])));
    assert_eq!(ends[0].write(ids[1], &[1; 10_000]), Ok(5000));
}

#[test]
fn a_refused_open_is_followed_by_an_event_once_a_stream_has_ended() {
    let mut ends = pair(&small());
    let ids: Vec<_> = core::iter::from_fn(|| ends[0].open(Dir::Bi)).collect();
    assert_eq!(ids.len(), 3);
    settle(&mut ends);
    ends[0].finish(ids[1]).unwrap();
    settle(&mut ends);
    assert_eq!([(); 2].map(|()| ends[1].accept(Dir::Bi)), [Some(ids[0]), Some(ids[1])]);
    assert_eq!(ends[1].peek(ids[1]), Err(ReadError::Finished));
    ends[1].finish(ids[1]).unwrap();
    settle(&mut ends);
    assert_eq!(ends[0].peek(ids[1]), Err(ReadError::Finished));
    settle(&mut ends);
    assert_eq!(ends[0].peek(ids[1]), Err(ReadError::ClosedStream));
    // The third was never opened as far as the peer knows: one stream ended is none too few for it.
    ends[0].write(ids[2], b"x").unwrap();
    settle(&mut ends);
    assert!(events(&mut ends[0]).contains(&StreamEvent::Available { dir: Dir::Bi }));
    assert_eq!(ends[0].open(Dir::Bi).map(StreamId::index), Some(3));
}

#[test]
fn a_reset_reaches_the_reader_and_gives_back_all_credit() {
    let mut ends = pair(&small());
    let id = ends[0].open(Dir::Uni).unwrap();
    ends[0].write(id, &[1; 2000]).unwrap();
    packet(&mut ends[0], 1200).unwrap();
    ends[0].reset(id, AppCode(7)).unwrap();
    assert_eq!(ends[0].write(id, b"x"), Err(WriteError::ClosedStream));
    settle(&mut ends);
    ends[1].accept(Dir::Uni).unwrap();
    assert_eq!(ends[1].peek(id), Err(ReadError::Reset(AppCode(7))));
    assert_eq!(ends[1].peek(id), Err(ReadError::ClosedStream));
    assert_eq!((ends[0].count(), ends[1].count()), (0, 0));
    let credit = &ends[1].receive_credit;
    assert_eq!(credit.received(), ends[0].send_credit.used());
    assert_eq!(credit.received(), credit.consumed());
    assert_eq!((ends[0].buffered, ends[0].unsent), (0, 0));
}

#[test]
fn a_stop_is_answered_by_a_reset() {
    let mut ends = pair(&small());
    let id = ends[0].open(Dir::Uni).unwrap();
    ends[0].write(id, &[1; 2000]).unwrap();
    settle(&mut ends);
    ends[1].accept(Dir::Uni).unwrap();
    ends[1].stop(id, AppCode(3)).unwrap();
    let (bytes, sent) = packet(&mut ends[1], 1200).unwrap();
    // Lost once.
    drop(bytes);
    lost(&mut ends[1], &sent);
    let (bytes, _) = packet(&mut ends[1], 1200).unwrap();
    deliver(&mut ends[0], Time::ZERO, &bytes).unwrap();
    assert_eq!(events(&mut ends[0]), [StreamEvent::Stopped { id, code: AppCode(3) }]);
    assert_eq!(ends[0].write(id, b"x"), Err(WriteError::Stopped(AppCode(3))));
    settle(&mut ends);
    assert_eq!((ends[0].count(), ends[1].count()), (0, 0));
    assert_eq!(ends[1].receive_credit.consumed(), 2000);
}

#[test]
fn late_frames_for_an_ended_stream_mean_nothing() {
    let mut ends = pair(&small());
    let id = ends[0].open(Dir::Bi).unwrap();
    ends[0].reset(id, AppCode(0)).unwrap();
    ends[0].stop(id, AppCode(0)).unwrap();
    settle(&mut ends);
    ends[1].accept(Dir::Bi).unwrap();
    assert!(matches!(ends[1].peek(id), Err(ReadError::Reset(_))));
    settle(&mut ends);
    assert_eq!((ends[0].count(), ends[1].count()), (0, 0));
    for end in &mut ends {
        events(end);
        handle(end, Time::ZERO, &stream_frame(id, 0, b"late", true)).unwrap();
        let max = Frame::MaxStreamData { id, max: 1 << 20 };
        handle(end, Time::ZERO, &max).unwrap();
        handle(end, Time::ZERO, &Frame::StopSending { id, code: AppCode(1) }).unwrap();
        assert_eq!((end.count(), events(end)), (0, vec![]));
    }
}

#[test]
fn frames_for_streams_that_the_peer_may_not_speak_of_close_the_connection() {
    let mut ends = pair(&small());
    let own = ends[0].open(Dir::Uni).unwrap();
    let unopened = StreamId::new(Side::Client, Dir::Bi, 0);
    let theirs = StreamId::new(Side::Server, Dir::Uni, 0);
    let beyond = StreamId::new(Side::Server, Dir::Uni, 5);
    let stop = |id| Frame::StopSending { id, code: AppCode(0) };
    let max = |id| Frame::MaxStreamData { id, max: 1 };
    let reset = |id| Frame::ResetStream { id, code: AppCode(0), final_size: 0 };
    let cases = [
        (stream_frame(own, 0, b"x", false), Code::STREAM_STATE),
        (reset(own), Code::STREAM_STATE),
        (stream_frame(unopened, 0, b"x", false), Code::STREAM_STATE),
        (stop(unopened), Code::STREAM_STATE),
        (max(unopened), Code::STREAM_STATE),
        (stop(theirs), Code::STREAM_STATE),
        (max(theirs), Code::STREAM_STATE),
        (stream_frame(beyond, 0, b"x", false), Code::STREAM_LIMIT),
        (reset(beyond), Code::STREAM_LIMIT),
        (Frame::StreamDataBlocked { id: beyond, limit: 0 }, Code::STREAM_LIMIT),
    ];
    for (frame, expected) in cases {
        assert_eq!(code(handle(&mut ends[0], Time::ZERO, &frame)), expected, "{frame:?}");
    }
    assert_eq!(ends[0].count(), 1);
}

#[test]
fn a_storm_of_resets_gets_as_many_streams_as_the_application_accepts() {
    let config = StreamConfig::default();
    let mut server = streams(Side::Server, &config, &config);
    let storm = |server: &mut Streams, from: u64| {
        (from..from + 1000)
            .find(|&index| {
                let id = StreamId::new(Side::Client, Dir::Uni, index);
                let reset = Frame::ResetStream { id, code: AppCode(0), final_size: 0 };
                handle(server, Time::ZERO, &reset).is_err()
            })
            .unwrap()
    };
    assert_eq!(storm(&mut server, 0), 100);
    assert_eq!(server.count(), 100);
    assert!(!server.has_pending(), "no new streams are granted before the application has looked");
    for _ in 0..30 {
        let id = server.accept(Dir::Uni).unwrap();
        assert!(matches!(server.peek(id), Err(ReadError::Reset(_))));
    }
    let (_, sent) = packet(&mut server, 1200).unwrap();
    assert_eq!(sent, [SentFrame::MaxStreams(Dir::Uni)]);
    lost(&mut server, &sent);
    assert_eq!(packet(&mut server, 1200).map(|(_, again)| again), Some(sent));
    assert_eq!(storm(&mut server, 100), 130);
    assert_eq!(server.count(), 100);
    // Opened once, however many there are.
    assert_eq!(events(&mut server).len(), 1 + 130);
}

#[test]
fn a_skipped_stream_costs_nothing_until_it_is_used() {
    let config = StreamConfig { max_streams: [1 << 40; 2], ..StreamConfig::default() };
    let mut server = streams(Side::Server, &config, &config);
    let id = StreamId::new(Side::Client, Dir::Bi, (1 << 40) - 1);
    handle(&mut server, Time::ZERO, &stream_frame(id, 0, b"x", false)).unwrap();
    assert_eq!(server.count(), 1);
    assert_eq!(server.accept(Dir::Bi), Some(StreamId::new(Side::Client, Dir::Bi, 0)));
    assert_eq!(server.count(), 2);
}

#[test]
fn sparse_and_high_offsets_cost_no_more_than_the_connections_window() {
    let config = StreamConfig::default();
    let mut server = streams(Side::Server, &config, &config);
    let mut accepted = 0;
    for index in 0..100 {
        let id = StreamId::new(Side::Client, Dir::Uni, index);
        let high = stream_frame(id, (256 << 10) - 1, b"x", false);
        accepted += u32::from(handle(&mut server, Time::ZERO, &high).is_ok());
    }
    assert_eq!(accepted, 4);
    assert!(server.receive_memory() <= 1 << 20);
    let id = StreamId::new(Side::Client, Dir::Uni, 0);
    let beyond = stream_frame(id, 256 << 10, b"x", false);
    assert_eq!(code(handle(&mut server, Time::ZERO, &beyond)), Code::FLOW_CONTROL);
}

#[test]
fn rings_that_were_once_full_are_given_back_when_the_connection_holds_too_much() {
    let config = StreamConfig { connection_window_max: 1 << 20, ..StreamConfig::default() };
    let mut server = streams(Side::Server, &config, &config);
    let full = vec![1; 128 << 10];
    for index in 0..100 {
        let id = StreamId::new(Side::Client, Dir::Uni, index);
        handle(&mut server, Time::ZERO, &stream_frame(id, 0, &full, false)).unwrap();
        // A byte behind a gap stays, so that the ring cannot simply be empty.
        let stray = stream_frame(id, (128 << 10) + 1, b"x", false);
        handle(&mut server, Time::ZERO, &stray).unwrap();
        while let Ok(chunk) = server.peek(id) {
            let n = chunk.data.len();
            server.consume(id, n);
        }
        packet(&mut server, 1200);
    }
    assert!(server.receive_memory() <= 2 << 20, "{}", server.receive_memory());
}

#[test]
fn one_byte_fragments_close_the_connection_before_memory_is_twice_the_window() {
    let config = StreamConfig::default();
    let mut server = streams(Side::Server, &config, &config);
    let id = StreamId::new(Side::Client, Dir::Uni, 0);
    let refused = (0..128 << 10).find_map(|n| {
        handle(&mut server, Time::ZERO, &stream_frame(id, 2 * n + 1, b"x", false)).err()
    });
    assert_eq!(refused.unwrap().code, Code::FRAGMENTATION);
    assert!(server.receive_memory() <= 256 << 10);
}

#[test]
fn windows_grow_for_a_reader_that_keeps_up() {
    let config = StreamConfig { connection_window: 256 << 10, ..StreamConfig::default() };
    let mut ends = pair(&config);
    let id = ends[0].open(Dir::Uni).unwrap();
    let (data, mut buffer) = (vec![7; 50_000], vec![0; 65_536]);
    for round in 0..200 {
        // Everything that the window allows, each round trip.
        let now = Time::from_nanos(round * 20_000_000);
        while ends[0].write(id, &data).is_ok() {
            while let Some((bytes, sent)) = packet(&mut ends[0], 1200) {
                deliver(&mut ends[1], now, &bytes).unwrap();
                acked(&mut ends[0], &sent);
            }
        }
        while let Ok(n) = ends[1].read(id, &mut buffer) {
            assert!(n > 0);
        }
        while let Some((bytes, _)) = packet(&mut ends[1], 1200) {
            deliver(&mut ends[0], now, &bytes).unwrap();
        }
        // One stream that has grown leaves room for others.
        let window = ends[1].table.get(&id).unwrap().recv.as_ref().unwrap().credit.window();
        let shared = ends[1].receive_credit.window();
        assert!(window == 256 << 10 || shared >= window / 2 * 3, "{window} {shared}");
    }
    let window = ends[1].table.get(&id).unwrap().recv.as_ref().unwrap().credit.window();
    assert!(window >= 8 << 20, "{window}");
}
