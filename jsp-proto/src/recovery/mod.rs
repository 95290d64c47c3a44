//! What was sent, what arrived of it, and what to do about the rest (RFC 9002; `spec/07-recovery.md`).
//!
//! [`Recovery`] owns the sent packets of the three spaces and their timers. It tells the fate of each
//! frame through a [`Sink`] and of each acknowledgement through a report that the connection hands to
//! the path (round-trip time, controller, MTU, ECN). It knows no window: in-flight bytes are counted
//! here, compared elsewhere.
//!
//! ```text
//!             on_sent                on_ack                  on_timeout
//!                |                     |                         |
//!                v                     v                         v
//!  ring.rs   outstanding --acked--> forgotten      loss.rs: time to be lost
//!                 \----lost--> kept a while        pto.rs:  time to probe
//!                                \--acked late: reordering window grows, the loss is undone
//! ```

mod ack;
mod loss;
mod pto;
mod rate;
mod report;
mod ring;
mod sent;
mod space;
mod spaces;
mod sums;
#[cfg(test)]
mod tests;
mod train;

pub use ack::{AckPolicy, AckScheduler, Arrivals, MAX_THRESHOLD, MIN_ACK_DELAY};
pub use loss::MEMORY;
pub use pto::{INITIAL_RTT, PROBE_FLOOR, QUICK_FLOOR, SILENCE, Stage, TimerContext};
pub use report::{AckReport, EcnReport, LossReport, Sink, TimeoutReport};
pub use ring::{CAPACITY, FRAME_CAPACITY};
pub use train::SentTrain;

use crate::error::{Code, TransportError};
use crate::ids::{PacketNumber, Side, Space};
use crate::planted::{self, Bug};
use crate::record::{AckSample, Held, SentFrame, SentPacket};
use crate::rng::Rng;
use crate::rtt::Rtt;
use crate::time::{Duration, Time, nanos};
use crate::wire::frame::{AckFrame, kind};
use loss::Reordering;
use pto::Backoff;
use rate::DeliveryRate;
use sent::{Fate, Sent};
use space::SpaceState;
use spaces::Spaces;
use sums::{Gathered, Tally};

/// Packets that a probe timeout may send beyond the congestion window (RFC 9002, section 6.2.4).
const PROBES: u8 = 2;

/// How long nothing must be in flight until the memory for it is given back.
const TRIM: Duration = Duration::from_secs(1);

/// Whatever was given up was sent before.
const FOR_GOOD: Time = Time::from_nanos(u64::MAX);

/// Loss recovery of one connection.
#[derive(Debug)]
pub struct Recovery {
    side: Side,
    spaces: Spaces,
    /// Bytes outstanding in all spaces.
    in_flight: u64,
    backoff: Backoff,
    reordering: Reordering,
    rate: DeliveryRate,
    /// When the first round-trip sample was taken.
    sampled: Option<Time>,
    /// When a packet was last sent or acknowledged: the anti-deadlock probe counts from there.
    last_activity: Time,
}

impl Recovery {
    /// Nothing sent yet.
    pub fn new(side: Side, now: Time) -> Self {
        Self {
            side,
            spaces: Spaces::default(),
            in_flight: 0,
            backoff: Backoff::default(),
            reordering: Reordering::new(),
            rate: DeliveryRate::default(),
            sampled: None,
            last_activity: now,
        }
    }

    /// The number for the next packet of `space`; the same until a packet is sent. In the Data space
    /// a number is left out at random about once in a window, which catches a peer that acknowledges
    /// what it did not receive.
    pub fn next_number(&mut self, space: Space, rng: &mut Rng) -> PacketNumber {
        let state = &mut self.spaces[space.index()];
        match space {
            Space::Data => state.next_number(rng),
            Space::Initial | Space::Handshake => PacketNumber(state.ring.next()),
        }
    }

    /// The largest packet of `space` that the peer acknowledged.
    pub fn largest_acked(&self, space: Space) -> Option<PacketNumber> {
        self.spaces[space.index()].largest_acked
    }

