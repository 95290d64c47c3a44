//! The application's settings, and the peer's words, at their ends: whatever they are, nothing
//! panics, and time goes on.

use super::pair::{Pair, client_address, craft_payload};
use crate::connection::TransportConfig;
use crate::ids::{Dir, Space};
use crate::path::MtuConfig;
use crate::stream::StreamConfig;
use crate::time::Duration;
use crate::wire::VARINT_MAX;
use crate::wire::frame::{AckFrame, EcnCounts};
use alloc::vec::Vec;

const MS: fn(u64) -> Duration = Duration::from_millis;

type Setting = fn(&mut TransportConfig);

/// Settings under which a handshake and a few bytes must work all the same.
const HARMLESS: [(&str, Setting); 14] = [
    ("idle for ever", |c| c.idle_timeout = Some(Duration::MAX)),
    ("no idle timeout", |c| c.idle_timeout = None),
    ("handshake for ever", |c| c.handshake_timeout = Duration::MAX),
    ("kept alive never", |c| c.keep_alive = Some(Duration::MAX)),
    ("kept alive always", |c| c.keep_alive = Some(Duration::ZERO)),
    ("acknowledges at once", |c| c.max_ack_delay = Duration::ZERO),
    ("acknowledges never", |c| c.max_ack_delay = Duration::MAX),
    ("assumes no round trip", |c| c.initial_rtt = Duration::ZERO),
    ("a datagram of nothing", |c| c.mtu = MtuConfig::fixed(0)),
    ("the largest datagrams", |c| c.mtu = MtuConfig::fixed(u16::MAX)),
    ("no search", |c| c.mtu = MtuConfig { min: 9000, max: 1200, eager: true }),
    ("the widest windows", |c| {
        c.streams = StreamConfig {
            max_streams: [u64::MAX; 2],
            stream_window: u64::MAX,
            stream_window_max: u64::MAX,
            connection_window: u64::MAX,
            connection_window_max: u64::MAX,
            send_buffer: usize::MAX,
            send_backlog: usize::MAX,
        };
    }),
    ("windows that shrink", |c| {
        c.streams.stream_window_max = 0;
        c.streams.connection_window_max = 0;
    }),
    ("no marks", |c| c.ecn = false),
];

#[test]
fn every_extreme_setting_of_either_end_leaves_a_working_connection() {
    for (what, set) in HARMLESS {
        for sides in [[true, false], [false, true], [true, true]] {
            let [client, server] = sides.map(|extreme| {
                let mut config = TransportConfig::default();
                if extreme {
                    set(&mut config);
                }
                config
            });
            let mut pair = Pair::with(client, server);
            pair.run(MS(500));
            assert!(pair.client.confirmed, "{what} {sides:?}: {:?}", pair.client_events);
            let id = pair.client.open_stream(Dir::Uni).expect(what);
            assert_eq!(pair.client.write(id, b"hello"), Ok(5), "{what} {sides:?}");
            pair.run(MS(500));
            pair.server().accept_stream(Dir::Uni).expect(what);
            let mut buf = [0; 9];
            assert_eq!(pair.server().read(id, &mut buf), Ok(5), "{what} {sides:?}");
        }
    }
}

#[test]
fn settings_that_leave_no_room_end_the_connection_or_wait_but_never_spin() {
    let settings: [Setting; 5] = [
        |c| c.idle_timeout = Some(Duration::ZERO),
        |c| c.idle_timeout = Some(Duration::from_nanos(1)),
        |c| c.handshake_timeout = Duration::ZERO,
        |c| c.initial_rtt = Duration::MAX,
        |c| {
            c.streams = StreamConfig {
                max_streams: [0; 2],
                stream_window: 0,
                stream_window_max: 0,
                connection_window: 0,
                connection_window_max: 0,
                send_buffer: 0,
                send_backlog: 0,
            };
        },
    ];
    for set in settings {
        let mut configs = [TransportConfig::default(), TransportConfig::default()];
        configs.iter_mut().for_each(set);
        let [client, server] = configs;
        let mut pair = Pair::with(client, server);
        // The harness asserts that timers lie in the future.
        pair.run(MS(2000));
        let _ = pair.client.open_stream(Dir::Bi).map(|id| pair.client.write(id, &[0; 100]));
        pair.run(MS(2000));
    }
}

#[test]
fn absurd_delays_and_counts_in_an_acknowledgement_change_no_timer_for_the_worse() {
    let mut pair = Pair::connected();
    let counts = EcnCounts { ect0: VARINT_MAX, ect1: VARINT_MAX, ce: VARINT_MAX };
    for ecn in [None, Some(counts), Some(EcnCounts::default())] {
        for delay in [Duration::ZERO, Duration::from_micros(VARINT_MAX)] {
            let server = pair.server.as_mut().unwrap();
            server.ping();
            pair.flush_server();
            let largest = pair.server().recovery.largest_acked(Space::Data).map_or(0, |n| n.0);
            let mut payload = Vec::new();
            let ranges = core::iter::once(largest..=largest);
            AckFrame::write(&mut payload, 200, ranges, delay, ecn).unwrap();
            let packet = craft_payload(&mut pair.client, Space::Data, &payload);
            pair.at_server(client_address(), &packet);
            pair.run(MS(50));
            assert!(pair.server().is_established());
            let (now, next) = (pair.now, pair.server().next_timeout());
            assert!(next.is_some_and(|at| at <= now + Duration::from_secs(31)), "{next:?}");
        }
    }
}
