//! What a connection measures, as qlog's events: only what has changed.

use jsp_proto::connection::Stats;
use jsp_proto::time::Duration;
use serde_json::{Map, Value, json};

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    recovery: Map<String, Value>,
    mtu: u16,
    probe_timeouts: u64,
    spurious_events: u64,
    black_holes: u64,
}

impl Metrics {
    /// What is new in `stats`.
    pub(super) fn update(&mut self, stats: &Stats, in_flight: u64) -> Vec<(&'static str, Value)> {
        let path = &stats.path;
        let mut events = Vec::new();
        let mut changed = Map::new();
        let mut tell = |name: &str, value: Value| {
            if self.recovery.get(name) != Some(&value) {
                self.recovery.insert(name.into(), value.clone());
                changed.insert(name.into(), value);
            }
        };
        // Before the first acknowledgement the round-trip time is an assumption.
        if path.acked_packets > 0 {
            tell("smoothed_rtt", millis(path.rtt));
            tell("min_rtt", millis(path.min_rtt));
            tell("rtt_variance", millis(path.rtt_variance));
        }
        tell("congestion_window", path.window.into());
        tell("bytes_in_flight", in_flight.into());
        if let Some(rate) = path.pacing_rate {
            tell("pacing_rate", rate.saturating_mul(8).into());
        }
        if !changed.is_empty() {
            events.push(("recovery:metrics_updated", changed.into()));
        }
        if path.mtu != self.mtu {
            let old = std::mem::replace(&mut self.mtu, path.mtu);
            let mut data = Map::new();
            if old > 0 {
                data.insert("old".into(), old.into());
            }
            data.insert("new".into(), path.mtu.into());
            events.push(("connectivity:mtu_updated", data.into()));
        }
        let totals = [
            ("jsp:probe_timeout", &mut self.probe_timeouts, path.probe_timeouts),
            ("jsp:spurious_loss", &mut self.spurious_events, path.spurious_events),
            ("jsp:black_hole", &mut self.black_holes, path.black_holes),
        ];
        for (name, told, total) in totals {
            if total > *told {
                *told = total;
                events.push((name, json!({ "total": total })));
            }
        }
        events
    }
}

fn millis(span: Duration) -> Value {
    json!(span.as_nanos() as f64 / 1e6)
}
