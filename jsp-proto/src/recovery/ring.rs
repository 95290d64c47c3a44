//! The sent packets of one space: a ring by packet number, and their frames in a second ring.
//!
//! ```text
//!  base                    oldest                      next
//!   |                        |                          |
//!   v                        v                          v
//!   [lost|acked|skipped|lost][outstanding|acked|outst...]
//!   `- kept while a late acknowledgement would still mean something
//! ```
//!
//! Packet numbers only grow and so do send times, hence everything that loss detection asks is
//! asked at a cursor (`oldest`) that only moves forward: each packet is passed once. An acknowledged
//! slot remembers how many slots below it are acknowledged too, so that ranges that are repeated in
//! every ACK, or made huge by an attacker, are jumped over instead of walked (a disjoint-set forest
//! with path compression): work is in proportion to what is *newly* acknowledged.
//!
//! The ring holds memory in proportion to the packets in flight, at most [`CAPACITY`] of them.

use super::sent::{Fate, Sent, Snapshot};
use crate::ids::PacketNumber;
use crate::planted::{self, Bug};
use crate::record::{Held, SentFrame, SentPacket};
use crate::time::Time;
use alloc::collections::VecDeque;
use core::ops::RangeInclusive;

/// How many packets of a space are remembered; a straggler at the front is given up beyond it.
pub const CAPACITY: usize = 1 << 16;

/// How many frames of a space are remembered.
pub const FRAME_CAPACITY: usize = 4 * CAPACITY;

/// Slots that an idle space may keep allocated, so that a sign of life now and then allocates nothing: some
/// 250 bytes with their frames.
const SMALL: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Slot {
    Sent(Sent),
    /// Acknowledged, as are the `run - 1` slots below it.
    Acked {
        run: u32,
    },
    /// Never sent: whoever acknowledges it lies.
    Skipped,
}

/// A number was acknowledged that was never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NeverSent;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Ring {
    slots: VecDeque<Slot>,
    /// Number of the first slot.
    base: u64,
    /// No slot below this number is outstanding.
    oldest: u64,
    frames: VecDeque<SentFrame>,
    /// Position of the first remembered frame, modulo 2^32.
    frames_base: u32,
}

impl Ring {
    /// A ring that begins with number 0.
    pub(super) const fn new() -> Self {
        Self { slots: VecDeque::new(), base: 0, oldest: 0, frames: VecDeque::new(), frames_base: 0 }
    }

    /// The number after the newest packet.
    pub(super) fn next(&self) -> u64 {
        self.base + self.slots.len() as u64
    }

    /// Whether another packet would have to push out one that is still outstanding.
    pub(super) fn is_full(&self) -> bool {
        self.slots.len() >= CAPACITY || self.frames.len() >= FRAME_CAPACITY
    }

    /// Remembers packet `number`, the newest; numbers that were left out before it count as skipped.
    pub(super) fn push(
        &mut self,
        number: PacketNumber,
        packet: &SentPacket,
        snapshot: Snapshot,
        frames: &[SentFrame],
    ) {
        debug_assert!(u16::try_from(frames.len()).is_ok());
        self.push_slot(number, Sent::new(packet, snapshot, frames.len() as u16));
        self.frames.extend(frames);
    }

    /// The same, for a packet of one frame: as `sent` says, which was made for one.
    #[inline]
    pub(super) fn push_one(&mut self, number: PacketNumber, sent: Sent, frame: SentFrame) {
        debug_assert!(sent.frame_count == 1);
        self.push_slot(number, sent);
        self.frames.push_back(frame);
    }

    /// The frames are to follow.
    #[inline]
    fn push_slot(&mut self, number: PacketNumber, sent: Sent) {
        debug_assert!(number.0 >= self.next() || planted::is(Bug::NumberReused));
        while self.next() < number.0 {
            self.slots.push_back(Slot::Skipped);
        }
        let frames = self.frames_base.wrapping_add(self.frames.len() as u32);
        self.slots.push_back(Slot::Sent(Sent { frames, ..sent }));
    }

