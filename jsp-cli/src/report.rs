//! Small tables of results, for people.

use crate::say::{BOLD, DIM};
use std::fmt::Display;

/// Prints a row: what, and how much.
pub(crate) fn row(name: &str, value: impl Display) {
    anstream::println!("  {DIM}{name:<14}{DIM:#}{value}");
}

/// Prints a headline with a free line below.
pub(crate) fn headline(text: impl Display) {
    anstream::println!("{BOLD}{text}{BOLD:#}\n");
}
