//! What went wrong, and whose fault it is (the exit code).

use jsp_sim::scenario::Mistake;
use std::fmt::Display;
use std::io;

/// What kind of failure: each has an exit code of its own. 2 is clap's, for a wrong command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Something on this machine.
    Local = 1,
    /// A command line that parses and makes no sense, or a file that does not.
    Usage = 2,
}

/// The end of a command that did not succeed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, message: message.into(), hint: None }
    }

    /// Something is wrong with a file that was named.
    pub(crate) fn mistake(mistake: &Mistake) -> Self {
        // It says itself that it is an error, as every failure does.
        let message = mistake.to_string();
        Self::usage(message.strip_prefix("error: ").unwrap_or(&message))
    }

    /// `what` could not be done on this machine.
    pub(crate) fn io(what: impl Display, error: &io::Error) -> Self {
        Self { kind: Kind::Local, message: format!("{what}: {error}"), hint: None }
    }

    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
