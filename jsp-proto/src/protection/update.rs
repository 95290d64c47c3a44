//! The keys of Data packets, which are updated as the connection goes on (RFC 9001, section 6).
//!
//! Each direction has a generation; the key phase bit of a packet is its generation modulo 2. This
//! end's sending generation is that of its receiving one, or one ahead while its own update is not
//! answered:
//!
//! ```text
//!                 update() -> sending 1        a packet of generation 1 -> receiving 1
//!  sending 0  ----------------------------,
//!  receiving 0                             `-->  sending 1, receiving 1, previous 0 for 3 PTO
//!             ----------------------------'
//!                 a packet of generation 1 (the peer's update) -> both 1
//! ```
//!
//! A packet is tried with one key only, chosen by its phase and number: the current one, the
//! previous one for numbers below the first of the current generation, else the next one. The next
//! key is derived by whatever first fails to open or asks for it, a forgery or an update, so that
//! the time that a forgery takes does not depend on its phase bit, which is under protection
//! (section 6.3). It is dropped again if it stays unused.

use super::keys::{Cipher, HeaderMask, OpenKey, SealKey, Unprotected, unprotect};
use super::label::expand_secret;
use super::limits::Limits;
use super::opened::{OpenError, Opened, accept};
use super::window::ReceivedWindow;
use crate::crypto::{Provider, SAMPLE_LEN, Secret, Suite};
use crate::error::{Code, TransportError};
use crate::ids::{PacketNumber, PathId};
use crate::planted::{self, Bug};
use crate::time::{Duration, Time};
use crate::wire::header::KEY_PHASE;
use alloc::boxed::Box;
use alloc::sync::Arc;

const TOO_EARLY: TransportError =
    TransportError::new(Code::KEY_UPDATE, "keys updated again before the last update was answered");
const OUT_OF_ORDER: TransportError =
    TransportError::new(Code::KEY_UPDATE, "older packet under newer keys");

/// A receiving key that is not the current one, and since when it is held.
#[derive(Debug)]
struct Spare {
    cipher: Cipher,
    since: Time,
}

/// The next receiving generation.
#[derive(Debug)]
struct Next {
    spare: Spare,
    secret: Secret,
}

/// The keys of Data packets in both directions.
#[derive(Debug)]
pub struct DataKeys {
    provider: Arc<dyn Provider>,
    suite: Suite,
    limits: Limits,

    seal: SealKey,
    seal_secret: Secret,
    seal_generation: u64,
    /// The number after the last that was sealed.
    sealed_to: PacketNumber,
    /// Numbers from here on were sealed by the current generation.
    seal_from: PacketNumber,
    /// Whether the peer acknowledged a packet of the current sending generation.
    acked: bool,
    confirmed: bool,

    open: OpenKey,
    open_secret: Secret,
    open_generation: u64,
    /// All packets of older generations have numbers below.
    open_from: PacketNumber,
    /// The smallest number opened by the current generation.
    open_lowest: PacketNumber,
    /// Whether anything was sealed since the current receiving generation began: only then can the
    /// peer know that it was noticed, and begin another.
    answered: bool,
    previous: Option<Box<Spare>>,
    next: Option<Box<Next>>,
}

impl DataKeys {
    /// The first generation, of the two directions' traffic secrets: `seal` of what this end sends.
    pub fn new(provider: Arc<dyn Provider>, suite: Suite, seal: &Secret, open: &Secret) -> Self {
        Self {
            limits: Limits::new(suite),
            seal: SealKey::new(&*provider, suite, seal),
            seal_secret: seal.clone(),
            seal_generation: 0,
            sealed_to: PacketNumber(0),
            seal_from: PacketNumber(0),
            acked: false,
            confirmed: false,
            open: OpenKey::new(&*provider, suite, open),
            open_secret: open.clone(),
            open_generation: 0,
            open_from: PacketNumber(0),
            open_lowest: PacketNumber(0),
            answered: false,
            previous: None,
            next: None,
            provider,
            suite,
        }
    }

    /// The receiving generation of a packet that was just opened, whose header has this phase bit.
    pub const fn generation_opened(&self, phase: bool) -> u64 {
        // Only the current generation and the one before it open anything.
        let current = phase == (self.open_generation & 1 == 1);
        if current { self.open_generation } else { self.open_generation.saturating_sub(1) }
    }

    /// The key phase bit of the next packet's header.
    pub const fn phase(&self) -> bool {
        self.seal_generation & 1 == 1
    }

    /// How often this end's sending keys were updated.
    pub const fn generation(&self) -> u64 {
        self.seal_generation
    }

