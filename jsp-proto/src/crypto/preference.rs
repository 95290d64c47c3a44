//! Which suite suits this CPU, for all providers.

use super::Suite;

/// With AES instructions: by the time that a full-size packet takes, in both providers.
const WITH_AES: &[Suite] = &[Suite::Aes256Gcm, Suite::Aes256GcmSiv, Suite::ChaCha20Poly1305];
/// Without them AES is computed bit-sliced, several times slower than `ChaCha20`; the nonce-misuse
/// resistant mode encrypts six blocks more per packet.
const WITHOUT_AES: &[Suite] = &[Suite::ChaCha20Poly1305, Suite::Aes256Gcm, Suite::Aes256GcmSiv];

/// The suites, best for this CPU first.
pub(super) fn suites() -> &'static [Suite] {
    if has_aes() { WITH_AES } else { WITHOUT_AES }
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn has_aes() -> bool {
    cpufeatures::new!(aes_and_clmul, "aes", "pclmulqdq", "sse4.1");
    aes_and_clmul::get()
}

#[cfg(target_arch = "aarch64")]
fn has_aes() -> bool {
    cpufeatures::new!(aes_and_pmull, "aes");
    aes_and_pmull::get()
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
fn has_aes() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_is_offered_once_whatever_the_cpu() {
        for order in [WITH_AES, WITHOUT_AES, suites()] {
            let mut offered = order.to_vec();
            offered.sort();
            assert_eq!(offered, Suite::ALL);
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_cpus_aes_instructions_decide() {
        let expected = if std::is_x86_feature_detected!("aes") { WITH_AES } else { WITHOUT_AES };
        assert_eq!(suites(), expected);
    }
}
