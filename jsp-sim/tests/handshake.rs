//! Handshakes over simulated paths: how many round trips they take, and that they survive loss.
#![allow(clippy::unwrap_used)] // A story that cannot be told has failed.

use jsp_proto::crypto::Fingerprint;
use jsp_proto::error::{CloseReason, Code};
use jsp_proto::handshake::{
    AcceptAny, AllowList, AlpnList, ClientAuth, Feature, IdentitySet, PinStore, Pinned, Rejected,
    TrustOnFirstUse, Verifier,
};
use jsp_proto::time::Duration;
use jsp_sim::app::{Sink, Source};
use jsp_sim::keys::Keys;
use jsp_sim::link::Link;
use jsp_sim::machine::Admission;
use jsp_sim::pair::{Report, Scenario};
use jsp_sim::{ms, secs, seeds};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const ONE_WAY: Duration = ms(50);
const RTT: Duration = ms(100);

fn scenario(seed: u64) -> Scenario {
    Scenario::new(seed).link(&Link::new().delay(ONE_WAY)).within(secs(11))
}

fn run(scenario: Scenario) -> Report {
    scenario.run().unwrap_or_else(|failure| panic!("{failure}"))
}

#[track_caller]
fn completes_in(scenario: Scenario, expected: Duration) {
    let report = run(scenario);
    assert!(report.is_success(), "{report:#?}");
    assert_eq!(report.handshake, Some(expected));
}

/// Everything that travels in a handshake at its largest.
fn largest(scenario: &mut Scenario) {
    let alpn = AlpnList::new((0..4).map(|i| vec![b'a' + i; 63]).collect()).unwrap();
    let features: Vec<_> = (0x100..0x11f).map(Feature).collect();
    scenario.client.alpn = alpn.clone();
    scenario.client.server_name = "n".repeat(128).parse().unwrap();
    scenario.client.features.clone_from(&features);
    scenario.server.alpn = alpn;
    scenario.server.features = features;
    scenario.server.client_auth = ClientAuth::Required(pin(&Keys::client()));
}

fn pin(keys: &Keys) -> Arc<dyn Verifier> {
    Arc::new(Pinned::new(keys.identity.fingerprint()))
}

#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, Fingerprint>>);

impl PinStore for Memory {
    fn get(&self, name: &str) -> Option<Fingerprint> {
        self.0.lock().unwrap().get(name).copied()
    }

    fn put(&self, name: &str, fingerprint: Fingerprint) -> Result<(), Rejected> {
        self.0.lock().unwrap().insert(name.into(), fingerprint);
        Ok(())
    }
}

#[test]
fn without_loss_a_handshake_takes_one_round_trip() {
    completes_in(scenario(1), RTT);
}

#[test]
fn the_largest_legal_handshake_takes_one_round_trip() {
    for seed in 0..20 {
        let mut scenario = scenario(seed);
        largest(&mut scenario);
        completes_in(scenario, RTT);
    }
}

#[test]
fn every_verifier_lets_its_peer_in_within_one_round_trip() {
    let server = Keys::server().identity.fingerprint();
    let store = Arc::new(TrustOnFirstUse::new(Memory::default()).remember_as("server"));
    let verifiers: [Arc<dyn Verifier>; 5] = [
        Arc::new(Pinned::new(server)),
        Arc::new(AllowList::new([Keys::client().identity.fingerprint(), server])),
        Arc::new(AcceptAny),
        store.clone(),
        // The second time it is known.
        store,
    ];
    for verifier in verifiers {
        let mut scenario = scenario(1);
        scenario.client.verifier = verifier;
        completes_in(scenario, RTT);
    }
}

#[test]
fn mutual_authentication_takes_one_round_trip_with_every_verifier() {
    let client = Keys::client().identity.fingerprint();
    let verifiers: [Arc<dyn Verifier>; 3] =
        [Arc::new(Pinned::new(client)), Arc::new(AllowList::new([client])), Arc::new(AcceptAny)];
    for verifier in verifiers {
        for auth in [ClientAuth::Required(verifier.clone()), ClientAuth::Optional(verifier)] {
            let mut scenario = scenario(1);
            scenario.server.client_auth = auth;
            completes_in(scenario, RTT);
        }
    }
}

#[test]
fn an_ed25519_identity_is_let_in_where_the_policy_allows_it_and_nowhere_else() {
    let keys = Keys::ed25519(9);
    let allowed = |verifier: Pinned| {
        let mut scenario = scenario(1).with_keys(keys.clone());
        scenario.server.identities = IdentitySet::single(keys.identity.clone());
        scenario.client.verifier = Arc::new(verifier);
        run(scenario)
    };
    let pinned = Pinned::new(keys.identity.fingerprint());
    assert!(allowed(pinned.allow_ed25519_only()).is_success());
    refused_for(&allowed(pinned), Code::IDENTITY);
}