    /// Seals a packet in place, as [`SealKey::seal`] does; its header has the current
    /// [`phase`](Self::phase). Numbers ascend. Fails, and changes nothing, once the key is used up.
    pub fn seal(
        &mut self,
        path: PathId,
        number: PacketNumber,
        packet: &mut [u8],
        number_at: usize,
        number_len: usize,
    ) -> Result<(), TransportError> {
        debug_assert!(number >= self.sealed_to || planted::is(Bug::NumberReused));
        self.limits.count_sealed()?;
        self.sealed_to = number.next();
        self.answered = true;
        self.seal.seal(path, number, packet, number_at, number_len);
        Ok(())
    }

    /// How many packets can be sealed with the current key.
    pub const fn sealable(&self) -> u64 {
        self.limits.left()
    }

    /// Seals a packet as [`seal`](Self::seal) does, but leaves its header without protection, for
    /// [`protect`](Self::protect) to protect it by the sample that is returned. Not for more packets than are
    /// [`sealable`](Self::sealable).
    pub fn seal_bare(
        &mut self,
        path: PathId,
        number: PacketNumber,
        packet: &mut [u8],
        number_at: usize,
        number_len: usize,
    ) -> [u8; SAMPLE_LEN] {
        debug_assert!(number >= self.sealed_to);
        let counted = self.limits.count_sealed();
        debug_assert!(counted.is_ok());
        self.sealed_to = number.next();
        self.answered = true;
        self.seal.seal_bare(path, number, packet, number_at, number_len)
    }

    /// Protects the headers of packets that were [sealed bare](Self::seal_bare), one of `size` bytes
    /// behind the other: their masks are made together. `samples` are theirs, in their order.
    pub fn protect(
        &self,
        packets: &mut [u8],
        size: usize,
        number_at: usize,
        number_len: usize,
        samples: &[[u8; SAMPLE_LEN]],
    ) {
        self.seal.protect(packets, size, number_at, number_len, samples);
    }

    /// Opens a packet in place, and follows the peer's key update. `packet` is the whole packet; its
    /// number begins at `number_at`. Nothing is changed by a packet that is not authenticated, but
    /// for the count of forgeries; the window only by one that is also new.
    pub fn open(
        &mut self,
        now: Time,
        path: PathId,
        window: &mut ReceivedWindow,
        packet: &mut [u8],
        number_at: usize,
    ) -> Result<Opened, OpenError> {
        let mask = self.open.mask(packet, number_at).ok_or(OpenError::Drop)?;
        self.open_masked(now, path, window, packet, number_at, mask)
    }

    /// The masks of several packets' headers. Key updates do not change them (RFC 9001, section 6.1).
    pub fn masks(&self, samples: &[[u8; SAMPLE_LEN]], masks: &mut [HeaderMask]) {
        self.open.masks(samples, masks);
    }

    /// The same as [`open`](Self::open), with the header's mask from [`masks`](Self::masks).
    pub fn open_masked(
        &mut self,
        now: Time,
        path: PathId,
        window: &mut ReceivedWindow,
        packet: &mut [u8],
        number_at: usize,
        mask: HeaderMask,
    ) -> Result<Opened, OpenError> {
        let header = unprotect(packet, number_at, window.expected(), mask);
        let header = header.ok_or(OpenError::Drop)?;
        let phase = header.first & KEY_PHASE != 0;
        if phase != (self.open_generation & 1 == 1) {
            return self.open_other_phase(now, path, window, &header, packet);
        }
        let Ok(payload) = self.open.open(path, &header, packet) else {
            return Err(self.refuse(now));
        };
        if header.number < self.open_from {
            return Err(OUT_OF_ORDER.into());
        }
        self.open_lowest = self.open_lowest.min(header.number);
        accept(window, &header, payload)
    }

    /// A packet of another generation than the current one, if it is a packet of the peer's at all.
    fn open_other_phase(
        &mut self,
        now: Time,
        path: PathId,
        window: &mut ReceivedWindow,
        header: &Unprotected,
        packet: &mut [u8],
    ) -> Result<Opened, OpenError> {
        if let Some(previous) = &self.previous
            && header.number < self.open_lowest
        {
            let Ok(payload) = previous.cipher.open(path, header, packet) else {
                return Err(self.refuse(now));
            };
            self.open_from = self.open_from.max(header.number.next());
            return accept(window, header, payload);
        }
        let next = self.next(now);
        let Ok(payload) = next.spare.cipher.open(path, header, packet) else {
            return Err(self.refuse(now));
        };
        // Section 6.2: a second update needs an acknowledgement of the first.
        if !self.answered {
            return Err(TOO_EARLY.into());
        }
        // Section 6.4: no older packet may have newer keys.
        if header.number < window.expected() {
            return Err(OUT_OF_ORDER.into());
        }
        self.open_from = window.expected();
        self.open_lowest = header.number;
        self.advance_open(now);
        accept(window, header, payload)
    }

