//! The file of an identity: a few lines of text, checked as a whole.
//!
//! ```text
//! jsp identity 1
//! ed25519 9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60
//! ml-dsa-65 4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb
//! check 3f1a0c5be2d49768
//! ```
//!
//! The keys are the seeds that they are made from. The check is the front of the SHA-256 of the lines
//! before it: it finds a damaged file, it does not authenticate one.

use jsp_proto::crypto::{IdentitySecret, Provider};
use std::fmt::{self, Write as _};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use zeroize::Zeroizing;

const HEADER: &str = "jsp identity 1";
const CHECK: usize = 8;
/// More than any such file has.
const MAX_LEN: u64 = 4096;

/// Why an identity's file could not be used.
#[derive(Debug)]
pub enum IdentityFileError {
    /// A file of that name exists; it was left as it is.
    Exists,
    /// The file does not hold an identity, or is damaged.
    Malformed,
    /// The file could not be read or written.
    Io(io::Error),
}

impl fmt::Display for IdentityFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("the file exists already; it was left as it is"),
            Self::Malformed => f.write_str("the file holds no identity, or is damaged"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for IdentityFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Exists | Self::Malformed => None,
        }
    }
}

impl From<io::Error> for IdentityFileError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::AlreadyExists { Self::Exists } else { Self::Io(error) }
    }
}

pub(super) fn save(
    provider: &dyn Provider,
    path: &Path,
    secret: &IdentitySecret,
) -> Result<(), IdentityFileError> {
    let text = encode(provider, secret);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if let Err(error) = written {
        // Half an identity is none.
        let _ = fs::remove_file(path);
        return Err(IdentityFileError::Io(error));
    }
    Ok(())
}

pub(super) fn load(
    provider: &dyn Provider,
    path: &Path,
) -> Result<IdentitySecret, IdentityFileError> {
    let file = File::open(path).map_err(IdentityFileError::Io)?;
    warn_if_shared(&file, path);
    // Allocated once, so that no copy of the secret is left behind when it grows.
    let mut text = Zeroizing::new(String::with_capacity(MAX_LEN as usize + 1));
    file.take(MAX_LEN).read_to_string(&mut text).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => IdentityFileError::Malformed,
        _ => IdentityFileError::Io(error),
    })?;
    decode(provider, &text).ok_or(IdentityFileError::Malformed)
}

#[cfg(unix)]
fn warn_if_shared(file: &File, path: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    if file.metadata().is_ok_and(|meta| meta.mode() & 0o077 != 0) {
        tracing::warn!(path = %path.display(), "others than its owner may read this identity");
    }
}

#[cfg(not(unix))]
fn warn_if_shared(_: &File, _: &Path) {}

fn encode(provider: &dyn Provider, secret: &IdentitySecret) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(MAX_LEN as usize));
    let _ = writeln!(text, "{HEADER}");
    put_line(&mut text, "ed25519", &secret.ed25519);
    if let Some(seed) = &secret.ml_dsa {
        put_line(&mut text, "ml-dsa-65", seed);
    }
    let check = check(provider, &text);
    put_line(&mut text, "check", &check);
    text
}

fn put_line(text: &mut String, name: &str, value: &[u8]) {
    let _ = write!(text, "{name} ");
    for byte in value {
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\n');
}

fn decode(provider: &dyn Provider, text: &str) -> Option<IdentitySecret> {
    let at = text.rfind("check ")?;
    let (lines, last) = text.split_at_checked(at)?;
    let expected: [u8; CHECK] = value(last.trim_end(), "check")?;
    if check(provider, lines) != expected {
        return None;
    }
    let mut lines = lines.lines();
    if lines.next()? != HEADER {
        return None;
    }
    let ed25519 = value(lines.next()?, "ed25519")?;
    let ml_dsa = match lines.next() {
        Some(line) => Some(value(line, "ml-dsa-65")?),
        None => None,
    };
    lines.next().is_none().then_some(IdentitySecret { ed25519, ml_dsa })
}

fn value<const N: usize>(line: &str, name: &str) -> Option<[u8; N]> {
    let digits = line.strip_prefix(name)?.strip_prefix(' ')?;
    if digits.len() != 2 * N || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut value = [0; N];
    for (at, byte) in value.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(value)
}

fn check(provider: &dyn Provider, lines: &str) -> [u8; CHECK] {
    let mut hash = provider.sha256();
    hash.update(lines.as_bytes());
    let [check @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] =
        hash.snapshot();
    check
}

#[cfg(test)]
mod tests {
    use super::super::Identity;
    use super::*;
    use crate::provider::{default_provider, portable_provider};

    #[test]
    fn an_identity_that_was_saved_is_the_same_when_it_is_loaded_by_any_provider() {
        let dir = tempfile::tempdir().unwrap();
        for (n, hybrid) in [true, false].into_iter().enumerate() {
            let provider = default_provider();
            let identity = if hybrid {
                Identity::generate(&*provider).unwrap()
            } else {
                Identity::generate_ed25519_only(&*provider).unwrap()
            };
            let path = dir.path().join(n.to_string());
            identity.save(&*provider, &path).unwrap();
            for provider in [default_provider(), portable_provider()] {
                let loaded = Identity::load(&*provider, &path).unwrap();
                assert_eq!(loaded.fingerprint(), identity.fingerprint());
            }
        }
    }

    #[test]
    fn an_identity_never_replaces_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity");
        fs::write(&path, "precious").unwrap();
        let provider = default_provider();
        let error = Identity::generate(&*provider).unwrap().save(&*provider, &path).unwrap_err();
        assert!(matches!(error, IdentityFileError::Exists));
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_a_saved_identity() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity");
        let provider = default_provider();
        Identity::generate(&*provider).unwrap().save(&*provider, &path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_refused_wherever_it_is_damaged() {
        let provider = portable_provider();
        let secret = IdentitySecret { ed25519: [0x5a; 32], ml_dsa: Some([0xc3; 32]) };
        let text = encode(&*provider, &secret);
        let decoded = decode(&*provider, &text).unwrap();
        assert_eq!((decoded.ed25519, decoded.ml_dsa), (secret.ed25519, secret.ml_dsa));
        for at in 0..text.len() - 1 {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= 1;
            if let Ok(damaged) = String::from_utf8(bytes) {
                assert!(decode(&*provider, &damaged).is_none(), "byte {at}");
            }
            assert!(decode(&*provider, &text[..at]).is_none(), "first {at} bytes");
        }
    }
}
