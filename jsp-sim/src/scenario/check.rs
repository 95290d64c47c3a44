//! What a scenario must satisfy beyond its grammar: that names lead somewhere, that addresses are
//! free, that operations make sense.

use super::host::Interface;
use super::model::{Gateway, LinkRef, Scenario};
use super::op::{Abandon, Action, Op, Trigger};
use super::place::Place;
use crate::middlebox::{FirewallConfig, NatConfig};
use jsp_proto::handshake::ServerName;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

/// Something in a scenario that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where: keys and indices from the root of the scenario.
    pub place: Vec<Step>,
    /// What is wrong.
    pub what: String,
}

/// A step into a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// To the value of a key.
    Key(String),
    /// To an element of a list, counted from 0.
    Index(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.into())
    }
}

impl From<&String> for Step {
    fn from(key: &String) -> Self {
        Self::Key(key.clone())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.place.iter().enumerate() {
            match step {
                Step::Key(key) => write!(f, "{}{key}", if i == 0 { "" } else { "." })?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for Fault {}

/// Where something is, as `at!["op", 3, "send", "on"]`.
macro_rules! at {
    ($($step:expr),+ $(,)?) => { vec![$(Step::from($step)),+] };
}

type Checked = Result<(), Fault>;

fn fault(place: Vec<Step>, what: impl Into<String>) -> Fault {
    Fault { place, what: what.into() }
}

/// An error where `wrong` is so.
fn refuse(wrong: bool, place: Vec<Step>, what: impl FnOnce() -> String) -> Checked {
    if wrong { Err(fault(place, what())) } else { Ok(()) }
}

/// The name among `known` that `name` was meant to be, if one is near.
pub(super) fn near<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |other: &str| strsim::damerau_levenshtein(name, other);
    let nearest = known.into_iter().min_by_key(|other| distance(other))?;
    (distance(nearest) <= nearest.len().max(name.len()) / 3).then_some(nearest)
}

/// That `name` is one of `known`.
fn known<'a>(
    place: Vec<Step>,
    kind: &str,
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> Checked {
    let known: Vec<_> = known.collect();
    if known.contains(&name) {
        return Ok(());
    }
    let hint = match near(name, known.iter().copied()) {
        Some(nearest) => format!("; did you mean `{nearest}`?"),
        None if known.is_empty() => "; there is none".into(),
        None => {
            let known: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
            format!("; there is {}", known.join(", "))
        }
    };
    Err(fault(place, format!("no {kind} is called `{name}`{hint}")))
}

/// That no two things have one name, and each has one.
fn distinct<'a>(
    key: &str,
    names: impl Iterator<Item = &'a str>,
    place: impl Fn(usize) -> Vec<Step>,
) -> Checked {
    let mut seen = BTreeMap::new();
    for (i, name) in names.enumerate() {
        refuse(name.is_empty(), place(i), || format!("this {key} has no name"))?;
        if let Some(first) = seen.insert(name, i) {
            let what = format!("`{name}` is the {key} at place {} already", first + 1);
            return Err(fault(place(i), what));
        }
    }
    Ok(())
}

impl Scenario {
    /// The first thing that makes no sense, if anything does.
    pub fn check(&self) -> Result<(), Fault> {
        self.check_names()?;
        self.check_boxes()?;
        self.check_hosts()?;
        self.check_paths()?;
        self.check_addresses()?;
        self.check_connections()?;
        for (i, op) in self.ops.iter().enumerate() {
            self.check_op(i, op)?;
        }
        self.check_expectations()
    }

    fn check_names(&self) -> Checked {
        distinct("operation", self.ops.iter().map(|op| op.name.as_str()), |i| {
            at!["op", i, "name"]
        })?;
        distinct("path", self.paths.iter().map(|path| path.name.as_str()), |i| {
            at!["path", i, "name"]
        })?;
        distinct("connection", self.connections.iter().map(|c| c.name.as_str()), |i| {
            at!["connection", i, "name"]
        })?;
        // What an outage or a change of links names must be one thing.
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        let links = self.links.keys().map(|name| ("link", name, at!["link", name]));
        let boxes = self.boxes.keys().map(|name| ("box", name, at!["box", name]));
        let hosts = self.hosts.keys().map(|name| ("host", name, at!["host", name]));
        let paths = self.paths.iter().enumerate();
        let paths = paths.map(|(i, path)| ("path", &path.name, at!["path", i, "name"]));
        for (kind, name, place) in hosts.chain(boxes).chain(links).chain(paths) {
            refuse(name.contains('.'), place.clone(), || {
                format!("a dot in `{name}` would be read as a step to a part of it")
            })?;
            if let Some(first) = seen.insert(name, kind) {
                let what =
                    format!("`{name}` is the name of a {first}, and outages name {kind}s, too");
                return Err(fault(place, what));
            }
        }
        Ok(())
    }

    fn check_boxes(&self) -> Checked {
        let mut inner = BTreeMap::new();
        for (name, gateway) in &self.boxes {
            refuse(gateway.inner == super::INTERNET, at!["box", name, "inner"], || {
                "nothing is outside the internet".into()
            })?;
            if let Some(first) = inner.insert(&gateway.inner, name) {
                let what = format!("`{}` has a gateway already, `{first}`", gateway.inner);
                return Err(fault(at!["box", name, "inner"], what));
            }
            known(at!["box", name, "outer"], "segment", &gateway.outer, self.segments())?;
            self.check_link(at!["box", name, "up"], &gateway.up)?;
            self.check_link(at!["box", name, "down"], &gateway.down)?;
            let Gateway { nat, firewall, router, .. } = gateway;
            let kinds = [nat.is_some(), firewall.is_some(), router.is_some()];
            refuse(kinds.iter().filter(|is| **is).count() != 1, at!["box", name], || {
                "a box is a `nat`, a `firewall` or a `router`".into()
            })?;
            if let Some(Err(error)) = nat.as_ref().map(NatConfig::check) {
                return Err(fault(at!["box", name, "nat"], error.to_string()));
            }
            if let Some(Err(error)) = firewall.as_ref().map(FirewallConfig::check) {
                return Err(fault(at!["box", name, "firewall"], error.to_string()));
            }
        }
        for (name, gateway) in &self.boxes {
            let mut outer = &gateway.outer;
            for _ in 0..=self.boxes.len() {
                let Some(next) = inner.get(outer) else { break };
                refuse(*next == name, at!["box", name, "outer"], || {
                    format!("`{}` would be outside of itself", gateway.inner)
                })?;
                outer = &self.boxes[*next].outer;
            }
        }
        Ok(())
    }

    fn check_hosts(&self) -> Checked {
        for (name, host) in &self.hosts {
            let interfaces = host.interfaces.iter().map(|interface| interface.name.as_str());
            distinct("interface", interfaces, |i| at!["host", name, "interfaces", i, "name"])?;
            refuse(host.interfaces.is_empty(), at!["host", name, "interfaces"], || {
                "a host without an interface can do nothing".into()
            })?;
            refuse(host.segments == 0, at!["host", name, "segments"], || {
                "a call takes one segment at least".into()
            })?;
            for (i, interface) in host.interfaces.iter().enumerate() {
                let place = |key| at!["host", name, "interfaces", i, key];
                let Interface { name, segment, up, down, .. } = interface;
                refuse(name.contains('.'), place("name"), || {
                    format!("a dot in `{name}` would be read as a step to a part of it")
                })?;
                known(place("segment"), "segment", segment, self.segments())?;
                self.check_link(place("up"), up)?;
                self.check_link(place("down"), down)?;
            }
        }
        Ok(())
    }

    fn check_link(&self, place: Vec<Step>, link: &LinkRef) -> Checked {
        match link {
            LinkRef::Named(name) => {
                known(place, "link", name, self.links.keys().map(String::as_str))
            }
            LinkRef::Inline(_) => Ok(()),
        }
    }

    fn check_host(&self, place: Vec<Step>, name: &str) -> Checked {
        known(place, "host", name, self.hosts.keys().map(String::as_str))
    }

    fn check_paths(&self) -> Checked {
        for (i, path) in self.paths.iter().enumerate() {
            for (end, host) in path.between.iter().enumerate() {
                self.check_host(at!["path", i, "between", end], host)?;
            }
            let [a, b] = &path.between;
            refuse(a == b, at!["path", i, "between"], || "a path leads somewhere else".into())?;
            let segments = |name| self.hosts[name].interfaces.iter().map(|i| i.segment.as_str());
            refuse(
                !segments(a).any(|s| segments(b).any(|o| o == s)),
                at!["path", i, "between"],
                || format!("`{a}` and `{b}` are in no segment together"),
            )?;
            self.check_link(at!["path", i, "there"], &path.there)?;
            if let Some(back) = &path.back {
                self.check_link(at!["path", i, "back"], back)?;
            }
        }
        Ok(())
    }

    fn check_addresses(&self) -> Checked {
        let mut seen: BTreeMap<(&str, IpAddr), String> = BTreeMap::new();
        let mut claim = |segment, address, owner: String, place| {
            if let Some(first) = seen.get(&(segment, address)) {
                let what = format!("{address} is the address of {first} in `{segment}` already");
                return Err(fault(place, what));
            }
            seen.insert((segment, address), owner);
            Ok(())
        };
        for (name, gateway) in &self.boxes {
            let addresses = gateway.nat.iter().flat_map(|nat| &nat.addresses);
            for (i, address) in addresses.enumerate() {
                let place = at!["box", name, "nat", "addresses", i];
                claim(gateway.outer.as_str(), *address, format!("`{name}`"), place)?;
            }
        }
        for (name, host) in &self.hosts {
            for (i, interface) in host.interfaces.iter().enumerate() {
                if let Some(address) = interface.address {
                    let place = at!["host", name, "interfaces", i, "address"];
                    let owner = format!("`{name}.{}`", interface.name);
                    claim(interface.segment.as_str(), address, owner, place)?;
                }
            }
        }
        Ok(())
    }

    fn check_connections(&self) -> Checked {
        for (i, connection) in self.connections.iter().enumerate() {
            self.check_host(at!["connection", i, "from"], &connection.from)?;
            self.check_host(at!["connection", i, "to"], &connection.to)?;
            refuse(connection.from == connection.to, at!["connection", i, "to"], || {
                "a host does not connect to itself".into()
            })?;
            self.check_time(at!["connection", i, "at"], connection.at)?;
            let name = &connection.name;
            refuse(name.len() > ServerName::MAX_LEN, at!["connection", i, "name"], || {
                format!("names of connections have at most {} bytes", ServerName::MAX_LEN)
            })?;
            if let Some(trigger) = &connection.after {
                self.check_trigger("connection", i, trigger)?;
            }
        }
        Ok(())
    }

    fn check_time(&self, place: Vec<Step>, time: crate::units::Span) -> Checked {
        refuse(time > self.limits.time, place, || {
            format!("{time} is beyond the limit of {}", self.limits.time)
        })
    }

    fn check_connection(&self, place: Vec<Step>, name: &str) -> Checked {
        known(place, "connection", name, self.connections.iter().map(|c| c.name.as_str()))
    }

    fn check_trigger(&self, list: &str, i: usize, trigger: &Trigger) -> Checked {
        let inside = |keys: &[&str]| {
            let mut place = at![list, i, "after"];
            place.extend(keys.iter().map(|key| Step::from(*key)));
            place
        };
        match trigger {
            Trigger::Connected(name) => self.check_connection(inside(&["connected"]), name),
            Trigger::Closed(name) => self.check_connection(inside(&["closed"]), name),
            Trigger::Delivered(delivered) => {
                self.check_connection(inside(&["delivered", "on"]), &delivered.on)
            }
            Trigger::Done(name) => known(
                inside(&["done"]),
                "operation",
                name,
                self.ops.iter().map(|op| op.name.as_str()),
            ),
            Trigger::Sent(_) => Ok(()),
        }
    }

    fn check_op(&self, i: usize, op: &Op) -> Checked {
        let action = op.action.name();
        let place = |key: &str| at!["op", i, action, key];
        self.check_time(at!["op", i, "at"], op.at)?;
        if let Some(trigger) = &op.after {
            self.check_trigger("op", i, trigger)?;
            refuse(
                *trigger == Trigger::Done(op.name.clone()),
                at!["op", i, "after", "done"],
                || "an operation does not come after itself".into(),
            )?;
        }
        if let Some(connection) = op.action.connection() {
            self.check_connection(place("on"), connection)?;
        }
        if let Some(host) = op.action.host() {
            self.check_host(place("host"), host)?;
        }
        match &op.action {
            Action::Reset(abandon) | Action::Stop(abandon) => self.check_abandon(i, op, abandon),
            Action::Segments(segments) => refuse(segments.most == 0, place("most"), || {
                "a call takes one segment at least".into()
            }),
            Action::Address(address) => {
                let interfaces = &self.hosts[&address.host].interfaces;
                let names = interfaces.iter().map(|interface| interface.name.as_str());
                known(place("interface"), "interface", &address.interface, names)
            }
            Action::Link(change) => self.check_place(place("of"), &change.of),
            Action::Outage(outage) => self.check_place(place("of"), &outage.of),
            Action::Rebind(rebind) => {
                let nats = self.boxes.iter().filter(|(_, gateway)| gateway.nat.is_some());
                known(place("box"), "NAT", &rebind.gateway, nats.map(|(name, _)| name.as_str()))
            }
            Action::Close(close) => refuse(close.code > CODE_MAX, place("code"), || {
                format!("codes go up to {CODE_MAX}")
            }),
            _ => Ok(()),
        }
    }

    fn check_abandon(&self, i: usize, op: &Op, abandon: &Abandon) -> Checked {
        let (action, of) = (op.action.name(), &abandon.of);
        known(
            at!["op", i, action, "of"],
            "operation",
            of,
            self.ops.iter().map(|op| op.name.as_str()),
        )?;
        let Some(target) = self.op(of) else { return Ok(()) };
        match &target.action {
            Action::Send(_) => {
                let able = abandon.end(&op.action, &target.action);
                let wrong = abandon.by.is_some_and(|by| by != able);
                refuse(wrong, at!["op", i, action, "by"], || {
                    let role = if action == "reset" { "sends" } else { "receives" };
                    let other = able.peer();
                    format!(
                        "the {other} cannot {action} the streams of `{of}`: only the {able} {role} on \
                         them"
                    )
                })
            }
            Action::Request(_) | Action::Echo(_) => Ok(()),
            other => {
                let what = format!("`{of}` opens no streams: it is a `{}`", other.name());
                Err(fault(at!["op", i, action, "of"], what))
            }
        }
    }

    fn check_place(&self, place: Vec<Step>, name: &str) -> Checked {
        if !Place::all(self, name).is_empty() {
            return Ok(());
        }
        if let Some((link, _)) = self.links.get_key_value(name) {
            return Err(fault(place, format!("the link `{link}` is used nowhere")));
        }
        let names = Place::names(self);
        known(place, "link, path, interface or box", name, names.iter().map(String::as_str))
    }

    fn check_expectations(&self) -> Checked {
        if let Some(within) = self.expect.within {
            self.check_time(at!["expect", "within"], within)?;
        }
        for name in self.expect.connections.keys() {
            self.check_connection(at!["expect", "connection", name], name)?;
        }
        Ok(())
    }
}

/// The largest code of an application.
const CODE_MAX: u64 = jsp_proto::error::AppCode::MAX.0;
