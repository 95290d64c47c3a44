//! Files between this machine and the server.

use super::Link;
use crate::content::{self, ReceiveError, SendError};
use crate::failure::{Failure, Kind, code};
use crate::files::{Create, FileError, Hash, Name, Opened, Reader, Root, Verdict};
use crate::protocol::{Entry, Request, read_exact};
use std::sync::Arc;

/// More files than anybody shares; a server that tells of more is broken or worse.
const MAX_FILES: usize = 1 << 20;

/// A file of the server, and what it is called below the folder that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) remote: Name,
    pub(crate) local: Name,
}

/// Gets the file `remote` and gives it the name `local` below `root`, once its hash is verified.
/// `progress` hears of the size first, then of each part.
pub(crate) async fn get(
    link: &Link,
    remote: &str,
    root: Arc<Root>,
    local: Name,
    mut begin: impl FnMut(u64) -> Box<dyn Fn(u64) + Send>,
) -> Result<(u64, Hash), Failure> {
    let (mut send, mut recv) = link.ask(&Request::Get { name: remote.into() }).await?;
    let _ = send.finish();
    link.answer(&mut recv).await?;
    let mut size = [0; 8];
    if !read_exact(&mut recv, &mut size).await.map_err(|error| link.unread(&error))? {
        return Err(Link::cut());
    }
    let size = u64::from_be_bytes(size);
    let progress = begin(size);
    let create = Create { root, name: local.clone(), size };
    match content::receive(create, &mut recv, progress).await {
        Ok((Verdict::Kept, hash)) => Ok((size, hash)),
        Ok((Verdict::Corrupt, _)) => Err(Failure::new(
            Kind::Corrupt,
            "what arrived does not have the hash that the server told; nothing was kept",
        )),
        Err(ReceiveError::Read(error)) => Err(link.unread(&error)),
        Err(ReceiveError::Cut) => Err(Link::cut()),
        Err(ReceiveError::File(FileError::Exists)) => {
            Err(Failure::local(format!("{local} exists already; it was left as it is"))
                .with_hint("Choose another name with `-o FILE`, or remove it first."))
        }
        Err(ReceiveError::File(error)) => {
            Err(Failure::local(format!("cannot write {local}: {error}")))
        }
    }
}

/// Sends a file, and waits until the server has stored it and verified its hash.
pub(crate) async fn put(
    link: &Link,
    open: impl FnOnce() -> Result<Opened, FileError> + Send + 'static,
    remote: &str,
    begin: impl FnOnce(u64) -> Box<dyn Fn(u64) + Send>,
) -> Result<(u64, Hash), Failure> {
    let reader = Reader::start(open)
        .await
        .map_err(|error| Failure::local(format!("cannot read it: {error}")))?;
    let size = reader.size();
    let progress = begin(size);
    let (mut stream, mut recv) = link.ask(&Request::Put { name: remote.into(), size }).await?;
    let sent = content::send(reader, &mut stream, progress).await;
    match &sent {
        Ok(_) => {
            let _ = stream.finish();
        }
        Err(SendError::File(error)) => {
            let _ = stream.reset(code::ABANDONED);
            return Err(Failure::io("cannot read it to its end", error));
        }
        // The server wants no more, and its answer says why; or there is no server any more.
        Err(SendError::Write(_)) => {}
    }
    link.answer(&mut recv).await?;
    match sent {
        Ok(hash) => Ok((size, hash)),
        Err(SendError::Write(error)) => Err(link.unwritten(&error)),
        Err(SendError::File(error)) => Err(Failure::io("cannot read it", &error)),
    }
}

/// All files below a folder of the server. Names that could lead out of a folder here are an error.
pub(crate) async fn list(link: &Link, folder: &str) -> Result<Vec<Listed>, Failure> {
    let (mut send, mut recv) = link.ask(&Request::List { name: folder.into() }).await?;
    let _ = send.finish();
    link.answer(&mut recv).await?;
    let (mut pending, mut entries) = (Vec::new(), Vec::new());
    loop {
        let gathered = recv.with_chunk(|chunk| {
            pending.extend_from_slice(chunk);
            chunk.len()
        });
        if gathered.await.map_err(|error| link.unread(&error))?.is_none() {
            return Err(Link::cut());
        }
        match Entry::decode_all(&mut pending, &mut entries) {
            Some(_) if entries.len() > MAX_FILES => {
                return Err(Failure::confused(format!("more than {MAX_FILES} files are there")));
            }
            Some(true) => break,
            Some(false) => {}
            None => return Err(Failure::confused("the server's listing is not understood")),
        }
    }
    let folder = Name::parse(folder).map_err(|error| Failure::usage(error.to_string()))?;
    let checked = entries.into_iter().map(|Entry { name, .. }| {
        let remote = Name::parse(&name).ok();
        let local = remote.as_ref().and_then(|name| name.below(&folder));
        match (remote, local) {
            (Some(remote), Some(local)) => Ok(Listed { remote, local }),
            _ => Err(Failure::confused(format!(
                "the server lists {name:?}, which is not below {folder}"
            ))),
        }
    });
    checked.collect()
}
