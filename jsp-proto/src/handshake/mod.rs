//! The handshake: who speaks with whom, under which keys (`spec/04-handshake.md`).
//!
//! TLS 1.3's state machine (SIGMA-I) with messages of our own. It owns the handshake's bytes in both
//! directions and the secrets until they are handed out; it promises that [`Output::Complete`] comes
//! only when the peer has seen the same messages and proved what it had to.
//!
//! ```text
//! client                                             server
//! ClientHello ------------------------------------->            Initial
//!             <------------------------------------- ServerHello
//!             <--- Encrypted, Identity, Proof, Finished         Handshake
//! [Identity, Proof,] Finished --------------------->
//! ```
//!
//! A connection feeds CRYPTO frames to [`Handshake::receive`], acts on [`Handshake::poll`] until it
//! gives nothing more, and asks [`Handshake::write_crypto`] for what to send. It drops the handshake
//! when it is confirmed.

mod assembler;
mod client;
mod config;
mod crypto_stream;
mod exchange;
mod grease;
mod identity;
mod key_log;
mod messages;
mod names;
mod negotiate;
mod outgoing;
mod output;
mod peek;
mod proof;
mod ranges;
mod schedule;
mod secret_file;
mod server;
mod transcript;
mod verify;

#[cfg(test)]
#[cfg(feature = "rustcrypto")]
mod tests;

pub use assembler::Assembler;
pub use client::Client;
pub use config::{ClientAuth, ClientConfig, ServerConfig};
pub use identity::{Identity, IdentitySet, PeerIdentity};
pub use key_log::{KeyLog, label};
pub use messages::Feature;
pub use names::{AlpnList, BadAlpn, BadServerName, ServerName};
pub use output::{Completed, Output, SignRequest};
pub use peek::{ClientHelloInfo, Peeked, peek_client_hello};
pub use schedule::{BadExport, export};
pub use secret_file::{BadSecret, decode_secret, encode_secret};
pub use server::Server;
pub use verify::{
    AcceptAny, AllowList, Peer, PinStore, Pinned, Rejected, TrustOnFirstUse, Verifier,
};

use crate::crypto::{CryptoError, Signature, Suite};
use crate::error::TransportError;
use crate::ids::{ConnectionId, Side, Space};
use crate::record::{Held, SentFrame};
use crate::rng::Rng;
use crate::wire::Writer;
use crate::wire::parameters::Parameters;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use exchange::Exchange;

/// A handshake under way, of either side.
pub enum Handshake {
    /// The client's side.
    Client(Box<Client>),
    /// The server's side.
    Server(Box<Server>),
}

impl Handshake {
    /// A client's handshake; its ClientHello is ready to be written. Everything random comes from
    /// `rng`. `odcid` is the destination of its first Initial.
    ///
    /// # Errors
    /// [`Code::INTERNAL`](crate::error::Code::INTERNAL) if the provider cannot generate a key.
    pub fn client(
        config: Arc<ClientConfig>,
        rng: Rng,
        parameters: &Parameters,
        odcid: ConnectionId,
    ) -> Result<Self, TransportError> {
        Ok(Self::Client(Box::new(Client::new(config, rng, parameters, odcid)?)))
    }

    /// A server's handshake, which waits for the ClientHello. `odcid` is the destination of the
    /// client's very first Initial, `retried` whether a Retry answered that.
    pub fn server(
        config: Arc<ServerConfig>,
        rng: Rng,
        parameters: Parameters,
        odcid: ConnectionId,
        retried: bool,
    ) -> Self {
        Self::Server(Box::new(Server::new(config, rng, parameters, odcid, retried)))
    }

    /// A client accepted a Retry: its ClientHello is sent again, unchanged.
    pub fn on_retry(&mut self) {
        if let Self::Client(client) = self {
            client.on_retry();
        }
    }

