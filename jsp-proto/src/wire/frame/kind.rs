//! The first byte of each frame. STREAM is any byte with the top bit set.

/// Fills a packet; no meaning.
pub const PADDING: u8 = 0x00;
/// Asks for an acknowledgement.
pub const PING: u8 = 0x01;
/// Acknowledges packets.
pub const ACK: u8 = 0x02;
/// Acknowledges packets and reports ECN counts.
pub const ACK_ECN: u8 = 0x03;
/// Ends the sending part of a stream abruptly.
pub const RESET_STREAM: u8 = 0x04;
/// Asks the peer to end its sending part of a stream.
pub const STOP_SENDING: u8 = 0x05;
/// Bytes of the handshake.
pub const CRYPTO: u8 = 0x06;
/// Asks the peer to acknowledge more or less often.
pub const ACK_FREQUENCY: u8 = 0x07;
/// Credit for the connection.
pub const MAX_DATA: u8 = 0x10;
/// Credit for a stream.
pub const MAX_STREAM_DATA: u8 = 0x11;
/// Credit for bidirectional streams.
pub const MAX_STREAMS_BIDI: u8 = 0x12;
/// Credit for unidirectional streams.
pub const MAX_STREAMS_UNI: u8 = 0x13;
/// The sender waits for credit of the connection.
pub const DATA_BLOCKED: u8 = 0x14;
/// The sender waits for credit of a stream.
pub const STREAM_DATA_BLOCKED: u8 = 0x15;
/// The sender waits to open a bidirectional stream.
pub const STREAMS_BLOCKED_BIDI: u8 = 0x16;
/// The sender waits to open a unidirectional stream.
pub const STREAMS_BLOCKED_UNI: u8 = 0x17;
/// Issues a connection ID.
pub const NEW_CONNECTION_ID: u8 = 0x18;
/// Retires a connection ID.
pub const RETIRE_CONNECTION_ID: u8 = 0x19;
/// The transport ends the connection.
pub const CONNECTION_CLOSE: u8 = 0x1c;
/// The application ends the connection.
pub const APPLICATION_CLOSE: u8 = 0x1d;
/// The server confirms the handshake.
pub const HANDSHAKE_DONE: u8 = 0x1e;
/// Asks for an acknowledgement at once.
pub const IMMEDIATE_ACK: u8 = 0x1f;
/// The bit that marks a STREAM frame.
pub const STREAM: u8 = 0x80;
