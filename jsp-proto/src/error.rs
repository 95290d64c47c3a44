//! Why connections end (`spec/10-errors.md`).

use alloc::string::String;
use core::fmt;

/// A code that the application chose: at most 2^62 - 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppCode(pub u64);

impl AppCode {
    /// The largest code that the wire can express.
    pub const MAX: Self = Self((1 << 62) - 1);
}

macro_rules! codes {
    ($($(#[$doc:meta])+ $name:ident = $value:literal, $text:literal;)+) => {
        /// A code of the transport itself. Unknown codes keep their number.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct Code(pub u64);

        impl Code {
            $($(#[$doc])+ pub const $name: Self = Self($value);)+
        }

        impl fmt::Display for Code {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.0 {
                    $($value => f.write_str($text),)+
                    other => write!(f, "unknown code {other:#x}"),
                }
            }
        }
    };
}

codes! {
    /// Closed without an error.
    NO_ERROR = 0x00, "no error";
    /// The endpoint's own fault.
    INTERNAL = 0x01, "internal error";
    /// The server does not take this connection.
    REFUSED = 0x02, "connection refused";
    /// More data than was allowed.
    FLOW_CONTROL = 0x03, "flow control violated";
    /// More streams than were allowed.
    STREAM_LIMIT = 0x04, "stream limit exceeded";
    /// A frame that the stream's state does not allow.
    STREAM_STATE = 0x05, "stream state violated";
    /// A final size that changed or was exceeded.
    FINAL_SIZE = 0x06, "final size violated";
    /// A frame that does not parse.
    FRAME_ENCODING = 0x07, "malformed frame";
    /// Parameters that do not parse or are out of range.
    PARAMETER = 0x08, "bad transport parameter";
    /// More connection IDs than were allowed.
    CONNECTION_ID_LIMIT = 0x09, "connection ID limit exceeded";
    /// Any other violation.
    PROTOCOL_VIOLATION = 0x0a, "protocol violation";
    /// Data of the handshake beyond what is buffered.
    CRYPTO_BUFFER = 0x0b, "handshake data too large";
    /// Keys updated too early or too often.
    KEY_UPDATE = 0x0c, "key update violation";
    /// The AEAD's limit of use or of forgeries was reached.
    AEAD_LIMIT = 0x0d, "AEAD limit reached";
    /// A stream received in more pieces than are kept.
    FRAGMENTATION = 0x0e, "stream too fragmented";
    /// No version in common, or a negotiation that was tampered with.
    VERSION = 0x0f, "version negotiation failed";
    /// A handshake message that does not parse, or out of turn.
    HANDSHAKE_MESSAGE = 0x10, "malformed handshake message";
    /// No cipher suite in common.
    NO_SUITE = 0x11, "no common cipher suite";
    /// No application protocol in common.
    NO_ALPN = 0x12, "no common application protocol";
    /// The peer could not prove its identity, or it is not trusted; one code for all reasons.
    IDENTITY = 0x13, "identity not accepted";
    /// The handshake's Finished did not verify.
    FINISHED = 0x14, "handshake integrity check failed";
    /// A key share that does not parse.
    KEY_SHARE = 0x15, "bad key share";
    /// The server has no identity of the requested name.
    UNKNOWN_NAME = 0x16, "unknown server name";
    /// The server requires the client to prove an identity, and it has none.
    IDENTITY_REQUIRED = 0x17, "client identity required";
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#04x} ({self})", self.0)
    }
}

/// A fault that ends the connection; the peer is told its code and reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportError {
    /// What kind of fault.
    pub code: Code,
    /// The type of the frame that caused it, or 0.
    pub frame: u8,
    /// For people. It never holds anything that the peer should not know.
    pub reason: &'static str,
}

impl TransportError {
    /// A fault that no single frame caused.
    #[cold]
    #[inline(never)]
    pub const fn new(code: Code, reason: &'static str) -> Self {
        Self { code, frame: 0, reason }
    }

    /// The same fault, caused by a frame of type `frame`.
    #[must_use]
    #[cold]
    #[inline(never)]
    pub const fn in_frame(mut self, frame: u8) -> Self {
        self.frame = frame;
        self
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.reason)
    }
}

impl core::error::Error for TransportError {}

/// Why a connection ended. It is told once, as the connection's last event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// This end's application closed it.
    Local {
        /// The application's code.
        code: AppCode,
    },
    /// The peer's application closed it.
    Remote {
        /// The application's code.
        code: AppCode,
        /// The application's words, lossily decoded; at most 1024 bytes.
        reason: String,
    },
    /// This end found a fault of the peer's, or its own.
    LocalError(TransportError),
    /// The peer's transport closed it.
    RemoteError {
        /// The peer's code.
        code: Code,
        /// The type of the frame that it blames, or 0.
        frame: u8,
        /// The peer's words, lossily decoded; at most 1024 bytes.
        reason: String,
    },
    /// Nothing was received for the idle timeout.
    IdleTimeout,
    /// The handshake did not complete in time.
    HandshakeTimeout,
    /// The peer lost the connection's state and said so.
    StatelessReset,
    /// The server speaks none of our versions.
    VersionMismatch,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local { code } => write!(f, "closed by this application (code {})", code.0),
            Self::Remote { code, reason } => {
                write!(f, "closed by the peer's application (code {}): {reason:?}", code.0)
            }
            Self::LocalError(error) => write!(f, "closed by this end: {error}"),
            Self::RemoteError { code, reason, .. } => {
                write!(f, "closed by the peer: {code}: {reason:?}")
            }
            Self::IdleTimeout => f.write_str("timed out: nothing was received from the peer"),
            Self::HandshakeTimeout => f.write_str("timed out during the handshake"),
            Self::StatelessReset => f.write_str("the peer lost the connection's state"),
            Self::VersionMismatch => f.write_str("the peer speaks no common version"),
        }
    }
}

impl core::error::Error for CloseReason {}
