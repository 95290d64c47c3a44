//! What there is to capture: the connections, packets and frames of `spec/vectors/`.

use jsp_proto::ids::{Ecn, PacketNumber, Side};
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::{Duration, Time};
use jsp_sim::datagram::Datagram;
use jsp_sim::look::pcapng::{Capture, Opened, Seen};
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

const CLIENT: &str = "192.0.2.1:50000";
const SERVER: &str = "192.0.2.2:4433";

/// Hexadecimal digits.
pub(crate) mod hex {
    /// The bytes that `text` stands for.
    pub(crate) fn read(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.chars().map(|digit| digit.to_digit(16).unwrap() as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    /// The digits of `bytes`.
    pub(crate) fn write(bytes: &[u8]) -> String {
        let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap();
        bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }
}

/// Datagrams with what is in them.
pub(crate) struct Corpus {
    /// In the order of sending.
    pub(crate) datagrams: Vec<Sealed>,
    /// Names and bytes of the handshake's messages, in order.
    pub(crate) messages: Vec<(String, Vec<u8>)>,
    /// Everything that the vectors say.
    pub(crate) json: Value,
}

/// A datagram as it was on the wire.
pub(crate) struct Sealed {
    /// Microseconds since the first.
    pub(crate) time_us: u64,
    /// Who sent it.
    pub(crate) from: Side,
    /// Its UDP payload.
    pub(crate) bytes: Vec<u8>,
    /// Its packets.
    pub(crate) records: Vec<Record>,
}

/// A packet.
pub(crate) struct Record {
    /// Its type, as the vectors name it.
    pub(crate) kind: String,
    /// Who sent it.
    pub(crate) from: Side,
    /// Its number.
    pub(crate) number: u64,
    /// The generation of its key.
    pub(crate) generation: u64,
    /// Its frames' names; a run of PADDING is one.
    pub(crate) frames: Vec<String>,
    /// Everything that the vector says.
    pub(crate) json: Value,
    header: Vec<u8>,
    payload: Vec<u8>,
}

impl Sealed {
    /// The comment that it is captured with.
    pub(crate) fn comment(&self) -> String {
        format!("{} packets in {} bytes", self.records.len(), self.bytes.len())
    }

    /// What is under packet protection: numbers, payloads and tags.
    pub(crate) fn protected(&self) -> Vec<String> {
        let mut rest = &self.bytes[..];
        let with_number = self.records.iter().filter(|record| !record.header.is_empty());
        with_number
            .map(|record| {
                let number_len = usize::from(record.header[0] & 3) + 1;
                let number_at = record.header.len() - number_len;
                let (packet, behind) =
                    rest.split_at(record.header.len() + record.payload.len() + 16);
                rest = behind;
                hex::write(&packet[number_at..])
            })
            .collect()
    }

    fn time(&self) -> Time {
        Time::ZERO + Duration::from_micros(self.time_us)
    }
}

impl Record {
    fn new(json: &Value, from: Side, generation: u64) -> Self {
        let bytes = |name: &str| json[name].as_str().map(hex::read).unwrap_or_default();
        let mut payload = bytes("payload");
        payload.extend(vec![0; json["padding"].as_u64().unwrap_or(0) as usize]);
        let names = json["frames"].as_array().map(Vec::as_slice).unwrap_or_default();
        Self {
            kind: json["type"].as_str().unwrap_or("Data").to_owned(),
            from,
            number: json["number"].as_u64().unwrap_or(0),
            generation,
            frames: names.iter().map(|name| name.as_str().unwrap().to_owned()).collect(),
            header: bytes("header"),
            payload,
            json: json.clone(),
        }
    }

    /// The DCID, and the SCID of a long header.
    pub(crate) fn ids(&self) -> (String, Option<String>) {
        let text = |name: &str| self.json[name].as_str().map(str::to_owned);
        if let Some(dcid) = text("dcid") {
            return (dcid, text("scid"));
        }
        if self.kind == "Data" {
            return (hex::write(&self.header[1..9]), None);
        }
        let (dcid, rest) = self.header[6..].split_at(usize::from(self.header[5]));
        (hex::write(dcid), Some(hex::write(&rest[1..=usize::from(rest[0])])))
    }

    fn opened(&self, time: Time) -> Opened<'_> {
        let (from, to) = addresses(self.from);
        Opened {
            time,
            from,
            to,
            sender: self.from,
            seen: Seen::Sent,
            number: PacketNumber(self.number),
            generation: self.generation,
            header: &self.header,
            payload: &self.payload,
        }
    }
}

impl Corpus {
    /// The connections of the vectors.
    pub(crate) fn connections() -> Vec<Self> {
        ["handshake-server", "handshake-mutual", "handshake-retry"].map(Self::connection).into()
    }

