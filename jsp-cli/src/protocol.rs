//! What `jsp` and `jsp serve` say to each other on a stream. `PROTOCOL.md` describes it for others.
//!
//! ```text
//!  client ── request ── [content ── hash] ── end ──▶
//!         ◀── answer ── [content ── hash] ── end ──  server
//!
//!  request   operation u8 │ length u16 │ that many bytes, by operation
//!  answer    status u8    │ length u16 │ that many bytes of UTF-8 for people
//! ```
//!
//! This file owns the codecs, and reads them off a stream. Integers are big-endian.

use jsp_driver_tokio::{ReadError, RecvStream};
use std::time::Duration;

/// The application protocol's name in the handshake.
pub(crate) const ALPN: &[u8] = b"jsp/1";
/// Requests that a client may have under way on one connection.
pub(crate) const MAX_REQUESTS: u64 = 32;
/// Bytes of the SHA-256 behind a file's content.
pub(crate) const HASH_LEN: usize = 32;
/// The longest name of a file, with its folders, in bytes.
pub(crate) const MAX_NAME: usize = 4096;
/// The longest words of an answer, in bytes.
const MAX_WORDS: usize = 1024;
/// Operation or status, and length.
const HEADER: usize = 3;

/// What a client wants of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// A file's content.
    Get { name: String },
    /// The names and sizes of all files below a folder.
    List { name: String },
    /// That the server stores a file of `size` bytes.
    Put { name: String, size: u64 },
    /// All bytes back.
    Echo,
    /// That bytes are counted and dropped.
    Sink,
    /// So many bytes, for so long; 0 is without a limit.
    Source { bytes: u64, time: Duration },
    /// What the server has measured about this connection.
    Report,
}

/// The request does not parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadRequest;

impl Request {
    const GET: u8 = 1;
    const LIST: u8 = 2;
    const PUT: u8 = 3;
    const ECHO: u8 = 4;
    const SINK: u8 = 5;
    const SOURCE: u8 = 6;
    const REPORT: u8 = 7;

    /// The request's bytes. Names are cut to what the length can tell; the server refuses those.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let operation = match self {
            Self::Get { name } => {
                body.extend_from_slice(name.as_bytes());
                Self::GET
            }
            Self::List { name } => {
                body.extend_from_slice(name.as_bytes());
                Self::LIST
            }
            Self::Put { name, size } => {
                body.extend_from_slice(&size.to_be_bytes());
                body.extend_from_slice(name.as_bytes());
                Self::PUT
            }
            Self::Echo => Self::ECHO,
            Self::Sink => Self::SINK,
            Self::Source { bytes, time } => {
                body.extend_from_slice(&bytes.to_be_bytes());
                body.extend_from_slice(&(time.as_millis() as u64).to_be_bytes());
                Self::SOURCE
            }
            Self::Report => Self::REPORT,
        };
        message(operation, &body)
    }

    fn decode(operation: u8, body: &[u8]) -> Result<Self, BadRequest> {
        let name = |bytes: &[u8]| match std::str::from_utf8(bytes) {
            Ok(name) if name.len() <= MAX_NAME => Ok(name.to_owned()),
            _ => Err(BadRequest),
        };
        match (operation, body) {
            (Self::GET, body) => Ok(Self::Get { name: name(body)? }),
            (Self::LIST, body) => Ok(Self::List { name: name(body)? }),
            (Self::PUT, body) => {
                let (size, rest) = body.split_first_chunk().ok_or(BadRequest)?;
                Ok(Self::Put { name: name(rest)?, size: u64::from_be_bytes(*size) })
            }
            (Self::ECHO, []) => Ok(Self::Echo),
            (Self::SINK, []) => Ok(Self::Sink),
            (Self::SOURCE, body) => {
                let (bytes, rest) = body.split_first_chunk().ok_or(BadRequest)?;
                let time = u64::from_be_bytes(rest.try_into().map_err(|_| BadRequest)?);
                let bytes = u64::from_be_bytes(*bytes);
                Ok(Self::Source { bytes, time: Duration::from_millis(time) })
            }
            (Self::REPORT, []) => Ok(Self::Report),
            _ => Err(BadRequest),
        }
    }

    /// Reads the next request; `Ok(None)` if the stream ends before.
    pub(crate) async fn read(
        recv: &mut RecvStream,
    ) -> Result<Option<Result<Self, BadRequest>>, ReadError> {
        let Some((operation, body)) = read_message(recv).await? else { return Ok(None) };
        Ok(Some(Self::decode(operation, &body)))
    }
}

