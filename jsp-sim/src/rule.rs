//! The rules that every run is held to, and what a breach of one says.

use std::fmt;

/// What must hold whatever the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// What an application finds: bytes arrive exactly once, in order and as they were sent.
    Application,
    /// Bytes in flight are the sum over the packets in flight.
    InFlight,
    /// What is sent fits the congestion window, but for probes.
    Window,
    /// What is sent keeps to the pace, but for probes.
    Pacing,
    /// A server sends an unvalidated address three times what came from there at most (RFC 9000,
    /// section 8.1).
    Amplification,
    /// No packet number, and so no nonce, is used twice under one key; none is acknowledged that did not
    /// arrive.
    Numbers,
    /// The next timeout lies in the future once a connection has said all that it had to say.
    Timeout,
    /// As long as the network delivers, things go on until they are done.
    Progress,
    /// Memory stays within what the configuration allows.
    Memory,
    /// What is closed stays closed.
    Closed,
    /// Further polls change nothing.
    Polls,
    /// A packet that arrives intact, in time and for the first time is opened.
    Refused,
    /// Only silence ends a connection as idle, and only as much of it as was agreed.
    Idle,
    /// No packet is larger than what the path is known to carry, but for the probes that find out.
    Mtu,
    /// A peer that lies is found out.
    Forged,
    /// A connection ends for reasons that the scenario gives, and no others.
    Ended,
    /// Nothing panics.
    Panic,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 17] = [
        Self::Application,
        Self::InFlight,
        Self::Window,
        Self::Pacing,
        Self::Amplification,
        Self::Numbers,
        Self::Timeout,
        Self::Progress,
        Self::Memory,
        Self::Closed,
        Self::Polls,
        Self::Refused,
        Self::Idle,
        Self::Mtu,
        Self::Forged,
        Self::Ended,
        Self::Panic,
    ];

    /// The rule's name, as reports write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::InFlight => "in-flight",
            Self::Window => "window",
            Self::Pacing => "pacing",
            Self::Amplification => "amplification",
            Self::Numbers => "numbers",
            Self::Timeout => "timeout",
            Self::Progress => "progress",
            Self::Memory => "memory",
            Self::Closed => "closed",
            Self::Polls => "polls",
            Self::Refused => "refused",
            Self::Idle => "idle",
            Self::Mtu => "mtu",
            Self::Forged => "forged",
            Self::Ended => "ended",
            Self::Panic => "panic",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A rule was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub rule: Rule,
    /// How.
    pub what: String,
}

impl Violation {
    /// A breach of `rule`.
    pub fn new(rule: Rule, what: impl Into<String>) -> Self {
        Self { rule, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}

impl std::error::Error for Violation {}
