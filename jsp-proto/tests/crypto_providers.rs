//! The two providers against each other, and each against the traits' promises.

#![cfg(feature = "rustcrypto")]
// A panic is how a test fails.
#![allow(clippy::unwrap_used)]

mod support;

use jsp_proto::crypto::{
    Algorithm, CryptoError, IdentitySecret, KEY_LEN, NONCE_LEN, Provider, SAMPLE_LEN, Secret,
    Signature, Suite, TAG_LEN, XWING_CIPHERTEXT_LEN, XWING_PUBLIC_LEN, rustcrypto::RustCrypto,
};
use jsp_proto::rng::{Rng, Seed};
use quickcheck::{TestResult, quickcheck};
use support::PROVIDERS;

/// Every ordered pair, one with itself included.
fn pairs() -> impl Iterator<Item = (&'static dyn Provider, &'static dyn Provider)> {
    PROVIDERS.iter().flat_map(|a| PROVIDERS.iter().map(|b| (*a, *b)))
}

fn rng(name: &str) -> Rng {
    Rng::new(&Seed::from_u64(1), name)
}

fn bytes(rng: &mut Rng, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    rng.fill(&mut out);
    out
}

/// Lengths around the block and stride boundaries of all three ciphers, and of a datagram.
const LENGTHS: &[usize] =
    &[0, 1, 3, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1200, 1452, 9000];