    /// Bytes in flight, in all spaces.
    pub fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Bytes in flight in the handshake's spaces.
    pub fn handshake_in_flight(&self) -> u64 {
        self.spaces[Space::Initial.index()].bytes + self.spaces[Space::Handshake.index()].bytes
    }

    /// Bytes in flight in all spaces, summed over the packets that are outstanding: what
    /// [`in_flight`](Self::in_flight) counts. It walks all sent packets that are remembered.
    pub fn outstanding_bytes(&self) -> u64 {
        self.spaces.iter().map(|state| state.ring.outstanding_bytes()).sum()
    }

    /// The memory that sent packets take, by capacity.
    pub fn held(&self) -> Held {
        self.spaces.iter().map(|state| state.ring.held()).fold(Held::default(), |all, one| Held {
            bytes: all.bytes + one.bytes,
            limit: all.limit + one.limit,
        })
    }

    /// Whether a packet of `space` that must be acknowledged is outstanding.
    pub fn ack_eliciting_in_flight(&self, space: Space) -> bool {
        self.spaces[space.index()].eliciting > 0
    }

    /// Whether so many packets of `space` are outstanding that only probes and ACKs may be sent until
    /// some are resolved. Memory is bounded by this, whatever the window.
    pub fn is_full(&self, space: Space) -> bool {
        self.spaces[space.index()].ring.is_full()
    }

    /// How many ack-eliciting packets of `space` a probe timeout allows, and wants, to be sent
    /// regardless of window and pacing. If there is nothing to send, a PING.
    pub fn probes(&self, space: Space) -> u8 {
        self.spaces[space.index()].probes
    }

    /// Whether the next ACK-only packet of `space` should carry a PING, so that old acknowledgements
    /// are acknowledged and need not be repeated (RFC 9000, section 13.2.4).
    pub fn ping_due(&self, space: Space) -> bool {
        self.spaces[space.index()].ping_due()
    }

    /// Probe timeouts in a row.
    pub fn pto_count(&self) -> u32 {
        self.backoff.count()
    }

    /// The probe timeout without backoff (RFC 9002, section 6.2.1): for closing and key updates.
    pub fn pto(&self, rtt: &Rtt, max_ack_delay: Duration) -> Duration {
        rtt.pto_base() + max_ack_delay
    }

    /// The application has no more to send although window and pacing would allow it.
    pub fn on_app_limited(&mut self) {
        self.rate.on_app_limited(self.in_flight);
    }

    /// Remembers a packet that was sent with the number of [`next_number`](Self::next_number).
    /// `frames` holds at most 65,535.
    pub fn on_sent(
        &mut self,
        space: Space,
        number: PacketNumber,
        packet: &SentPacket,
        frames: &[SentFrame],
    ) {
        let snapshot = self.rate.snapshot(packet.time, self.in_flight == 0);
        let state = &mut self.spaces[space.index()];
        state.ring.make_room(state.eliciting == 0);
        state.ring.push(number, packet, snapshot, frames);
        state.on_sent(packet.time, packet.size, packet.ack_eliciting);
        self.in_flight += u64::from(packet.size);
        self.last_activity = packet.time;
    }

