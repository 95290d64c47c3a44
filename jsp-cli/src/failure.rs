//! What went wrong, whose fault it is (the exit code), and what to do about it.

use crate::protocol::Status;
use jsp_driver_tokio::jsp_proto::error::Code;
use jsp_driver_tokio::{CloseReason, ConnectHostError, ReadError, WriteError};
use std::fmt::Display;
use std::io;

/// What kind of failure: each has an exit code of its own. 2 is clap's, for a wrong command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Something on this machine.
    Local = 1,
    /// A command line that parses and still makes no sense.
    Usage = 2,
    /// No connection came about, or it was lost.
    Connection = 3,
    /// The server is not who it must be.
    Identity = 4,
    /// The server does not do what was asked.
    Refused = 5,
    /// What arrived is not what was sent.
    Corrupt = 6,
    /// Ctrl-C.
    Interrupted = 130,
}

/// Application codes with which this program closes connections and resets streams.
pub(crate) mod code {
    use jsp_driver_tokio::AppCode;

    /// All is done.
    pub(crate) const DONE: AppCode = AppCode(0);
    /// The file could not be read to its end, or changed meanwhile.
    pub(crate) const ABANDONED: AppCode = AppCode(1);
    /// The server ends.
    pub(crate) const SHUTDOWN: AppCode = AppCode(2);
    /// The user has interrupted the client.
    pub(crate) const INTERRUPTED: AppCode = AppCode(3);
    /// The answer says why no more is wanted.
    pub(crate) const ANSWERED: AppCode = AppCode(4);
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
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    pub(crate) fn local(message: impl Into<String>) -> Self {
        Self::new(Kind::Local, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// The peer does not keep to the protocol.
    pub(crate) fn confused(message: impl Into<String>) -> Self {
        Self::new(Kind::Connection, message)
            .with_hint("Are both ends of the same version? See `jsp --version`.")
    }

    pub(crate) fn interrupted() -> Self {
        Self::new(Kind::Interrupted, "interrupted")
    }

    /// `what` could not be done on this machine.
    pub(crate) fn io(what: impl Display, error: &io::Error) -> Self {
        Self::local(format!("{what}: {error}"))
    }

    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same failure, of one file among many.
    #[must_use]
    pub(crate) fn about(mut self, what: impl Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// The server has answered that it will not.
    pub(crate) fn refused(status: Status, words: &str) -> Self {
        let words = if words.is_empty() { "it does not say why" } else { words };
        let failure = Self::new(Kind::Refused, format!("the server refuses: {}", printable(words)));
        match status {
            Status::NotShared => {
                failure.with_hint("Start the server with `--dir DIR` to share a folder.")
            }
            Status::Exists => {
                failure.with_hint("Choose another name: write it behind the last slash of the URL.")
            }
            Status::Directory => {
                failure.with_hint("End the URL with a slash to get all that is below it.")
            }
            Status::Corrupt => Self { kind: Kind::Corrupt, ..failure },
            _ => failure,
        }
    }

    /// No connection came about.
    pub(crate) fn unreachable(server: &str, error: ConnectHostError) -> Self {
        match error {
            ConnectHostError::Closed(reason) => Self::ended(server, &reason),
            ConnectHostError::Resolve(_) => {
                Self::new(Kind::Connection, format!("cannot find {server}: {error}"))
                    .with_hint("Check the host's name in the URL.")
            }
            ConnectHostError::NoAddress | ConnectHostError::Connect(_) => {
                Self::new(Kind::Connection, format!("cannot reach {server}: {error}"))
            }
        }
    }

    /// A connection has ended too early.
    pub(crate) fn ended(server: &str, reason: &CloseReason) -> Self {
        let lost = |what: &str| Self::new(Kind::Connection, format!("{server} {what}"));
        match reason {
            CloseReason::HandshakeTimeout => lost("does not answer").with_hint(
                "Is `jsp serve` running there, and does the firewall let its UDP port through?",
            ),
            CloseReason::IdleTimeout => {
                lost("has fallen silent: nothing came from it for the idle timeout")
                    .with_hint("Is it still running, and is the network still up?")
            }
            CloseReason::LocalError(error) if error.code == Code::IDENTITY => Self::new(
                Kind::Identity,
                format!("{server} is not the server of this URL"),
            )
            .with_hint(
                "It cannot prove the fingerprint. Compare the URL with the one that `jsp serve` \
                         prints; if they agree, somebody is in between.",
            ),
            CloseReason::RemoteError { code: Code::NO_SUITE, .. } => {
                lost("shares no cipher suite with us").with_hint("Try it without --suite.")
            }
            CloseReason::RemoteError { code: Code::NO_ALPN, .. } => {
                lost("is no `jsp serve` of this version")
            }
            CloseReason::RemoteError { code: Code::REFUSED, .. } => {
                lost("takes no more connections").with_hint("Try again later.")
            }
            CloseReason::VersionMismatch => lost("speaks another version of the protocol"),
            CloseReason::StatelessReset => lost("has restarted").with_hint("Try again."),
            CloseReason::Remote { code: code::SHUTDOWN, .. } => {
                lost("shuts down").with_hint("Try again once it is back.")
            }
            other => lost(&format!("is lost: {}", printable(&other.to_string()))),
        }
    }

    pub(crate) fn read(server: &str, error: &ReadError) -> Self {
        match error {
            ReadError::ConnectionLost(reason) => Self::ended(server, reason),
            ReadError::Reset(code::ABANDONED) => {
                Self::new(Kind::Refused, "the server could not read the file to its end")
                    .with_hint("It may have changed meanwhile. Try again.")
            }
            ReadError::Reset(_) | ReadError::Closed => {
                Self::new(Kind::Connection, error.to_string())
            }
        }
    }

    pub(crate) fn write(server: &str, error: &WriteError) -> Self {
        match error {
            WriteError::ConnectionLost(reason) => Self::ended(server, reason),
            WriteError::Stopped(_) | WriteError::Closed => {
                Self::new(Kind::Connection, error.to_string())
            }
        }
    }
}

/// Words of the peer, without what would steer the terminal.
pub(crate) fn printable(words: &str) -> String {
    words.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsp_driver_tokio::jsp_proto::error::TransportError;

    #[test]
    fn a_wrong_identity_has_an_exit_code_of_its_own() {
        let reason = CloseReason::LocalError(TransportError::new(Code::IDENTITY, "x"));
        assert_eq!(Failure::ended("h:1", &reason).kind, Kind::Identity);
        assert_eq!(Failure::ended("h:1", &CloseReason::IdleTimeout).kind, Kind::Connection);
    }

    #[test]
    fn the_peers_words_cannot_steer_the_terminal() {
        let failure = Failure::refused(Status::NotFound, "gone\x1b[2J\r");
        assert!(!failure.message.contains(char::is_control), "{:?}", failure.message);
    }
}
