//! A run as JSON lines: one line for each thing that happened, in order.
//!
//! ```text
//! {"time":0,"host":"client","kind":"sent","number":0,"from":"10.0.0.1:1","to":"10.0.0.2:1","bytes":1200,"ecn":"ect0"}
//! {"time":25000000,"host":"server","kind":"arrived","number":0,"from":"10.0.0.1:1","to":"10.0.0.2:1","bytes":1200,"ecn":"ect0"}
//! {"time":25000000,"host":"server","kind":"event","connection":0,"what":"Connected"}
//! ```
//!
//! | field | in | says |
//! |---|---|---|
//! | `time` | all | virtual time in nanoseconds; never runs back |
//! | `host` | all | who: for `dropped` and `passed` the datagram's sender |
//! | `kind` | all | `sent`: a datagram enters the network; `passed`: a box let it pass, its addresses are those behind the box; `dropped`: it does not come through; `arrived`; `timer`: a timer of the host's fires; `event`: the host notes something |
//! | `number` | datagrams | counts datagrams as they enter the network; a copy has its original's |
//! | `from`, `to` | datagrams | addresses; of `dropped` those that it was sent with |
//! | `bytes` | datagrams | the UDP payload's length |
//! | `ecn` | datagrams | `ect0`, `ect1` or `ce`; absent if the datagram is not ECN-capable |
//! | `why` | `dropped` | the reason, by [`Dropped::name`](crate::link::Dropped::name) |
//! | `deadline` | `timer` | what the timer was set for, by the host's own clock, in nanoseconds |
//! | `connection` | `event` | the connection's place in its endpoint |
//! | `what` | `event` | the engine's event as its `Debug` prints it, or what the host says; cut after 1000 bytes |
//!
//! A datagram that was dropped after 65,536 others have been sent has no `from`, `to` and `bytes` any more. It
//! can still be found by its number.

use crate::datagram::{Datagram, NodeId};
use crate::trace::Observer;
use jsp_proto::ids::Ecn;
use jsp_proto::time::Time;
use serde::Serialize;
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// How many datagrams are remembered so that a drop can tell what it was that was dropped.
const REMEMBERED: usize = 1 << 16;
/// The longest text that an event is shown with, in bytes.
const MAX_TEXT: usize = 1000;

/// Writes a run as JSON lines. An [`Observer`] of the run holds one half, whoever started the run the
/// other, to finish the file.
///
/// ```
/// use jsp_sim::look::lines::Lines;
/// use jsp_sim::pair::Scenario;
///
/// let mut pair = Scenario::new(7).start().unwrap();
/// let (lines, file) = Lines::new(Vec::new(), ["client", "server"]);
/// pair.world.watch(Box::new(lines));
/// pair.run_until(|pair| pair.is_over()).unwrap();
/// let text = String::from_utf8(file.finish().unwrap()).unwrap();
/// assert!(text.contains(r#""host":"server","kind":"event","connection":0,"what":"Connected"}"#));
/// ```
pub struct Lines<W> {
    out: Arc<Mutex<Output<W>>>,
    hosts: Vec<String>,
    /// The last datagrams that were sent, of consecutive numbers.
    sent: VecDeque<Envelope>,
    /// The number after the last one's.
    next: u64,
}

/// The file that [`Lines`] writes. [`LinesFile::finish`] tells whether it is whole.
pub struct LinesFile<W> {
    out: Arc<Mutex<Output<W>>>,
}

struct Output<W> {
    /// `None` once it is finished.
    writer: Option<W>,
    /// The first error; nothing is written after it.
    error: Option<io::Error>,
}

/// What a drop shows of a datagram.
#[derive(Clone, Copy)]
struct Envelope {
    from: SocketAddr,
    to: SocketAddr,
    bytes: usize,
}

impl Envelope {
    const fn of(datagram: &Datagram) -> Self {
        Self { from: datagram.from, to: datagram.to, bytes: datagram.payload.len() }
    }
}

/// One line. Fields are written in this order.
#[derive(Clone, Copy, Serialize, Default)]
struct Line<'a> {
    time: u64,
    host: &'a str,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ecn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<&'a str>,
}

impl Line<'_> {
    fn datagram(number: u64, envelope: Option<Envelope>, ecn: Ecn) -> Self {
        Self {
            number: Some(number),
            from: envelope.map(|envelope| envelope.from),
            to: envelope.map(|envelope| envelope.to),
            bytes: envelope.map(|envelope| envelope.bytes),
            ecn: match ecn {
                Ecn::NotEct => None,
                Ecn::Ect1 => Some("ect1"),
                Ecn::Ect0 => Some("ect0"),
                Ecn::Ce => Some("ce"),
            },
            ..Self::default()
        }
    }
}

