//! Sending back what arrives, as far as the sending part has room.

use super::reader::{Heard, peek};
use super::writer::{Written, refused};
use jsp_proto::connection::Connection;
use jsp_proto::error::AppCode;
use jsp_proto::ids::StreamId;

/// How much is copied at once.
const CHUNK: u64 = 4096;

/// How far an echo got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Echoed {
    /// As far as was asked for.
    Enough,
    /// As far as there is data and room for it.
    Blocked,
    /// To the end.
    All,
    /// As far as the peer sent.
    Reset(AppCode),
    /// As far as the peer wanted to hear.
    Stopped(AppCode),
    /// As far as it went before the connection was closed.
    Closed,
}

/// Sends up to `most` bytes of a stream back on it, each after `check`; how many it were, and why not
/// more.
pub(super) fn echo(
    connection: &mut Connection,
    id: StreamId,
    most: u64,
    mut check: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<(u64, Echoed), String> {
    let mut done = 0;
    loop {
        let bytes = match peek(connection, id)? {
            Ok(_) if done == most => return Ok((done, Echoed::Enough)),
            Ok(bytes) => {
                let n = (most - done).min(CHUNK).min(bytes.len() as u64) as usize;
                bytes[..n].to_vec()
            }
            Err(heard) => return Ok((done, end(connection, id, heard)?)),
        };
        let taken = match connection.write(id, &bytes) {
            Ok(taken) => taken,
            Err(error) => return Ok((done, refused(connection, id, error)?.into())),
        };
        check(&bytes[..taken])?;
        connection.consume(id, taken);
        done += taken as u64;
    }
}

/// There is nothing to be read: the sending part ends where the receiving part has ended.
fn end(connection: &mut Connection, id: StreamId, heard: Heard) -> Result<Echoed, String> {
    if heard == Heard::All
        && let Err(error) = connection.finish(id)
    {
        return Ok(refused(connection, id, error)?.into());
    }
    Ok(heard.into())
}

impl From<Heard> for Echoed {
    fn from(heard: Heard) -> Self {
        match heard {
            Heard::Enough => Self::Enough,
            Heard::Blocked => Self::Blocked,
            Heard::All => Self::All,
            Heard::Reset(code) => Self::Reset(code),
            Heard::Closed => Self::Closed,
        }
    }
}

impl From<Written> for Echoed {
    fn from(written: Written) -> Self {
        match written {
            Written::Blocked => Self::Blocked,
            Written::All => Self::All,
            Written::Stopped(code) => Self::Stopped(code),
            Written::Closed => Self::Closed,
        }
    }
}
