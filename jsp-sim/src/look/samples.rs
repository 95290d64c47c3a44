//! What connections measured, as time series: what plots are drawn from.
//!
//! The run tells a series as often as it likes what a connection shows ([`Samples::record`]). A series keeps
//! one sample for each interval of virtual time in which it was told anything; when it has more than
//! [`Series::MAX_SAMPLES`] of them, it doubles the interval and joins them in pairs. So its memory is
//! bounded however long the run is, and its resolution is at least a thousandth of the run's length.
//! Counters lose nothing by that; where nothing was told, nothing changed.
//!
//! ```text
//! told       . ... ..  .         . . .... .
//! samples   |-- 1 --|-- 2 --|         |-- 3 --|-- 4 --|     the last of each interval
//! ```
//!
//! # The file
//!
//! JSON lines. The first says what the file is: `{"format":"jsp-sim samples 1","title":"..."}`. Each other is
//! one sample: `connection`, `host`, `interval_ns` (the interval's length), `time_ns` (its begin), and
//! what [`Sample`] and [`Reading`] have as fields, times in nanoseconds.

use jsp_proto::connection::Stats;
use jsp_proto::time::{Duration, Time, nanos};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::{self, Write};

/// What marks a file of samples, and which form it has.
const FORMAT: &str = "jsp-sim samples 1";

/// What one end of a connection shows at one moment. Counters count from the connection's begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Bytes of UDP payload sent.
    pub sent_bytes: u64,
    /// Bytes of streams received, each counted once.
    pub received_bytes: u64,
    /// Bytes of streams sent again.
    pub retransmitted_bytes: u64,
    /// Packets declared lost.
    pub lost_packets: u64,
    /// Smoothed round-trip time in nanoseconds, once there is one.
    pub rtt_ns: Option<u64>,
    /// Smallest round-trip time in nanoseconds, once there is one.
    pub min_rtt_ns: Option<u64>,
    /// The congestion window, in bytes.
    pub window: u64,
    /// Bytes in flight.
    pub in_flight: u64,
}

impl Reading {
    /// What a connection's statistics say, with what it has in flight
    /// ([`Connection::audit`](jsp_proto::connection::Connection)).
    pub fn new(stats: &Stats, in_flight: u64) -> Self {
        let path = &stats.path;
        // Before the first acknowledgement the round-trip time is an assumption.
        let measured = |rtt| (path.acked_packets > 0).then(|| nanos(rtt));
        Self {
            sent_bytes: path.sent_bytes,
            received_bytes: stats.streams.received,
            retransmitted_bytes: stats.streams.retransmitted,
            lost_packets: path.lost_packets,
            rtt_ns: measured(path.rtt),
            min_rtt_ns: measured(path.min_rtt),
            window: path.window,
            in_flight,
        }
    }
}

/// What was shown during one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When the interval began, in nanoseconds of virtual time.
    #[serde(rename = "time_ns")]
    begin: u64,
    /// The most that was in flight during it.
    pub peak_in_flight: u64,
    /// What was shown last.
    #[serde(flatten)]
    pub last: Reading,
}

impl Sample {
    /// When the interval began.
    pub const fn begin(&self) -> Time {
        Time::from_nanos(self.begin)
    }
}

/// One end of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The connection's name.
    pub connection: String,
    /// The host's name.
    pub host: String,
    interval: u64,
    samples: Vec<Sample>,
}

impl Series {
    /// How many samples are kept at most.
    pub const MAX_SAMPLES: usize = 2048;
    /// How long the first intervals are.
    pub const FIRST_INTERVAL: Duration = Duration::from_millis(1);

    fn new(connection: String, host: String) -> Self {
        let interval = nanos(Self::FIRST_INTERVAL);
        Self { connection, host, interval, samples: Vec::new() }
    }

    /// How long an interval is.
    pub const fn interval(&self) -> Duration {
        Duration::from_nanos(self.interval)
    }

    /// The samples, in order of time; not more than one for each interval.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// When the last interval ends.
    pub fn end(&self) -> Time {
        self.samples.last().map_or(Time::ZERO, |last| last.begin() + self.interval())
    }

    /// What was shown last.
    pub fn last(&self) -> Option<&Reading> {
        self.samples.last().map(|sample| &sample.last)
    }

