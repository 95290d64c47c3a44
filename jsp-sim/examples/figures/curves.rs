//! What a packet costs as the number of streams, or of connections, grows.

use crate::ink::{GREY, INK, style};
use crate::report::{Report, Row, short};
use jsp_sim::look::picture::{Anchor, Dash, Paint, Picture, Point};
use std::fmt::Write as _;

/// Who measures it.
pub(crate) const BENCH: &str = "curve";
/// What is drawn: the others are in the table.
const UNIT: &str = "ns for a packet";

const PAINTS: [Paint; 3] = [Paint::new(0x00_72b2), Paint::new(0xd5_5e00), Paint::new(0x00_9e73)];

const WIDTH: f32 = 960.0;
const HEIGHT: f32 = 300.0;
/// The field that curves are drawn in, and room for their names beside it.
const LEFT: f32 = 60.0;
const RIGHT: f32 = 640.0;
const TOP: f32 = 50.0;
const BOTTOM: f32 = 260.0;

/// The points of a row: how many there were, and what a packet cost then.
fn points(row: &Row) -> Vec<(u32, f64)> {
    let points = row.values.iter().filter_map(|(n, value)| Some((n.parse().ok()?, *value)));
    let mut points: Vec<_> = points.collect();
    points.sort_unstable_by_key(|(n, _)| *n);
    points
}

fn rows(report: &Report) -> impl Iterator<Item = &Row> {
    report.rows.iter().filter(|row| row.bench == BENCH)
}

/// A row for each curve, a column for each number.
pub(crate) fn table(report: &Report) -> String {
    let mut numbers: Vec<_> = rows(report).flat_map(points).map(|(n, _)| n).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut out =
        "![what a packet costs, as curves](docs/curve.svg)\n\n| cost of a packet beside |"
            .to_owned();
    // Writing into a string does not fail.
    for n in &numbers {
        let _ = write!(out, " {n} |");
    }
    let _ = writeln!(out, " bench |\n|---|{}---|", "---:|".repeat(numbers.len()));
    for row in rows(report) {
        let _ = write!(out, "| {}, {} |", row.what, row.unit);
        for n in &numbers {
            let value =
                row.values.get(&n.to_string()).map_or_else(String::new, |value| short(*value));
            let _ = write!(out, " {value} |");
        }
        let _ = writeln!(out, " `{BENCH}` |");
    }
    out
}

/// Curves of what a packet costs, as multiples of what it costs with one.
pub(crate) fn picture(report: &Report) -> Picture {
    let title = "What a packet costs as their number grows";
    let mut picture = Picture::new(WIDTH as u16, HEIGHT as u16, title);
    picture.text((LEFT - 36.0, 30.0), title, style(14.0, true, Anchor::Start, INK));
    let curves: Vec<_> = rows(report)
        .filter(|row| row.unit == UNIT)
        .map(|row| (row.what.as_str(), points(row)))
        .filter(|(_, points)| points.len() > 1)
        .collect();
    let ends = curves.iter().filter_map(|(_, points)| Some(f64::from(points.last()?.0).log10()));
    let decades = ends.fold(1.0, f64::max).ceil();
    let ratios =
        curves.iter().flat_map(|(_, points)| points.iter().map(|(_, cost)| cost / points[0].1));
    let most = ratios.fold(2.0, f64::max).ceil();
    let x = |n: u32| LEFT + (f64::from(n).log10() / decades) as f32 * (RIGHT - LEFT);
    let y = |ratio: f64| BOTTOM - (ratio / most) as f32 * (BOTTOM - TOP);
    axes(&mut picture, (decades as u32, most as u32), x, y);
    for (at, ((name, points), paint)) in curves.iter().zip(PAINTS).enumerate() {
        let line: Vec<Point> =
            points.iter().map(|(n, cost)| (x(*n), y(cost / points[0].1))).collect();
        for (x, y) in &line {
            let dot = vec![
                (x - 3.0, y - 3.0),
                (x + 3.0, y - 3.0),
                (x + 3.0, y + 3.0),
                (x - 3.0, y + 3.0),
            ];
            picture.area(dot, paint);
        }
        picture.line(line, 2.0, Dash::Solid, paint);
        let at = TOP + 24.0 + 24.0 * at as f32;
        let sample = vec![(RIGHT + 40.0, at - 4.0), (RIGHT + 64.0, at - 4.0)];
        picture.line(sample, 2.0, Dash::Solid, paint);
        picture.text((RIGHT + 72.0, at), *name, style(12.0, false, Anchor::Start, INK));
    }
    picture
}

/// Decades along the bottom, multiples up the side.
fn axes(
    picture: &mut Picture,
    (decades, most): (u32, u32),
    x: impl Fn(u32) -> f32,
    y: impl Fn(f64) -> f32,
) {
    for ratio in 0..=most {
        let at = y(f64::from(ratio));
        let paint = if ratio == 0 { GREY } else { GREY.faint(0.3) };
        picture.line(vec![(LEFT, at), (RIGHT, at)], 1.0, Dash::Solid, paint);
        picture.text(
            (LEFT - 8.0, at + 4.0),
            format!("{ratio} x"),
            style(11.0, false, Anchor::End, GREY),
        );
    }
    for n in (0..=decades).map(|power| 10_u32.pow(power)) {
        picture.text(
            (x(n), BOTTOM + 18.0),
            n.to_string(),
            style(11.0, false, Anchor::Middle, GREY),
        );
    }
}
