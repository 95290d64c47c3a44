//! Values that mean nothing, offered at random so that peers keep ignoring what they do not know
//! (RFC 8701): numbers whose low half bytes are all `a`.

use super::messages::{Extension, Feature, MAX_FEATURES};
use crate::ids::Version;
use crate::rng::Rng;
use crate::wire::parameters::Parameters;
use alloc::vec;
use alloc::vec::Vec;

/// The versions, and one that nobody speaks.
pub(super) fn versions(rng: &mut Rng, versions: &[Version]) -> Vec<Version> {
    let reserved = Version(rng.u32() & 0xf0f0_f0f0 | 0x0a0a_0a0a);
    mixed(rng, versions.iter().copied(), reserved)
}

/// The suites, as numbers, and one that does not exist.
pub(super) fn suites(rng: &mut Rng, suites: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let reserved = rng.u32() as u8 & 0xf0 | 0x0a;
    mixed(rng, suites, reserved)
}

/// The features, as many as a list holds, and one that does not exist.
pub(super) fn features(rng: &mut Rng, features: &[Feature]) -> Vec<Feature> {
    let reserved = Feature(rng.u32() as u16 & 0xf0f0 | 0x0a0a);
    mixed(rng, features.iter().copied().take(MAX_FEATURES - 1), reserved)
}

/// The parameters, encoded, and one that does not exist.
pub(super) fn parameters(rng: &mut Rng, parameters: &Parameters) -> Vec<u8> {
    let mut out = Vec::new();
    let written = parameters.encode(&mut out, rng.u32());
    debug_assert_eq!(written, Ok(()), "a vector is never full");
    out
}

/// An extension that does not exist, with 0 to 7 bytes.
pub(super) fn extensions(rng: &mut Rng) -> Vec<Extension> {
    let mut value = vec![0; rng.below(8) as usize];
    rng.fill(&mut value);
    vec![Extension { id: rng.u32() as u16 & 0xf0f0 | 0x0a0a, value }]
}

/// `list` with `value` at a random position.
fn mixed<T>(rng: &mut Rng, list: impl IntoIterator<Item = T>, value: T) -> Vec<T> {
    let mut list: Vec<T> = list.into_iter().collect();
    let at = rng.below(list.len() as u64 + 1) as usize;
    list.insert(at, value);
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Suite;
    use crate::rng::Seed;

    #[test]
    fn a_reserved_value_is_added_and_the_order_of_the_others_kept() {
        let mut rng = Rng::new(&Seed::from_u64(1), "grease");
        for _ in 0..200 {
            let (meant, reserved): (Vec<_>, Vec<_>) = versions(&mut rng, &[Version(2), Version(1)])
                .into_iter()
                .partition(|v| !v.is_reserved());
            assert_eq!((meant, reserved.len()), (vec![Version(2), Version(1)], 1));

            let (meant, reserved): (Vec<_>, Vec<_>) = suites(&mut rng, [3, 1, 2])
                .into_iter()
                .partition(|&n| Suite::from_wire(n).is_some());
            assert_eq!((meant, reserved.len()), (vec![3, 1, 2], 1));

            let (meant, reserved): (Vec<_>, Vec<_>) =
                features(&mut rng, &[Feature(7)]).into_iter().partition(|f| !f.is_reserved());
            assert_eq!((meant, reserved.len()), (vec![Feature(7)], 1));

            assert_eq!(extensions(&mut rng)[0].id & 0x0f0f, 0x0a0a);
        }
    }

    #[test]
    fn a_full_list_of_features_has_room_for_the_reserved_one() {
        let mut rng = Rng::new(&Seed::from_u64(1), "grease");
        assert_eq!(features(&mut rng, &[Feature(7); 40]).len(), MAX_FEATURES);
    }
}
