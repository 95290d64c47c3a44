//! Captures for Wireshark, tshark and tcpdump: pcapng, to any [`io::Write`].
//!
//! A capture has two interfaces, both of raw IP packets: *sealed*, the datagrams as they were on the
//! wire, and *opened*, one record for each packet of a connection with its header unprotected and its
//! payload in plain text. `spec/wireshark/` has the dissector for both, and the form of the opened ones.
//!
//! ```text
//! sealed   IPv4 | IPv6   UDP   datagram
//! opened   IPv4 | IPv6   UDP   OPENED_MAGIC (8)  version (8)  flags (8)  header length (16)
//!                              generation (32)  packet number (64)  header  payload, no tag
//! ```
//!
//! Times are nanoseconds, as the run counted them: it begins on 1 January 1970. The same records give
//! the same bytes.

use crate::datagram::Datagram;
use etherparse::{IpEcn, Ipv4Header, Ipv6Header, UdpHeader, ip_number};
use jsp_proto::ids::{Ecn, PacketNumber, Side};
use jsp_proto::time::Time;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};

/// What an opened packet begins with. No sealed datagram does: their first byte is 0x40 or more
/// (`spec/02-packets.md`, section 2.1), and by RFC 9443 no other protocol's is 0x0f either.
pub const OPENED_MAGIC: [u8; 8] = *b"\x0fJSPopen";

/// The version of what follows the magic.
const OPENED_VERSION: u8 = 1;
/// The flag of a packet that the server sent.
const FROM_SERVER: u8 = 0x01;
/// The flag of a record that was made where the packet arrived.
const AT_RECEIVER: u8 = 0x02;

/// LINKTYPE_RAW: a packet begins with its IPv4 or IPv6 header.
const RAW_IP: u16 = 101;
/// 10^-9 s, as the option `if_tsresol` says it.
const NANOSECONDS: u8 = 9;
const TIME_TO_LIVE: u8 = 64;

/// Where an opened packet was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// As its sender sealed it.
    Sent,
    /// As its receiver had opened it.
    Received,
}

/// A packet without protection.
#[derive(Clone, Copy, Debug)]
pub struct Opened<'a> {
    /// When it was sealed or opened.
    pub time: Time,
    /// Its datagram's source.
    pub from: SocketAddr,
    /// Its datagram's destination.
    pub to: SocketAddr,
    /// Which end sent it.
    pub sender: Side,
    /// Where it was seen.
    pub seen: Seen,
    /// Its number, whole.
    pub number: PacketNumber,
    /// The generation of its key; 0 in an Initial or Handshake packet.
    pub generation: u64,
    /// The unprotected header, through the packet number. It tells the packet's type.
    pub header: &'a [u8],
    /// The frames.
    pub payload: &'a [u8],
}

#[derive(Clone, Copy)]
enum Interface {
    Sealed,
    Opened,
}

/// A pcapng file that is being written.
///
/// ```
/// use jsp_proto::{ids::Ecn, time::Time};
/// use jsp_sim::{datagram::Datagram, look::pcapng::Capture};
///
/// let (from, to) = ("192.0.2.1:50000".parse()?, "192.0.2.2:4433".parse()?);
/// let datagram = Datagram { from, to, ecn: Ecn::Ect0, payload: vec![0x40; 40] };
/// let mut capture = Capture::new(Vec::new())?;
/// capture.datagram(Time::from_nanos(1_500), &datagram, Some("lost"))?;
/// let file = capture.finish()?;
/// # assert!(file.len() > 40);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Capture<W> {
    out: W,
    packet: Vec<u8>,
    block: Vec<u8>,
}

impl<W: Write> Capture<W> {
    /// Begins a capture. Records are written one by one: hand over something that is buffered.
    pub fn new(out: W) -> io::Result<Self> {
        let mut capture = Self { out, packet: Vec::new(), block: Vec::new() };
        capture.section()?;
        capture.interface("sealed", "datagrams as they are on the wire")?;
        capture.interface("opened", "packets without protection")?;
        Ok(capture)
    }

