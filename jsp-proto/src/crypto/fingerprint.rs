//! The fingerprint by which people pin an identity.

use super::Provider;
use super::identity::PublicIdentity;
use core::fmt;
use core::str::FromStr;

impl PublicIdentity {
    /// What people pin: SHA-256 over the label "jsp identity", a zero byte, the algorithm's number
    /// and the public keys.
    pub fn fingerprint(&self, provider: &dyn Provider) -> Fingerprint {
        let mut hash = provider.sha256();
        hash.update(b"jsp identity\0");
        hash.update(&[self.algorithm() as u8]);
        hash.update(&self.ed25519);
        if let Some(key) = &self.ml_dsa {
            hash.update(&key[..]);
        }
        Fingerprint(hash.snapshot())
    }
}

/// The fingerprint of an identity. It is written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// The text is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadFingerprint;

impl fmt::Display for BadFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fingerprint is 64 hexadecimal digits")
    }
}

impl core::error::Error for BadFingerprint {}

impl FromStr for Fingerprint {
    type Err = BadFingerprint;
    fn from_str(text: &str) -> Result<Self, BadFingerprint> {
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(BadFingerprint);
        }
        let mut out = [0; 32];
        for (i, byte) in out.iter_mut().enumerate() {
            let digits = text.get(2 * i..2 * i + 2).ok_or(BadFingerprint)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| BadFingerprint)?;
        }
        Ok(Self(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::ToString;

    #[test]
    fn a_fingerprint_is_read_back_from_its_digits_in_either_case() {
        let fingerprint = Fingerprint(core::array::from_fn(|i| i as u8 * 8 + 3));
        let text = fingerprint.to_string();
        assert_eq!(text.parse(), Ok(fingerprint));
        assert_eq!(text.to_uppercase().parse(), Ok(fingerprint));
    }

    #[test]
    fn what_is_not_64_digits_is_no_fingerprint() {
        let digits = "0".repeat(63);
        for end in ["", "00", "g", "+", "é"] {
            assert_eq!(format!("{digits}{end}").parse::<Fingerprint>(), Err(BadFingerprint));
        }
    }
}
