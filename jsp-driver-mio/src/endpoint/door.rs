//! Clients at the door.

use super::core::{Core, REPLY};
use crate::config::ServerConfig;
use jsp_proto::endpoint as router;
use jsp_proto::error::TransportError;
use jsp_proto::handshake::ClientHelloInfo;
use jsp_proto::ids::ConnectionHandle;
use jsp_proto::time::Time;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// Who may come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Door {
    /// Everybody, as [`Endpoint::set_server`](crate::Endpoint::set_server) says.
    #[default]
    Open,
    /// Whom the application accepts of those that
    /// [`Endpoint::poll_incoming`](crate::Endpoint::poll_incoming) tells of.
    Attended,
}

/// A client that wants to connect, and has got no answer yet. It is to be given to one of
/// [`Endpoint::accept`](crate::Endpoint::accept), [`refuse`](crate::Endpoint::refuse),
/// [`retry`](crate::Endpoint::retry) and [`ignore`](crate::Endpoint::ignore).
#[derive(Debug)]
#[must_use = "a client waits for an answer"]
pub struct Incoming(pub(super) router::Incoming);

impl Incoming {
    /// The client's address, which it may have forged unless [`Self::is_validated`].
    pub fn remote_address(&self) -> SocketAddr {
        self.0.remote()
    }

    /// Whether the client has proved that it receives at its address.
    pub fn is_validated(&self) -> bool {
        self.0.is_validated()
    }

    /// What the client asks for: its words in the clear, not authenticated.
    pub fn hello(&self) -> &ClientHelloInfo {
        self.0.hello()
    }
}

/// How clients are received, and those that wait.
#[derive(Debug)]
pub(super) struct Porch {
    pub(super) door: Door,
    pub(super) server: Option<ServerConfig>,
    pub(super) waiting: VecDeque<router::Incoming>,
    pub(super) backlog: usize,
}

impl Porch {
    /// Somebody is at the door.
    pub(super) fn announce(&mut self, core: &mut Core, now: Time, incoming: router::Incoming) {
        match self.door {
            Door::Open => {
                if let Err(error) = self.accept(core, now, &incoming, None) {
                    tracing::debug!(%error, remote = %incoming.remote(), "not accepted");
                }
            }
            Door::Attended if self.waiting.len() < self.backlog => self.waiting.push_back(incoming),
            Door::Attended => {
                tracing::debug!(remote = %incoming.remote(), "too many wait to be accepted");
                retry(core, now, &incoming);
            }
        }
    }

    /// Takes a connection.
    pub(super) fn accept(
        &self,
        core: &mut Core,
        now: Time,
        incoming: &router::Incoming,
        config: Option<&ServerConfig>,
    ) -> Result<ConnectionHandle, TransportError> {
        let mut reply = [0; REPLY];
        let config = config.or(self.server.as_ref());
        match core.router.accept(now, incoming, config.map(ServerConfig::engine), &mut reply) {
            Ok(engine) => {
                let signers = config.map(|config| config.signers().clone()).unwrap_or_default();
                let handle = core.enter(engine, signers);
                tracing::debug!(connection = handle.index, remote = %incoming.remote(), "accepted");
                Ok(handle)
            }
            Err(refused) => {
                core.answer(refused.transmit, &reply);
                Err(refused.error)
            }
        }
    }
}

pub(super) fn refuse(core: &mut Core, incoming: &router::Incoming) {
    let mut reply = [0; REPLY];
    let transmit = core.router.refuse(incoming, &mut reply);
    core.answer(transmit, &reply);
}

pub(super) fn retry(core: &mut Core, now: Time, incoming: &router::Incoming) {
    let mut reply = [0; REPLY];
    let transmit = core.router.retry(now, incoming, &mut reply);
    core.answer(transmit, &reply);
}
