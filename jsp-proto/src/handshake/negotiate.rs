//! How each choice is made: pure functions of both ends' lists. All lists are in the transcript, so
//! an edited one fails the handshake.

use super::messages::Feature;
use super::names::AlpnList;
use crate::crypto::Suite;
use crate::ids::Version;
use alloc::vec::Vec;

/// The versions that this engine speaks, best first.
pub(super) const VERSIONS: [Version; 1] = [Version::V1];

/// The best common version in the client's order (RFC 9368, section 4).
pub(super) fn version(client: &[Version], server: &[Version]) -> Option<Version> {
    client.iter().copied().find(|v| !v.is_reserved() && server.contains(v))
}

/// The common suite whose places in both orders, added, are the least: each end's order says what
/// its CPU does well. The client's order decides between equals, as clients are the smaller devices.
pub(super) fn suite(client: &[u8], server: &[Suite]) -> Option<Suite> {
    let client = client.iter().filter_map(|&n| Suite::from_wire(n));
    client
        .enumerate()
        .filter_map(|(i, suite)| Some((i + server.iter().position(|&s| s == suite)?, suite)))
        .min_by_key(|&(rank, _)| rank)
        .map(|(_, suite)| suite)
}

/// The protocol to speak: the server's best that the client offered.
///
/// `Ok(None)` if neither end names any. An end that names protocols speaks no other, so one that
/// names some and one that names none have nothing in common: data of one protocol must never be
/// taken for another's.
pub(super) fn alpn<'a>(
    client: &AlpnList,
    server: &'a AlpnList,
) -> Result<Option<&'a [u8]>, NoAlpn> {
    if client.is_empty() && server.is_empty() {
        return Ok(None);
    }
    let common = server.names().iter().find(|name| client.contains(name));
    common.map(|name| Some(name.as_slice())).ok_or(NoAlpn)
}

/// No protocol in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoAlpn;

/// What both ends named, in the order of this end's list; reserved numbers never mean anything.
pub(super) fn features(own: &[Feature], peer: &[Feature]) -> Vec<Feature> {
    own.iter().copied().filter(|f| !f.is_reserved() && peer.contains(f)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    const A: Suite = Suite::Aes256Gcm;
    const C: Suite = Suite::ChaCha20Poly1305;
    const S: Suite = Suite::Aes256GcmSiv;

    fn list(names: &[&[u8]]) -> AlpnList {
        AlpnList::new(names.iter().map(|name| name.to_vec()).collect()).unwrap()
    }

    #[test]
    fn both_orders_decide_the_suite_and_the_client_breaks_ties() {
        let suite = |client: &[Suite], server: &[Suite]| {
            let client: Vec<u8> = client.iter().map(|s| s.to_wire()).collect();
            suite(&client, server)
        };
        assert_eq!(suite(&[A, C, S], &[A, C, S]), Some(A));
        assert_eq!(suite(&[C, A, S], &[A, C, S]), Some(C));
        assert_eq!(suite(&[S, A, C], &[C, A, S]), Some(S));
        assert_eq!(suite(&[S, A, C], &[A, C]), Some(A));
        assert_eq!(suite(&[S], &[A, C]), None);
        assert_eq!(super::suite(&[0x1a, 0x2a, 2], &[C]), Some(C));
    }

    #[test]
    fn the_servers_best_protocol_is_spoken() {
        let (client, server) = (list(&[b"a", b"b"]), list(&[b"c", b"b", b"a"]));
        assert_eq!(alpn(&client, &server), Ok(Some(&b"b"[..])));
        assert_eq!(alpn(&list(&[b"a"]), &list(&[b"c"])), Err(NoAlpn));
    }

    #[test]
    fn naming_a_protocol_and_naming_none_do_not_meet() {
        assert_eq!(alpn(&list(&[]), &list(&[])), Ok(None));
        assert_eq!(alpn(&list(&[b"a"]), &list(&[])), Err(NoAlpn));
        assert_eq!(alpn(&list(&[]), &list(&[b"a"])), Err(NoAlpn));
    }

    #[test]
    fn the_best_common_version_is_the_clients() {
        let (a, b, c) = (Version(1), Version(2), Version(3));
        assert_eq!(version(&[c, b, a], &[a, b]), Some(b));
        assert_eq!(version(&[c], &[a, b]), None);
        let reserved = Version(0x1a1a_1a1a);
        assert_eq!(version(&[reserved], &[reserved]), None, "a reserved one is never chosen");
        assert_eq!(version(&[reserved, a], &[reserved, a]), Some(a));
    }

    #[test]
    fn a_reserved_feature_is_never_in_use() {
        let both = [Feature(0x1a2a), Feature(7)];
        assert_eq!(features(&both, &both), [Feature(7)]);
    }

    quickcheck! {
        fn a_feature_is_in_use_if_both_ends_named_it(own: Vec<u16>, peer: Vec<u16>) -> bool {
            let wrap = |list: &[u16]| list.iter().copied().map(Feature).collect::<Vec<_>>();
            let common = features(&wrap(&own), &wrap(&peer));
            own.iter().all(|&f| {
                let meant = !Feature(f).is_reserved();
                common.contains(&Feature(f)) == (meant && peer.contains(&f))
            })
        }
    }
}
