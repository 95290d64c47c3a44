//! Published vectors, for every provider. X-Wing's stand beside its code, because they fix the
//! randomness.

#![cfg(feature = "rustcrypto")]
// A vector that does not parse is a failed test.
#![allow(clippy::unwrap_used)]

mod support;

use jsp_proto::crypto::{IdentitySecret, Provider, Secret, Signature, Suite};
use jsp_proto::rng::{Rng, Seed};
use support::PROVIDERS;

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let text = |pair: &[u8]| String::from_utf8(pair.to_vec()).unwrap();
    digits.chunks(2).map(|pair| u8::from_str_radix(&text(pair), 16).unwrap()).collect()
}

fn array<const N: usize>(digits: &str) -> [u8; N] {
    hex(digits).try_into().unwrap()
}

struct Aead<'a> {
    key: &'a str,
    nonce: &'a str,
    aad: &'a str,
    plain: &'a str,
    /// Ciphertext and tag.
    sealed: &'a str,
}

impl Aead<'_> {
    fn check(&self, suite: Suite) {
        let (nonce, aad, plain) = (array(self.nonce), hex(self.aad), hex(self.plain));
        for provider in PROVIDERS {
            let key = provider.packet_key(suite, &array(self.key));
            let mut data = plain.clone();
            let tag = key.seal(&nonce, &aad, &mut data);
            data.extend(tag);
            assert_eq!(data, hex(self.sealed), "{provider:?} {suite}");
            assert_eq!(key.open(&nonce, &aad, &mut data), Ok(plain.len()));
            assert_eq!(data[..plain.len()], plain);
        }
    }
}

#[test]
fn aes_256_gcm_is_that_of_its_specification() {
    // McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13 to 16.
    let zero_key = "00".repeat(32);
    let zero_nonce = "00".repeat(12);
    let key = "feffe9928665731c6d6a8f9467308308".repeat(2);
    let nonce = "cafebabefacedbaddecaf888";
    let plain = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
                 1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
    let cases = [
        Aead {
            key: &zero_key,
            nonce: &zero_nonce,
            aad: "",
            plain: "",
            sealed: "530f8afbc74536b9a963b4f1c4cb738b",
        },
        Aead {
            key: &zero_key,
            nonce: &zero_nonce,
            aad: "",
            plain: "00000000000000000000000000000000",
            sealed: "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
        },
        Aead {
            key: &key,
            nonce,
            aad: "",
            plain,
            sealed: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
                     8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad
                     b094dac5d93471bdec1a502270e3cc6c",
        },
        Aead {
            key: &key,
            nonce,
            aad: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            // Case 16 drops the last 4 of 64 bytes.
            plain: plain.strip_suffix("1aafd255").unwrap(),
            sealed: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
                     8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662
                     76fc6ece0f4e1768cddf8853bb2d551b",
        },
    ];
    for case in cases {
        case.check(Suite::Aes256Gcm);
    }
}

#[test]
fn chacha20_poly1305_is_that_of_rfc_8439_section_2_8_2() {
    Aead {
        key: "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
        nonce: "070000004041424344454647",
        aad: "50515253c0c1c2c3c4c5c6c7",
        // "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the
        // future, sunscreen would be it."
        plain: "4c616469657320616e642047656e746c656d656e206f662074686520636c6173
                73206f66202739393a204966204920636f756c64206f6666657220796f75206f
                6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73
                637265656e20776f756c642062652069742e",
        sealed: "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6
                 3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36
                 92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc
                 3ff4def08e4b7a9de576d26586cec64b6116
                 1ae10b594f09e26a7e902ecbd0600691",
    }
    .check(Suite::ChaCha20Poly1305);
}

#[test]
fn aes_256_gcm_siv_is_that_of_rfc_8452_appendix_c() {
    // C.2, and the counter that wraps of C.3.
    let key = "0100000000000000000000000000000000000000000000000000000000000000";
    let nonce = "030000000000000000000000";
    let cases = [
        ("", "", "07f5f4169bbf55a8400cd47ea6fd400f"),
        ("", "0100000000000000", "c2ef328e5c71c83b843122130f7364b761e0b97427e3df28"),
        (
            "",
            "010000000000000000000000",
            "9aab2aeb3faa0a34aea8e2b18ca50da9ae6559e48fd10f6e5c9ca17e",
        ),
        (
            "",
            "01000000000000000000000000000000",
            "85a01b63025ba19b7fd3ddfc033b3e76c9eac6fa700942702e90862383c6c366",
        ),
        ("01", "0200000000000000", "1de22967237a813291213f267e3b452f02d01ae33e4ec854"),
    ];
    for (aad, plain, sealed) in cases {
        Aead { key, nonce, aad, plain, sealed }.check(Suite::Aes256GcmSiv);
    }
    Aead {
        key: &"00".repeat(32),
        nonce: &"00".repeat(12),
        aad: "",
        plain: "000000000000000000000000000000004db923dc793ee6497c76dcc03a98e108",
        sealed: "f3f80f2cf0cb2dd9c5984fcda908456cc537703b5ba70324a6793a7bf218d3ea
                 ffffffff000000000000000000000000",
    }
    .check(Suite::Aes256GcmSiv);
}

