//! A client at the door.

use super::desk::Desk;
use crate::connection::{Connecting, Connection};
use crate::net::lock;
use jsp_driver_mio::ServerConfig;
use jsp_proto::endpoint as engine;
use jsp_proto::error::{CloseReason, Code, TransportError};
use jsp_proto::handshake::ClientHelloInfo;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

/// A client that wants to connect, and has got no answer yet. Await it to accept it and complete the
/// handshake; dropping it refuses it.
pub struct Incoming {
    desk: Arc<Desk>,
    /// `None` once it was decided.
    incoming: Option<engine::Incoming>,
}

impl Incoming {
    pub(super) fn new(desk: &Arc<Desk>, incoming: engine::Incoming) -> Self {
        Self { desk: Arc::clone(desk), incoming: Some(incoming) }
    }

    /// The client's address, which it may have forged unless [`Self::is_validated`].
    pub fn remote_address(&self) -> Option<SocketAddr> {
        self.incoming.as_ref().map(engine::Incoming::remote)
    }

    /// Whether the client has proved that it receives at its address.
    pub fn is_validated(&self) -> bool {
        self.incoming.as_ref().is_some_and(engine::Incoming::is_validated)
    }

    /// What the client asks for: its words in the clear, not authenticated.
    pub fn hello(&self) -> Option<&ClientHelloInfo> {
        self.incoming.as_ref().map(engine::Incoming::hello)
    }

    /// Takes the connection, as [`Endpoint::set_server`](crate::Endpoint::set_server) says.
    ///
    /// # Errors
    /// The endpoint was closed or is full ([`Code::REFUSED`]), or the client's words are at fault. The
    /// client is told.
    pub fn accept(self) -> Result<Connecting, TransportError> {
        self.take(None)
    }

    /// Takes the connection, as `config` says.
    ///
    /// # Errors
    /// As [`Self::accept`].
    pub fn accept_with(self, config: &ServerConfig) -> Result<Connecting, TransportError> {
        self.take(Some(config))
    }

    /// Refuses the connection; the client learns it at once. Dropping does the same.
    pub fn refuse(self) {
        drop(self);
    }

    /// Asks for proof of the client's address: it comes again with it, and then
    /// [`Self::is_validated`]. A client that has given it already is refused.
    pub fn retry(mut self) {
        if let Some(incoming) = self.incoming.take() {
            self.desk.retry(&mut lock(&self.desk.book), &incoming);
        }
    }

    /// Leaves the client without an answer.
    pub fn ignore(mut self) {
        if let Some(incoming) = self.incoming.take() {
            lock(&self.desk.book).router.ignore(&incoming);
        }
    }

    fn take(mut self, config: Option<&ServerConfig>) -> Result<Connecting, TransportError> {
        let incoming = self.incoming.take().ok_or(DECIDED)?;
        self.desk.accept(&incoming, config).map(|link| Connecting::new(&link))
    }
}

impl IntoFuture for Incoming {
    type Output = Result<Connection, CloseReason>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.accept().map_err(CloseReason::LocalError)?.await })
    }
}

const DECIDED: TransportError = TransportError::new(Code::REFUSED, "it was decided before");

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(incoming) = self.incoming.take() {
            self.desk.refuse(&mut lock(&self.desk.book), &incoming);
        }
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.incoming.fmt(f)
    }
}
