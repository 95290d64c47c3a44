//! Answers that need no connection: Retry, Version Negotiation, refusal, stateless reset.

use crate::crypto::{Provider, TAG_LEN};
use crate::error::TransportError;
use crate::ids::{ConnectionId, PacketNumber, Side, Version};
use crate::protection::{LevelKeys, retry_tag};
use crate::record::{Received, Transmit};
use crate::rng::Rng;
use crate::wire::frame::{Frame, ResetToken, TransportCloseFrame};
use crate::wire::header::{FIXED, Kind, LONG, encode_long, put_version_and_ids, set_length};
use crate::wire::{Full, Put, TruncatedNumber, Writer};

/// The shortest stateless reset (RFC 9000, section 10.3).
const MIN_RESET: usize = 21;
/// The longest: about an acknowledgement's length.
const MAX_RESET: usize = 42;

/// A reply of `len` bytes to who sent `to`.
pub(super) fn transmit(to: &Received, len: usize) -> Transmit {
    Transmit { remote: to.remote, local: to.local, ecn: crate::ids::Ecn::NotEct, len, segment: len }
}

/// Writes a Retry: the client is to come back with `token`, to `scid`.
pub(super) fn retry(
    provider: &dyn Provider,
    rng: &mut Rng,
    out: &mut [u8],
    client: &ConnectionId,
    original: &ConnectionId,
    scid: &ConnectionId,
    token: &[u8],
) -> Result<usize, Full> {
    let mut w = Writer::new(out);
    let unused = (rng.u32() & 0x0f) as u8;
    w.put_u8(LONG | FIXED | 0x30 | unused)?;
    put_version_and_ids(&mut w, Version::V1, client, scid)?;
    w.put(token)?;
    let tag = retry_tag(provider, original, w.written());
    w.put(&tag)?;
    Ok(w.len())
}

/// Writes a Version Negotiation: ours, and one that nobody speaks.
pub(super) fn version_negotiation(
    rng: &mut Rng,
    out: &mut [u8],
    dcid: &ConnectionId,
    scid: &ConnectionId,
) -> Result<usize, Full> {
    let mut w = Writer::new(out);
    w.put_u8(LONG | FIXED | (rng.u32() & 0x3f) as u8)?;
    put_version_and_ids(&mut w, Version::NEGOTIATION, dcid, scid)?;
    w.put_u32(Version::V1.0)?;
    w.put_u32(rng.u32() & 0xf0f0_f0f0 | 0x0a0a_0a0a)?;
    Ok(w.len())
}

/// Writes an Initial packet that turns a client away.
pub(super) fn refusal(
    provider: &dyn Provider,
    out: &mut [u8],
    client: &ConnectionId,
    initial_dcid: &ConnectionId,
    scid: &ConnectionId,
    error: &TransportError,
) -> Result<usize, Full> {
    let mut w = Writer::new(out);
    let number = TruncatedNumber::new(PacketNumber(0), None);
    let header = encode_long(&mut w, Kind::Initial, client, scid, b"", number)?;
    let TransportError { code, frame, reason } = *error;
    Frame::TransportClose(TransportCloseFrame { code, frame, reason: reason.as_bytes() })
        .encode(&mut w)?;
    w.put(&[0; TAG_LEN])?;
    let len = w.len();
    let packet = w.written();
    if let Some(field) = header.length_at.and_then(|at| packet.get_mut(at..)?.first_chunk_mut()) {
        set_length(field, len - header.number_at);
    }
    let mut keys = LevelKeys::initial(provider, initial_dcid, Side::Server);
    // A fresh key has no limit to reach.
    keys.seal(PacketNumber(0), packet, header.number_at, number.len()).map_err(|_| Full)?;
    Ok(len)
}

/// Writes a stateless reset in answer to a datagram of `trigger` bytes: it is shorter, so that two
/// ends without state fall silent (RFC 9000, section 10.3.3).
pub(super) fn stateless_reset(
    rng: &mut Rng,
    out: &mut [u8],
    trigger: usize,
    token: &ResetToken,
) -> Option<usize> {
    let longest = trigger.saturating_sub(1).min(MAX_RESET);
    let spread = (longest + 1).checked_sub(MIN_RESET).filter(|&lengths| lengths > 0)?;
    let len = MIN_RESET + rng.below(spread as u64) as usize;
    let packet = out.get_mut(..len)?;
    let (noise, tail) = packet.split_last_chunk_mut::<16>()?;
    rng.fill(noise);
    if let Some(first) = noise.first_mut() {
        *first = *first & 0x3f | FIXED;
    }
    *tail = token.0;
    Some(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn a_stateless_reset_is_shorter_than_what_it_answers_so_that_no_two_answer_for_ever() {
        let mut rng = Rng::new(&Seed::from_u64(1), "resets");
        let mut out = [0; 1500];
        for trigger in 0..1500 {
            for _ in 0..20 {
                let len = stateless_reset(&mut rng, &mut out, trigger, &ResetToken([7; 16]));
                assert_eq!(len.is_some(), trigger > MIN_RESET, "{trigger}");
                if let Some(len) = len {
                    assert!((MIN_RESET..=MAX_RESET).contains(&len) && len < trigger);
                    assert_eq!(out[0] & (LONG | FIXED), FIXED);
                    assert_eq!(out[len - 16..len], [7; 16]);
                }
            }
        }
    }
}