    /// The mean of the round-trip times that were shown, each for as long as it was.
    pub fn mean_rtt(&self) -> Option<Duration> {
        let rtts = self.samples.iter().filter_map(|sample| sample.last.rtt_ns);
        let (n, sum) = rtts.fold((0, 0), |(n, sum), rtt| (n + 1, sum + u128::from(rtt)));
        let mean = sum.checked_div(n)?;
        Some(Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX)))
    }

    fn record(&mut self, now: Time, reading: Reading) {
        let now = now.as_nanos();
        // At least one interval must lie between the origin and now, at most as many as are kept.
        while now / self.interval >= Self::MAX_SAMPLES as u64 {
            self.coarsen();
        }
        let begin = now - now % self.interval;
        let sample = Sample { begin, peak_in_flight: reading.in_flight, last: reading };
        match self.samples.last_mut() {
            Some(last) if last.begin >= begin => last.join(&sample),
            _ => self.samples.push(sample),
        }
    }

    /// Doubles the interval.
    fn coarsen(&mut self) {
        self.interval *= 2;
        let interval = self.interval;
        for sample in &mut self.samples {
            sample.begin -= sample.begin % interval;
        }
        self.samples.dedup_by(|later, earlier| {
            let same = later.begin == earlier.begin;
            if same {
                earlier.join(later);
            }
            same
        });
    }
}

impl Sample {
    /// Takes in what was shown later in the same interval.
    fn join(&mut self, later: &Self) {
        self.peak_in_flight = self.peak_in_flight.max(later.peak_in_flight);
        self.last = later.last;
    }
}

/// Which series of a [`Samples`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesId(usize);

/// The time series of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Samples {
    /// What the run is called in legends: its scenario and seed.
    pub title: String,
    series: Vec<Series>,
}

impl Samples {
    /// A run without connections so far.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), series: Vec::new() }
    }

    /// Adds the series of one end of a connection.
    pub fn add(&mut self, connection: impl Into<String>, host: impl Into<String>) -> SeriesId {
        self.series.push(Series::new(connection.into(), host.into()));
        SeriesId(self.series.len() - 1)
    }

    /// Takes what a connection shows at `now`, in virtual time, which never runs back. The more often it is
    /// told, the sharper the peaks; after each event is best.
    pub fn record(&mut self, id: SeriesId, now: Time, reading: Reading) {
        if let Some(series) = self.series.get_mut(id.0) {
            series.record(now, reading);
        }
    }

    /// All series, in the order in which they were added.
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// One of them.
    pub fn get(&self, id: SeriesId) -> Option<&Series> {
        self.series.get(id.0)
    }

    /// Writes the file that [`Samples::read`] reads.
    pub fn write(&self, mut out: impl Write) -> io::Result<()> {
        let head = Head { format: FORMAT.into(), title: self.title.clone() };
        line(&mut out, &head)?;
        for series in &self.series {
            for &sample in &series.samples {
                let Series { connection, host, interval, .. } = series;
                let (connection, host) = (connection.clone(), host.clone());
                line(&mut out, &Row { connection, host, interval_ns: *interval, sample })?;
            }
        }
        out.flush()
    }

    /// Whether `text` begins as a file of samples does.
    pub fn is_samples(text: &str) -> bool {
        let head = text.lines().next().map(serde_json::from_str::<Head>);
        head.is_some_and(|head| head.is_ok_and(|head| head.format == FORMAT))
    }

    /// Reads what [`Samples::write`] wrote.
    pub fn read(text: &str) -> Result<Self, BadSamples> {
        let bad = |line: usize, why: String| BadSamples { line: line + 1, why };
        let mut lines = text.lines().enumerate();
        let head = lines.next().map_or("", |(_, head)| head);
        let head: Head = serde_json::from_str(head).map_err(|error| bad(0, error.to_string()))?;
        if head.format != FORMAT {
            return Err(bad(0, format!("the format is {:?}, not {FORMAT:?}", head.format)));
        }
        let mut samples = Self::new(head.title);
        for (n, text) in lines {
            let row: Row = serde_json::from_str(text).map_err(|error| bad(n, error.to_string()))?;
            samples.take(row).map_err(|why| bad(n, why.into()))?;
        }
        Ok(samples)
    }

    /// Appends a row of a file.
    fn take(&mut self, row: Row) -> Result<(), &'static str> {
        let Row { connection, host, interval_ns, sample } = row;
        let known = self.series.iter().position(|s| s.connection == connection && s.host == host);
        let known = known.unwrap_or_else(|| self.add(connection, host).0);
        let series = &mut self.series[known];
        if series.samples.is_empty() {
            series.interval = interval_ns;
        }
        if interval_ns == 0 || series.interval != interval_ns {
            return Err("the interval differs from that of the series' other samples, or is 0");
        }
        if series.samples.last().is_some_and(|last| last.begin >= sample.begin) {
            return Err("samples are not in order of time");
        }
        series.samples.push(sample);
        Ok(())
    }
}

