//! Writing a stream of which every byte is known beforehand.

use super::content::Content;
use jsp_proto::connection::Connection;
use jsp_proto::error::AppCode;
use jsp_proto::ids::StreamId;
use jsp_proto::stream::WriteError;

/// How much is written at once.
const CHUNK: usize = 16 * 1024;

/// What is to be written on a stream, and how far that is: a head, content, the end.
#[derive(Debug)]
pub(super) struct Writer {
    head: Vec<u8>,
    content: Content,
    size: u64,
    at: u64,
}

/// How far writing got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// As far as there is room: it goes on when the stream is writable.
    Blocked,
    /// To the end.
    All,
    /// As far as the peer wanted it.
    Stopped(AppCode),
    /// As far as it went before the connection was closed.
    Closed,
}

impl Writer {
    /// Writes `size` bytes of `content`.
    pub(super) const fn new(content: Content, size: u64) -> Self {
        Self { head: Vec::new(), content, size, at: 0 }
    }

    /// Writes `head` before them.
    pub(super) fn with_head(self, head: Vec<u8>) -> Self {
        Self { head, ..self }
    }

    /// Writes as much as there is room for, and finishes the stream behind it.
    pub(super) fn write(
        &mut self,
        connection: &mut Connection,
        id: StreamId,
    ) -> Result<Written, String> {
        let mut chunk = [0; CHUNK];
        loop {
            let n = self.fill(&mut chunk);
            if n == 0 {
                return match connection.finish(id) {
                    Ok(()) => Ok(Written::All),
                    Err(error) => refused(connection, id, error),
                };
            }
            match connection.write(id, &chunk[..n]) {
                Ok(0) => return Err(format!("{id:?} took no byte of {n} and did not say why")),
                Ok(taken) => self.at += taken as u64,
                Err(error) => return refused(connection, id, error),
            }
        }
    }

    /// Fills the front of `chunk` with what comes next; how much that is.
    fn fill(&self, chunk: &mut [u8]) -> usize {
        let head = usize::try_from(self.at).ok().and_then(|at| self.head.get(at..));
        if let Some(head) = head.filter(|head| !head.is_empty()) {
            let n = head.len().min(chunk.len());
            chunk[..n].copy_from_slice(&head[..n]);
            return n;
        }
        let position = self.at - self.head.len() as u64;
        let rest = usize::try_from(self.size - position).unwrap_or(usize::MAX);
        let n = rest.min(chunk.len());
        self.content.fill(position, &mut chunk[..n]);
        n
    }
}

/// What it means that a stream does not take what is written.
pub(super) fn refused(
    connection: &Connection,
    id: StreamId,
    error: WriteError,
) -> Result<Written, String> {
    match error {
        WriteError::Blocked => Ok(Written::Blocked),
        WriteError::Stopped(code) => Ok(Written::Stopped(code)),
        _ if connection.is_closed() => Ok(Written::Closed),
        error => Err(format!("writing {id:?} failed: {error}")),
    }
}
