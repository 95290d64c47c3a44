//! Threat: a frame in the wrong packet type or role. The whole matrix, written out as the
//! specification has it, against the engine's table.

use crate::ids::{Side, Space};
use crate::wire::permission::permitted;

/// One row a frame type: Initial, Handshake, 1-RTT from the client, 1-RTT from the server.
#[rustfmt::skip]
const MATRIX: [(u8, &str, [bool; 4]); 22] = {
    const Y: bool = true;
    const N: bool = false;
    [
        (0x00, "PADDING",              [Y, Y, Y, Y]),
        (0x01, "PING",                 [Y, Y, Y, Y]),
        (0x02, "ACK",                  [Y, Y, Y, Y]),
        (0x03, "ACK_ECN",              [Y, Y, Y, Y]),
        (0x04, "RESET_STREAM",         [N, N, Y, Y]),
        (0x05, "STOP_SENDING",         [N, N, Y, Y]),
        (0x06, "CRYPTO",               [Y, Y, N, N]),
        (0x07, "ACK_FREQUENCY",        [N, N, Y, Y]),
        (0x10, "MAX_DATA",             [N, N, Y, Y]),
        (0x11, "MAX_STREAM_DATA",      [N, N, Y, Y]),
        (0x12, "MAX_STREAMS bidi",     [N, N, Y, Y]),
        (0x13, "MAX_STREAMS uni",      [N, N, Y, Y]),
        (0x14, "DATA_BLOCKED",         [N, N, Y, Y]),
        (0x15, "STREAM_DATA_BLOCKED",  [N, N, Y, Y]),
        (0x16, "STREAMS_BLOCKED bidi", [N, N, Y, Y]),
        (0x17, "STREAMS_BLOCKED uni",  [N, N, Y, Y]),
        (0x18, "NEW_CONNECTION_ID",    [N, N, Y, Y]),
        (0x19, "RETIRE_CONNECTION_ID", [N, N, Y, Y]),
        (0x1c, "CONNECTION_CLOSE",     [Y, Y, Y, Y]),
        (0x1d, "APPLICATION_CLOSE",    [N, N, Y, Y]),
        (0x1e, "HANDSHAKE_DONE",       [N, N, N, Y]),
        (0x1f, "IMMEDIATE_ACK",        [N, N, Y, Y]),
    ]
};

/// The row of STREAM, which is every type from 0x80 on.
const STREAM: [bool; 4] = [false, false, true, true];

#[test]
fn a_frame_in_the_wrong_packet_type_or_role_is_not_permitted() {
    for kind in 0..=u8::MAX {
        let row = MATRIX.iter().find(|row| row.0 == kind);
        let (name, allowed) = match row {
            Some(&(_, name, allowed)) => (name, allowed),
            None if kind >= 0x80 => ("STREAM", STREAM),
            None => ("unknown", [false; 4]),
        };
        for side in [Side::Client, Side::Server] {
            let told = [
                permitted(kind, Space::Initial, side),
                permitted(kind, Space::Handshake, side),
                permitted(kind, Space::Data, Side::Client),
                permitted(kind, Space::Data, Side::Server),
            ];
            assert_eq!(told, allowed, "{name} ({kind:#04x}) from {side:?}");
        }
    }
}