    /// Adds a datagram, with a comment that Wireshark shows beside it.
    ///
    /// Fails as `out` does, and with [`io::ErrorKind::InvalidInput`] where there is no such IP packet:
    /// addresses of two families, or more than IP carries (65,507 bytes in IPv4, 65,527 in IPv6).
    pub fn datagram(
        &mut self,
        time: Time,
        datagram: &Datagram,
        comment: Option<&str>,
    ) -> io::Result<()> {
        let Datagram { from, to, ecn, payload, .. } = datagram;
        self.packet.clear();
        ip_packet(&mut self.packet, *from, *to, *ecn, payload)?;
        self.record(Interface::Sealed, time, comment)
    }

    /// Adds a packet without protection. Fails like [`Capture::datagram`].
    pub fn opened(&mut self, packet: &Opened<'_>, comment: Option<&str>) -> io::Result<()> {
        let Opened { header, payload, .. } = *packet;
        let header_len =
            u16::try_from(header.len()).map_err(|_| invalid("a header beyond 65,535 bytes"))?;
        let server = if packet.sender == Side::Server { FROM_SERVER } else { 0 };
        let received = if packet.seen == Seen::Received { AT_RECEIVER } else { 0 };
        let generation = u32::try_from(packet.generation).unwrap_or(u32::MAX);
        let mut wrapped = Vec::with_capacity(24 + header.len() + payload.len());
        wrapped.extend(OPENED_MAGIC);
        wrapped.extend([OPENED_VERSION, server | received]);
        wrapped.extend(header_len.to_be_bytes());
        wrapped.extend(generation.to_be_bytes());
        wrapped.extend(packet.number.0.to_be_bytes());
        wrapped.extend(header);
        wrapped.extend(payload);
        self.packet.clear();
        ip_packet(&mut self.packet, packet.from, packet.to, Ecn::NotEct, &wrapped)?;
        self.record(Interface::Opened, packet.time, comment)
    }

    /// Writes out what is buffered, and hands back what was written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    /// Section Header Block (pcapng, section 4.1), of unknown length.
    fn section(&mut self) -> io::Result<()> {
        self.block.clear();
        self.block.extend(0x1a2b_3c4d_u32.to_le_bytes());
        self.block.extend([1, 0, 0, 0]);
        self.block.extend(u64::MAX.to_le_bytes());
        self.option(4, concat!("jsp-sim ", env!("CARGO_PKG_VERSION")).as_bytes());
        self.end_of_options();
        self.write_block(0x0a0d_0d0a)
    }

    /// Interface Description Block (section 4.2), packets of any length.
    fn interface(&mut self, name: &str, description: &str) -> io::Result<()> {
        self.block.clear();
        self.block.extend(u32::from(RAW_IP).to_le_bytes());
        self.block.extend(0_u32.to_le_bytes());
        self.option(2, name.as_bytes());
        self.option(3, description.as_bytes());
        self.option(9, &[NANOSECONDS]);
        self.end_of_options();
        self.write_block(1)
    }

    /// Enhanced Packet Block (section 4.3) around the packet that was just made.
    fn record(
        &mut self,
        interface: Interface,
        time: Time,
        comment: Option<&str>,
    ) -> io::Result<()> {
        let (nanos, len) = (time.as_nanos(), self.packet.len() as u32);
        self.block.clear();
        for word in [interface as u32, (nanos >> 32) as u32, nanos as u32, len, len] {
            self.block.extend(word.to_le_bytes());
        }
        self.block.extend(&self.packet);
        self.align();
        if let Some(comment) = comment {
            let end = comment.floor_char_boundary(usize::from(u16::MAX));
            self.option(1, comment.as_bytes().get(..end).unwrap_or_default());
            self.end_of_options();
        }
        self.write_block(6)
    }

