//! What the engine tells its application, and how a connection begins, as qlog's events.

use super::trace::Trace;
use jsp_proto::connection::{Event, TransportConfig};
use jsp_proto::error::CloseReason;
use jsp_proto::ids::{Dir, Version};
use jsp_proto::stream::StreamEvent;
use jsp_proto::wire::parameters::Parameters;
use serde_json::{Map, Value, json};
use std::net::SocketAddr;

/// A connection begins.
pub(super) fn started(
    trace: &mut Trace,
    local: SocketAddr,
    remote: SocketAddr,
) -> Vec<(&'static str, Value)> {
    let data = json!({
        "ip_version": if local.is_ipv4() { "ipv4" } else { "ipv6" },
        "src_ip": local.ip(),
        "src_port": local.port(),
        "dst_ip": remote.ip(),
        "dst_port": remote.port(),
        "protocol": "JSP",
        "quic_version": format!("{:08x}", Version::V1.0),
    });
    let begun = json!({ "new": trace.state });
    let state = ("connectivity:connection_state_updated", begun);
    vec![("connectivity:connection_started", data), state]
}

/// What both ends say of themselves.
pub(super) fn parameters(
    local: &TransportConfig,
    remote: &TransportConfig,
) -> Vec<(&'static str, Value)> {
    let of = |owner: &str, config: &TransportConfig| {
        let mut parameters = Parameters::default();
        config.streams.announce(&mut parameters);
        let idle = config.idle_timeout.map_or(0, |timeout| timeout.as_millis() as u64);
        let data = json!({
            "owner": owner,
            "max_idle_timeout": idle,
            "max_udp_payload_size": parameters.max_datagram,
            "max_ack_delay": config.max_ack_delay.as_millis() as u64,
            "initial_max_data": parameters.max_data,
            "initial_max_stream_data_bidi_local": parameters.stream_bidi_local,
            "initial_max_stream_data_bidi_remote": parameters.stream_bidi_remote,
            "initial_max_stream_data_uni": parameters.stream_uni,
            "initial_max_streams_bidi": parameters.max_streams[Dir::Bi.index()],
            "initial_max_streams_uni": parameters.max_streams[Dir::Uni.index()],
        });
        ("transport:parameters_set", data)
    };
    vec![of("local", local), of("remote", remote)]
}

/// The engine told of something.
pub(super) fn event(trace: &mut Trace, event: &Event) -> Vec<(&'static str, Value)> {
    match event {
        Event::Sign(_) => vec![("jsp:signature_requested", json!({}))],
        Event::Connected => vec![state(trace, "handshake_completed")],
        Event::Confirmed => vec![state(trace, "handshake_confirmed")],
        Event::Stream(event) => vec![("jsp:stream", stream(event))],
        Event::Closed(reason) => {
            vec![("connectivity:connection_closed", closed(reason)), state(trace, "closed")]
        }
    }
}

fn state(trace: &mut Trace, new: &'static str) -> (&'static str, Value) {
    let old = std::mem::replace(&mut trace.state, new);
    ("connectivity:connection_state_updated", json!({ "old": old, "new": new }))
}

fn stream(event: &StreamEvent) -> Value {
    let with = |name: &str, id: u64| json!({ "event": name, "stream_id": id });
    let kind = |name: &str, dir: Dir| {
        let dir = if dir == Dir::Bi { "bidirectional" } else { "unidirectional" };
        json!({ "event": name, "stream_type": dir })
    };
    match *event {
        StreamEvent::Opened { dir } => kind("opened", dir),
        StreamEvent::Available { dir } => kind("available", dir),
        StreamEvent::Readable(id) => with("readable", id.0),
        StreamEvent::Writable(id) => with("writable", id.0),
        StreamEvent::Finished(id) => with("finished", id.0),
        StreamEvent::Stopped { id, code } => {
            json!({ "event": "stopped", "stream_id": id.0, "code": code.0 })
        }
    }
}

fn closed(reason: &CloseReason) -> Value {
    let mut data = Map::new();
    let mut put = |name: &str, value: Value| data.insert(name.into(), value);
    put("reason", reason.to_string().into());
    match reason {
        CloseReason::Local { code } => {
            put("owner", "local".into());
            put("application_code", code.0.into());
        }
        CloseReason::Remote { code, .. } => {
            put("owner", "remote".into());
            put("application_code", code.0.into());
        }
        CloseReason::LocalError(error) => {
            put("owner", "local".into());
            put("connection_code", error.code.0.into());
        }
        CloseReason::RemoteError { code, .. } => {
            put("owner", "remote".into());
            put("connection_code", code.0.into());
        }
        CloseReason::IdleTimeout => {
            put("trigger", "idle_timeout".into());
        }
        CloseReason::HandshakeTimeout => {
            put("trigger", "handshake_timeout".into());
        }
        CloseReason::StatelessReset => {
            put("trigger", "stateless_reset".into());
        }
        CloseReason::VersionMismatch => {
            put("trigger", "version_mismatch".into());
        }
    }
    data.into()
}
