//! HKDF-Expand-Label (RFC 8446, section 7.1), with this protocol's prefix.
//!
//! ```text
//! info = length of the output (16) | length of prefix and label (8) | "jsp1 " label
//!        | length of the context (8) | context
//! ```

use crate::crypto::{Provider, Secret};
use zeroize::Zeroize;

/// What every label begins with: no secret of another protocol has the same derivation.
const PREFIX: &[u8] = b"jsp1 ";

/// The longest label, in bytes, without its prefix.
pub const MAX_LABEL: usize = u8::MAX as usize - PREFIX.len();

/// The longest context, in bytes.
const MAX_CONTEXT: usize = u8::MAX as usize;

/// Derives `out` (at most 255 * 32 bytes) from `secret`. `label` has at most [`MAX_LABEL`] bytes
/// and `context` at most 255: whoever takes them from an application checks that first.
pub fn expand_label(
    provider: &dyn Provider,
    secret: &Secret,
    label: &[u8],
    context: &[u8],
    out: &mut [u8],
) {
    debug_assert!(label.len() <= MAX_LABEL && context.len() <= MAX_CONTEXT);
    debug_assert!(u16::try_from(out.len()).is_ok());
    let label = &label[..label.len().min(MAX_LABEL)];
    let context = &context[..context.len().min(MAX_CONTEXT)];
    let length = (out.len() as u16).to_be_bytes();
    let parts: [&[u8]; 6] = [
        &length,
        &[(PREFIX.len() + label.len()) as u8],
        PREFIX,
        label,
        &[context.len() as u8],
        context,
    ];
    let mut info = [0; 2 + 1 + u8::MAX as usize + 1 + MAX_CONTEXT];
    let mut len = 0;
    for part in parts {
        info[len..len + part.len()].copy_from_slice(part);
        len += part.len();
    }
    provider.hkdf_expand(secret, &info[..len], out);
}

/// Derives a secret of 32 bytes.
pub fn expand_secret(
    provider: &dyn Provider,
    secret: &Secret,
    label: &[u8],
    context: &[u8],
) -> Secret {
    let mut bytes = [0; 32];
    expand_label(provider, secret, label, context, &mut bytes);
    let derived = Secret::new(bytes);
    bytes.zeroize();
    derived
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    use super::*;
    use crate::crypto::rustcrypto::RustCrypto;

    const SECRET: Secret = Secret::new([7; 32]);

    #[test]
    fn the_info_is_length_label_and_context() {
        let mut derived = [0; 16];
        expand_label(&RustCrypto, &SECRET, b"key", b"abc", &mut derived);
        let mut expected = [0; 16];
        RustCrypto.hkdf_expand(&SECRET, b"\x00\x10\x08jsp1 key\x03abc", &mut expected);
        assert_eq!(derived, expected);
    }

    #[test]
    fn the_longest_label_and_context_fit() {
        let label = [b'a'; MAX_LABEL];
        let context = [b'b'; MAX_CONTEXT];
        let derived = expand_secret(&RustCrypto, &SECRET, &label, &context);
        let shorter = expand_secret(&RustCrypto, &SECRET, &label, &context[1..]);
        assert_ne!(derived.expose(), shorter.expose());
    }
}
