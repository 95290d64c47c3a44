//! What a proxy did, for people.

use super::counts::Counts;
use super::relay::{Relay, Way};
use crate::link::PipeStats;
use jsp_proto::time::Duration;
use std::fmt;

/// What a proxy did.
#[derive(Clone, Debug)]
pub struct Summary {
    /// For how long.
    pub time: Duration,
    /// For how many clients.
    pub clients: u32,
    /// How many times they got new ports.
    pub rebindings: u64,
    /// From clients to the target.
    pub there: WaySummary,
    /// From the target to clients.
    pub back: WaySummary,
}

/// What a proxy did in one direction.
#[derive(Clone, Debug)]
pub struct WaySummary {
    /// What became of the datagrams.
    pub counts: Counts,
    /// What the link did.
    pub link: PipeStats,
}

impl Summary {
    pub(super) fn new(relay: &Relay, time: Duration) -> Self {
        let way = |way| WaySummary { counts: relay.counts(way).clone(), link: relay.stats(way) };
        Self {
            time,
            clients: relay.clients(),
            rebindings: relay.rebindings(),
            there: way(Way::There),
            back: way(Way::Back),
        }
    }
}

impl WaySummary {
    /// Datagrams that were still on their way in the end.
    pub fn in_flight(&self) -> u64 {
        let gone = self.counts.left + self.counts.dropped.values().sum::<u64>();
        (self.counts.came + self.link.duplicated).saturating_sub(gone)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { time, clients, rebindings, there, back } = self;
        write!(f, "{:.1} s, {}", time.as_secs_f64(), counted(u64::from(*clients), "client"))?;
        if *rebindings > 0 {
            write!(f, ", {}", counted(*rebindings, "rebinding"))?;
        }
        writeln!(f, "\n\nto the target")?;
        there.show(f, *time)?;
        writeln!(f, "\nto the clients")?;
        back.show(f, *time)
    }
}

impl WaySummary {
    fn show(&self, f: &mut fmt::Formatter<'_>, time: Duration) -> fmt::Result {
        let Self { counts, link } = self;
        let rate = |bytes: u64| bytes as f64 * 8e-6 / time.as_secs_f64().max(1e-9);
        let mut row = |name: &str, value: &str| writeln!(f, "  {name:<14}{value}");
        row("came", &format!("{} ({:.1} Mbit/s)", counts.came, rate(counts.came_bytes)))?;
        row("went on", &format!("{} ({:.1} Mbit/s)", counts.left, rate(counts.left_bytes)))?;
        let dropped = counts.dropped.iter().map(|(why, number)| (*why, *number));
        let done = [
            ("overtaken", counts.overtaken),
            ("marked", link.marked),
            ("duplicated", link.duplicated),
            ("corrupted", link.corrupted),
            ("on their way", self.in_flight()),
        ];
        for (name, number) in dropped.chain(done) {
            if number > 0 {
                row(name, &number.to_string())?;
            }
        }
        let quantiles = |of: &dyn Fn(f64) -> Option<Duration>| {
            let ms = |share| Some(of(share)?.as_secs_f64() * 1e3);
            Some(format!(
                "{:.3} ms p50, {:.3} ms p99, {:.3} ms most",
                ms(0.5)?,
                ms(0.99)?,
                ms(1.0)?
            ))
        };
        if let Some(delay) = quantiles(&|share| counts.delay(share)) {
            row("delay", &delay)?;
        }
        if let Some(error) = quantiles(&|share| counts.error(share)) {
            row("of it ours", &error)?;
        }
        Ok(())
    }
}

fn counted(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}
