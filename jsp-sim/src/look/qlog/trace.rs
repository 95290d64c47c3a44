//! The record of one end of one connection.

use super::frame::Offsets;
use super::metrics::Metrics;
use jsp_proto::ids::Side;
use jsp_proto::time::Time;
use serde_json::{Value, json};
use std::fmt;
use std::io::{self, Write};

/// What was recorded of one end.
pub(super) struct Trace {
    pub(super) connection: String,
    pub(super) host: String,
    pub(super) side: Side,
    /// Events as JSON, separated as in an array.
    pub(super) events: Vec<u8>,
    /// When the last one was: a trace's events are in order of time.
    pub(super) last: Time,
    pub(super) missing: u64,
    pub(super) sent: Direction,
    pub(super) received: Direction,
    pub(super) metrics: Metrics,
    /// The state of the connection that was told last.
    pub(super) state: &'static str,
}

/// What is remembered of the packets that went one way.
#[derive(Debug, Default)]
pub(super) struct Direction {
    pub(super) offsets: Offsets,
    pub(super) generation: u64,
}

impl Trace {
    /// Nothing has happened.
    pub(super) fn new(connection: String, host: String, side: Side) -> Self {
        Self {
            connection,
            host,
            side,
            events: Vec::new(),
            last: Time::ZERO,
            missing: 0,
            sent: Direction::default(),
            received: Direction::default(),
            metrics: Metrics::default(),
            state: "attempted",
        }
    }

    /// Writes the trace as it stands in a file.
    pub(super) fn write(&self, out: &mut impl Write, limit: usize) -> io::Result<()> {
        let side = side_name(self.side);
        let head = json!({
            "title": format!("{}, {side}", self.connection),
            "description": "",
            "vantage_point": { "name": self.host, "type": side },
            "configuration": { "time_units": "ms" },
            "common_fields": {
                "group_id": self.connection,
                "protocol_type": ["JSP"],
                "time_format": "relative",
                "reference_time": 0,
            },
        });
        let head = head.to_string();
        // The object is left open for its events.
        writeln!(out, "{},\"events\":[", head.strip_suffix('}').unwrap_or(&head))?;
        out.write_all(&self.events)?;
        if self.missing > 0 {
            let data = json!({ "limit": limit, "missing": self.missing });
            out.write_all(b",\n")?;
            write_event(out, self.last, "jsp:truncated", &data)?;
        }
        out.write_all(b"\n]}")
    }

    /// Appends an event; how many bytes it took.
    pub(super) fn push(&mut self, now: Time, name: &str, data: &Value) -> usize {
        let before = self.events.len();
        self.last = self.last.max(now);
        if before > 0 {
            self.events.extend_from_slice(b",\n");
        }
        // Writing into memory does not fail.
        let _ = write_event(&mut self.events, self.last, name, data);
        self.events.len() - before
    }
}

/// Writes one event. Milliseconds as a floating-point number tell nanoseconds for a hundred days.
fn write_event(out: &mut impl Write, time: Time, name: &str, data: &Value) -> io::Result<()> {
    let time = json!(time.as_nanos() as f64 / 1e6);
    write!(out, "{{\"time\":{time},\"name\":\"{name}\",\"data\":{data}}}")
}

/// Who a trace's owner is to qlog.
pub(super) const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace")
            .field("connection", &self.connection)
            .field("host", &self.host)
            .field("bytes", &self.events.len())
            .finish_non_exhaustive()
    }
}
