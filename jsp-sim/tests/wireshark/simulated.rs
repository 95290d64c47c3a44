//! Simulated connections, captured while they run.

use jsp_proto::connection::TapPacket;
use jsp_proto::error::AppCode;
use jsp_proto::ids::Side;
use jsp_proto::time::Time;
use jsp_proto::wire::frame::{Frame, Frames};
use jsp_proto::wire::header::Kind;
use jsp_sim::app::{Sink, Source};
use jsp_sim::datagram::{Datagram, NodeId};
use jsp_sim::invariant::{PacketObserver, SharedObserver, Who};
use jsp_sim::link::Link;
use jsp_sim::look::pcapng::{Capture, Opened, Seen};
use jsp_sim::pair::Scenario;
use jsp_sim::trace::Observer;
use jsp_sim::{ms, secs};
use std::mem;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// Two captures of one run, and what must be found in them.
#[derive(Debug)]
pub(crate) struct Run {
    /// The file of the sealed datagrams.
    pub(crate) sealed: Vec<u8>,
    /// The file of the opened packets.
    pub(crate) opened: Vec<u8>,
    /// The datagrams: bytes, and what became of them.
    pub(crate) datagrams: Vec<(Vec<u8>, Option<&'static str>)>,
    /// The opened packets.
    pub(crate) packets: Vec<Expected>,
}

/// What an opened packet shows.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub(crate) kind: String,
    pub(crate) number: String,
    pub(crate) generation: String,
    pub(crate) received: String,
    pub(crate) frame_types: Vec<String>,
    pub(crate) acknowledged: Vec<String>,
    pub(crate) crypto_offsets: Vec<String>,
    pub(crate) streams: Vec<String>,
    pub(crate) positions: Vec<String>,
}

/// Writes both captures while the run goes on.
#[derive(Debug)]
struct Recorder {
    sealed: Vec<(Time, Datagram, Option<&'static str>)>,
    numbers: Vec<u64>,
    opened: Capture<Vec<u8>>,
    packets: Vec<Expected>,
}

/// Hears of datagrams.
#[derive(Debug)]
struct Ear(Arc<Mutex<Recorder>>);

impl Observer for Ear {
    fn sent(&mut self, time: Time, _: NodeId, number: u64, datagram: &Datagram) {
        let mut recorder = self.0.lock().unwrap();
        recorder.sealed.push((time, datagram.clone(), None));
        recorder.numbers.push(number);
    }

    fn dropped(&mut self, _: Time, _: NodeId, number: u64, why: &'static str) {
        let mut recorder = self.0.lock().unwrap();
        // What was on its way when the ear was opened is in no capture.
        if let Some(at) = recorder.numbers.iter().position(|sent| *sent == number) {
            recorder.sealed[at].2 = Some(why);
        }
    }
}

impl PacketObserver for Recorder {
    fn sent(&mut self, who: Who, packet: &TapPacket<'_>) {
        self.note(packet, who.side, Seen::Sent);
    }

    fn received(&mut self, who: Who, packet: &TapPacket<'_>) {
        self.note(packet, who.side.peer(), Seen::Received);
    }
}

impl Recorder {
    fn note(&mut self, packet: &TapPacket<'_>, sender: Side, seen: Seen) {
        let at = |side| SocketAddr::from(([192, 0, 2, 1 + u8::from(side == Side::Server)], 4433));
        let opened = Opened {
            time: packet.now,
            from: at(sender),
            to: at(sender.peer()),
            sender,
            seen,
            number: packet.number,
            generation: packet.generation,
            header: packet.header,
            payload: packet.payload,
        };
        self.opened.opened(&opened, None).unwrap();
        self.packets.push(Expected::new(packet, seen));
    }
}

impl Expected {
    fn new(packet: &TapPacket<'_>, seen: Seen) -> Self {
        let kind = match packet.kind {
            Kind::Initial => "Initial",
            Kind::Early => "Early",
            Kind::Handshake => "Handshake",
            Kind::Data => "Data",
        };
        let mut expected = Self {
            kind: kind.to_owned(),
            number: packet.number.0.to_string(),
            generation: packet.generation.to_string(),
            received: u8::from(seen == Seen::Received).to_string(),
            ..Self::default()
        };
        for frame in Frames::new(packet.payload) {
            let (kind, frame) = frame.unwrap();
            expected.frame_types.push(format!("0x{kind:02x}"));
            match frame {
                Frame::Ack(ack) => expected.acknowledged.extend(ack.ranges().map(|range| {
                    let (smallest, largest) = (*range.start(), *range.end());
                    if smallest == largest {
                        return largest.to_string();
                    }
                    format!("{smallest}-{largest}")
                })),
                Frame::Crypto { offset, .. } => expected.crypto_offsets.push(offset.to_string()),
                Frame::ResetStream { id, .. }
                | Frame::StopSending { id, .. }
                | Frame::MaxStreamData { id, .. }
                | Frame::StreamDataBlocked { id, .. } => expected.streams.push(id.0.to_string()),
                Frame::Stream(stream) => {
                    expected.streams.push(stream.id.0.to_string());
                    expected.positions.push(stream.offset.unwrap_or(0).to_string());
                }
                _ => {}
            }
        }
        expected
    }
}

/// Two connections side by side over a slow path that loses, with a key update on the way. Of the first
/// only the server's end is recorded: it began before anybody listened.
pub(crate) fn upload() -> Run {
    let recorder = Arc::new(Mutex::new(Recorder {
        sealed: Vec::new(),
        numbers: Vec::new(),
        opened: Capture::new(Vec::new()).unwrap(),
        packets: Vec::new(),
    }));
    let path = Link::new().delay(ms(10)).rate(10_000_000).queue(50_000).loss(0.05);
    let mut pair = Scenario::new(11)
        .link(&path)
        .client_app(Source::new(3, 100_000))
        .server_app(|_| Sink::new(3, 100_000))
        .start()
        .unwrap();
    pair.world.watch(Box::new(Ear(Arc::clone(&recorder))));
    for node in [pair.client, pair.server] {
        let observer: SharedObserver = recorder.clone();
        pair.world.act(node, |machine, _| machine.observe(node, observer)).unwrap();
    }
    pair.connect_again(Source::new(3, 100_000)).unwrap();
    pair.run_until(|pair| pair.server().is_some_and(|server| server.connected.is_some())).unwrap();
    pair.with_connection(Side::Client, |connection, _| connection.update_keys()).unwrap();
    pair.world.run_for(secs(3)).unwrap();
    pair.with_connection(Side::Server, |connection, now| {
        connection.close(now, AppCode(0), b"done");
    })
    .unwrap();
    pair.world.run_for(ms(100)).unwrap();

    let mut recorder = recorder.lock().unwrap();
    let mut sealed = Capture::new(Vec::new()).unwrap();
    for (time, datagram, dropped) in &recorder.sealed {
        sealed.datagram(*time, datagram, *dropped).unwrap();
    }
    let opened = mem::replace(&mut recorder.opened, Capture::new(Vec::new()).unwrap());
    Run {
        sealed: sealed.finish().unwrap(),
        opened: opened.finish().unwrap(),
        datagrams: recorder.sealed.drain(..).map(|(_, d, why)| (d.payload, why)).collect(),
        packets: mem::take(&mut recorder.packets),
    }
}
