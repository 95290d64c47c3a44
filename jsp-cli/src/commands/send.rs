//! `jsp send`

use super::many;
use crate::args::Send;
use crate::client::{self, Link, with_link};
use crate::failure::Failure;
use crate::files::{FileError, Name, Opened, Root};
use crate::progress::Progress;
use crate::setup::Setup;
use crate::units::{Rate, Size, Span, hex};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// A file to be sent.
#[derive(Clone, Debug)]
struct Job {
    from: From,
    /// Its name at the server.
    to: String,
}

/// Where a file is.
#[derive(Clone, Debug)]
enum From {
    /// The user has named it.
    Path(PathBuf),
    /// It is below a folder that the user has named.
    Below(Arc<Root>, Name),
}

impl From {
    fn open(self) -> Result<Opened, FileError> {
        match self {
            Self::Path(path) => {
                let file = File::open(path)?;
                let metadata = file.metadata()?;
                if !metadata.is_file() {
                    return Err(FileError::WrongKind);
                }
                Ok(Opened { file, size: metadata.len() })
            }
            Self::Below(root, name) => root.read(&name),
        }
    }
}

/// Sends files and folders.
pub(crate) async fn run(setup: &Setup, args: Send) -> Result<(), Failure> {
    let mut jobs = jobs(&args.files, &args.url.path)?;
    with_link(setup, &args.url, async |link| {
        let start = Instant::now();
        if let ([job], [path]) = (jobs.as_slice(), args.files.as_slice()) {
            return one(&link, path, job.clone(), start).await;
        }
        let tally = many::run("sending", std::mem::take(&mut jobs), |Job { from, to }| {
            let link = link.clone();
            async move {
                let put = client::put(&link, || from.open(), &to, |_| Box::new(|_| ()));
                let (size, _) = put.await.map_err(|failure| failure.about(&to))?;
                Ok(size)
            }
        });
        tally.await?.conclude("sent", start.elapsed())
    })
    .await
}

async fn one(link: &Link, path: &Path, job: Job, start: Instant) -> Result<(), Failure> {
    let Job { from, to } = job;
    let shown = path.display().to_string();
    let bar = |size| {
        let progress = Progress::bytes(&to, size);
        Box::new(move |by| progress.advance(by)) as Box<dyn Fn(u64) + core::marker::Send>
    };
    let put = client::put(link, || from.open(), &to, bar).await;
    let (size, hash) = put.map_err(|failure| failure.about(&shown))?;
    let time = start.elapsed();
    anstream::println!(
        "{shown} is there as {to}: {} in {}, {}\nSHA-256 {} verified by the server",
        Size(size),
        Span(time),
        Rate::of(size, time),
        hex(&hash)
    );
    Ok(())
}

/// What is to be sent, and under which names: below the URL's path if that is a folder's, or if there
/// is more than one file; else under exactly that name.
fn jobs(paths: &[PathBuf], target: &str) -> Result<Vec<Job>, Failure> {
    let exact = !target.is_empty() && !target.ends_with('/');
    let mut jobs = Vec::new();
    for path in paths {
        let unusable = |error| Failure::io(format!("cannot send {}", path.display()), &error);
        let is_dir = path.metadata().map_err(unusable)?.is_dir();
        if exact && !is_dir && paths.len() == 1 {
            return Ok(vec![Job { from: From::Path(path.clone()), to: target.into() }]);
        }
        let name = own_name(path)?;
        let to = match target.trim_end_matches('/') {
            "" => name,
            folder => format!("{folder}/{name}"),
        };
        if !is_dir {
            jobs.push(Job { from: From::Path(path.clone()), to });
            continue;
        }
        let unlisted = |error| Failure::local(format!("cannot list {}: {error}", path.display()));
        let root = Arc::new(Root::open(path).map_err(unusable)?);
        let mut listing = root.list(Name::root()).map_err(unlisted)?;
        while let Some(entry) = listing.next().map_err(unlisted)? {
            let Ok(name) = Name::parse(&entry.name) else { continue };
            let to = format!("{to}/{name}");
            jobs.push(Job { from: From::Below(Arc::clone(&root), name), to });
        }
    }
    Ok(jobs)
}

/// The name that a file or folder has, wherever it is.
fn own_name(path: &Path) -> Result<String, Failure> {
    // `.` and `..` have names, too.
    let full = path
        .canonicalize()
        .map_err(|error| Failure::io(format!("cannot send {}", path.display()), &error))?;
    let name = path.file_name().or_else(|| full.file_name());
    match name.and_then(|name| name.to_str()).map(Name::parse) {
        Some(Ok(name)) if !name.is_root() => Ok(name.as_str().into()),
        _ => Err(Failure::usage(format!("{} is no name for a file at the server", path.display()))
            .with_hint("Choose one: write it behind the last slash of the URL.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, slice};

    fn names(paths: &[PathBuf], target: &str) -> Vec<String> {
        let mut names: Vec<_> =
            jobs(paths, target).unwrap().into_iter().map(|job| job.to).collect();
        names.sort();
        names
    }

    #[test]
    fn names_at_the_server_follow_from_the_url() {
        let dir = tempfile::tempdir().unwrap();
        let (a, folder) = (dir.path().join("a"), dir.path().join("folder"));
        fs::write(&a, "a").unwrap();
        fs::create_dir_all(folder.join("sub")).unwrap();
        fs::write(folder.join("sub/b"), "b").unwrap();
        assert_eq!(names(slice::from_ref(&a), ""), ["a"]);
        assert_eq!(names(slice::from_ref(&a), "x"), ["x"]);
        assert_eq!(names(slice::from_ref(&a), "x/"), ["x/a"]);
        assert_eq!(names(slice::from_ref(&folder), "x"), ["x/folder/sub/b"]);
        assert_eq!(names(&[folder, a], ""), ["a", "folder/sub/b"]);
        assert!(jobs(&[dir.path().join("none")], "").is_err());
    }
}
