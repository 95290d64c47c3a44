//! A file that is not complete yet, and how it becomes one.

use cap_std::fs::{Dir, OpenOptions};
use std::fs::File;
use std::io::{self, Write as _};

const PREFIX: &str = ".jsp-";
const SUFFIX: &str = ".part";

/// Whether a file of this name is one of ours that was never completed.
pub(super) fn is_partial(part: &str) -> bool {
    part.starts_with(PREFIX) && part.ends_with(SUFFIX)
}

/// A file under a hidden name beside the one that it is to have. It is removed when dropped, unless it
/// was published; a process that is killed leaves it behind, under that hidden name.
#[derive(Debug)]
pub(super) struct Partial {
    dir: Dir,
    hidden: String,
    target: String,
    file: File,
    published: bool,
}

impl Partial {
    /// Begins the file `target` in `dir`.
    ///
    /// # Errors
    /// `AlreadyExists` if there is something of that name.
    pub(super) fn create(dir: Dir, target: &str) -> io::Result<Self> {
        if dir.symlink_metadata(target).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let hidden = format!("{PREFIX}{:016x}{SUFFIX}", u64::from_be_bytes(random));
        let file = dir.open_with(&hidden, OpenOptions::new().write(true).create_new(true))?;
        let file = file.into_std();
        Ok(Self { dir, hidden, target: target.into(), file, published: false })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Gives the file its name, once its content is on the disk. It never replaces anything.
    ///
    /// # Errors
    /// `AlreadyExists` if something has got that name meanwhile.
    pub(super) fn publish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        rename_to_new(&self.dir, &self.hidden, &self.target)?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.published {
            // Nobody is left who could be told if that fails.
            let _ = self.dir.remove_file(&self.hidden);
        }
    }
}

/// Renames `from` to `to`, where nothing must be.
fn rename_to_new(dir: &Dir, from: &str, to: &str) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        use rustix::fs::{RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(dir, from, dir, to, RenameFlags::NOREPLACE) {
            // Not every file system can do it.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            done => return done.map_err(Into::into),
        }
    }
    // A second name for the file, which replaces nothing either; then the first one goes.
    dir.hard_link(from, dir, to)?;
    dir.remove_file(from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cap_std::ambient_authority;
    use std::fs;

    fn names(dir: &tempfile::TempDir) -> Vec<String> {
        let entries = fs::read_dir(dir.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn begin(dir: &tempfile::TempDir, target: &str) -> io::Result<Partial> {
        let dir = Dir::open_ambient_dir(dir.path(), ambient_authority()).unwrap();
        Partial::create(dir, target)
    }

    #[test]
    fn a_file_has_its_name_only_once_it_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let mut partial = begin(&dir, "a").unwrap();
        partial.write(b"hello").unwrap();
        assert!(names(&dir).iter().all(|name| is_partial(name)));
        partial.publish().unwrap();
        assert_eq!(names(&dir), ["a"]);
        assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"hello");
    }

    #[test]
    fn a_file_that_is_given_up_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut partial = begin(&dir, "a").unwrap();
        partial.write(b"hello").unwrap();
        drop(partial);
        assert_eq!(names(&dir), [""; 0]);
    }

    #[test]
    fn nothing_is_replaced_not_even_what_came_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let late = begin(&dir, "a").unwrap();
        begin(&dir, "a").unwrap().publish().unwrap();
        fs::write(dir.path().join("a"), "precious").unwrap();
        assert_eq!(late.publish().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(begin(&dir, "a").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(names(&dir), ["a"]);
        assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"precious");
    }

    #[test]
    fn without_help_of_the_file_system_nothing_is_replaced_either() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        let handle = Dir::open_ambient_dir(dir.path(), ambient_authority()).unwrap();
        assert!(handle.hard_link("a", &handle, "b").is_err());
        assert_eq!(fs::read(dir.path().join("b")).unwrap(), b"b");
    }
}
