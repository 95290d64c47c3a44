//! Makes the README's table and its picture, `docs/bench.svg`, of what the benches wrote into
//! `docs/bench.json`, so that no figure is typed by hand.
//!
//! `.ci/figures` runs the benches, and then `cargo run -p jsp-sim --example figures`.

use jsp_sim::look::picture::{Anchor, Paint, Picture, Style, text_width};
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

/// Who was measured: in the report, in the table and in the picture.
const WHO: [(&str, &str, &str, Paint); 6] = [
    ("mio", "JSP, mio", "JetStreamProto, mio", Paint::new(0x00_72b2)),
    ("tokio", "JSP, tokio", "JetStreamProto, tokio", Paint::new(0x00_72b2)),
    ("engine", "JSP, engine alone", "JetStreamProto, engine", Paint::new(0x00_9e73)),
    ("quinn", "quinn 0.11", "quinn 0.11", Paint::new(0xd5_5e00)),
    ("tls", "TLS over TCP", "TLS over TCP", Paint::new(0x8c_8c8c)),
    ("raw", "raw UDP", "raw UDP", Paint::new(0xbd_bdbd)),
];

/// The panels of the picture: bench, row, and whether more is better.
const PANELS: [(&str, &str, bool); 4] = [
    ("bulk", "bulk, packets of 1452 bytes", true),
    ("bulk", "bulk, packets of 1452 bytes, processor time of both sides", false),
    ("echo", "echo of 64 bytes, both sides sleeping, p50", false),
    ("memory", "idle connection, resident memory of both ends", false),
];

/// The order of the table.
const BENCHES: [&str; 8] =
    ["bulk", "echo", "handshake", "memory", "keepalive", "beside", "pair", "curve"];

/// Rows that would make the table long: what is between the median and the tail, and beyond it.
const LEFT_OUT: [&str; 2] = [", p90", ", p99.9"];

const BEGIN: &str = "<!-- figures -->\n";
const END: &str = "<!-- end of figures -->";

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let report = Report::read(&std::fs::read_to_string(root.join("docs/bench.json"))?)?;
    std::fs::write(root.join("docs/bench.svg"), picture(&report).svg())?;
    let readme = root.join("README.md");
    let text = std::fs::read_to_string(&readme)?;
    let (before, rest) = text.split_once(BEGIN).ok_or("README.md has no place for figures")?;
    let (_, after) = rest.split_once(END).ok_or("the README's figures do not end")?;
    std::fs::write(readme, format!("{before}{BEGIN}{}{END}{after}", section(&report)))?;
    Ok(())
}

/// A line of the table.
struct Row {
    bench: &'static str,
    what: String,
    unit: String,
    values: BTreeMap<String, f64>,
}

/// What benches found.
struct Report {
    machine: String,
    rows: Vec<Row>,
}

impl Report {
    fn read(json: &str) -> Result<Self, Box<dyn Error>> {
        let all: Value = serde_json::from_str(json)?;
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or("not a text");
        let mut rows = Vec::new();
        for bench in BENCHES {
            for row in all[bench].as_array().into_iter().flatten() {
                rows.push(Row {
                    bench,
                    what: text(&row["what"])?,
                    unit: text(&row["unit"])?,
                    values: serde_json::from_value(row["values"].clone())?,
                });
            }
        }
        Ok(Self { machine: text(&all["machine"])?, rows })
    }
}

/// Three digits, and no more.
fn short(value: f64) -> String {
    let decimals = (2.0 - value.abs().log10().floor()).clamp(0.0, 2.0) as usize;
    format!("{value:.decimals$}")
}

fn section(report: &Report) -> String {
    let mut out =
        format!("![what the table says, as bars](docs/bench.svg)\n\n{}.\n\n", report.machine);
    let whose = |who: &str| report.rows.iter().any(|row| row.values.contains_key(who));
    let columns: Vec<_> = WHO.iter().filter(|(who, ..)| whose(who)).collect();
    // Writing into a string does not fail.
    let _ = write!(out, "| what |");
    for (_, name, ..) in &columns {
        let _ = write!(out, " {name} |");
    }
    let _ = writeln!(out, " bench |\n|---|{}---|", "---:|".repeat(columns.len()));
    let shown = |row: &&Row| !LEFT_OUT.iter().any(|end| row.what.ends_with(end));
    for row in report.rows.iter().filter(shown) {
        let _ = write!(out, "| {}, {} |", row.what, row.unit);
        for (who, ..) in &columns {
            let value = row.values.get(*who).map_or_else(String::new, |value| short(*value));
            let _ = write!(out, " {value} |");
        }
        let _ = writeln!(out, " `{}` |", row.bench);
    }
    out
}

const INK: Paint = Paint::new(0x22_2222);
const GREY: Paint = Paint::new(0x66_6666);

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

fn style(size: f32, bold: bool, anchor: Anchor, paint: Paint) -> Style {
    Style { size, bold, anchor, paint }
}

/// Bars, two panels beside each other.
fn picture(report: &Report) -> Picture {
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
