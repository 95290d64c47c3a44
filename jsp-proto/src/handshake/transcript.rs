//! The transcript: a running hash of what both ends must have seen alike.

use crate::crypto::{Provider, Sha256};
use crate::ids::{ConnectionId, Version};
use alloc::boxed::Box;

/// SHA-256 over the circumstances and every message so far.
///
/// ```text
/// "jsp1 transcript" | 0 | version u32 | length u8 | original DCID | retried u8 | messages ...
/// ```
pub(super) struct Transcript(Box<dyn Sha256>);

impl Transcript {
    /// A transcript without messages. `odcid` is the destination of the client's first Initial,
    /// `retried` whether a Retry took place.
    pub(super) fn new(
        provider: &dyn Provider,
        version: Version,
        odcid: &ConnectionId,
        retried: bool,
    ) -> Self {
        let mut hash = provider.sha256();
        hash.update(b"jsp1 transcript\0");
        hash.update(&version.0.to_be_bytes());
        hash.update(&[odcid.as_bytes().len() as u8]);
        hash.update(odcid.as_bytes());
        hash.update(&[u8::from(retried)]);
        Self(hash)
    }

    /// Appends a message with its header.
    pub(super) fn add(&mut self, message: &[u8]) {
        self.0.update(message);
    }

    /// The hash so far.
    pub(super) fn hash(&self) -> [u8; 32] {
        self.0.snapshot()
    }
}