/// How a request fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Status {
    /// Done, or what follows is what was asked for.
    Ok = 0,
    /// No such file or folder.
    NotFound = 1,
    /// The name leads out of the folder, is none, or the system does not permit it.
    Forbidden = 2,
    /// A file of that name is there already.
    Exists = 3,
    /// The server shares no folder.
    NotShared = 4,
    /// A folder where a file is wanted.
    Directory = 5,
    /// What arrived does not have the hash that it should.
    Corrupt = 6,
    /// The request does not parse.
    BadRequest = 7,
    /// The server tried and failed.
    Failed = 8,
}

impl Status {
    /// Unknown statuses count as failures.
    fn from_wire(n: u8) -> Self {
        let known = [
            Self::Ok,
            Self::NotFound,
            Self::Forbidden,
            Self::Exists,
            Self::NotShared,
            Self::Directory,
            Self::Corrupt,
            Self::BadRequest,
        ];
        known.into_iter().find(|status| *status as u8 == n).unwrap_or(Self::Failed)
    }
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: Status,
    /// For people; empty if all is well.
    pub(crate) words: String,
}

impl Answer {
    pub(crate) fn ok() -> Self {
        Self { status: Status::Ok, words: String::new() }
    }

    pub(crate) fn new(status: Status, words: impl Into<String>) -> Self {
        Self { status, words: words.into() }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let end = self.words.floor_char_boundary(MAX_WORDS);
        message(self.status as u8, self.words.as_bytes().get(..end).unwrap_or_default())
    }

    /// Reads an answer; `Ok(None)` if the stream ends before.
    pub(crate) async fn read(recv: &mut RecvStream) -> Result<Option<Self>, ReadError> {
        let Some((status, words)) = read_message(recv).await? else { return Ok(None) };
        let words = String::from_utf8_lossy(&words).into_owned();
        Ok(Some(Self { status: Status::from_wire(status), words }))
    }
}

/// A file in a listing: its name from the root on, and its size.
///
/// On the stream: name length u16, name, size u64. A name of no bytes ends the listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) size: u64,
}

impl Entry {
    /// What ends a listing.
    pub(crate) const END: [u8; 2] = [0; 2];

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.name.len() as u16).to_be_bytes());
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(&self.size.to_be_bytes());
    }

    /// Takes entries off the front of `bytes` as far as they are complete. `None` if something is no
    /// entry; `true` once the end was there.
    pub(crate) fn decode_all(bytes: &mut Vec<u8>, out: &mut Vec<Self>) -> Option<bool> {
        let mut rest = bytes.as_slice();
        let mut ended = false;
        while let Some((length, after)) = rest.split_first_chunk() {
            let length = usize::from(u16::from_be_bytes(*length));
            if length == 0 {
                ended = true;
                break;
            }
            if length > MAX_NAME {
                return None;
            }
            let Some((name, after)) = after.split_at_checked(length) else { break };
            let Some((size, after)) = after.split_first_chunk() else { break };
            let name = std::str::from_utf8(name).ok()?.to_owned();
            out.push(Self { name, size: u64::from_be_bytes(*size) });
            rest = after;
        }
        let taken = bytes.len() - rest.len();
        bytes.drain(..taken);
        Some(ended)
    }
}

/// What a server tells of its end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServerReport {
    /// Bytes of streams that it sent, each counted once.
    pub(crate) sent: u64,
    /// Bytes of streams that it sent again.
    pub(crate) retransmitted: u64,
}

impl ServerReport {
    pub(crate) const LEN: usize = 16;

    pub(crate) fn encode(self) -> Vec<u8> {
        [self.sent.to_be_bytes(), self.retransmitted.to_be_bytes()].concat()
    }

