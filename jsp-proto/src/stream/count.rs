//! How many streams of a kind the peer has opened, and may open.

use super::ranges::RangeSet;
use crate::error::{Code, TransportError};
use crate::ids::StreamId;
use alloc::boxed::Box;

/// Where a stream of the peer's stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touched {
    /// It was never heard of, though a later one may have been: its state is to be made.
    New,
    /// It was heard of before: it has a state, or has ended.
    Known,
}

/// Streams of one kind that the peer opens. Opening one opens all before it (RFC 9000, section 3.2);
/// those are only counted until something happens to them.
#[derive(Debug)]
pub(super) struct PeerStreams {
    /// How many may be open at once.
    max: u64,
    /// How many the peer was told that it may open in all.
    limit: u64,
    opened: u64,
    accepted: u64,
    ended: u64,
    /// Opened, without a state of their own.
    untouched: Option<Box<RangeSet>>,
    /// An announcement was lost.
    again: bool,
    /// The application has an event to fetch.
    pub(super) told: bool,
}

impl PeerStreams {
    /// At most `max` streams at once.
    pub(super) fn new(max: u64) -> Self {
        let max = max.min(StreamId::MAX_COUNT);
        Self {
            max,
            limit: max,
            opened: 0,
            accepted: 0,
            ended: 0,
            untouched: None,
            again: false,
            told: false,
        }
    }

    /// Something happens to the stream of this index.
    pub(super) fn touch(&mut self, index: u64) -> Result<Touched, TransportError> {
        if index >= self.limit {
            return Err(TransportError::new(Code::STREAM_LIMIT, "more streams than allowed"));
        }
        if index >= self.opened {
            if index > self.opened {
                self.untouched.get_or_insert_default().insert(self.opened..index);
            }
            self.opened = index + 1;
            return Ok(Touched::New);
        }
        let Some(untouched) = &mut self.untouched else { return Ok(Touched::Known) };
        let new = untouched.remove(&(index..index + 1));
        if untouched.is_empty() {
            self.untouched = None;
        }
        Ok(if new { Touched::New } else { Touched::Known })
    }

    /// The index of the next stream that the application has not seen.
    pub(super) fn accept(&mut self) -> Option<u64> {
        let index = self.accepted;
        (index < self.opened).then(|| {
            self.accepted += 1;
            index
        })
    }

    /// Streams opened so far.
    pub(super) const fn opened(&self) -> u64 {
        self.opened
    }

    /// A stream has ended and left no state.
    pub(super) fn end(&mut self) {
        self.ended += 1;
    }

    /// How many streams the peer may open in all.
    pub(super) fn limit(&self) -> u64 {
        (self.ended + self.max).min(StreamId::MAX_COUNT).max(self.limit)
    }

    /// Whether an announcement is worth its bytes: an eighth of the streams can be granted anew, or the
    /// peer has none left, or the last announcement was lost.
    pub(super) fn is_due(&self) -> bool {
        // Nearly always no stream has ended since the last announcement.
        let more = self.ended + self.max > self.limit;
        self.again || more && self.limit() - self.limit >= self.batch()
    }

    /// How many streams are worth an announcement.
    fn batch(&self) -> u64 {
        if self.opened == self.limit { 1 } else { (self.max / 8).max(1) }
    }

    /// The present [`Self::limit`] is being announced.
    pub(super) fn announced(&mut self) {
        self.limit = self.limit();
        self.again = false;
    }

    /// An announcement was lost.
    pub(super) fn announcement_lost(&mut self) {
        self.again = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opening_a_stream_opens_all_before_it_and_each_is_new_once() {
        let mut streams = PeerStreams::new(10);
        assert_eq!(streams.touch(4), Ok(Touched::New));
        assert_eq!(streams.touch(4), Ok(Touched::Known));
        assert_eq!(streams.touch(1), Ok(Touched::New));
        assert_eq!(streams.touch(1), Ok(Touched::Known));
        assert_eq!(streams.touch(0), Ok(Touched::New));
        assert_eq!(core::iter::from_fn(|| streams.accept()).count(), 5);
    }

    #[test]
    fn the_limit_is_checked_first_and_costs_nothing() {
        let mut streams = PeerStreams::new(10);
        assert_eq!(streams.touch(10).unwrap_err().code, Code::STREAM_LIMIT);
        assert_eq!(streams.touch(u64::MAX).unwrap_err().code, Code::STREAM_LIMIT);
        assert_eq!(streams.opened(), 0);
    }

    #[test]
    fn new_streams_are_granted_in_batches() {
        let mut streams = PeerStreams::new(80);
        streams.touch(78).unwrap();
        (0..9).for_each(|_| streams.end());
        assert!(!streams.is_due());
        streams.end();
        assert!(streams.is_due());
        streams.announced();
        assert!(!streams.is_due());
        assert!(streams.touch(89).is_ok() && streams.touch(90).is_err());
        streams.announcement_lost();
        assert!(streams.is_due());
    }

    #[test]
    fn a_peer_with_none_left_does_not_wait_for_a_batch() {
        let mut streams = PeerStreams::new(80);
        streams.touch(79).unwrap();
        assert!(!streams.is_due());
        streams.end();
        assert!(streams.is_due());
    }
}
