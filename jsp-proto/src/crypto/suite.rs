//! Cipher suites.

/// An AEAD with its header protection. All suites use SHA-256 for the key schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Suite {
    /// AES-256-GCM, header protection by AES-256.
    Aes256Gcm = 1,
    /// ChaCha20-Poly1305, header protection by `ChaCha20`.
    ChaCha20Poly1305 = 2,
    /// AES-256-GCM-SIV, header protection by AES-256.
    Aes256GcmSiv = 3,
}

impl Suite {
    /// All suites, in the order of their number.
    pub const ALL: [Self; 3] = [Self::Aes256Gcm, Self::ChaCha20Poly1305, Self::Aes256GcmSiv];

    /// The suite of a wire number.
    pub const fn from_wire(n: u8) -> Option<Self> {
        match n {
            1 => Some(Self::Aes256Gcm),
            2 => Some(Self::ChaCha20Poly1305),
            3 => Some(Self::Aes256GcmSiv),
            _ => None,
        }
    }

    /// The number on the wire.
    pub const fn to_wire(self) -> u8 {
        self as u8
    }

    /// The name that people use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "aes-256-gcm",
            Self::ChaCha20Poly1305 => "chacha20-poly1305",
            Self::Aes256GcmSiv => "aes-256-gcm-siv",
        }
    }

    /// How many packets one key may seal (RFC 9001, section 6.6, and its appendix B).
    pub const fn confidentiality_limit(self) -> u64 {
        match self {
            Self::Aes256Gcm => 1 << 23,
            // Above the packet-number space; GCM-SIV's bound is of the same order at these sizes.
            Self::ChaCha20Poly1305 => 1 << 62,
            Self::Aes256GcmSiv => 1 << 32,
        }
    }

    /// How many packets may fail to open before the connection must end (RFC 9001, section 6.6).
    pub const fn integrity_limit(self) -> u64 {
        match self {
            Self::Aes256Gcm | Self::Aes256GcmSiv => 1 << 52,
            Self::ChaCha20Poly1305 => 1 << 36,
        }
    }
}

impl core::fmt::Display for Suite {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}
