//! `HyStart`++ (RFC 9406): leaves slow start when the round-trip time begins to grow, before packets
//! are lost.
//!
//! ```text
//!   slow start --- a round's RTT is higher by an eighth ---> conservative (a quarter of the growth)
//!       ^                                                        |            |
//!       '------ the RTT fell again: it was a passing jump -------'            | five rounds
//!                                                                             v
//!                                                                           done
//! ```
//!
//! A round ends when a packet is acknowledged that was sent after it began. Sending is paced,
//! so growth per ACK has no limit `L`.

use crate::ids::PacketNumber;
use crate::time::Duration;

const MIN_THRESHOLD: Duration = Duration::from_millis(4);
const MAX_THRESHOLD: Duration = Duration::from_millis(16);
const RTT_DIVISOR: u32 = 8;
const ROUND_SAMPLES: u32 = 8;
const CONSERVATIVE_ROUNDS: u32 = 5;

/// By how much conservative slow start divides growth.
pub(super) const GROWTH_DIVISOR: u64 = 4;

/// Where in slow start a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The window doubles each round.
    SlowStart,
    /// The window grows by a quarter each round.
    Conservative,
    /// The path is full: congestion avoidance begins.
    Done,
}

/// See the module's documentation.
#[derive(Clone, Copy, Debug)]
pub(super) struct HyStart {
    /// The smallest RTT of this round, and of the last; `MAX` without a sample.
    current: Duration,
    last: Duration,
    samples: u32,
    /// The first packet sent after the round began.
    end: PacketNumber,
    newest_sent: PacketNumber,
    conservative: Option<Conservative>,
}

#[derive(Clone, Copy, Debug)]
struct Conservative {
    /// The RTT at which it began.
    baseline: Duration,
    rounds: u32,
}

impl HyStart {
    pub(super) const fn new() -> Self {
        Self {
            current: Duration::MAX,
            last: Duration::MAX,
            samples: 0,
            end: PacketNumber(0),
            newest_sent: PacketNumber(0),
            conservative: None,
        }
    }

    pub(super) fn on_sent(&mut self, number: PacketNumber) {
        self.newest_sent = number;
    }

    /// Takes an ACK whose largest newly acknowledged packet is `largest`, and says where growth
    /// stands after it.
    pub(super) fn on_ack(&mut self, largest: PacketNumber, rtt: Option<Duration>) -> Phase {
        if let Some(rtt) = rtt {
            self.current = self.current.min(rtt);
            self.samples += 1;
        }
        if self.samples >= ROUND_SAMPLES {
            self.judge();
        }
        if largest >= self.end {
            self.end = self.newest_sent.next();
            self.last = self.current;
            self.current = Duration::MAX;
            self.samples = 0;
            if let Some(conservative) = &mut self.conservative {
                conservative.rounds += 1;
                if conservative.rounds >= CONSERVATIVE_ROUNDS {
                    return Phase::Done;
                }
            }
        }
        if self.conservative.is_some() { Phase::Conservative } else { Phase::SlowStart }
    }

    /// Compares this round with the last, or with the one in which growth slowed down.
    fn judge(&mut self) {
        if let Some(conservative) = &self.conservative {
            if self.current < conservative.baseline {
                self.conservative = None;
            }
        } else if self.last != Duration::MAX {
            let threshold = (self.last / RTT_DIVISOR).clamp(MIN_THRESHOLD, MAX_THRESHOLD);
            if self.current >= self.last + threshold {
                self.conservative = Some(Conservative { baseline: self.current, rounds: 0 });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// Runs rounds of `acks` ACKs each, one round for each RTT (in ms), and gives the phase after
    /// each round.
    fn run(acks: u64, rtts: &[u64]) -> alloc::vec::Vec<Phase> {
        let mut hystart = HyStart::new();
        let mut number = 0;
        let mut phases = alloc::vec::Vec::new();
        for &rtt in rtts {
            hystart.on_sent(PacketNumber(number + acks - 1));
            let mut phase = Phase::SlowStart;
            for _ in 0..acks {
                let next = hystart.on_ack(PacketNumber(number), Some(MS(rtt)));
                phase = if phase == Phase::Done { phase } else { next };
                number += 1;
            }
            phases.push(phase);
        }
        phases
    }

    use Phase::{Conservative as C, Done as D, SlowStart as S};

    #[test]
    fn a_steady_round_trip_never_ends_slow_start() {
        assert_eq!(run(10, &[100; 20]), [S; 20]);
    }

    #[test]
    fn a_growing_round_trip_slows_growth_and_after_five_rounds_ends_it() {
        let phases = run(10, &[100, 100, 113, 126, 140, 150, 160, 170]);
        assert_eq!(phases, [S, S, C, C, C, C, C, D]);
    }

    #[test]
    fn a_growth_below_the_threshold_is_noise() {
        assert_eq!(run(10, &[100, 111, 100, 111, 100]), [S; 5]);
        // Short round trips: 4 ms at least.
        assert_eq!(run(10, &[1, 4, 1, 4]), [S; 4]);
    }

    #[test]
    fn a_passing_jump_resumes_slow_start() {
        assert_eq!(run(10, &[100, 100, 120, 100, 100]), [S, S, C, S, S]);
    }

    #[test]
    fn rounds_with_too_few_samples_judge_nothing() {
        assert_eq!(run(7, &[100, 200, 300, 400, 500]), [S; 5]);
    }
}