    /// An option; `value` is at most 65,535 bytes.
    fn option(&mut self, code: u16, value: &[u8]) {
        debug_assert!(u16::try_from(value.len()).is_ok());
        self.block.extend(code.to_le_bytes());
        self.block.extend((value.len() as u16).to_le_bytes());
        self.block.extend(value);
        self.align();
    }

    fn end_of_options(&mut self) {
        self.option(0, &[]);
    }

    /// Everything in a block begins at a multiple of four bytes.
    fn align(&mut self) {
        self.block.resize(self.block.len().next_multiple_of(4), 0);
    }

    fn write_block(&mut self, kind: u32) -> io::Result<()> {
        // Its type and its length, which stands at both ends.
        let len = (self.block.len() as u32 + 12).to_le_bytes();
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&len)?;
        self.out.write_all(&self.block)?;
        self.out.write_all(&len)
    }
}

/// Appends the IP packet that carries `payload`, with right lengths and checksums.
fn ip_packet(
    packet: &mut Vec<u8>,
    from: SocketAddr,
    to: SocketAddr,
    ecn: Ecn,
    payload: &[u8],
) -> io::Result<()> {
    let too_long = |_| invalid("more than a UDP datagram carries");
    let udp_len = UdpHeader::LEN + payload.len();
    let ecn = IpEcn::try_new(ecn as u8).map_err(|_| invalid("no such ECN field"))?;
    let udp = match (from.ip(), to.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let (source, destination) = (source.octets(), destination.octets());
            let mut ip = Ipv4Header::new(0, TIME_TO_LIVE, ip_number::UDP, source, destination)
                .map_err(|_| invalid("no such IPv4 header"))?;
            ip.set_payload_len(udp_len).map_err(too_long)?;
            // Section 2.1: datagrams are not fragmented.
            ip.dont_fragment = true;
            ip.ecn = ecn;
            ip.header_checksum = ip.calc_header_checksum();
            ip.write(packet)?;
            UdpHeader::with_ipv4_checksum(from.port(), to.port(), &ip, payload).map_err(too_long)?
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let mut ip = Ipv6Header {
                next_header: ip_number::UDP,
                hop_limit: TIME_TO_LIVE,
                source: source.octets(),
                destination: destination.octets(),
                ..Ipv6Header::default()
            };
            ip.set_payload_length(udp_len).map_err(too_long)?;
            ip.set_ecn(ecn);
            ip.write(packet)?;
            UdpHeader::with_ipv6_checksum(from.port(), to.port(), &ip, payload).map_err(too_long)?
        }
        _ => return Err(invalid("addresses of two families")),
    };
    packet.extend(udp.to_bytes());
    packet.extend(payload);
    Ok(())
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::{NetSlice, SlicedPacket, TransportSlice};

    const CLIENT: &str = "192.0.2.1:50000";
    const SERVER: &str = "192.0.2.2:4433";
    const SERVER_V6: &str = "[2001:db8::2]:4433";

    fn datagram(from: &str, to: &str, ecn: Ecn, payload: Vec<u8>) -> Datagram {
        Datagram { from: from.parse().unwrap(), to: to.parse().unwrap(), ecn, payload }
    }

    fn word(bytes: &[u8]) -> usize {
        u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize
    }

    /// Types and bodies of a file's blocks; each says its length at both ends.
    fn blocks(mut file: &[u8]) -> Vec<(usize, Vec<u8>)> {
        let mut blocks = Vec::new();
        while !file.is_empty() {
            let len = word(&file[4..]);
            assert_eq!(len % 4, 0);
            let (block, rest) = file.split_at(len);
            assert_eq!(word(&block[len - 4..]), len);
            blocks.push((word(block), block[8..len - 4].to_vec()));
            file = rest;
        }
        blocks
    }

    fn packet_of(block: &[u8]) -> &[u8] {
        assert_eq!(word(&block[12..]), word(&block[16..]));
        &block[20..20 + word(&block[12..])]
    }

    #[test]
    fn a_file_begins_with_its_section_and_two_interfaces_that_count_nanoseconds() {
        let blocks = blocks(&Capture::new(Vec::new()).unwrap().finish().unwrap());
        assert_eq!(blocks.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [0x0a0d_0d0a, 1, 1]);
        for (_, interface) in &blocks[1..] {
            assert_eq!(interface[..2], [101, 0]);
            assert!(interface.windows(5).any(|option| option == [9, 0, 1, 0, 9]));
        }
    }

    #[test]
    fn a_datagram_becomes_an_ip_packet_with_its_addresses_ecn_and_time() {
        for (from, to) in [(CLIENT, SERVER), ("[2001:db8::1]:50000", SERVER_V6)] {
            let datagram = datagram(from, to, Ecn::Ce, vec![7; 33]);
            let mut capture = Capture::new(Vec::new()).unwrap();
            let time = Time::from_nanos((5 << 32) + 17);
            capture.datagram(time, &datagram, Some("marked")).unwrap();
            let blocks = blocks(&capture.finish().unwrap());
            let (kind, block) = &blocks[3];
            assert_eq!((*kind, word(block)), (6, 0));
            assert_eq!((word(&block[4..]), word(&block[8..])), (5, 17));
            assert!(block.windows(10).any(|option| option == b"\x01\0\x06\0marked"));

            let packet = packet_of(block);
            assert_eq!(packet.len(), datagram.packet_len());
            let sliced = SlicedPacket::from_ip(packet).unwrap();
            let ecn = match sliced.net.unwrap() {
                NetSlice::Ipv4(ip) => {
                    let header = ip.header().to_header();
                    assert_eq!(header.header_checksum, header.calc_header_checksum());
                    assert!(header.dont_fragment);
                    header.ecn
                }
                NetSlice::Ipv6(ip) => ip.header().to_header().ecn(),
                NetSlice::Arp(_) => unreachable!(),
            };
            assert_eq!(ecn.value(), 3);
            let Some(TransportSlice::Udp(udp)) = sliced.transport else { unreachable!() };
            assert_eq!((udp.source_port(), udp.destination_port()), (50_000, 4433));
            assert_eq!(udp.payload(), [7; 33]);
        }
    }

    #[test]
    fn an_opened_packet_says_what_it_is_before_its_bytes() {
        let packet = Opened {
            time: Time::ZERO,
            from: CLIENT.parse().unwrap(),
            to: SERVER.parse().unwrap(),
            sender: Side::Server,
            seen: Seen::Received,
            number: PacketNumber(0x0102_0304_0506),
            generation: 9,
            header: b"head",
            payload: b"frames",
        };
        let mut capture = Capture::new(Vec::new()).unwrap();
        capture.opened(&packet, None).unwrap();
        let blocks = blocks(&capture.finish().unwrap());
        assert_eq!(word(&blocks[3].1), 1);
        assert_eq!(
            packet_of(&blocks[3].1)[28..],
            *b"\x0fJSPopen\x01\x03\0\x04\0\0\0\x09\0\0\x01\x02\x03\x04\x05\x06headframes"
        );
    }

    #[test]
    fn what_no_ip_packet_carries_is_refused_and_leaves_no_trace() {
        let mut capture = Capture::new(Vec::new()).unwrap();
        let len = capture.out.len();
        for (from, to, bytes) in
            [(CLIENT, SERVER_V6, 1), (CLIENT, SERVER, 65_508), (SERVER_V6, SERVER_V6, 65_528)]
        {
            let datagram = datagram(from, to, Ecn::NotEct, vec![0; bytes]);
            let error = capture.datagram(Time::ZERO, &datagram, None).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
        assert_eq!(capture.out.len(), len);
        for (from, to, bytes) in [(CLIENT, SERVER, 65_507), (SERVER_V6, SERVER_V6, 65_527)] {
            let datagram = datagram(from, to, Ecn::NotEct, vec![0; bytes]);
            capture.datagram(Time::ZERO, &datagram, None).unwrap();
        }
    }
}
