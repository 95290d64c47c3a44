//! Reading a stream of which every byte is known beforehand.

use super::content::Content;
use jsp_proto::connection::Connection;
use jsp_proto::error::AppCode;
use jsp_proto::ids::StreamId;
use jsp_proto::stream::ReadError;

/// What is expected on a stream, and how far it was read.
#[derive(Debug)]
pub(super) struct Reader {
    content: Content,
    size: u64,
    at: u64,
}

/// How far reading got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// As far as was asked for.
    Enough,
    /// As far as there is data: it goes on when the stream is readable.
    Blocked,
    /// To the end, and all that was expected is there.
    All,
    /// As far as the peer sent it.
    Reset(AppCode),
    /// As far as it arrived before the connection was closed.
    Closed,
}

impl Reader {
    /// Expects `size` bytes of `content`.
    pub(super) const fn new(content: Content, size: u64) -> Self {
        Self { content, size, at: 0 }
    }

    /// Reads and checks up to `most` bytes; how many it were, and why not more.
    pub(super) fn read(
        &mut self,
        connection: &mut Connection,
        id: StreamId,
        most: u64,
    ) -> Result<(u64, Heard), String> {
        let begin = self.at;
        loop {
            let left = most - (self.at - begin);
            match peek(connection, id)? {
                Ok(_) if left == 0 => return Ok((self.at - begin, Heard::Enough)),
                Ok(chunk) => {
                    let n = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    self.check(id, &chunk[..n])?;
                    connection.consume(id, n);
                }
                Err(Heard::All) if self.at != self.size => {
                    return Err(format!("{id:?} ended at {} of {} bytes", self.at, self.size));
                }
                Err(heard) => return Ok((self.at - begin, heard)),
            }
        }
    }

    /// Checks the bytes that come next.
    pub(super) fn check(&mut self, id: StreamId, bytes: &[u8]) -> Result<(), String> {
        let position = self.at;
        self.content
            .check(position, bytes)
            .map_err(|at| format!("{id:?} has a wrong byte at {at}"))?;
        self.at += bytes.len() as u64;
        if self.at > self.size {
            return Err(format!("{id:?} has more than {} bytes", self.size));
        }
        Ok(())
    }

    /// Whether all that is expected was read; the end may not be known yet.
    pub(super) const fn is_complete(&self) -> bool {
        self.at == self.size
    }
}

/// What can be read next: at least a byte, or why there is none.
pub(super) fn peek(
    connection: &mut Connection,
    id: StreamId,
) -> Result<Result<&[u8], Heard>, String> {
    let closed = connection.is_closed();
    match connection.peek(id) {
        Ok(chunk) if chunk.data.is_empty() => {
            Err(format!("{id:?} lent no bytes and did not say why"))
        }
        Ok(chunk) => Ok(Ok(chunk.data)),
        Err(ReadError::Blocked) => Ok(Err(Heard::Blocked)),
        Err(ReadError::Finished) => Ok(Err(Heard::All)),
        Err(ReadError::Reset(code)) => Ok(Err(Heard::Reset(code))),
        Err(ReadError::ClosedStream) if closed => Ok(Err(Heard::Closed)),
        Err(error) => Err(format!("reading {id:?} failed: {error}")),
    }
}