#[test]
fn a_chacha20_packet_and_its_mask_are_those_of_rfc_9001_appendix_a_5() {
    Aead {
        key: "c6d98ff3441c3fe1b2182094f69caa2ed4b716b65488960a7a984979fb23e1c8",
        nonce: "e0459b3474bdd0e46d417eb0",
        aad: "4200bff4",
        plain: "01",
        sealed: "655e5cd55c41f69080575d7999c25a5bfb",
    }
    .check(Suite::ChaCha20Poly1305);
    let key = array("25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4");
    for provider in PROVIDERS {
        let mask = provider
            .header_key(Suite::ChaCha20Poly1305, &key)
            .mask(&array("5e5cd55c41f69080575d7999c25a5bfb"));
        assert_eq!(mask, array("aefefe7d03"), "{provider:?}");
    }
}

#[test]
fn the_aes_mask_is_the_block_of_fips_197_appendix_c_3() {
    let key = array("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    for provider in PROVIDERS {
        for suite in [Suite::Aes256Gcm, Suite::Aes256GcmSiv] {
            let mask =
                provider.header_key(suite, &key).mask(&array("00112233445566778899aabbccddeeff"));
            assert_eq!(mask, array("8ea2b7ca51"), "{provider:?}");
        }
    }
}

#[test]
fn sha_256_is_that_of_fips_180() {
    let million = vec![b'a'; 1_000_000];
    let cases: [(&[u8], &str); 4] = [
        (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
        (&million, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ];
    for provider in PROVIDERS {
        for (input, expected) in cases {
            let mut hash = provider.sha256();
            hash.update(input);
            assert_eq!(hash.snapshot(), array(expected), "{provider:?}");
        }
    }
}

#[test]
fn hmac_is_that_of_rfc_4231() {
    let long: &[u8] = b"Test Using Larger Than Block-Size Key - Hash Key First";
    let cases: [(&[u8], &[u8], &str); 3] = [
        (
            &[0x0b; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (&[0xaa; 131], long, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
    ];
    for provider in PROVIDERS {
        for (key, input, expected) in cases {
            assert_eq!(provider.hmac_sha256(key, &[input]), array(expected), "{provider:?}");
        }
    }
}

#[test]
fn hkdf_is_that_of_rfc_5869_appendix_a() {
    let ascending = |range: core::ops::RangeInclusive<u8>| range.collect::<Vec<u8>>();
    let cases = [
        (
            vec![0x0b; 22],
            ascending(0x00..=0x0c),
            ascending(0xf0..=0xf9),
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            ascending(0x00..=0x4f),
            ascending(0x60..=0xaf),
            ascending(0xb0..=0xff),
            "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c
             59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71
             cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
        (
            vec![0x0b; 22],
            vec![],
            vec![],
            "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ];
    for provider in PROVIDERS {
        for (input, salt, info, extracted, expanded) in &cases {
            let key: Secret = provider.hkdf_extract(salt, input);
            assert_eq!(*key.expose(), array(extracted), "{provider:?}");
            let expected = hex(expanded);
            let mut out = vec![0; expected.len()];
            provider.hkdf_expand(&key, info, &mut out);
            assert_eq!(out, expected, "{provider:?}");
        }
    }
}

#[test]
fn ed25519_is_that_of_rfc_8032_section_7_1() {
    let cases = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac
             c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e
             458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
    ];
    let mut rng = Rng::new(&Seed::from_u64(1), "unused");
    for provider in PROVIDERS {
        for (seed, public, message, signature) in cases {
            let secret = IdentitySecret { ed25519: array(seed), ml_dsa: None };
            let signer = provider.signer(&secret).unwrap();
            assert_eq!(signer.public().ed25519, array(public), "{provider:?}");
            let made: Signature = signer.sign(&mut rng, &hex(message)).unwrap();
            assert_eq!(made.ed25519, array(signature), "{provider:?}");
            provider.verify(signer.public(), &hex(message), &made).unwrap();
        }
    }
}

#[test]
fn a_fingerprint_covers_label_algorithm_and_keys() {
    for provider in PROVIDERS {
        let secret = IdentitySecret { ed25519: [1; 32], ml_dsa: Some([2; 32]) };
        let public = provider.signer(&secret).unwrap().public().clone();
        let mut hash = provider.sha256();
        hash.update(b"jsp identity\0\x01");
        hash.update(&public.ed25519);
        hash.update(&public.ml_dsa.as_ref().unwrap()[..]);
        assert_eq!(fingerprint(*provider, &secret), hash.snapshot());
    }
}

fn fingerprint(provider: &dyn Provider, secret: &IdentitySecret) -> [u8; 32] {
    provider.signer(secret).unwrap().public().fingerprint(provider).0
}
