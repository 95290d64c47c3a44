//! Who proves what to whom, and who is trusted.

use super::pair::{CLIENT, Keys, OTHER, Pair, SERVER, SMALL, client, gullible, server};
use crate::crypto::Fingerprint;
use crate::error::Code;
use crate::handshake::{
    AcceptAny, AllowList, ClientAuth, ClientConfig, Identity, IdentitySet, PinStore, Pinned,
    Rejected, ServerConfig, TrustOnFirstUse, Verifier,
};
use crate::ids::{Side, Space};
use std::collections::BTreeMap;
use std::string::String;
use std::sync::{Arc, Mutex};

fn trusting(verifier: impl Verifier + 'static) -> ClientConfig {
    ClientConfig { verifier: Arc::new(verifier), ..client() }
}

fn known(identity: &Keys) -> ClientConfig {
    ClientConfig { identity: Some(identity.identity.clone()), ..client() }
}

fn asking(client_auth: ClientAuth) -> ServerConfig {
    ServerConfig { client_auth, ..server() }
}

fn showing(keys: &Keys) -> ServerConfig {
    ServerConfig { identities: IdentitySet::single(keys.identity.clone()), ..server() }
}

fn fingerprint(keys: &Keys) -> Fingerprint {
    keys.identity.fingerprint()
}

fn seen_by_server(pair: &Pair) -> Option<Fingerprint> {
    pair.assert_agreed();
    let completed = pair.server.completed.as_ref().unwrap();
    assert_eq!(completed.peer.as_ref(), pair.server.handshake.peer_identity());
    completed.peer.as_ref().map(Identity::fingerprint)
}

#[test]
fn a_client_that_must_proves_its_identity() {
    let auth = ClientAuth::Required(Arc::new(Pinned::new(fingerprint(&CLIENT))));
    let pair = Pair::run(known(&CLIENT), asking(auth));
    assert_eq!(seen_by_server(&pair), Some(fingerprint(&CLIENT)));
}

#[test]
fn a_client_that_may_proves_its_identity_or_does_not() {
    let auth = || ClientAuth::Optional(Arc::new(AcceptAny));
    let pair = Pair::run(known(&CLIENT), asking(auth()));
    assert_eq!(seen_by_server(&pair), Some(fingerprint(&CLIENT)));
    let pair = Pair::run(client(), asking(auth()));
    assert_eq!(seen_by_server(&pair), None);
}

#[test]
fn a_client_without_the_required_identity_says_so() {
    let auth = ClientAuth::Required(Arc::new(AcceptAny));
    let pair = Pair::run(client(), asking(auth));
    assert_eq!(pair.client.error.unwrap().code, Code::IDENTITY_REQUIRED);
}

#[test]
fn a_client_that_is_not_trusted_is_refused_even_where_identities_are_optional() {
    let auth = ClientAuth::Optional(Arc::new(Pinned::new(fingerprint(&OTHER))));
    let pair = Pair::run(known(&CLIENT), asking(auth));
    assert_eq!(pair.server.error.unwrap().code, Code::IDENTITY);
    assert!(pair.server.completed.is_none());
}

#[test]
fn a_client_that_is_not_asked_shows_nothing() {
    let mut pair = Pair::new(known(&CLIENT), server());
    let mut length = 0;
    pair.talk_through(&mut |side, space, flight| {
        if (side, space) == (Side::Client, Space::Handshake) {
            length += flight.len();
        }
    });
    assert_eq!(seen_by_server(&pair), None);
    assert_eq!(length, 4 + 32);
    assert_eq!(pair.client.signed, []);
}

#[test]
fn a_client_shows_nothing_to_a_server_that_did_not_prove_itself() {
    let auth = ClientAuth::Required(Arc::new(AcceptAny));
    let mut pair = Pair::new(known(&CLIENT), asking(auth));
    pair.server.impostor = Some(&OTHER);
    pair.talk();
    assert_eq!(pair.client.error.unwrap().code, Code::IDENTITY);
    assert_eq!(pair.client.signed, []);
    assert!(!pair.client.handshake.has_crypto(Space::Handshake));
}

#[test]
fn a_pin_holds_for_one_identity() {
    Pair::run(trusting(Pinned::new(fingerprint(&SERVER))), server()).assert_agreed();
    let pair = Pair::run(trusting(Pinned::new(fingerprint(&OTHER))), server());
    assert_eq!(pair.client.error.unwrap().code, Code::IDENTITY);
}

#[test]
fn an_allow_list_holds_for_those_on_it() {
    let both = AllowList::new([fingerprint(&OTHER), fingerprint(&SERVER)]);
    Pair::run(trusting(both), server()).assert_agreed();
    for list in [AllowList::new([fingerprint(&OTHER)]), AllowList::new([])] {
        let pair = Pair::run(trusting(list), server());
        assert_eq!(pair.client.error.unwrap().code, Code::IDENTITY);
    }
}

#[test]
fn an_identity_without_a_post_quantum_key_is_refused_unless_the_policy_allows_it() {
    let pin = Pinned::new(fingerprint(&SMALL));
    let list = AllowList::new([fingerprint(&SMALL)]);
    let first = || TrustOnFirstUse::new(Store::default()).remember_as("small");
    for refusing in [trusting(pin), trusting(list.clone()), trusting(first())] {
        let pair = Pair::run(refusing, showing(&SMALL));
        assert_eq!(pair.client.error.unwrap().code, Code::IDENTITY);
    }
    let allowing = [
        trusting(pin.allow_ed25519_only()),
        trusting(list.allow_ed25519_only()),
        trusting(first().allow_ed25519_only()),
        trusting(AcceptAny),
    ];
    for config in allowing {
        let pair = Pair::run(config, showing(&SMALL));
        pair.assert_agreed();
        assert_eq!(pair.client.handshake.peer_identity(), Some(&SMALL.identity));
    }
}

