//! A file's content, hashed and written behind who receives it.

use super::partial::Partial;
use super::work::Work;
use super::{FileError, Hash, Name, PIECE, Root};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// What is to be created.
#[derive(Clone, Debug)]
pub(crate) struct Create {
    pub(crate) root: Arc<Root>,
    pub(crate) name: Name,
    /// How many bytes it will have; it decides about memory only.
    pub(crate) size: u64,
}

/// Takes a file piece by piece. While one arrives, the one before is hashed and written on another
/// thread, which never waits for the network. The file has its name only once everything is on the
/// disk and has the right hash; a writer that is dropped before leaves nothing.
#[derive(Debug)]
pub(crate) struct Writer {
    /// What is being filled.
    piece: Vec<u8>,
    /// What is being written.
    busy: Work<Result<Writing, FileError>>,
}

#[derive(Debug)]
struct Writing {
    partial: Partial,
    hash: Sha256,
    /// What was written: memory for what comes.
    piece: Vec<u8>,
}

/// How a file turned out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It has its name now.
    Kept,
    /// It does not have the hash that it should; it was removed.
    Corrupt,
}

impl Writer {
    /// Begins a file on another thread. Whether that went well is told later, or by
    /// [`Self::ready`].
    pub(crate) fn start(create: Create) -> Self {
        let capacity = create.size.min(PIECE as u64) as usize;
        let begin = move || {
            let partial = create.root.create(&create.name)?;
            Ok(Writing { partial, hash: Sha256::new(), piece: Vec::with_capacity(capacity) })
        };
        Self { piece: Vec::with_capacity(capacity), busy: Work::begin(begin) }
    }

    /// Waits until the file could be begun.
    pub(crate) async fn ready(self) -> Result<Self, FileError> {
        let writing = self.busy.wait().await?;
        Ok(Self { piece: self.piece, busy: Work::Done(Ok(writing)) })
    }

    /// Takes as much of the front of `bytes` as there is room for; returns how much that was.
    /// Nothing: [`Self::flush`] first.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> usize {
        let room = PIECE - self.piece.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.piece.extend_from_slice(taken);
        taken.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.piece.len() >= PIECE
    }

    /// Has what was taken written, once what came before it is.
    pub(crate) async fn flush(self) -> Result<Self, FileError> {
        let mut writing = self.busy.wait().await?;
        let spare = std::mem::replace(&mut writing.piece, self.piece);
        Ok(Self { piece: spare, busy: Work::begin(move || writing.step()) })
    }

    /// Completes the file, if all of it has the hash `expected`.
    pub(crate) async fn finish(self, expected: Hash) -> Result<Verdict, FileError> {
        let mut writing = self.busy.wait().await?;
        writing.piece = self.piece;
        let complete = move || {
            let Writing { partial, hash, .. } = writing.step()?;
            if Hash::from(hash.finalize()) != expected {
                return Ok(Verdict::Corrupt);
            }
            partial.publish()?;
            Ok(Verdict::Kept)
        };
        Work::begin(complete).wait().await
    }
}

impl Writing {
    fn step(mut self) -> Result<Self, FileError> {
        self.hash.update(&self.piece);
        self.partial.write(&self.piece)?;
        self.piece.clear();
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn create(dir: &tempfile::TempDir, size: usize) -> Create {
        Create {
            root: Arc::new(Root::open(dir.path()).unwrap()),
            name: Name::parse("a/b").unwrap(),
            size: size as u64,
        }
    }

    async fn write(create: Create, content: &[u8]) -> Writer {
        let mut writer = Writer::start(create).ready().await.unwrap();
        let mut rest = content;
        while !rest.is_empty() {
            let taken = writer.take(rest);
            rest = &rest[taken..];
            if writer.is_full() {
                writer = writer.flush().await.unwrap();
            }
        }
        writer
    }

    #[tokio::test]
    async fn content_arrives_as_it_was() {
        for size in [0, 1, PIECE, 2 * PIECE + 3] {
            let dir = tempfile::tempdir().unwrap();
            let content: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            let writer = write(create(&dir, size), &content).await;
            let verdict = writer.finish(Sha256::digest(&content).into()).await.unwrap();
            assert_eq!(verdict, Verdict::Kept);
            assert_eq!(fs::read(dir.path().join("a/b")).unwrap(), content);
        }
    }

    #[tokio::test]
    async fn content_with_another_hash_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let writer = write(create(&dir, 3), b"abc").await;
        let verdict = writer.finish(Sha256::digest(b"abd").into()).await.unwrap();
        assert_eq!(verdict, Verdict::Corrupt);
        assert_eq!(fs::read_dir(dir.path().join("a")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_file_that_exists_is_told_before_its_content_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        fs::write(dir.path().join("a/b"), "precious").unwrap();
        let refused = Writer::start(create(&dir, 3)).ready().await;
        assert!(matches!(refused, Err(FileError::Exists)));
    }
}
