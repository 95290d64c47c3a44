//! What people read on standard error. Standard output belongs to results.

use anstyle::{AnsiColor, Style};
use std::fmt::Display;

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const MIND: Style = AnsiColor::Yellow.on_default().bold();

pub(crate) fn error(what: impl Display) {
    anstream::eprintln!("{BAD}error:{BAD:#} {what}");
}

pub(crate) fn hint(what: impl Display) {
    anstream::eprintln!("  {DIM}{what}{DIM:#}");
}

pub(crate) fn warning(what: impl Display) {
    anstream::eprintln!("{MIND}warning:{MIND:#} {what}");
}

pub(crate) fn note(what: impl Display) {
    anstream::eprintln!("{what}");
}
