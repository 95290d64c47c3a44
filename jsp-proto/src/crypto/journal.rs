//! Repeatable runs with a provider whose randomness cannot be seeded.
//!
//! A [`Journal`] stands in front of a provider. Recording, it lets the provider work and keeps what
//! came out of its randomness: public keys, encapsulations, decapsulated secrets (the private keys
//! themselves cannot be had from every provider) and signatures. Replaying, it hands those out again
//! in place of the provider's; everything else is deterministic and computed afresh, by whichever
//! provider is at hand.
//!
//! ```text
//! record:  call --> provider --> result          replay:  call --> tape --> result
//!                                  '--> tape
//! ```
//!
//! A result is found by its call (the operation and a hash of its inputs), and among equal calls in
//! order: signatures that threads return in another order than last time still find their message,
//! and a run that went another way gets an error instead of a stranger's secret.
//!
//! A [`Tape`] holds secrets of live connections. It wipes itself, prints nothing, and keeps to the
//! limit that it was given.

use super::{
    CryptoError, ED25519_SIGNATURE_LEN, HeaderKey, IdentitySecret, KEY_LEN, KemSecret, PacketKey,
    Provider, PublicIdentity, Secret, Sha256, Signature, Signer, Suite, XWING_CIPHERTEXT_LEN,
    XWING_PUBLIC_LEN,
};
use crate::rng::Rng;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
// The traits' methods take `&self` from any thread and the engine has no std: a lock that spins. It
// is held to move one entry, never across an operation.
use spin::Mutex;
use zeroize::Zeroizing;

/// What a provider's randomness led to, in order.
#[derive(Default)]
pub struct Tape {
    entries: VecDeque<Entry>,
    limit: usize,
    missed: usize,
}

struct Entry {
    /// SHA-256 of the operation and its inputs.
    call: [u8; 32],
    output: Output,
}

type Output = Result<Zeroizing<Vec<u8>>, CryptoError>;

impl Tape {
    /// How many results it holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds no result.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many results came after the limit was reached, and are not here. A tape that missed any
    /// cannot replay its run to the end.
    pub const fn missed(&self) -> usize {
        self.missed
    }

    fn put(&mut self, call: [u8; 32], output: &Output) {
        if self.entries.len() < self.limit {
            self.entries.push_back(Entry { call, output: output.clone() });
        } else {
            self.missed += 1;
        }
    }

    fn find(&mut self, call: &[u8; 32]) -> Output {
        let at = self.entries.iter().position(|entry| entry.call == *call).ok_or(CryptoError)?;
        self.entries.remove(at).ok_or(CryptoError)?.output
    }
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tape({} results)", self.len())
    }
}

/// A provider that records, or replays, what its inner provider's randomness leads to.
#[derive(Clone)]
pub struct Journal(Arc<Shared>);

struct Shared {
    provider: Arc<dyn Provider>,
    replaying: bool,
    tape: Mutex<Tape>,
}

impl Journal {
    /// Records what `provider` draws, at most `limit` results. A server-authenticated handshake is
    /// two results on each side, 6 kB together.
    pub fn record(provider: Arc<dyn Provider>, limit: usize) -> Self {
        Self::new(provider, false, Tape { limit, ..Tape::default() })
    }

    /// Replays `tape`. `provider` computes what is deterministic; it may be another one than that of
    /// the recording. A call that the tape does not hold fails.
    pub fn replay(provider: Arc<dyn Provider>, tape: Tape) -> Self {
        Self::new(provider, true, tape)
    }

    fn new(provider: Arc<dyn Provider>, replaying: bool, tape: Tape) -> Self {
        Self(Arc::new(Shared { provider, replaying, tape: Mutex::new(tape) }))
    }

