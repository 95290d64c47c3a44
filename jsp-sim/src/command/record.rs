//! Everything that records a run: the files that the command line asks for, and the time series that the
//! summary and pictures are made of.

use super::failure::Failure;
use super::output::{Output, PictureFile, failed};
use super::scenario::title;
use jsp_proto::connection::Event;
use jsp_proto::time::Time;
use jsp_sim::invariant::{SharedObserver, Who};
use jsp_sim::look::capture::{Datagrams, Packets};
use jsp_sim::look::lines::{Lines, LinesFile};
use jsp_sim::look::plot::plot;
use jsp_sim::look::qlog::{Qlog, Recorder};
use jsp_sim::look::samples::{Reading, Samples, Series, SeriesId};
use jsp_sim::scenario::{EndView, Run};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Files that a run may be written to.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Files to look at afterwards")]
pub(super) struct Files {
    /// Draw throughput, delay, window and losses over time: FILE.svg or FILE.png
    #[arg(long, value_name = "FILE", value_parser = PictureFile::parse)]
    plot: Option<PictureFile>,
    /// Write everything that happens as JSON lines
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Write packets, metrics and events as qlog, which https://qvis.quictools.info draws
    #[arg(long, value_name = "FILE")]
    qlog: Option<PathBuf>,
    /// Write the datagrams as they were sent, for Wireshark (pcapng)
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Write the packets without protection, for Wireshark with spec/wireshark/jsp.lua (pcapng)
    #[arg(long, value_name = "FILE")]
    pcap_unsealed: Option<PathBuf>,
    /// Write the time series that `jsp-sim compare` draws
    #[arg(long, value_name = "FILE")]
    samples: Option<PathBuf>,
}

impl Files {
    /// Whether any is asked for.
    pub(super) const fn any(&self) -> bool {
        self.plot.is_some()
            || self.trace.is_some()
            || self.qlog.is_some()
            || self.pcap.is_some()
            || self.pcap_unsealed.is_some()
            || self.samples.is_some()
    }
}

type Writer = BufWriter<File>;

/// Those who record a run.
pub(super) struct Recorders {
    series: TimeSeries,
    plot: Option<(PictureFile, Output)>,
    samples: Option<Output>,
    trace: Option<(PathBuf, LinesFile<Writer>)>,
    qlog: Option<(Output, QlogOfRun)>,
    pcap: Option<(PathBuf, Datagrams<Writer>)>,
    pcap_unsealed: Option<(PathBuf, Arc<Mutex<Packets<Writer>>>)>,
}

impl Recorders {
    /// Creates the files, and has their writers watch the run.
    pub(super) fn new(files: &Files, run: &mut Run, seed: u64) -> Result<Self, Failure> {
        let open = |path: &Option<PathBuf>| path.as_deref().map(Output::create).transpose();
        let mut recorders = Self {
            series: TimeSeries::new(
                title(run.scenario(), seed),
                files.plot.is_some() || files.samples.is_some(),
            ),
            plot: None,
            samples: open(&files.samples)?,
            trace: None,
            qlog: None,
            pcap: None,
            pcap_unsealed: None,
        };
        if let Some(plot) = &files.plot {
            recorders.plot = Some((plot.clone(), plot.create()?));
        }
        if let Some(output) = open(&files.trace)? {
            let (path, writer) = output.into_parts();
            let (lines, file) = Lines::new(writer, run.hosts());
            run.watch(Box::new(lines));
            recorders.trace = Some((path, file));
        }
        if let Some(output) = open(&files.qlog)? {
            recorders.qlog = Some((output, QlogOfRun::new(run, seed)));
        }
        if let Some(output) = open(&files.pcap)? {
            let (path, writer) = output.into_parts();
            let datagrams = Datagrams::new(writer).map_err(failed(&path))?;
            run.watch(Box::new(datagrams.clone()));
            recorders.pcap = Some((path, datagrams));
        }
        if let Some(output) = open(&files.pcap_unsealed)? {
            let (path, writer) = output.into_parts();
            let packets = Packets::new(writer).map_err(failed(&path))?;
            let packets = Arc::new(Mutex::new(packets));
            let observer: SharedObserver = packets.clone();
            run.observe(&observer);
            recorders.pcap_unsealed = Some((path, packets));
        }
        Ok(recorders)
    }

    /// Looks at the run after an event.
    pub(super) fn look(&mut self, run: &Run) {
        self.series.look(run);
        if let Some((_, qlog)) = &mut self.qlog {
            qlog.look(run);
        }
        if let Some((_, packets)) = &self.pcap_unsealed {
            let mut packets = lock(packets);
            for end in run.ends() {
                packets.locate(end.who, end.local, end.session.connection().remote());
            }
        }
    }

