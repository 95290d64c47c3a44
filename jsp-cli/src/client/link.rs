//! A connection with the server of a URL, for as long as a command runs.

use crate::failure::{Failure, code};
use crate::protocol::{Answer, Request, Status};
use crate::setup::{Setup, is_loopback};
use crate::signals::interrupted;
use crate::url::Url;
use jsp_driver_tokio::{Connection, ReadError, RecvStream, SendStream, WriteError};
use std::time::Duration;
use tokio::time::timeout;

/// How long the last words may take to leave.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// A connection, and what the server is called in messages.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) connection: Connection,
    /// From the client's first packet to the verified server.
    pub(crate) handshake: Duration,
    server: String,
}

/// Connects to the server of `url`, runs `command` with it, and takes leave. Ctrl-C ends it early.
pub(crate) async fn with_link<T, F: Future<Output = Result<T, Failure>>>(
    setup: &Setup,
    url: &Url,
    command: impl FnOnce(Link) -> F,
) -> Result<T, Failure> {
    let endpoint =
        setup.bind(None).map_err(|error| Failure::io("cannot open a UDP socket", &error))?;
    let work = async {
        let server = url.authority();
        let addresses = tokio::net::lookup_host((&*url.host, url.port)).await.map_err(|error| {
            Failure::unreachable(&server, jsp_driver_tokio::ConnectHostError::Resolve(error))
        })?;
        let addresses: Vec<_> = addresses.collect();
        let loopback = addresses.iter().all(|address| is_loopback(address.ip()));
        let config = setup.client(url.fingerprint, loopback)?;
        let connection = endpoint
            .connect_any(&config, &addresses)
            .await
            .map_err(|error| Failure::unreachable(&server, error))?;
        let handshake = connection.stats().handshake.unwrap_or_default();
        command(Link { connection, handshake, server }).await
    };
    let result = tokio::select! {
        result = work => result,
        signal = interrupted() => Err(match signal {
            Ok(()) => Failure::interrupted(),
            Err(error) => Failure::io("cannot listen to signals", &error),
        }),
    };
    let (code, words): (_, &[u8]) = match &result {
        Ok(_) => (code::DONE, b"done"),
        Err(_) => (code::INTERRUPTED, b"given up"),
    };
    endpoint.close(code, words);
    let _ = timeout(LAST_WORDS, endpoint.wait_idle()).await;
    result
}

impl Link {
    /// Opens a stream and sends a request.
    pub(crate) async fn ask(&self, request: &Request) -> Result<(SendStream, RecvStream), Failure> {
        let streams = self.connection.open_bi().await;
        let (mut send, recv) = streams.map_err(|reason| Failure::ended(&self.server, &reason))?;
        send.write_all(&request.encode()).await.map_err(|error| self.unwritten(&error))?;
        Ok((send, recv))
    }

    /// Waits for the answer, and takes a refusal for a failure.
    pub(crate) async fn answer(&self, recv: &mut RecvStream) -> Result<(), Failure> {
        match Answer::read(recv).await {
            Ok(Some(Answer { status: Status::Ok, .. })) => Ok(()),
            Ok(Some(Answer { status, words })) => Err(Failure::refused(status, &words)),
            Ok(None) => Err(Self::cut()),
            Err(error) => Err(self.unread(&error)),
        }
    }

    pub(crate) fn unread(&self, error: &ReadError) -> Failure {
        Failure::read(&self.server, error)
    }

    pub(crate) fn unwritten(&self, error: &WriteError) -> Failure {
        Failure::write(&self.server, error)
    }

    /// The server's stream ended too early.
    pub(crate) fn cut() -> Failure {
        Failure::confused("the server's answer ends too early")
    }
}
