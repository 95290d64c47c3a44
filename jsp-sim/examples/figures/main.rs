//! Makes the README's tables and pictures, `docs/bench.svg` and `docs/curve.svg`, of what the benches wrote
//! into `docs/bench.json`, so that no figure is typed by hand.
//!
//! `.ci/figures` runs the benches, and then `cargo run -p jsp-sim --example figures`.

mod bars;
mod curves;
mod ink;
mod report;

use jsp_sim::look::picture::Paint;
use report::{Report, short};
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

/// Rows that would make the table long: what is between the median and the tail, and beyond it.
const LEFT_OUT: [&str; 2] = [", p90", ", p99.9"];

const BEGIN: &str = "<!-- figures -->\n";
const END: &str = "<!-- end of figures -->";

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let report = Report::read(&std::fs::read_to_string(root.join("docs/bench.json"))?)?;
    std::fs::write(root.join("docs/bench.svg"), bars::picture(&report).svg())?;
    std::fs::write(root.join("docs/curve.svg"), curves::picture(&report).svg())?;
    let readme = root.join("README.md");
    let text = std::fs::read_to_string(&readme)?;
    let (before, rest) = text.split_once(BEGIN).ok_or("README.md has no place for figures")?;
    let (_, after) = rest.split_once(END).ok_or("the README's figures do not end")?;
    std::fs::write(
        readme,
        format!("{before}{BEGIN}{}\n{}{END}{after}", table(&report), curves::table(&report)),
    )?;
    Ok(())
}

fn table(report: &Report) -> String {
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
    let shown = report.rows.iter().filter(|row| {
        row.bench != curves::BENCH && !LEFT_OUT.iter().any(|end| row.what.ends_with(end))
    });
    for row in shown {
        let _ = write!(out, "| {}, {} |", row.what, row.unit);
        for (who, ..) in &columns {
            let value = row.values.get(*who).map_or_else(String::new, |value| short(*value));
            let _ = write!(out, " {value} |");
        }
        let _ = writeln!(out, " `{}` |", row.bench);
    }
    out
}
