//! A batch: datagrams of one source that were taken from the network together.
//!
//! ```text
//!  bytes    | segment | segment | segment | ...         one call, one `now`, one ECN codepoint
//!  masks    |    m    |    m    |    m    |             one call of the header cipher for up to 16
//!  packets       opened in place, one after the other: a forged one disturbs none of its neighbours
//!  Batch         what they brought ─────────▶ acknowledgements, idle timer, counts: once
//! ```
//!
//! It promises that a batch does what its packets would do one by one at the same time; only what says nothing
//! before the batch is over is put off until then.

use crate::crypto::SAMPLE_LEN;
use crate::ids::{ConnectionId, PacketNumber};
use crate::protection::{DataKeys, HeaderMask, sample};
use crate::record::Received;
use crate::recovery::Arrivals;
use crate::time::Time;
use crate::wire::header::{LONG, SHORT_NUMBER_AT};

/// How many headers are unmasked in one call: enough for the cipher to work on several blocks at a time.
pub(super) const GROUP: usize = 16;

/// The masks of the short headers of up to [`GROUP`] datagrams.
///
/// A mask depends on a sample of its own packet alone and on a key that no key update changes, so it stays right
/// while the packets before it are opened.
pub(super) struct Masks {
    masks: [HeaderMask; GROUP],
    /// Datagrams whose mask is there.
    count: usize,
}

impl Masks {
    /// No masks: each packet is asked for its own.
    pub(super) const NONE: Self = Self { masks: [[0; 5]; GROUP], count: 0 };

    /// The masks of the datagrams of `segment` bytes in `bytes`, as many as are long enough and begin with a short
    /// header. What is behind another kind of datagram is not looked at.
    pub(super) fn new(keys: &DataKeys, bytes: &[u8], segment: usize) -> Self {
        let mut samples = [[0; SAMPLE_LEN]; GROUP];
        let mut count = 0;
        for (slot, datagram) in samples.iter_mut().zip(bytes.chunks(segment)) {
            let short = datagram.first().is_some_and(|first| first & LONG == 0);
            let Some(sample) = sample(datagram, SHORT_NUMBER_AT).filter(|_| short) else { break };
            *slot = *sample;
            count += 1;
        }
        let mut all = Self { count, ..Self::NONE };
        keys.masks(
            samples.get(..count).unwrap_or_default(),
            all.masks.get_mut(..count).unwrap_or_default(),
        );
        all
    }

    /// The mask of the datagram at `index`.
    pub(super) fn get(&self, index: usize) -> Option<HeaderMask> {
        if index < self.count { self.masks.get(index).copied() } else { None }
    }
}

/// What a batch brought so far.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    pub(super) now: Time,
    pub(super) meta: &'a Received,
    /// The destination of the last short header, known to be ours.
    dcid: Option<[u8; ConnectionId::LEN]>,
    /// Packets that were authentic and new, of all kinds.
    packets: u64,
    /// Those of them that carried data.
    arrived: Arrivals,
}

impl<'a> Batch<'a> {
    pub(super) fn new(now: Time, meta: &'a Received) -> Self {
        Self { now, meta, dcid: None, packets: 0, arrived: Arrivals::default() }
    }

    /// Whether the destination was known to be ours a packet ago.
    pub(super) fn is_known(&self, dcid: [u8; ConnectionId::LEN]) -> bool {
        self.dcid == Some(dcid)
    }

    /// The destination is ours.
    pub(super) fn set_known(&mut self, dcid: [u8; ConnectionId::LEN]) {
        self.dcid = Some(dcid);
    }

    /// A packet was authentic and new.
    pub(super) fn on_opened(&mut self) {
        self.packets += 1;
    }

    /// A Data packet was processed; `expected` is the number after the largest before it.
    pub(super) fn on_data(
        &mut self,
        number: PacketNumber,
        expected: PacketNumber,
        eliciting: bool,
    ) {
        self.arrived.add(number, expected, eliciting);
    }

    /// Packets that were authentic and new.
    pub(super) const fn packets(&self) -> u64 {
        self.packets
    }

    /// The Data packets that were processed.
    pub(super) const fn arrived(&self) -> &Arrivals {
        &self.arrived
    }
}
