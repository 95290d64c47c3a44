//! `jsp ping`

use crate::args::Ping;
use crate::client::{Link, with_link};
use crate::failure::Failure;
use crate::protocol::{Request, read_exact};
use crate::report::{headline, row};
use crate::setup::Setup;
use crate::units::Span;
use serde::Serialize;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};

/// Bytes that go there and back.
const LENGTH: usize = 64;

/// The result, with times in milliseconds.
#[derive(Debug, Serialize)]
struct Measured {
    server: String,
    handshake_ms: f64,
    round_trips: usize,
    min_ms: f64,
    median_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// Packets of this end that were lost, and their share of those whose fate is known.
    lost_packets: u64,
    loss: f64,
    suite: String,
    provider: &'static str,
}

/// Measures the handshake and round trips of small requests. They travel on one stream, so what the
/// network loses is sent again and shows as a long round trip; the loss is that of packets.
pub(crate) async fn run(setup: &Setup, args: Ping) -> Result<(), Failure> {
    with_link(setup, &args.url, async |link| {
        let times = round_trips(&link, &args).await?;
        let stats = link.connection.stats();
        let known = stats.path.acked_packets + stats.path.lost_packets;
        let result = Measured {
            server: args.url.authority(),
            handshake_ms: millis(link.handshake),
            round_trips: times.len(),
            min_ms: millis(rank(&times, 0.0)),
            median_ms: millis(rank(&times, 0.5)),
            p99_ms: millis(rank(&times, 0.99)),
            max_ms: millis(rank(&times, 1.0)),
            lost_packets: stats.path.lost_packets,
            loss: stats.path.lost_packets as f64 / known.max(1) as f64,
            suite: stats.suite.map(|suite| suite.to_string()).unwrap_or_default(),
            provider: stats.provider,
        };
        if args.json {
            let json = serde_json::to_string(&result);
            anstream::println!("{}", json.map_err(|error| Failure::local(error.to_string()))?);
            return Ok(());
        }
        headline(format_args!(
            "{} round trips of {LENGTH} bytes with {}",
            times.len(),
            result.server
        ));
        row("handshake", Span(link.handshake));
        row(
            "round trip",
            format_args!(
                "min {}, median {}, p99 {}, max {}",
                Span(rank(&times, 0.0)),
                Span(rank(&times, 0.5)),
                Span(rank(&times, 0.99)),
                Span(rank(&times, 1.0))
            ),
        );
        row(
            "loss",
            format_args!(
                "{:.2} % ({} of {known} packets)",
                100.0 * result.loss,
                result.lost_packets
            ),
        );
        row("suite", format_args!("{} by {}", result.suite, result.provider));
        Ok(())
    })
    .await
}

/// All round trips, shortest first.
async fn round_trips(link: &Link, args: &Ping) -> Result<Vec<Duration>, Failure> {
    let (mut send, mut recv) = link.ask(&Request::Echo).await?;
    link.answer(&mut recv).await?;
    let mut times = Vec::new();
    // An interval of 0 is no wait at all.
    let mut ticks = (args.interval > 0).then(|| {
        let mut ticks = interval(Duration::from_millis(args.interval.into()));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    });
    for number in 0..args.count {
        if let Some(ticks) = &mut ticks {
            ticks.tick().await;
        }
        let ping = [number.to_be_bytes(); LENGTH / 4].concat();
        let mut back = [0; LENGTH];
        let start = Instant::now();
        send.write_all(&ping).await.map_err(|error| link.unwritten(&error))?;
        if !read_exact(&mut recv, &mut back).await.map_err(|error| link.unread(&error))? {
            return Err(Link::cut());
        }
        times.push(start.elapsed());
        if ping != back {
            return Err(Failure::confused("something else came back than was sent"));
        }
    }
    let _ = send.finish();
    times.sort();
    Ok(times)
}

/// The smallest of `sorted` that at least a `share` of them does not exceed.
fn rank(sorted: &[Duration], share: f64) -> Duration {
    let at = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied().unwrap_or_default()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_sorted_list() {
        let times: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        for (share, millis) in [(0.0, 1), (0.5, 100), (0.99, 198), (1.0, 200)] {
            assert_eq!(rank(&times, share), Duration::from_millis(millis));
        }
        assert_eq!(rank(&times[..1], 0.99), Duration::from_millis(1));
        assert_eq!(rank(&[], 0.5), Duration::ZERO);
    }
}
