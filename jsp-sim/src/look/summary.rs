//! The summary that a run ends with: the outcome first, then what explains it.
//!
//! A [`Summary`] is plain data that whoever ran the scenario fills in; its [`Display`](fmt::Display) is
//! at most 100 columns wide where names and reasons are not longer than that by themselves.
//!
//! ```text
//! PASSED  bulk over a lossy link, seed 7
//!
//! c0                   client > server                   server > client
//!   delivered          300 kB                            0 B
//! ...
//! ```

use super::human;
use crate::link::PipeStats;
use crate::trace::TraceHash;
use crate::world;
use jsp_proto::connection::Stats;
use jsp_proto::time::{Duration, Time};
use std::fmt::{self, Formatter};

/// How many connections are shown one by one; the others are counted.
const SHOWN: usize = 8;
/// How many links that carried anything are shown.
const SHOWN_LINKS: usize = 24;
/// How many of the last events are shown on failure.
const LAST_EVENTS: usize = 20;
/// The longest line that is put together here.
const COLUMNS: usize = 100;
/// The width of a connection's labels, and that of its first column.
const LABEL: usize = 21;
const CELL: usize = 34;

/// What a run comes down to.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The scenario's name.
    pub scenario: String,
    /// The run's seed.
    pub seed: u64,
    /// What broke, if anything did.
    pub failure: Option<FailureSummary>,
    /// Virtual time that passed.
    pub virtual_time: Duration,
    /// Time that passed for whoever waited; `None` leaves it and the speed out.
    pub wall_time: Option<Duration>,
    /// Arrivals and timers.
    pub events: u64,
    /// The hash of the trace.
    pub trace: TraceHash,
    /// The connections, in the order in which they began.
    pub connections: Vec<ConnectionSummary>,
    /// The links, in the order of the scenario.
    pub links: Vec<LinkSummary>,
    /// The command that runs exactly this again.
    pub replay: String,
}

/// What broke.
#[derive(Clone, Debug)]
pub struct FailureSummary {
    /// Which rule or expectation, by its name.
    pub rule: String,
    /// How.
    pub what: String,
    /// When, in virtual time.
    pub time: Time,
    /// On which host; `None` if on none in particular.
    pub host: Option<String>,
    /// The last things that happened, oldest first.
    pub last_events: Vec<String>,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct ConnectionSummary {
    /// Its name in the scenario.
    pub name: String,
    /// The client's host.
    pub client_host: String,
    /// The server's host.
    pub server_host: String,
    /// How long it was open, of the client's virtual time: what goodput divides by.
    pub open: Duration,
    /// The client's end.
    pub client: Option<EndSummary>,
    /// The server's end, if the server took the connection.
    pub server: Option<EndSummary>,
}

/// One end of a connection.
#[derive(Clone, Debug)]
pub struct EndSummary {
    /// What it measured.
    pub stats: Stats,
    /// The mean of the round-trip times ([`Series::mean_rtt`](super::samples::Series::mean_rtt)).
    pub mean_rtt: Option<Duration>,
    /// Whether its application did everything that it came for.
    pub done: bool,
    /// How it ended, in words; `None` if it is open.
    pub ended: Option<String>,
}

/// One direction of a link.
#[derive(Clone, Debug, Default)]
pub struct LinkSummary {
    /// What it is called: its place, such as `client up`.
    pub name: String,
    /// Datagrams that entered.
    pub entered: u64,
    /// Their bytes, of UDP payload.
    pub entered_bytes: u64,
    /// Datagrams that left at the other end, copies included.
    pub delivered: u64,
    /// Why others did not, and how many.
    pub dropped: Vec<(String, u64)>,
    /// What else was done to datagrams, and to how many: `marked`, `reordered`, ...
    pub changed: Vec<(String, u64)>,
    /// The most that waited in its queue, in bytes, where it has one.
    pub queue_peak: Option<u64>,
}

impl From<&world::Failure> for FailureSummary {
    fn from(failure: &world::Failure) -> Self {
        Self {
            rule: failure.violation.rule.to_string(),
            what: failure.violation.what.clone(),
            time: failure.time,
            host: Some(failure.name.clone()),
            last_events: failure.tail.lines().map(Into::into).collect(),
        }
    }
}

impl LinkSummary {
    /// A link by what its pipe counted.
    pub fn new(name: impl Into<String>, stats: &PipeStats) -> Self {
        let some = |counts: &[(&str, u64)]| {
            let counts = counts.iter().filter(|(_, n)| *n > 0);
            counts.map(|(name, n)| ((*name).into(), *n)).collect()
        };
        Self {
            name: name.into(),
            entered: stats.entered,
            entered_bytes: stats.entered_bytes,
            delivered: stats.delivered,
            dropped: some(&[
                ("lost", stats.lost),
                ("queue full", stats.queue_full),
                ("by AQM", stats.managed),
                ("too big", stats.too_big),
            ]),
            changed: some(&[
                ("marked", stats.marked),
                ("reordered", stats.reordered),
                ("duplicated", stats.duplicated),
                ("corrupted", stats.corrupted),
            ]),
            queue_peak: None,
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let verdict = if self.failure.is_some() { "FAILED" } else { "PASSED" };
        writeln!(f, "{verdict}  {}, seed {}", self.scenario, self.seed)?;
        writeln!(f)?;
        if let Some(failure) = &self.failure {
            write!(f, "{failure}")?;
            writeln!(f, "  replay  {}", self.replay)?;
            writeln!(f)?;
        }
        self.connections.iter().take(SHOWN).try_for_each(|connection| write!(f, "{connection}"))?;
        self.rest(f)?;
        write_links(f, &self.links)?;
        self.foot(f)
    }
}

impl Summary {
    /// The connections that are not shown, counted.
    fn rest(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(rest) = self.connections.get(SHOWN..).filter(|rest| !rest.is_empty()) else {
            return Ok(());
        };
        let done = rest.iter().filter(|connection| connection.is_done()).count();
        let received =
            |end: &Option<EndSummary>| end.as_ref().map_or(0, |end| end.stats.streams.received);
        let to_servers = rest.iter().map(|connection| received(&connection.server)).sum();
        let to_clients = rest.iter().map(|connection| received(&connection.client)).sum();
        writeln!(
            f,
            "and {}, {} of them done: {} to servers, {} to clients",
            human::counted(rest.len() as u64, "more connection"),
            human::count(done as u64),
            human::bytes(to_servers),
            human::bytes(to_clients),
        )?;
        writeln!(f)
    }

