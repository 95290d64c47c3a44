//! The keys of a level that has one generation only: Initial or Handshake.

use super::initial::initial_secrets;
use super::keys::{OpenKey, SealKey};
use super::limits::Limits;
use super::opened::{OpenError, Opened, accept};
use super::window::ReceivedWindow;
use crate::crypto::{Provider, Secret, Suite};
use crate::error::TransportError;
use crate::ids::{ConnectionId, PacketNumber, PathId, Side};

/// Both directions' keys of a level, and how much they were used. These levels know path 0 only.
#[derive(Debug)]
pub struct LevelKeys {
    seal: SealKey,
    open: OpenKey,
    limits: Limits,
}

impl LevelKeys {
    /// The keys of the two directions' traffic secrets: `seal` of what this end sends.
    pub fn new(provider: &dyn Provider, suite: Suite, seal: &Secret, open: &Secret) -> Self {
        Self {
            seal: SealKey::new(provider, suite, seal),
            open: OpenKey::new(provider, suite, open),
            limits: Limits::new(suite),
        }
    }

    /// The Initial keys of this `side` of a connection whose client chose `odcid`. The suite is
    /// always AES-256-GCM.
    pub fn initial(provider: &dyn Provider, odcid: &ConnectionId, side: Side) -> Self {
        let secrets = initial_secrets(provider, odcid);
        Self::new(provider, Suite::Aes256Gcm, secrets.of(side), secrets.of(side.peer()))
    }

    /// Seals a packet in place, as [`SealKey::seal`] does. Fails, and changes nothing, once the key
    /// is used up.
    pub fn seal(
        &mut self,
        number: PacketNumber,
        packet: &mut [u8],
        number_at: usize,
        number_len: usize,
    ) -> Result<(), TransportError> {
        self.limits.count_sealed()?;
        self.seal.seal(PathId::default(), number, packet, number_at, number_len);
        Ok(())
    }

    /// Opens a packet in place. `packet` is the whole packet and no more; its number begins at
    /// `number_at`. The window is changed only by a packet that is authenticated and new.
    pub fn open(
        &mut self,
        window: &mut ReceivedWindow,
        packet: &mut [u8],
        number_at: usize,
    ) -> Result<Opened, OpenError> {
        let header = self.open.unprotect(packet, number_at, window.expected());
        let header = header.ok_or(OpenError::Drop)?;
        let Ok(payload) = self.open.open(PathId::default(), &header, packet) else {
            self.limits.count_forgeries(1)?;
            return Err(OpenError::Drop);
        };
        accept(window, &header, payload)
    }

    /// Fails when the connection should close while it still can: fewer than
    /// [`CLOSE_RESERVE`](super::CLOSE_RESERVE) packets can still be sealed.
    pub fn check_limits(&self) -> Result<(), TransportError> {
        self.limits.check()
    }

    /// How many packets failed authentication.
    pub const fn forgeries(&self) -> u64 {
        self.limits.forgeries()
    }
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    #![allow(clippy::unwrap_used)] // in helpers too

    use super::super::fixture::{PAYLOAD, Plain};
    use super::*;
    use crate::crypto::TAG_LEN;
    use crate::crypto::rustcrypto::RustCrypto;
    use crate::error::Code;
    use crate::wire::header::{Kind, LONG_RESERVED, Packet};
    use std::vec::Vec;

    fn pair(suite: Suite) -> (LevelKeys, LevelKeys) {
        let (a, b) = (Secret::new([1; 32]), Secret::new([2; 32]));
        (LevelKeys::new(&RustCrypto, suite, &a, &b), LevelKeys::new(&RustCrypto, suite, &b, &a))
    }

    fn seal(keys: &mut LevelKeys, plain: Plain) -> Vec<u8> {
        let Plain { mut bytes, number, number_at, number_len } = plain;
        keys.seal(number, &mut bytes, number_at, number_len).unwrap();
        bytes
    }

    /// Opens what [`seal`] gave.
    fn open(
        keys: &mut LevelKeys,
        window: &mut ReceivedWindow,
        packet: &mut [u8],
    ) -> Result<Opened, OpenError> {
        let Ok(Packet::Protected(parsed)) = Packet::parse(packet) else {
            return Err(OpenError::Drop);
        };
        keys.open(window, packet, parsed.number_at)
    }

    #[test]
    fn what_one_side_seals_the_other_opens_in_every_suite_and_number_length() {
        for suite in Suite::ALL {
            let (mut client, mut server) = pair(suite);
            for (number, acked) in
                [(1, Some(0)), (300, Some(1)), (40_000, Some(2)), (9_000_000, Some(3))]
            {
                let plain = Plain::sized(Kind::Handshake, false, number, acked);
                let mut window = ReceivedWindow::new();
                window.commit(PacketNumber(number - 1));
                let mut packet = seal(&mut client, plain.clone());
                let body = plain.number_at..plain.bytes.len() - TAG_LEN;
                assert_ne!(packet[body.clone()], plain.bytes[body.clone()]);
                let opened = open(&mut server, &mut window, &mut packet).unwrap();
                assert_eq!(opened.number, PacketNumber(number));
                assert_eq!(&packet[opened.payload], PAYLOAD);
                assert_eq!(packet[..body.end], plain.bytes[..body.end], "header restored");
            }
        }
    }

