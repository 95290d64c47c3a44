//! Key updates between two ends: in order, out of order, and against the rules.
#![allow(clippy::unwrap_used)] // in helpers too

use super::super::fixture::{PAYLOAD, Plain};
use super::*;
use crate::crypto::rustcrypto::RustCrypto;
use crate::wire::header::Kind;
use quickcheck::quickcheck;
use std::vec::Vec;

const PTO: Duration = Duration::from_millis(100);
const PATH: PathId = PathId(0);

/// One end of a connection.
struct End {
    keys: DataKeys,
    window: ReceivedWindow,
    next: u64,
    now: Time,
}

#[derive(Clone)]
struct Sealed {
    bytes: Vec<u8>,
    number: PacketNumber,
    number_at: usize,
}

impl End {
    fn new(suite: Suite, seal: u8, open: u8) -> Self {
        let [seal, open] = [seal, open].map(|byte| Secret::new([byte; 32]));
        let mut keys = DataKeys::new(Arc::new(RustCrypto), suite, &seal, &open);
        keys.on_confirmed();
        Self { keys, window: ReceivedWindow::new(), next: 0, now: Time::ZERO }
    }

    fn seal_number(&mut self, number: u64) -> Sealed {
        let Plain { mut bytes, number, number_at, number_len } =
            Plain::new(Kind::Data, self.keys.phase(), number);
        self.keys.seal(PATH, number, &mut bytes, number_at, number_len).unwrap();
        self.next = number.0 + 1;
        Sealed { bytes, number, number_at }
    }

    fn seal(&mut self) -> Sealed {
        self.seal_number(self.next)
    }

    fn open(&mut self, packet: &Sealed) -> Result<(), OpenError> {
        let mut bytes = packet.bytes.clone();
        let Self { keys, window, now, .. } = self;
        let opened = keys.open(*now, PATH, window, &mut bytes, packet.number_at)?;
        assert_eq!(opened.number, packet.number);
        assert_eq!(&bytes[opened.payload], PAYLOAD);
        Ok(())
    }

    fn open_fails(&mut self, packet: &Sealed) -> Code {
        match self.open(packet) {
            Err(OpenError::Fatal(error)) => error.code,
            other => panic!("not refused as it should be: {other:?}"),
        }
    }

    fn expire_after(&mut self, time: Duration) {
        self.now += time;
        self.keys.expire(self.now, PTO);
    }
}

fn pair(suite: Suite) -> (End, End) {
    (End::new(suite, 1, 2), End::new(suite, 2, 1))
}

/// A packet each way, acknowledged; spare keys expire.
fn exchange(a: &mut End, b: &mut End) {
    let (there, back) = (a.seal(), b.seal());
    b.open(&there).unwrap();
    a.open(&back).unwrap();
    // Each end's answer, so that both have spoken since the other's last packet.
    let (there_again, back_again) = (a.seal(), b.seal());
    b.open(&there_again).unwrap();
    a.open(&back_again).unwrap();
    a.keys.on_acked(there.number);
    b.keys.on_acked(back.number);
    a.expire_after(PTO * 3);
    b.expire_after(PTO * 3);
}

#[test]
fn packets_travel_across_many_updates_of_either_side_in_every_suite() {
    for suite in Suite::ALL {
        let (mut a, mut b) = pair(suite);
        for round in 0..6 {
            exchange(&mut a, &mut b);
            let initiator = if round % 2 == 0 { &mut a } else { &mut b };
            assert!(initiator.keys.update(initiator.now));
            exchange(&mut a, &mut b);
            assert_eq!(a.keys.generation(), round + 1);
            assert_eq!(b.keys.generation(), round + 1);
            assert_eq!(a.keys.phase(), round % 2 == 0);
        }
        assert_eq!((a.keys.forgeries(), b.keys.forgeries()), (0, 0));
    }
}

#[test]
fn both_sides_may_update_at_once() {
    let (mut a, mut b) = pair(Suite::Aes256Gcm);
    exchange(&mut a, &mut b);
    assert!(a.keys.update(a.now) && b.keys.update(b.now));
    exchange(&mut a, &mut b);
    assert_eq!((a.keys.generation(), b.keys.generation()), (1, 1));
}

