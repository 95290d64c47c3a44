//! Packet numbers in 1 to 4 bytes (RFC 9000, section 17.1 and appendix A).

use super::{Full, Put};
use crate::ids::PacketNumber;

/// The low bytes of a packet number, as many as the receiver needs to tell it whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TruncatedNumber {
    value: u32,
    len: u8,
}

impl TruncatedNumber {
    /// The longest form, in bytes.
    pub const MAX_LEN: usize = 4;

    /// Truncates `number` for a peer that has acknowledged up to `acked`: twice the distance fits.
    pub fn new(number: PacketNumber, acked: Option<PacketNumber>) -> Self {
        Self::overtaken(number, acked, 0)
    }

    /// The same, for a packet that up to `overtaken` later ones may overtake on the way: it can still
    /// be told whole then.
    pub fn overtaken(number: PacketNumber, acked: Option<PacketNumber>, overtaken: u64) -> Self {
        let distance = acked.map_or(number.0 + 1, |acked| number.0.saturating_sub(acked.0));
        let distance = distance.max(overtaken);
        let len = match distance {
            0..0x80 => 1,
            0x80..0x8000 => 2,
            0x8000..0x80_0000 => 3,
            _ => 4,
        };
        Self { value: number.0 as u32, len }
    }

    /// A number as read from `len` (1 to 4) bytes.
    pub const fn from_wire(value: u32, len: u8) -> Self {
        debug_assert!(len >= 1 && len <= 4);
        Self { value, len }
    }

    /// How many bytes it takes, 1 to 4.
    pub const fn len(self) -> usize {
        self.len as usize
    }

    /// Never: a number takes at least one byte.
    pub const fn is_empty(self) -> bool {
        false
    }

    /// Appends the low bytes.
    pub fn encode(self, out: &mut impl Put) -> Result<(), Full> {
        out.put_front(&self.front(), self.len())
    }

    /// The low bytes as they are on the wire, [`len`](Self::len) of them, and zeros.
    pub const fn front(self) -> [u8; Self::MAX_LEN] {
        (self.value << (32 - 8 * self.len as u32)).to_be_bytes()
    }

    /// The packet number with these low bytes that is nearest to `expected`, the one after the
    /// largest received (RFC 9000, appendix A.3).
    pub const fn expand(self, expected: PacketNumber) -> PacketNumber {
        let window = 1u64 << (8 * self.len as u32);
        let half = window / 2;
        let candidate = expected.0 & !(window - 1) | self.value as u64 & (window - 1);
        PacketNumber(
            if candidate + half <= expected.0 && candidate + window <= PacketNumber::MAX.0 {
                candidate + window
            } else if candidate >= window
                && (candidate > expected.0 + half || candidate > PacketNumber::MAX.0)
            {
                candidate - window
            } else {
                candidate
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    quickcheck! {
        fn what_a_sender_truncates_the_receiver_expands(acked: u32, ahead: u16, received: u16) -> bool {
            // The receiver has seen something between what was acknowledged and this packet.
            let acked = PacketNumber(u64::from(acked));
            let number = PacketNumber(acked.0 + 1 + u64::from(ahead));
            let seen = acked.0 + u64::from(received % (ahead.max(1)));
            let truncated = TruncatedNumber::new(number, Some(acked));
            let wire = TruncatedNumber::from_wire(
                truncated.value & (u32::MAX >> (32 - 8 * u32::from(truncated.len))),
                truncated.len,
            );
            wire.expand(PacketNumber(seen + 1)) == number
        }
    }

    quickcheck! {
        fn a_number_that_others_have_overtaken_is_still_told(number: u32, acked: u16, later: u16) -> bool {
            let number = PacketNumber(u64::from(number));
            let acked = number.0.checked_sub(1 + u64::from(acked)).map(PacketNumber);
            let later = u64::from(later % 1024);
            let truncated = TruncatedNumber::overtaken(number, acked, 1024);
            let wire = TruncatedNumber::from_wire(
                truncated.value & (u32::MAX >> (32 - 8 * u32::from(truncated.len))),
                truncated.len,
            );
            wire.expand(PacketNumber(number.0 + later + 1)) == number
        }
    }

    #[test]
    fn the_example_of_rfc_9000_appendix_a3() {
        let number = TruncatedNumber::from_wire(0x9b32, 2);
        assert_eq!(number.expand(PacketNumber(0xa82f_30eb)), PacketNumber(0xa82f_9b32));
    }
}