    /// Finishes the files. What is left are the run's time series.
    pub(super) fn finish(self) -> Result<Samples, Failure> {
        let samples = self.series.samples;
        if let Some((path, file)) = self.trace {
            file.finish().map_err(failed(&path))?;
        }
        if let Some((output, qlog)) = self.qlog {
            output.write(|file| qlog.log.write(file))?;
        }
        if let Some((path, datagrams)) = self.pcap {
            datagrams.finish().map_err(failed(&path))?;
        }
        if let Some((path, packets)) = self.pcap_unsealed {
            lock(&packets).finish().map_err(failed(&path))?;
        }
        if let Some(output) = self.samples {
            output.write(|file| samples.write(file))?;
        }
        if let Some((picture, output)) = self.plot {
            picture.write(output, &plot(&samples))?;
        }
        Ok(samples)
    }
}

/// Runs with nothing but time series recorded.
pub(super) fn sample(run: Run, title: String) -> Samples {
    let mut series = TimeSeries::new(title, true);
    run.finish_with(|run| series.look(run));
    series.samples
}

/// The time series of a run.
struct TimeSeries {
    samples: Samples,
    ids: BTreeMap<String, [SeriesId; 2]>,
    /// Whether peaks count, so that every event must be looked at.
    sharp: bool,
    looked: Option<Time>,
}

/// So many connections are looked at after every event; more, once in an interval.
const SHARP: usize = 8;

impl TimeSeries {
    fn new(title: String, sharp: bool) -> Self {
        Self { samples: Samples::new(title), ids: BTreeMap::new(), sharp, looked: None }
    }

    fn look(&mut self, run: &Run) {
        let now = run.world().now();
        let sharp = self.sharp && run.scenario().connections.len() <= SHARP;
        let soon = |looked: Time| now.since(looked) < Series::FIRST_INTERVAL;
        if !sharp && self.looked.is_some_and(soon) {
            return;
        }
        self.looked = Some(now);
        for end in run.ends() {
            let id = self.id(run, &end);
            let connection = end.session.connection();
            let in_flight = if self.sharp { connection.audit().in_flight } else { 0 };
            self.samples.record(id, now, Reading::new(&connection.stats(), in_flight));
        }
    }

    /// The series of an end. Both of a connection are added at once, so that they stand together.
    fn id(&mut self, run: &Run, end: &EndView<'_>) -> SeriesId {
        if let Some(ids) = self.ids.get(end.connection) {
            return ids[end.who.side as usize];
        }
        let connection = run.scenario().connection(end.connection);
        let hosts = connection.map_or(["", ""], |connection| [&connection.from, &connection.to]);
        let ids = hosts.map(|host| self.samples.add(end.connection, host));
        self.ids.insert(end.connection.into(), ids);
        ids[end.who.side as usize]
    }
}

/// What a qlog has beside packets: metrics, milestones, and what the scenario did.
struct QlogOfRun {
    log: Qlog,
    recorder: Arc<Mutex<Recorder>>,
    told: BTreeMap<Who, Milestones>,
    noted: BTreeSet<String>,
}

/// What was told of an end.
#[derive(Clone, Copy, Debug, Default)]
struct Milestones {
    connected: bool,
    confirmed: bool,
    closed: bool,
}

impl QlogOfRun {
    fn new(run: &mut Run, seed: u64) -> Self {
        let log = Qlog::new(title(run.scenario(), seed));
        let recorder = Arc::new(Mutex::new(Recorder::new(log.clone(), run.hosts())));
        let observer: SharedObserver = recorder.clone();
        run.observe(&observer);
        Self { log, recorder, told: BTreeMap::new(), noted: BTreeSet::new() }
    }

    fn look(&mut self, run: &Run) {
        let Self { recorder, told, noted, .. } = self;
        let mut recorder = lock(recorder);
        for end in run.ends() {
            let (trace, session) = (recorder.trace(end.who), end.session);
            let connection = session.connection();
            let told = told.entry(end.who).or_insert_with(|| {
                trace.rename(end.connection);
                trace.started(session.began, end.local, connection.remote());
                Milestones::default()
            });
            let stats = connection.stats();
            trace.metrics(end.now, &stats, connection.audit().in_flight);
            if let Some(time) = session.connected.filter(|_| !told.connected) {
                told.connected = true;
                trace.event(time, &Event::Connected);
            }
            if let Some(time) = session.confirmed.filter(|_| !told.confirmed) {
                told.confirmed = true;
                trace.event(time, &Event::Confirmed);
            }
            if let Some((time, reason)) = session.closed.as_ref().filter(|_| !told.closed) {
                told.closed = true;
                trace.event(*time, &Event::Closed(reason.clone()));
            }
        }
        for (op, _) in run.begun() {
            if !noted.contains(&op.name) {
                noted.insert(op.name.clone());
                for end in run.ends() {
                    recorder.trace(end.who).note(end.now, &format!("{} begins", op.name));
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
