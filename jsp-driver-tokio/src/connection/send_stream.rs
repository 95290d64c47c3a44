//! The sending part of a stream.

use super::link::{Held, State};
use super::outbox::Left;
use super::waiters::Course;
use crate::error::{ClosedStream, WriteError};
use bytes::Bytes;
use jsp_proto::error::AppCode;
use jsp_proto::ids::StreamId;
use jsp_proto::stream;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use tokio::io::AsyncWrite;
use tokio::task::coop::poll_proceed;

/// Sends ordered, reliable bytes to the peer.
///
/// A stream that is dropped without [`Self::finish`] is reset with code 0, so that the peer never
/// takes a part for the whole. One that was finished is delivered even if everything else is dropped.
///
/// What is written is sent at once, from the calling task. If it follows something else that was sent
/// on the connection since the endpoint's task ran, within 50 us and on the thread of that task, it
/// waits until the calling task and others that are ready have run, or 64 KiB are together: small
/// writes share datagrams. A task that is to send something and then compute for long without waiting
/// for anything can flush (`AsyncWriteExt::flush`) before that.
#[derive(Debug)]
pub struct SendStream {
    link: Held,
    id: StreamId,
}

impl SendStream {
    pub(super) fn new(link: Held, id: StreamId) -> Self {
        link.look(|state| state.waiters.add_sending(id));
        Self { link, id }
    }

    /// The stream.
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// Writes a copy of the front of `data`; returns how many bytes it took, at least one of a
    /// non-empty slice. Waits while the buffers or the peer's windows are full.
    ///
    /// Cancel-safe: a future that is dropped has written nothing.
    pub async fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        poll_fn(|cx| self.poll_take(cx, |state, id| state.engine.write(id, data))).await
    }

    /// Writes a copy of all of `data`.
    ///
    /// Not cancel-safe: how much a dropped future has written is not known.
    pub async fn write_all(&mut self, mut data: &[u8]) -> Result<(), WriteError> {
        while !data.is_empty() {
            let written = self.write(data).await?;
            data = data.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    /// Writes the front of `data` without copying it; what was taken is taken off.
    ///
    /// Cancel-safe: `data` tells what is left to write.
    pub async fn write_chunk(&mut self, data: &mut Bytes) -> Result<usize, WriteError> {
        poll_fn(|cx| self.poll_take(cx, |state, id| state.engine.write_bytes(id, data))).await
    }

    /// Writes all of `data` without copying it. The memory is free once the peer has acknowledged it.
    ///
    /// Not cancel-safe: how much a dropped future has written is not known.
    pub async fn write_bytes(&mut self, mut data: Bytes) -> Result<(), WriteError> {
        while !data.is_empty() {
            self.write_chunk(&mut data).await?;
        }
        Ok(())
    }

    /// Ends the stream: what was written is delivered, then the peer reads the end. That happens even
    /// if the stream and the connection are dropped; [`Self::finished`] waits for it.
    ///
    /// # Errors
    /// The stream was finished, reset or stopped before, or the connection has ended.
    pub fn finish(&mut self) -> Result<(), ClosedStream> {
        let id = self.id;
        self.link.act_on(|state, _| match state.engine.finish(id) {
            Ok(()) => {
                state.waiters.on_finish(id);
                (Left::Data(0), Ok(()))
            }
            Err(_) => (Left::Nothing, Err(ClosedStream)),
        })
    }

    /// Waits until the peer has acknowledged everything, the end included. [`Self::finish`] first, or
    /// it waits for ever.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The peer stopped the stream, or the connection ended before.
    pub async fn finished(&mut self) -> Result<(), WriteError> {
        poll_fn(|cx| {
            self.poll_end(cx).map(|end| match end {
                End::Acknowledged => Ok(()),
                End::Stopped(code) => Err(WriteError::Stopped(code)),
                End::Error(error) => Err(error),
            })
        })
        .await
    }

    /// Waits until the peer says that it wants no more, and tells the peer's reason; `None` if it has
    /// acknowledged everything instead.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The connection ended before.
    pub async fn stopped(&mut self) -> Result<Option<AppCode>, WriteError> {
        poll_fn(|cx| {
            self.poll_end(cx).map(|end| match end {
                End::Acknowledged => Ok(None),
                End::Stopped(code) => Ok(Some(code)),
                End::Error(error) => Err(error),
            })
        })
        .await
    }

    /// Abandons the stream: what has not arrived may never do. The peer learns `code`.
    ///
    /// # Errors
    /// The stream has ended before.
    pub fn reset(&mut self, code: AppCode) -> Result<(), ClosedStream> {
        let id = self.id;
        self.link.act(|state, _| {
            state.engine.reset(id, code)?;
            state.waiters.on_reset(id);
            Ok(())
        })
    }

    fn poll_take(
        &mut self,
        cx: &mut Context<'_>,
        take: impl FnOnce(&mut State, StreamId) -> Result<usize, stream::WriteError>,
    ) -> Poll<Result<usize, WriteError>> {
        let progress = ready!(poll_proceed(cx));
        let id = self.id;
        let taken = self.link.act_on(|state, _| match take(state, id) {
            Ok(written) => (Left::Data(written), Poll::Ready(Ok(written))),
            Err(stream::WriteError::Blocked) => {
                state.waiters.await_sending(id, cx.waker());
                (Left::Nothing, Poll::Pending)
            }
            Err(error) => (Left::Nothing, Poll::Ready(Err(state.write_error(error)))),
        });
        if taken.is_ready() {
            progress.made_progress();
        }
        taken
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let id = self.id;
        self.link.look(|state| state.poll_end(id, cx.waker()))
    }
}

/// How a stream's sending ended.
enum End {
    Acknowledged,
    Stopped(AppCode),
    Error(WriteError),
}

impl State {
    fn poll_end(&mut self, id: StreamId, waker: &Waker) -> Poll<End> {
        Poll::Ready(match (self.waiters.course(id), &self.closed) {
            (Some(Course::Acknowledged), _) => End::Acknowledged,
            (Some(Course::Stopped(code)), _) => End::Stopped(code),
            (Some(Course::Reset) | None, _) => End::Error(WriteError::Closed),
            (Some(_), Some(reason)) => End::Error(WriteError::ConnectionLost(reason.clone())),
            (Some(_), None) => {
                self.waiters.await_sending(id, waker);
                return Poll::Pending;
            }
        })
    }

    fn write_error(&self, error: stream::WriteError) -> WriteError {
        match (error, &self.closed) {
            (stream::WriteError::Stopped(code), _) => WriteError::Stopped(code),
            (_, Some(reason)) => WriteError::ConnectionLost(reason.clone()),
            (_, None) => WriteError::Closed,
        }
    }
}

impl AsyncWrite for SendStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.get_mut().poll_take(cx, |state, id| state.engine.write(id, data));
        written.map_err(Into::into)
    }

    /// Sends what waits to share a datagram. Nothing to wait for: it is on its way as soon as the
    /// network takes it.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link.send_now();
        Poll::Ready(Ok(()))
    }

    /// Finishes the stream; does not wait for the peer.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let finished = self.get_mut().finish();
        Poll::Ready(finished.map_err(|error| io::Error::new(io::ErrorKind::BrokenPipe, error)))
    }
}

impl Drop for SendStream {
    fn drop(&mut self) {
        let id = self.id;
        self.link.act_on(|state, _| {
            let open = state.waiters.drop_sending(id) && state.closed.is_none();
            let resets = open && state.engine.reset(id, AppCode(0)).is_ok();
            (if resets { Left::Data(0) } else { Left::Nothing }, ())
        });
    }
}
