//! SHA-256, HMAC and HKDF.

use crate::crypto::{Secret, Sha256};
use alloc::boxed::Box;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk};
use aws_lc_rs::{digest, hmac};
use zeroize::Zeroize;

/// A running hash.
pub(super) fn sha256() -> Box<dyn Sha256> {
    Box::new(Running(digest::Context::new(&digest::SHA256)))
}

struct Running(digest::Context);

impl Sha256 for Running {
    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn snapshot(&self) -> [u8; 32] {
        first_32(self.0.clone().finish().as_ref())
    }
}

/// HMAC of the parts, one after the other.
pub(super) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        mac.update(part);
    }
    first_32(mac.sign().as_ref())
}

/// RFC 5869, section 2.2: an HMAC. (`aws_lc_rs::hkdf` would not hand its result out.)
pub(super) fn hkdf_extract(salt: &[u8], input: &[u8]) -> Secret {
    Secret::new(hmac_sha256(salt, &[input]))
}

/// RFC 5869, section 2.3.
pub(super) fn hkdf_expand(key: &Secret, info: &[u8], out: &mut [u8]) {
    let expanded = Prk::new_less_safe(HKDF_SHA256, key.expose())
        .expand(&[info], Length(out.len()))
        .and_then(|okm| okm.fill(out));
    if expanded.is_err() {
        // The caller's fault: HKDF has no output of this length.
        debug_assert!(false, "more than 255 blocks asked of HKDF");
        out.zeroize();
    }
}

/// A number of bytes to expand to.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// The whole of a SHA-256 output, whose length C knows and the type does not.
fn first_32(bytes: &[u8]) -> [u8; 32] {
    debug_assert_eq!(bytes.len(), 32);
    bytes.first_chunk().copied().unwrap_or_default()
}