    #[test]
    fn initial_keys_follow_from_the_connection_id_and_the_side() {
        let [one, two] = [[1; 8], [2; 8]].map(ConnectionId::from);
        let mut client = LevelKeys::initial(&RustCrypto, &one, Side::Client);
        let packet = seal(&mut client, Plain::new(Kind::Initial, false, 0));
        let try_with = |id, side| {
            let mut keys = LevelKeys::initial(&RustCrypto, id, side);
            open(&mut keys, &mut ReceivedWindow::new(), &mut packet.clone())
        };
        assert!(try_with(&one, Side::Server).is_ok());
        assert_eq!(try_with(&one, Side::Client), Err(OpenError::Drop));
        assert_eq!(try_with(&two, Side::Server), Err(OpenError::Drop));
    }

    #[test]
    fn every_flipped_bit_is_refused_and_changes_nothing() {
        for suite in Suite::ALL {
            let (mut client, mut server) = pair(suite);
            let plain = Plain::sized(Kind::Handshake, false, 5, Some(0));
            let number_at = plain.number_at;
            let packet = seal(&mut client, plain);
            let mut window = ReceivedWindow::new();
            for bit in 0..packet.len() * 8 {
                let mut forged = packet.clone();
                forged[bit / 8] ^= 1 << (bit % 8);
                let sent = forged.clone();
                let refused = server.open(&mut window, &mut forged, number_at);
                assert_eq!(refused, Err(OpenError::Drop), "{suite} bit {bit}");
                assert_eq!((window.largest(), window.ranges().next()), (None, None));
                // A stateless reset is still told by its end, and nothing else is left.
                let end = sent.len() - TAG_LEN;
                assert_eq!(forged[end..], sent[end..]);
                assert!(forged[number_at + 4..end].iter().all(|&byte| byte == 0));
            }
            assert_eq!(server.forgeries(), packet.len() as u64 * 8);
            assert!(server.open(&mut window, &mut packet.clone(), number_at).is_ok());
        }
    }

    #[test]
    fn a_replayed_packet_is_dropped_without_counting_as_forged() {
        let (mut client, mut server) = pair(Suite::Aes256Gcm);
        let mut window = ReceivedWindow::new();
        let packets: Vec<_> =
            (0..3).map(|n| seal(&mut client, Plain::new(Kind::Handshake, false, n))).collect();
        for n in [2, 0, 1] {
            assert!(open(&mut server, &mut window, &mut packets[n].clone()).is_ok());
        }
        for packet in packets {
            let again = open(&mut server, &mut window, &mut packet.clone());
            assert_eq!(again, Err(OpenError::Duplicate));
        }
        assert_eq!(server.forgeries(), 0);
    }

    #[test]
    fn reserved_bits_end_the_connection_only_if_the_packet_is_authentic_and_new() {
        let (mut client, mut server) = pair(Suite::Aes256Gcm);
        let mut window = ReceivedWindow::new();
        let mut plain = Plain::new(Kind::Handshake, false, 7);
        plain.bytes[0] |= LONG_RESERVED;
        let packet = seal(&mut client, plain);
        let mut forged = packet.clone();
        *forged.last_mut().unwrap() ^= 1;
        assert_eq!(open(&mut server, &mut window, &mut forged), Err(OpenError::Drop));
        let Err(OpenError::Fatal(error)) = open(&mut server, &mut window, &mut packet.clone())
        else {
            panic!("reserved bits accepted");
        };
        assert_eq!(error.code, Code::PROTOCOL_VIOLATION);
        assert_eq!(window.largest(), None);
        window.commit(PacketNumber(7));
        let again = open(&mut server, &mut window, &mut packet.clone());
        assert_eq!(again, Err(OpenError::Duplicate));
    }

    #[test]
    fn short_and_odd_packets_are_dropped_whatever_their_number_offset() {
        let (_, mut server) = pair(Suite::Aes256Gcm);
        let mut window = ReceivedWindow::new();
        for len in 0..40 {
            for number_at in (0..45).chain([usize::MAX - 3, usize::MAX]) {
                let mut packet = std::vec![0x40; len];
                let refused = server.open(&mut window, &mut packet, number_at);
                assert_eq!(refused, Err(OpenError::Drop));
            }
        }
    }

    #[test]
    fn the_limits_end_the_connection() {
        let (mut client, mut server) = pair(Suite::Aes256Gcm);
        let suite = Suite::Aes256Gcm;
        let plain = Plain::new(Kind::Handshake, false, 1);
        client.limits.set(suite.confidentiality_limit(), 0);
        let mut packet = plain.bytes.clone();
        let refused = client.seal(plain.number, &mut packet, plain.number_at, plain.number_len);
        assert_eq!(refused.unwrap_err().code, Code::AEAD_LIMIT);
        assert_eq!(packet, plain.bytes, "a packet that is refused stays as it was");
        assert!(client.check_limits().is_err());

        server.limits.set(0, suite.integrity_limit() - 1);
        let Err(OpenError::Fatal(error)) =
            server.open(&mut ReceivedWindow::new(), &mut packet, plain.number_at)
        else {
            panic!("limit ignored");
        };
        assert_eq!(error.code, Code::AEAD_LIMIT);
    }
}
