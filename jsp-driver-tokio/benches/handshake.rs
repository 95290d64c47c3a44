//! The processor time of full handshakes, of both sides together, between two engines without sockets:
//! ours (X-Wing, Ed25519 and ML-DSA-65) and quinn's (X25519MLKEM768, Ed25519 certificate), in
//! alternating rounds of one run.
//!
//! `cargo bench -p jsp-driver-tokio --bench handshake -- [handshakes=200] [rounds=21] [json=FILE]`
#![allow(clippy::unwrap_used)] // A bench that cannot run says so by failing.

mod common;

use bytes::BytesMut;
use common::engine::{Engines, addresses};
use common::report::Report;
use common::{argument, median, thread_cpu};
use quinn_proto::{ConnectionHandle, DatagramEvent};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn main() {
    let handshakes = argument("handshakes", 200);
    let rounds = argument("rounds", 21);
    let mut report = Report::new("handshake");
    println!("full handshakes, microseconds of processor time, both sides together");
    println!("{:>24} {:>8} {:>8} {:>8}", "", "ours", "quinn", "ratio");
    for (name, mutual) in [("server authenticated", false), ("mutual", true)] {
        let (mut ours, mut quinn) = (Engines::new(mutual), Quinn::new(mutual));
        let (mut our_times, mut quinn_times) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            our_times.push(timed(handshakes, || {
                let connections = ours.handshake();
                ours.release(&connections);
            }));
            quinn_times.push(timed(handshakes, || quinn.handshake()));
        }
        let (ours, quinn) = (median(our_times), median(quinn_times));
        let bar = if mutual { "" } else { " (bar: at most 1)" };
        println!("{name:>24} {ours:>8.0} {quinn:>8.0} {:>8.2}{bar}", ours / quinn);
        let what = format!("full handshake, {name}, processor time of both sides");
        report.row(&what, "us", &[("engine", ours), ("quinn", quinn)]);
    }
    report.write();
}

/// Microseconds for each.
fn timed(count: usize, mut handshake: impl FnMut()) -> f64 {
    let before = thread_cpu();
    (0..count).for_each(|_| handshake());
    (thread_cpu() - before) * 1e6 / count as f64
}

/// The peer's two endpoints.
struct Quinn {
    client: quinn_proto::ClientConfig,
    endpoints: [quinn_proto::Endpoint; 2],
    now: Instant,
}

impl Quinn {
    fn new(mutual: bool) -> Self {
        let (client, server) = common::quinn_configs(mutual);
        let config = Arc::new(quinn_proto::EndpointConfig::default());
        let endpoints = [None, Some(Arc::new(server))]
            .map(|server| quinn_proto::Endpoint::new(Arc::clone(&config), server, true, None));
        Self { client, endpoints, now: Instant::now() }
    }

    fn handshake(&mut self) {
        let Self { client, endpoints, now, .. } = self;
        let addresses = addresses();
        let client = endpoints[0].connect(*now, client.clone(), addresses[1], "localhost");
        let mut connections: [Option<(ConnectionHandle, quinn_proto::Connection)>; 2] =
            [Some(client.unwrap()), None];
        let mut connected = [false; 2];
        let (mut buffer, mut reply) = (Vec::with_capacity(2048), Vec::new());
        while connected != [true; 2] {
            for side in [0, 1] {
                *now += Duration::from_micros(50);
                while let Some((handle, connection)) = &mut connections[side] {
                    buffer.clear();
                    let transmit = connection.poll_transmit(*now, 1, &mut buffer);
                    while let Some(event) = connection.poll_endpoint_events() {
                        if let Some(event) = endpoints[side].handle_event(*handle, event) {
                            connection.handle_event(event);
                        }
                    }
                    while let Some(event) = connection.poll() {
                        match event {
                            quinn_proto::Event::Connected => connected[side] = true,
                            quinn_proto::Event::ConnectionLost { reason } => panic!("{reason}"),
                            _ => {}
                        }
                    }
                    let Some(transmit) = transmit else { break };
                    let datagram = BytesMut::from(&buffer[..transmit.size]);
                    let endpoint = &mut endpoints[1 - side];
                    let event =
                        endpoint.handle(*now, addresses[side], None, None, datagram, &mut reply);
                    match event {
                        Some(DatagramEvent::ConnectionEvent(_, event)) => {
                            connections[1 - side].as_mut().unwrap().1.handle_event(event);
                        }
                        Some(DatagramEvent::NewConnection(incoming)) => {
                            let accepted = endpoint.accept(incoming, *now, &mut reply, None);
                            connections[1] = accepted.ok();
                        }
                        Some(DatagramEvent::Response(_)) | None => {}
                    }
                }
            }
        }
    }
}
