//! Places where links run, and the names that lead to them.

use super::model::{LinkRef, Scenario};
use std::fmt;

/// A place where a link runs, in one direction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// A path, an interface (`host.interface`) or a box.
    pub of: String,
    /// Which way.
    pub way: Way,
}

/// A direction, seen from the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// From the host or box to its segment.
    Up,
    /// From the segment to the host or box.
    Down,
    /// From a path's first host to its second.
    There,
    /// From a path's second host to its first.
    Back,
}

impl Place {
    /// Every place of a scenario, with the link that runs there.
    pub fn each(scenario: &Scenario) -> Vec<(Self, &LinkRef)> {
        let place = |of: &str, way| Self { of: of.into(), way };
        let mut all = Vec::new();
        for path in &scenario.paths {
            all.push((place(&path.name, Way::There), &path.there));
            all.push((place(&path.name, Way::Back), path.back.as_ref().unwrap_or(&path.there)));
        }
        for (name, host) in &scenario.hosts {
            for interface in &host.interfaces {
                let of = format!("{name}.{}", interface.name);
                all.push((place(&of, Way::Up), &interface.up));
                all.push((place(&of, Way::Down), &interface.down));
            }
        }
        for (name, gateway) in &scenario.boxes {
            all.push((place(name, Way::Up), &gateway.up));
            all.push((place(name, Way::Down), &gateway.down));
        }
        all
    }

    /// The places that `name` means: those where a link of that name runs, or the place of that name,
    /// or the part of a place.
    pub fn all(scenario: &Scenario, name: &str) -> Vec<Self> {
        let runs = |link: &LinkRef| matches!(link, LinkRef::Named(own) if own == name);
        let each = Self::each(scenario).into_iter();
        each.filter(|(place, link)| runs(link) || place.answers_to(name))
            .map(|(place, _)| place)
            .collect()
    }

    /// Every name that means a place.
    pub fn names(scenario: &Scenario) -> Vec<String> {
        let mut names: Vec<String> = scenario.links.keys().cloned().collect();
        let each = Self::each(scenario);
        names.extend(each.iter().map(|(place, _)| place.of.clone()));
        names.dedup();
        names.extend(each.iter().map(|(place, _)| place.to_string()));
        names
    }

    /// `path1`, `path1.there`, `phone`, `phone.wifi`, `phone.wifi.up`, `phone.up`.
    fn answers_to(&self, name: &str) -> bool {
        let name = match name.rsplit_once('.') {
            Some((of, way)) if way == self.way.name() => of,
            _ => name,
        };
        self.of == name || self.of.split_once('.').is_some_and(|(host, _)| host == name)
    }
}

impl Way {
    /// What a scenario calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::There => "there",
            Self::Back => "back",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.of, self.way.name())
    }
}
