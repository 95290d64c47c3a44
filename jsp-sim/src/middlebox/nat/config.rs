//! How a translator behaves, as plain data.

use crate::middlebox::misconfigured::Misconfigured;
use crate::middlebox::ports::PortRange;
use crate::middlebox::scope::{Dependence, Refresh};
use crate::units::Span;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// How a translator behaves. The default keeps to every requirement of RFC 4787, also to those that
/// are only recommended.
///
/// Read from a file, `kind` may stand for what the usual names mean; settings beside it have the last
/// word:
///
/// ```
/// use jsp_sim::middlebox::{NatConfig, NatKind};
///
/// let text = r#"{ "kind": "symmetric", "addresses": ["203.0.113.1"], "timeout": "30s" }"#;
/// let nat: NatConfig = serde_json::from_str(text)?;
/// assert_eq!(nat.mapping, NatConfig::new(NatKind::Symmetric).mapping);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct NatConfig {
    /// The pool of outer addresses. A datagram is translated to an address of its own family.
    pub addresses: Vec<IpAddr>,
    /// Which address of the pool a host gets.
    pub pooling: Pooling,
    /// Which datagrams of an inner endpoint share an outer one.
    pub mapping: Dependence,
    /// Who may answer to an outer endpoint.
    pub filtering: Dependence,
    /// Which outer port a mapping gets. It is never one that another mapping has ("port overloading"),
    /// and it is on the same side of 1024 as the inner port if `ports` has any there.
    pub assignment: PortAssignment,
    /// Whether even ports are mapped to even ones and odd ports to odd ones, if `ports` has any.
    pub parity: bool,
    /// Whether neighbouring ports (an even one and the next) of a host are mapped to neighbouring ports
    /// where these are free, as RTP and RTCP once asked for.
    pub contiguity: bool,
    /// The ports that mappings may get.
    pub ports: PortRange,
    /// How long a mapping lives that nothing refreshes, and a permission to answer.
    pub timeout: Span,
    /// The same towards destination ports below 1024, if it differs.
    pub well_known_timeout: Option<Span>,
    /// Which datagrams refresh mappings and permissions.
    pub refresh: Refresh,
    /// What happens to datagrams from inside to one of the outer endpoints.
    pub hairpin: Hairpin,
    /// Mappings at a time; what would need one more is dropped.
    pub max_mappings: usize,
    /// Mappings at a time of one inner address.
    pub max_mappings_per_host: usize,
    /// Permissions to answer at a time, of all mappings together; what would need one more is dropped.
    pub max_permissions: usize,
}

/// Which outer address an inner one gets (RFC 4787, section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The same for all its mappings.
    Paired,
    /// Any, for each mapping anew.
    Arbitrary,
}

/// Which outer port a mapping gets (RFC 4787, section 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortAssignment {
    /// The inner port, or the next free one; a random one where the inner port is out of range.
    Preserve,
    /// One at random.
    Random,
    /// The one after that of the last mapping.
    Sequential,
}

/// What happens to datagrams from inside to an outer endpoint of the translator (RFC 4787, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hairpin {
    /// They are dropped.
    Off,
    /// They come back in with the sender's outer endpoint as their source: what RFC 4787 demands.
    External,
    /// They come back in with the sender's inner endpoint as their source, so that answers go past the
    /// translator, and are not recognised.
    Internal,
}

/// The names that were usual before RFC 4787 (from RFC 3489, section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NatKind {
    /// Whoever knows an outer endpoint may send to it.
    FullCone,
    /// Only addresses that were spoken to may send.
    RestrictedCone,
    /// Only endpoints that were spoken to may send.
    PortRestrictedCone,
    /// For each remote endpoint a mapping of its own, with a random port, which nobody else may use.
    Symmetric,
}

