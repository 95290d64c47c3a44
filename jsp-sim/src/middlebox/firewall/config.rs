//! What a firewall lets through, as plain data.

use crate::middlebox::misconfigured::Misconfigured;
use crate::middlebox::ports::PortRange;
use crate::middlebox::scope::{Dependence, Refresh};
use crate::units::Span;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// What a firewall lets through. The default lets every flow begin inside, and lets in what belongs
/// to one; its timeout is that of RFC 6092 (section 3.2.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FirewallConfig {
    /// The addresses that lie behind it, such as `"10.1.0.0/16"`.
    pub through: Vec<IpNet>,
    /// Whether nothing passes at all, as where only TCP does.
    pub udp_blocked: bool,
    /// Whose datagrams count as answers to an inner endpoint that has spoken: anybody's, those of the
    /// addresses that it spoke to, or those of the endpoints.
    pub filtering: Dependence,
    /// How long a flow lives that nothing refreshes.
    pub timeout: Span,
    /// Which datagrams refresh flows.
    pub refresh: Refresh,
    /// The destination ports to which flows may begin inside; empty: all.
    pub allow: Vec<PortRange>,
    /// The destination ports to which none may, whatever `allow` says.
    pub deny: Vec<PortRange>,
    /// The inner ports to which flows may begin outside.
    pub open: Vec<PortRange>,
    /// How often a new flow may begin; none: as often as it likes.
    pub new_flows: Option<FlowRate>,
    /// Flows at a time; one more is dropped.
    pub max_flows: usize,
}

/// How often a new flow may begin: a token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowRate {
    /// On average.
    pub per_second: u32,
    /// At once, after a rest.
    pub burst: u32,
}

impl FirewallConfig {
    /// Whether all settings make sense.
    pub fn check(&self) -> Result<(), Misconfigured> {
        let zeros = [
            ("timeout", self.timeout.is_zero()),
            ("max_flows", self.max_flows == 0),
            ("new_flows.per_second", self.new_flows.is_some_and(|rate| rate.per_second == 0)),
            ("new_flows.burst", self.new_flows.is_some_and(|rate| rate.burst == 0)),
        ];
        let zero = zeros.into_iter().find(|(_, zero)| *zero);
        zero.map_or(Ok(()), |(setting, _)| Err(Misconfigured::Zero(setting)))
    }

    /// Whether a flow to this destination port may begin inside.
    pub(super) fn lets_out(&self, port: u16) -> bool {
        let among = |ranges: &[PortRange]| ranges.iter().any(|range| range.contains(port));
        (self.allow.is_empty() || among(&self.allow)) && !among(&self.deny)
    }

    /// Whether a flow to this inner port may begin outside.
    pub(super) fn is_open(&self, port: u16) -> bool {
        self.open.iter().any(|range| range.contains(port))
    }
}

impl Default for FirewallConfig {
    fn default() -> Self {
        Self {
            through: Vec::new(),
            udp_blocked: false,
            filtering: Dependence::AddressAndPortDependent,
            timeout: Span::from_millis(300_000),
            refresh: Refresh::Outbound,
            allow: Vec::new(),
            deny: Vec::new(),
            open: Vec::new(),
            new_flows: None,
            max_flows: 65_536,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let text = r#"{
            "through": ["10.1.0.0/16"], "filtering": "endpoint_independent", "timeout": "30s",
            "allow": [443, "5000-6000"], "open": [4433], "new_flows": { "per_second": 10, "burst": 5 }
        }"#;
        let config: FirewallConfig = serde_json::from_str(text).unwrap();
        assert_eq!(config.new_flows, Some(FlowRate { per_second: 10, burst: 5 }));
        assert!(config.lets_out(5500) && !config.lets_out(80) && config.is_open(4433));
        let again = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<FirewallConfig>(&again).unwrap(), config);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let error = serde_json::from_str::<FirewallConfig>(r#"{ "blocked": true }"#).unwrap_err();
        assert!(error.to_string().contains("unknown field `blocked`"), "{error}");
        let config = FirewallConfig {
            new_flows: Some(FlowRate { per_second: 1, burst: 0 }),
            ..Default::default()
        };
        assert_eq!(config.check(), Err(Misconfigured::Zero("new_flows.burst")));
    }
}
