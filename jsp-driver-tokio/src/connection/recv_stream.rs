//! The receiving part of a stream.

use super::link::Held;
use super::outbox::Left;
use crate::error::{ClosedStream, ReadError, ReadToEndError};
use jsp_proto::error::AppCode;
use jsp_proto::ids::StreamId;
use jsp_proto::stream;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::task::coop::poll_proceed;

/// Receives ordered, reliable bytes from the peer.
///
/// What is not read holds the peer back once the stream's window is full. A stream that is dropped
/// before its end is stopped with code 0: the peer need not go on.
#[derive(Debug)]
pub struct RecvStream {
    link: Held,
    id: StreamId,
    /// How it ended, once that was told: `Ok` for the regular end.
    end: Option<Result<(), ReadError>>,
}

impl RecvStream {
    pub(super) fn new(link: Held, id: StreamId) -> Self {
        link.look(|state| state.waiters.add_receiving(id));
        Self { link, id, end: None }
    }

    /// The stream.
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// Reads what is there into `buffer`; returns how many bytes, at least one unless `buffer` is
    /// empty, or `None` at the stream's end.
    ///
    /// Cancel-safe: a future that is dropped has read nothing.
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, ReadError> {
        if buffer.is_empty() {
            return Ok(Some(0));
        }
        poll_fn(|cx| self.poll_take(cx, |engine, id| engine.read(id, buffer))).await
    }

    /// Reads without a copy: lends `consume` the bytes that are there, and takes as many of them off
    /// the stream as it returns, which is what this returns, too; `None` at the stream's end.
    ///
    /// `consume` runs while the connection is locked: it must not use it, nor any stream of it, and
    /// should be quick.
    ///
    /// Cancel-safe: a future that is dropped has not called `consume`.
    pub async fn with_chunk(
        &mut self,
        mut consume: impl FnMut(&[u8]) -> usize,
    ) -> Result<Option<usize>, ReadError> {
        poll_fn(|cx| {
            self.poll_take(cx, |engine, id| {
                let chunk = engine.peek(id)?.data;
                let consumed = consume(chunk).min(chunk.len());
                engine.consume(id, consumed);
                Ok(consumed)
            })
        })
        .await
    }

    /// Reads everything to the stream's end, `limit` bytes at most.
    ///
    /// Not cancel-safe: what a dropped future has read is gone.
    pub async fn read_to_end(&mut self, limit: usize) -> Result<Vec<u8>, ReadToEndError> {
        let mut all = Vec::new();
        let mut too_long = false;
        while !too_long {
            let read = self.with_chunk(|chunk| {
                too_long = chunk.len() > limit - all.len();
                if !too_long {
                    all.extend_from_slice(chunk);
                }
                chunk.len()
            });
            if read.await.map_err(ReadToEndError::Read)?.is_none() {
                return Ok(all);
            }
        }
        Err(ReadToEndError::TooLong)
    }

    /// Tells the peer that no more is wanted, for the reason `code`; what is there is dropped.
    ///
    /// # Errors
    /// The stream has ended before.
    pub fn stop(&mut self, code: AppCode) -> Result<(), ClosedStream> {
        if self.end.is_some() {
            return Err(ClosedStream);
        }
        self.end = Some(Err(ReadError::Closed));
        let id = self.id;
        self.link.act(|state, _| state.engine.stop(id, code)).map_err(Into::into)
    }

    fn poll_take(
        &mut self,
        cx: &mut Context<'_>,
        take: impl FnOnce(
            &mut jsp_proto::connection::Connection,
            StreamId,
        ) -> Result<usize, stream::ReadError>,
    ) -> Poll<Result<Option<usize>, ReadError>> {
        if let Some(end) = &self.end {
            return Poll::Ready(end.clone().map(|()| None));
        }
        let progress = ready!(poll_proceed(cx));
        let id = self.id;
        let taken = self.link.act_on(|state, _| {
            let end = match take(&mut state.engine, id) {
                // Credit for the peer may be due.
                Ok(read) => return (Left::Credit, Poll::Ready(Ok(read))),
                Err(stream::ReadError::Finished) => Ok(()),
                Err(stream::ReadError::Reset(code)) => Err(ReadError::Reset(code)),
                Err(error) => match (&state.closed, error) {
                    (Some(reason), _) => Err(ReadError::ConnectionLost(reason.clone())),
                    (None, stream::ReadError::Blocked) => {
                        state.waiters.await_readable(id, cx.waker());
                        return (Left::Nothing, Poll::Pending);
                    }
                    (None, _) => Err(ReadError::Closed),
                },
            };
            (Left::Credit, Poll::Ready(Err(end)))
        });
        let taken = ready!(taken);
        progress.made_progress();
        Poll::Ready(match taken {
            Ok(read) => Ok(Some(read)),
            Err(end) => self.end.insert(end).clone().map(|()| None),
        })
    }
}

impl AsyncRead for RecvStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let read = self.get_mut().poll_take(cx, |engine, id| {
            let chunk = engine.peek(id)?.data;
            let read = chunk.len().min(buffer.remaining());
            buffer.put_slice(&chunk[..read]);
            engine.consume(id, read);
            Ok(read)
        });
        read.map_ok(|_| ()).map_err(Into::into)
    }
}

impl Drop for RecvStream {
    fn drop(&mut self) {
        let (id, ended) = (self.id, self.end.is_some());
        self.link.act_on(|state, _| {
            state.waiters.drop_receiving(id);
            let stops = !ended && state.engine.stop(id, AppCode(0)).is_ok();
            (if stops { Left::Data(0) } else { Left::Nothing }, ())
        });
    }
}
