//! UDP without a protocol, on the system's own calls: the floor for whatever runs over UDP.

use crate::common::pair;
use crate::{SIZE, Stopwatch};
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::Sender;
use std::time::Duration;

/// A side that waits blocks in the kernel.
pub(crate) fn sleeping(echoes: usize) -> Vec<Duration> {
    round(echoes, false)
}

/// A side that waits asks again and again.
pub(crate) fn spinning(echoes: usize) -> Vec<Duration> {
    round(echoes, true)
}

fn round(echoes: usize, spin: bool) -> Vec<Duration> {
    let (client, server) = (socket(spin), socket(spin));
    let address = |socket: &UdpSocket| socket.local_addr().unwrap();
    client.connect(address(&server)).unwrap();
    server.connect(address(&client)).unwrap();
    let serve = move |tell: Sender<()>| {
        tell.send(()).unwrap();
        let mut request = [0; SIZE];
        while receive(&server, &mut request) == SIZE {
            server.send(&request).unwrap();
        }
    };
    let ask = |()| {
        let mut answer = [0; SIZE];
        let mut watch = Stopwatch::new(echoes);
        while watch.begins() {
            client.send(&[1; SIZE]).unwrap();
            assert_eq!(receive(&client, &mut answer), SIZE);
            watch.ends();
        }
        // The server ends with the first that is shorter.
        client.send(&[]).unwrap();
        watch.times
    };
    pair(serve, ask)
}

fn socket(spin: bool) -> UdpSocket {
    let socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    socket.set_nonblocking(spin).unwrap();
    socket
}

fn receive(socket: &UdpSocket, out: &mut [u8]) -> usize {
    loop {
        match socket.recv(out) {
            Ok(read) => return read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            Err(error) => panic!("{error}"),
        }
    }
}
