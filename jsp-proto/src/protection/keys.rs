//! One direction's keys: how a packet is sealed and opened.
//!
//! ```text
//!  first byte | ... | packet number | payload ................. | tag (16)
//!  `------ additional data -------' `-- encrypted in place --'
//!  masked             masked         ^ the mask's sample: 16 bytes from number_at + 4
//! ```
//!
//! Sealing and opening allocate nothing and copy nothing; each is one call of the AEAD and one of
//! the header cipher.

use super::label::{expand_label, expand_secret};
use crate::crypto::{
    CryptoError, HeaderKey, KEY_LEN, NONCE_LEN, PacketKey, Provider, SAMPLE_LEN, Secret, Suite,
    TAG_LEN,
};
use crate::ids::{PacketNumber, PathId};
use crate::wire::TruncatedNumber;
use crate::wire::header::{LONG, LONG_RESERVED, SHORT_RESERVED};
use alloc::boxed::Box;
use core::fmt;
use core::ops::Range;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// From the packet number's first byte to the sample (RFC 9001, section 5.4.2).
const SAMPLE_AT: usize = TruncatedNumber::MAX_LEN;
/// Masks that are made at a time, at most: those of one train.
const MASKS: usize = 64;
/// The bits of the first byte that tell the packet number's length.
const NUMBER_LEN: u8 = 0x03;

/// An AEAD key and its IV: what a key update replaces.
pub(super) struct Cipher {
    key: Box<dyn PacketKey>,
    iv: Iv,
}

#[derive(Zeroize, ZeroizeOnDrop)]
struct Iv([u8; NONCE_LEN]);

impl Iv {
    /// IV xor (path id, packet number): no two packets under one key have the same nonce.
    fn nonce(&self, path: PathId, number: PacketNumber) -> [u8; NONCE_LEN] {
        let [a, b, c, d, number_iv @ ..] = self.0;
        let path = (u32::from_be_bytes([a, b, c, d]) ^ path.0).to_be_bytes();
        let number = (u64::from_be_bytes(number_iv) ^ number.0).to_be_bytes();
        let mut nonce = [0; NONCE_LEN];
        nonce[..4].copy_from_slice(&path);
        nonce[4..].copy_from_slice(&number);
        nonce
    }
}

impl Cipher {
    /// The cipher of a traffic secret.
    pub(super) fn new(provider: &dyn Provider, suite: Suite, secret: &Secret) -> Self {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        expand_label(provider, secret, b"key", b"", &mut *key);
        let mut iv = Iv([0; NONCE_LEN]);
        expand_label(provider, secret, b"iv", b"", &mut iv.0);
        Self { key: provider.packet_key(suite, &key), iv }
    }

    /// Authenticates and decrypts the payload of a packet whose header is unprotected. On failure
    /// the payload is wiped but for its last 16 bytes, which are as they were.
    pub(super) fn open(
        &self,
        path: PathId,
        header: &Unprotected,
        packet: &mut [u8],
    ) -> Result<Range<usize>, CryptoError> {
        let nonce = self.iv.nonce(path, header.number);
        let (aad, sealed) = packet.split_at_mut_checked(header.payload_at).ok_or(CryptoError)?;
        let tag: [u8; TAG_LEN] = *sealed.last_chunk().ok_or(CryptoError)?;
        if let Ok(len) = self.key.open(&nonce, aad, sealed) {
            return Ok(header.payload_at..header.payload_at + len);
        }
        if let Some((payload, last)) = sealed.split_last_chunk_mut() {
            payload.zeroize();
            *last = tag;
        }
        Err(CryptoError)
    }
}

fn header_key(provider: &dyn Provider, suite: Suite, secret: &Secret) -> Box<dyn HeaderKey> {
    let mut key = Zeroizing::new([0; KEY_LEN]);
    expand_label(provider, secret, b"hp", b"", &mut *key);
    provider.header_key(suite, &key)
}

