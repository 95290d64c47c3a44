//! What a handshake hands to its connection.

use super::identity::Identity;
use super::messages::Feature;
use crate::crypto::{Fingerprint, Secret, Suite};
use crate::ids::Space;
use crate::wire::parameters::Parameters;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Something that the connection must act on, in order.
#[derive(Debug)]
pub enum Output {
    /// Keys for a packet-number space.
    Keys {
        /// The space: Handshake, then Data.
        space: Space,
        /// The suite of both directions.
        suite: Suite,
        /// This end seals with keys from it.
        seal: Secret,
        /// This end opens with keys from it.
        open: Secret,
    },
    /// The peer's parameters. A client gets them when the server has proved who it is, a server as
    /// soon as it has read them: those are authenticated once the handshake is complete.
    PeerParameters(Box<Parameters>),
    /// A signature is needed; the handshake waits for it.
    Sign(SignRequest),
    /// Both ends have proved what they had to.
    Complete(Completed),
}

/// A request for a signature, to be answered once, at any later time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignRequest {
    /// The identity whose private keys sign.
    pub identity: Fingerprint,
    /// What is signed, with each of its keys.
    pub message: Vec<u8>,
}

/// What remains of a handshake.
#[derive(Debug)]
pub struct Completed {
    /// The application protocol, if one was negotiated.
    pub alpn: Option<Vec<u8>>,
    /// Who the peer is, if it proved that.
    pub peer: Option<Identity>,
    /// Keys of the application come from it ([`export`](super::export)).
    pub exporter: Secret,
    /// Later connections resume with it.
    pub resumption: Secret,
    /// Optional parts of the protocol that both ends named.
    pub features: Vec<Feature>,
}
