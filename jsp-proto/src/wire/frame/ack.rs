//! ACK and ACK_ECN: which packets arrived, as descending ranges.
//!
//! ```text
//! 0x02 or 0x03, largest (i), delay in microseconds (i), number of further ranges (i),
//! packets below the largest in the first range (i),
//! { gap (i), packets below the range's largest (i) } ...,   [ECT(0) (i), ECT(1) (i), CE (i)]
//! ```
//!
//! As in RFC 9000, section 19.3: the next range's largest is the last range's smallest - gap - 2.

use super::kind;
use crate::ids::PacketNumber;
use crate::time::Duration;
use crate::wire::{Full, Malformed, Put, Reader, VARINT_MAX};
use core::ops::RangeInclusive;

/// How many ranges a frame may hold.
pub const MAX_RANGES: usize = 256;

/// How many packets arrived with each ECN codepoint, in this packet-number space, so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EcnCounts {
    /// ECT(0).
    pub ect0: u64,
    /// ECT(1).
    pub ect1: u64,
    /// Congestion experienced.
    pub ce: u64,
}

/// An ACK whose ranges were checked: every number is valid and they descend without touching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckFrame<'a> {
    /// The largest packet that is acknowledged.
    pub largest: PacketNumber,
    /// How long the acknowledgement of `largest` was held back, in microseconds.
    pub delay_micros: u64,
    /// Encoded: the first range, then pairs of gap and range.
    ranges: &'a [u8],
    /// Counts of marked packets, if the frame is an ACK_ECN.
    pub ecn: Option<EcnCounts>,
}

impl<'a> AckFrame<'a> {
    /// How long the acknowledgement was held back.
    pub const fn delay(&self) -> Duration {
        Duration::from_micros(self.delay_micros)
    }

    /// The ranges, largest first.
    pub const fn ranges(&self) -> AckRanges<'a> {
        AckRanges { reader: Reader::new(self.ranges), next: Some(self.largest.0), first: true }
    }

    /// Writes a frame of `ranges`, which descend and do not touch; at most [`MAX_RANGES`] and no
    /// more than fit in `limit` bytes are taken, the newest first. Fails if there is no range, or no
    /// room for one.
    pub fn write(
        out: &mut impl Put,
        limit: usize,
        mut ranges: impl Iterator<Item = RangeInclusive<u64>>,
        delay: Duration,
        ecn: Option<EcnCounts>,
    ) -> Result<(), Full> {
        // Ranges are gathered first, since their number precedes them.
        let mut encoded = [0; 1024];
        let mut body = crate::wire::Writer::new(&mut encoded);
        let first = ranges.next().ok_or(Full)?;
        body.put_varint(first.end() - first.start())?;
        let mut smallest = *first.start();
        let mut count = 0;
        // Type, largest, delay and count take at most 1 + 8 + 8 + 2 bytes, the ECN counts 24.
        let room = limit.saturating_sub(19 + if ecn.is_some() { 24 } else { 0 });
        for range in ranges.take(MAX_RANGES - 1) {
            debug_assert!(range.end() + 1 < smallest);
            let fits = body.attempt(|w| {
                w.put_varint(smallest - range.end() - 2)?;
                w.put_varint(range.end() - range.start())?;
                if w.len() <= room { Ok(()) } else { Err(Full) }
            });
            if fits.is_err() {
                break;
            }
            smallest = *range.start();
            count += 1;
        }
        out.put_u8(if ecn.is_some() { kind::ACK_ECN } else { kind::ACK })?;
        out.put_varint(*first.end())?;
        out.put_varint((delay.as_micros() as u64).min(VARINT_MAX))?;
        out.put_varint(count)?;
        out.put(body.written())?;
        put_ecn(out, ecn)
    }

    pub(super) fn encode(&self, out: &mut impl Put) -> Result<(), Full> {
        let limit = usize::MAX;
        Self::write(out, limit, self.ranges(), self.delay(), self.ecn)
    }

    pub(super) fn decode(with_ecn: bool, r: &mut Reader<'a>) -> Result<Self, Malformed> {
        let largest = r.varint()?;
        let delay_micros = r.varint()?;
        let further = r.varint()?;
        if further >= MAX_RANGES as u64 {
            return Err(Malformed);
        }
        let mut ahead = r.clone();
        let mut smallest = largest.checked_sub(ahead.varint()?).ok_or(Malformed)?;
        for _ in 0..further {
            let end = smallest.checked_sub(ahead.varint()? + 2).ok_or(Malformed)?;
            smallest = end.checked_sub(ahead.varint()?).ok_or(Malformed)?;
        }
        let ranges = r.take(r.remaining() - ahead.remaining())?;
        let ecn = if with_ecn {
            Some(EcnCounts { ect0: r.varint()?, ect1: r.varint()?, ce: r.varint()? })
        } else {
            None
        };
        Ok(Self { largest: PacketNumber(largest), delay_micros, ranges, ecn })
    }
}

fn put_ecn(out: &mut impl Put, ecn: Option<EcnCounts>) -> Result<(), Full> {
    let Some(counts) = ecn else { return Ok(()) };
    [counts.ect0, counts.ect1, counts.ce].iter().try_for_each(|&count| out.put_varint(count))
}

/// The ranges of an ACK, largest first.
#[derive(Clone, Debug)]
pub struct AckRanges<'a> {
    reader: Reader<'a>,
    /// The largest of the next range if it is the first, else the smallest of the last one.
    next: Option<u64>,
    first: bool,
}

impl Iterator for AckRanges<'_> {
    type Item = RangeInclusive<u64>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut end = self.next?;
        if !core::mem::take(&mut self.first) {
            // Both subtractions were checked when the frame was decoded.
            end = end.checked_sub(self.reader.varint().ok()? + 2)?;
        }
        let start = end.checked_sub(self.reader.varint().ok()?)?;
        self.next = Some(start);
        Some(start..=end)
    }
}