#[test]
fn what_one_provider_seals_every_provider_opens() {
    let mut rng = rng("seal");
    for (sealer, opener) in pairs() {
        for suite in Suite::ALL {
            for &len in LENGTHS {
                let (key, nonce) = (rng.array::<KEY_LEN>(), rng.array::<NONCE_LEN>());
                let aad = bytes(&mut rng, len % 61);
                let plain = bytes(&mut rng, len);
                let mut data = plain.clone();
                let tag = sealer.packet_key(suite, &key).seal(&nonce, &aad, &mut data);
                data.extend(tag);
                let opened = opener.packet_key(suite, &key).open(&nonce, &aad, &mut data);
                assert_eq!(opened, Ok(len), "{sealer:?} {opener:?} {suite} {len}");
                assert_eq!(data[..len], plain);
            }
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_opens_nothing_and_shows_no_plaintext() {
    let (key, nonce, aad) = ([1; KEY_LEN], [2; NONCE_LEN], [3; 20]);
    let plain: [u8; 100] = rng("flip").array();
    for provider in PROVIDERS {
        for suite in Suite::ALL {
            let packet_key = provider.packet_key(suite, &key);
            let mut sealed = plain.to_vec();
            let tag = packet_key.seal(&nonce, &aad, &mut sealed);
            sealed.extend(tag);
            for bit in 0..8 * (aad.len() + sealed.len()) {
                let (mut aad, mut data) = (aad, sealed.clone());
                let (byte, mask) = (bit / 8, 1 << (bit % 8));
                if byte < aad.len() {
                    aad[byte] ^= mask;
                } else {
                    data[byte - aad.len()] ^= mask;
                }
                assert_eq!(packet_key.open(&nonce, &aad, &mut data), Err(CryptoError));
                assert!(
                    !data.windows(8).any(|w| plain.windows(8).any(|p| p == w)),
                    "{provider:?} {suite} shows plaintext"
                );
            }
            let mut other = nonce;
            other[11] ^= 1;
            assert_eq!(packet_key.open(&other, &aad, &mut sealed.clone()), Err(CryptoError));
            assert_eq!(packet_key.open(&nonce, &aad, &mut sealed), Ok(plain.len()));
        }
    }
}

#[test]
fn a_packet_shorter_than_its_tag_does_not_open() {
    for provider in PROVIDERS {
        for suite in Suite::ALL {
            let key = provider.packet_key(suite, &[1; KEY_LEN]);
            for len in 0..TAG_LEN {
                assert_eq!(key.open(&[0; NONCE_LEN], &[], &mut vec![0; len]), Err(CryptoError));
            }
        }
    }
}

#[test]
fn header_masks_are_the_same_for_every_sample_the_last_counter_included() {
    let mut rng = rng("mask");
    for suite in Suite::ALL {
        let key = rng.array();
        let keys: Vec<_> = PROVIDERS.iter().map(|p| p.header_key(suite, &key)).collect();
        let samples = (0..200).map(|_| rng.array()).chain([[0; SAMPLE_LEN], [0xff; SAMPLE_LEN]]);
        for sample in samples {
            let masks: Vec<_> = keys.iter().map(|key| key.mask(&sample)).collect();
            assert!(masks.iter().all(|mask| *mask == masks[0]), "{suite} {sample:?}");
        }
    }
}

#[test]
fn the_masks_of_many_samples_are_those_of_each() {
    let mut rng = rng("masks");
    let samples: Vec<[u8; SAMPLE_LEN]> = (0..200).map(|_| rng.array()).collect();
    for (provider, suite) in PROVIDERS.iter().flat_map(|p| Suite::ALL.map(|suite| (p, suite))) {
        let key = provider.header_key(suite, &rng.array());
        for count in [0, 1, 2, 7, 8, 45, 63, 64, 65, 200] {
            let mut masks = [[0; 5]; 200];
            key.masks(&samples[..count], &mut masks[..count]);
            let each: Vec<_> = samples[..count].iter().map(|sample| key.mask(sample)).collect();
            assert_eq!(masks[..count], each, "{provider:?} {suite} {count}");
            assert_eq!(masks[count..], vec![[0; 5]; 200 - count]);
        }
    }
}

quickcheck! {
    fn hashes_are_the_same_however_the_input_is_cut(parts: Vec<Vec<u8>>) -> bool {
        let whole = parts.concat();
        let mut all = PROVIDERS.iter().flat_map(|provider| {
            let mut cut = provider.sha256();
            for part in &parts {
                cut.update(part);
            }
            let mut once = provider.sha256();
            once.update(&whole);
            [cut.snapshot(), once.snapshot()]
        });
        let first = all.next();
        all.all(|hash| Some(hash) == first)
    }

    fn a_snapshot_leaves_the_hash_running(head: Vec<u8>, tail: Vec<u8>) -> bool {
        PROVIDERS.iter().all(|provider| {
            let (mut watched, mut plain) = (provider.sha256(), provider.sha256());
            watched.update(&head);
            let early = watched.snapshot();
            watched.update(&tail);
            plain.update(&head);
            let expected_early = plain.snapshot();
            plain.update(&tail);
            early == expected_early && watched.snapshot() == plain.snapshot()
        })
    }

    fn hmacs_are_the_same_for_keys_of_any_length(key: Vec<u8>, parts: Vec<Vec<u8>>) -> bool {
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let whole = parts.concat();
        let first = PROVIDERS[0].hmac_sha256(&key, &parts);
        PROVIDERS.iter().all(|p| {
            p.hmac_sha256(&key, &parts) == first && p.hmac_sha256(&key, &[&whole]) == first
        })
    }

    fn key_derivation_is_the_same(salt: Vec<u8>, input: Vec<u8>, info: Vec<u8>, len: u16) -> TestResult {
        let len = usize::from(len) % (255 * 32 + 1);
        let derive = |provider: &dyn Provider| {
            let mut out = vec![0; len];
            provider.hkdf_expand(&provider.hkdf_extract(&salt, &input), &info, &mut out);
            out
        };
        let first = derive(PROVIDERS[0]);
        TestResult::from_bool(PROVIDERS.iter().all(|p| derive(*p) == first))
    }
}

#[test]
fn key_exchange_agrees_between_providers() {
    let mut rng = rng("kem");
    for (owner, peer) in pairs() {
        for _ in 0..8 {
            let mut public = [0; XWING_PUBLIC_LEN];
            let mut ciphertext = [0; XWING_CIPHERTEXT_LEN];
            let secret = owner.xwing_generate(&mut rng, &mut public).unwrap();
            let sent = peer.xwing_encapsulate(&mut rng, &public, &mut ciphertext).unwrap();
            let received = secret.decapsulate(&ciphertext).unwrap();
            assert_eq!(sent.expose(), received.expose(), "{owner:?} {peer:?}");
        }
    }
}

#[test]
fn a_ciphertext_for_another_key_gives_an_unrelated_secret() {
    let mut rng = rng("implicit");
    for (owner, peer) in pairs() {
        let mut public = [0; XWING_PUBLIC_LEN];
        let mut ciphertext = [0; XWING_CIPHERTEXT_LEN];
        let secret = owner.xwing_generate(&mut rng, &mut public).unwrap();
        let sent = peer.xwing_encapsulate(&mut rng, &public, &mut ciphertext).unwrap();
        // A byte of the ML-KEM part, and one of the X25519 part.
        for at in [5, XWING_CIPHERTEXT_LEN - 5] {
            let mut changed = ciphertext;
            changed[at] ^= 1;
            let other = secret.decapsulate(&changed).unwrap();
            assert_ne!(other.expose(), sent.expose());
            assert_eq!(other.expose(), secret.decapsulate(&changed).unwrap().expose());
        }
    }
}

/// The u-coordinates of small order on the curve and its twist, and the unreduced ones (RFC 7748,
/// section 7; the list is at <https://cr.yp.to/ecdh.html#validate>).
fn low_order_shares() -> Vec<[u8; 32]> {
    let mut one = [0; 32];
    one[0] = 1;
    let mut minus_one = [0xff; 32];
    minus_one[0] = 0xec;
    minus_one[31] = 0x7f;
    let (mut p, mut p_plus_one) = (minus_one, minus_one);
    p[0] = 0xed;
    p_plus_one[0] = 0xee;
    let order_8 = [
        [
            0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f,
            0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16,
            0x5f, 0x49, 0xb8, 0x00,
        ],
        [
            0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83,
            0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd,
            0xd0, 0x9f, 0x11, 0x57,
        ],
    ];
    let mut all = vec![[0; 32], one, minus_one, p, p_plus_one, order_8[0], order_8[1]];
    for i in 0..all.len() {
        let mut high = all[i];
        high[31] |= 0x80;
        all.push(high);
    }
    all
}

#[test]
fn a_share_of_low_order_is_refused_on_both_sides() {
    let mut rng = rng("low order");
    for provider in PROVIDERS {
        let mut public = [0; XWING_PUBLIC_LEN];
        let mut ciphertext = [0; XWING_CIPHERTEXT_LEN];
        let secret = provider.xwing_generate(&mut rng, &mut public).unwrap();
        provider.xwing_encapsulate(&mut rng, &public, &mut ciphertext).unwrap();
        for share in low_order_shares() {
            let (mut weak_public, mut weak_ciphertext) = (public, ciphertext);
            weak_public[XWING_PUBLIC_LEN - 32..].copy_from_slice(&share);
            weak_ciphertext[XWING_CIPHERTEXT_LEN - 32..].copy_from_slice(&share);
            let encapsulated = provider.xwing_encapsulate(&mut rng, &weak_public, &mut ciphertext);
            assert_eq!(encapsulated.err(), Some(CryptoError), "{provider:?} {share:?}");
            let decapsulated = secret.decapsulate(&weak_ciphertext);
            assert_eq!(decapsulated.err(), Some(CryptoError), "{provider:?} {share:?}");
        }
    }
}

#[test]
fn a_public_key_with_an_unreduced_coefficient_is_refused() {
    let mut rng = rng("modulus");
    for provider in PROVIDERS {
        let mut public = [0; XWING_PUBLIC_LEN];
        let mut ciphertext = [0; XWING_CIPHERTEXT_LEN];
        provider.xwing_generate(&mut rng, &mut public).unwrap();
        // A coefficient is 12 bits; 3329 = 0xd01 is the first that is not reduced.
        for at in [0, 600, 1149] {
            let mut unreduced = public;
            unreduced[at] = 0x01;
            unreduced[at + 1] = (unreduced[at + 1] & 0xf0) | 0x0d;
            let result = provider.xwing_encapsulate(&mut rng, &unreduced, &mut ciphertext);
            assert_eq!(result.err(), Some(CryptoError), "{provider:?} {at}");
            // 3328 is.
            unreduced[at] = 0x00;
            provider.xwing_encapsulate(&mut rng, &unreduced, &mut ciphertext).unwrap();
        }
    }
}

fn identity(hybrid: bool) -> IdentitySecret {
    IdentitySecret { ed25519: [7; 32], ml_dsa: hybrid.then_some([9; 32]) }
}

#[test]
fn identities_and_fingerprints_are_the_same_everywhere() {
    for (hybrid, algorithm) in [(true, Algorithm::Hybrid), (false, Algorithm::Ed25519)] {
        let publics: Vec<_> = PROVIDERS
            .iter()
            .map(|p| p.signer(&identity(hybrid)).unwrap().public().clone())
            .collect();
        assert_eq!(publics[0].algorithm(), algorithm);
        assert!(publics.iter().all(|public| *public == publics[0]));
        let fingerprint = publics[0].fingerprint(PROVIDERS[0]);
        assert!(PROVIDERS.iter().all(|p| publics[0].fingerprint(*p) == fingerprint));
    }
}

#[test]
fn what_one_provider_signs_every_provider_verifies() {
    let mut rng = rng("sign");
    for (signer, verifier) in pairs() {
        for hybrid in [true, false] {
            for len in [0, 1, 32, 130, 5000] {
                let message = bytes(&mut rng, len);
                let key = signer.signer(&identity(hybrid)).unwrap();
                let signature = key.sign(&mut rng, &message).unwrap();
                verifier.verify(key.public(), &message, &signature).unwrap();
                let mut other = message;
                other.push(0);
                let refused = verifier.verify(key.public(), &other, &signature);
                assert_eq!(refused, Err(CryptoError));
            }
        }
    }
}

#[test]
fn each_half_of_a_signature_must_be_there_and_hold() {
    let mut rng = rng("halves");
    let message = b"proof";
    for (signer, verifier) in pairs() {
        let hybrid = signer.signer(&identity(true)).unwrap();
        let classical = signer.signer(&identity(false)).unwrap();
        let good = hybrid.sign(&mut rng, message).unwrap();
        let verify = |identity, signature| verifier.verify(identity, message, &signature);

        let mut forged = good.clone();
        forged.ed25519[0] ^= 1;
        assert_eq!(verify(hybrid.public(), forged), Err(CryptoError));
        for at in [0, 100, 3308] {
            let mut forged = good.clone();
            forged.ml_dsa.as_mut().unwrap()[at] ^= 1;
            assert_eq!(verify(hybrid.public(), forged), Err(CryptoError), "{at}");
        }
        let halved = Signature { ml_dsa: None, ..good.clone() };
        assert_eq!(verify(hybrid.public(), halved.clone()), Err(CryptoError));
        assert_eq!(verify(classical.public(), good.clone()), Err(CryptoError));
        assert_eq!(verify(classical.public(), halved), Ok(()));
        assert_eq!(verify(hybrid.public(), good), Ok(()));
    }
}

#[test]
fn a_key_of_low_order_verifies_nothing() {
    // Under the neutral element as key and commitment, s = 0 satisfies the equation for every
    // message.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&neutral);
    let mut identity = PROVIDERS[0].signer(&identity(false)).unwrap().public().clone();
    identity.ed25519 = neutral;
    for provider in PROVIDERS {
        let signature = Signature { ed25519: signature, ml_dsa: None };
        let result = provider.verify(&identity, b"anything", &signature);
        assert_eq!(result, Err(CryptoError), "{provider:?}");
    }
}

#[test]
fn the_portable_provider_repeats_itself_from_the_same_seed() {
    let run = |seed| {
        let mut rng = Rng::new(&Seed::from_u64(seed), "repeat");
        let mut public = [0; XWING_PUBLIC_LEN];
        let mut ciphertext = [0; XWING_CIPHERTEXT_LEN];
        RustCrypto.xwing_generate(&mut rng, &mut public).unwrap();
        let secret = RustCrypto.xwing_encapsulate(&mut rng, &public, &mut ciphertext).unwrap();
        let signature =
            RustCrypto.signer(&identity(true)).unwrap().sign(&mut rng, b"message").unwrap();
        (public, ciphertext, *secret.expose(), signature)
    };
    assert!(run(1) == run(1));
    let (one, two) = (run(1), run(2));
    // Hedged: the post-quantum half of the signature differs under another seed.
    assert!(one.0 != two.0 && one.1 != two.1 && one.2 != two.2 && one.3.ml_dsa != two.3.ml_dsa);
}

#[test]
fn secrets_show_nothing() {
    let secret = Secret::new([0x5a; 32]);
    assert_eq!(format!("{secret:?}"), "Secret(..)");
    assert_eq!(format!("{:?}", identity(true)), "IdentitySecret(..)");
}
