//! Connections, and when they end.
//!
//! ```text
//!   serving ── Stop ──▶ no new connection, no new request; those under way are completed
//!                          │ all done, or out of patience
//!                          ▼
//!                       every client is told; gone
//! ```

use super::requests::Service;
use crate::failure::code;
use jsp_driver_tokio::{Connection, Endpoint, ServerConfig};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long requests under way may take once the server is to stop.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the last words may take to leave.
const LAST_WORDS: Duration = Duration::from_millis(500);
const GOODBYE: &[u8] = b"the server shuts down";

/// Tells everybody that the server is to stop.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Who stops, and who is told.
    pub(crate) fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Waits until the server is to stop.
    async fn stopped(&mut self) {
        // An error means that who could stop the server is gone.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// Takes connections until `stop`, then ends them in an orderly way.
pub(crate) async fn serve(
    endpoint: Endpoint,
    config: impl Fn(IpAddr) -> ServerConfig,
    service: Arc<Service>,
    mut stop: Stop,
) {
    let mut sessions = JoinSet::new();
    loop {
        let incoming = tokio::select! {
            () = stop.stopped() => break,
            incoming = endpoint.accept() => incoming,
            Some(_) = sessions.join_next() => continue,
        };
        let Some(incoming) = incoming else { break };
        let Some(remote) = incoming.remote_address() else { continue };
        let Ok(connecting) = incoming.accept_with(&config(remote.ip())) else { continue };
        let (service, stop) = (Arc::clone(&service), stop.clone());
        sessions.spawn(async move {
            match connecting.await {
                Ok(connection) => attend(service, connection, stop).await,
                Err(reason) => tracing::debug!(%remote, %reason, "no connection"),
            }
        });
    }
    // Whoever comes now is refused at once.
    endpoint.set_server(None);
    let orderly = async { while sessions.join_next().await.is_some() {} };
    if timeout(PATIENCE, orderly).await.is_err() {
        tracing::warn!("transfers under way are broken off");
    }
    endpoint.close(code::SHUTDOWN, GOODBYE);
    let _ = timeout(LAST_WORDS, endpoint.wait_idle()).await;
}

/// Answers the requests of one connection, each in a task of its own; the engine's limit on streams
/// bounds how many.
async fn attend(service: Arc<Service>, connection: Connection, mut stop: Stop) {
    let remote = connection.remote_address();
    tracing::info!(%remote, "connected");
    let mut requests = JoinSet::new();
    let reason = loop {
        tokio::select! {
            () = stop.stopped() => break None,
            stream = connection.accept_bi() => match stream {
                Ok((send, recv)) => {
                    let (service, connection) = (Arc::clone(&service), connection.clone());
                    requests.spawn(async move { service.answer(&connection, send, recv).await });
                }
                Err(reason) => break Some(reason),
            },
            Some(_) = requests.join_next() => {}
        }
    };
    // Those of a connection that is gone fail by themselves, and take their unfinished files along.
    while requests.join_next().await.is_some() {}
    match reason {
        Some(reason) => tracing::info!(%remote, %reason, "gone"),
        None => {
            connection.shutdown(code::SHUTDOWN, GOODBYE).await;
        }
    }
}
