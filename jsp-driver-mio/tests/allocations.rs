//! The steady path allocates nothing: a counting allocator sees every packet of a long transfer, and of
//! many small answers.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod common;
#[path = "../../jsp-proto/tests/support/counting.rs"]
mod counting;

use common::{End, World};
use counting::{Counting, calls};
use jsp_driver_mio::{ConnectionHandle, ConnectionMut, Dir, Event, StreamId, TransportConfig};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Discards what is there; returns how much it was.
fn discard(connection: &mut ConnectionMut<'_>, id: StreamId) -> usize {
    std::iter::from_fn(|| connection.with_chunk(id, <[u8]>::len).ok()).sum()
}

fn bulk(world: &mut World, handle: ConnectionHandle, id: StreamId, total: usize) {
    let data = [7; 16 << 10];
    let (mut written, mut read) = (0, 0);
    while read < total {
        let mut connection = world.client.connection(handle).unwrap();
        while written < total {
            let len = data.len().min(total - written);
            let Ok(taken) = connection.write(id, &data[..len]) else { break };
            written += taken;
        }
        world.turn(|end, connection, event| match (end, event) {
            (End::Server, Event::Opened { dir }) => {
                connection.accept(dir).unwrap();
            }
            (End::Server, Event::Readable(id)) => read += discard(connection, id),
            _ => {}
        });
    }
}

#[test]
fn a_steady_transfer_allocates_nothing_per_packet() {
    // A flight that is full long before the congestion window has stopped growing.
    let mut transport = TransportConfig::default();
    let window = 256 << 10;
    (transport.streams.stream_window, transport.streams.stream_window_max) = (window, window);
    let mut world = World::with_transport(&transport);
    let (client, server) = world.connected();
    let id = world.client.connection(client).unwrap().open(Dir::Uni).unwrap();
    // Windows, rings and buffers grow to what the transfer needs; the path's MTU is found.
    bulk(&mut world, client, id, 256 << 20);
    let packets = |world: &mut World| {
        world.server.connection(server).unwrap().stats().counts.packets_received
    };
    let (before, packets_before) = (calls(), packets(&mut world));
    bulk(&mut world, client, id, 64 << 20);
    let (allocations, packets) = (calls() - before, packets(&mut world) - packets_before);
    assert!(packets > 500, "{packets} packets");
    assert_eq!(allocations, 0, "over {packets} packets");
}

#[test]
fn steady_small_answers_allocate_nothing() {
    let mut world = World::new();
    let (client, _) = world.connected();
    let id = world.client.connection(client).unwrap().open(Dir::Bi).unwrap();
    let rounds = |world: &mut World, rounds: usize| {
        for _ in 0..rounds {
            world.client.connection(client).unwrap().write(id, &[1; 64]).unwrap();
            let mut back = 0;
            world.run("echo", |end, connection, event| {
                match (end, event) {
                    (End::Server, Event::Opened { dir }) => {
                        connection.accept(dir).unwrap();
                    }
                    (End::Server, Event::Readable(id)) => {
                        let mut buffer = [0; 64];
                        while let Ok(read) = connection.read(id, &mut buffer) {
                            connection.write(id, &buffer[..read]).unwrap();
                        }
                    }
                    (End::Client, Event::Readable(id)) => back += discard(connection, id),
                    _ => {}
                }
                back == 64
            });
        }
    };
    rounds(&mut world, 3000);
    // Where a processor has other things to do as well, an answer is late at times and taken for lost, and
    // the first loss needs room to be noted: until a calm stretch.
    let mut allocations = Vec::with_capacity(5);
    while allocations.len() < 5 && allocations.last() != Some(&0) {
        let before = calls();
        rounds(&mut world, 1000);
        allocations.push(calls() - before);
    }
    assert_eq!(allocations.last(), Some(&0), "{allocations:?}");
}

#[test]
fn the_counter_counts() {
    let before = calls();
    std::hint::black_box(vec![1u8; 100]);
    assert_eq!(calls() - before, 1);
}
