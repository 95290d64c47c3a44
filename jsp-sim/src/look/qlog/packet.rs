//! Packets as qlog's events.

use super::frame::{frames, hex};
use super::trace::{Direction, side_name};
use jsp_proto::connection::{Refusal, TapPacket};
use jsp_proto::ids::{PacketNumber, Side, Space};
use jsp_proto::record::TAG_LEN;
use jsp_proto::wire::Reader;
use jsp_proto::wire::header::{KEY_PHASE, Kind};
use serde_json::{Map, Value, json};

/// A packet that `sender` sealed, with the update of its keys that shows in it.
pub(super) fn packet(
    name: &'static str,
    sender: Side,
    direction: &mut Direction,
    packet: &TapPacket<'_>,
) -> Vec<(&'static str, Value)> {
    let mut events = Vec::new();
    if packet.generation > direction.generation {
        direction.generation = packet.generation;
        let key_type = format!("{}_1rtt_secret", side_name(sender));
        let data = json!({ "key_type": key_type, "generation": packet.generation });
        events.push(("security:key_updated", data));
    }
    let mut data = Map::new();
    data.insert("header".into(), header(packet));
    // What is protected counts as the payload, the tag included: so qvis reads it.
    let protected = packet.payload.len() + TAG_LEN;
    data.insert("raw".into(), json!({ "length": packet.size, "payload_length": protected }));
    data.insert("frames".into(), frames(packet.payload, &mut direction.offsets).into());
    if packet.size < packet.datagram {
        data.insert("is_coalesced".into(), true.into());
    }
    if packet.mtu_probe {
        data.insert("is_mtu_probe_packet".into(), true.into());
    }
    events.push((name, data.into()));
    events
}

/// A packet's header in the clear.
fn header(packet: &TapPacket<'_>) -> Value {
    let mut header = Map::new();
    header.insert("packet_type".into(), packet_type(packet.kind).into());
    header.insert("packet_number".into(), packet.number.0.into());
    let mut reader = Reader::new(packet.header);
    let first = reader.u8().unwrap_or_default();
    if packet.kind == Kind::Data {
        let phase = u8::from(first & KEY_PHASE != 0);
        header.insert("key_phase".into(), phase.into());
        let id = packet.header.get(1..=jsp_proto::ids::ConnectionId::LEN);
        header.insert("dcid".into(), hex(id.unwrap_or_default()).into());
        return header.into();
    }
    if let Ok(version) = reader.u32() {
        header.insert("version".into(), format!("{version:08x}").into());
    }
    for (id, len) in [("dcid", "dcil"), ("scid", "scil")] {
        let bytes = reader.u8_prefixed().unwrap_or_default();
        header.insert(id.into(), hex(bytes).into());
        header.insert(len.into(), bytes.len().into());
    }
    header.into()
}

const fn packet_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Initial => "initial",
        Kind::Early => "0RTT",
        Kind::Handshake => "handshake",
        Kind::Data => "1RTT",
    }
}

/// A packet that was sent, by its number.
pub(super) fn reference(space: Space, number: PacketNumber) -> Value {
    let kind = match space {
        Space::Initial => Kind::Initial,
        Space::Handshake => Kind::Handshake,
        Space::Data => Kind::Data,
    };
    json!({ "header": { "packet_type": packet_type(kind), "packet_number": number.0 } })
}

/// A packet that was not taken.
pub(super) fn refused(kind: Kind, why: Refusal) -> Value {
    let trigger = match why {
        Refusal::NotAuthentic => "decryption_failure",
        Refusal::Duplicate => "duplicate",
        Refusal::NoKeys => "key_unavailable",
    };
    json!({ "header": { "packet_type": packet_type(kind) }, "trigger": trigger })
}
