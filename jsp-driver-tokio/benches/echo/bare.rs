//! UDP without a protocol, through the sockets and in the loop that the mio driver has: not connected to one peer,
//! with the kernel's offloads, ECN and the addresses of both sides. What is above `raw` here is what a socket
//! for many connections takes; what a driver takes beyond that is its engine.

use crate::common::pair;
use crate::{SIZE, Stopwatch};
use jsp_driver_mio::SocketOptions;
use jsp_driver_mio::parts::{Batch, Offloads, SendOutcome};
use jsp_driver_tokio::jsp_proto::ids::Ecn;
use jsp_driver_tokio::jsp_proto::record::Transmit;
use mio::{Events, Interest, Poll, Token};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::mpsc::Sender;
use std::time::Duration;

/// A side that waits does so in the poll.
pub(crate) fn sleeping(echoes: usize) -> Vec<Duration> {
    round(echoes, false)
}

/// A side that waits looks again and again.
pub(crate) fn spinning(echoes: usize) -> Vec<Duration> {
    round(echoes, true)
}

fn round(echoes: usize, spin: bool) -> Vec<Duration> {
    let serve = move |tell: Sender<SocketAddr>| {
        let mut socket = Bare::new(spin);
        tell.send(socket.offloads.local_addr()).unwrap();
        loop {
            let (from, len) = socket.receive();
            if len < SIZE {
                return;
            }
            socket.send(from, &[2; SIZE]);
        }
    };
    let ask = |server| {
        let mut socket = Bare::new(spin);
        let mut watch = Stopwatch::new(echoes);
        while watch.begins() {
            socket.send(server, &[1; SIZE]);
            assert_eq!(socket.receive(), (server, SIZE));
            watch.ends();
        }
        // The server ends with the first that is shorter.
        socket.send(server, &[0]);
        watch.times
    };
    pair(serve, ask)
}

struct Bare {
    io: mio::net::UdpSocket,
    offloads: Offloads,
    batch: Batch,
    /// Unless it spins.
    poll: Option<(Poll, Events)>,
}

impl Bare {
    fn new(spin: bool) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let (socket, offloads) = Offloads::bind(address, &SocketOptions::default()).unwrap();
        let mut io = mio::net::UdpSocket::from_std(socket);
        let poll = (!spin).then(|| {
            let poll = Poll::new().unwrap();
            poll.registry().register(&mut io, Token(0), Interest::READABLE).unwrap();
            (poll, Events::with_capacity(8))
        });
        Self { io, offloads, batch: Batch::new(), poll }
    }

    fn send(&self, remote: SocketAddr, bytes: &[u8]) {
        let len = bytes.len();
        let transmit = Transmit { remote, local: None, ecn: Ecn::Ect0, len, segment: len };
        assert_eq!(self.offloads.try_send(&self.io, &transmit, bytes), SendOutcome::Gone);
    }

    /// Waits for a datagram: who sent it, and how long it is.
    fn receive(&mut self) -> (SocketAddr, usize) {
        loop {
            if let Some((poll, events)) = &mut self.poll {
                poll.poll(events, None).unwrap();
            }
            match self.offloads.recv(&self.io, &mut self.batch) {
                Ok(()) => {
                    let (message, _) = self.batch.messages().next().unwrap();
                    return (message.received.remote, message.len);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
                Err(error) => panic!("{error}"),
            }
        }
    }
}
