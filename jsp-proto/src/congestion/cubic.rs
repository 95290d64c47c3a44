//! CUBIC (RFC 9438) with `HyStart`++ (RFC 9406).
//!
//! - In slow start the window grows by what is acknowledged, until `HyStart`++ or a loss ends it.
//! - In congestion avoidance it follows the cubic curve, or grows as Reno would where that is faster.
//! - A congestion event multiplies it by 0.7, once in a round trip; fast convergence leaves room to
//!   newcomers. What one event did can be undone if its losses were reordering (section 4.9).
//! - Acknowledgements of a flight that did not use the window do not make it grow, and such time does
//!   not count on the curve (section 5.8).

use super::curve::Curve;
use super::hystart::{GROWTH_DIVISOR, HyStart, Phase};
use super::{Controller, ControllerFactory, initial_window, minimum_window, rate_of};
use crate::ids::PacketNumber;
use crate::record::{AckSample, CongestionEvent};
use crate::rtt::Rtt;
use crate::time::Time;
use alloc::boxed::Box;

/// The multiplicative decrease (section 4.6): beta = 7/10.
const BETA: (u64, u64) = (7, 10);

/// Reno's growth in packets a round trip that is as fair with this beta (section 4.3):
/// 3 (1 - beta) / (1 + beta) = 9/17.
const ALPHA: (u64, u64) = (9, 17);

/// Makes [`Cubic`] controllers.
#[derive(Clone, Copy, Debug, Default)]
pub struct CubicFactory;

