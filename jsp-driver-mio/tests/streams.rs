//! Streams between two endpoints in one loop, over real sockets.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod common;

use bytes::Bytes;
use common::{Echo, End, World, pattern, read, write};
use jsp_driver_mio::{AppCode, Dir, Event, ReadError, WriteError};
use std::collections::BTreeMap;

#[test]
fn what_is_echoed_comes_back() {
    let mut world = World::new();
    world.connect();
    let (mut echo, mut answer) = (Echo::default(), Vec::new());
    world.run("echo", |end, connection, event| {
        match (end, event) {
            (End::Server, event) => echo.on(connection, &event),
            (End::Client, Event::Connected) => {
                let id = connection.open(Dir::Bi).unwrap();
                assert!(write(connection, id, b"hello", &mut 0));
            }
            (End::Client, Event::Readable(id)) => return read(connection, id, &mut answer),
            (End::Client, _) => {}
        }
        false
    });
    assert_eq!(answer, b"hello");
}

#[test]
fn many_streams_at_once_keep_their_bytes_apart() {
    const STREAMS: usize = 300;
    let mut world = World::new();
    world.connect();
    let mut echo = Echo::default();
    let mut answers = BTreeMap::new();
    let mut done = 0;
    let data = |n: usize| pattern(1000 + 50 * n, n as u64);
    world.run("many streams", |end, connection, event| {
        match (end, event) {
            (End::Server, event) => echo.on(connection, &event),
            // More than the peer allows at once: the rest follow as others end.
            (End::Client, Event::Connected | Event::Available { .. }) => {
                while answers.len() < STREAMS {
                    let Some(id) = connection.open(Dir::Bi) else { break };
                    assert!(write(connection, id, &data(answers.len()), &mut 0));
                    answers.insert(id, (answers.len(), Vec::new()));
                }
            }
            (End::Client, Event::Readable(id)) => {
                let (n, answer) = answers.get_mut(&id).unwrap();
                if read(connection, id, answer) {
                    assert_eq!(*answer, data(*n), "stream {n}");
                    done += 1;
                }
            }
            (End::Client, _) => {}
        }
        done == STREAMS
    });
}

#[test]
fn a_transfer_beyond_every_buffer_arrives_whole_whether_it_is_copied_or_handed_over() {
    let data = pattern(48 << 20, 7);
    for hand_over in [false, true] {
        let mut world = World::new();
        let (client, _) = world.connected();
        let (mut written, mut rest) = (0, Bytes::from(data.clone()));
        let mut received = Vec::new();
        let id = world.client.connection(client).unwrap().open(Dir::Uni).unwrap();
        world.client.connection(client).unwrap().write(id, &[]).unwrap();
        let mut blocked = 0;
        let mut more = |connection: &mut jsp_driver_mio::ConnectionMut<'_>| {
            if !hand_over {
                let done = write(connection, id, &data, &mut written);
                blocked += usize::from(!done);
                return;
            }
            while !rest.is_empty() {
                match connection.write_bytes(id, &mut rest) {
                    Ok(_) => {}
                    Err(WriteError::Blocked) => {
                        blocked += 1;
                        return;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            connection.finish(id).unwrap();
        };
        more(&mut world.client.connection(client).unwrap());
        world.run("transfer", |end, connection, event| {
            match (end, event) {
                (End::Client, Event::Writable(_)) => more(connection),
                (End::Server, Event::Opened { dir }) => {
                    connection.accept(dir).unwrap();
                }
                (End::Server, Event::Readable(id)) => return read(connection, id, &mut received),
                _ => {}
            }
            false
        });
        assert!(received == data, "hand over: {hand_over}");
        assert!(blocked > 10, "the writer was held back {blocked} times");
    }
}

#[test]
fn small_writes_of_a_turn_share_a_datagram() {
    let mut world = World::new();
    let (client, _) = world.connected();
    let id = world.client.connection(client).unwrap().open(Dir::Uni).unwrap();
    let mut received = Vec::new();
    let mut connection = world.client.connection(client).unwrap();
    let before = connection.stats().counts.packets_sent;
    for _ in 0..100 {
        connection.write(id, b"ten bytes.").unwrap();
    }
    connection.finish(id).unwrap();
    world.client.flush();
    let sent = world.client.connection(client).unwrap().stats().counts.packets_sent - before;
    // One has room for all; the end of the handshake and a probe of the path's MTU take others.
    assert!(sent <= 3, "{sent} packets");
    world.run("small writes", |end, connection, event| {
        if let (End::Server, Event::Opened { dir }) = (end, &event) {
            connection.accept(*dir).unwrap();
        }
        matches!((end, event), (End::Server, Event::Readable(id)) if read(connection, id, &mut received))
    });
    assert_eq!(received, b"ten bytes.".repeat(100));
}

#[test]
fn a_reset_and_a_stop_reach_the_other_end_with_their_codes() {
    let mut world = World::new();
    let (client, _) = world.connected();
    let mut connection = world.client.connection(client).unwrap();
    let (reset, stopped) = (connection.open(Dir::Bi).unwrap(), connection.open(Dir::Bi).unwrap());
    for id in [reset, stopped] {
        connection.write(id, b"begin").unwrap();
    }
    let (mut got_reset, mut got_stop) = (None, None);
    world.run("codes", |end, connection, event| {
        match (end, event) {
            (End::Server, Event::Opened { dir }) => {
                while connection.accept(dir).is_some() {}
                connection.stop(stopped, AppCode(7)).unwrap();
            }
            (End::Client, Event::Stopped { id, code }) => {
                got_stop = Some((id, code));
                connection.reset(reset, AppCode(9)).unwrap();
            }
            (End::Server, Event::Readable(id)) if id == reset => loop {
                match connection.read(id, &mut [0; 64]) {
                    Ok(_) => {}
                    Err(ReadError::Blocked) => break,
                    Err(error) => {
                        got_reset = Some(error);
                        break;
                    }
                }
            },
            _ => {}
        }
        got_reset.is_some() && got_stop.is_some()
    });
    assert_eq!(got_stop, Some((stopped, AppCode(7))));
    assert_eq!(got_reset, Some(ReadError::Reset(AppCode(9))));
}
