//! Our engine in an exchange of single datagrams.

use crate::common::PACKET;
use crate::common::talk::Talk;
use crate::engine::Net;
use jsp_proto::connection::{Connection, TransportConfig};
use jsp_proto::crypto::{Provider, Suite};
use jsp_proto::ids::{ConnectionHandle, Dir, Side, StreamId};
use jsp_proto::path::MtuConfig;
use jsp_proto::record::{Received, Transmit};
use jsp_proto::time::Duration;
use std::sync::Arc;

/// A connection whose handshake is complete, and one stream, with something written in both directions.
pub(crate) struct Talkers {
    net: Net,
    stream: StreamId,
    /// Whom the datagram under way is for.
    routed: Option<ConnectionHandle>,
    /// What an application reads into.
    message: [u8; 256],
}

impl Talkers {
    /// Ends that show a sign of life after so much silence.
    pub(crate) fn connect(provider: &Arc<dyn Provider>, keep_alive: Duration) -> Self {
        let transport = TransportConfig {
            keep_alive: Some(keep_alive),
            mtu: MtuConfig::fixed(PACKET),
            ..TransportConfig::default()
        };
        let mut net = Net::new(provider, Suite::Aes256Gcm, transport);
        let index = net.connect();
        let stream = net.client.connections[index].open_stream(Dir::Bi).expect("a stream");
        Self { net, stream, routed: None, message: [0; 256] }
    }

    fn connection(&mut self, end: Side) -> &mut Connection {
        &mut self.net.at(end).0.connections[0]
    }

    fn expire(&mut self) {
        let now = self.net.now;
        for end in [Side::Client, Side::Server] {
            let connection = self.connection(end);
            if connection.next_timeout().is_some_and(|at| at <= now) {
                connection.handle_timeout(now);
            }
        }
    }
}

impl Talk for Talkers {
    fn tick(&mut self) {
        self.net.now += Duration::from_micros(20);
        self.expire();
    }

    fn wait(&mut self) {
        let ends = [Side::Client, Side::Server];
        let timeouts = ends.map(|end| self.connection(end).next_timeout());
        self.net.now = timeouts.into_iter().flatten().min().expect("a timer").max(self.net.now);
        self.expire();
    }

    fn write(&mut self, end: Side, data: &[u8]) {
        let stream = self.stream;
        self.connection(end).write(stream, data).expect("room for a message");
    }

    fn send(&mut self, end: Side) -> bool {
        let (host, train, now) = self.net.at(end);
        host.send(now, 0, train) > 0
    }

    fn next_timeout(&mut self, end: Side) {
        std::hint::black_box(self.connection(end).next_timeout());
    }

    fn route(&mut self, end: Side) {
        let (host, train, _) = self.net.at(end);
        let Some(Transmit { len, segment, .. }) = train.transmit else { return };
        let run = host.router.route_run(&train.buffer[..len], segment);
        self.routed = run.filter(|(_, run)| *run == len).map(|(handle, _)| handle);
    }

    fn take(&mut self, end: Side) {
        let handle = self.routed.expect("a connection for the datagram");
        let (host, train, now) = self.net.at(end);
        let Some(Transmit { len, segment, ecn, .. }) = train.transmit.take() else { return };
        let meta = Received { remote: train.from, local: None, ecn };
        let connection = &mut host.connections[handle.index as usize];
        connection.handle_datagrams(now, &meta, &mut train.buffer[..len], segment);
    }

    fn read(&mut self, end: Side) -> usize {
        let stream = self.stream;
        let connection = &mut self.net.at(end).0.connections[0];
        let mut read = 0;
        while connection.poll_event().is_some() {
            while let Ok(n) = connection.read(stream, &mut self.message) {
                read += n;
            }
        }
        read
    }
}
