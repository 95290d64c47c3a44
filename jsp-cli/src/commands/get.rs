//! `jsp get`

use super::many;
use crate::args::Get;
use crate::client::{self, with_link};
use crate::failure::Failure;
use crate::files::{Name, Root};
use crate::progress::Progress;
use crate::setup::Setup;
use crate::units::{Rate, Size, Span, hex};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Gets a file or a folder.
pub(crate) async fn run(setup: &Setup, args: Get) -> Result<(), Failure> {
    let path = &args.url.path;
    if args.recursive || path.is_empty() || path.ends_with('/') {
        folder(setup, &args).await
    } else {
        file(setup, &args).await
    }
}

async fn file(setup: &Setup, args: &Get) -> Result<(), Failure> {
    let remote = &args.url.path;
    let theirs = remote.rsplit('/').next().unwrap_or_default();
    let target = match &args.output {
        None => PathBuf::from(local_name(theirs)?.as_str()),
        Some(folder) if folder.is_dir() => folder.join(local_name(theirs)?.as_path()),
        Some(file) => file.clone(),
    };
    if target.symlink_metadata().is_ok() {
        return Err(exists(&target));
    }
    let (folder, name) = split(&target)?;
    let root = open(&folder)?;
    with_link(setup, &args.url, async |link| {
        let start = Instant::now();
        let bar = |size| {
            let progress = Progress::bytes(theirs, size);
            Box::new(move |by| progress.advance(by)) as Box<dyn Fn(u64) + Send>
        };
        let (size, hash) = client::get(&link, remote, root, name, bar).await?;
        let time = start.elapsed();
        anstream::println!(
            "{}: {} in {}, {}\nSHA-256 {} verified",
            target.display(),
            Size(size),
            Span(time),
            Rate::of(size, time),
            hex(&hash)
        );
        Ok(())
    })
    .await
}

async fn folder(setup: &Setup, args: &Get) -> Result<(), Failure> {
    let remote = args.url.path.trim_end_matches('/');
    let target = match (&args.output, remote.rsplit('/').next()) {
        (Some(folder), _) => folder.clone(),
        (None, Some("") | None) => {
            return Err(Failure::usage("say where to put all that the server shares")
                .with_hint("Add `-o DIR`; it is made if it is not there."));
        }
        (None, Some(name)) => PathBuf::from(local_name(name)?.as_str()),
    };
    std::fs::create_dir_all(&target)
        .map_err(|error| Failure::io(format!("cannot make {}", target.display()), &error))?;
    let root = open(&target)?;
    with_link(setup, &args.url, async |link| {
        let start = Instant::now();
        let files = client::list(&link, remote).await?;
        let tally = many::run("getting", files, |file| {
            let (link, root) = (link.clone(), Arc::clone(&root));
            async move {
                let got = client::get(&link, file.remote.as_str(), root, file.local, |_| {
                    Box::new(|_| ())
                });
                let (size, _) = got.await.map_err(|failure| failure.about(&file.remote))?;
                Ok(size)
            }
        });
        tally.await?.conclude("got", start.elapsed())
    })
    .await
}

/// A name of the server's, as one for here.
fn local_name(theirs: &str) -> Result<Name, Failure> {
    match Name::parse(theirs) {
        Ok(name) if !name.is_root() => Ok(name),
        _ => Err(Failure::usage(format!("{theirs:?} is no name for a file here"))
            .with_hint("Choose one with `-o FILE`.")),
    }
}

/// The folder in which `target` is to be, and its name there.
fn split(target: &Path) -> Result<(PathBuf, Name), Failure> {
    let name = target.file_name().and_then(|name| name.to_str());
    let name = local_name(name.unwrap_or_default())?;
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    Ok((folder.into(), name))
}

fn open(folder: &Path) -> Result<Arc<Root>, Failure> {
    let root = Root::open(folder)
        .map_err(|error| Failure::io(format!("cannot write into {}", folder.display()), &error))?;
    Ok(Arc::new(root))
}

fn exists(target: &Path) -> Failure {
    Failure::local(format!("{} exists already; it was left as it is", target.display()))
        .with_hint("Choose another name with `-o FILE`, or remove it first.")
}