    /// The frames of a packet that is still remembered, or was until now.
    pub(super) fn frames(&self, sent: &Sent) -> FramesOf<'_> {
        frames_of(&self.frames, self.frames_base, sent)
    }

    /// The part of `range` that is remembered.
    pub(super) fn clamp(&self, range: &RangeInclusive<u64>) -> Option<(u64, u64)> {
        let start = (*range.start()).max(self.base);
        let end = (*range.end()).min(self.next().checked_sub(1)?);
        (start <= end).then_some((start, end))
    }

    /// Marks what of `start..=end` is not acknowledged yet as acknowledged, and tells `each` of such packets
    /// with its frames, the largest first.
    pub(super) fn acknowledge(
        &mut self,
        start: u64,
        end: u64,
        mut each: impl FnMut(u64, &Sent, FramesOf<'_>),
    ) -> Result<(), NeverSent> {
        let mut at = end;
        loop {
            let base = self.base;
            let index = at.checked_sub(base).and_then(|index| usize::try_from(index).ok());
            let Some(slot) = index.and_then(|index| self.slots.get_mut(index)) else {
                return Ok(());
            };
            match slot {
                Slot::Sent(sent) => {
                    each(at, sent, frames_of(&self.frames, self.frames_base, sent));
                    // The rest of the range is about to be marked as well.
                    *slot = Slot::Acked { run: (at - start + 1) as u32 };
                }
                Slot::Acked { .. } => {
                    match self.find_unacked(at).filter(|&below| below >= start) {
                        Some(below) => at = below,
                        None => return Ok(()),
                    }
                    continue;
                }
                Slot::Skipped if planted::is(Bug::AckOfUnsent) => *slot = Slot::Acked { run: 1 },
                Slot::Skipped => return Err(NeverSent),
            }
            if at <= start {
                return Ok(());
            }
            at -= 1;
        }
    }

    /// The largest number up to `from` that is remembered and not acknowledged.
    fn find_unacked(&mut self, from: u64) -> Option<u64> {
        let mut at = from;
        let found = loop {
            match self.slot(at) {
                Some(Slot::Acked { run }) => match at.checked_sub(u64::from(*run)) {
                    Some(below) => at = below,
                    None => break None,
                },
                Some(_) => break Some(at),
                None => break None,
            }
        };
        // Point everything that was passed at the end of the chain.
        let base = self.base;
        let mut at = from;
        while let Some(Slot::Acked { run }) = self.slot_mut(at) {
            let step = u64::from(*run);
            // If nothing is left below, the chain ends before the first slot.
            let whole = found.map_or(at - base + 1, |found| at - found);
            *run = u32::try_from(whole).unwrap_or(*run).max(*run);
            match at.checked_sub(step) {
                Some(below) => at = below,
                None => break,
            }
        }
        found
    }

    /// The outstanding packet with the smallest number, and whether an acknowledged one was passed
    /// on the way to it since the last call.
    pub(super) fn oldest_outstanding(&mut self) -> (Option<(u64, &Sent)>, bool) {
        let passed_acked = self.find_oldest();
        match self.slot(self.oldest) {
            Some(Slot::Sent(sent)) => (Some((self.oldest, sent)), passed_acked),
            _ => (None, passed_acked),
        }
    }

    /// Moves the cursor on to the oldest outstanding packet, or behind the newest. Returns whether an acknowledged one
    /// was passed.
    fn find_oldest(&mut self) -> bool {
        let mut passed_acked = false;
        self.oldest = self.oldest.max(self.base);
        while let Some(slot) = self.slot(self.oldest) {
            match slot {
                Slot::Sent(sent) if sent.fate == Fate::Outstanding => break,
                Slot::Acked { .. } => passed_acked = true,
                Slot::Sent(_) | Slot::Skipped => {}
            }
            self.oldest += 1;
        }
        passed_acked
    }

    /// Gives `number` up; its frames count as told to be lost.
    pub(super) fn give_up(&mut self, number: u64, fate: Fate) {
        if let Some(Slot::Sent(sent)) = self.slot_mut(number) {
            sent.fate = fate;
            sent.told = true;
        }
    }

    /// The outstanding packet with the smallest number from `from` on whose frames were not told to
    /// be lost yet; from now on they count as told.
    pub(super) fn take_owed(&mut self, from: u64) -> Option<(u64, Sent)> {
        let from = from.max(self.oldest).max(self.base);
        let index = usize::try_from(from - self.base).ok()?;
        let slots = self.slots.range_mut(index.min(self.slots.len())..);
        for (at, slot) in (from..).zip(slots) {
            if let Slot::Sent(sent) = slot
                && sent.fate == Fate::Outstanding
                && sent.frame_count > 0
                && !sent.told
            {
                sent.told = true;
                return Some((at, *sent));
            }
        }
        None
    }

    /// Forgets packets at the front that have nothing more to tell: acknowledged ones, those given
    /// up that were sent before `forget`, and skipped ones below `largest_acked`. An ACK that comes
    /// for a forgotten number is ignored.
    pub(super) fn prune(
        &mut self,
        largest_acked: Option<PacketNumber>,
        mut forget: impl FnMut() -> Time,
    ) {
        let mut done = |number, slot: &Slot| match slot {
            Slot::Acked { .. } => true,
            Slot::Skipped => largest_acked.is_some_and(|largest| largest.0 > number),
            Slot::Sent(sent) => sent.fate != Fate::Outstanding && sent.time < forget(),
        };
        let mut count = 0;
        while let Some(slot) = self.slots.get(count)
            && done(self.base + count as u64, slot)
        {
            count += 1;
        }
        if count > 0 {
            drop_front(&mut self.slots, count);
            self.base += count as u64;
            self.drop_frames();
        }
    }

    /// Makes room at the front by forgetting what is not in flight: ACK-only packets pile up when
    /// nothing that must be acknowledged is sent (`idle`), and the newest of them say all that the others
    /// did.
    #[inline]
    pub(super) fn make_room(&mut self, idle: bool) {
        if self.is_full() || idle && self.slots.len() >= SMALL {
            self.forget_silent(idle);
        }
    }

    fn forget_silent(&mut self, idle: bool) {
        while self.is_full() || idle && self.slots.len() >= SMALL {
            match self.slots.front() {
                Some(Slot::Sent(sent)) if sent.fate == Fate::Outstanding && sent.size > 0 => break,
                // An acknowledgement that comes late still has something to say of it.
                Some(Slot::Sent(Sent { fate: Fate::Lost, .. })) if !self.is_full() => break,
                Some(_) => self.pop(),
                None => break,
            }
            self.drop_frames();
        }
    }

    /// Whether the memory held is worth giving back when nothing is in flight.
    pub(super) fn is_large(&self) -> bool {
        self.slots.capacity() > SMALL || self.frames.capacity() > SMALL
    }

    /// Bytes of the packets that are outstanding, walked.
    pub(super) fn outstanding_bytes(&self) -> u64 {
        let outstanding = self.slots.iter().filter_map(|slot| match slot {
            Slot::Sent(sent) if sent.fate == Fate::Outstanding => Some(u64::from(sent.size)),
            _ => None,
        });
        outstanding.sum()
    }

    /// The memory held, by capacity. (Where a number is skipped, one slot more than [`CAPACITY`] is
    /// needed, and a packet brings several frames: both rings may double once more.)
    pub(super) fn held(&self) -> Held {
        let slots = self.slots.capacity() * size_of::<Slot>();
        let frames = self.frames.capacity() * size_of::<SentFrame>();
        let most = CAPACITY * size_of::<Slot>() + FRAME_CAPACITY * size_of::<SentFrame>();
        Held::new(slots + frames, 2 * most)
    }

    /// Forgets everything and gives the memory back; numbers go on from where they were.
    pub(super) fn clear(&mut self) {
        self.base = self.next();
        self.oldest = self.base;
        self.slots = VecDeque::new();
        self.frames_base = self.frames_base.wrapping_add(self.frames.len() as u32);
        self.frames = VecDeque::new();
    }

    fn pop(&mut self) {
        if self.slots.pop_front().is_some() {
            self.base += 1;
        }
    }

    /// Drops the frames of packets that were forgotten.
    fn drop_frames(&mut self) {
        let dead = match self.slots.front() {
            Some(Slot::Sent(sent)) => sent.frames.wrapping_sub(self.frames_base) as usize,
            Some(_) => return,
            None => self.frames.len(),
        };
        let dead = dead.min(self.frames.len());
        drop_front(&mut self.frames, dead);
        self.frames_base = self.frames_base.wrapping_add(dead as u32);
    }

    #[inline]
    fn slot(&self, number: u64) -> Option<&Slot> {
        self.slots.get(usize::try_from(number.checked_sub(self.base)?).ok()?)
    }

    #[inline]
    fn slot_mut(&mut self, number: u64) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(number.checked_sub(self.base)?).ok()?)
    }
}