    /// Takes out what was recorded so far, or what a replay has not used; recording goes on with an
    /// empty tape of the same limit.
    pub fn take(&self) -> Tape {
        let mut tape = self.0.tape.lock();
        let limit = tape.limit;
        core::mem::replace(&mut tape, Tape { limit, ..Tape::default() })
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = if self.0.replaying { "Replay" } else { "Record" };
        write!(f, "{mode}({:?})", self.0.provider)
    }
}

/// The operations whose results are random, or depend on a key that is.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Operation {
    Generate = 1,
    Encapsulate = 2,
    Decapsulate = 3,
    Sign = 4,
}

impl Shared {
    /// Runs `live` and keeps its output, or returns the output that was kept.
    fn run(
        &self,
        operation: Operation,
        inputs: &[&[u8]],
        live: impl FnOnce() -> Result<Vec<u8>, CryptoError>,
    ) -> Output {
        let mut hash = self.provider.sha256();
        hash.update(&[operation as u8]);
        for input in inputs {
            hash.update(input);
        }
        let call = hash.snapshot();
        if self.replaying {
            return self.tape.lock().find(&call);
        }
        let output = live().map(Zeroizing::new);
        self.tape.lock().put(call, &output);
        output
    }
}

/// The stream for the inner provider. One that draws from it must leave the caller's stream where a
/// replay, in which nothing draws, leaves it too.
fn apart(rng: &mut Rng) -> Rng {
    Rng::new(&rng.seed(), "journal")
}

impl Provider for Journal {
    fn name(&self) -> &'static str {
        self.0.provider.name()
    }

    fn suites(&self) -> &'static [Suite] {
        self.0.provider.suites()
    }

    fn packet_key(&self, suite: Suite, key: &[u8; KEY_LEN]) -> Box<dyn PacketKey> {
        self.0.provider.packet_key(suite, key)
    }

    fn header_key(&self, suite: Suite, key: &[u8; KEY_LEN]) -> Box<dyn HeaderKey> {
        self.0.provider.header_key(suite, key)
    }

    fn sha256(&self) -> Box<dyn Sha256> {
        self.0.provider.sha256()
    }

    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        self.0.provider.hmac_sha256(key, parts)
    }

    fn hkdf_extract(&self, salt: &[u8], input: &[u8]) -> Secret {
        self.0.provider.hkdf_extract(salt, input)
    }

    fn hkdf_expand(&self, key: &Secret, info: &[u8], out: &mut [u8]) {
        self.0.provider.hkdf_expand(key, info, out);
    }

    fn xwing_generate(
        &self,
        rng: &mut Rng,
        public: &mut [u8; XWING_PUBLIC_LEN],
    ) -> Result<Box<dyn KemSecret>, CryptoError> {
        let mut rng = apart(rng);
        let mut inner = None;
        let output = self.0.run(Operation::Generate, &[], || {
            inner = Some(self.0.provider.xwing_generate(&mut rng, public)?);
            Ok(public.to_vec())
        })?;
        *public = exactly(&output)?;
        Ok(Box::new(JournalSecret { shared: Arc::clone(&self.0), inner }))
    }

    fn xwing_encapsulate(
        &self,
        rng: &mut Rng,
        public: &[u8; XWING_PUBLIC_LEN],
        ciphertext: &mut [u8; XWING_CIPHERTEXT_LEN],
    ) -> Result<Secret, CryptoError> {
        let mut rng = apart(rng);
        let output = self.0.run(Operation::Encapsulate, &[public], || {
            let secret = self.0.provider.xwing_encapsulate(&mut rng, public, ciphertext)?;
            Ok([&ciphertext[..], secret.expose()].concat())
        })?;
        let (head, secret) = output.split_at_checked(XWING_CIPHERTEXT_LEN).ok_or(CryptoError)?;
        *ciphertext = exactly(head)?;
        exactly(secret).map(Secret::new)
    }

    fn signer(&self, secret: &IdentitySecret) -> Result<Box<dyn Signer>, CryptoError> {
        let inner = self.0.provider.signer(secret)?;
        Ok(Box::new(JournalSigner { shared: Arc::clone(&self.0), inner }))
    }

    fn verify(
        &self,
        identity: &PublicIdentity,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), CryptoError> {
        self.0.provider.verify(identity, message, signature)
    }
}