    fn foot(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (time, events) = (human::span(self.virtual_time), human::count(self.events));
        write!(f, "time   {time} of virtual time, {events} events")?;
        if let Some(wall) = self.wall_time {
            write!(f, ", in {}", human::span(wall))?;
            let speed = self.virtual_time.as_secs_f64() / wall.as_secs_f64().max(1e-9);
            if speed >= 10.0 {
                write!(f, ": {} times as fast as real time", human::count(speed as u64))?;
            } else {
                write!(f, ": {speed:.1} times as fast as real time")?;
            }
        }
        writeln!(f)?;
        writeln!(f, "trace  {}", self.trace)
    }
}

impl fmt::Display for FailureSummary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "  rule    {}", self.rule)?;
        writeln!(f, "  what    {}", self.what)?;
        let nanos = self.time.as_nanos();
        let (secs, micros) = (nanos / 1_000_000_000, nanos / 1000 % 1_000_000);
        writeln!(f, "  when    {secs}.{micros:06} s")?;
        if let Some(host) = &self.host {
            writeln!(f, "  host    {host}")?;
        }
        let skipped = self.last_events.len().saturating_sub(LAST_EVENTS);
        for (i, event) in self.last_events.iter().skip(skipped).enumerate() {
            let label = if i == 0 { "before" } else { "" };
            writeln!(f, "  {label:<6}  {}", cut(event.trim_end(), COLUMNS - 10))?;
        }
        Ok(())
    }
}

impl ConnectionSummary {
    fn is_done(&self) -> bool {
        [&self.client, &self.server].iter().all(|end| end.as_ref().is_some_and(|end| end.done))
    }

    /// How it ended: both ends in one line if they agree.
    fn write_end(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let words = |end: &Option<EndSummary>| match end {
            None => "never came about".into(),
            Some(EndSummary { ended: Some(ended), .. }) => ended.clone(),
            Some(EndSummary { done: true, .. }) => "open, its application done".to_owned(),
            Some(_) => "open, its application not done".into(),
        };
        let [client, server] = [words(&self.client), words(&self.server)];
        if client == server {
            return row(f, "  in the end", [&client, ""]);
        }
        row(f, "  in the end", [&format!("{}: {client}", self.client_host), ""])?;
        row(f, "", [&format!("{}: {server}", self.server_host), ""])
    }
}

impl fmt::Display for ConnectionSummary {
    /// A column for each direction, with what its sender counted and its receiver got.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { name, client_host, server_host, .. } = self;
        let there = cut(&format!("{client_host} > {server_host}"), CELL - 2);
        let back = cut(&format!("{server_host} > {client_host}"), CELL - 2);
        row(f, &cut(name, LABEL - 2), [&there, &back])?;
        for (label, [there, back]) in self.figures() {
            row(f, &format!("  {label}"), [&there, &back])?;
        }
        self.write_end(f)?;
        writeln!(f)
    }
}

