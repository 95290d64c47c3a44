//! What the table says, as bars.

use crate::WHO;
use crate::ink::{GREY, INK, style};
use crate::report::{Report, Row, short};
use jsp_sim::look::picture::{Anchor, Picture, text_width};

/// The panels of the picture: bench, row, and whether more is better.
const PANELS: [(&str, &str, bool); 4] = [
    ("bulk", "bulk, packets of 1452 bytes", true),
    ("bulk", "bulk, packets of 1452 bytes, processor time of both sides", false),
    ("echo", "echo of 64 bytes, both sides sleeping, p50", false),
    ("memory", "idle connection, resident memory of both ends", false),
];

const WIDTH: f32 = 960.0;
const MARGIN: f32 = 24.0;
/// Between two panels beside each other.
const GAP: f32 = 40.0;
/// What the names of bars take.
const NAMES: f32 = 150.0;
/// What stands behind the longest bar.
const VALUES: f32 = 44.0;
/// From one bar to the next.
const PITCH: f32 = 24.0;
const BAR: f32 = 16.0;
const HEADING: f32 = 50.0;

/// Bars, two panels beside each other.
pub(crate) fn picture(report: &Report) -> Picture {
    let find = |(bench, what, more): (&str, &str, bool)| {
        let row = report.rows.iter().find(|row| row.bench == bench && row.what == what);
        row.map(|row| (row, more))
    };
    let panels: Vec<_> = PANELS.into_iter().filter_map(find).collect();
    let heights = panels.chunks(2).map(|pair| {
        let bars = pair.iter().map(|(row, _)| row.values.len()).max().unwrap_or_default();
        HEADING + PITCH * bars as f32
    });
    let heights: Vec<f32> = heights.collect();
    let height = heights.iter().map(|height| height + MARGIN).sum::<f32>();
    let mut picture = Picture::new(WIDTH as u16, height as u16, "JetStreamProto and its peers");
    let width = (WIDTH - 2.0 * MARGIN - GAP) / 2.0;
    let mut top = 0.0;
    for (pair, height) in panels.chunks(2).zip(heights) {
        let mut left = MARGIN;
        for (row, more) in pair {
            panel(&mut picture, (left, top), width, row, *more);
            left += width + GAP;
        }
        top += height + MARGIN;
    }
    picture
}

fn panel(picture: &mut Picture, (left, top): (f32, f32), width: f32, row: &Row, more: bool) {
    let (heading, detail) = row.what.split_once(", ").unwrap_or((&row.what, ""));
    let heading = format!("{}{}", heading[..1].to_uppercase(), &heading[1..]);
    picture.text((left, top + 30.0), heading.as_str(), style(14.0, true, Anchor::Start, INK));
    let better = if more { "more is better" } else { "less is better" };
    let detail = if detail.is_empty() { String::new() } else { format!("{detail}; ") };
    let detail = format!("{detail}{}, {better}", row.unit);
    let at = left + text_width(&heading, 14.0, true) + 10.0;
    picture.text((at, top + 30.0), detail, style(11.0, false, Anchor::Start, GREY));
    let most = row.values.values().copied().fold(f64::MIN_POSITIVE, f64::max);
    let room = width - NAMES - VALUES;
    let mut y = top + HEADING;
    for (who, _, name, paint) in WHO {
        let Some(&value) = row.values.get(who) else { continue };
        let (x, baseline) = (left + NAMES, y + BAR - 3.5);
        let end = x + (value / most) as f32 * room;
        picture.text((x - 8.0, baseline), name, style(12.0, false, Anchor::End, INK));
        let bottom = y + BAR;
        picture.area(vec![(x, y), (end, y), (end, bottom), (x, bottom)], paint);
        picture.text((end + 6.0, baseline), short(value), style(12.0, true, Anchor::Start, INK));
        y += PITCH;
    }
}