struct JournalSecret {
    shared: Arc<Shared>,
    /// Absent in a replay.
    inner: Option<Box<dyn KemSecret>>,
}

impl KemSecret for JournalSecret {
    fn decapsulate(&self, ciphertext: &[u8; XWING_CIPHERTEXT_LEN]) -> Result<Secret, CryptoError> {
        let output = self.shared.run(Operation::Decapsulate, &[ciphertext], || {
            let inner = self.inner.as_ref().ok_or(CryptoError)?;
            Ok(inner.decapsulate(ciphertext)?.expose().to_vec())
        })?;
        exactly(&output).map(Secret::new)
    }
}

struct JournalSigner {
    shared: Arc<Shared>,
    inner: Box<dyn Signer>,
}

impl Signer for JournalSigner {
    fn public(&self) -> &PublicIdentity {
        self.inner.public()
    }

    fn sign(&self, rng: &mut Rng, message: &[u8]) -> Result<Signature, CryptoError> {
        let mut rng = apart(rng);
        let output =
            self.shared.run(Operation::Sign, &[&self.public().ed25519, message], || {
                let signature = self.inner.sign(&mut rng, message)?;
                let ml_dsa = signature.ml_dsa.as_ref().map_or(&[][..], |half| &half[..]);
                Ok([&signature.ed25519[..], ml_dsa].concat())
            })?;
        let (ed25519, ml_dsa) =
            output.split_at_checked(ED25519_SIGNATURE_LEN).ok_or(CryptoError)?;
        let ml_dsa = match ml_dsa {
            [] => None,
            half => Some(Box::<[u8]>::from(half).try_into().map_err(|_| CryptoError)?),
        };
        Ok(Signature { ed25519: exactly(ed25519)?, ml_dsa })
    }
}

/// Bytes of the tape as an array of the length that the operation has.
fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N], CryptoError> {
    bytes.try_into().map_err(|_| CryptoError)
}

#[cfg(all(test, feature = "rustcrypto"))]
#[allow(clippy::unwrap_used)] // in helpers of tests, where clippy does not look for it
mod tests {
    use super::*;
    use crate::crypto::rustcrypto::RustCrypto;
    use crate::rng::Seed;
    use std::format;

    fn identity() -> IdentitySecret {
        IdentitySecret { ed25519: [3; 32], ml_dsa: Some([4; 32]) }
    }

    /// What a handshake sends and derives: client and server on one journal.
    fn handshake(provider: &dyn Provider) -> Result<Vec<u8>, CryptoError> {
        let mut rng = Rng::new(&Seed::from_u64(1), "handshake");
        let mut public = [0; XWING_PUBLIC_LEN];
        let mut ciphertext = [0; XWING_CIPHERTEXT_LEN];
        let secret = provider.xwing_generate(&mut rng, &mut public)?;
        let server = provider.xwing_encapsulate(&mut rng, &public, &mut ciphertext)?;
        let client = secret.decapsulate(&ciphertext)?;
        assert_eq!(client.expose(), server.expose());

        let signer = provider.signer(&identity())?;
        let signature = signer.sign(&mut rng, &ciphertext)?;
        provider.verify(signer.public(), &ciphertext, &signature)?;

        let mut key = [0; KEY_LEN];
        provider.hkdf_expand(&provider.hkdf_extract(&[], client.expose()), b"key", &mut key);
        let mut data = rng.array::<32>();
        let tag = provider.packet_key(Suite::Aes256Gcm, &key).seal(&[0; 12], &[], &mut data);
        let parts = [
            &public[..],
            &ciphertext,
            &signature.ed25519,
            &signature.ml_dsa.unwrap()[..],
            &data,
            &tag,
        ];
        Ok(parts.concat())
    }