#[test]
fn packets_reordered_across_an_update_open_while_the_old_key_is_held() {
    let (mut a, mut b) = pair(Suite::ChaCha20Poly1305);
    exchange(&mut a, &mut b);
    let old: Vec<_> = (0..3).map(|_| a.seal()).collect();
    assert!(a.keys.update(a.now));
    let new: Vec<_> = (0..3).map(|_| a.seal()).collect();
    b.open(&new[1]).unwrap();
    b.open(&old[1]).unwrap();
    b.open(&new[0]).unwrap();
    b.open(&old[2]).unwrap();
    b.open(&new[2]).unwrap();
    assert_eq!(b.keys.next_timeout(PTO), Some(b.now + PTO * 3));
    b.expire_after(PTO * 2);
    assert!(b.keys.previous.is_some());
    b.expire_after(PTO);
    assert!(b.keys.previous.is_none());
    assert_eq!(b.open(&old[0]), Err(OpenError::Drop), "the key is gone");
}

#[test]
fn the_initiator_opens_old_packets_until_the_peer_follows() {
    let (mut a, mut b) = pair(Suite::Aes256Gcm);
    exchange(&mut a, &mut b);
    assert!(a.keys.update(a.now));
    // However long the answer takes.
    a.expire_after(PTO * 10);
    let old = [b.seal(), b.seal()];
    a.open(&old[0]).unwrap();
    assert!(!a.keys.can_update());
    b.open(&a.seal()).unwrap();
    let new = b.seal();
    a.open(&new).unwrap();
    a.open(&old[1]).unwrap();
}

#[test]
fn replays_are_refused_across_updates() {
    let (mut a, mut b) = pair(Suite::Aes256Gcm);
    let mut captured = Vec::new();
    for _ in 0..4 {
        exchange(&mut a, &mut b);
        captured.push(a.seal());
        b.open(captured.last().unwrap()).unwrap();
        for packet in &captured {
            assert!(matches!(b.open(packet), Err(OpenError::Drop | OpenError::Duplicate)));
        }
        assert!(a.keys.update(a.now));
        captured.push(a.seal());
        b.open(captured.last().unwrap()).unwrap();
        // The previous key is still held here.
        for packet in &captured {
            assert!(matches!(b.open(packet), Err(OpenError::Drop | OpenError::Duplicate)));
        }
    }
}

#[test]
fn every_flipped_bit_is_refused_and_begins_no_update() {
    for suite in Suite::ALL {
        let (mut a, mut b) = pair(suite);
        exchange(&mut a, &mut b);
        let (largest, generation) = (b.window.largest(), b.keys.generation());
        let packet = a.seal();
        for bit in 0..packet.bytes.len() * 8 {
            let mut forged = packet.clone();
            forged.bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(b.open(&forged), Err(OpenError::Drop), "{suite} bit {bit}");
        }
        assert_eq!(b.window.largest(), largest);
        assert_eq!(b.keys.generation(), generation);
        assert_eq!(b.keys.forgeries(), packet.bytes.len() as u64 * 8);
        b.open(&packet).unwrap();
    }
}

#[test]
fn a_forgery_prepares_the_next_key_whatever_its_phase_and_the_key_expires() {
    for bit in [0x00, KEY_PHASE] {
        let (mut a, mut b) = pair(Suite::Aes256Gcm);
        exchange(&mut a, &mut b);
        let mut forged = a.seal();
        forged.bytes[0] ^= bit;
        *forged.bytes.last_mut().unwrap() ^= 1;
        assert!(b.keys.next.is_none());
        // Neither change touches the sample: the phase is the true one, and the other.
        assert_eq!(b.open(&forged), Err(OpenError::Drop));
        assert!(b.keys.next.is_some());
        assert_eq!(b.keys.next_timeout(PTO), Some(b.now + PTO * 3));
        b.expire_after(PTO * 3);
        assert!(b.keys.next.is_none());
        assert_eq!(b.keys.next_timeout(PTO), None);
    }
}

#[test]
fn an_update_waits_for_confirmation_an_acknowledgement_and_the_old_keys_end() {
    let (mut a, mut b) = pair(Suite::Aes256Gcm);
    a.keys.confirmed = false;
    exchange(&mut a, &mut b);
    assert!(!a.keys.update(a.now), "not confirmed");
    a.keys.on_confirmed();
    let before = a.seal();
    assert!(a.keys.update(a.now));
    a.keys.on_acked(before.number);
    b.open(&a.seal()).unwrap();
    a.open(&b.seal()).unwrap();
    a.expire_after(PTO * 3);
    assert!(!a.keys.update(a.now), "only a packet of the old generation was acknowledged");
    let after = a.seal();
    a.keys.on_acked(after.number);
    assert!(a.keys.update(a.now));

    let (mut a, mut b) = pair(Suite::Aes256Gcm);
    exchange(&mut a, &mut b);
    assert!(a.keys.update(a.now));
    let after = a.seal();
    b.open(&after).unwrap();
    a.open(&b.seal()).unwrap();
    a.keys.on_acked(after.number);
    assert!(!a.keys.update(a.now), "packets of the previous generation may be on their way");
    a.expire_after(PTO * 3);
    assert!(a.keys.update(a.now));
}

