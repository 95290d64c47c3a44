//! Who has the secrets of a connection can forge what its peer would never send, by the public interface alone:
//! the traffic secret from a key log, the number, key generation and destination from a tap.

#![cfg(feature = "rustcrypto")]
#![allow(clippy::unwrap_used, reason = "a test that fails here has failed")]

#[path = "support/pair.rs"]
mod pair;

use jsp_proto::connection::TransportConfig;
use jsp_proto::error::{CloseReason, Code};
use jsp_proto::ids::{PacketNumber, Side};
use jsp_proto::time::Duration;
use jsp_proto::wire::Writer;
use jsp_proto::wire::frame::{AckFrame, Frame, Frames};
use pair::Pair;

/// An ACK frame of packet `number` alone.
fn ack(number: u64, bytes: &mut [u8; 64]) -> Frame<'_> {
    let mut w = Writer::new(bytes);
    AckFrame::write(&mut w, 64, [number..=number].into_iter(), Duration::ZERO, None).unwrap();
    let len = w.len();
    Frames::new(&bytes[..len]).next().unwrap().unwrap().1
}

#[test]
fn a_forged_packet_opens_after_any_number_of_key_updates() {
    for updates in [0, 1, 2] {
        let mut pair = Pair::connected(TransportConfig::default());
        for _ in 0..updates {
            pair.client.update_keys();
            pair.client.ping();
            pair.run(Duration::from_millis(1000));
        }
        assert_eq!(pair.client.stats().counts.key_updates, updates);
        // (That the server then acknowledges it to a client that knows nothing of it is another matter.)
        let received = pair.server().stats().counts.packets_received;
        let ping = pair.forge(Side::Client, &[Frame::Ping]);
        pair.deliver(Side::Client, ping);
        assert_eq!(pair.server().stats().counts.packets_received, received + 1);
        assert!(pair.book.of(Side::Server, |notes| notes.refused.is_empty()));
    }
}

#[test]
fn an_ack_of_what_was_never_sent_ends_the_connection() {
    let mut pair = Pair::connected(TransportConfig::default());
    let mut bytes = [0; 64];
    let frame = ack(PacketNumber(1 << 20).0, &mut bytes);
    let packet = pair.forge(Side::Client, &[frame]);
    pair.deliver(Side::Client, packet);
    pair.run(Duration::from_millis(100));
    let Some(CloseReason::LocalError(error)) = pair.closed(Side::Server) else {
        panic!("{:?}", pair.closed(Side::Server));
    };
    assert_eq!(error.code, Code::PROTOCOL_VIOLATION);
}
