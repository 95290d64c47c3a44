//! What a connection needs for its handshake only, and drops when that is confirmed.

use super::deferred::Deferred;
use crate::handshake::Handshake;
use crate::ids::ConnectionId;
use crate::time::Time;
use alloc::vec::Vec;

/// A connection's beginning: who said what in the open, and what waits for keys.
pub(super) struct Opening {
    /// `None` only while the connection is being made.
    pub(super) handshake: Option<Handshake>,
    pub(super) began: Time,
    /// When the connection gives up.
    pub(super) deadline: Time,
    /// The destination of the client's Initials: the client's random choice, or the Retry's source.
    pub(super) initial_dcid: ConnectionId,
    /// The client's first choice.
    pub(super) original_dcid: ConnectionId,
    /// The source of the Retry, if there was one.
    pub(super) retry_scid: Option<ConnectionId>,
    /// The source of the peer's first packet.
    pub(super) peer_scid: Option<ConnectionId>,
    /// What a Retry demanded in each Initial.
    pub(super) token: Vec<u8>,
    /// Length of the ClientHello that this end sent; 0 on a server.
    pub(super) hello_len: usize,
    /// Packets that came before their keys.
    pub(super) deferred: Deferred,
    /// Packets that failed to open under keys that are gone.
    pub(super) forgeries: u64,
}

impl Opening {
    pub(super) fn new(
        began: Time,
        deadline: Time,
        initial_dcid: ConnectionId,
        original_dcid: ConnectionId,
    ) -> Self {
        Self {
            handshake: None,
            began,
            deadline,
            initial_dcid,
            original_dcid,
            retry_scid: None,
            peer_scid: None,
            token: Vec::new(),
            hello_len: 0,
            deferred: Deferred::default(),
            forgeries: 0,
        }
    }

    /// Whether nothing has come from the peer yet, not even a Retry.
    pub(super) const fn is_unanswered(&self) -> bool {
        self.peer_scid.is_none() && self.retry_scid.is_none()
    }
}