    /// Takes an ACK frame of `space`, and tells in `report`, which was empty, what it brought. `max_ack_delay` is
    /// what the peer promised for the Data space.
    ///
    /// Fails with `PROTOCOL_VIOLATION` if the frame acknowledges a packet that was never sent.
    #[expect(
        clippy::too_many_arguments,
        reason = "a report that is large, for each packet, stays where it is read"
    )]
    pub fn on_ack(
        &mut self,
        now: Time,
        space: Space,
        ack: &AckFrame<'_>,
        rtt: &mut Rtt,
        max_ack_delay: Duration,
        sink: &mut impl Sink,
        report: &mut AckReport,
    ) -> Result<(), TransportError> {
        let never_sent = |_| {
            let reason = "a packet was acknowledged that was never sent";
            TransportError::new(Code::PROTOCOL_VIOLATION, reason).in_frame(kind::ACK)
        };
        let state = &mut self.spaces[space.index()];
        if ack.largest.0 >= state.ring.next() && !planted::is(Bug::AckOfUnsent) {
            return Err(never_sent(ring::NeverSent));
        }
        let prior_in_flight = self.in_flight;
        let prior_largest = state.largest_acked;
        let mut gathered = Gathered::default();
        let outcome = ack.ranges().try_for_each(|range| {
            let Some((start, end)) = state.ring.clamp(&range) else { return Ok(()) };
            let SpaceState { ring, run, .. } = &mut *state;
            let gather = |number, sent: &Sent, frames: ring::FramesOf<'_>| {
                frames.for_each(|frame| sink.acked(space, frame));
                gathered.add(number, sent);
                if sent.fate == Fate::Lost {
                    if planted::is(Bug::SpuriousInFlight) {
                        self.in_flight += u64::from(sent.size);
                    }
                    sink.packet_late(now, space, PacketNumber(number));
                    if sent.size > 0 && !sent.mtu_probe {
                        run.on_acked();
                        gathered.spurious |= self.reordering.on_late(now, sent.time, rtt);
                    }
                }
            };
            ring.acknowledge(start, end, gather)
        });
        sink.acked_all();
        self.in_flight = self.in_flight.saturating_sub(gathered.outstanding.bytes);
        state.settle_all(gathered.outstanding.bytes, gathered.outstanding.eliciting);
        if prior_largest.is_some_and(|largest| gathered.outstanding.lowest < largest.0) {
            self.reordering.on_reordered();
        }
        outcome.map_err(never_sent)?;
        let is_newest = prior_largest.is_none_or(|largest| ack.largest > largest);
        report.packets = gathered.packets;
        report.largest_size = gathered.largest_size;
        report.mtu_probe = gathered.mtu_probe;
        report.spurious = gathered.spurious;
        report.ecn = EcnReport {
            counts: ack.ecn,
            newly_acked: gathered.ect0,
            is_newest,
            sent: gathered.newest.map_or(Time::ZERO, |newest| newest.time),
        };
        let Some(newest) = gathered.newest else { return Ok(()) };
        state.largest_acked = state.largest_acked.max(Some(ack.largest));

        let mut sampled = None;
        if newest.number == ack.largest && gathered.ack_eliciting {
            let sample = now - newest.time;
            // Nobody holds back acknowledgements of the first flight (RFC 9002, section 5.3).
            let held = if space == Space::Initial { 0 } else { ack.delay_micros };
            let delay = held.saturating_mul(1000).min(nanos(max_ack_delay));
            rtt.update_nanos(nanos(sample), delay);
            self.sampled.get_or_insert(now);
            sampled = Some(sample);
        }
        self.rate.on_delivered(now, gathered.bytes);
        let rate = self.rate.sample(now, newest.time, &newest.snapshot, rtt.min());
        self.last_activity = now;
        if gathered.ack_eliciting {
            self.backoff.reset();
            state.probes = 0;
        }
        let mut tally = Tally::default();
        self.detect(now, space, rtt, max_ack_delay, sink, &mut tally);
        if !tally.is_empty() {
            report.losses = tally.report(now, self.in_flight);
        }
        report.sample = (gathered.bytes > 0).then_some(AckSample {
            now,
            acked: gathered.bytes,
            prior_in_flight,
            in_flight: self.in_flight,
            largest: newest.number,
            largest_sent: newest.time,
            rtt: sampled,
            delivery_rate: rate.rate,
            app_limited: rate.app_limited,
        });
        Ok(())
    }

    /// Declares lost what is (see `loss.rs`) and forgets what is done with.
    fn detect(
        &mut self,
        now: Time,
        space: Space,
        rtt: &Rtt,
        max_ack_delay: Duration,
        sink: &mut impl Sink,
        tally: &mut Tally,
    ) {
        let state = &mut self.spaces[space.index()];
        // A packet that comes a probe timeout after it was given up says nothing of reordering.
        let reordering = &self.reordering;
        let forget = || now - (reordering.loss_delay(rtt) + rtt.pto_base() + max_ack_delay);
        state.ring.prune(state.largest_acked, forget);
        if state.ring.is_full() {
            state.ring.prune(state.largest_acked, || FOR_GOOD);
        }
        state.loss_time = None;
        if state.is_overtaken() {
            self.find_lost(now, space, rtt, max_ack_delay, sink, tally);
        }
    }

    /// The same, where an outstanding packet was overtaken by one that is acknowledged.
    fn find_lost(
        &mut self,
        now: Time,
        space: Space,
        rtt: &Rtt,
        max_ack_delay: Duration,
        sink: &mut impl Sink,
        tally: &mut Tally,
    ) {
        let state = &mut self.spaces[space.index()];
        let delay = self.reordering.loss_delay(rtt);
        loop {
            let (found, passed_acked) = state.ring.oldest_outstanding();
            if passed_acked {
                state.run.on_acked();
            }
            let Some((number, sent)) = found.map(|(number, sent)| (number, *sent)) else { break };
            // Beyond its capacity the ring gives up its oldest packet.
            let must_go = state.ring.is_full();
            let Some(largest) = state.largest_acked.filter(|largest| largest.0 > number || must_go)
            else {
                break;
            };
            // What is not in flight, an ACK, is not missed: no timer for its sake.
            let overdue = sent.size == 0 || sent.time + delay <= now;
            if !(must_go || overdue || self.reordering.is_behind(number, largest)) {
                state.loss_time = Some(sent.time + delay);
                break;
            }
            self.in_flight = self.in_flight.saturating_sub(state.settle(&sent));
            if !sent.told {
                state.ring.frames(&sent).for_each(|frame| sink.lost(space, frame));
            }
            state.ring.give_up(number, Fate::Lost);
            sink.packet_lost(now, space, PacketNumber(number));
            tally.add(&sent);
            if sent.size > 0 && !sent.mtu_probe {
                self.reordering.on_lost(now, sent.time);
            }
            if sent.ack_eliciting {
                tally.persistent |= state.run.on_lost(sent.time, self.sampled, rtt, max_ack_delay);
            }
            if must_go {
                state.ring.prune(state.largest_acked, || FOR_GOOD);
            }
        }
    }

    /// When [`on_timeout`](Self::on_timeout) has something to do.
    pub fn timeout(&self, rtt: &Rtt, context: &TimerContext) -> Option<Time> {
        let lost = self.spaces.min(|state| state.loss_time);
        lost.or_else(|| self.probe_time(rtt, context).map(|(at, _)| at))
            .or_else(|| self.trim_time())
    }

    /// Takes a timer that expired (RFC 9002, appendix A.9); it may come late, or for nothing.
    ///
    /// Where a probe timeout expired, frames to send again were handed to `sink`: all that is
    /// outstanding of the handshake, else those of the two oldest packets. They are sent with the
    /// [`probes`](Self::probes), which may as well carry new data if nothing was owed.
    pub fn on_timeout(
        &mut self,
        now: Time,
        rtt: &Rtt,
        context: &TimerContext,
        sink: &mut impl Sink,
    ) -> TimeoutReport {
        let mut report = TimeoutReport::default();
        // Packets that shared a datagram are due at the same time, each in its space.
        let mut tally = Tally::default();
        for space in Space::ALL {
            if self.spaces[space.index()].loss_time.is_some_and(|at| at <= now) {
                let state = &mut self.spaces[space.index()];
                // What is found lost is sent again now; the space's probe timeout counts from there.
                state.last_eliciting = now;
                self.detect(now, space, rtt, context.max_ack_delay, sink, &mut tally);
            }
        }
        report.losses = tally.report(now, self.in_flight);
        if self.spaces.iter().any(|state| state.loss_time.is_some()) {
            return report;
        }
        // The probe timeout of another space may have gone by meanwhile.
        match self.probe_time(rtt, context) {
            Some((at, space)) if at <= now => {
                if planted::is(Bug::LateTick) && now - at > Duration::from_millis(5) {
                    self.spaces[space.index()].last_eliciting = FOR_GOOD;
                    self.last_activity = FOR_GOOD;
                    return report;
                }
                self.backoff.on_expired(now);
                self.last_activity = now;
                self.probe(space, sink);
                report.probe = true;
            }
            Some(_) => {}
            None => {
                if self.trim_time().is_some_and(|at| at <= now) {
                    self.trim();
                }
            }
        }
        report
    }

    /// When to probe, and which space (RFC 9002, appendix A.8).
    fn probe_time(&self, rtt: &Rtt, context: &TimerContext) -> Option<(Time, Space)> {
        if !context.can_send {
            return None;
        }
        let interval = |space: Space| {
            // Two packets, or as many as was asked for, are acknowledged at once; only fewer may be held back.
            let enough = u64::from(context.acks.threshold);
            let few = space == Space::Data && self.spaces[space.index()].eliciting < enough;
            let held = if few { context.acks.max_delay } else { Duration::ZERO };
            self.backoff.interval(rtt, held, context.stage)
        };
        let timed = |space: Space| {
            let state = &self.spaces[space.index()];
            (state.eliciting > 0).then(|| (state.last_eliciting + interval(space), space))
        };
        let data = if context.stage == Stage::Confirmed { timed(Space::Data) } else { None };
        let timed = if self.spaces.is_alone() {
            data
        } else {
            let handshake = [Space::Initial, Space::Handshake].into_iter().filter_map(timed);
            handshake.chain(data).min()
        };
        if timed.is_some() || self.side == Side::Server || context.peer_validated_address {
            return timed;
        }
        // The server may wait for permission to send more: prod it (RFC 9002, section 6.2.2.1).
        let space = match context.stage {
            Stage::Initial => Space::Initial,
            Stage::Handshake | Stage::Confirmed => Space::Handshake,
        };
        Some((self.last_activity + interval(space), space))
    }

    /// Prepares the probes of `space`.
    fn probe(&mut self, space: Space, sink: &mut impl Sink) {
        let spaces: &[Space] = match space {
            Space::Data => &[Space::Data],
            // Both flights of the handshake share datagrams.
            Space::Initial | Space::Handshake => &[Space::Initial, Space::Handshake],
        };
        for &space in spaces {
            let state = &mut self.spaces[space.index()];
            let most = if space == Space::Data { PROBES } else { u8::MAX };
            let mut from = 0;
            for _ in 0..most {
                let Some((number, sent)) = state.ring.take_owed(from) else { break };
                from = number + 1;
                state.ring.frames(&sent).for_each(|frame| sink.lost(space, frame));
                if space != Space::Data {
                    // A handshake is small: its window must not keep it from being repeated.
                    state.ring.give_up(number, Fate::Abandoned);
                    self.in_flight = self.in_flight.saturating_sub(state.settle(&sent));
                }
            }
        }
        self.spaces[space.index()].probes = PROBES;
    }

    /// Gives the memory of sent packets back, if nothing is in flight: at the time of a timer of its own where
    /// there is much, or whenever the connection is found to be idle.
    pub fn trim(&mut self) {
        if self.is_idle() {
            self.spaces.iter_mut().for_each(SpaceState::forget);
            self.in_flight = 0;
        }
    }

    fn is_idle(&self) -> bool {
        self.spaces.all(|state| state.eliciting == 0)
    }

    /// When memory of an idle connection is given back.
    fn trim_time(&self) -> Option<Time> {
        if !self.is_idle() || self.spaces.all(|state| !state.ring.is_large()) {
            return None;
        }
        Some(self.last_activity + TRIM)
    }

    /// Forgets `space`, whose keys are gone (RFC 9002, section 6.4). Nothing of it is owed any more.
    pub fn discard(&mut self, space: Space) {
        let state = self.spaces.take(space);
        self.in_flight = self.in_flight.saturating_sub(state.bytes);
        self.backoff.reset();
    }

    /// A Retry arrived: what was sent of the Initial space is lost without a sign of congestion.
    /// Numbers go on (RFC 9000, section 17.2.5.3).
    pub fn on_retry(&mut self, sink: &mut impl Sink) {
        let state = &mut self.spaces[Space::Initial.index()];
        while let Some((_, sent)) = state.ring.take_owed(0) {
            state.ring.frames(&sent).for_each(|frame| sink.lost(Space::Initial, frame));
        }
        self.in_flight = self.in_flight.saturating_sub(state.bytes);
        state.forget();
        self.backoff.reset();
    }
}