/// The first line of a file.
#[derive(Serialize, Deserialize)]
struct Head {
    format: String,
    title: String,
}

/// Any other line.
#[derive(Serialize, Deserialize)]
struct Row {
    connection: String,
    host: String,
    interval_ns: u64,
    #[serde(flatten)]
    sample: Sample,
}

fn line(out: &mut impl Write, what: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, what)?;
    out.write_all(b"\n")
}

/// Why a file is not one of samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadSamples {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for BadSamples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for BadSamples {}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    fn reading(sent_bytes: u64) -> Reading {
        Reading { sent_bytes, in_flight: sent_bytes % 1000, ..Reading::default() }
    }

    fn one(readings: impl IntoIterator<Item = (u64, Reading)>) -> Samples {
        let mut samples = Samples::new("a run");
        let id = samples.add("c0", "client");
        for (micros, reading) in readings {
            samples.record(id, Time::from_nanos(micros * 1000), reading);
        }
        samples
    }

    quickcheck! {
        fn memory_is_bounded_and_counters_lose_nothing(steps: Vec<u32>) -> bool {
            let mut time = 0;
            let readings = steps.iter().enumerate().map(|(n, &step)| {
                time += u64::from(step);
                (time, reading(n as u64))
            });
            let samples = one(readings);
            let series = &samples.series()[0];
            let ordered = series.samples().windows(2).all(|two| two[0].begin < two[1].begin);
            let last = series.last().map(|last| last.sent_bytes + 1).unwrap_or_default();
            series.samples().len() <= Series::MAX_SAMPLES && ordered && last == steps.len() as u64
        }
    }

    #[test]
    fn a_long_run_keeps_at_least_half_of_the_samples_that_there_is_room_for() {
        let samples = one((0..100_000).map(|n| (n * 1000, reading(n))));
        let series = &samples.series()[0];
        assert!(series.samples().len() > Series::MAX_SAMPLES / 2, "{}", series.samples().len());
        assert_eq!(series.interval(), Duration::from_millis(64));
        // An interval shows what was shown last in it, and the peak.
        assert_eq!(series.samples()[0].last.sent_bytes, 63);
        assert_eq!(series.samples()[0].peak_in_flight, 63);
        assert_eq!(series.samples()[15].peak_in_flight, 999);
        assert_eq!(series.end(), Time::from_nanos(100_032_000_000));
    }

    #[test]
    fn the_mean_round_trip_time_is_of_those_that_were_measured() {
        let at = |rtt_ns| Reading { rtt_ns, ..Reading::default() };
        let samples = one([(0, at(None)), (5000, at(Some(10))), (9000, at(Some(30)))]);
        assert_eq!(samples.series()[0].mean_rtt(), Some(Duration::from_nanos(20)));
        assert_eq!(one([(0, at(None))]).series()[0].mean_rtt(), None);
    }

    #[test]
    fn a_file_gives_back_what_was_written() {
        let mut samples = one((0..5000).map(|n| (n * 777, reading(n))));
        let other = samples.add("c0", "server");
        let rtt_ns = Some(5_000_000);
        samples.record(other, Time::from_nanos(7), Reading { rtt_ns, ..reading(9) });
        let mut file = Vec::new();
        samples.write(&mut file).unwrap();
        let text = String::from_utf8(file).unwrap();
        assert!(Samples::is_samples(&text));
        assert_eq!(Samples::read(&text).unwrap(), samples);
    }

    #[test]
    fn a_wrong_file_is_told_with_its_line() {
        assert!(!Samples::is_samples("name = \"a scenario\""));
        assert_eq!(Samples::read("{}").unwrap_err().line, 1);
        let mut file = Vec::new();
        one([(0, reading(1)), (5000, reading(2))]).write(&mut file).unwrap();
        let text = String::from_utf8(file).unwrap();
        let lines: Vec<_> = text.lines().collect();
        let swapped = [lines[0], lines[2], lines[1]].join("\n");
        let error = Samples::read(&swapped).unwrap_err();
        assert_eq!((error.line, error.why.as_str()), (3, "samples are not in order of time"));
        let cut = [lines[0], &lines[1][..20]].join("\n");
        assert_eq!(Samples::read(&cut).unwrap_err().line, 2);
    }
}
