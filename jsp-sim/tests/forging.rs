//! A peer that lies, with the real keys: it is found out, and the honest end behind it is told.
#![allow(clippy::unwrap_used)] // A story that cannot be told has failed.

use jsp_proto::error::{CloseReason, Code};
use jsp_proto::ids::Side;
use jsp_sim::app::{Sink, Source};
use jsp_sim::link::Link;
use jsp_sim::machine::Session;
use jsp_sim::pair::{Pair, Scenario};
use jsp_sim::world::Outcome;
use jsp_sim::{ms, secs};

const SIZE: u64 = 4 << 20;

/// A transfer that is under way.
fn busy() -> Pair {
    let mut pair = Scenario::new(1)
        .link(&Link::new().delay(ms(20)).rate(50_000_000).queue(200_000))
        .client_app(Source::new(1, SIZE))
        .server_app(|_| Sink::new(1, SIZE))
        .within(secs(30))
        .start()
        .unwrap();
    pair.world.run_for(ms(300)).unwrap();
    pair
}

fn session(pair: &Pair, side: Side) -> &Session {
    match side {
        Side::Client => pair.client(),
        Side::Server => pair.server(),
    }
    .unwrap()
}

fn reason(pair: &Pair, side: Side) -> Option<&CloseReason> {
    session(pair, side).closed.as_ref().map(|(_, reason)| reason)
}

fn forge(pair: &mut Pair, victim: Side) -> bool {
    let handle = session(pair, victim).connection().handle();
    let node = if victim == Side::Client { pair.client } else { pair.server };
    pair.world.act(node, |machine, context| machine.forge(context, handle)).unwrap()
}

/// Forges a packet for `victim`, and follows both ends to their graves.
fn is_found_out(mut pair: Pair, victim: Side) {
    assert!(forge(&mut pair, victim));
    assert!(!forge(&mut pair, victim), "a connection that has ended was lied to");
    let Some(CloseReason::LocalError(error)) = reason(&pair, victim) else {
        panic!("{:?}", reason(&pair, victim));
    };
    assert_eq!(error.code, Code::PROTOCOL_VIOLATION);
    let told = |pair: &Pair| reason(pair, victim.peer()).is_some();
    assert_eq!(pair.run_until(told).unwrap(), Outcome::Done);
    let Some(CloseReason::RemoteError { code, .. }) = reason(&pair, victim.peer()) else {
        panic!("{:?}", reason(&pair, victim.peer()));
    };
    assert_eq!(*code, Code::PROTOCOL_VIOLATION);
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_ends_the_connection() {
    is_found_out(busy(), Side::Client);
    is_found_out(busy(), Side::Server);
}

#[test]
fn a_peer_lies_as_well_with_its_next_keys() {
    for updates in 1..=2 {
        let mut pair = busy();
        for _ in 0..updates {
            pair.with_connection(Side::Client, |connection, _| connection.update_keys()).unwrap();
            pair.world.run_for(ms(200)).unwrap();
        }
        let generation = session(&pair, Side::Server).connection().audit().generation;
        assert_eq!(generation, updates);
        is_found_out(pair, Side::Server);
    }
}

#[test]
fn nobody_lies_before_there_are_keys() {
    let mut pair = Scenario::new(1).link(&Link::new().delay(ms(20))).start().unwrap();
    assert!(!forge(&mut pair, Side::Client));
}