    fn replays(recorded: Arc<dyn Provider>) {
        let journal = Journal::record(recorded, 10);
        let first = handshake(&journal).unwrap();
        let tape = journal.take();
        assert_eq!((tape.len(), tape.missed()), (4, 0));

        let replay = Journal::replay(Arc::new(RustCrypto), tape);
        assert!(handshake(&replay).unwrap() == first);
        assert!(replay.take().is_empty());
        // The tape is used up, and the provider's own randomness does not step in.
        assert_eq!(handshake(&replay), Err(CryptoError));
    }

    #[test]
    fn a_recorded_handshake_replays_identically() {
        replays(Arc::new(RustCrypto));
    }

    #[test]
    #[cfg(feature = "aws-lc")]
    fn a_handshake_with_unseeded_randomness_replays_identically_on_another_provider() {
        use crate::crypto::aws_lc::AwsLc;
        assert!(handshake(&AwsLc).unwrap() != handshake(&AwsLc).unwrap());
        replays(Arc::new(AwsLc));
    }

    #[test]
    fn recorded_key_pairs_differ_from_each_other() {
        let mut rng = Rng::new(&Seed::from_u64(1), "fresh");
        let recorder = Journal::record(Arc::new(RustCrypto), 10);
        let mut keys = [[0; XWING_PUBLIC_LEN]; 2];
        for key in &mut keys {
            recorder.xwing_generate(&mut rng, key).unwrap();
        }
        assert!(keys[0] != keys[1]);
    }

    #[test]
    fn signatures_are_found_by_their_message_whatever_the_order() {
        let mut rng = Rng::new(&Seed::from_u64(1), "order");
        let recorder = Journal::record(Arc::new(RustCrypto), 10);
        let signer = recorder.signer(&identity()).unwrap();
        let first = signer.sign(&mut rng, b"first").unwrap();
        let second = signer.sign(&mut rng, b"second").unwrap();
        let replay = Journal::replay(Arc::new(RustCrypto), recorder.take());
        let signer = replay.signer(&identity()).unwrap();
        assert_eq!(signer.sign(&mut rng, b"third"), Err(CryptoError));
        assert_eq!(signer.sign(&mut rng, b"second"), Ok(second));
        assert_eq!(signer.sign(&mut rng, b"first"), Ok(first));
    }

    #[test]
    fn failures_are_replayed_as_failures() {
        let mut rng = Rng::new(&Seed::from_u64(1), "failure");
        let recorder = Journal::record(Arc::new(RustCrypto), 10);
        let bad = [0xff; XWING_PUBLIC_LEN];
        let mut ciphertext = [0; XWING_CIPHERTEXT_LEN];
        assert!(recorder.xwing_encapsulate(&mut rng, &bad, &mut ciphertext).is_err());
        let tape = recorder.take();
        assert_eq!(tape.len(), 1);
        let replay = Journal::replay(Arc::new(RustCrypto), tape);
        assert!(replay.xwing_encapsulate(&mut rng, &bad, &mut ciphertext).is_err());
        assert!(replay.take().is_empty());
    }

    #[test]
    fn a_full_tape_grows_no_further_and_says_so() {
        let recorder = Journal::record(Arc::new(RustCrypto), 3);
        handshake(&recorder).unwrap();
        let tape = recorder.take();
        assert_eq!((tape.len(), tape.missed()), (3, 1));
    }

    #[test]
    fn nothing_on_the_tape_is_printed() {
        let recorder = Journal::record(Arc::new(RustCrypto), 10);
        handshake(&recorder).unwrap();
        assert_eq!(format!("{recorder:?}"), "Record(RustCrypto)");
        assert_eq!(format!("{:?}", recorder.take()), "Tape(4 results)");
    }
}
