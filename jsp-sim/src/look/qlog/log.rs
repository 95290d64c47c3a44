//! A qlog in the making, and one end of a connection in it.

use super::trace::Trace;
use super::{event, packet};
use jsp_proto::connection::{Event, Refusal, Stats, Tap, TapPacket, TransportConfig};
use jsp_proto::ids::{PacketNumber, Side, Space};
use jsp_proto::time::Time;
use jsp_proto::wire::header::Kind;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A qlog in the making. Clones are the same log.
#[derive(Clone, Debug)]
pub struct Qlog {
    log: Arc<Mutex<Log>>,
}

/// The record of one end of one connection. Clones write to the same record; one of them is the connection's
/// [`Tap`].
#[derive(Clone, Debug)]
pub struct QlogTrace {
    log: Arc<Mutex<Log>>,
    id: usize,
}

#[derive(Debug)]
struct Log {
    title: String,
    limit: usize,
    bytes: usize,
    traces: Vec<Trace>,
}

impl Qlog {
    /// How large a log may grow, in bytes: more than this no browser opens.
    pub const LIMIT: usize = 256 << 20;

    /// An empty log of at most [`Qlog::LIMIT`] bytes. The title tells the scenario and the seed.
    pub fn new(title: impl Into<String>) -> Self {
        Self::with_limit(title, Self::LIMIT)
    }

    /// An empty log that takes no more events once they are `limit` bytes.
    pub fn with_limit(title: impl Into<String>, limit: usize) -> Self {
        let log = Log { title: title.into(), limit, bytes: 0, traces: Vec::new() };
        Self { log: Arc::new(Mutex::new(log)) }
    }

    /// Begins the record of one end of a connection.
    pub fn trace(
        &self,
        connection: impl Into<String>,
        host: impl Into<String>,
        side: Side,
    ) -> QlogTrace {
        let mut log = lock(&self.log);
        log.traces.push(Trace::new(connection.into(), host.into(), side));
        QlogTrace { log: Arc::clone(&self.log), id: log.traces.len() - 1 }
    }

    /// Writes the file. Its name should end in `.qlog`.
    pub fn write(&self, mut out: impl Write) -> io::Result<()> {
        let log = lock(&self.log);
        let title = json!(log.title);
        writeln!(
            out,
            "{{\"qlog_version\":\"0.3\",\"qlog_format\":\"JSON\",\"title\":{title},\"traces\":["
        )?;
        // A trace without events is none to qvis.
        let full = log.traces.iter().filter(|trace| !trace.events.is_empty());
        for (i, trace) in full.enumerate() {
            out.write_all(if i > 0 { b",\n" } else { b"" })?;
            trace.write(&mut out, log.limit)?;
        }
        out.write_all(b"]}\n")?;
        out.flush()
    }
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

impl QlogTrace {
    /// Lets `make` say what happened at `now`, unless the log is full.
    fn record(&self, now: Time, make: impl FnOnce(&mut Trace) -> Vec<(&'static str, Value)>) {
        let mut log = lock(&self.log);
        let full = log.bytes >= log.limit;
        let Some(trace) = log.traces.get_mut(self.id) else { return };
        let mut bytes = 0;
        for (name, data) in make(trace) {
            if full {
                trace.missing += 1;
            } else {
                bytes += trace.push(now, name, &data);
            }
        }
        log.bytes += bytes;
    }

    /// Gives the connection another name.
    pub fn rename(&self, connection: impl Into<String>) {
        if let Some(trace) = lock(&self.log).traces.get_mut(self.id) {
            trace.connection = connection.into();
        }
    }

    pub(super) fn is_nameless(&self) -> bool {
        let log = lock(&self.log);
        log.traces.get(self.id).is_none_or(|trace| trace.connection.is_empty())
    }

    /// The connection begins.
    pub fn started(&self, now: Time, local: SocketAddr, remote: SocketAddr) {
        self.record(now, |trace| event::started(trace, local, remote));
    }

    /// What this end and its peer say of themselves in the handshake, as it follows from their
    /// configurations.
    pub fn parameters(&self, now: Time, local: &TransportConfig, remote: &TransportConfig) {
        self.record(now, |_| event::parameters(local, remote));
    }

    /// What the connection measures at `now`; only what has changed is written. Best told after every event.
    pub fn metrics(&self, now: Time, stats: &Stats, in_flight: u64) {
        self.record(now, |trace| trace.metrics.update(stats, in_flight));
    }

    /// The engine told its application of something.
    pub fn event(&self, now: Time, event: &Event) {
        self.record(now, |trace| event::event(trace, event));
    }

    /// The simulator did something to this end.
    pub fn note(&self, now: Time, message: &str) {
        self.record(now, |_| vec![("jsp:note", json!({ "message": message }))]);
    }
}

impl Tap for QlogTrace {
    fn sent(&mut self, packet: &TapPacket<'_>) {
        self.record(packet.now, |trace| {
            packet::packet("transport:packet_sent", trace.side, &mut trace.sent, packet)
        });
    }

    fn received(&mut self, packet: &TapPacket<'_>) {
        self.record(packet.now, |trace| {
            let peer = trace.side.peer();
            packet::packet("transport:packet_received", peer, &mut trace.received, packet)
        });
    }

    fn lost(&mut self, now: Time, space: Space, number: PacketNumber) {
        self.record(now, |_| vec![("recovery:packet_lost", packet::reference(space, number))]);
    }

    fn late(&mut self, now: Time, space: Space, number: PacketNumber) {
        self.record(now, |_| vec![("jsp:packet_late", packet::reference(space, number))]);
    }

    fn refused(&mut self, now: Time, kind: Kind, why: Refusal) {
        self.record(now, |_| vec![("transport:packet_dropped", packet::refused(kind, why))]);
    }
}