impl ControllerFactory for CubicFactory {
    fn build(&self, _: Time, mtu: u16) -> Box<dyn Controller> {
        Box::new(Cubic::new(mtu))
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Cubic {
    mtu: u16,
    state: State,
    /// When the last congestion event was: losses of packets sent before belong to it.
    recovery_start: Option<Time>,
    /// The state before the last congestion event, while it can be undone.
    undo: Option<Box<State>>,
    /// Since when the window has not been used.
    unused_since: Option<Time>,
    /// Since when nothing is in flight.
    idle_since: Option<Time>,
}

/// What a congestion event changes.
#[derive(Clone, Copy, Debug)]
struct State {
    window: u64,
    /// At this window slow start ends.
    threshold: u64,
    /// The window at the last congestion event, after fast convergence.
    w_max: u64,
    /// The window before the last reduction: Reno's growth is compared with CUBIC's up to there.
    prior: u64,
    growth: Growth,
}

/// How the window grows.
#[derive(Clone, Copy, Debug)]
enum Growth {
    SlowStart(HyStart),
    /// Congestion avoidance, of which no epoch has begun.
    Reduced,
    Avoidance(Avoidance),
}

/// An epoch of congestion avoidance.
#[derive(Clone, Copy, Debug)]
struct Avoidance {
    curve: Curve,
    /// What the window would be with Reno.
    reno: u64,
    /// Growth too small for a byte so far: bytes acknowledged times bytes to go, and times `ALPHA`.
    credit: u64,
    reno_credit: u64,
}

impl Cubic {
    /// A controller for a path that carries datagrams of `mtu` bytes.
    pub fn new(mtu: u16) -> Self {
        Self {
            mtu,
            state: State {
                window: initial_window(mtu),
                threshold: u64::MAX,
                w_max: 0,
                prior: 0,
                growth: Growth::SlowStart(HyStart::new()),
            },
            recovery_start: None,
            undo: None,
            unused_since: None,
            idle_since: None,
        }
    }

    fn in_slow_start(&self) -> bool {
        self.state.window < self.state.threshold
    }

    /// Whether the flight that is being acknowledged used the window: half of it while it doubles,
    /// three quarters later.
    fn used(&self, sample: &AckSample) -> bool {
        if self.in_slow_start() {
            sample.prior_in_flight >= self.state.window / 2
        } else {
            sample.prior_in_flight >= self.state.window - self.state.window / 4
        }
    }

    fn slow_start(&mut self, sample: &AckSample) {
        let state = &mut self.state;
        let Growth::SlowStart(hystart) = &mut state.growth else { return };
        let phase = hystart.on_ack(sample.largest, sample.rtt);
        let growth = match phase {
            Phase::SlowStart => sample.acked,
            Phase::Conservative | Phase::Done => sample.acked / GROWTH_DIVISOR,
        };
        state.window = state.window.saturating_add(growth).min(state.threshold);
        if phase == Phase::Done {
            state.threshold = state.window;
        }
    }

    fn avoid(&mut self, sample: &AckSample, rtt: &Rtt) {
        let mtu = u64::from(self.mtu);
        let state = &mut self.state;
        if !matches!(state.growth, Growth::Avoidance(_)) {
            state.growth = Growth::Avoidance(Avoidance {
                curve: Curve::new(sample.now, state.window, state.w_max, mtu),
                reno: state.window,
                credit: 0,
                reno_credit: 0,
            });
        }
        let Growth::Avoidance(epoch) = &mut state.growth else { return };
        // Section 4.3: once past the window of the last event, Reno's own pace.
        let (gain, share) = if epoch.reno >= state.prior { (1, 1) } else { ALPHA };
        let grown = grow(&mut epoch.reno_credit, mtu * gain / share, sample.acked, state.window);
        epoch.reno = epoch.reno.saturating_add(grown);
        let now = epoch.curve.window(sample.now, mtu);
        if now < epoch.reno {
            state.window = state.window.max(epoch.reno);
            return;
        }
        // Section 4.4: reach in one round trip the window that the curve has by then.
        let target = epoch.curve.window(sample.now + rtt.smoothed(), mtu);
        let target = target.clamp(state.window, state.window.saturating_add(state.window / 2));
        let grown = grow(&mut epoch.credit, target - state.window, sample.acked, state.window);
        state.window = state.window.saturating_add(grown);
    }
}

/// The growth by `by` per window acknowledged, for `acked` bytes of it; the rest stays in `credit`.
fn grow(credit: &mut u64, by: u64, acked: u64, window: u64) -> u64 {
    let window = u128::from(window.max(1));
    let sum = u128::from(by) * u128::from(acked) + u128::from(*credit);
    *credit = (sum % window) as u64;
    u64::try_from(sum / window).unwrap_or(u64::MAX)
}

impl Controller for Cubic {
    fn on_sent(&mut self, now: Time, bytes: u64, number: PacketNumber, in_flight: u64) {
        if let Growth::SlowStart(hystart) = &mut self.state.growth {
            hystart.on_sent(number);
        }
        if in_flight > bytes {
            return;
        }
        // Nothing was in flight: section 5.8 excludes the pause, unless that has begun already.
        if let (Some(since), None, Growth::Avoidance(epoch)) =
            (self.idle_since.take(), self.unused_since, &mut self.state.growth)
        {
            epoch.curve.shift(now - since);
        }
    }

    fn on_ack(&mut self, sample: &AckSample, rtt: &Rtt) {
        self.idle_since = (sample.in_flight == 0).then_some(sample.now);
        // Packets sent before the reduction do not make the window grow again.
        if self.recovery_start.is_some_and(|start| sample.largest_sent <= start) {
            return;
        }
        if !self.used(sample) {
            self.unused_since.get_or_insert(sample.now);
            return;
        }
        if let (Some(since), Growth::Avoidance(epoch)) =
            (self.unused_since.take(), &mut self.state.growth)
        {
            epoch.curve.shift(sample.now - since);
        }
        if self.in_slow_start() {
            self.slow_start(sample);
        } else {
            self.avoid(sample, rtt);
        }
    }

    fn on_congestion(&mut self, event: &CongestionEvent) {
        let floor = minimum_window(self.mtu);
        let in_recovery = self.recovery_start.is_some_and(|start| event.sent <= start);
        if !in_recovery {
            self.recovery_start = Some(event.now);
            // What the network marked did happen.
            self.undo = (!event.ecn).then(|| Box::new(self.state));
            let state = &mut self.state;
            // Fast convergence (section 4.7).
            state.w_max = if state.window < state.w_max {
                state.window / (2 * BETA.1) * (BETA.1 + BETA.0)
            } else {
                state.window
            };
            state.prior = state.window;
            state.window = (state.window / BETA.1 * BETA.0).max(floor);
            state.threshold = state.window;
            state.growth = Growth::Reduced;
            self.unused_since = None;
        }
        if event.persistent {
            // RFC 9002, section 7.6.2: as after a timeout of TCP's.
            self.undo = None;
            self.recovery_start = None;
            self.state.window = floor;
            self.state.growth = Growth::SlowStart(HyStart::new());
        }
    }

    fn on_spurious(&mut self, _: Time) {
        if let Some(before) = self.undo.take()
            && before.window > self.state.window
        {
            self.state = *before;
            self.recovery_start = None;
        }
    }

    fn window(&self) -> u64 {
        self.state.window
    }

    fn pacing_rate(&self, rtt: &Rtt) -> Option<u64> {
        // RFC 9002, section 7.7: a little more than the window each round trip, twice as much while
        // it doubles.
        rate_of(self.state.window, if self.in_slow_start() { 8 } else { 5 }, rtt)
    }

    fn on_mtu(&mut self, mtu: u16) {
        self.mtu = mtu;
        self.state.window = self.state.window.max(minimum_window(mtu));
    }

    fn name(&self) -> &'static str {
        "cubic"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    const MS: fn(u64) -> Duration = Duration::from_millis;
    const MTU: u16 = 1200;
    const RTT: u64 = 100;

    /// A path with a constant round trip on which each flight is acknowledged packet by packet.
    struct Path {
        cubic: Cubic,
        rtt: Rtt,
        now: Time,
        number: u64,
    }

    impl Path {
        fn new() -> Self {
            let mut rtt = Rtt::new(MS(333));
            rtt.update(MS(RTT), MS(0));
            Self { cubic: Cubic::new(MTU), rtt, now: Time::ZERO + MS(1000), number: 0 }
        }

        fn packets(&self) -> u64 {
            self.cubic.window() / u64::from(MTU)
        }

        /// Sends `flight` packets and acknowledges each of them a round trip later.
        fn flight(&mut self, flight: u64) {
            let mtu = u64::from(MTU);
            let sent = self.now;
            for i in 1..=flight {
                let number = PacketNumber(self.number + i - 1);
                self.cubic.on_sent(sent, mtu, number, i * mtu);
            }
            self.now += MS(RTT);
            for i in 0..flight {
                let sample = AckSample {
                    now: self.now,
                    acked: mtu,
                    prior_in_flight: flight * mtu,
                    in_flight: (flight - i - 1) * mtu,
                    largest: PacketNumber(self.number + i),
                    largest_sent: sent,
                    rtt: Some(MS(RTT)),
                    delivery_rate: None,
                    app_limited: false,
                };
                self.cubic.on_ack(&sample, &self.rtt);
            }
            self.number += flight;
        }

        fn full_flights(&mut self, count: usize) {
            (0..count).for_each(|_| self.flight(self.packets()));
        }

        fn event(&self) -> CongestionEvent {
            CongestionEvent {
                now: self.now,
                sent: self.now,
                lost: 1200,
                in_flight: 0,
                persistent: false,
                ecn: false,
            }
        }
    }

    #[test]
    fn slow_start_doubles_the_window_each_round_trip() {
        let mut p = Path::new();
        assert_eq!(p.packets(), 10);
        p.full_flights(3);
        assert_eq!(p.packets(), 80);
    }

    #[test]
    fn a_loss_takes_three_tenths_once_in_a_round_trip() {
        let mut p = Path::new();
        p.full_flights(3);
        let event = p.event();
        p.cubic.on_congestion(&event);
        p.cubic.on_congestion(&CongestionEvent { now: event.now + MS(10), ..event });
        assert_eq!(p.packets(), 56);
        // A packet that was sent after the reduction is another matter.
        let later = event.now + MS(20);
        p.cubic.on_congestion(&CongestionEvent { now: later, sent: later, ..event });
        assert_eq!(p.packets(), 39);
    }

    #[test]
    fn the_window_returns_to_its_plateau_when_the_curve_says() {
        let mut p = Path::new();
        p.full_flights(7);
        assert_eq!(p.packets(), 1280);
        p.now += MS(1);
        p.cubic.on_congestion(&p.event());
        assert_eq!(p.packets(), 896);
        // K = cbrt(1280 * 0.3 / 0.4) = 9.86 s; the target is a round trip ahead.
        p.now += MS(1);
        p.full_flights(50);
        assert!((1200..1270).contains(&p.packets()), "{}", p.packets());
        p.full_flights(49);
        assert!((1275..1285).contains(&p.packets()), "{}", p.packets());
        p.full_flights(60);
        assert!(p.packets() > 1330, "{}", p.packets());
    }

    #[test]
    fn a_small_window_grows_at_least_as_renos() {
        let mut p = Path::new();
        p.full_flights(2);
        p.cubic.on_congestion(&p.event());
        p.now += MS(1);
        assert_eq!(p.packets(), 28);
        // 9/17 packets a round trip, where the cubic curve alone would need 3 s for the first 12.
        p.full_flights(18);
        assert!((36..=39).contains(&p.packets()), "{}", p.packets());
    }

    #[test]
    fn fast_convergence_leaves_room_after_a_second_loss_below_the_plateau() {
        let mut p = Path::new();
        p.full_flights(7);
        p.cubic.on_congestion(&p.event());
        p.now += MS(1);
        p.cubic.on_congestion(&p.event());
        assert!(p.cubic.state.w_max < 896 * 1200);
        assert_eq!(p.cubic.state.w_max, 896 * 1200 / 20 * 17);
    }

    #[test]
    fn a_window_that_is_not_used_does_not_grow_and_the_pause_does_not_count() {
        let mut busy = Path::new();
        let mut pausing = Path::new();
        for p in [&mut busy, &mut pausing] {
            p.full_flights(7);
            p.now += MS(1);
            p.cubic.on_congestion(&p.event());
            p.now += MS(1);
            p.full_flights(20);
        }
        let before = pausing.cubic.window();
        (0..100).for_each(|_| pausing.flight(4));
        pausing.now += MS(60_000);
        assert_eq!(pausing.cubic.window(), before);
        busy.full_flights(10);
        pausing.full_flights(10);
        let ratio = pausing.packets() * 100 / busy.packets();
        assert!((98..=102).contains(&ratio), "{} {}", pausing.packets(), busy.packets());
    }

    #[test]
    fn an_idle_minute_does_not_count_either() {
        let mut p = Path::new();
        p.full_flights(7);
        p.now += MS(1);
        p.cubic.on_congestion(&p.event());
        p.now += MS(1);
        p.full_flights(20);
        let before = p.packets();
        p.now += MS(60_000);
        p.full_flights(1);
        assert!(p.packets() < before + before / 20, "{} {before}", p.packets());
    }

    #[test]
    fn a_spurious_loss_is_undone_but_not_one_that_the_network_marked() {
        let mut p = Path::new();
        p.full_flights(3);
        p.cubic.on_congestion(&p.event());
        p.cubic.on_spurious(p.now);
        assert_eq!(p.packets(), 80);
        assert!(p.cubic.in_slow_start());
        p.cubic.on_congestion(&CongestionEvent { ecn: true, ..p.event() });
        p.cubic.on_spurious(p.now);
        assert_eq!(p.packets(), 56);
    }

    #[test]
    fn persistent_congestion_starts_over_from_four_packets() {
        let mut p = Path::new();
        p.full_flights(3);
        p.cubic.on_congestion(&CongestionEvent { persistent: true, ..p.event() });
        assert_eq!(p.packets(), 4);
        p.now += MS(1);
        p.full_flights(2);
        assert_eq!(p.packets(), 16);
    }

    #[test]
    fn pacing_is_twice_the_window_in_slow_start_and_a_quarter_more_later() {
        let mut p = Path::new();
        assert_eq!(p.cubic.pacing_rate(&Rtt::new(MS(100))), None);
        assert_eq!(p.cubic.pacing_rate(&p.rtt), Some(2 * 10 * 12_000));
        p.full_flights(3);
        p.cubic.on_congestion(&p.event());
        assert_eq!(p.cubic.pacing_rate(&p.rtt), Some(56 * 12_000 * 5 / 4));
    }
}
