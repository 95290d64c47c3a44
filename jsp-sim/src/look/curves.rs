//! Time series as points: seconds, and a value in base units.

use super::human;
use super::samples::{Reading, Sample, Series};
use jsp_proto::time::{Duration, Time, nanos};

/// How many cells a grid has at most.
const CELLS: u64 = 120;

/// When a series ends, in seconds.
pub(super) fn end(series: &Series) -> f64 {
    as_seconds(series.end())
}

fn as_seconds(time: Time) -> f64 {
    time.as_nanos() as f64 / 1e9
}

/// Nanoseconds in seconds.
pub(super) fn seconds(nanos: Option<u64>) -> Option<f64> {
    nanos.map(|nanos| nanos as f64 / 1e9)
}

/// What an end sent in all.
pub(super) fn sent(series: &Series) -> u64 {
    series.last().map_or(0, |last| last.sent_bytes)
}

/// A value that holds until it changes.
pub(super) fn gauge(series: &Series, value: impl Fn(&Sample) -> Option<f64>) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = Vec::new();
    let interval = series.interval();
    for sample in series.samples() {
        let Some(value) = value(sample) else { continue };
        let begin = as_seconds(sample.begin());
        // Where nothing was told for a while, nothing had changed.
        if let Some(&(t, held)) = points.last()
            && t < begin
        {
            points.push((begin, held));
        }
        points.push((as_seconds(sample.begin() + interval), value));
    }
    points
}

/// Cells of equal length, over which counters are counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    cell: u64,
}

impl Grid {
    /// A grid up to `end`, in seconds: of cells that are round, and not shorter than an interval of the
    /// series.
    pub(super) fn new<'a>(end: f64, series: impl IntoIterator<Item = &'a Series>) -> Self {
        let end = (end * 1e9) as u64;
        let intervals = series.into_iter().map(|series| nanos(series.interval()));
        let least = intervals.max().unwrap_or(1).max(end / CELLS).max(1);
        let round = (0..19).flat_map(|power| [1, 2, 5].map(|digit| digit * 10u64.pow(power)));
        let cell = round.into_iter().find(|cell| *cell >= least).unwrap_or(least);
        Self { cell }
    }

    /// How long a cell is, for a legend.
    pub(super) fn name(self) -> String {
        format!("in each {}", human::span(Duration::from_nanos(self.cell)))
    }

    /// What a counter grew by in each cell, up to the series' end.
    fn growth(self, series: &Series, counter: impl Fn(&Reading) -> u64) -> Vec<u64> {
        let cells = usize::try_from(series.end().as_nanos().div_ceil(self.cell)).unwrap_or(0);
        let mut growth = vec![0; cells];
        let mut before = 0;
        for sample in series.samples() {
            let now = counter(&sample.last);
            let cell = usize::try_from(sample.begin().as_nanos() / self.cell);
            if let Some(cell) = cell.ok().and_then(|cell| growth.get_mut(cell)) {
                *cell += now.saturating_sub(before);
            }
            before = now;
        }
        growth
    }

    /// A counter of bytes as bits per second, in steps.
    pub(super) fn rate(
        self,
        series: &Series,
        counter: impl Fn(&Reading) -> u64,
    ) -> Vec<(f64, f64)> {
        let growth = self.growth(series, counter);
        let (cell, end) = (self.cell as f64 / 1e9, end(series));
        let steps = (0u32..).zip(growth).flat_map(|(i, bytes)| {
            let begin = f64::from(i) * cell;
            let until = (begin + cell).min(end);
            let rate = bytes as f64 * 8.0 / (until - begin);
            [(begin, rate), (until, rate)]
        });
        steps.collect()
    }

    /// What a counter grew by, in the middle of each cell.
    pub(super) fn counts(
        self,
        series: &Series,
        counter: impl Fn(&Reading) -> u64,
    ) -> Vec<(f64, f64)> {
        let growth = self.growth(series, counter);
        let cell = self.cell as f64 / 1e9;
        let middles = (0u32..).zip(growth);
        middles.map(|(i, n)| ((f64::from(i) + 0.5) * cell, n as f64)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::samples::Samples;

    /// Told each 10 ms for a second: 1000 bytes more, one loss each 100 ms.
    fn run() -> Samples {
        let mut run = Samples::new("a run");
        let id = run.add("c0", "client");
        for n in 1..=100 {
            let rtt_ns = (n > 5).then_some(20_000_000);
            let reading = Reading {
                sent_bytes: n * 1000,
                lost_packets: n / 10,
                rtt_ns,
                ..Reading::default()
            };
            run.record(id, Time::from_nanos((n - 1) * 10_000_000), reading);
        }
        run
    }

    #[test]
    fn a_rate_is_what_a_counter_grew_by_in_each_cell() {
        let run = run();
        let series = &run.series()[0];
        let grid = Grid::new(end(series), run.series());
        assert_eq!(grid.name(), "in each 10.0 ms");
        let rate = grid.rate(series, |reading| reading.sent_bytes);
        assert_eq!(rate.len(), 200);
        assert_eq!(rate[..2], [(0.0, 800_000.0), (0.01, 800_000.0)]);
        // The last interval ends after a tenth of its cell.
        assert!((rate[199].0 - 0.991).abs() < 1e-9);
        let losses = grid.counts(series, |reading| reading.lost_packets);
        let counted: Vec<_> = (0..100).filter(|i| losses[*i].1 > 0.0).collect();
        assert_eq!(counted, (9..100).step_by(10).collect::<Vec<_>>());
    }

    #[test]
    fn a_gauge_begins_with_its_first_value_and_holds_it() {
        let run = run();
        let points = gauge(&run.series()[0], |sample| seconds(sample.last.rtt_ns));
        assert_eq!(points[..3], [(0.051, 0.02), (0.06, 0.02), (0.061, 0.02)]);
    }

    #[test]
    fn cells_are_round_and_few() {
        let cell = |end| Grid::new(end, []).cell;
        assert_eq!(cell(10.0), 100_000_000);
        assert_eq!(cell(3600.0), 50_000_000_000);
        assert_eq!(cell(0.0), 1);
    }
}
