//! Operations: what happens in a scenario, and when.
//!
//! ```toml
//! [[op]]
//! name = "upload"
//! at = "100ms"
//! after = { connected = "c0" }
//! send = { streams = 3, size = "1 MB" }
//! ```

use super::model::is_default;
use crate::link::Stage;
use crate::share::Share;
use crate::units::{BitRate, Size, Span};
use jsp_proto::ids::Side;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// Something that happens once.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Op {
    /// Its name, to which its random draws belong. Default: `op1`, `op2`, by its place.
    pub name: String,
    /// When, counted from the start or from what it comes after.
    #[serde(skip_serializing_if = "is_default")]
    pub at: Span,
    /// What it comes after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Trigger>,
    /// What happens.
    #[serde(flatten)]
    pub action: Action,
}

impl Op {
    /// Something that happens at a time from the start.
    pub fn new(name: impl Into<String>, at: impl Into<Span>, action: Action) -> Self {
        Self { name: name.into(), at: at.into(), after: None, action }
    }

    /// The same, counted from something that happens.
    #[must_use]
    pub fn after(self, trigger: Trigger) -> Self {
        Self { after: Some(trigger), ..self }
    }
}

/// Something that happens in a run, the first time that it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// A connection's handshake is complete at both ends.
    Connected(String),
    /// A connection is over for one of its ends.
    Closed(String),
    /// An operation has done all that it is about.
    Done(String),
    /// Applications have read so much on a connection, both ends together.
    Delivered(Delivered),
    /// All hosts together have sent so many datagrams.
    Sent(u64),
}

/// See [`Trigger::Delivered`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivered {
    /// The connection. Default: `c0`.
    #[serde(default = "c0", skip_serializing_if = "is_c0")]
    pub on: String,
    /// How much is read.
    pub bytes: Size,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// An end sends on one-directional streams.
    Send(Send),
    /// An end asks on streams of their own, and is answered.
    Request(Request),
    /// An end sends on streams, and gets the same back.
    Echo(Echo),
    /// An end asks for a sign of life.
    Ping(At),
    /// An end moves to new packet keys.
    UpdateKeys(At),
    /// A sender abandons streams.
    Reset(Abandon),
    /// A receiver wants no more of streams.
    Stop(Abandon),
    /// An end closes the connection.
    Close(Close),
    /// An end reads differently from now on.
    Read(Read),
    /// An end acknowledges what was never sent, as an attacker with the keys would.
    Forge(At),
    /// A host does not run for a while: datagrams and timers wait.
    Stall(HostFor),
    /// A host's clock jumps forward.
    ClockJump(ClockJump),
    /// A host's clock stands still for a while, then shows the truth again.
    ClockStop(HostFor),
    /// A host's timers fire late for a while.
    LateTimers(LateTimers),
    /// A host's system takes another number of segments in a call.
    Segments(Segments),
    /// A host's system refuses to send some or all datagrams for a while: they are lost.
    RefuseSends(RefuseSends),
    /// A host's socket takes nothing for a while: what is to be sent waits.
    FillSocket(HostFor),
    /// A host crashes and comes back without memory of anything but its keys.
    Restart(OnHost),
    /// A host's interface appears, vanishes or gets another address.
    Address(Address),
    /// Links change their stages.
    Link(LinkChange),
    /// Links lose everything for a while.
    Outage(Outage),
    /// A NAT forgets its mappings.
    Rebind(Rebind),
}

impl Action {
    /// The names of all actions, as scenarios write them.
    pub const NAMES: [&'static str; 22] = [
        "send",
        "request",
        "echo",
        "ping",
        "update_keys",
        "reset",
        "stop",
        "close",
        "read",
        "forge",
        "stall",
        "clock_jump",
        "clock_stop",
        "late_timers",
        "segments",
        "refuse_sends",
        "fill_socket",
        "restart",
        "address",
        "link",
        "outage",
        "rebind",
    ];

