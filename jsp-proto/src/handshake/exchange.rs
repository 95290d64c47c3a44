//! What the client's and the server's state machines have in common: their bytes, their outputs,
//! and what is known so far.

use super::crypto_stream::CryptoStreams;
use super::identity::Identity;
use super::messages::Feature;
use super::output::{Completed, Output};
use super::schedule::{ApplicationStage, HandshakeStage, Traffic};
use super::transcript::Transcript;
use crate::crypto::Suite;
use crate::error::{Code, TransportError};
use crate::ids::{Side, Space};
use crate::wire::parameters::Parameters;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use subtle::ConstantTimeEq;

/// The common part.
pub(super) struct Exchange {
    pub(super) side: Side,
    pub(super) streams: CryptoStreams,
    pub(super) outputs: VecDeque<Output>,
    pub(super) suite: Option<Suite>,
    pub(super) alpn: Option<Vec<u8>>,
    pub(super) features: Vec<Feature>,
    /// Set once the peer has proved it.
    pub(super) peer: Option<Identity>,
}

impl Exchange {
    pub(super) fn new(side: Side) -> Self {
        Self {
            side,
            streams: CryptoStreams::new(),
            outputs: VecDeque::new(),
            suite: None,
            alpn: None,
            features: Vec::new(),
            peer: None,
        }
    }

    /// Queues a message and adds it to the transcript.
    pub(super) fn send(&mut self, space: Space, transcript: &mut Transcript, message: &[u8]) {
        transcript.add(message);
        self.streams.send(space, message);
    }

    /// Gives out keys.
    pub(super) fn keys(&mut self, space: Space, suite: Suite, traffic: &Traffic) {
        let (seal, open) = traffic.seal_and_open(self.side);
        self.outputs.push_back(Output::Keys { space, suite, seal, open });
    }

    /// The handshake is complete; the client's Finished is in the transcript.
    pub(super) fn complete(&mut self, proven: Proven) {
        let (exporter, resumption) = proven.keys.complete(&proven.transcript.hash());
        self.outputs.push_back(Output::Complete(Completed {
            alpn: self.alpn.clone(),
            peer: self.peer.clone(),
            exporter,
            resumption,
            features: self.features.clone(),
        }));
    }
}

/// Between ServerHello and the server's Finished.
pub(super) struct Secured {
    pub(super) suite: Suite,
    pub(super) keys: HandshakeStage,
    pub(super) transcript: Transcript,
}

/// After the server's Finished.
pub(super) struct Proven {
    pub(super) suite: Suite,
    pub(super) keys: ApplicationStage,
    pub(super) transcript: Transcript,
}

impl Secured {
    /// Moves on; the server's Finished is in the transcript.
    pub(super) fn proven(self) -> Proven {
        let Self { suite, keys, transcript } = self;
        Proven { suite, keys: keys.application(&transcript.hash()), transcript }
    }
}

/// Whether two MACs are equal, in constant time.
pub(super) fn same_mac(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.ct_eq(b).into()
}

/// A Finished that does not verify: somebody changed a message.
pub(super) const BAD_FINISHED: TransportError =
    TransportError::new(Code::FINISHED, "handshake integrity check failed");

/// The peer's parameters.
pub(super) fn decode_parameters(bytes: &[u8]) -> Result<Parameters, TransportError> {
    Parameters::decode(bytes)
        .map_err(|_| TransportError::new(Code::PARAMETER, "transport parameters do not parse"))
}
