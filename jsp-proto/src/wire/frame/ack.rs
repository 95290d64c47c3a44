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
use crate::wire::{Full, Malformed, Put, Reader, VARINT_MAX, Writer, varint_len};
use core::iter;
use core::ops::RangeInclusive;

/// How many ranges a frame may hold.
pub const MAX_RANGES: usize = 256;

/// Room for [`MAX_RANGES`] ranges within 1024 packets: each gap and each range takes at most 2 bytes.
const MAX_GATHERED: usize = 4 * MAX_RANGES;

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

impl EcnCounts {
    /// The counts in the wire's order.
    const fn fields(&self) -> [u64; 3] {
        [self.ect0, self.ect1, self.ce]
    }
}

/// An ACK whose ranges were checked: every number is valid and they descend without touching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckFrame<'a> {
    /// The largest packet that is acknowledged.
    pub largest: PacketNumber,
    /// How long the acknowledgement of `largest` was held back, in microseconds.
    pub delay_micros: u64,
    /// The smallest packet of the first range.
    smallest: u64,
    /// Encoded: the first range, then pairs of gap and range.
    ranges: &'a [u8],
    /// How many of these bytes are the first range.
    first_len: u8,
    /// Counts of marked packets, if the frame is an ACK_ECN.
    pub ecn: Option<EcnCounts>,
}

impl<'a> AckFrame<'a> {
    /// How long the acknowledgement was held back.
    pub const fn delay(&self) -> Duration {
        Duration::from_micros(self.delay_micros)
    }

    /// The ranges, largest first.
    pub fn ranges(&self) -> AckRanges<'a> {
        let further = self.ranges.get(usize::from(self.first_len)..).unwrap_or_default();
        AckRanges { reader: Reader::new(further), next: Some((self.smallest, self.largest.0)) }
    }

    /// Writes a frame of `ranges`, which descend and do not touch; at most [`MAX_RANGES`] and no
    /// more than fit in `limit` bytes (or, for ranges far apart, in 1 KiB) are taken, the newest first.
    /// Fails if there is no range, or no room for one.
    pub fn write(
        out: &mut impl Put,
        limit: usize,
        mut ranges: impl Iterator<Item = RangeInclusive<u64>>,
        delay: Duration,
        ecn: Option<EcnCounts>,
    ) -> Result<(), Full> {
        let first = ranges.next().ok_or(Full)?;
        let (largest, smallest) = (*first.end(), *first.start());
        let micros = delay.as_secs().saturating_mul(1_000_000);
        let delay_micros = micros.saturating_add(delay.subsec_micros().into()).min(VARINT_MAX);
        let ecn_len = ecn.map_or(0, |counts| counts.fields().map(varint_len).iter().sum());
        let room = limit
            .checked_sub(1 + varint_len(largest) + varint_len(delay_micros) + ecn_len)
            .ok_or(Full)?;
        if varint_len(0) + varint_len(largest - smallest) > room {
            return Err(Full);
        }
        put_start(out, largest, delay_micros, ecn)?;
        match ranges.next() {
            None => {
                out.put_varint(0)?;
                out.put_varint(largest - smallest)?;
            }
            Some(second) => put_ranges(out, room, first, iter::once(second).chain(ranges))?,
        }
        put_ecn(out, ecn)
    }

    pub(super) fn encode(&self, out: &mut impl Put) -> Result<(), Full> {
        put_start(out, self.largest.0, self.delay_micros, self.ecn)?;
        out.put_varint(self.ranges().count() as u64 - 1)?;
        out.put(self.ranges)?;
        put_ecn(out, self.ecn)
    }

    pub(super) fn decode(with_ecn: bool, r: &mut Reader<'a>) -> Result<Self, Malformed> {
        let largest = r.varint()?;
        let delay_micros = r.varint()?;
        let further = r.varint()?;
        if further >= MAX_RANGES as u64 {
            return Err(Malformed);
        }
        let mut ahead = r.clone();
        let first = largest.checked_sub(ahead.varint()?).ok_or(Malformed)?;
        let first_len = (r.remaining() - ahead.remaining()) as u8;
        let mut smallest = first;
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
        let largest = PacketNumber(largest);
        Ok(Self { largest, delay_micros, smallest: first, ranges, first_len, ecn })
    }
}

/// Appends the number of `further` ranges, the `first` range and as many of the others as `room` bytes hold.
#[inline(never)]
fn put_ranges(
    out: &mut impl Put,
    room: usize,
    first: RangeInclusive<u64>,
    further: impl Iterator<Item = RangeInclusive<u64>>,
) -> Result<(), Full> {
    // They are gathered first, since their number precedes them.
    let mut gathered = [0; MAX_GATHERED];
    let mut body = Writer::new(&mut gathered);
    let mut smallest = *first.start();
    body.put_varint(first.end() - smallest)?;
    let mut count = 0;
    for range in further.take(MAX_RANGES - 1) {
        debug_assert!(range.end() + 1 < smallest);
        let fits = body.attempt(|w| {
            w.put_varint(smallest - range.end() - 2)?;
            w.put_varint(range.end() - range.start())?;
            if varint_len(count + 1) + w.len() <= room { Ok(()) } else { Err(Full) }
        });
        if fits.is_err() {
            break;
        }
        smallest = *range.start();
        count += 1;
    }
    out.put_varint(count)?;
    out.put(body.written())
}

/// Appends what precedes the number of further ranges.
#[inline]
fn put_start(
    out: &mut impl Put,
    largest: u64,
    delay_micros: u64,
    ecn: Option<EcnCounts>,
) -> Result<(), Full> {
    out.put_u8(if ecn.is_some() { kind::ACK_ECN } else { kind::ACK })?;
    out.put_varint(largest)?;
    out.put_varint(delay_micros)
}

#[inline]
fn put_ecn(out: &mut impl Put, ecn: Option<EcnCounts>) -> Result<(), Full> {
    let Some(EcnCounts { ect0, ect1, ce }) = ecn else { return Ok(()) };
    out.put_varint(ect0)?;
    out.put_varint(ect1)?;
    out.put_varint(ce)
}

/// The ranges of an ACK, largest first.
#[derive(Clone, Debug)]
pub struct AckRanges<'a> {
    /// The ranges behind the next: pairs of gap and range, which were checked when the frame was decoded.
    reader: Reader<'a>,
    /// The next range, from its smallest to its largest.
    next: Option<(u64, u64)>,
}

impl AckRanges<'_> {
    /// The range behind one that begins at `smallest`.
    #[inline(never)]
    fn further(&mut self, smallest: u64) -> Option<(u64, u64)> {
        let end = smallest.checked_sub(self.reader.varint().ok()? + 2)?;
        let start = end.checked_sub(self.reader.varint().ok()?)?;
        Some((start, end))
    }
}

impl Iterator for AckRanges<'_> {
    type Item = RangeInclusive<u64>;

    fn next(&mut self) -> Option<Self::Item> {
        let (start, end) = self.next?;
        self.next = if self.reader.is_empty() { None } else { self.further(start) };
        Some(start..=end)
    }
}
