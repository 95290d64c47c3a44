//! SHA-256, HMAC and HKDF.

use crate::crypto::{Secret, Sha256};
use alloc::boxed::Box;
use hkdf::{Hkdf, HmacImpl};
use hmac::Hmac;
use sha2::Digest;
use zeroize::Zeroize;

/// A running hash.
pub(super) fn sha256() -> Box<dyn Sha256> {
    Box::new(Running(sha2::Sha256::new()))
}

struct Running(sha2::Sha256);

impl Sha256 for Running {
    fn update(&mut self, bytes: &[u8]) {
        Digest::update(&mut self.0, bytes);
    }

    fn snapshot(&self) -> [u8; 32] {
        self.0.clone().finalize().into()
    }
}

/// HMAC of the parts, one after the other.
pub(super) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // Through HKDF's view of HMAC, whose constructor takes keys of any length and cannot fail.
    let mut mac = <Hmac<sha2::Sha256> as HmacImpl>::new_from_slice(key);
    for part in parts {
        HmacImpl::update(&mut mac, part);
    }
    HmacImpl::finalize(mac).into()
}

/// RFC 5869, section 2.2.
pub(super) fn hkdf_extract(salt: &[u8], input: &[u8]) -> Secret {
    Secret::new(hmac_sha256(salt, &[input]))
}

/// RFC 5869, section 2.3.
pub(super) fn hkdf_expand(key: &Secret, info: &[u8], out: &mut [u8]) {
    let expanded = Hkdf::<sha2::Sha256>::from_prk(key.expose())
        .map_err(drop)
        .and_then(|hkdf| hkdf.expand(info, out).map_err(drop));
    if expanded.is_err() {
        // The caller's fault: HKDF has no output of this length.
        debug_assert!(false, "more than 255 blocks asked of HKDF");
        out.zeroize();
    }
}