#[test]
fn a_peer_that_updates_before_its_update_was_answered_is_refused() {
    let (mut a, mut b) = pair(Suite::Aes256Gcm);
    exchange(&mut a, &mut b);
    a.keys.advance_seal();
    b.open(&a.seal()).unwrap();
    a.keys.advance_seal();
    assert_eq!(b.open_fails(&a.seal()), Code::KEY_UPDATE);
}

#[test]
fn a_peer_that_updates_before_anything_was_said_to_it_is_refused() {
    let (mut a, mut b) = pair(Suite::Aes256Gcm);
    b.open(&a.seal()).unwrap();
    a.keys.advance_seal();
    assert_eq!(b.open_fails(&a.seal()), Code::KEY_UPDATE);
}

#[test]
fn a_lower_number_under_newer_keys_is_refused() {
    // The first packet of the new generation is older than one of the last generation.
    let (mut a, mut b) = pair(Suite::Aes256Gcm);
    exchange(&mut a, &mut b);
    b.open(&a.seal_number(100)).unwrap();
    a.keys.advance_seal();
    a.keys.sealed_to = PacketNumber(0);
    assert_eq!(b.open_fails(&a.seal_number(90)), Code::KEY_UPDATE);
    assert_eq!(b.window.largest(), Some(PacketNumber(100)));

    // A later one is.
    let (mut a, mut b) = pair(Suite::Aes256Gcm);
    exchange(&mut a, &mut b);
    b.open(&a.seal_number(100)).unwrap();
    a.keys.advance_seal();
    b.open(&a.seal_number(110)).unwrap();
    a.keys.sealed_to = PacketNumber(0);
    assert_eq!(b.open_fails(&a.seal_number(95)), Code::KEY_UPDATE);

    // Its number lies below that of a packet that was opened with the previous key.
    let (mut a, mut b) = pair(Suite::Aes256Gcm);
    exchange(&mut a, &mut b);
    let late = a.seal_number(105);
    a.keys.advance_seal();
    b.open(&a.seal_number(110)).unwrap();
    b.open(&late).unwrap();
    a.keys.sealed_to = PacketNumber(0);
    assert_eq!(b.open_fails(&a.seal_number(104)), Code::KEY_UPDATE);
}

#[test]
fn an_older_packet_under_the_previous_keys_is_all_that_they_open() {
    let (mut a, mut b) = pair(Suite::Aes256Gcm);
    exchange(&mut a, &mut b);
    let (late, too_late) = (a.seal_number(103), a.seal_number(107));
    a.keys.advance_seal();
    let new = a.seal_number(110);
    a.keys.sealed_to = PacketNumber(0);
    let reordered = a.seal_number(105);
    b.open(&new).unwrap();
    b.open(&reordered).unwrap();
    // Above a number of the newer generation the old keys are not tried (section 6.4).
    assert_eq!(b.open(&too_late), Err(OpenError::Drop));
    b.open(&late).unwrap();
}

#[test]
fn no_update_follows_one_that_the_peer_acknowledged_and_did_not_follow() {
    let (mut a, mut b) = pair(Suite::Aes256Gcm);
    exchange(&mut a, &mut b);
    assert!(a.keys.update(a.now));
    let number = a.seal().number;
    a.keys.on_acked(number);
    assert!(!a.keys.update(a.now));
    assert_eq!(a.keys.generation(), 1);
}

#[test]
fn an_update_is_due_long_before_the_limit_and_starts_the_count_anew() {
    let (mut a, mut b) = pair(Suite::Aes256Gcm);
    exchange(&mut a, &mut b);
    let limit = Suite::Aes256Gcm.confidentiality_limit();
    assert!(!a.keys.update_due());
    a.keys.limits.set(limit / 2, 7);
    assert!(a.keys.update_due() && a.keys.check_limits().is_ok());
    a.keys.limits.set(limit - 1, 7);
    assert_eq!(a.keys.check_limits().unwrap_err().code, Code::AEAD_LIMIT);
    assert!(a.keys.update(a.now));
    assert!(!a.keys.update_due() && a.keys.check_limits().is_ok());
    assert_eq!(a.keys.forgeries(), 7, "forgeries count on");
}