impl NatConfig {
    /// A translator of the usual name, without addresses yet.
    pub fn new(kind: NatKind) -> Self {
        let (filtering, mapping) = match kind {
            NatKind::FullCone => (Dependence::EndpointIndependent, Dependence::EndpointIndependent),
            NatKind::RestrictedCone => {
                (Dependence::AddressDependent, Dependence::EndpointIndependent)
            }
            NatKind::PortRestrictedCone => {
                (Dependence::AddressAndPortDependent, Dependence::EndpointIndependent)
            }
            NatKind::Symmetric => {
                (Dependence::AddressAndPortDependent, Dependence::AddressAndPortDependent)
            }
        };
        let assignment = match kind {
            NatKind::Symmetric => PortAssignment::Random,
            _ => PortAssignment::Preserve,
        };
        Self { mapping, filtering, assignment, ..Self::default() }
    }

    /// With this pool of outer addresses.
    #[must_use]
    pub fn at(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.addresses = addresses.into_iter().collect();
        self
    }

    /// Whether all settings make sense. An empty pool may still be filled: only
    /// [`Nat::new`](super::Nat::new) refuses it.
    pub fn check(&self) -> Result<(), Misconfigured> {
        let mut addresses = self.addresses.clone();
        addresses.sort_unstable();
        if let Some(twice) = addresses.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Misconfigured::RepeatedAddress(twice[0]));
        }
        let zeros = [
            ("timeout", self.timeout.is_zero()),
            ("well_known_timeout", self.well_known_timeout.is_some_and(Span::is_zero)),
            ("max_mappings", self.max_mappings == 0),
            ("max_mappings_per_host", self.max_mappings_per_host == 0),
            ("max_permissions", self.max_permissions == 0),
        ];
        let zero = zeros.into_iter().find(|(_, zero)| *zero);
        zero.map_or(Ok(()), |(setting, _)| Err(Misconfigured::Zero(setting)))
    }
}

impl Default for NatConfig {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            pooling: Pooling::Paired,
            mapping: Dependence::EndpointIndependent,
            filtering: Dependence::AddressDependent,
            assignment: PortAssignment::Preserve,
            parity: true,
            contiguity: false,
            ports: PortRange::ALL,
            timeout: Span::from_millis(300_000),
            well_known_timeout: None,
            refresh: Refresh::Outbound,
            hairpin: Hairpin::External,
            max_mappings: 16_384,
            max_mappings_per_host: 16_384,
            max_permissions: 65_536,
        }
    }
}

/// A [`NatConfig`] as it is written: what is left out has the value of its kind, or the default.
#[derive(Deserialize)]
#[serde(rename = "NatConfig", deny_unknown_fields)]
struct Written {
    kind: Option<NatKind>,
    #[serde(default)]
    addresses: Vec<IpAddr>,
    pooling: Option<Pooling>,
    mapping: Option<Dependence>,
    filtering: Option<Dependence>,
    assignment: Option<PortAssignment>,
    parity: Option<bool>,
    contiguity: Option<bool>,
    ports: Option<PortRange>,
    timeout: Option<Span>,
    well_known_timeout: Option<Span>,
    refresh: Option<Refresh>,
    hairpin: Option<Hairpin>,
    max_mappings: Option<usize>,
    max_mappings_per_host: Option<usize>,
    max_permissions: Option<usize>,
}

impl TryFrom<Written> for NatConfig {
    type Error = Misconfigured;