#[test]
fn a_servers_policy_about_small_identities_is_its_own() {
    let pin = Pinned::new(fingerprint(&SMALL));
    let refusing = asking(ClientAuth::Required(Arc::new(pin)));
    let pair = Pair::run(known(&SMALL), refusing);
    assert_eq!(pair.server.error.unwrap().code, Code::IDENTITY);
    let allowing = asking(ClientAuth::Required(Arc::new(pin.allow_ed25519_only())));
    assert_eq!(seen_by_server(&Pair::run(known(&SMALL), allowing)), Some(fingerprint(&SMALL)));
}

/// Pins in memory.
#[derive(Default)]
struct Store {
    pins: Mutex<BTreeMap<String, Fingerprint>>,
    read_only: bool,
}

impl PinStore for Arc<Store> {
    fn get(&self, name: &str) -> Option<Fingerprint> {
        self.pins.lock().unwrap().get(name).copied()
    }

    fn put(&self, name: &str, fingerprint: Fingerprint) -> Result<(), Rejected> {
        if self.read_only {
            return Err(Rejected);
        }
        self.pins.lock().unwrap().insert(name.into(), fingerprint);
        Ok(())
    }
}

impl PinStore for Store {
    fn get(&self, _: &str) -> Option<Fingerprint> {
        None
    }

    fn put(&self, _: &str, _: Fingerprint) -> Result<(), Rejected> {
        Ok(())
    }
}

fn first_use(store: &Arc<Store>, name: &str) -> ClientConfig {
    let verifier = TrustOnFirstUse::new(store.clone());
    ClientConfig { server_name: name.parse().unwrap(), ..trusting(verifier) }
}

#[test]
fn the_first_identity_of_a_name_is_trusted_and_no_other_after_it() {
    let store = Arc::new(Store::default());
    Pair::run(first_use(&store, "a"), server()).assert_agreed();
    Pair::run(first_use(&store, "a"), server()).assert_agreed();
    let pair = Pair::run(first_use(&store, "a"), showing(&OTHER));
    assert_eq!(pair.client.error.unwrap().code, Code::IDENTITY);
    Pair::run(first_use(&store, "b"), showing(&OTHER)).assert_agreed();
    assert_eq!(store.get("a"), Some(fingerprint(&SERVER)));
}

#[test]
fn nobody_is_trusted_on_first_use_without_a_name_or_a_place_to_remember() {
    let store = Arc::new(Store::default());
    let pair = Pair::run(first_use(&store, ""), server());
    assert_eq!(pair.client.error.unwrap().code, Code::IDENTITY);
    let full = Arc::new(Store { read_only: true, ..Store::default() });
    let pair = Pair::run(first_use(&full, "a"), server());
    assert_eq!(pair.client.error.unwrap().code, Code::IDENTITY);
}

#[test]
fn an_identity_that_was_not_proved_is_not_remembered() {
    let store = Arc::new(Store::default());
    let mut pair = Pair::new(first_use(&store, "a"), server());
    pair.server.impostor = Some(&OTHER);
    pair.talk();
    assert_eq!(pair.client.error.unwrap().code, Code::IDENTITY);
    assert_eq!(store.get("a"), None);
}

#[test]
fn a_server_shows_the_identity_that_was_asked_for() {
    let named = |name: &str| ClientConfig { server_name: name.parse().unwrap(), ..gullible() };
    let set = IdentitySet::single(SERVER.identity.clone())
        .with("other".parse().unwrap(), OTHER.identity.clone());
    let config = || ServerConfig { identities: set.clone(), ..server() };
    for (name, keys) in [("other", &OTHER), ("nobody", &SERVER), ("", &SERVER)] {
        let pair = Pair::run(named(name), config());
        pair.assert_agreed();
        assert_eq!(pair.client.handshake.peer_identity(), Some(&keys.identity));
    }
    let strict = IdentitySet::strict().with("other".parse().unwrap(), OTHER.identity.clone());
    let pair = Pair::run(named("nobody"), ServerConfig { identities: strict, ..server() });
    assert_eq!(pair.server.error.unwrap().code, Code::UNKNOWN_NAME);
}

#[test]
fn a_server_whose_keys_are_held_sends_their_fingerprint_only() {
    let holding =
        |keys: &Keys| ClientConfig { held_server: Some(keys.identity.clone()), ..client() };
    let held = Pair::run(holding(&SERVER), server());
    held.assert_agreed();
    assert_eq!(held.client.handshake.peer_identity(), Some(&SERVER.identity));
    let other = Pair::run(holding(&OTHER), server());
    other.assert_agreed();
    let sent = |pair: &Pair| pair.server.handshake.bytes_sent();
    // Up to 7 bytes of two reserved extensions each, and up to 4 of a parameter, differ.
    let saved = sent(&other) - sent(&held);
    assert_eq!(saved, 1952);
}

#[test]
fn holding_an_identity_is_not_trusting_it() {
    let config = ClientConfig {
        held_server: Some(OTHER.identity.clone()),
        ..trusting(Pinned::new(fingerprint(&SERVER)))
    };
    let pair = Pair::run(config, showing(&OTHER));
    assert_eq!(pair.client.error.unwrap().code, Code::IDENTITY);
}
