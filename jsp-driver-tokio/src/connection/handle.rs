//! A connection as an application holds it.

use super::link::{Held, Link, State};
use super::{RecvStream, SendStream};
use jsp_proto::connection::{ExportError, Stats};
use jsp_proto::error::{AppCode, CloseReason};
use jsp_proto::handshake::{Identity, PeerIdentity};
use jsp_proto::ids::{Dir, Side, StreamId};
use std::fmt;
use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use tokio::sync::Notify;

/// A connection whose handshake is under way. Await it to get the [`Connection`].
///
/// Dropping it, or the future that it becomes, gives the attempt up.
#[derive(Debug)]
#[must_use = "a connection that nobody awaits is given up"]
pub struct Connecting {
    link: Held,
}

impl Connecting {
    pub(crate) fn new(link: &Arc<Link>) -> Self {
        Self { link: Held::new(link) }
    }

    /// The peer's address.
    pub fn remote_address(&self) -> SocketAddr {
        self.link.look(|state| state.engine.remote())
    }
}

impl IntoFuture for Connecting {
    type Output = Result<Connection, CloseReason>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            wait(&self.link, &self.link.greeted, |state| match &state.closed {
                Some(reason) => Some(Err(reason.clone())),
                None => state.established.then_some(Ok(())),
            })
            .await?;
            Ok(Connection { link: self.link })
        })
    }
}

/// A secure connection with a peer. Cheap to clone; all clones are the same connection.
///
/// When the last handle of it is dropped (streams are handles, too), it closes with code 0, but not
/// before everything has arrived that was finished.
#[derive(Clone)]
pub struct Connection {
    link: Held,
}

impl Connection {
    /// Opens a stream for both directions. Waits while the peer allows no more of them.
    ///
    /// The peer learns of the stream with the first data. Cancel-safe: a future that is dropped opens
    /// nothing.
    pub async fn open_bi(&self) -> Result<(SendStream, RecvStream), CloseReason> {
        self.open(Dir::Bi).await.map(|id| self.both(id))
    }

    /// Opens a stream on which only this end sends. Otherwise as [`Self::open_bi`].
    pub async fn open_uni(&self) -> Result<SendStream, CloseReason> {
        self.open(Dir::Uni).await.map(|id| SendStream::new(self.link.clone(), id))
    }

    /// Waits for the next stream for both directions that the peer opened, in the order in which it
    /// did. Those that came before the connection ended can still be accepted.
    ///
    /// Cancel-safe: a future that is dropped takes nothing.
    pub async fn accept_bi(&self) -> Result<(SendStream, RecvStream), CloseReason> {
        self.accept(Dir::Bi).await.map(|id| self.both(id))
    }

    /// Waits for the next stream on which only the peer sends. Otherwise as [`Self::accept_bi`].
    pub async fn accept_uni(&self) -> Result<RecvStream, CloseReason> {
        self.accept(Dir::Uni).await.map(|id| RecvStream::new(self.link.clone(), id))
    }

    /// Ends the connection at once, telling the peer `code` and `reason` (cut to 1024 bytes). What
    /// was not acknowledged may be lost; [`Self::shutdown`] waits for it.
    pub fn close(&self, code: AppCode, reason: &[u8]) {
        self.link.close(code, reason);
    }

    /// Ends the connection as soon as everything that was finished has arrived, and waits for that.
    /// Returns why the connection ended: `Local`, unless something else was quicker.
    ///
    /// Cancel-safe: once polled, it happens whether or not the future is dropped.
    pub async fn shutdown(&self, code: AppCode, reason: &[u8]) -> CloseReason {
        self.link.close_when_delivered(code, reason);
        self.closed().await
    }

    /// Waits until the connection has ended, and tells why. Cancel-safe.
    pub async fn closed(&self) -> CloseReason {
        wait(&self.link, &self.link.ended, |state| state.closed.clone()).await
    }

    /// Why the connection ended, if it has.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.link.look(|state| state.closed.clone())
    }

    /// What was measured so far.
    pub fn stats(&self) -> Stats {
        self.link.look(|state| state.engine.stats())
    }

    /// The peer's identity, which it has proved; `None` for a client that has none.
    pub fn peer_identity(&self) -> Option<PeerIdentity> {
        self.link.look(|state| state.engine.peer_identity())
    }

    /// The same, with its public keys: only until the connection has been silent for a second, for they are large.
    pub fn peer_keys(&self) -> Option<Identity> {
        self.link.look(|state| state.engine.peer_keys().cloned())
    }

    /// The application protocol that was agreed on, if any was offered.
    pub fn alpn(&self) -> Option<Vec<u8>> {
        self.link.look(|state| state.engine.alpn().map(<[u8]>::to_vec))
    }

    /// Fills `out` (at most 8160 bytes) with keying material that only the two ends know: both get the
    /// same for the same `label` and `context`.
    pub fn export_keying_material(
        &self,
        label: &[u8],
        context: &[u8],
        out: &mut [u8],
    ) -> Result<(), ExportError> {
        self.link.look(|state| state.engine.export_keying_material(label, context, out))
    }

    /// Asks the peer for a sign of life, which puts the idle timeout off.
    pub fn ping(&self) {
        self.link.act(|state, _| state.engine.ping());
    }

    /// Moves to new packet keys, as the engine does by itself long before the cipher's limits.
    pub fn update_keys(&self) {
        self.link.act(|state, _| state.engine.update_keys());
    }

    /// The peer's address.
    pub fn remote_address(&self) -> SocketAddr {
        self.link.look(|state| state.engine.remote())
    }

    /// Which end this is.
    pub fn side(&self) -> Side {
        self.link.look(|state| state.engine.side())
    }

    fn both(&self, id: StreamId) -> (SendStream, RecvStream) {
        (SendStream::new(self.link.clone(), id), RecvStream::new(self.link.clone(), id))
    }

    async fn open(&self, dir: Dir) -> Result<StreamId, CloseReason> {
        wait(&self.link, &self.link.available[dir.index()], |state| match &state.closed {
            Some(reason) => Some(Err(reason.clone())),
            None => state.engine.open_stream(dir).map(Ok),
        })
        .await
    }

    async fn accept(&self, dir: Dir) -> Result<StreamId, CloseReason> {
        wait(&self.link, &self.link.opened[dir.index()], |state| {
            match (state.engine.accept_stream(dir), &state.closed) {
                (Some(id), _) => Some(Ok(id)),
                (None, Some(reason)) => Some(Err(reason.clone())),
                (None, None) => None,
            }
        })
        .await
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("side", &self.side())
            .field("remote", &self.remote_address())
            .finish_non_exhaustive()
    }
}

/// Waits until `look` finds something; `notify` tells when it is worth another look.
async fn wait<T>(
    link: &Arc<Link>,
    notify: &Notify,
    mut look: impl FnMut(&mut State) -> Option<T>,
) -> T {
    loop {
        let mut notified = pin!(notify.notified());
        // Before the look, so that nothing that happens after it is missed.
        notified.as_mut().enable();
        if let Some(found) = link.look(&mut look) {
            return found;
        }
        notified.await;
    }
}