    fn try_from(written: Written) -> Result<Self, Misconfigured> {
        let base = written.kind.map_or_else(Self::default, Self::new);
        let config = Self {
            addresses: written.addresses,
            pooling: written.pooling.unwrap_or(base.pooling),
            mapping: written.mapping.unwrap_or(base.mapping),
            filtering: written.filtering.unwrap_or(base.filtering),
            assignment: written.assignment.unwrap_or(base.assignment),
            parity: written.parity.unwrap_or(base.parity),
            contiguity: written.contiguity.unwrap_or(base.contiguity),
            ports: written.ports.unwrap_or(base.ports),
            timeout: written.timeout.unwrap_or(base.timeout),
            well_known_timeout: written.well_known_timeout.or(base.well_known_timeout),
            refresh: written.refresh.unwrap_or(base.refresh),
            hairpin: written.hairpin.unwrap_or(base.hairpin),
            max_mappings: written.max_mappings.unwrap_or(base.max_mappings),
            max_mappings_per_host: written
                .max_mappings_per_host
                .unwrap_or(base.max_mappings_per_host),
            max_permissions: written.max_permissions.unwrap_or(base.max_permissions),
        };
        config.check().map(|()| config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<NatConfig, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_is_read_again() {
        let every = [
            NatKind::FullCone,
            NatKind::RestrictedCone,
            NatKind::PortRestrictedCone,
            NatKind::Symmetric,
        ];
        for kind in every {
            let config = NatConfig {
                ports: PortRange::new(4000, 5000).unwrap(),
                well_known_timeout: Some(Span::from_millis(1500)),
                refresh: Refresh::Both,
                pooling: Pooling::Arbitrary,
                hairpin: Hairpin::Internal,
                ..NatConfig::new(kind).at(["203.0.113.1".parse().unwrap()])
            };
            assert_eq!(read(&serde_json::to_string(&config).unwrap()), Ok(config.clone()));
            assert_eq!(toml::from_str(&toml::to_string(&config).unwrap()), Ok(config));
        }
        let default = NatConfig::default();
        assert_eq!(toml::from_str(&toml::to_string(&default).unwrap()), Ok(default));
    }

    #[test]
    fn a_mistake_in_a_file_is_shown_with_its_line() {
        let mistakes = [
            ("kind = \"symmetric\"\nports = \"9-1\"", "line 2"),
            ("timeout = \"30s\"\n\nmaping = \"symmetric\"", "line 3"),
        ];
        for (text, line) in mistakes {
            let error = toml::from_str::<NatConfig>(text).unwrap_err().to_string();
            assert!(error.contains(line), "{error}");
        }
    }

    #[test]
    fn what_is_left_out_has_the_value_of_the_kind_and_what_stands_there_the_last_word() {
        assert_eq!(read("{}"), Ok(NatConfig::default()));
        assert_eq!(
            read(r#"{ "kind": "symmetric", "assignment": "sequential", "ports": 4433 }"#),
            Ok(NatConfig {
                assignment: PortAssignment::Sequential,
                ports: PortRange::new(4433, 4433).unwrap(),
                ..NatConfig::new(NatKind::Symmetric)
            })
        );
    }

    #[test]
    fn the_usual_names_mean_what_they_mean() {
        let behaviour = |kind| {
            let nat = NatConfig::new(kind);
            (nat.mapping, nat.filtering)
        };
        let [any, address, both] = [
            Dependence::EndpointIndependent,
            Dependence::AddressDependent,
            Dependence::AddressAndPortDependent,
        ];
        assert_eq!(behaviour(NatKind::FullCone), (any, any));
        assert_eq!(behaviour(NatKind::RestrictedCone), (any, address));
        assert_eq!(behaviour(NatKind::PortRestrictedCone), (any, both));
        assert_eq!(behaviour(NatKind::Symmetric), (both, both));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_reason() {
        let expect = |text: &str, part: &str| {
            let error = read(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        };
        expect(r#"{ "mappings": "symmetric" }"#, "unknown field `mappings`");
        expect(r#"{ "mapping": "symmetric" }"#, "unknown variant `symmetric`");
        expect(r#"{ "ports": "9-1" }"#, "expected a port from 1 to 65535");
        expect(r#"{ "timeout": "0s" }"#, "`timeout` must not be zero");
        expect(r#"{ "max_mappings": 0 }"#, "`max_mappings` must not be zero");
        let twice = r#"{ "addresses": ["10.0.0.1", "::1", "10.0.0.1"] }"#;
        expect(twice, "`addresses` lists 10.0.0.1 more than once");
    }
}