impl ConnectionSummary {
    /// What is known of each direction.
    fn figures(&self) -> Vec<(&'static str, [String; 2])> {
        let ends = [self.client.as_ref(), self.server.as_ref()];
        let none = || "-".to_owned();
        let senders =
            |show: &dyn Fn(&EndSummary) -> String| ends.map(|end| end.map_or_else(none, show));
        let [to_client, to_server] = ends.map(|end| end.map(|end| end.stats.streams.received));
        let delivered = [to_server, to_client];
        let open = self.open.as_secs_f64();
        let goodput = delivered.map(|bytes| match bytes {
            Some(bytes) if bytes > 0 && open > 0.0 => human::rate(bytes as f64 * 8.0 / open),
            _ => none(),
        });
        let sent = senders(&|end| {
            let (path, packets) = (&end.stats.path, end.stats.counts.packets_sent);
            format!("{} in {}", human::bytes(path.sent_bytes), human::counted(packets, "packet"))
        });
        let lost = senders(&|end| {
            let (lost, sent) = (end.stats.path.lost_packets, end.stats.counts.packets_sent);
            format!("{} ({})", human::counted(lost, "packet"), human::share(lost, sent))
        });
        let handshake =
            senders(&|end| end.stats.handshake.map_or_else(|| "not completed".into(), human::span));
        let mut figures = vec![
            ("handshake", handshake),
            ("delivered", delivered.map(|bytes| bytes.map_or_else(none, human::bytes))),
            ("goodput", goodput),
            ("sent", sent),
            ("lost", lost),
            ("retransmitted", senders(&|end| human::bytes(end.stats.streams.retransmitted))),
            ("RTT, least / mean", senders(&rtt)),
            ("MTU", senders(&|end| format!("{} B", end.stats.path.mtu))),
        ];
        if ends.iter().flatten().any(|end| end.stats.counts.key_updates > 0) {
            let updates = senders(&|end| human::count(end.stats.counts.key_updates));
            figures.push(("key updates", updates));
        }
        figures
    }
}

fn rtt(end: &EndSummary) -> String {
    if end.stats.path.acked_packets == 0 {
        return "-".into();
    }
    // Before a mean was taken, the smoothed one is as good.
    let mean = end.mean_rtt.unwrap_or(end.stats.path.rtt);
    format!("{} / {}", human::span(end.stats.path.min_rtt), human::span(mean))
}

/// A label and a cell for each direction.
fn row(f: &mut Formatter<'_>, label: &str, [there, back]: [&str; 2]) -> fmt::Result {
    let line = format!("{label:<LABEL$}{there:<CELL$}{back}");
    writeln!(f, "{}", line.trim_end())
}

/// Links that something entered, as a table.
fn write_links(f: &mut Formatter<'_>, links: &[LinkSummary]) -> fmt::Result {
    let used: Vec<_> = links.iter().filter(|link| link.entered > 0).collect();
    if used.is_empty() {
        return Ok(());
    }
    let longest = used.iter().map(|link| link.name.chars().count()).max().unwrap_or(0);
    let width = longest.clamp(4, 24);
    writeln!(
        f,
        "{:<width$}  {:>9}  {:>9}  {:>9}  remarks",
        "link", "entered", "bytes", "delivered"
    )?;
    for link in used.iter().take(SHOWN_LINKS) {
        let counts = link.dropped.iter().chain(&link.changed);
        let mut notes: Vec<_> =
            counts.map(|(name, n)| format!("{} {name}", human::count(*n))).collect();
        if let Some(peak) = link.queue_peak.filter(|peak| *peak > 0) {
            notes.push(format!("queue up to {}", human::bytes(peak)));
        }
        let line = format!(
            "{:<width$}  {:>9}  {:>9}  {:>9}  {}",
            cut(&link.name, width),
            human::count(link.entered),
            human::bytes(link.entered_bytes),
            human::count(link.delivered),
            notes.join(", "),
        );
        writeln!(f, "{}", line.trim_end())?;
    }
    if let Some(more) = used.len().checked_sub(SHOWN_LINKS).filter(|more| *more > 0) {
        writeln!(f, "and {}", human::counted(more as u64, "more link"))?;
    }
    writeln!(f)
}

