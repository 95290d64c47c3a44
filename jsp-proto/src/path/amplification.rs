//! At most three bytes out for each byte in, until the peer's address is proved (RFC 9000, section 8).

use crate::planted::{self, Bug};

/// RFC 9000, section 8.1: "three times the amount of data received".
const FACTOR: u64 = 3;

/// How much may be sent to an address.
#[derive(Clone, Copy, Debug)]
pub struct Amplification {
    validated: bool,
    /// Bytes that may still be sent, until then.
    budget: u64,
}

impl Amplification {
    /// An address that is, or is not, known to be the peer's.
    pub const fn new(validated: bool) -> Self {
        Self { validated, budget: 0 }
    }

    /// A datagram of `bytes` bytes of UDP payload came from the address.
    pub const fn on_received(&mut self, bytes: u64) {
        self.budget = self.budget.saturating_add(bytes.saturating_mul(FACTOR));
    }

    /// A datagram of `bytes` bytes of UDP payload was sent to the address.
    pub const fn on_sent(&mut self, bytes: u64) {
        self.budget = self.budget.saturating_sub(bytes);
    }

    /// The peer proved that it receives what is sent to the address.
    pub const fn validate(&mut self) {
        self.validated = true;
    }

    /// Whether the address is proved.
    pub const fn is_validated(&self) -> bool {
        self.validated
    }

    /// How many bytes may be sent.
    pub fn budget(&self) -> u64 {
        let free = self.validated || planted::is(Bug::AmplificationIgnored);
        if free { u64::MAX } else { self.budget }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_bytes_go_out_for_each_that_came_in() {
        let mut a = Amplification::new(false);
        assert_eq!(a.budget(), 0);
        a.on_received(1200);
        a.on_sent(3000);
        assert_eq!(a.budget(), 600);
        a.on_sent(1000);
        assert_eq!(a.budget(), 0);
        a.on_received(10);
        assert_eq!(a.budget(), 30);
    }

    #[test]
    fn a_proved_address_has_no_limit() {
        let mut a = Amplification::new(false);
        a.validate();
        a.on_sent(1 << 40);
        assert_eq!(a.budget(), u64::MAX);
    }

    #[test]
    fn the_count_saturates() {
        let mut a = Amplification::new(false);
        a.on_received(u64::MAX);
        a.on_received(u64::MAX);
        assert_eq!(a.budget(), u64::MAX);
    }
}
