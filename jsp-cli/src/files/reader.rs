//! A file's content, read and hashed ahead of who sends it.

use super::work::Work;
use super::{FileError, Hash, PIECE};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Read as _};
use std::sync::{Arc, Mutex, PoisonError};

/// A file that was opened for reading.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) size: u64,
}

/// Hands a file out piece by piece. While one is on its way, the next is read and hashed on another
/// thread, which never waits for the network. Memory is used again once the network has done with it.
#[derive(Debug)]
pub(crate) struct Reader {
    size: u64,
    /// The piece that comes next; `None` after the last one.
    next: Option<Work<io::Result<Step>>>,
    hash: Option<Hash>,
}

/// A piece, and how to go on.
type Step = (Option<Bytes>, Reading);

#[derive(Debug)]
struct Reading {
    file: File,
    left: u64,
    hash: Sha256,
    pool: Pool,
}

impl Reader {
    /// Opens a file by `open` and reads its first piece, both on another thread.
    pub(crate) async fn start(
        open: impl FnOnce() -> Result<Opened, FileError> + Send + 'static,
    ) -> Result<Self, FileError> {
        let begin = move || {
            let Opened { file, size } = open()?;
            let reading = Reading { file, left: size, hash: Sha256::new(), pool: Pool::default() };
            Ok::<_, FileError>((size, reading.step()))
        };
        let (size, first) = Work::begin(begin).wait().await?;
        Ok(Self { size, next: Some(Work::Done(first)), hash: None })
    }

    /// The file's size when it was opened. As many bytes come, or an error.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The next piece; `None` after the last one.
    ///
    /// # Errors
    /// The file cannot be read, or has become shorter.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let Some(next) = self.next.take() else { return Ok(None) };
        let (piece, reading) = next.wait().await?;
        match piece {
            Some(_) if reading.left > 0 => self.next = Some(Work::begin(move || reading.step())),
            _ => self.hash = Some(reading.hash.finalize().into()),
        }
        Ok(piece)
    }

    /// The hash of everything, once [`Self::next`] has returned the last piece.
    pub(crate) fn hash(&self) -> Option<Hash> {
        self.hash
    }
}

impl Reading {
    fn step(mut self) -> io::Result<Step> {
        if self.left == 0 {
            return Ok((None, self));
        }
        let length = self.left.min(PIECE as u64) as usize;
        let mut piece = self.pool.take(length);
        self.file.read_exact(piece.as_mut())?;
        self.hash.update(piece.as_mut());
        self.left -= length as u64;
        Ok((Some(piece.into_bytes()), self))
    }
}

/// Memory for pieces. As much comes to be as the network holds at once.
#[derive(Clone, Debug, Default)]
struct Pool {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Pool {
    fn take(&self, length: usize) -> Piece {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut memory = free.unwrap_or_else(|| vec![0; length]);
        memory.resize(length, 0);
        Piece { memory, pool: self.clone() }
    }
}

/// Memory that goes back to its pool.
#[derive(Debug)]
struct Piece {
    memory: Vec<u8>,
    pool: Pool,
}

impl Piece {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.memory
    }

    fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.memory
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        self.pool.free.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn file(content: &[u8]) -> Opened {
        let path = tempfile::NamedTempFile::new().unwrap();
        path.as_file().write_all(content).unwrap();
        Opened { file: path.reopen().unwrap(), size: content.len() as u64 }
    }

    #[tokio::test]
    async fn a_file_comes_whole_with_its_hash() {
        for size in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 17] {
            let content: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            let opened = file(&content);
            let mut reader = Reader::start(move || Ok(opened)).await.unwrap();
            assert_eq!((reader.size(), reader.hash()), (size as u64, None));
            let mut read = Vec::new();
            while let Some(piece) = reader.next().await.unwrap() {
                read.extend_from_slice(&piece);
            }
            assert_eq!(read, content);
            assert_eq!(reader.hash(), Some(Sha256::digest(&content).into()));
            assert_eq!(reader.next().await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn memory_is_used_again() {
        let opened = file(&vec![7; 20 * PIECE]);
        let mut reader = Reader::start(move || Ok(opened)).await.unwrap();
        let mut places = std::collections::BTreeSet::new();
        while let Some(piece) = reader.next().await.unwrap() {
            places.insert(piece.as_ptr() as usize);
        }
        assert!(places.len() <= 3, "{} pieces of memory", places.len());
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_is_an_error() {
        let opened = Opened { size: 2 * PIECE as u64, ..file(&vec![7; PIECE + 1]) };
        let mut reader = Reader::start(move || Ok(opened)).await.unwrap();
        assert!(reader.next().await.unwrap().is_some());
        assert!(reader.next().await.is_err());
    }
}
