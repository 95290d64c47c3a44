//! One picture of a run: throughput, delay, window and losses over time.

use super::chart::{COLOURS, Chart, Curve, Look, Panel, Quantity};
use super::curves::{self, Grid};
use super::picture::{Dash, Picture};
use super::samples::{Samples, Series};

/// How many ends are drawn at most.
const MOST: usize = 5;

/// Draws a run: each end of a connection that sent much of what was sent, in a colour of its own.
pub fn plot(run: &Samples) -> Picture {
    let ends = busiest(run);
    let coloured: Vec<_> = ends.iter().copied().zip(COLOURS).collect();
    let end = run.series().iter().map(curves::end).fold(0.0, f64::max);
    let grid = Grid::new(end, run.series());

    let mut panels = [
        Panel {
            heading: "Throughput",
            quantity: Quantity::Rate,
            keys: vec![
                ("sent, on the wire".into(), Look::Line(Dash::Solid)),
                ("delivered to the peer's streams".into(), Look::Area),
            ],
            curves: Vec::new(),
            height: 150.0,
        },
        Panel {
            heading: "Round-trip time",
            quantity: Quantity::Time,
            keys: vec![
                ("smoothed".into(), Look::Line(Dash::Solid)),
                ("least so far".into(), Look::Line(Dash::Dotted)),
            ],
            curves: Vec::new(),
            height: 130.0,
        },
        Panel {
            heading: "Congestion window",
            quantity: Quantity::Bytes,
            keys: vec![
                ("window".into(), Look::Line(Dash::Solid)),
                ("bytes in flight".into(), Look::Area),
            ],
            curves: Vec::new(),
            height: 150.0,
        },
        Panel {
            heading: "Packets declared lost",
            quantity: Quantity::Count,
            keys: vec![(grid.name(), Look::Bars)],
            curves: Vec::new(),
            height: 80.0,
        },
    ];
    for (series, paint) in &coloured {
        let paint = *paint;
        let mut add = |panel: usize, look, points| {
            panels[panel].curves.push(Curve { look, paint, points });
        };
        add(0, Look::Line(Dash::Solid), grid.rate(series, |reading| reading.sent_bytes));
        if let Some(peer) = peer(run, series) {
            let delivered = grid.rate(peer, |reading| reading.received_bytes);
            add(0, Look::Area, delivered);
        }
        add(1, Look::Line(Dash::Solid), curves::gauge(series, |s| curves::seconds(s.last.rtt_ns)));
        let least = curves::gauge(series, |s| curves::seconds(s.last.min_rtt_ns));
        add(1, Look::Line(Dash::Dotted), least);
        add(2, Look::Area, curves::gauge(series, |s| Some(s.peak_in_flight as f64)));
        add(2, Look::Line(Dash::Solid), curves::gauge(series, |s| Some(s.last.window as f64)));
        add(3, Look::Bars, grid.counts(series, |reading| reading.lost_packets));
    }
    let mut legend: Vec<_> =
        coloured.iter().map(|(series, paint)| (name(series), *paint)).collect();
    if let (Some(last), Some(more)) = (legend.last_mut(), left_out(run, &ends)) {
        last.0.push_str(&more);
    }
    Chart { title: run.title.clone(), legend, panels: panels.into(), end }.draw()
}

fn name(series: &Series) -> String {
    format!("{}, {} sends", series.connection, series.host)
}

/// What is said of ends that are not drawn though they delivered something.
fn left_out(run: &Samples, drawn: &[&Series]) -> Option<String> {
    let delivers = |series: &&Series| {
        let last = peer(run, series).and_then(Series::last);
        last.is_some_and(|last| last.received_bytes > 0)
    };
    let hidden = |series: &&Series| !drawn.iter().any(|other| std::ptr::eq(*other, *series));
    let more = run.series().iter().filter(hidden).filter(delivers).count();
    (more > 0).then(|| format!("   (and {more} that sent less)"))
}