    fn connection(name: &str) -> Self {
        let json = vectors(name);
        let datagram = |datagram: &Value| {
            let from = side(&datagram["from"]);
            let packets = datagram["packets"].as_array().unwrap();
            Sealed {
                time_us: datagram["time_us"].as_u64().unwrap(),
                from,
                bytes: hex::read(datagram["bytes"].as_str().unwrap()),
                records: packets.iter().map(|packet| Record::new(packet, from, 0)).collect(),
            }
        };
        let message = |message: &Value| {
            let text = |name: &str| message[name].as_str().unwrap();
            (text("name").to_owned(), hex::read(text("bytes")))
        };
        Self {
            datagrams: json["datagrams"].as_array().unwrap().iter().map(datagram).collect(),
            messages: json["messages"].as_array().unwrap().iter().map(message).collect(),
            json,
        }
    }

    /// Whether the server answered with a Retry first.
    pub(crate) fn retried(&self) -> bool {
        self.datagrams.iter().flat_map(|d| &d.records).any(|record| record.kind == "Retry")
    }

    /// Single packets of every type.
    pub(crate) fn packets() -> Self {
        Self::single(vectors("packets")["packets"].as_array().unwrap().iter().map(|p| (p, 0)))
    }

    /// Packets under keys of two generations.
    pub(crate) fn updates() -> Self {
        let json = vectors("key-update");
        let updates = json["updates"].as_array().unwrap().iter();
        let generations = updates.flat_map(|update| update["generations"].as_array().unwrap());
        Self::single(generations.map(|packet| (packet, packet["generation"].as_u64().unwrap())))
    }

    fn single<'a>(packets: impl Iterator<Item = (&'a Value, u64)>) -> Self {
        let datagram = |(packet, generation): (&Value, u64)| {
            let from = side(&packet["from"]);
            Sealed {
                time_us: 0,
                from,
                bytes: hex::read(packet["packet"].as_str().unwrap()),
                records: vec![Record::new(packet, from, generation)],
            }
        };
        Self { datagrams: packets.map(datagram).collect(), messages: Vec::new(), json: Value::Null }
    }

    /// The packets that have a payload.
    pub(crate) fn opened_records(&self) -> impl Iterator<Item = &Record> {
        let records = self.datagrams.iter().flat_map(|datagram| &datagram.records);
        records.filter(|record| !record.header.is_empty())
    }

    /// A capture of the datagrams.
    pub(crate) fn sealed(&self) -> Vec<u8> {
        let mut capture = Capture::new(Vec::new()).unwrap();
        for sealed in &self.datagrams {
            let datagram = datagram(sealed.from, sealed.bytes.clone());
            capture.datagram(sealed.time(), &datagram, Some(&sealed.comment())).unwrap();
        }
        capture.finish().unwrap()
    }

    /// A capture of the packets.
    pub(crate) fn opened(&self) -> Vec<u8> {
        let mut capture = Capture::new(Vec::new()).unwrap();
        for sealed in &self.datagrams {
            for record in sealed.records.iter().filter(|record| !record.header.is_empty()) {
                capture.opened(&record.opened(sealed.time()), None).unwrap();
            }
        }
        capture.finish().unwrap()
    }

    /// Captures of the same, each record 20 times with flipped bits, and cut: sealed, then opened.
    pub(crate) fn damaged(&self, seed: u64) -> [Vec<u8>; 2] {
        let mut rng = Rng::new(&Seed::from_u64(seed), "damage");
        let mut damage = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            if rng.below(4) == 0 {
                bytes.truncate(rng.below(bytes.len() as u64 + 1) as usize);
            }
            // Mostly near the front, where the structure is.
            for _ in 0..rng.below(6) {
                let reach = if rng.below(2) == 0 { 40 } else { bytes.len() as u64 };
                let at = rng.below(reach.max(1)) as usize;
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << rng.below(8);
                }
            }
            bytes
        };
        let [mut sealed, mut opened] = [(); 2].map(|()| Capture::new(Vec::new()).unwrap());
        for datagram in self.datagrams.iter().flat_map(|d| std::iter::repeat_n(d, 20)) {
            let bytes = damage(&datagram.bytes);
            sealed.datagram(datagram.time(), &self::datagram(datagram.from, bytes), None).unwrap();
            for record in &datagram.records {
                let (header, payload) = (damage(&record.header), damage(&record.payload));
                let damaged =
                    Opened { header: &header, payload: &payload, ..record.opened(datagram.time()) };
                opened.opened(&damaged, None).unwrap();
            }
        }
        [sealed.finish().unwrap(), opened.finish().unwrap()]
    }
}

