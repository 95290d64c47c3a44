//! Several runs on one picture.

use super::chart::{COLOURS, Chart, Curve, Look, Panel, Quantity};
use super::curves::{self, Grid};
use super::picture::{Dash, Picture};
use super::samples::{Samples, Series};

/// How many runs the colours and lines tell apart.
pub const MOST: usize = 3 * COLOURS.len();

/// A run's curves: those of the end that sent the most, and what its peer got of it.
struct Run<'a> {
    sender: &'a Series,
    receiver: Option<&'a Series>,
}

/// Lays the main flows of up to [`MOST`] runs over each other: for each run the end of a connection that sent the
/// most. Further runs, and runs in which nothing was sent, are left out.
pub fn compare(runs: &[Samples]) -> Picture {
    let flows: Vec<_> =
        runs.iter().filter_map(|run| Some((run, Run::of(run)?))).take(MOST).collect();
    let all = || flows.iter().flat_map(|(_, flow)| [Some(flow.sender), flow.receiver]).flatten();
    let end = all().map(curves::end).fold(0.0, f64::max);
    let grid = Grid::new(end, all());
    let panel = |heading, quantity, height| Panel {
        heading,
        quantity,
        keys: Vec::new(),
        curves: Vec::new(),
        height,
    };
    let mut panels = [
        panel("Delivered to streams", Quantity::Rate, 160.0),
        panel("Round-trip time, smoothed", Quantity::Time, 140.0),
        panel("Congestion window", Quantity::Bytes, 140.0),
        panel("Packets declared lost so far", Quantity::Count, 110.0),
    ];
    let mut legend = Vec::new();
    for (i, (run, Run { sender, receiver })) in flows.iter().enumerate() {
        let paint = COLOURS[i % COLOURS.len()];
        // Once all colours are used, lines differ.
        let dash = [Dash::Solid, Dash::Dashed, Dash::Dotted][i / COLOURS.len() % 3];
        let delivered = receiver.map_or_else(
            || grid.rate(sender, |reading| reading.sent_bytes),
            |receiver| grid.rate(receiver, |reading| reading.received_bytes),
        );
        let curves = [
            delivered,
            curves::gauge(sender, |sample| curves::seconds(sample.last.rtt_ns)),
            curves::gauge(sender, |sample| Some(sample.last.window as f64)),
            curves::gauge(sender, |sample| Some(sample.last.lost_packets as f64)),
        ];
        for (panel, points) in panels.iter_mut().zip(curves) {
            panel.curves.push(Curve { look: Look::Line(dash), paint, points });
        }
        legend.push((run.title.clone(), paint));
    }
    let title = format!("{} runs compared", flows.len());
    Chart { title, legend, panels: panels.into(), end }.draw()
}

impl<'a> Run<'a> {
    fn of(run: &'a Samples) -> Option<Self> {
        let series = run.series().iter().filter(|series| curves::sent(series) > 0);
        // The first of those that sent equally much.
        let sender = series.rev().max_by_key(|series| curves::sent(series))?;
        let receiver = run
            .series()
            .iter()
            .find(|other| other.connection == sender.connection && other.host != sender.host);
        Some(Self { sender, receiver })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::samples::Reading;
    use jsp_proto::time::Time;

    fn run(n: usize) -> Samples {
        let mut run = Samples::new(format!("run {n}"));
        let [client, server] = ["client", "server"].map(|host| run.add("c0", host));
        for i in 0..500 {
            let now = Time::from_nanos(i * 1_000_000);
            let window = 1000 * n as u64;
            let reading = Reading { sent_bytes: i * 1000, window, ..Reading::default() };
            run.record(client, now, reading);
            run.record(server, now, Reading { received_bytes: i * 900, ..Reading::default() });
        }
        run
    }

    #[test]
    fn each_run_has_a_legend_and_a_colour_in_every_panel() {
        let svg = compare(&[run(1), run(2)]).svg();
        assert!(svg.contains(">2 runs compared</text>"));
        assert!(svg.contains(">run 1</text>") && svg.contains(">run 2</text>"));
        for colour in ["#0072b2", "#d55e00"] {
            // No round-trip time was measured; the legend has a line, too.
            assert_eq!(svg.matches(&format!("stroke=\"{colour}\"")).count(), 4, "{colour}");
        }
        assert!(svg.contains("Delivered to streams, Mbit/s"));
    }

    #[test]
    fn runs_beyond_the_colours_get_other_lines_and_runs_without_traffic_none() {
        let mut runs: Vec<_> = (0..=COLOURS.len()).map(run).collect();
        runs.push(Samples::new("silence"));
        let svg = compare(&runs).svg();
        assert!(svg.contains("stroke-dasharray"));
        assert!(svg.contains("run 7") && !svg.contains("silence"));
        assert!(compare(&[]).svg().contains("0 runs compared"));
    }
}
