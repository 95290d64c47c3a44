//! A folder that is shared: no name and no link leads out of it.

use super::name::Name;
use super::partial::Partial;
use super::reader::Opened;
use crate::protocol::Entry;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, ReadDir};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Why a file of a folder cannot be used.
#[derive(Debug)]
pub(crate) enum FileError {
    NotFound,
    /// It leads out of the folder, or the system says no.
    Forbidden,
    Exists,
    IsDirectory,
    /// A device, a pipe or a socket; or a file where a folder is wanted.
    WrongKind,
    Io(io::Error),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "there is no such file",
            Self::Forbidden => "permission denied",
            Self::Exists => "there is something of that name already",
            Self::IsDirectory => "it is a folder",
            Self::WrongKind => "it is not the kind of file that is wanted",
            Self::Io(error) => return error.fmt(f),
        })
    }
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound,
            io::ErrorKind::PermissionDenied => Self::Forbidden,
            io::ErrorKind::AlreadyExists => Self::Exists,
            io::ErrorKind::IsADirectory => Self::IsDirectory,
            io::ErrorKind::NotADirectory => Self::WrongKind,
            _ => Self::Io(error),
        }
    }
}

/// A folder, held open. Each name is resolved part by part below it, by the kernel where it can do so,
/// and links are followed only as long as they stay below it. All calls block.
#[derive(Debug)]
pub(crate) struct Root {
    dir: Dir,
}

impl Root {
    /// Opens a folder of this machine.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { dir: Dir::open_ambient_dir(path, ambient_authority())? })
    }

    /// Opens a file for reading.
    pub(crate) fn read(&self, name: &Name) -> Result<Opened, FileError> {
        // Looked at before it is opened, as to open a device may do something.
        kind_of(self.dir.metadata(name.as_path())?.file_type())?;
        let mut options = OpenOptions::new();
        options.read(true);
        // It may have become a pipe meanwhile: opening it must not wait for a writer.
        #[cfg(unix)]
        {
            use cap_std::fs::OpenOptionsExt as _;
            options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
        }
        let file = self.dir.open_with(name.as_path(), &options)?;
        let metadata = file.metadata()?;
        kind_of(metadata.file_type())?;
        Ok(Opened { file: file.into_std(), size: metadata.len() })
    }

    /// Begins a new file; folders on its way are made.
    pub(super) fn create(&self, name: &Name) -> Result<Partial, FileError> {
        let Some((folder, part)) = name.split() else { return Err(FileError::IsDirectory) };
        if !folder.is_root() {
            self.dir.create_dir_all(folder.as_path())?;
        }
        Ok(Partial::create(self.dir.open_dir(folder.as_path())?, part)?)
    }

    /// All files below a folder, in no order.
    pub(crate) fn list(self: &Arc<Self>, folder: Name) -> Result<Listing, FileError> {
        let open = self.dir.read_dir(folder.as_path())?;
        Ok(Listing { root: Arc::clone(self), open: Some((folder, open)), folders: Vec::new() })
    }
}

/// A walk through a folder and those below it. Links to files count as files, links to folders are
/// left out, and so are names that are none of ours.
#[derive(Debug)]
pub(crate) struct Listing {
    root: Arc<Root>,
    /// The folder that is being read.
    open: Option<(Name, ReadDir)>,
    /// Those that come later.
    folders: Vec<Name>,
}

impl Listing {
    /// The next file; `None` after the last one. It blocks.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, FileError> {
        loop {
            let Some((folder, open)) = &mut self.open else {
                let Some(folder) = self.folders.pop() else { return Ok(None) };
                let open = self.root.dir.read_dir(folder.as_path())?;
                self.open = Some((folder, open));
                continue;
            };
            let Some(entry) = open.next().transpose()? else {
                self.open = None;
                continue;
            };
            let part = entry.file_name();
            let Some(Ok(name)) = part.to_str().map(|part| folder.join(part)) else { continue };
            if entry.file_type()?.is_dir() {
                self.folders.push(name);
                continue;
            }
            // By its whole name, as a link may lead elsewhere below the root.
            match self.root.dir.metadata(name.as_path()) {
                Ok(metadata) if metadata.is_file() => {
                    return Ok(Some(Entry { name: name.as_str().into(), size: metadata.len() }));
                }
                _ => {}
            }
        }
    }
}