#[track_caller]
fn refused_for(report: &Report, code: Code) {
    assert!(!report.is_success());
    match report.client.as_ref().and_then(|end| end.closed.as_ref()) {
        Some(CloseReason::LocalError(error)) => assert_eq!(error.code, code),
        Some(CloseReason::RemoteError { code: told, .. }) => assert_eq!(*told, code),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_that_is_not_the_pinned_one_is_refused() {
    let mut scenario = scenario(1);
    scenario.client.verifier = pin(&Keys::client());
    refused_for(&run(scenario), Code::IDENTITY);
}

#[test]
fn a_client_that_is_not_on_the_list_is_refused() {
    let mut scenario = scenario(1);
    scenario.server.client_auth = ClientAuth::Required(pin(&Keys::server()));
    let mut pair = scenario.start().unwrap();
    let outcome = pair
        .run_until(|pair| pair.client().is_some_and(|session| session.closed.is_some()))
        .unwrap();
    refused_for(&pair.report(outcome), Code::IDENTITY);
}

#[test]
fn a_held_identity_need_not_be_sent() {
    let sent = |held: bool| {
        let mut scenario = scenario(1);
        scenario.client.held_server = held.then(|| Keys::server().identity);
        let report = run(scenario);
        assert_eq!(report.handshake, Some(RTT));
        report.back.entered_bytes
    };
    assert!(sent(true) + 1_900 < sent(false));
}

#[test]
fn a_retry_costs_exactly_one_more_round_trip() {
    completes_in(scenario(1).admission(Admission::Retry), 2 * RTT);
    let mut scenario = scenario(2).admission(Admission::Retry);
    largest(&mut scenario);
    completes_in(scenario, 2 * RTT);
}

#[test]
fn a_signature_that_takes_a_while_delays_the_handshake_by_that_and_no_more() {
    completes_in(scenario(1).sign_delay(ms(30)), RTT + ms(30));
}

#[test]
fn a_refused_client_learns_it_at_once_and_an_ignored_one_gives_up() {
    refused_for(&run(scenario(1).admission(Admission::Refuse)), Code::REFUSED);
    let report = run(scenario(1).admission(Admission::Ignore));
    let closed = report.client.and_then(|end| end.closed);
    assert_eq!(closed, Some(CloseReason::HandshakeTimeout));
}

#[test]
fn under_thirty_percent_loss_every_handshake_completes_within_ten_seconds() {
    let times = seeds::each(0..1_000, |seed| {
        let link = Link::new().delay(ONE_WAY).loss(0.3);
        let report = run(Scenario::new(seed).link(&link).within(secs(10)));
        assert!(report.is_success(), "seed {seed}: {report:#?}");
        report.handshake.unwrap()
    });
    let mut sorted = times;
    sorted.sort_unstable();
    let (median, worst) = (sorted[500], sorted[999]);
    println!("median {median:?}, worst {worst:?}");
    assert!(median <= 4 * RTT, "median {median:?}");
}

/// A client that sends as soon as it may, and as much as its window holds, keeps the server's
/// acknowledgements away if its Finished is lost: nothing of what follows can be read without it.
#[test]
fn no_two_lost_datagrams_stop_a_client_that_sends_at_once() {
    let pairs: Vec<_> = (0..24).flat_map(|a| (a..24).map(move |b| [a, b])).collect();
    seeds::each(0..pairs.len() as u64, |seed| {
        let lost = pairs[seed as usize];
        let clean = Link::new().delay(ms(5));
        for (there, back) in [
            (clean.clone().lose_indices(lost), clean.clone()),
            (clean.clone(), clean.lose_indices(lost)),
        ] {
            let scenario = Scenario::new(seed)
                .links(there, back)
                .client_app(Source::new(1, 100_000))
                .server_app(|_| Sink::new(1, 100_000))
                .within(secs(5));
            let report = run(scenario);
            assert!(report.is_success(), "{lost:?}: {report:#?}");
        }
    });
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let trace = |seed| {
        let link = Link::new().delay(ONE_WAY).loss(0.3).corrupt(0.1).duplicate(0.1);
        run(Scenario::new(seed).link(&link).within(secs(10))).trace
    };
    for seed in 0..10 {
        assert_eq!(trace(seed), trace(seed));
        assert_ne!(trace(seed), trace(seed + 1));
    }
}