impl<W: Write> Lines<W> {
    /// An observer that writes to `out`, and the file to finish after the run. `hosts` are the hosts' names
    /// in the order in which the hosts were added to the world. A writer that is slow for many small
    /// pieces should be buffered.
    pub fn new(out: W, hosts: impl IntoIterator<Item = impl Into<String>>) -> (Self, LinesFile<W>) {
        let out = Arc::new(Mutex::new(Output { writer: Some(out), error: None }));
        let file = LinesFile { out: Arc::clone(&out) };
        let hosts = hosts.into_iter().map(Into::into).collect();
        (Self { out, hosts, sent: VecDeque::new(), next: 0 }, file)
    }

    fn write(&self, time: Time, node: NodeId, kind: &str, line: &Line<'_>) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let Output { writer: Some(writer), error: error @ None } = &mut *out else { return };
        let unnamed;
        let host = if let Some(name) = self.hosts.get(node.0 as usize) {
            name
        } else {
            unnamed = format!("host{}", node.0);
            &unnamed
        };
        let line = Line { time: time.as_nanos(), host, kind, ..*line };
        let written = serde_json::to_writer(&mut *writer, &line).map_err(io::Error::from);
        *error = written.and_then(|()| writer.write_all(b"\n")).err();
    }

    fn remember(&mut self, number: u64, datagram: &Datagram) {
        if number != self.next {
            self.sent.clear();
        }
        self.next = number + 1;
        if self.sent.len() == REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back(Envelope::of(datagram));
    }

    fn recall(&self, number: u64) -> Option<Envelope> {
        let back = usize::try_from(self.next.checked_sub(number)?).ok()?;
        self.sent.get(self.sent.len().checked_sub(back)?).copied()
    }
}

impl<W: Write + Send> Observer for Lines<W> {
    fn sent(&mut self, time: Time, node: NodeId, number: u64, datagram: &Datagram) {
        self.remember(number, datagram);
        let line = Line::datagram(number, Some(Envelope::of(datagram)), datagram.ecn);
        self.write(time, node, "sent", &line);
    }

    fn passed(&mut self, time: Time, node: NodeId, number: u64, datagram: &Datagram) {
        let line = Line::datagram(number, Some(Envelope::of(datagram)), datagram.ecn);
        self.write(time, node, "passed", &line);
    }

    fn dropped(&mut self, time: Time, node: NodeId, number: u64, why: &'static str) {
        let line = Line::datagram(number, self.recall(number), Ecn::NotEct);
        self.write(time, node, "dropped", &Line { why: Some(why), ..line });
    }

    fn arrived(&mut self, time: Time, node: NodeId, number: u64, datagram: &Datagram) {
        let line = Line::datagram(number, Some(Envelope::of(datagram)), datagram.ecn);
        self.write(time, node, "arrived", &line);
    }

    fn timer(&mut self, time: Time, node: NodeId, deadline: Time) {
        let line = Line { deadline: Some(deadline.as_nanos()), ..Line::default() };
        self.write(time, node, "timer", &line);
    }

    fn event(&mut self, time: Time, node: NodeId, number: u64, what: &[u8]) {
        let what = String::from_utf8_lossy(what.get(..MAX_TEXT).unwrap_or(what));
        let line = Line { connection: Some(number), what: Some(&what), ..Line::default() };
        self.write(time, node, "event", &line);
    }
}

impl<W: Write> LinesFile<W> {
    /// Flushes the file and gives the writer back. What happens after that is not written.
    ///
    /// # Errors
    ///
    /// The first error of the writer, whenever it was; lines are missing then.
    pub fn finish(self) -> io::Result<W> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = out.error.take() {
            return Err(error);
        }
        let gone = || io::Error::other("the file is finished");
        let mut writer = out.writer.take().ok_or_else(gone)?;
        writer.flush()?;
        Ok(writer)
    }
}

impl<W> fmt::Debug for Lines<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