/// Takes `count` items off the front: nearly always all of them, or one.
fn drop_front<T>(items: &mut VecDeque<T>, count: usize) {
    if count == items.len() {
        items.clear();
    } else if count == 1 {
        items.pop_front();
    } else {
        items.drain(..count);
    }
}

/// The frames of one packet.
pub(super) struct FramesOf<'a> {
    frames: &'a VecDeque<SentFrame>,
    next: usize,
    end: usize,
}

impl Iterator for FramesOf<'_> {
    type Item = SentFrame;

    #[inline]
    fn next(&mut self) -> Option<SentFrame> {
        if self.next >= self.end {
            return None;
        }
        self.next += 1;
        self.frames.get(self.next - 1).copied()
    }
}

/// The frames of `sent`; `base` is the position of the first that is remembered.
#[inline]
fn frames_of<'a>(frames: &'a VecDeque<SentFrame>, base: u32, sent: &Sent) -> FramesOf<'a> {
    let next = sent.frames.wrapping_sub(base) as usize;
    let end = next + usize::from(sent.frame_count);
    debug_assert!(sent.frame_count == 0 || end <= frames.len());
    FramesOf { frames, next, end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Ecn;
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    fn push(ring: &mut Ring, number: u64) {
        let packet = SentPacket {
            time: Time::from_nanos(number),
            size: 100,
            ack_eliciting: true,
            mtu_probe: false,
            ecn: Ecn::NotEct,
        };
        let snapshot = Snapshot::new(0, 0, 0, false);
        let frames = [SentFrame::MaxData, SentFrame::NewConnectionId(number)];
        ring.push(PacketNumber(number), &packet, snapshot, &frames);
    }

    fn filled(count: u64) -> Ring {
        let mut ring = Ring::default();
        (0..count).for_each(|number| push(&mut ring, number));
        ring
    }

    fn acknowledge(ring: &mut Ring, range: RangeInclusive<u64>) -> Vec<u64> {
        let mut acked = Vec::new();
        let Some((start, end)) = ring.clamp(&range) else { return acked };
        ring.acknowledge(start, end, |number, _, _| acked.push(number)).unwrap();
        acked
    }

    /// The frames of one packet, which is acknowledged.
    fn frames_of_acked(ring: &mut Ring, number: u64) -> Vec<SentFrame> {
        let mut all = Vec::new();
        ring.acknowledge(number, number, |_, _, frames| all.extend(frames)).unwrap();
        all
    }

    /// How many slots a search from `from` visits.
    fn visits(ring: &Ring, from: u64) -> usize {
        let mut at = Some(from);
        let mut visits = 0;
        while let Some(Slot::Acked { run }) = at.and_then(|at| ring.slot(at)) {
            visits += 1;
            at = at.and_then(|at| at.checked_sub(u64::from(*run)));
        }
        visits
    }

    quickcheck! {
        fn each_packet_is_acknowledged_once_whatever_the_ranges(
            count: u8, ranges: Vec<(u8, u8)>, prune: Vec<bool>
        ) -> bool {
            let mut ring = filled(u64::from(count));
            let mut left: BTreeSet<u64> = (0..u64::from(count)).collect();
            ranges.iter().enumerate().all(|(i, &(a, b))| {
                let range = u64::from(a.min(b))..=u64::from(a.max(b));
                let mut expected: Vec<u64> = left.range(range.clone()).copied().collect();
                expected.reverse();
                left.retain(|number| !range.contains(number));
                let same = acknowledge(&mut ring, range) == expected;
                if prune.get(i).copied().unwrap_or(false) {
                    ring.prune(None, || Time::ZERO);
                }
                let oldest = ring.oldest_outstanding().0.map(|(number, _)| number);
                same && oldest == left.first().copied()
            })
        }

        fn frames_stay_with_their_packet(acks: Vec<u8>) -> bool {
            let mut ring = filled(256);
            let mut seen = BTreeSet::new();
            acks.iter().filter(|&&n| seen.insert(n)).all(|&n| {
                let number = u64::from(n);
                let frames = frames_of_acked(&mut ring, number);
                ring.prune(None, || Time::ZERO);
                frames == [SentFrame::MaxData, SentFrame::NewConnectionId(number)]
            })
        }
    }

    #[test]
    fn alternate_packet_numbers_and_their_repetition_are_jumped_over() {
        let count = 40_000;
        let mut ring = filled(count);
        // Every second packet first, then, with a straggler at the front, all others.
        for number in (1..count).step_by(2) {
            acknowledge(&mut ring, number..=number);
        }
        for number in (2..count).step_by(2) {
            acknowledge(&mut ring, number..=number);
        }
        // A chain of 40,000 links is walked once ...
        assert!(acknowledge(&mut ring, 1..=u64::MAX).is_empty());
        // ... and not again, wherever a range begins.
        assert!((1..count).step_by(97).all(|from| visits(&ring, from) <= 1));
    }

    #[test]
    fn a_slot_is_small() {
        assert!(size_of::<Slot>() <= 40);
        assert!(size_of::<SentFrame>() <= 24);
    }

    #[test]
    fn a_steady_flow_needs_no_more_memory_than_its_window() {
        let mut ring = filled(100);
        let capacity = (ring.slots.capacity(), ring.frames.capacity());
        for number in 100..100_000 {
            push(&mut ring, number);
            acknowledge(&mut ring, number - 100..=number - 100);
            ring.prune(None, || Time::ZERO);
        }
        // One more than the window while a packet is sent and the oldest not yet acknowledged.
        assert_eq!((ring.slots.capacity(), ring.frames.capacity()), capacity);
        assert_eq!(ring.slots.len(), 100);
    }

    #[test]
    fn a_skipped_number_is_remembered_until_a_later_one_is_acknowledged() {
        let mut ring = Ring::default();
        push(&mut ring, 1);
        assert_eq!(ring.acknowledge(0, 0, |_, _, _| ()), Err(NeverSent));
        ring.prune(None, || Time::ZERO);
        assert_eq!(ring.base, 0);
        acknowledge(&mut ring, 1..=1);
        ring.prune(Some(PacketNumber(1)), || Time::ZERO);
        assert_eq!((ring.base, ring.frames.len()), (2, 0));
    }

    #[test]
    fn positions_of_frames_may_wrap() {
        let mut ring = Ring { frames_base: u32::MAX - 4, ..Ring::default() };
        for number in 0..10 {
            push(&mut ring, number);
        }
        for number in 0..10 {
            let frames = frames_of_acked(&mut ring, number);
            assert_eq!(frames.last(), Some(&SentFrame::NewConnectionId(number)));
            ring.prune(None, || Time::ZERO);
        }
        assert_eq!(ring.frames.len(), 0);
    }
}
