//! What is expected of a run, beyond that no rule is broken.

use super::model::is_default;
use crate::units::{BitRate, Span};
use jsp_proto::error::{CloseReason, Code};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What is expected. Without a word: that everything gets done, within the limit of time, and that no
/// connection ends but by an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// Whether every operation is done in the end: what was sent is delivered and acknowledged,
    /// what was asked is answered. Operations on connections that may end are excused when they do.
    #[serde(skip_serializing_if = "is_true")]
    pub done: bool,
    /// How long all that may take. Default: the limit of time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
    /// What is expected of single connections, by name.
    #[serde(rename = "connection", skip_serializing_if = "BTreeMap::is_empty")]
    pub connections: BTreeMap<String, ExpectConnection>,
}

impl Default for Expect {
    fn default() -> Self {
        Self { done: true, within: None, connections: BTreeMap::new() }
    }
}

/// What is expected of a connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExpectConnection {
    /// That it ends, and how, for one of its ends at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<Ending>,
    /// How it may end, and need not.
    #[serde(skip_serializing_if = "is_default")]
    pub may_end: Vec<Ending>,
    /// The longest that the client's handshake may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshake: Option<Span>,
    /// The least that is delivered, both directions together, over the time from the first byte to
    /// the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goodput: Option<BitRate>,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// An application closes it.
    Closed,
    /// Nothing is heard for the idle timeout.
    Idle,
    /// The handshake does not complete in time.
    HandshakeTimeout,
    /// The server does not want it.
    Refused,
    /// An end lost its state, and said so.
    StatelessReset,
    /// An end finds a fault of the other's.
    Error,
}

impl Ending {
    /// The kind of ending that a reason belongs to.
    pub fn of(reason: &CloseReason) -> Self {
        match reason {
            CloseReason::Local { .. } | CloseReason::Remote { .. } => Self::Closed,
            CloseReason::IdleTimeout => Self::Idle,
            CloseReason::HandshakeTimeout => Self::HandshakeTimeout,
            CloseReason::StatelessReset => Self::StatelessReset,
            CloseReason::RemoteError { code, .. } if *code == Code::REFUSED => Self::Refused,
            // Whoever closes during the handshake does not say more.
            CloseReason::RemoteError { code, .. } if *code == Code::NO_ERROR => Self::Closed,
            CloseReason::LocalError(_)
            | CloseReason::RemoteError { .. }
            | CloseReason::VersionMismatch => Self::Error,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Idle => "idle",
            Self::HandshakeTimeout => "handshake-timeout",
            Self::Refused => "refused",
            Self::StatelessReset => "stateless-reset",
            Self::Error => "error",
        })
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks by reference.
const fn is_true(it: &bool) -> bool {
    *it
}
