//! What a scenario is made of, but for what happens in it, which is [`super::op`].

use super::expect::Expect;
use super::host::Host;
use super::op::{Op, Trigger};
use crate::link::Link;
use crate::middlebox::{FirewallConfig, NatConfig, Router};
use crate::units::Span;
use jsp_proto::time::Duration;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The segment that everything is attached to unless it says otherwise.
pub const INTERNET: &str = "internet";

/// A story to be told: who there is, what lies between them, what they do, what befalls them, and
/// what is expected of it. Together with a seed it is a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is called, in a few words.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// How far a run may go.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,
    /// Links by name, for those that are used more than once or that operations change.
    #[serde(rename = "link", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, Link>,
    /// Hosts by name. Without any there are two, `client` and `server`.
    #[serde(rename = "host", default = "two_hosts", skip_serializing_if = "is_two_hosts")]
    pub hosts: BTreeMap<String, Host>,
    /// Boxes between segments by name: each makes the segment that it is the gateway of.
    #[serde(rename = "box", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub boxes: BTreeMap<String, Gateway>,
    /// What lies between two hosts of a segment, beside their own links.
    #[serde(rename = "path", default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<Path>,
    /// Who connects to whom. Without any, `client` connects to `server` at the start: `c0`.
    #[serde(
        rename = "connection",
        default = "one_connection",
        skip_serializing_if = "is_one_connection"
    )]
    pub connections: Vec<Connection>,
    /// What happens.
    #[serde(rename = "op", default, skip_serializing_if = "Vec::is_empty")]
    pub ops: Vec<Op>,
    /// What is expected.
    #[serde(default, skip_serializing_if = "is_default")]
    pub expect: Expect,
}

impl Scenario {
    /// A client that connects to a server over a perfect network, and does nothing.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            about: String::new(),
            limits: Limits::default(),
            links: BTreeMap::new(),
            hosts: two_hosts(),
            boxes: BTreeMap::new(),
            paths: Vec::new(),
            connections: one_connection(),
            ops: Vec::new(),
            expect: Expect::default(),
        }
    }

    /// The connection of that name.
    pub fn connection(&self, name: &str) -> Option<&Connection> {
        self.connections.iter().find(|connection| connection.name == name)
    }

    /// The operation of that name.
    pub fn op(&self, name: &str) -> Option<&Op> {
        self.ops.iter().find(|op| op.name == name)
    }

    /// The link that a [`LinkRef`] means; `None` if it names one that does not exist.
    pub fn link<'a>(&'a self, link: &'a LinkRef) -> Option<&'a Link> {
        match link {
            LinkRef::Named(name) => self.links.get(name),
            LinkRef::Inline(link) => Some(link),
        }
    }

    /// Names of all segments: the internet first, then those behind boxes.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        [INTERNET].into_iter().chain(self.boxes.values().map(|gateway| gateway.inner.as_str()))
    }

    /// Gives a name to everything that has none and needs one, by its place: `op1`, `path1`, `c0`, and
    /// `eth0` for interfaces. Random draws belong to names, so a scenario whose names are written out
    /// keeps its draws when something is deleted.
    pub fn give_names(&mut self) {
        name_all(&mut self.ops, "op", 1, |op| &mut op.name);
        name_all(&mut self.paths, "path", 1, |path| &mut path.name);
        name_all(&mut self.connections, "c", 0, |connection| &mut connection.name);
        for host in self.hosts.values_mut() {
            name_all(&mut host.interfaces, "eth", 0, |interface| &mut interface.name);
        }
    }
}

/// Names what has no name by its place; where the name is taken, by the next that is free.
fn name_all<T>(things: &mut [T], stem: &str, first: usize, name: impl Fn(&mut T) -> &mut String) {
    let mut taken: Vec<_> = things.iter_mut().map(|thing| name(thing).clone()).collect();
    for (i, thing) in things.iter_mut().enumerate() {
        let own = name(thing);
        if own.is_empty() {
            let mut n = first + i;
            while taken.contains(&format!("{stem}{n}")) {
                n += 1;
            }
            *own = format!("{stem}{n}");
            taken.push(own.clone());
        }
    }
}