#[test]
fn forgeries_of_all_keys_count_together_up_to_the_limit() {
    let (mut a, mut b) = pair(Suite::ChaCha20Poly1305);
    exchange(&mut a, &mut b);
    b.keys.add_forgeries(Suite::ChaCha20Poly1305.integrity_limit() - 2).unwrap();
    let mut forged = a.seal();
    forged.bytes[30] ^= 1;
    assert_eq!(b.open(&forged), Err(OpenError::Drop));
    assert_eq!(b.open_fails(&forged), Code::AEAD_LIMIT);
}

#[test]
fn each_path_has_its_own_nonces() {
    let (mut a, mut b) = pair(Suite::Aes256Gcm);
    let Plain { bytes, number, number_at, number_len } = Plain::new(Kind::Data, false, 0);
    let (mut zero, mut one) = (bytes.clone(), bytes);
    a.keys.sealed_to = PacketNumber(0);
    a.keys.seal(PATH, number, &mut zero, number_at, number_len).unwrap();
    a.keys.sealed_to = PacketNumber(0);
    a.keys.seal(PathId(1), number, &mut one, number_at, number_len).unwrap();
    assert_ne!(zero, one);
    let refused = b.keys.open(b.now, PATH, &mut b.window, &mut one.clone(), number_at);
    assert_eq!(refused, Err(OpenError::Drop));
    assert!(b.keys.open(b.now, PathId(1), &mut b.window, &mut one, number_at).is_ok());
}

/// A packet on its way, of which generation, and what its sender had received.
struct Sent {
    packet: Sealed,
    generation: u64,
    acks: Vec<PacketNumber>,
    opened: bool,
}

/// What happens to a packet that arrives, by a rule as simple as it can be said.
fn arrives(end: &mut End, seen: &mut Vec<PacketNumber>, sent: &mut Sent) -> bool {
    let current = end.keys.open_generation;
    let held = end.keys.previous.is_some();
    let known = sent.generation >= current || held && sent.generation + 1 == current;
    let in_window = end.window.is_new(sent.packet.number);
    assert_eq!(in_window, !sent.opened);
    let expected = match (known, in_window) {
        (true, true) => Ok(()),
        (true, false) => Err(OpenError::Duplicate),
        (false, _) => Err(OpenError::Drop),
    };
    let result = end.open(&sent.packet);
    if result.is_ok() {
        sent.opened = true;
        seen.push(sent.packet.number);
        sent.acks.iter().for_each(|&number| end.keys.on_acked(number));
    }
    result == expected
}

quickcheck! {
    /// Two honest ends, updating whenever they may, over a network that loses, doubles, delays
    /// and reorders: each packet opens exactly once while its key is held, none later, and
    /// neither end is ever blamed.
    fn honest_ends_never_fail_each_other(steps: Vec<(u8, u8)>) -> bool {
        let (a, b) = pair(Suite::ChaCha20Poly1305);
        let mut ends = [a, b];
        let mut seen = [Vec::new(), Vec::new()];
        let mut sent: [Vec<Sent>; 2] = [Vec::new(), Vec::new()];
        steps.into_iter().all(|(step, pick)| {
            let me = usize::from(step & 1);
            let peer = 1 - me;
            match step >> 1 & 7 {
                0..=2 => {
                    let generation = ends[me].keys.generation();
                    let packet = ends[me].seal();
                    let acks = seen[me].clone();
                    sent[me].push(Sent { packet, generation, acks, opened: false });
                }
                3..=5 if !sent[peer].is_empty() => {
                    // Mostly the newest, at times anything ever sent.
                    let len = sent[peer].len();
                    let back = usize::from(pick) % if pick % 5 == 0 { len } else { len.min(3) };
                    let packet = &mut sent[peer][len - 1 - back];
                    return arrives(&mut ends[me], &mut seen[me], packet);
                }
                6 => {
                    let now = ends[me].now;
                    ends[me].keys.update(now);
                }
                _ => ends.iter_mut().for_each(|end| end.expire_after(PTO)),
            }
            true
        })
    }
}