/// The bits of the first byte that are under protection.
const fn masked_bits(first: u8) -> u8 {
    if first & LONG != 0 { 0x0f } else { 0x1f }
}

/// The keys with which one direction's packets are sealed.
pub struct SealKey {
    cipher: Cipher,
    header: Box<dyn HeaderKey>,
}

impl SealKey {
    /// The keys of a traffic secret.
    pub fn new(provider: &dyn Provider, suite: Suite, secret: &Secret) -> Self {
        Self {
            cipher: Cipher::new(provider, suite, secret),
            header: header_key(provider, suite, secret),
        }
    }

    /// The keys of a Data generation: those of the first traffic secret, after `generation` key updates.
    /// The header key stays that of the first (RFC 9001, section 6.1). A connection keeps its own; this is for who
    /// has the secret from a [`KeyLog`](crate::handshake::KeyLog) and seals what a hostile peer would send.
    pub fn of_generation(
        provider: &dyn Provider,
        suite: Suite,
        first: &Secret,
        generation: u64,
    ) -> Self {
        let secret = (0..generation)
            .fold(first.clone(), |secret, _| expand_secret(provider, &secret, b"ku", b""));
        let cipher = Cipher::new(provider, suite, &secret);
        Self { cipher, header: header_key(provider, suite, first) }
    }

    /// Seals a packet in place and protects its header. `packet` is the whole packet: its header
    /// with the packet number in `number_len` (1 to 4) bytes at `number_at`, the payload, and 16
    /// bytes for the tag. Number and payload together have at least 4 bytes, so that there is
    /// something to sample. A packet that is not of this form is wiped.
    pub fn seal(
        &self,
        path: PathId,
        number: PacketNumber,
        packet: &mut [u8],
        number_at: usize,
        number_len: usize,
    ) {
        let sample = self.try_seal_bare(path, number, packet, number_at, number_len);
        let mask = sample.map(|sample| Mask::from(self.header.mask(&sample)));
        if mask.and_then(|mask| mask.apply(packet, number_at, number_len)).is_none() {
            wipe(packet, number_at, number_len);
        }
    }

    /// Seals a packet as [`seal`](Self::seal) does, but leaves its header without protection. Returns the
    /// sample by which [`protect`](Self::protect) has to protect it.
    pub(super) fn seal_bare(
        &self,
        path: PathId,
        number: PacketNumber,
        packet: &mut [u8],
        number_at: usize,
        number_len: usize,
    ) -> [u8; SAMPLE_LEN] {
        let sample = self.try_seal_bare(path, number, packet, number_at, number_len);
        sample.unwrap_or_else(|| {
            wipe(packet, number_at, number_len);
            [0; SAMPLE_LEN]
        })
    }

    fn try_seal_bare(
        &self,
        path: PathId,
        number: PacketNumber,
        packet: &mut [u8],
        number_at: usize,
        number_len: usize,
    ) -> Option<[u8; SAMPLE_LEN]> {
        let (header, body) = packet.split_at_mut_checked(number_at + number_len)?;
        let (payload, tag) = body.split_last_chunk_mut()?;
        *tag = self.cipher.key.seal(&self.cipher.iv.nonce(path, number), header, payload);
        sample(packet, number_at).copied()
    }

    /// Protects the headers of packets that were [sealed bare](Self::seal_bare), one of `size` bytes
    /// behind the other. `samples` are theirs, in their order.
    pub(super) fn protect(
        &self,
        packets: &mut [u8],
        size: usize,
        number_at: usize,
        number_len: usize,
        samples: &[[u8; SAMPLE_LEN]],
    ) {
        let mut masks = [HeaderMask::default(); MASKS];
        let mut packets = packets.chunks_exact_mut(size);
        for samples in samples.chunks(MASKS) {
            self.header.masks(samples, &mut masks[..samples.len()]);
            for (mask, packet) in masks[..samples.len()].iter().zip(packets.by_ref()) {
                if Mask::from(*mask).apply(packet, number_at, number_len).is_none() {
                    wipe(packet, number_at, number_len);
                }
            }
        }
    }

