//! What an endpoint makes for itself: connection IDs, reset tokens and Retry tokens.

use crate::doc::{Doc, hex, object};
use jsp_proto::cid::{CidKey, MAX_SLOTS, ResetKey};
use jsp_proto::crypto::rustcrypto::RustCrypto;
use jsp_proto::crypto::{Provider, Secret};
use jsp_proto::ids::{ConnectionHandle, ConnectionId, ShardIndex};
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::time::Time;
use jsp_proto::token::{RetryToken, TokenKey};
use std::net::SocketAddr;
use std::sync::Arc;

fn derived(secret: &Secret, info: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    RustCrypto.hkdf_expand(secret, info, &mut key);
    key
}

/// The document of connection IDs.
pub(crate) fn connection_ids() -> Doc {
    let (secret, reset_key) = (Secret::new([0x1d; 32]), Secret::new([0x2e; 32]));
    let reset = ResetKey::new(Arc::new(RustCrypto), reset_key.clone());
    let row = |(shard, index, generation, sequence): (u8, u32, u16, u16)| {
        let key = CidKey::new(&RustCrypto, &secret, ShardIndex(shard));
        let id = key.encode(ConnectionHandle { index, generation }, sequence);
        object! {
            "shard": u64::from(shard),
            "slot": u64::from(index),
            "generation": u64::from(generation),
            "sequence": u64::from(sequence),
            "id": hex(id.as_bytes()),
            "reset_token": hex(reset.token(&id).0),
        }
    };
    let places =
        [(0, 0, 0, 0), (0, 0, 0, 1), (0, 1, 0, 0), (0, 0, 1, 0), (1, 0x02_0304, 0x0506, 0x0708)];
    let rows = places.into_iter().chain([(u8::MAX, MAX_SLOTS - 1, u16::MAX, u16::MAX)]).map(row);
    object! {
        "title": "Connection IDs and stateless reset tokens of the reference implementation",
        "secret": hex(secret.expose()),
        "key": hex(derived(&secret, b"jsp1 connection id")),
        "reset_key": hex(reset_key.expose()),
        "ids": rows.collect::<Vec<_>>(),
    }
}

/// The document of Retry tokens.
pub(crate) fn tokens() -> Doc {
    let secret = Secret::new([0x3f; 32]);
    let key = TokenKey::new(&RustCrypto, &secret);
    let mut rng = Rng::new(&Seed::from_u64(400), "tokens");
    let mut row = |remote: SocketAddr, odcid: &[u8], scid: &[u8], nanos| {
        let token = RetryToken {
            remote,
            odcid: ConnectionId::new(odcid).unwrap(),
            scid: ConnectionId::new(scid).unwrap(),
            issued: Time::from_nanos(nanos),
        };
        object! {
            "address": remote.ip().to_string(),
            "port": u64::from(remote.port()),
            "original_dcid": hex(odcid),
            "retry_scid": hex(scid),
            "issued_ns": nanos,
            "token": hex(key.seal(&mut rng, &token)),
        }
    };
    let v4 = SocketAddr::from(([192, 0, 2, 1], 50_000));
    let v6 = SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 443));
    let rows =
        vec![row(v4, &[1; 8], &[2; 8], 1_000_000_000), row(v6, &[0xab; 20], &[0xcd; 8], 1 << 60)];
    object! {
        "title": "Retry tokens of the reference implementation",
        "secret": hex(secret.expose()),
        "key": hex(derived(&secret, b"jsp1 retry token")),
        "tokens": rows,
    }
}