    pub(crate) fn decode(bytes: [u8; Self::LEN]) -> Self {
        let n = u128::from_be_bytes(bytes);
        Self { sent: (n >> 64) as u64, retransmitted: n as u64 }
    }
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let body = body.get(..usize::from(u16::MAX)).unwrap_or(body);
    let mut out = Vec::with_capacity(HEADER + body.len());
    out.push(kind);
    out.extend_from_slice(&(body.len() as u16).to_be_bytes());
    out.extend_from_slice(body);
    out
}

async fn read_message(recv: &mut RecvStream) -> Result<Option<(u8, Vec<u8>)>, ReadError> {
    let mut header = [0; HEADER];
    if !read_exact(recv, &mut header).await? {
        return Ok(None);
    }
    let [kind, length @ ..] = header;
    let mut body = vec![0; usize::from(u16::from_be_bytes(length))];
    Ok(read_exact(recv, &mut body).await?.then_some((kind, body)))
}

/// Fills `out`; `false` if the stream ends before.
pub(crate) async fn read_exact(recv: &mut RecvStream, out: &mut [u8]) -> Result<bool, ReadError> {
    let mut filled = 0;
    while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match recv.read(rest).await? {
            Some(n) => filled += n,
            None => return Ok(false),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Result<Request, BadRequest> {
        let (header, body) = bytes.split_first_chunk::<HEADER>().unwrap();
        assert_eq!(usize::from(u16::from_be_bytes([header[1], header[2]])), body.len());
        Request::decode(header[0], body)
    }

    #[test]
    fn requests_are_read_as_they_were_written() {
        for request in [
            Request::Get { name: "a/b".into() },
            Request::List { name: String::new() },
            Request::Put { name: "ü".into(), size: u64::MAX },
            Request::Echo,
            Request::Sink,
            Request::Source { bytes: 7, time: Duration::from_millis(9) },
            Request::Report,
        ] {
            assert_eq!(decode(&request.encode()), Ok(request));
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert_eq!(decode(&message(0, b"")), Err(BadRequest));
        assert_eq!(decode(&message(4, b"x")), Err(BadRequest));
        assert_eq!(decode(&message(1, b"\xff")), Err(BadRequest));
        assert_eq!(decode(&message(3, b"1234567")), Err(BadRequest));
        assert_eq!(decode(&message(6, &[0; 17])), Err(BadRequest));
        assert_eq!(decode(&message(1, &[b'a'; MAX_NAME + 1])), Err(BadRequest));
    }

    #[test]
    fn words_that_are_too_long_are_cut_between_characters() {
        let answer = Answer::new(Status::Failed, "é".repeat(MAX_WORDS)).encode();
        assert_eq!(answer.len(), HEADER + MAX_WORDS);
        let odd = Answer::new(Status::Failed, format!("x{}", "é".repeat(MAX_WORDS))).encode();
        assert_eq!(odd.len(), HEADER + MAX_WORDS - 1);
        for n in 0..=8 {
            assert_eq!(Status::from_wire(n) as u8, n);
        }
    }

    #[test]
    fn listings_are_read_however_they_are_cut() {
        let entries: Vec<_> =
            (0..20).map(|n| Entry { name: "x".repeat(n + 1), size: n as u64 }).collect();
        let mut bytes = Vec::new();
        for entry in &entries {
            entry.encode(&mut bytes);
        }
        bytes.extend_from_slice(&Entry::END);
        for step in [1, 3, 7, bytes.len()] {
            let (mut pending, mut read, mut ended) = (Vec::new(), Vec::new(), false);
            for piece in bytes.chunks(step) {
                assert!(!ended);
                pending.extend_from_slice(piece);
                ended = Entry::decode_all(&mut pending, &mut read).unwrap();
            }
            assert!(ended);
            assert_eq!(read, entries);
        }
        let mut long = (MAX_NAME as u16 + 1).to_be_bytes().to_vec();
        assert_eq!(Entry::decode_all(&mut long, &mut Vec::new()), None);
    }

    #[test]
    fn reports_are_read_as_they_were_written() {
        let report = ServerReport { sent: 3, retransmitted: u64::MAX - 1 };
        assert_eq!(ServerReport::decode(report.encode().try_into().unwrap()), report);
    }
}
