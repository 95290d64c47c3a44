//! A firewall: it changes no address, and lets in what was asked for (a stateful packet filter, as in
//! RFC 6092, section 3.2.3).
//!
//! A flow is an inner and an outer endpoint of which one has spoken to the other. Flows are all its
//! state, in a table with a limit; what has ended is removed before each datagram is looked at.

mod config;
#[cfg(test)]
mod tests;

pub use config::{FirewallConfig, FlowRate};

use super::misconfigured::Misconfigured;
use super::scope::{Dependence, plain};
use super::table::Table;
use super::verdict::{Middlebox, Verdict};
use crate::datagram::Datagram;
use crate::link::Dropped;
use jsp_proto::time::{Duration, Time};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A firewall at work.
#[derive(Debug)]
pub struct Firewall {
    config: FirewallConfig,
    flows: Table<Flow, ()>,
    bucket: Option<Bucket>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Flow {
    inner: SocketAddr,
    outer: SocketAddr,
}

impl Firewall {
    /// A firewall without flows. It draws nothing at random.
    pub fn new(config: FirewallConfig) -> Result<Self, Misconfigured> {
        config.check()?;
        Ok(Self {
            flows: Table::new(config.max_flows),
            bucket: config.new_flows.map(Bucket::new),
            config,
        })
    }

    /// How it behaves.
    pub const fn config(&self) -> &FirewallConfig {
        &self.config
    }

    /// How many flows lived when the last datagram passed.
    pub fn flows(&self) -> usize {
        self.flows.len()
    }

    fn leave(&mut self, now: Time, flow: Flow) -> Result<(), Dropped> {
        self.begin(now)?;
        if self.flows.get(&flow).is_some() {
            self.refresh(now, &flow, self.config.refresh.outbound());
            Ok(())
        } else if self.config.lets_out(flow.outer.port()) {
            self.open(now, flow)
        } else {
            Err(Dropped::Filtered)
        }
    }

    fn enter(&mut self, now: Time, flow: Flow) -> Result<(), Dropped> {
        self.begin(now)?;
        if let Some(asked) = self.asked(flow) {
            self.refresh(now, &asked, self.config.refresh.inbound());
            Ok(())
        } else if self.config.is_open(flow.inner.port()) {
            self.open(now, flow)
        } else {
            Err(Dropped::Filtered)
        }
    }

    /// What comes first, whichever way a datagram goes.
    fn begin(&mut self, now: Time) -> Result<(), Dropped> {
        self.flows.expire(now, |_, ()| ());
        if self.config.udp_blocked { Err(Dropped::Filtered) } else { Ok(()) }
    }

    /// The flow that a datagram from outside belongs to: its own, or one that is near enough. Flows
    /// are ordered by inner endpoint, then address, then port.
    fn asked(&self, flow: Flow) -> Option<Flow> {
        let least = match self.config.filtering {
            Dependence::EndpointIndependent => (Ipv4Addr::UNSPECIFIED, 0).into(),
            Dependence::AddressDependent => SocketAddr::new(flow.outer.ip(), 0),
            Dependence::AddressAndPortDependent => flow.outer,
        };
        let near = self.flows.at_or_after(Flow { outer: least, ..flow })?;
        let counts = |flow: Flow| (flow.inner, self.config.filtering.of(flow.outer));
        let own = self.flows.get(&flow).map(|()| flow);
        own.or_else(|| (counts(near) == counts(flow)).then_some(near))
    }

    fn open(&mut self, now: Time, flow: Flow) -> Result<(), Dropped> {
        if self.bucket.as_mut().is_some_and(|bucket| !bucket.take(now)) {
            return Err(Dropped::Exhausted);
        }
        let ends = now + self.config.timeout.duration();
        self.flows.insert(flow, (), ends).map_err(|_| Dropped::Exhausted)
    }

    fn refresh(&mut self, now: Time, flow: &Flow, refresh: bool) {
        if refresh {
            self.flows.prolong(flow, now + self.config.timeout.duration());
        }
    }
}

impl Middlebox for Firewall {
    fn outbound(&mut self, now: Time, datagram: &mut Datagram) -> Verdict {
        let flow = Flow { inner: plain(datagram.from), outer: plain(datagram.to) };
        self.leave(now, flow).into()
    }

    fn inbound(&mut self, now: Time, datagram: &mut Datagram) -> Verdict {
        let flow = Flow { inner: plain(datagram.to), outer: plain(datagram.from) };
        self.enter(now, flow).into()
    }

    /// What the inner segment itself does not know is nowhere: sent back, it would go round for ever.
    fn hairpin(&mut self, _: Time, _: &mut Datagram) -> Verdict {
        Verdict::Drop(Dropped::NoRoute)
    }

    /// Forgets every flow: the addresses stay, but only who speaks again is answered.
    fn rebind(&mut self, _: Time) {
        self.flows.clear();
    }

    fn answers_for(&self, address: IpAddr) -> bool {
        self.config.through.iter().any(|prefix| prefix.contains(&address))
    }
}

/// A token bucket, as the instant when it will be full again (the generic cell rate algorithm of
/// ITU-T I.371).
#[derive(Debug)]
struct Bucket {
    /// Time for one token.
    interval: Duration,
    /// Time for all of them but one.
    slack: Duration,
    full: Time,
}

impl Bucket {
    fn new(rate: FlowRate) -> Self {
        let interval = Duration::from_secs(1) / rate.per_second.max(1);
        Self { interval, slack: interval * (rate.burst.max(1) - 1), full: Time::ZERO }
    }

    /// Whether there was a token.
    fn take(&mut self, now: Time) -> bool {
        let there = self.full <= now + self.slack;
        if there {
            self.full = self.full.max(now) + self.interval;
        }
        there
    }
}