    /// What a scenario calls it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Send(_) => "send",
            Self::Request(_) => "request",
            Self::Echo(_) => "echo",
            Self::Ping(_) => "ping",
            Self::UpdateKeys(_) => "update_keys",
            Self::Reset(_) => "reset",
            Self::Stop(_) => "stop",
            Self::Close(_) => "close",
            Self::Read(_) => "read",
            Self::Forge(_) => "forge",
            Self::Stall(_) => "stall",
            Self::ClockJump(_) => "clock_jump",
            Self::ClockStop(_) => "clock_stop",
            Self::LateTimers(_) => "late_timers",
            Self::Segments(_) => "segments",
            Self::RefuseSends(_) => "refuse_sends",
            Self::FillSocket(_) => "fill_socket",
            Self::Restart(_) => "restart",
            Self::Address(_) => "address",
            Self::Link(_) => "link",
            Self::Outage(_) => "outage",
            Self::Rebind(_) => "rebind",
        }
    }

    /// The connection that it concerns, where it names one.
    pub fn connection(&self) -> Option<&str> {
        match self {
            Self::Send(Send { on, .. })
            | Self::Request(Request { on, .. })
            | Self::Echo(Echo { on, .. })
            | Self::Ping(At { on, .. })
            | Self::UpdateKeys(At { on, .. })
            | Self::Close(Close { on, .. })
            | Self::Read(Read { on, .. })
            | Self::Forge(At { on, .. }) => Some(on),
            _ => None,
        }
    }

    /// The host that it befalls, where it names one.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Stall(HostFor { host, .. })
            | Self::ClockStop(HostFor { host, .. })
            | Self::FillSocket(HostFor { host, .. })
            | Self::RefuseSends(RefuseSends { host, .. })
            | Self::ClockJump(ClockJump { host, .. })
            | Self::LateTimers(LateTimers { host, .. })
            | Self::Segments(Segments { host, .. })
            | Self::Restart(OnHost { host })
            | Self::Address(Address { host, .. }) => Some(host),
            _ => None,
        }
    }
}

/// An end of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The one that connected.
    #[default]
    Client,
    /// The one that was connected to.
    Server,
}

impl By {
    /// The other end.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

impl From<By> for Side {
    fn from(by: By) -> Self {
        match by {
            By::Client => Self::Client,
            By::Server => Self::Server,
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

/// See [`Action::Send`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// The connection. Default: `c0`.
    #[serde(default = "c0", skip_serializing_if = "is_c0")]
    pub on: String,
    /// Who sends. Default: the client.
    #[serde(default, skip_serializing_if = "is_default")]
    pub by: By,
    /// On how many streams at once. Default: 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub streams: u64,
    /// How much on each.
    pub size: Size,
}

/// See [`Action::Request`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The connection. Default: `c0`.
    #[serde(default = "c0", skip_serializing_if = "is_c0")]
    pub on: String,
    /// Who asks. Default: the client.
    #[serde(default, skip_serializing_if = "is_default")]
    pub by: By,
    /// How many requests. Default: 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub streams: u64,
    /// The time from one to the next. Default: none, all at once.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gap: Span,
    /// The size of each.
    pub size: Size,
    /// The size of each answer.
    pub answer: Size,
}

/// See [`Action::Echo`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Echo {
    /// The connection. Default: `c0`.
    #[serde(default = "c0", skip_serializing_if = "is_c0")]
    pub on: String,
    /// Who begins. Default: the client.
    #[serde(default, skip_serializing_if = "is_default")]
    pub by: By,
    /// On how many streams. Default: 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub streams: u64,
    /// The time from one to the next. Default: none, all at once.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gap: Span,
    /// How much on each.
    pub size: Size,
}

/// An end of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct At {
    /// The connection. Default: `c0`.
    #[serde(default = "c0", skip_serializing_if = "is_c0")]
    pub on: String,
    /// Which end. Default: the client.
    #[serde(default, skip_serializing_if = "is_default")]
    pub by: By,
}

/// See [`Action::Reset`] and [`Action::Stop`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Abandon {
    /// The operation that opened the streams.
    pub of: String,
    /// Which end does it. Default: of a one-directional stream the only one that can; otherwise the end
    /// that opened it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<By>,
}

impl Abandon {
    /// The end that does it, where `action` is what this is about and `opener` what opened the streams.
    pub fn end(&self, action: &Action, opener: &Action) -> By {
        let by = match opener {
            Action::Send(Send { by, .. })
            | Action::Request(Request { by, .. })
            | Action::Echo(Echo { by, .. }) => *by,
            _ => By::default(),
        };
        match opener {
            Action::Send(_) if matches!(action, Action::Stop(_)) => by.peer(),
            Action::Send(_) => by,
            _ => self.by.unwrap_or(by),
        }
    }
}