/// The ends that sent the most: a twentieth of what the first one sent, or more. In their old order.
fn busiest(run: &Samples) -> Vec<&Series> {
    let mut ends: Vec<_> = run.series().iter().enumerate().collect();
    ends.sort_by_key(|(i, series)| (std::cmp::Reverse(curves::sent(series)), *i));
    let most = ends.first().map_or(0, |(_, series)| curves::sent(series));
    ends.truncate(MOST);
    ends.retain(|(_, series)| curves::sent(series) * 20 >= most);
    ends.sort_by_key(|(i, _)| *i);
    ends.into_iter().map(|(_, series)| series).collect()
}

/// The other end of a series' connection.
fn peer<'a>(run: &'a Samples, of: &Series) -> Option<&'a Series> {
    run.series().iter().find(|peer| peer.connection == of.connection && peer.host != of.host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::samples::Reading;
    use jsp_proto::time::Time;

    /// Ten seconds in which the client of each connection sends a megabyte, those of later connections less.
    fn run(connections: u64) -> Samples {
        let mut run = Samples::new("a <run>, seed 1");
        for c in 0..connections {
            let [client, server] = ["client", "server"].map(|host| run.add(format!("c{c}"), host));
            for n in 0..1000 {
                let now = Time::from_nanos(n * 10_000_000);
                let sent = Reading {
                    sent_bytes: n * 1000 / (1 + c * c * c),
                    lost_packets: n / 300,
                    rtt_ns: Some(50_000_000 + n % 100 * 100_000),
                    min_rtt_ns: Some(50_000_000),
                    window: 10_000 + n % 200 * 100,
                    in_flight: 9000,
                    ..Reading::default()
                };
                run.record(client, now, sent);
                let sent_bytes = n * 10;
                let received_bytes = n * 900;
                run.record(server, now, Reading { sent_bytes, received_bytes, ..sent });
            }
        }
        run
    }

    #[test]
    fn the_svg_has_every_panel_unit_legend_and_curve() {
        let svg = plot(&run(1)).svg();
        for text in [
            "Throughput, kbit/s",
            "Round-trip time, ms",
            "Congestion window, kB",
            "Packets declared lost",
            "sent, on the wire",
            "bytes in flight",
            "in each 100 ms",
            "time, s",
            "c0, client sends",
            "a &lt;run&gt;, seed 1",
        ] {
            assert!(svg.contains(&format!(">{text}</text>")), "{text}");
        }
        // Window, round-trip times and throughput as lines, losses as bars; two areas and a key.
        let blue = "stroke=\"#0072b2\"";
        let of_width = |width| svg.matches(&format!("{blue} stroke-width=\"{width}\"")).count();
        assert_eq!((of_width("1.8"), of_width("1.5"), of_width("2.5")), (3, 1, 3));
        assert_eq!(svg.matches("<polygon").count(), 4);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn the_png_has_two_pixels_for_each_of_the_svgs_and_colours() {
        let picture = plot(&run(2));
        let decoder = png::Decoder::new(std::io::Cursor::new(picture.png()));
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let size = [picture.width, picture.height].map(|n| u32::from(n) * 2);
        assert_eq!([info.width, info.height], size);
        for paint in &COLOURS[..2] {
            let n = pixels.chunks(3).filter(|pixel| *pixel == paint.rgb).count();
            assert!(n > 1000, "{paint:?}: {n}");
        }
        assert!(!pixels.chunks(3).any(|pixel| pixel == COLOURS[2].rgb));
    }

    #[test]
    fn the_same_run_gives_the_same_bytes() {
        assert_eq!(plot(&run(1)).svg(), plot(&run(1)).svg());
        assert_eq!(plot(&run(1)).png(), plot(&run(1)).png());
    }

    #[test]
    fn ends_that_sent_little_are_counted_rather_than_drawn() {
        let svg = plot(&run(4)).svg();
        assert!(svg.contains(">c1, client sends</text>"));
        assert!(svg.contains(">c2, client sends   (and 1 that sent less)</text>"), "{svg}");
        assert!(!svg.contains("c3,") && !svg.contains("server sends"));
    }

    #[test]
    fn a_run_in_which_nothing_happened_has_a_picture() {
        assert!(plot(&Samples::new("nothing")).svg().contains("nothing"));
        assert!(!plot(&run(0)).png().is_empty());
    }
}
