//! How long nothing need be delivered before something must be wrong.

use super::build::transport;
use super::expect::Ending;
use super::model::Scenario;
use super::op::{Action, Reading};
use super::place::Place;
use crate::link::{Blackout, Capacity, Limit, Rate, StageKind};
use jsp_proto::time::Duration;

/// Everybody gets that much.
const LEAST: Duration = Duration::from_secs(30);
/// Probes and retransmissions that may be lost in a row, in round trips.
const ROUNDS: u32 = 100;

/// A generous time, from all that a scenario has in store: it need not be tight, but must not be met by
/// bad luck. After a silence, probes come at most as late again as the silence was long.
pub(super) fn patience(scenario: &Scenario) -> Duration {
    let mut round_trip = Duration::ZERO;
    let mut silence = Duration::ZERO;
    for (_, link) in Place::each(scenario) {
        for stage in scenario.link(link).map_or(&[][..], |link| link.stages()) {
            match &stage.kind {
                StageKind::Delay(delay) => {
                    round_trip += delay.base.duration() + 4 * delay.jitter.duration();
                }
                StageKind::Rate(rate) => round_trip += waiting(rate),
                StageKind::Blackout(Blackout::Times(times)) => {
                    let spans = times.iter().map(|window| (window.from, window.to));
                    silence += spans
                        .map(|(from, to)| to.duration().saturating_sub(from.duration()))
                        .sum::<Duration>();
                }
                StageKind::Blackout(Blackout::Periodic(periodic)) => {
                    silence += periodic.lasts.duration();
                }
                _ => {}
            }
        }
    }
    for op in &scenario.ops {
        silence += match &op.action {
            Action::Stall(it) | Action::ClockStop(it) | Action::FillSocket(it) => {
                it.lasting.duration()
            }
            Action::RefuseSends(it) => it.lasting.duration(),
            Action::LateTimers(it) => it.lasting.duration().max(it.by.duration()),
            Action::Outage(it) => it.lasting.duration(),
            Action::Read(it) => match it.how {
                Reading::Pause(span) | Reading::Every(span) => span.duration(),
                Reading::Rate(_) | Reading::Freely => Duration::ZERO,
            },
            Action::Request(it) => it.gap.duration(),
            Action::Echo(it) => it.gap.duration(),
            _ => Duration::ZERO,
        };
    }
    LEAST + silence.saturating_mul(3) + round_trip.saturating_mul(ROUNDS) + farewells(scenario)
}

/// How long it may take until a connection that may die without a word is known to be dead.
fn farewells(scenario: &Scenario) -> Duration {
    let dies = |ending: &Ending| matches!(ending, Ending::Idle | Ending::HandshakeTimeout);
    let mut expected = scenario.expect.connections.values();
    let restarts = scenario.ops.iter().any(|op| matches!(op.action, Action::Restart(_)));
    if !restarts && !expected.any(|it| it.ends.iter().chain(&it.may_end).any(dies)) {
        return Duration::ZERO;
    }
    let timeouts = scenario.hosts.values().map(|host| {
        let config = transport(&host.transport);
        config.idle_timeout.unwrap_or_default().max(config.handshake_timeout)
    });
    timeouts.max().unwrap_or_default()
}

/// How long a packet may take to get through a full queue.
fn waiting(rate: &Rate) -> Duration {
    /// Queues without an end are taken to hold this much.
    const ENDLESS: u64 = 1 << 20;
    let bits = match &rate.capacity {
        Capacity::Unlimited => return Duration::ZERO,
        Capacity::Constant(rate) => rate.bits_per_second(),
        // Traces have holes.
        Capacity::Trace(_) => 100_000,
    };
    let bytes = match rate.queue {
        Some(Limit::Time(span)) => return span.duration(),
        Some(Limit::Bytes(size)) => size.bytes(),
        Some(Limit::Packets(n)) => n.saturating_mul(1500),
        None => ENDLESS,
    };
    Duration::from_secs_f64(bytes.saturating_add(1500) as f64 * 8.0 / bits.max(1) as f64)
}
