//! What is answered to each request.

use crate::content::{self, ReceiveError, SendError};
use crate::failure::code;
use crate::files::{Create, FileError, Listing, Name, PIECE, Reader, Root, Verdict, Work};
use crate::protocol::{Answer, BadRequest, Entry, MAX_NAME, Request, ServerReport, Status};
use bytes::Bytes;
use jsp_driver_tokio::{Connection, ReadError, RecvStream, SendStream, WriteError};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Bytes of a listing that are handed over at once.
const BATCH: usize = 32 << 10;

/// Files that are on their way at once, over all connections; further ones wait their turn. With two
/// pieces in memory for each, that is 256 MiB at most.
const TRANSFERS: usize = 256;

/// What a server has to offer. Bytes for measurements are all the same, and lie here once.
#[derive(Debug)]
pub(crate) struct Service {
    root: Option<Arc<Root>>,
    filling: Bytes,
    transfers: Semaphore,
}

/// Why a request was not answered to its end. It is told to the log only: a peer that could still be
/// told was.
#[derive(Debug)]
enum Broken {
    Read(ReadError),
    Write(WriteError),
    /// The stream ended in the middle of something.
    Cut,
    /// The file could not be read to its end.
    File(FileError),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => error.fmt(f),
            Self::Write(error) => error.fmt(f),
            Self::Cut => f.write_str("the stream ended too early"),
            Self::File(error) => error.fmt(f),
        }
    }
}

impl From<ReadError> for Broken {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<WriteError> for Broken {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

impl Service {
    /// A service that shares `root`, or no folder.
    pub(crate) fn new(root: Option<Arc<Root>>) -> Self {
        Self { root, filling: filling(), transfers: Semaphore::new(TRANSFERS) }
    }

    /// Answers the request on a stream.
    pub(crate) async fn answer(
        &self,
        connection: &Connection,
        mut send: SendStream,
        mut recv: RecvStream,
    ) {
        let answered = match Request::read(&mut recv).await {
            Ok(Some(Ok(request))) => {
                tracing::debug!(remote = %connection.remote_address(), ?request, "asked");
                self.act(connection, request, &mut send, &mut recv).await
            }
            Ok(Some(Err(BadRequest))) => {
                let answer = Answer::new(Status::BadRequest, "the request is not understood");
                say(&mut send, &answer).await
            }
            Ok(None) => Err(Broken::Cut),
            Err(error) => Err(error.into()),
        };
        match answered {
            // Whatever else comes is not wanted.
            Ok(()) => {
                let _ = send.finish();
                let _ = recv.stop(code::ANSWERED);
            }
            Err(broken) => {
                tracing::debug!(remote = %connection.remote_address(), %broken, "broken off");
                let _ = send.reset(code::ABANDONED);
            }
        }
    }

    async fn act(
        &self,
        connection: &Connection,
        request: Request,
        send: &mut SendStream,
        recv: &mut RecvStream,
    ) -> Result<(), Broken> {
        // An error would mean that the semaphore was closed, which never happens.
        let _turn = match request {
            Request::Get { .. } | Request::List { .. } | Request::Put { .. } => {
                self.transfers.acquire().await.ok()
            }
            _ => None,
        };
        match request {
            Request::Get { name } => match self.named(&name) {
                Ok((root, name)) => get(root, name, send).await,
                Err(answer) => say(send, &answer).await,
            },
            Request::List { name } => match self.named(&name) {
                Ok((root, name)) => list(root, name, send).await,
                Err(answer) => say(send, &answer).await,
            },
            Request::Put { name, size } => {
                let answer = match self.named(&name) {
                    Ok((root, name)) => put(Create { root, name, size }, recv).await?,
                    Err(answer) => answer,
                };
                say(send, &answer).await
            }
            Request::Echo => echo(send, recv).await,
            Request::Sink => sink(send, recv).await,
            Request::Source { bytes, time } => self.source(bytes, time, send).await,
            Request::Report => {
                let streams = connection.stats().streams;
                let report =
                    ServerReport { sent: streams.sent, retransmitted: streams.retransmitted };
                say(send, &Answer::ok()).await?;
                Ok(send.write_all(&report.encode()).await?)
            }
        }
    }

    /// The folder that is shared, and a name in it.
    fn named(&self, name: &str) -> Result<(Arc<Root>, Name), Answer> {
        let Some(root) = &self.root else {
            return Err(Answer::new(Status::NotShared, "it shares no folder"));
        };
        let name =
            Name::parse(name).map_err(|error| Answer::new(Status::Forbidden, error.to_string()))?;
        Ok((Arc::clone(root), name))
    }