/// `text`, with an ellipsis for its end if it is longer than `width` characters.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.into();
    }
    let mut short: String = text.chars().take(width.saturating_sub(3)).collect();
    short.push_str("...");
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ms;
    use crate::rule::{Rule, Violation};
    use jsp_proto::connection::Counts;
    use jsp_proto::path::PathStats;
    use jsp_proto::stream::StreamStats;

    fn end(change: impl FnOnce(&mut Stats)) -> EndSummary {
        let path = PathStats {
            acked_packets: 70,
            rtt: ms(55),
            min_rtt: Duration::from_micros(50_060),
            mtu: 1452,
            ..PathStats::default()
        };
        let mut stats = Stats {
            counts: Counts::default(),
            suite: None,
            provider: "a provider",
            handshake: None,
            streams: StreamStats::default(),
            path,
        };
        change(&mut stats);
        EndSummary { stats, mean_rtt: Some(ms(60)), done: true, ended: None }
    }

    /// A run in which a client sent 300 kB over a link that loses.
    fn summary() -> Summary {
        let client = end(|stats| {
            stats.handshake = Some(Duration::from_micros(102_345));
            stats.counts.packets_sent = 1010;
            stats.counts.key_updates = 1;
            stats.path.sent_bytes = 372_000;
            stats.path.lost_packets = 4;
            stats.streams.retransmitted = 5808;
        });
        let server = end(|stats| {
            stats.handshake = Some(ms(77));
            stats.counts.packets_sent = 72;
            stats.path.sent_bytes = 57_800;
            stats.streams.received = 300_000;
        });
        let there = PipeStats {
            entered: 1004,
            entered_bytes: 372_000,
            delivered: 1000,
            lost: 3,
            queue_full: 1,
            ..PipeStats::default()
        };
        let back = PipeStats {
            entered: 70,
            entered_bytes: 57_800,
            delivered: 70,
            marked: 2,
            ..PipeStats::default()
        };
        let ended = "closed by this application (code 0)".to_owned();
        Summary {
            scenario: "bulk over a lossy link".into(),
            seed: 7,
            failure: None,
            virtual_time: ms(887),
            wall_time: Some(ms(10)),
            events: 1740,
            trace: TraceHash([0xa1; 32]),
            connections: vec![ConnectionSummary {
                name: "c0".into(),
                client_host: "client".into(),
                server_host: "server".into(),
                open: ms(887),
                client: Some(EndSummary { ended: Some(ended), ..client }),
                server: Some(server),
            }],
            links: vec![
                LinkSummary {
                    queue_peak: Some(39_400),
                    ..LinkSummary::new("client > server", &there)
                },
                LinkSummary::new("server > client", &back),
                LinkSummary::new("nobody > nowhere", &PipeStats::default()),
            ],
            replay: "jsp-sim run bulk.toml --seed 7".into(),
        }
    }

    #[test]
    fn a_summary_looks_like_this() {
        let expected = include_str!("golden/summary.txt");
        assert_eq!(summary().to_string(), expected);
    }

    #[test]
    fn a_failure_tells_the_rule_the_place_the_last_events_and_the_way_back() {
        let line = |n| format!("   0.{n:06} node 0 Sent {n} (1200 bytes)");
        let tail = (0..40).map(line).collect::<Vec<_>>().join("\n");
        let failure = world::Failure {
            time: Time::from_nanos(3_201_004_000),
            node: crate::datagram::NodeId(1),
            name: "server".into(),
            violation: Violation::new(Rule::InFlight, "2400 bytes are counted, and 1200 are there"),
            tail,
        };
        let failed = Summary { failure: Some((&failure).into()), ..summary() };
        let text = failed.to_string();
        let head: Vec<_> = text.lines().take(8).collect();
        assert_eq!(
            head,
            [
                "FAILED  bulk over a lossy link, seed 7",
                "",
                "  rule    in-flight",
                "  what    2400 bytes are counted, and 1200 are there",
                "  when    3.201004 s",
                "  host    server",
                "  before     0.000020 node 0 Sent 20 (1200 bytes)",
                "             0.000021 node 0 Sent 21 (1200 bytes)",
            ]
        );
        assert!(text.contains("\n  replay  jsp-sim run bulk.toml --seed 7\n"));
        assert!(!text.contains("Sent 19 "));
    }

    #[test]
    fn no_line_is_longer_than_a_terminal_is_wide() {
        let mut summary = summary();
        summary.links.push(LinkSummary {
            name: "x".repeat(80),
            entered: 1,
            ..LinkSummary::default()
        });
        let long = summary.to_string().lines().map(str::len).max();
        assert!(long <= Some(COLUMNS), "{long:?}");
    }

    #[test]
    fn many_connections_are_counted_rather_than_shown() {
        let mut summary = summary();
        let one = summary.connections[0].clone();
        let refused = ConnectionSummary { server: None, ..one.clone() };
        summary.connections = vec![one; 20];
        summary.connections.push(refused);
        let text = summary.to_string();
        assert_eq!(text.matches("handshake").count(), SHOWN);
        assert!(
            text.contains(
                "and 13 more connections, 12 of them done: 3.60 MB to servers, 0 B to clients\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn a_connection_that_never_came_about_says_so() {
        let connection = ConnectionSummary {
            name: "c0".into(),
            client_host: "client".into(),
            server_host: "server".into(),
            open: Duration::ZERO,
            client: Some(end(|stats| stats.path.acked_packets = 0)),
            server: None,
        };
        let text = connection.to_string();
        assert!(text.contains("server: never came about"), "{text}");
        assert!(text.contains("handshake          not completed"), "{text}");
    }
}