/// See [`Action::Close`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// The connection. Default: `c0`.
    #[serde(default = "c0", skip_serializing_if = "is_c0")]
    pub on: String,
    /// Which end closes it. Default: the client.
    #[serde(default, skip_serializing_if = "is_default")]
    pub by: By,
    /// The code that the other end is told. Default: 0.
    #[serde(default, skip_serializing_if = "is_default")]
    pub code: u64,
}

/// See [`Action::Read`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// The connection. Default: `c0`.
    #[serde(default = "c0", skip_serializing_if = "is_c0")]
    pub on: String,
    /// Which end reads so. Default: the client.
    #[serde(default, skip_serializing_if = "is_default")]
    pub by: By,
    /// How.
    pub how: Reading,
}

/// How an application reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// All that there is, at once.
    #[default]
    Freely,
    /// Nothing for a while, then as before.
    Pause(Span),
    /// At this rate on average, all streams together.
    Rate(BitRate),
    /// All that there is, each time that so much has passed.
    Every(Span),
}

/// A host, for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostFor {
    /// The host.
    pub host: String,
    /// For how long.
    #[serde(rename = "for")]
    pub lasting: Span,
}

/// See [`Action::ClockJump`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockJump {
    /// The host.
    pub host: String,
    /// How far.
    pub by: Span,
}

/// See [`Action::LateTimers`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LateTimers {
    /// The host.
    pub host: String,
    /// How late they are at most.
    pub by: Span,
    /// For how long.
    #[serde(rename = "for")]
    pub lasting: Span,
}

/// See [`Action::Segments`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segments {
    /// The host.
    pub host: String,
    /// How many segments a call takes; 1 is without segmentation.
    pub most: usize,
}

/// See [`Action::RefuseSends`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefuseSends {
    /// The host.
    pub host: String,
    /// Which share of its calls fails. Default: all.
    #[serde(default = "all", skip_serializing_if = "is_all")]
    pub share: Share,
    /// For how long.
    #[serde(rename = "for")]
    pub lasting: Span,
}

/// A host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnHost {
    /// The host.
    pub host: String,
}

/// See [`Action::Address`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// The host.
    pub host: String,
    /// The interface. Default: `eth0`.
    #[serde(default = "eth0", skip_serializing_if = "is_eth0")]
    pub interface: String,
    /// What becomes of it.
    pub change: AddressChange,
}

/// What becomes of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AddressChange {
    /// It is there from now on.
    Appears,
    /// It is gone, with its address.
    Vanishes,
    /// It has this address from now on.
    Becomes(IpAddr),
}

/// See [`Action::Link`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkChange {
    /// Whose links: see [`Outage::of`].
    pub of: String,
    /// Stages to take out, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
    /// Stages to put in: in place of the one of the same name, else at `before`, else at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<Stage>,
    /// The stage before which new ones go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

/// See [`Action::Outage`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// Whose links: a link's name means wherever it is used; a path, a host, an interface
    /// (`host.interface`) or a box means both directions, and `.there`, `.back`, `.up` or `.down` behind
    /// it one of them.
    pub of: String,
    /// For how long.
    #[serde(rename = "for")]
    pub lasting: Span,
}

/// See [`Action::Rebind`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rebind {
    /// The NAT.
    #[serde(rename = "box")]
    pub gateway: String,
}

pub(super) fn c0() -> String {
    "c0".into()
}

#[allow(clippy::ptr_arg)] // serde asks with what the field is.
fn is_c0(name: &String) -> bool {
    name == "c0"
}

fn eth0() -> String {
    "eth0".into()
}

#[allow(clippy::ptr_arg)] // serde asks with what the field is.
fn is_eth0(name: &String) -> bool {
    name == "eth0"
}

const fn all() -> Share {
    Share::ALWAYS
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks by reference.
fn is_all(share: &Share) -> bool {
    *share == Share::ALWAYS
}

const fn one() -> u64 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks by reference.
const fn is_one(n: &u64) -> bool {
    *n == 1
}
