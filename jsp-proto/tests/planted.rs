//! Each planted bug changes what an engine does, in a story that goes well without it.
//!
//! What is planted is planted in the whole process: the stories are told one after the other, by one test.

#![allow(clippy::unwrap_used, reason = "a test that fails here has failed")]

#[path = "support/pair.rs"]
mod pair;

use jsp_proto::connection::{Event, Refusal, TransportConfig};
use jsp_proto::error::AppCode;
use jsp_proto::ids::{Dir, PacketNumber, Side, StreamId};
use jsp_proto::path::MtuConfig;
use jsp_proto::planted::{Bug, plant};
use jsp_proto::protection::ReceivedWindow;
use jsp_proto::stream::{ReadError, StreamConfig, Streams};
use jsp_proto::time::{Duration, Time};
use jsp_proto::wire::Writer;
use jsp_proto::wire::frame::{AckFrame, Frames, StreamFrame};
use pair::Pair;

const MS: fn(u64) -> Duration = Duration::from_millis;

fn settings() -> TransportConfig {
    TransportConfig {
        mtu: MtuConfig::fixed(1200),
        streams: StreamConfig {
            stream_window: 100_000,
            stream_window_max: 100_000,
            connection_window: 100_000,
            connection_window_max: 100_000,
            send_buffer: 40_000,
            ..StreamConfig::default()
        },
        ..TransportConfig::default()
    }
}

/// A pair whose client has `len` bytes to send on a stream.
fn sending(len: usize) -> (Pair, StreamId) {
    let mut pair = Pair::connected(settings());
    let id = pair.client.open_stream(Dir::Uni).unwrap();
    assert_eq!(pair.client.write(id, &vec![7; len]), Ok(len));
    (pair, id)
}

/// Reads all that there is; returns how many bytes, and why there are no more.
fn read(pair: &mut Pair, id: StreamId) -> (usize, ReadError) {
    let mut buffer = [0; 4096];
    let mut total = 0;
    loop {
        match pair.server().read(id, &mut buffer) {
            Ok(n) => total += n,
            Err(why) => return (total, why),
        }
    }
}

