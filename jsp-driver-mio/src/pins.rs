//! Where trust on first use remembers whom it trusts.

use jsp_proto::crypto::Fingerprint;
use jsp_proto::handshake::{PinStore, Rejected};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Pins = BTreeMap<String, Fingerprint>;

/// Pins that last as long as the process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryPins {
    pins: Arc<Mutex<Pins>>,
}

impl PinStore for MemoryPins {
    fn get(&self, name: &str) -> Option<Fingerprint> {
        lock(&self.pins).get(name).copied()
    }

    fn put(&self, name: &str, fingerprint: Fingerprint) -> Result<(), Rejected> {
        let mut pins = lock(&self.pins);
        let known = *pins.entry(name.into()).or_insert(fingerprint);
        if known == fingerprint { Ok(()) } else { Err(Rejected) }
    }
}

/// Pins in a file with a line for each: the name, a space and the fingerprint. Clones share it, and so
/// may processes: a name that another one pinned meanwhile is not pinned to somebody else.
#[derive(Clone, Debug)]
pub struct FilePins {
    path: Arc<Path>,
    pins: Arc<Mutex<Pins>>,
}

impl FilePins {
    /// The pins of `path`; none if there is no such file yet.
    ///
    /// # Errors
    /// The file cannot be read, or a line of it is none of ours: somebody should look at it before
    /// anybody is trusted.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path: Arc<Path> = path.into().into();
        let pins = read(&path)?;
        Ok(Self { path, pins: Arc::new(Mutex::new(pins)) })
    }
}

impl PinStore for FilePins {
    fn get(&self, name: &str) -> Option<Fingerprint> {
        lock(&self.pins).get(name).copied()
    }

    fn put(&self, name: &str, fingerprint: Fingerprint) -> Result<(), Rejected> {
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(Rejected);
        }
        let mut pins = lock(&self.pins);
        let written = read(&self.path).and_then(|stored| {
            *pins = stored;
            if let Some(known) = pins.get(name) {
                return Ok(*known == fingerprint);
            }
            // One write, so that lines of several processes do not mix.
            let line = format!("{name} {fingerprint}\n");
            let mut file = OpenOptions::new().append(true).create(true).open(&self.path)?;
            file.write_all(line.as_bytes())?;
            file.sync_data()?;
            pins.insert(name.into(), fingerprint);
            Ok(true)
        });
        match written {
            Ok(true) => Ok(()),
            Ok(false) => Err(Rejected),
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "a pin was not stored");
                Err(Rejected)
            }
        }
    }
}

/// A panic of one caller is not everybody's.
fn lock(pins: &Mutex<Pins>) -> MutexGuard<'_, Pins> {
    pins.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(path: &Path) -> io::Result<Pins> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Pins::new()),
        Err(error) => return Err(error),
    };
    let mut pins = Pins::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let pin = line.split_once(' ').and_then(|(name, print)| Some((name, print.parse().ok()?)));
        let Some((name, fingerprint)) = pin else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is not a pin"));
        };
        // The first line about a name holds, as the first use did.
        pins.entry(name.into()).or_insert(fingerprint);
    }
    Ok(pins)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Fingerprint = Fingerprint([1; 32]);
    const B: Fingerprint = Fingerprint([2; 32]);

    #[test]
    fn pins_in_memory_are_shared_by_clones_and_never_replaced() {
        let pins = MemoryPins::default();
        assert_eq!(pins.clone().put("host", A), Ok(()));
        assert_eq!(pins.put("host", B), Err(Rejected));
        assert_eq!(pins.get("host"), Some(A));
    }

    #[test]
    fn pins_in_a_file_are_there_the_next_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pins");
        let pins = FilePins::open(&path).unwrap();
        assert_eq!(pins.put("[::1]:443", A), Ok(()));
        assert_eq!(pins.put("[::1]:443", B), Err(Rejected));
        let again = FilePins::open(&path).unwrap();
        assert_eq!((again.get("[::1]:443"), again.get("other")), (Some(A), None));
    }

    #[test]
    fn another_process_that_was_first_wins() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pins");
        let (one, other) = (FilePins::open(&path).unwrap(), FilePins::open(&path).unwrap());
        assert_eq!(one.put("host", A), Ok(()));
        assert_eq!(other.put("host", B), Err(Rejected));
        assert_eq!(other.get("host"), Some(A));
    }

    #[test]
    fn a_name_cannot_smuggle_a_line_in() {
        let dir = tempfile::tempdir().unwrap();
        let pins = FilePins::open(dir.path().join("pins")).unwrap();
        assert_eq!(pins.put(&format!("a {A}\nb"), B), Err(Rejected));
        fs::write(dir.path().join("pins"), "what is this\n").unwrap();
        assert!(FilePins::open(dir.path().join("pins")).is_err());
        assert_eq!(pins.put("host", A), Err(Rejected));
    }
}