/// Every frame of the vectors.
pub(crate) fn frames() -> Vec<Value> {
    vectors("frames")["frames"].as_array().unwrap().clone()
}

/// A capture of packets with one frame each: CRYPTO in Initial packets, the others in Data packets from
/// the server, which may send all of them.
pub(crate) fn capture_of_frames(frames: &[Value]) -> Vec<u8> {
    let mut capture = Capture::new(Vec::new()).unwrap();
    for (n, frame) in frames.iter().enumerate() {
        let payload = hex::read(frame["bytes"].as_str().unwrap());
        // Each on a flow of its own, so that no stream's position tells of another's.
        let to = SocketAddr::new([192, 0, 2, 1].into(), 50_000 + n as u16);
        let (sender, header) = if frame["name"] == "CRYPTO" {
            (Side::Client, hex::read("c04a53500108000000000000000008111111111111111100401400"))
        } else {
            (Side::Server, hex::read("40000000000000000000"))
        };
        capture.opened(&Opened { to, ..opened(sender, &header, &payload) }, None).unwrap();
    }
    capture.finish().unwrap()
}

/// A capture of Data packets from the client with the given payloads.
pub(crate) fn capture_of_data(payloads: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut capture = Capture::new(Vec::new()).unwrap();
    for payload in payloads {
        let header = hex::read("40000000000000000000");
        capture.opened(&opened(Side::Client, &header, &payload), None).unwrap();
    }
    capture.finish().unwrap()
}

/// A capture of a client's Initial packets with a CRYPTO frame each, at the given offset. Each goes to
/// another connection ID.
pub(crate) fn capture_of_crypto<'a>(pieces: impl IntoIterator<Item = (u64, &'a [u8])>) -> Vec<u8> {
    let mut capture = Capture::new(Vec::new()).unwrap();
    for (n, (offset, data)) in pieces.into_iter().enumerate() {
        let mut header = hex::read("c04a53500108000000000000000008111111111111111100440000");
        header[6] = n as u8;
        let mut payload = vec![0x06];
        payload.extend((0x8000_0000 | offset as u32).to_be_bytes());
        payload.extend((0x4000 | data.len() as u16).to_be_bytes());
        payload.extend(data);
        capture.opened(&opened(Side::Client, &header, &payload), None).unwrap();
    }
    capture.finish().unwrap()
}

/// A stream of which a packet with four bytes comes every GiB, and one with those before: positions, capture.
pub(crate) fn far_stream() -> (Vec<u64>, Vec<u8>) {
    let positions: Vec<u64> = (0..12).flat_map(|n: u64| [n << 30, (n << 30) - n.min(1)]).collect();
    let frames = positions.iter().map(|position| stream_frame(7, *position));
    let capture = capture_of_data(frames);
    (positions, capture)
}

/// A capture of datagrams between the given addresses.
pub(crate) fn capture_of_datagrams<'a>(
    datagrams: impl IntoIterator<Item = (&'a str, &'a str, Vec<u8>, Ecn)>,
) -> Vec<u8> {
    let mut capture = Capture::new(Vec::new()).unwrap();
    for (from, to, payload, ecn) in datagrams {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        capture.datagram(Time::ZERO, &Datagram { from, to, ecn, payload }, None).unwrap();
    }
    capture.finish().unwrap()
}

/// A STREAM frame with an offset and four bytes.
fn stream_frame(id: u8, position: u64) -> Vec<u8> {
    let mut frame = vec![0x90, id];
    frame.extend((position as u32).to_be_bytes());
    frame.extend(b"data");
    frame
}

fn opened<'a>(sender: Side, header: &'a [u8], payload: &'a [u8]) -> Opened<'a> {
    let (from, to) = addresses(sender);
    let (number, generation) = (PacketNumber(0), 0);
    let seen = Seen::Sent;
    Opened { time: Time::ZERO, from, to, sender, seen, number, generation, header, payload }
}

fn datagram(sender: Side, payload: Vec<u8>) -> Datagram {
    let (from, to) = addresses(sender);
    Datagram { from, to, ecn: Ecn::Ect0, payload }
}

fn addresses(sender: Side) -> (SocketAddr, SocketAddr) {
    let (client, server) = (CLIENT.parse().unwrap(), SERVER.parse().unwrap());
    if sender == Side::Client { (client, server) } else { (server, client) }
}

fn side(name: &Value) -> Side {
    if name == "client" { Side::Client } else { Side::Server }
}

fn vectors(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors");
    let text = fs::read_to_string(folder.join(name).with_extension("json")).unwrap();
    serde_json::from_str(&text).unwrap()
}