/// Whether the engine does in a story what `bug` makes it do.
#[allow(clippy::too_many_lines, reason = "a story for each bug, none of them long")]
fn shows(bug: Bug) -> bool {
    match bug {
        Bug::CreditTwice => {
            let (mut pair, _) = sending(30_000);
            let mut n = 0;
            pair.run_with(MS(500), |from, _| {
                n += u32::from(from == Side::Client);
                n % 4 != 0
            });
            pair.client.stats().streams.sent > 30_000
        }
        Bug::FinLost => {
            let (mut pair, id) = sending(300);
            pair.client.finish(id).unwrap();
            let mut lost = false;
            pair.run_with(MS(5), |_, _| core::mem::replace(&mut lost, true));
            pair.run(MS(2000));
            let (len, end) = read(&mut pair, id);
            assert_eq!(len, 300);
            end != ReadError::Finished
        }
        Bug::AckRange => {
            let mut window = ReceivedWindow::new();
            for number in [0, 1, 4, 6] {
                window.commit(PacketNumber(number));
            }
            !window.ranges().eq([6..=6, 4..=4, 0..=1])
        }
        Bug::AckOfUnsent => {
            let mut pair = Pair::connected(settings());
            let mut bytes = [0; 64];
            let mut w = Writer::new(&mut bytes);
            let range = [(1 << 20)..=(1 << 20)].into_iter();
            AckFrame::write(&mut w, 64, range, Duration::ZERO, None).unwrap();
            let len = w.len();
            let frame = Frames::new(&bytes[..len]).next().unwrap().unwrap().1;
            let packet = pair.forge(Side::Client, &[frame]);
            pair.deliver(Side::Client, packet);
            pair.run(MS(100));
            pair.closed(Side::Server).is_none()
        }
        Bug::SpuriousInFlight => {
            let (mut pair, _) = sending(20_000);
            let mut held = None;
            pair.run_with(MS(15), |from, datagram| {
                let first = from == Side::Client && held.is_none();
                if first {
                    held = Some(datagram.to_vec());
                }
                !first
            });
            pair.deliver(Side::Client, held.unwrap());
            pair.run(MS(40));
            assert!(pair.client.stats().path.spurious_events > 0);
            let audit = pair.client.audit();
            audit.in_flight != audit.in_flight_sum
        }
        Bug::LateTick => {
            let (mut pair, id) = sending(300);
            pair.run_with(MS(2), |_, _| false);
            // Nobody wakes the client for a while.
            pair.now += MS(300);
            pair.run(MS(5000));
            read(&mut pair, id).0 != 300
        }
        Bug::EarlyKeyDrop => {
            let mut pair = Pair::connected(settings());
            pair.client.ping();
            let old = pair.flush().remove(0).1;
            pair.client.update_keys();
            pair.client.ping();
            pair.run(MS(14));
            pair.deliver(Side::Client, old);
            assert_eq!(pair.server().stats().counts.key_updates, 1);
            pair.book.of(Side::Server, |notes| notes.refused.contains(&Refusal::NotAuthentic))
        }
        Bug::IdleInFlight => {
            let mut pair = Pair::connected(settings());
            pair.run(MS(5000));
            let before = pair.client.audit().idle.deadline.unwrap();
            pair.client.ping();
            pair.flush();
            pair.client.audit().idle.deadline.unwrap() < before + MS(4000)
        }
        Bug::WindowStuck => {
            let (mut pair, id) = sending(40_000);
            let mut total = 0;
            for _ in 0..20 {
                pair.run(MS(100));
                let _ = pair.client.write(id, &vec![7; 40_000]);
            }
            for _ in 0..20 {
                total += read(&mut pair, id).0;
                pair.run(MS(100));
                let _ = pair.client.write(id, &[7; 10_000]);
            }
            assert!(total >= 100_000);
            total == 100_000
        }
        Bug::MtuOfLostProbe => {
            let mut pair = Pair::new(TransportConfig::default());
            pair.run_with(MS(400), |_, datagram| datagram.len() <= 1300);
            let id = pair.client.open_stream(Dir::Uni).unwrap();
            pair.client.write(id, &[7; 10_000]).unwrap();
            pair.run_with(MS(200), |_, datagram| datagram.len() <= 1300);
            let audit = pair.client.audit();
            audit.mtu > audit.acked_mtu.max(audit.assumed_mtu)
        }
        Bug::DeliverTwice => {
            let mut streams = Streams::new(Side::Server, &StreamConfig::default());
            let id = StreamId::new(Side::Client, Dir::Uni, 0);
            for (offset, data) in [(0, b"abcd"), (2, b"cdef")] {
                let frame = StreamFrame { id, offset: Some(offset), fin: false, data };
                streams.on_stream(Time::ZERO, MS(10), &frame).unwrap();
                streams.settle();
            }
            streams.peek(id).unwrap().data != b"abcdef"
        }
        Bug::WindowIgnored => {
            let (mut pair, id) = sending(30_000);
            let mut over = false;
            for _ in 0..20 {
                pair.run_with(MS(2), |from, _| from == Side::Client);
                let _ = pair.client.write(id, &[7; 10_000]);
                let audit = pair.client.audit();
                over |= audit.in_flight > audit.window;
            }
            over
        }
        Bug::PacingIgnored => {
            let (mut pair, id) = sending(10_000);
            pair.run(MS(100));
            pair.client.write(id, &[7; 10_000]).unwrap();
            pair.client.write(id, &[7; 10_000]).unwrap();
            let burst = pair.client.audit().pacing.unwrap().burst;
            let sent: usize = pair.flush().iter().map(|(_, datagram)| datagram.len()).sum();
            sent as u64 > burst
        }
        Bug::AmplificationIgnored => {
            let mut pair = Pair::new(settings());
            pair.run_with(MS(20), |from, _| from == Side::Client);
            pair.run_with(MS(3000), |_, _| false);
            let limit = pair.server().audit().amplification;
            assert!(!limit.validated);
            limit.sent > 3 * limit.received
        }
        Bug::NumberReused => {
            let (mut pair, _) = sending(300);
            pair.run_with(MS(300), |_, _| false);
            pair.book.of(Side::Client, |notes| !notes.numbers.is_sorted_by(|a, b| a < b))
        }
        Bug::TimeoutInPast => {
            let (mut pair, id) = sending(300);
            pair.run(MS(100));
            read(&mut pair, id);
            pair.run(MS(3000));
            pair.client.next_timeout().is_some_and(|at| at <= pair.now - MS(2))
        }
        Bug::MemoryUnbounded => {
            let (mut pair, id) = sending(30_000);
            for _ in 0..20 {
                let _ = pair.client.write(id, &[7; 10_000]);
                pair.run_with(MS(10), |from, _| from == Side::Client);
            }
            pair.client.audit().memory.excess().is_some()
        }
        Bug::EventAfterClose => {
            let mut pair = Pair::connected(settings());
            let now = pair.now;
            pair.client.close(now, AppCode(1), b"");
            pair.server().close(now, AppCode(2), b"");
            pair.run(MS(100));
            let last = pair.events.iter().map(|events| {
                events.iter().position(|event| matches!(event, Event::Closed(_))).unwrap() + 1
            });
            !last.eq(pair.events.iter().map(Vec::len))
        }
        Bug::PollChangesState => {
            let (mut pair, id) = sending(10_000);
            pair.run(MS(100));
            pair.client.write(id, &[7; 10_000]).unwrap();
            pair.client.write(id, &[7; 10_000]).unwrap();
            pair.flush();
            let before = pair.client.next_timeout();
            pair.flush();
            pair.client.next_timeout() != before
        }
        Bug::HandshakeStuck => {
            let mut pair = Pair::new(settings());
            let mut lost = false;
            pair.run_with(MS(3000), |from, _| {
                from == Side::Client || core::mem::replace(&mut lost, true)
            });
            !pair.client.is_established()
        }
    }
}

#[test]
fn each_bug_shows_where_it_is_planted_and_nowhere_else() {
    let mut wrong = Vec::new();
    for bug in Bug::ALL {
        plant(None);
        if shows(bug) {
            wrong.push((bug, "shows without being planted"));
        }
        plant(Some(bug));
        if !shows(bug) {
            wrong.push((bug, "does not show"));
        }
        // What is planted leaves ordinary transfers alone.
        let (mut pair, id) = sending(30_000);
        pair.client.finish(id).unwrap();
        pair.run(MS(500));
        if read(&mut pair, id) != (30_000, ReadError::Finished) {
            wrong.push((bug, "spoils a transfer over a good network"));
        }
    }
    assert_eq!(wrong, []);
}
