//! Progress bars: on a terminal only, and on standard error only.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar with rate and remaining time.
#[derive(Clone, Debug)]
pub(crate) struct Progress(ProgressBar);

const BYTES: &str =
    "{msg} {wide_bar:.cyan/blue} {bytes}/{total_bytes}  {binary_bytes_per_sec}  {eta}";
const FILES: &str = "{msg} {wide_bar:.cyan/blue} {pos}/{len} files  {per_sec}  {eta}";

impl Progress {
    /// For `size` bytes of `what`.
    pub(crate) fn bytes(what: &str, size: u64) -> Self {
        Self::new(what, size, BYTES)
    }

    /// For so many files.
    pub(crate) fn files(what: &str, count: u64) -> Self {
        Self::new(what, count, FILES)
    }

    fn new(what: &str, length: u64, template: &str) -> Self {
        let bar = ProgressBar::new(length);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        bar.set_message(what.to_owned());
        Self(bar)
    }

    pub(crate) fn advance(&self, by: u64) {
        self.0.inc(by);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
