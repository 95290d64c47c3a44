//! Whether a sender keeps to its pace: a token bucket beside the engine's, never stricter.

use super::ledger::Sent;
use crate::rule::{Rule, Violation};
use jsp_proto::connection::Pacing;
use jsp_proto::time::{Time, nanos};

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// The bucket. Where rate or size change between two checks, the larger holds for the time between.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// What is in it, and since when; none while nothing is paced.
    level: Option<(u64, Time)>,
}

impl Pace {
    /// Holds what was `sent` since the last check, at `now`, against the pace `before` it and the one
    /// `after` it. `mtu` is the usual datagram's size.
    pub(super) fn check(
        &mut self,
        now: Time,
        before: Option<Pacing>,
        after: Option<Pacing>,
        mtu: u64,
        sent: &[Sent],
    ) -> Result<(), Violation> {
        let (Some(before), Some(after)) = (before, after) else {
            // Until there is a pace everything may go, and the bucket is full when there is one.
            self.level = None;
            return Ok(());
        };
        let rate = before.rate.max(after.rate);
        let burst = before.burst.max(after.burst);
        // A bucket that was full may have become larger with what flowed past it.
        let grown = after.burst.saturating_sub(before.burst);
        let mut level = self.level.map_or(burst, |(level, since)| {
            let flow = u128::from(nanos(now.since(since))) * u128::from(rate);
            let flow = u64::try_from(flow.div_ceil(NANOS_PER_SECOND)).unwrap_or(u64::MAX);
            level.saturating_add(flow).saturating_add(grown).min(burst)
        });
        for Sent { size, paced, exempt, .. } in sent.iter().filter(|sent| sent.in_flight) {
            if *paced && !exempt && level < mtu.min(*size) {
                let what = format!("a packet of {size} bytes left when the pace allowed {level}");
                return Err(Violation::new(Rule::Pacing, what));
            }
            level = level.saturating_sub(*size);
        }
        self.level = Some((level, now));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsp_proto::time::Duration;

    fn packet() -> Sent {
        Sent {
            handshake: false,
            size: 1000,
            datagram: 1000,
            in_flight: true,
            exempt: false,
            paced: true,
            mtu_probe: false,
        }
    }

    #[test]
    fn a_bucket_lets_its_burst_through_and_then_its_rate() {
        // 1000 bytes each millisecond, two at once.
        let pacing = Some(Pacing { rate: 1_000_000, burst: 2000 });
        let mut pace = Pace::default();
        let mut check = |millis, packets| {
            let now = Time::ZERO + Duration::from_millis(millis);
            pace.check(now, pacing, pacing, 1000, &vec![packet(); packets])
        };
        assert_eq!(check(0, 2), Ok(()));
        assert_eq!(check(1, 1), Ok(()));
        assert_eq!(check(2, 1), Ok(()));
        assert_eq!(check(5, 2), Ok(()));
        assert!(check(5, 1).is_err());
    }
}