/// How far a run may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// How much virtual time may pass. Default: 10 minutes.
    pub time: Span,
    /// How many events may happen: arrivals and timers. Default: 50 million.
    pub events: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Span::from(Duration::from_secs(600)), events: 50_000_000 }
    }
}

/// A link: the name of one, or its stages where it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum LinkRef {
    /// One of [`Scenario::links`].
    Named(String),
    /// This one.
    Inline(Link),
}

impl Default for LinkRef {
    /// A link that does nothing to anything.
    fn default() -> Self {
        Self::Inline(Link::default())
    }
}

impl<'de> Deserialize<'de> for LinkRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = LinkRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a link, or a list of stages")
            }

            fn visit_str<E>(self, name: &str) -> Result<LinkRef, E> {
                Ok(LinkRef::Named(name.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, stages: A) -> Result<LinkRef, A::Error> {
                Link::deserialize(SeqAccessDeserializer::new(stages)).map(LinkRef::Inline)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// A box between an inner segment, which it makes, and an outer one: a translator, a firewall or a
/// router.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// The segment that it is the gateway of.
    pub inner: String,
    /// The segment that it leads to. Default: the internet.
    #[serde(default = "internet", skip_serializing_if = "is_internet")]
    pub outer: String,
    /// What lies between the box and the outer segment.
    #[serde(default, skip_serializing_if = "is_default")]
    pub up: LinkRef,
    /// What lies between the outer segment and the box.
    #[serde(default, skip_serializing_if = "is_default")]
    pub down: LinkRef,
    /// How it translates addresses, if it is a translator. Without addresses it gets one that is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nat: Option<NatConfig>,
    /// What it lets pass, if it is a firewall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firewall: Option<FirewallConfig>,
    /// What lies behind it, if it is a mere router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router: Option<Router>,
}

/// Something between two hosts of a segment, beside the links that each has of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Path {
    /// Its name. Default: `path1`, `path2`, by its place.
    #[serde(default)]
    pub name: String,
    /// Between whom. Default: `client` and `server`.
    #[serde(default = "client_and_server", skip_serializing_if = "is_client_and_server")]
    pub between: [String; 2],
    /// The way from the first to the second.
    #[serde(default)]
    pub there: LinkRef,
    /// The way back. Default: the same kind of link as there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<LinkRef>,
}

/// A connection from a host to another, which serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// Its name. Default: `c0`, `c1`, by its place.
    #[serde(default)]
    pub name: String,
    /// Who connects. Default: `client`.
    #[serde(default = "client", skip_serializing_if = "is_client")]
    pub from: String,
    /// Who serves. Default: `server`.
    #[serde(default = "server", skip_serializing_if = "is_server")]
    pub to: String,
    /// When, counted from the start or from what it comes after.
    #[serde(default, skip_serializing_if = "is_default")]
    pub at: Span,
    /// What it comes after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Trigger>,
}

/// Whether a value is what would be assumed if it were not written.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

pub(super) fn internet() -> String {
    INTERNET.into()
}

#[allow(clippy::ptr_arg)] // serde asks with what the field is.
pub(super) fn is_internet(segment: &String) -> bool {
    segment == INTERNET
}

fn client() -> String {
    "client".into()
}

fn server() -> String {
    "server".into()
}

#[allow(clippy::ptr_arg)] // serde asks with what the field is.
fn is_client(host: &String) -> bool {
    host == "client"
}

#[allow(clippy::ptr_arg)] // serde asks with what the field is.
fn is_server(host: &String) -> bool {
    host == "server"
}

fn client_and_server() -> [String; 2] {
    [client(), server()]
}

fn is_client_and_server(hosts: &[String; 2]) -> bool {
    *hosts == client_and_server()
}

fn two_hosts() -> BTreeMap<String, Host> {
    client_and_server().map(|name| (name, Host::default())).into()
}

fn is_two_hosts(hosts: &BTreeMap<String, Host>) -> bool {
    *hosts == two_hosts()
}

fn one_connection() -> Vec<Connection> {
    let (from, to) = (client(), server());
    vec![Connection { name: "c0".into(), from, to, at: Span::default(), after: None }]
}

#[allow(clippy::ptr_arg)] // serde asks with what the field is.
fn is_one_connection(connections: &Vec<Connection>) -> bool {
    *connections == one_connection()
}
