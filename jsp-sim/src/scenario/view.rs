//! What a run shows to whoever looks at it while it goes on.

use super::model::Scenario;
use super::op::Op;
use super::run::Run;
use crate::invariant::Who;
use crate::machine::Session;
use jsp_proto::ids::Side;
use jsp_proto::time::Time;
use std::net::SocketAddr;

/// One end of a connection of a run.
#[derive(Clone, Copy, Debug)]
pub struct EndView<'a> {
    /// The connection's name.
    pub connection: &'a str,
    /// The host's name.
    pub host: &'a str,
    /// How taps and recorders call it.
    pub who: Who,
    /// The host's clock.
    pub now: Time,
    /// The host's address.
    pub local: SocketAddr,
    /// The connection with its application.
    pub session: &'a Session,
}

impl Run {
    /// The scenario, with a name for everything in it.
    pub const fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Names of the hosts in the order of their nodes.
    pub fn hosts(&self) -> Vec<String> {
        let mut hosts: Vec<_> = self.built.nodes.iter().collect();
        hosts.sort_unstable_by_key(|(_, node)| node.0);
        hosts.into_iter().map(|(name, _)| name.clone()).collect()
    }

    /// The ends of connections that have begun and that their hosts have not forgotten.
    pub fn ends(&self) -> impl Iterator<Item = EndView<'_>> {
        let sides = [Side::Client, Side::Server];
        let all = (0..self.conns.len()).flat_map(move |i| sides.map(|side| (i, side)));
        all.filter_map(|(i, side)| {
            let session = self.session(i, side)?;
            let (handle, host) = (self.conns[i].ends[side as usize].handle?, self.host(i, side));
            let node = self.built.nodes[host];
            Some(EndView {
                connection: &self.scenario.connections[i].name,
                host,
                who: Who { node, handle, side },
                now: self.built.world.local_now(node),
                local: self.built.world.host(node).address(),
                session,
            })
        })
    }

    /// Operations that have begun, with their times, in the scenario's order.
    pub fn begun(&self) -> impl Iterator<Item = (&Op, Time)> {
        let ops = self.scenario.ops.iter().zip(&self.acts);
        ops.filter_map(|(op, act)| Some((op, act.began?)))
    }
}