impl<W> fmt::Debug for LinesFile<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinesFile").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{Sink, Source};
    use crate::link::Link;
    use crate::ms;
    use crate::pair::{Pair, Scenario};
    use serde_json::Value;

    fn story() -> Pair {
        let link = Link::new().delay(ms(10)).rate(10_000_000).queue(20_000).loss(0.1);
        Scenario::new(3)
            .link(&link)
            .client_app(Source::new(1, 100_000).then_close())
            .server_app(|_| Sink::new(1, 100_000))
            .start()
            .unwrap()
    }

    fn told(mut pair: Pair) -> (String, crate::trace::TraceHash) {
        let (lines, file) = Lines::new(Vec::new(), ["client", "server"]);
        pair.world.watch(Box::new(lines));
        pair.run_until(Pair::is_over).unwrap();
        let text = String::from_utf8(file.finish().unwrap()).unwrap();
        (text, pair.world.trace().hash())
    }

    #[test]
    fn lines_look_as_documented() {
        let mut lines = Lines::new(Vec::new(), ["alice", "bob"]).0;
        let datagram = Datagram {
            from: "10.0.0.1:5".parse().unwrap(),
            to: "[2001:db8::2]:443".parse().unwrap(),
            ecn: Ecn::Ect0,
            payload: vec![7; 1200],
        };
        let at = Time::from_nanos;
        lines.sent(at(0), NodeId(0), 0, &datagram);
        let behind = Datagram { from: "192.0.2.1:9".parse().unwrap(), ..datagram };
        lines.passed(at(5), NodeId(0), 0, &behind);
        lines.dropped(at(7), NodeId(0), 0, "queue-full");
        lines.dropped(at(7), NodeId(0), 1, "lost");
        lines.arrived(at(9), NodeId(1), 0, &Datagram { ecn: Ecn::Ce, ..behind });
        lines.timer(at(10), NodeId(2), at(8));
        lines.event(at(11), NodeId(1), 3, "Closed(\"bye\")".as_bytes());
        let out = lines.out.lock().unwrap().writer.take().unwrap();
        let expected = r#"
{"time":0,"host":"alice","kind":"sent","number":0,"from":"10.0.0.1:5","to":"[2001:db8::2]:443","bytes":1200,"ecn":"ect0"}
{"time":5,"host":"alice","kind":"passed","number":0,"from":"192.0.2.1:9","to":"[2001:db8::2]:443","bytes":1200,"ecn":"ect0"}
{"time":7,"host":"alice","kind":"dropped","number":0,"from":"10.0.0.1:5","to":"[2001:db8::2]:443","bytes":1200,"why":"queue-full"}
{"time":7,"host":"alice","kind":"dropped","number":1,"why":"lost"}
{"time":9,"host":"bob","kind":"arrived","number":0,"from":"192.0.2.1:9","to":"[2001:db8::2]:443","bytes":1200,"ecn":"ce"}
{"time":10,"host":"host2","kind":"timer","deadline":8}
{"time":11,"host":"bob","kind":"event","connection":3,"what":"Closed(\"bye\")"}
"#;
        assert_eq!(String::from_utf8(out).unwrap(), expected.trim_start());
    }

    #[test]
    fn every_datagram_of_a_run_is_sent_and_then_arrives_or_is_dropped() {
        let (text, _) = told(story());
        let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let of = |kind: &str| {
            let of_kind = lines.iter().filter(|line| line["kind"] == kind);
            of_kind.map(|line| line["number"].as_u64().unwrap()).collect::<Vec<_>>()
        };
        let (sent, arrived, dropped) = (of("sent"), of("arrived"), of("dropped"));
        // The first flight left before anybody watched.
        assert!(sent.windows(2).all(|two| two[0] + 1 == two[1]));
        assert!(!dropped.is_empty());
        assert!(arrived.iter().all(|number| !dropped.contains(number)));
        // What is still on its way when the connection has ended has no fate.
        assert!(arrived.len() + dropped.len() + 10 > sent.len());
        let drops = lines.iter().filter(|line| line["kind"] == "dropped");
        let drops = drops.filter(|line| line["number"].as_u64() >= Some(sent[0]));
        assert!(drops.clone().all(|line| line["bytes"].as_u64() > Some(0)));
        assert!(drops.clone().any(|line| line["why"] == "lost"));
    }

    #[test]
    fn watching_changes_nothing_and_the_same_run_gives_the_same_bytes() {
        let (first, hash) = told(story());
        let (second, _) = told(story());
        assert_eq!(first, second);
        let mut alone = story();
        alone.run_until(Pair::is_over).unwrap();
        assert_eq!(alone.world.trace().hash(), hash);
    }

    #[test]
    fn only_the_last_datagrams_are_remembered() {
        let mut lines = Lines::new(Vec::new(), ["a"]).0;
        let address = "10.0.0.1:5".parse().unwrap();
        let datagram = Datagram { from: address, to: address, ecn: Ecn::NotEct, payload: vec![1] };
        for number in 0..=REMEMBERED as u64 {
            lines.remember(number, &datagram);
        }
        assert!(lines.recall(0).is_none());
        assert!(lines.recall(1).is_some());
        assert!(lines.recall(REMEMBERED as u64).is_some());
        assert!(lines.recall(REMEMBERED as u64 + 1).is_none());
    }

    #[test]
    fn an_error_of_the_writer_is_told_at_the_end() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut pair = story();
        let (lines, file) = Lines::new(Full(10_000), ["client", "server"]);
        pair.world.watch(Box::new(lines));
        pair.run_until(Pair::is_over).unwrap();
        assert_eq!(file.finish().err().unwrap().kind(), io::ErrorKind::StorageFull);
    }
}