    /// Replaces the packet key; the header key stays (RFC 9001, section 6.1).
    pub(super) fn replace(&mut self, cipher: Cipher) {
        self.cipher = cipher;
    }
}

/// The keys with which one direction's packets are opened.
pub struct OpenKey {
    cipher: Cipher,
    header: Box<dyn HeaderKey>,
}

/// A header without its protection. Nothing in it is authenticated yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unprotected {
    /// The first byte.
    pub first: u8,
    /// The packet number.
    pub number: PacketNumber,
    /// Where the payload begins.
    pub payload_at: usize,
}

impl Unprotected {
    /// Whether a reserved bit is set, which ends the connection, but only once the packet is
    /// authenticated (RFC 9000, section 17.2).
    pub(super) const fn has_reserved_bits(&self) -> bool {
        let reserved = if self.first & LONG != 0 { LONG_RESERVED } else { SHORT_RESERVED };
        self.first & reserved != 0
    }
}

impl OpenKey {
    /// The keys of a traffic secret.
    pub fn new(provider: &dyn Provider, suite: Suite, secret: &Secret) -> Self {
        Self {
            cipher: Cipher::new(provider, suite, secret),
            header: header_key(provider, suite, secret),
        }
    }

    /// The masks of several packets' headers, in one call of the cipher. They depend on the packets'
    /// [samples](sample) alone, so opening one packet does not change what is right for another.
    pub fn masks(&self, samples: &[[u8; SAMPLE_LEN]], masks: &mut [HeaderMask]) {
        self.header.masks(samples, masks);
    }

    /// Removes the protection of the header at the front of `packet`, in place. `expected` is the
    /// number after the largest received. `None` if the packet is too short to have been sealed.
    pub fn unprotect(
        &self,
        packet: &mut [u8],
        number_at: usize,
        expected: PacketNumber,
    ) -> Option<Unprotected> {
        unprotect(packet, number_at, expected, self.mask(packet, number_at)?)
    }

    /// The mask of one packet's header; `None` if it is too short to have been sealed.
    pub(super) fn mask(&self, packet: &[u8], number_at: usize) -> Option<HeaderMask> {
        Some(self.header.mask(sample(packet, number_at)?))
    }

    /// Authenticates and decrypts the payload of a packet whose header is unprotected, in place,
    /// and tells where it lies. On failure it is wiped but for the last 16 bytes.
    pub fn open(
        &self,
        path: PathId,
        header: &Unprotected,
        packet: &mut [u8],
    ) -> Result<Range<usize>, CryptoError> {
        self.cipher.open(path, header, packet)
    }

    /// Replaces the packet key and returns the one before; the header key stays.
    pub(super) fn replace(&mut self, cipher: Cipher) -> Cipher {
        core::mem::replace(&mut self.cipher, cipher)
    }
}

/// Wipes what is not a packet and can therefore not be sealed: nothing readable may leave.
#[cold]
fn wipe(packet: &mut [u8], number_at: usize, number_len: usize) {
    debug_assert!(false, "not a packet: {number_at} + {number_len} of {}", packet.len());
    packet.zeroize();
}

/// The mask of a packet's header: five bytes of the cipher's output for its sample.
pub type HeaderMask = [u8; 1 + TruncatedNumber::MAX_LEN];

/// What a header's mask is made from; `None` if the packet is too short to have been sealed.
pub fn sample(packet: &[u8], number_at: usize) -> Option<&[u8; SAMPLE_LEN]> {
    packet.get(number_at.checked_add(SAMPLE_AT)?..)?.first_chunk()
}