    /// Sends bytes until there were enough, or for long enough, or until nobody wants more.
    async fn source(
        &self,
        bytes: u64,
        time: Duration,
        send: &mut SendStream,
    ) -> Result<(), Broken> {
        say(send, &Answer::ok()).await?;
        let start = Instant::now();
        let mut left = if bytes == 0 { u64::MAX } else { bytes };
        while left > 0 && (time.is_zero() || start.elapsed() < time) {
            let piece = self.filling.slice(..left.min(self.filling.len() as u64) as usize);
            left -= piece.len() as u64;
            send.write_bytes(piece).await?;
        }
        Ok(())
    }
}

/// Bytes for measurements: nothing on the way could make less of them.
pub(crate) fn filling() -> Bytes {
    let mut bytes = vec![0; PIECE];
    crate::noise::fill(1, &mut bytes);
    bytes.into()
}

async fn say(send: &mut SendStream, answer: &Answer) -> Result<(), Broken> {
    Ok(send.write_all(&answer.encode()).await?)
}

fn refusal(error: &FileError) -> Answer {
    let status = match error {
        FileError::NotFound => Status::NotFound,
        FileError::Forbidden | FileError::WrongKind => Status::Forbidden,
        FileError::Exists => Status::Exists,
        FileError::IsDirectory => Status::Directory,
        FileError::Io(_) => Status::Failed,
    };
    Answer::new(status, error.to_string())
}

/// Status, size u64, content, SHA-256.
async fn get(root: Arc<Root>, name: Name, send: &mut SendStream) -> Result<(), Broken> {
    let reader = match Reader::start(move || root.read(&name)).await {
        Ok(reader) => reader,
        Err(error) => return say(send, &refusal(&error)).await,
    };
    let mut head = Answer::ok().encode();
    head.extend_from_slice(&reader.size().to_be_bytes());
    send.write_all(&head).await?;
    match content::send(reader, send, |_| ()).await {
        Ok(_) => Ok(()),
        Err(SendError::File(error)) => Err(Broken::File(error.into())),
        Err(SendError::Write(error)) => Err(error.into()),
    }
}

/// Status, entries. Each batch is gathered on another thread while the one before is sent.
async fn list(root: Arc<Root>, name: Name, send: &mut SendStream) -> Result<(), Broken> {
    let mut next = Work::begin(move || gather(root.list(name)?));
    let mut begun = false;
    loop {
        let (batch, rest) = match next.wait().await {
            Ok(gathered) => gathered,
            Err(error) if !begun => return say(send, &refusal(&error)).await,
            Err(error) => return Err(Broken::File(error)),
        };
        if !begun {
            say(send, &Answer::ok()).await?;
            begun = true;
        }
        let Some(rest) = rest else { return Ok(send.write_bytes(batch).await?) };
        next = Work::begin(move || gather(rest));
        send.write_bytes(batch).await?;
    }
}

/// Some entries, and the rest of the listing, unless that was the end.
fn gather(mut listing: Listing) -> Result<(Bytes, Option<Listing>), FileError> {
    let mut batch = Vec::with_capacity(BATCH);
    while batch.len() < BATCH - MAX_NAME {
        let Some(entry) = listing.next()? else {
            batch.extend_from_slice(&Entry::END);
            return Ok((batch.into(), None));
        };
        entry.encode(&mut batch);
    }
    Ok((batch.into(), Some(listing)))
}

/// Takes content and SHA-256; the answer tells what became of it.
async fn put(create: Create, recv: &mut RecvStream) -> Result<Answer, Broken> {
    match content::receive(create, recv, |_| ()).await {
        Ok((Verdict::Kept, _)) => Ok(Answer::ok()),
        Ok((Verdict::Corrupt, _)) => {
            Ok(Answer::new(Status::Corrupt, "what arrived does not have the hash that was sent"))
        }
        Err(ReceiveError::File(error)) => Ok(refusal(&error)),
        Err(ReceiveError::Read(error)) => Err(error.into()),
        Err(ReceiveError::Cut) => Err(Broken::Cut),
    }
}

async fn echo(send: &mut SendStream, recv: &mut RecvStream) -> Result<(), Broken> {
    say(send, &Answer::ok()).await?;
    let mut buffer = vec![0; 16 << 10];
    while let Some(n) = recv.read(&mut buffer).await? {
        send.write_all(buffer.get(..n).unwrap_or_default()).await?;
    }
    Ok(())
}

/// Takes all there is; then status and the count u64.
async fn sink(send: &mut SendStream, recv: &mut RecvStream) -> Result<(), Broken> {
    let mut count = 0;
    while let Some(n) = recv.with_chunk(<[u8]>::len).await? {
        count += n as u64;
    }
    say(send, &Answer::ok()).await?;
    Ok(send.write_all(&count.to_be_bytes()).await?)
}
