//! Somebody on the way who has what everybody can have: the keys of Initial packets and of Retry.

use crate::crypto::TAG_LEN;
use crate::crypto::rustcrypto::RustCrypto;
use crate::ids::{ConnectionId, PacketNumber, Side, Version};
use crate::protection::{LevelKeys, ReceivedWindow, retry_tag};
use crate::wire::frame::{Frame, Frames};
use crate::wire::header::{
    FIXED, Kind, LONG, Packet, encode_long, put_version_and_ids, set_length,
};
use crate::wire::{Put, TruncatedNumber, Writer};
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// An opened Initial packet, and what followed it in its datagram.
#[derive(Clone)]
pub(super) struct Initial {
    pub(super) dcid: ConnectionId,
    pub(super) scid: ConnectionId,
    pub(super) token: Vec<u8>,
    pub(super) number: PacketNumber,
    pub(super) payload: Vec<u8>,
    pub(super) rest: Vec<u8>,
}

impl Initial {
    /// Opens the Initial packet that `sender` put at the front of a datagram, if there is one.
    /// `keyed` is the destination that the client's Initials name.
    pub(super) fn open(keyed: &ConnectionId, sender: Side, datagram: &[u8]) -> Option<Self> {
        let Ok(Packet::Protected(header)) = Packet::parse(datagram) else { return None };
        if header.kind != Kind::Initial {
            return None;
        }
        let mut packet = datagram[..header.end].to_vec();
        let mut keys = LevelKeys::initial(&RustCrypto, keyed, sender.peer());
        let opened = keys.open(&mut ReceivedWindow::new(), &mut packet, header.number_at).ok()?;
        Some(Self {
            dcid: header.dcid,
            scid: header.scid,
            token: datagram[header.token].to_vec(),
            number: opened.number,
            payload: packet[opened.payload].to_vec(),
            rest: datagram[header.end..].to_vec(),
        })
    }

    /// Seals it again as `sender`'s, whatever was changed.
    pub(super) fn seal(&self, keyed: &ConnectionId, sender: Side) -> Vec<u8> {
        let mut datagram = vec![0; 4096];
        let mut w = Writer::new(&mut datagram);
        let number = TruncatedNumber::new(self.number, None);
        let header =
            encode_long(&mut w, Kind::Initial, &self.dcid, &self.scid, &self.token, number)
                .unwrap();
        w.put(&self.payload).unwrap();
        w.put(&[0; TAG_LEN]).unwrap();
        let len = w.len();
        datagram.truncate(len);
        let at = header.length_at.unwrap();
        set_length((&mut datagram[at..at + 2]).try_into().unwrap(), len - header.number_at);
        LevelKeys::initial(&RustCrypto, keyed, sender)
            .seal(self.number, &mut datagram, header.number_at, number.len())
            .unwrap();
        datagram.extend_from_slice(&self.rest);
        datagram
    }

    /// Where the handshake bytes of the payload's CRYPTO frames lie: offset in the handshake, and
    /// place in the payload.
    pub(super) fn crypto(&self) -> Vec<(usize, Range<usize>)> {
        Frames::new(&self.payload)
            .filter_map(|frame| match frame.unwrap().1 {
                Frame::Crypto { offset, data } => {
                    let at = data.as_ptr() as usize - self.payload.as_ptr() as usize;
                    Some((offset as usize, at..at + data.len()))
                }
                _ => None,
            })
            .collect()
    }
}

/// The handshake bytes of a first flight.
pub(super) fn gather(flight: &[Initial]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for initial in flight {
        for (offset, place) in initial.crypto() {
            bytes.resize(bytes.len().max(offset + place.len()), 0);
            bytes[offset..offset + place.len()].copy_from_slice(&initial.payload[place]);
        }
    }
    bytes
}

/// The same flight with other handshake bytes, each payload as long as before.
pub(super) fn spread(flight: &[Initial], bytes: &[u8]) -> Vec<Initial> {
    let part = bytes.len().div_ceil(flight.len());
    flight
        .iter()
        .zip(bytes.chunks(part).enumerate())
        .map(|(initial, (i, data))| {
            let mut payload = Vec::new();
            Frame::Crypto { offset: (i * part) as u64, data }.encode(&mut payload).unwrap();
            payload.resize(initial.payload.len().max(payload.len()), 0);
            Initial { payload, ..initial.clone() }
        })
        .collect()
}

/// A Retry with a valid tag, from whoever saw the client's first packet.
pub(super) fn retry(to: &Initial, scid: &ConnectionId, token: &[u8]) -> Vec<u8> {
    let mut packet = vec![LONG | FIXED | 0x30];
    put_version_and_ids(&mut packet, Version::V1, &to.scid, scid).unwrap();
    packet.extend_from_slice(token);
    let tag = retry_tag(&RustCrypto, &to.dcid, &packet);
    packet.extend_from_slice(&tag);
    packet
}

/// A Version Negotiation in answer to a client's first packet.
pub(super) fn negotiation(to: &Initial, versions: &[Version]) -> Vec<u8> {
    let mut packet = vec![LONG | FIXED];
    put_version_and_ids(&mut packet, Version::NEGOTIATION, &to.scid, &to.dcid).unwrap();
    for version in versions {
        packet.put_u32(version.0).unwrap();
    }
    packet
}