fn kind_of(kind: cap_std::fs::FileType) -> Result<(), FileError> {
    match (kind.is_file(), kind.is_dir()) {
        (true, _) => Ok(()),
        (_, true) => Err(FileError::IsDirectory),
        _ => Err(FileError::WrongKind),
    }
}

// All of it is about links and sockets as Unix has them.
#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Read as _;
    use std::os::unix::fs::symlink;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn listed(root: &Arc<Root>, folder: &str) -> Vec<String> {
        let mut listing = root.list(name(folder)).unwrap();
        let mut names = Vec::new();
        while let Some(entry) = listing.next().unwrap() {
            names.push(entry.name);
        }
        names.sort();
        names
    }

    /// `shared/` with a file, a folder and links; `secret` beside it.
    fn setting() -> (tempfile::TempDir, Arc<Root>) {
        let dir = tempfile::tempdir().unwrap();
        let shared = dir.path().join("shared");
        fs::create_dir_all(shared.join("sub/deep")).unwrap();
        fs::write(dir.path().join("secret"), "secret").unwrap();
        fs::write(shared.join("file"), "file").unwrap();
        fs::write(shared.join("sub/deep/other"), "other").unwrap();
        symlink("../file", shared.join("sub/inside")).unwrap();
        symlink("../../secret", shared.join("sub/outside")).unwrap();
        symlink(dir.path().join("secret"), shared.join("absolute")).unwrap();
        symlink("..", shared.join("up")).unwrap();
        symlink("loop", shared.join("loop")).unwrap();
        let root = Arc::new(Root::open(&shared).unwrap());
        (dir, root)
    }

    #[test]
    fn links_are_followed_only_as_long_as_they_stay_inside() {
        let (_dir, root) = setting();
        let mut content = String::new();
        root.read(&name("sub/inside")).unwrap().file.read_to_string(&mut content).unwrap();
        assert_eq!(content, "file");
        for outside in ["sub/outside", "absolute", "up/secret", "loop"] {
            assert!(root.read(&name(outside)).is_err(), "{outside}");
        }
        for outside in ["up/new", "up/new/new", "absolute/new"] {
            assert!(root.create(&name(outside)).is_err(), "{outside}");
        }
    }

    #[test]
    fn only_files_are_read() {
        let (dir, root) = setting();
        assert!(matches!(root.read(&name("sub")), Err(FileError::IsDirectory)));
        assert!(matches!(root.read(&Name::root()), Err(FileError::IsDirectory)));
        assert!(matches!(root.read(&name("none")), Err(FileError::NotFound)));
        let socket = dir.path().join("shared/socket");
        let _listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
        assert!(matches!(root.read(&name("socket")), Err(FileError::WrongKind)));
        assert!(matches!(root.read(&name("file/x")), Err(FileError::WrongKind)));
    }

    #[test]
    fn listings_stay_inside_and_leave_out_what_cannot_be_got() {
        let (_dir, root) = setting();
        assert_eq!(listed(&root, ""), ["file", "sub/deep/other", "sub/inside"]);
        assert_eq!(listed(&root, "sub/deep"), ["sub/deep/other"]);
        let _partial = root.create(&name("new/file")).unwrap();
        assert_eq!(listed(&root, "new"), [""; 0]);
        assert!(root.list(name("none")).is_err());
        assert!(root.list(name("up")).is_err());
    }

    #[test]
    fn what_is_there_is_never_replaced() {
        let (_dir, root) = setting();
        for taken in ["file", "sub", "absolute", "loop"] {
            assert!(matches!(root.create(&name(taken)), Err(FileError::Exists)), "{taken}");
        }
        assert!(matches!(root.create(&Name::root()), Err(FileError::IsDirectory)));
    }
}
