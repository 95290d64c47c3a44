//! Which frame may travel in which packet, from which side: one static table
//! (`spec/03-frames.md`, section 3.1).

use super::frame::kind;
use crate::ids::{Side, Space};

/// Initial packets, from either side.
const I: u8 = 1;
/// Handshake packets, from either side.
const H: u8 = 2;
/// 1-RTT packets from the client.
const C: u8 = 4;
/// 1-RTT packets from the server.
const S: u8 = 8;
/// 1-RTT packets, from either side.
const D: u8 = C | S;

/// What each frame type below 0x20 may travel in.
const TABLE: [u8; 32] = {
    let mut table = [0; 32];
    table[kind::PADDING as usize] = I | H | D;
    table[kind::PING as usize] = I | H | D;
    table[kind::ACK as usize] = I | H | D;
    table[kind::ACK_ECN as usize] = I | H | D;
    table[kind::RESET_STREAM as usize] = D;
    table[kind::STOP_SENDING as usize] = D;
    table[kind::CRYPTO as usize] = I | H;
    table[kind::ACK_FREQUENCY as usize] = D;
    table[kind::MAX_DATA as usize] = D;
    table[kind::MAX_STREAM_DATA as usize] = D;
    table[kind::MAX_STREAMS_BIDI as usize] = D;
    table[kind::MAX_STREAMS_UNI as usize] = D;
    table[kind::DATA_BLOCKED as usize] = D;
    table[kind::STREAM_DATA_BLOCKED as usize] = D;
    table[kind::STREAMS_BLOCKED_BIDI as usize] = D;
    table[kind::STREAMS_BLOCKED_UNI as usize] = D;
    table[kind::NEW_CONNECTION_ID as usize] = D;
    table[kind::RETIRE_CONNECTION_ID as usize] = D;
    table[kind::CONNECTION_CLOSE as usize] = I | H | D;
    table[kind::APPLICATION_CLOSE as usize] = D;
    table[kind::HANDSHAKE_DONE as usize] = S;
    table[kind::IMMEDIATE_ACK as usize] = D;
    table
};

/// Whether a frame that begins with `kind` may come from `sender` in a packet of `space`. Types that
/// do not exist are permitted nowhere.
pub fn permitted(kind: u8, space: Space, sender: Side) -> bool {
    let packet = match (space, sender) {
        (Space::Initial, _) => I,
        (Space::Handshake, _) => H,
        (Space::Data, Side::Client) => C,
        (Space::Data, Side::Server) => S,
    };
    let allowed = if kind & kind::STREAM != 0 {
        D
    } else {
        TABLE.get(usize::from(kind)).copied().unwrap_or(0)
    };
    allowed & packet != 0
}
