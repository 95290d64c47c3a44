//! How much a key may be used (RFC 9001, section 6.6).

use crate::crypto::Suite;
use crate::error::{Code, TransportError};

/// How many packets are kept back for closing when a key nears its end.
pub const CLOSE_RESERVE: u64 = 1 << 10;

/// A key is replaced after this many packets at the latest, however many its suite would bear.
const MAX_GENERATION: u64 = 1 << 30;

const SEALED: TransportError =
    TransportError::new(Code::AEAD_LIMIT, "packet key used up before it could be replaced");
const FORGED: TransportError =
    TransportError::new(Code::AEAD_LIMIT, "too many packets failed authentication");

/// Counts what one sending key sealed, and what the connection's receiving keys refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    suite: Suite,
    sealed: u64,
    forgeries: u64,
}

impl Limits {
    pub(super) const fn new(suite: Suite) -> Self {
        Self { suite, sealed: 0, forgeries: 0 }
    }

    /// Counts a packet about to be sealed, or refuses it: the key's limit is reached.
    pub(super) const fn count_sealed(&mut self) -> Result<(), TransportError> {
        if self.sealed >= self.suite.confidentiality_limit() {
            return Err(SEALED);
        }
        self.sealed += 1;
        Ok(())
    }

    /// How many packets the key may still seal.
    pub(super) const fn left(&self) -> u64 {
        self.suite.confidentiality_limit().saturating_sub(self.sealed)
    }

    /// Fails when only [`CLOSE_RESERVE`] packets are left.
    pub(super) const fn check(&self) -> Result<(), TransportError> {
        if self.sealed >= self.suite.confidentiality_limit() - CLOSE_RESERVE {
            return Err(SEALED);
        }
        Ok(())
    }

    /// Whether the key should be replaced: after half of what it bears, or 2^30 packets.
    pub(super) const fn is_update_due(&self) -> bool {
        let half = self.suite.confidentiality_limit() / 2;
        self.sealed >= if half < MAX_GENERATION { half } else { MAX_GENERATION }
    }

    /// A new sending key starts from nothing; forgeries count on (RFC 9001, section 6.6: "across
    /// all keys").
    pub(super) const fn replace_key(&mut self) {
        self.sealed = 0;
    }

    /// Counts packets that failed authentication; fails from the suite's limit on.
    pub(super) const fn count_forgeries(&mut self, n: u64) -> Result<(), TransportError> {
        self.forgeries = self.forgeries.saturating_add(n);
        if self.forgeries >= self.suite.integrity_limit() { Err(FORGED) } else { Ok(()) }
    }

    pub(super) const fn forgeries(&self) -> u64 {
        self.forgeries
    }
}

#[cfg(test)]
impl Limits {
    /// As if so many packets had been sealed, and so many forgeries refused.
    pub(super) const fn set(&mut self, sealed: u64, forgeries: u64) {
        self.sealed = sealed;
        self.forgeries = forgeries;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(suite: Suite, sealed: u64) -> Limits {
        Limits { suite, sealed, forgeries: 0 }
    }

    #[test]
    fn an_update_is_due_long_before_the_limit() {
        assert!(!after(Suite::Aes256Gcm, (1 << 22) - 1).is_update_due());
        assert!(after(Suite::Aes256Gcm, 1 << 22).is_update_due());
        for suite in Suite::ALL {
            assert!(after(suite, MAX_GENERATION).is_update_due());
        }
    }

    #[test]
    fn the_last_packets_of_a_key_are_for_closing() {
        for suite in Suite::ALL {
            let limit = suite.confidentiality_limit();
            assert_eq!(after(suite, limit - CLOSE_RESERVE - 1).check(), Ok(()));
            let mut limits = after(suite, limit - CLOSE_RESERVE);
            assert_eq!(limits.check(), Err(SEALED));
            for _ in 0..CLOSE_RESERVE {
                assert_eq!(limits.count_sealed(), Ok(()));
            }
            assert_eq!(limits.count_sealed(), Err(SEALED));
        }
    }

    #[test]
    fn forgeries_count_over_all_keys() {
        let suite = Suite::ChaCha20Poly1305;
        let mut limits = after(suite, 5);
        assert_eq!(limits.count_forgeries(suite.integrity_limit() - 2), Ok(()));
        limits.replace_key();
        assert_eq!(limits.sealed, 0);
        assert_eq!(limits.count_forgeries(1), Ok(()));
        assert_eq!(limits.count_forgeries(1), Err(FORGED));
        assert_eq!(limits.count_forgeries(u64::MAX), Err(FORGED));
    }
}