/// Removes the protection of a header with the mask that was made from its sample.
pub(super) fn unprotect(
    packet: &mut [u8],
    number_at: usize,
    expected: PacketNumber,
    mask: HeaderMask,
) -> Option<Unprotected> {
    if packet.len() < number_at.checked_add(SAMPLE_AT + TAG_LEN)? {
        return None;
    }
    let mask = Mask::from(mask);
    let (first, rest) = packet.split_first_mut()?;
    let number = rest.get_mut(number_at.checked_sub(1)?..)?.first_chunk_mut()?;
    *first ^= mask.first & masked_bits(*first);
    let len = usize::from(*first & NUMBER_LEN) + 1;
    *number = mask.number(*number, len);
    let value = u32::from_be_bytes(*number) >> (32 - 8 * len);
    let number = TruncatedNumber::from_wire(value, len as u8).expand(expected);
    debug_assert!(number <= PacketNumber::MAX);
    Some(Unprotected { first: *first, number, payload_at: number_at + len })
}

/// The mask of a header (RFC 9001, section 5.4.1).
struct Mask {
    first: u8,
    number: [u8; TruncatedNumber::MAX_LEN],
}

impl From<HeaderMask> for Mask {
    fn from([first, number @ ..]: HeaderMask) -> Self {
        Self { first, number }
    }
}

impl Mask {
    /// Masks the header of a packet, whose number has `number_len` bytes at `number_at`.
    fn apply(&self, packet: &mut [u8], number_at: usize, number_len: usize) -> Option<()> {
        let (first, rest) = packet.split_first_mut()?;
        let number = rest.get_mut(number_at.checked_sub(1)?..)?.first_chunk_mut()?;
        *number = self.number(*number, number_len);
        *first ^= self.first & masked_bits(*first);
        Some(())
    }

    /// Masks the first `len` (1 to 4) of the four bytes at the packet number's place.
    fn number(&self, bytes: [u8; 4], len: usize) -> [u8; 4] {
        debug_assert!((1..=4).contains(&len));
        let covered = u32::MAX << (32 - 8 * len);
        (u32::from_be_bytes(bytes) ^ u32::from_be_bytes(self.number) & covered).to_be_bytes()
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(..)")
    }
}

