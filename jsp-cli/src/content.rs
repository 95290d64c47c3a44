//! A file's content on a stream, in either direction: the bytes, then their SHA-256.

use crate::files::{Create, FileError, Hash, PIECE, Reader, Verdict, Writer};
use crate::protocol::{HASH_LEN, read_exact};
use jsp_driver_tokio::{ReadError, RecvStream, SendStream, WriteError};
use std::io;

/// Why content was not sent.
#[derive(Debug)]
pub(crate) enum SendError {
    File(io::Error),
    Write(WriteError),
}

/// Why content was not received.
#[derive(Debug)]
pub(crate) enum ReceiveError {
    File(FileError),
    Read(ReadError),
    /// The stream ended too early.
    Cut,
}

impl From<FileError> for ReceiveError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl From<ReadError> for ReceiveError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

/// Sends a file and its hash; `progress` hears of each part.
pub(crate) async fn send(
    mut reader: Reader,
    stream: &mut SendStream,
    progress: impl Fn(u64),
) -> Result<Hash, SendError> {
    while let Some(piece) = reader.next().await.map_err(SendError::File)? {
        let length = piece.len() as u64;
        stream.write_bytes(piece).await.map_err(SendError::Write)?;
        progress(length);
    }
    let hash = reader.hash().unwrap_or_default();
    stream.write_all(&hash).await.map_err(SendError::Write)?;
    Ok(hash)
}

/// Receives a file and its hash; `progress` hears of each part. The file has its name only if all is
/// well.
pub(crate) async fn receive(
    create: Create,
    stream: &mut RecvStream,
    progress: impl Fn(u64),
) -> Result<(Verdict, Hash), ReceiveError> {
    let mut left = create.size;
    let mut writer = Writer::start(create);
    if left > PIECE as u64 {
        // Much is to come: better to know before whether there is a place for it.
        writer = writer.ready().await?;
    }
    while left > 0 {
        let mut room = usize::try_from(left).unwrap_or(usize::MAX);
        let taken = stream.with_chunk(|chunk| {
            let taken = writer.take(chunk.get(..room).unwrap_or(chunk));
            room -= taken;
            taken
        });
        let taken = taken.await?.ok_or(ReceiveError::Cut)? as u64;
        left -= taken;
        progress(taken);
        if writer.is_full() {
            writer = writer.flush().await?;
        }
    }
    let mut hash = [0; HASH_LEN];
    if !read_exact(stream, &mut hash).await? {
        return Err(ReceiveError::Cut);
    }
    Ok((writer.finish(hash).await?, hash))
}