    /// Takes the content of a CRYPTO frame that arrived in a packet of `space`.
    ///
    /// # Errors
    /// The connection must end with the error; every later call gives it again.
    pub fn receive(
        &mut self,
        space: Space,
        offset: u64,
        data: &[u8],
    ) -> Result<(), TransportError> {
        match self {
            Self::Client(client) => client.receive(space, offset, data),
            Self::Server(server) => server.receive(space, offset, data),
        }
    }

    /// Takes the answer to [`Output::Sign`]. Without a request it changes nothing.
    ///
    /// # Errors
    /// The connection must end with the error.
    pub fn provide_signature(
        &mut self,
        signature: Result<Signature, CryptoError>,
    ) -> Result<(), TransportError> {
        match self {
            Self::Client(client) => client.provide_signature(signature),
            Self::Server(server) => server.provide_signature(signature),
        }
    }

    /// The next thing to act on.
    pub fn poll(&mut self) -> Option<Output> {
        self.exchange_mut().outputs.pop_front()
    }

    /// Whether CRYPTO frames are to be sent in `space`.
    pub fn has_crypto(&self, space: Space) -> bool {
        self.exchange().streams.has_data(space)
    }

    /// Writes CRYPTO frames of `space` with at most `limit` bytes of handshake data between them, as
    /// far as there is room, and notes them in `sent`. Returns the bytes of handshake data written.
    pub fn write_crypto(
        &mut self,
        space: Space,
        w: &mut Writer<'_>,
        sent: &mut Vec<SentFrame>,
        limit: usize,
    ) -> usize {
        self.exchange_mut().streams.write(space, w, sent, limit)
    }

    /// The peer has these bytes.
    pub fn on_acked(&mut self, space: Space, start: u32, len: u32) {
        if let Some(outgoing) = self.exchange_mut().streams.outgoing(space) {
            outgoing.on_acked(start..start.saturating_add(len));
        }
    }

    /// A packet with these bytes was lost: they are sent again, but for those that arrived since.
    pub fn on_lost(&mut self, space: Space, start: u32, len: u32) {
        if let Some(outgoing) = self.exchange_mut().streams.outgoing(space) {
            outgoing.on_lost(start..start.saturating_add(len));
        }
    }

    /// A probe timeout expired: what is sent again begins with another piece each time.
    pub fn on_probe(&mut self) {
        for space in [Space::Initial, Space::Handshake] {
            if let Some(outgoing) = self.exchange_mut().streams.outgoing(space) {
                outgoing.turn();
            }
        }
    }

    /// Bytes of handshake messages that this end sends, so far. Before a client's first packet it is
    /// the length of its ClientHello.
    pub fn bytes_sent(&self) -> u32 {
        self.exchange().streams.totals().0
    }

    /// Bytes of handshake messages that were received whole.
    pub fn bytes_received(&self) -> u32 {
        self.exchange().streams.totals().1
    }

    /// The memory that the messages in both directions take, by capacity.
    pub fn memory(&self) -> Held {
        self.exchange().streams.memory()
    }

    /// Which end this is.
    pub fn side(&self) -> Side {
        self.exchange().side
    }

    /// The suite, once the server has chosen it.
    pub fn suite(&self) -> Option<Suite> {
        self.exchange().suite
    }

    /// The application protocol, once the server has chosen one. Authenticated at
    /// [`Output::Complete`].
    pub fn alpn(&self) -> Option<&[u8]> {
        self.exchange().alpn.as_deref()
    }

    /// Who the peer is, once it has proved that.
    pub fn peer_identity(&self) -> Option<&Identity> {
        self.exchange().peer.as_ref()
    }

    fn exchange(&self) -> &Exchange {
        match self {
            Self::Client(client) => &client.exchange,
            Self::Server(server) => &server.exchange,
        }
    }

    fn exchange_mut(&mut self) -> &mut Exchange {
        match self {
            Self::Client(client) => &mut client.exchange,
            Self::Server(server) => &mut server.exchange,
        }
    }
}