impl fmt::Debug for OpenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenKey(..)")
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher(..)")
    }
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    use super::*;
    use crate::crypto::rustcrypto::RustCrypto;

    /// RFC 9001, appendix A.5. Labels differ between the protocols, so the test starts from the
    /// keys; from there on, path 0 of this protocol and QUIC do the same.
    const KEY: [u8; KEY_LEN] = [
        0xc6, 0xd9, 0x8f, 0xf3, 0x44, 0x1c, 0x3f, 0xe1, 0xb2, 0x18, 0x20, 0x94, 0xf6, 0x9c, 0xaa,
        0x2e, 0xd4, 0xb7, 0x16, 0xb6, 0x54, 0x88, 0x96, 0x0a, 0x7a, 0x98, 0x49, 0x79, 0xfb, 0x23,
        0xe1, 0xc8,
    ];
    const IV: [u8; NONCE_LEN] =
        [0xe0, 0x45, 0x9b, 0x34, 0x74, 0xbd, 0xd0, 0xe4, 0x4a, 0x41, 0xc1, 0x44];
    const HP: [u8; KEY_LEN] = [
        0x25, 0xa2, 0x82, 0xb9, 0xe8, 0x2f, 0x06, 0xf2, 0x1f, 0x48, 0x89, 0x17, 0xa4, 0xfc, 0x8f,
        0x1b, 0x73, 0x57, 0x36, 0x85, 0x60, 0x85, 0x97, 0xd0, 0xef, 0xcb, 0x07, 0x6b, 0x0a, 0xb7,
        0xa7, 0xa4,
    ];
    const NUMBER: PacketNumber = PacketNumber(654_360_564);
    const HEADER: [u8; 4] = [0x42, 0x00, 0xbf, 0xf4];
    const PACKET: [u8; 21] = [
        0x4c, 0xfe, 0x41, 0x89, 0x65, 0x5e, 0x5c, 0xd5, 0x5c, 0x41, 0xf6, 0x90, 0x80, 0x57, 0x5d,
        0x79, 0x99, 0xc2, 0x5a, 0x5b, 0xfb,
    ];

    fn parts() -> (Cipher, Box<dyn HeaderKey>) {
        let suite = Suite::ChaCha20Poly1305;
        let key = RustCrypto.packet_key(suite, &KEY);
        (Cipher { key, iv: Iv(IV) }, RustCrypto.header_key(suite, &HP))
    }

    #[test]
    fn the_packet_of_rfc_9001_appendix_a5_is_sealed_and_opened() {
        let mut packet = [0; 21];
        packet[..4].copy_from_slice(&HEADER);
        packet[4] = 1;
        let (cipher, header) = parts();
        SealKey { cipher, header }.seal(PathId(0), NUMBER, &mut packet, 1, 3);
        assert_eq!(packet, PACKET);

        let (cipher, header) = parts();
        let key = OpenKey { cipher, header };
        let unprotected = key.unprotect(&mut packet, 1, NUMBER).unwrap();
        assert_eq!(unprotected, Unprotected { first: 0x42, number: NUMBER, payload_at: 4 });
        assert_eq!(packet[..4], HEADER);
        assert_eq!(key.open(PathId(0), &unprotected, &mut packet), Ok(4..5));
        assert_eq!(packet[4], 1);
    }

    #[test]
    fn a_path_changes_the_first_four_bytes_of_the_nonce_and_a_number_the_others() {
        let iv = Iv([0; NONCE_LEN]);
        let nonce = iv.nonce(PathId(0x0102_0304), PacketNumber(0x05_0607_0809));
        assert_eq!(nonce, [1, 2, 3, 4, 0, 0, 0, 5, 6, 7, 8, 9]);
        let all = Iv([0xff; NONCE_LEN]).nonce(PathId(0), PacketNumber(0));
        assert_eq!(all, [0xff; NONCE_LEN]);
    }

    #[test]
    fn protection_covers_five_bits_of_a_short_first_byte_and_four_of_a_long_one() {
        let key = SealKey::new(&RustCrypto, Suite::Aes256Gcm, &Secret::new([1; 32]));
        for (first, covered) in [(0x40, 0x1f), (0xc0, 0x0f)] {
            let changed = (0..64).fold(0, |changed, n| {
                let mut packet = [0; 40];
                packet[0] = first;
                key.seal(PathId(0), PacketNumber(n), &mut packet, 9, 1);
                changed | packet[0] ^ first
            });
            assert_eq!(changed, covered);
        }
    }

    /// A provider's key that wipes everything where authentication fails, as it may.
    struct Wiping;

    impl PacketKey for Wiping {
        fn seal(&self, _: &[u8; NONCE_LEN], _: &[u8], _: &mut [u8]) -> [u8; TAG_LEN] {
            [0; TAG_LEN]
        }

        fn open(
            &self,
            _: &[u8; NONCE_LEN],
            _: &[u8],
            data: &mut [u8],
        ) -> Result<usize, CryptoError> {
            data.zeroize();
            Err(CryptoError)
        }
    }

    #[test]
    fn the_end_of_a_packet_that_fails_stays_for_the_stateless_reset() {
        let cipher = Cipher { key: Box::new(Wiping), iv: Iv([0; NONCE_LEN]) };
        let header = Unprotected { first: 0x40, number: NUMBER, payload_at: 4 };
        let mut packet = PACKET;
        assert_eq!(cipher.open(PathId(0), &header, &mut packet), Err(CryptoError));
        assert_eq!(packet[4..5], [0]);
        assert_eq!(packet[5..], PACKET[5..]);
    }

    #[test]
    fn keys_show_nothing_of_themselves() {
        let secret = Secret::new([0xab; 32]);
        let seal = SealKey::new(&RustCrypto, Suite::Aes256Gcm, &secret);
        let open = OpenKey::new(&RustCrypto, Suite::Aes256Gcm, &secret);
        assert_eq!(std::format!("{seal:?} {open:?}"), "SealKey(..) OpenKey(..)");
    }
}