    /// The next receiving generation, derived if it is not there.
    fn next(&mut self, now: Time) -> &Next {
        self.next.get_or_insert_with(|| {
            let secret = expand_secret(&*self.provider, &self.open_secret, b"ku", b"");
            let cipher = Cipher::new(&*self.provider, self.suite, &secret);
            Box::new(Next { spare: Spare { cipher, since: now }, secret })
        })
    }

    /// What follows from a packet that failed authentication, whatever key it was tried with.
    #[cold]
    fn refuse(&mut self, now: Time) -> OpenError {
        self.next(now);
        self.limits.count_forgeries(1).map_or_else(OpenError::Fatal, |()| OpenError::Drop)
    }

    /// The peer uses the next receiving generation: so does this end, in both directions.
    fn advance_open(&mut self, now: Time) {
        let Some(next) = self.next.take() else { return };
        let Next { spare, secret } = *next;
        let cipher = self.open.replace(spare.cipher);
        let previous = Box::new(Spare { cipher, since: now });
        self.previous = (!planted::is(Bug::EarlyKeyDrop)).then_some(previous);
        self.open_secret = secret;
        self.open_generation += 1;
        self.answered = false;
        if self.seal_generation < self.open_generation {
            self.advance_seal();
        }
    }

    fn advance_seal(&mut self) {
        self.seal_secret = expand_secret(&*self.provider, &self.seal_secret, b"ku", b"");
        self.seal.replace(Cipher::new(&*self.provider, self.suite, &self.seal_secret));
        self.seal_generation += 1;
        self.seal_from = self.sealed_to;
        self.acked = false;
        self.limits.replace_key();
    }

    /// Whether the sending key has been used so much that it should be updated soon.
    pub const fn update_due(&self) -> bool {
        self.limits.is_update_due()
    }

    /// Whether this end may update: the handshake is confirmed, the peer has acknowledged a packet
    /// of the current generation and uses it itself, and no packets of the generation before are
    /// waited for (RFC 9001, sections 6.1 and 6.5).
    pub const fn can_update(&self) -> bool {
        self.confirmed
            && self.acked
            && self.seal_generation == self.open_generation
            && self.previous.is_none()
    }

    /// Begins a key update, if this end [may](Self::can_update); tells whether it did.
    pub fn update(&mut self, now: Time) -> bool {
        let can = self.can_update();
        if can {
            self.advance_seal();
            self.next(now);
        }
        can
    }

    /// The peer acknowledged the packet of this number.
    pub fn on_acked(&mut self, number: PacketNumber) {
        self.acked |= number >= self.seal_from;
    }

    /// The handshake is confirmed.
    pub const fn on_confirmed(&mut self) {
        self.confirmed = true;
    }

    /// Drops keys that were not current for three probe timeouts (RFC 9001, section 6.5).
    pub fn expire(&mut self, now: Time, pto: Duration) {
        if self.previous.as_ref().is_some_and(|spare| now >= spare.expiry(pto)) {
            self.previous = None;
        }
        if self.next.as_ref().is_some_and(|next| now >= next.spare.expiry(pto)) {
            self.next = None;
        }
    }

    /// Whether there are keys for [`expire`](Self::expire) to drop, once it is time.
    pub const fn holds_spares(&self) -> bool {
        self.previous.is_some() || self.next.is_some()
    }

    /// When [`expire`](Self::expire) has something to do.
    pub fn next_timeout(&self, pto: Duration) -> Option<Time> {
        let next = self.next.as_ref().map(|next| &next.spare);
        [self.previous.as_deref(), next].into_iter().flatten().map(|spare| spare.expiry(pto)).min()
    }

    /// Fails when the connection should close while it still can: fewer than
    /// [`CLOSE_RESERVE`](super::CLOSE_RESERVE) packets can still be sealed, and the key was not
    /// updated in time.
    pub fn check_limits(&self) -> Result<(), TransportError> {
        self.limits.check()
    }

    /// Adds the forgeries that a level's keys counted before they were discarded: the limit is over
    /// the connection. Fails if it is reached.
    pub fn add_forgeries(&mut self, n: u64) -> Result<(), TransportError> {
        self.limits.count_forgeries(n)
    }

    /// How many packets failed authentication.
    pub const fn forgeries(&self) -> u64 {
        self.limits.forgeries()
    }
}

impl Spare {
    fn expiry(&self, pto: Duration) -> Time {
        self.since + pto.saturating_mul(3)
    }
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests;
