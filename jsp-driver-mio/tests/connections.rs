//! How connections begin and end, over real sockets.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod common;

use common::{End, World, endpoint, identity, loopback};
use jsp_driver_mio::jsp_proto::crypto::{CryptoError, PublicIdentity};
use jsp_driver_mio::jsp_proto::error::Code;
use jsp_driver_mio::jsp_proto::rng::Rng;
use jsp_driver_mio::{
    AppCode, AsyncSigner, ClientConfig, CloseReason, ConnectError, Dir, Door, Driver, Endpoint,
    EndpointOptions, Event, Identity, Seed, ServerConfig, SignWith, Signing, TransportConfig,
    default_provider,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn both_ends_tell_of_a_connection_first_and_of_its_end_last() {
    let mut world = World::new();
    let handle = world.connect();
    let mut told: [Vec<String>; 2] = Default::default();
    let mut closed = 0;
    world.run("a life", |end, connection, event| {
        told[end as usize].push(format!("{event:?}"));
        match (end, event) {
            (End::Client, Event::Connected) => {
                assert!(connection.is_established());
                let id = connection.open(Dir::Uni).unwrap();
                connection.write(id, b"hello").unwrap();
                connection.finish(id).unwrap();
            }
            (End::Client, Event::Finished(_)) => connection.close(AppCode(5), b"bye"),
            (End::Server, Event::Opened { dir }) => {
                connection.accept(dir).unwrap();
            }
            (_, Event::Closed(reason)) => {
                let expected = match end {
                    End::Client => CloseReason::Local { code: AppCode(5) },
                    End::Server => CloseReason::Remote { code: AppCode(5), reason: "bye".into() },
                };
                assert_eq!(format!("{reason:?}"), format!("{expected:?}"));
                closed += 1;
            }
            _ => {}
        }
        closed == 2
    });
    for told in told {
        assert_eq!(told.first().unwrap(), "Connected");
        assert!(told.last().unwrap().starts_with("Closed"));
        assert_eq!(told.iter().filter(|event| event.starts_with("Closed")).count(), 1);
    }
    world.run_until("both gone", |world| {
        world.client.connections() + world.server.connections() == 0
    });
    assert!(world.client.connection(handle).is_none());
}

#[test]
fn what_came_before_the_end_can_be_read_after_it() {
    let mut world = World::new();
    let (client, _) = world.connected();
    let mut connection = world.client.connection(client).unwrap();
    let id = connection.open(Dir::Uni).unwrap();
    connection.write(id, b"last words").unwrap();
    world.client.flush();
    world.client.connection(client).unwrap().close(AppCode(0), b"");
    let mut words = [0; 20];
    let mut read = 0;
    world.run("last words", |end, connection, event| match (end, event) {
        (End::Server, Event::Opened { dir }) => {
            connection.accept(dir).unwrap();
            false
        }
        (End::Server, Event::Closed(_)) => {
            read = connection.read(id, &mut words).unwrap();
            true
        }
        _ => false,
    });
    assert_eq!(&words[..read], b"last words");
}

#[test]
fn a_silent_connection_ends_by_its_idle_timeout() {
    let idle_timeout = Some(Duration::from_millis(200));
    let mut world =
        World::with_transport(&TransportConfig { idle_timeout, ..TransportConfig::default() });
    world.connected();
    let begin = Instant::now();
    let mut ended = 0;
    world.run("silence", |_, _, event| {
        let Event::Closed(reason) = event else { panic!("{event:?}") };
        assert_eq!(format!("{reason:?}"), "IdleTimeout");
        ended += 1;
        ended == 2
    });
    assert!(begin.elapsed() >= Duration::from_millis(150));
}

#[test]
fn a_keep_alive_keeps_it_alive() {
    let transport = TransportConfig {
        idle_timeout: Some(Duration::from_millis(400)),
        keep_alive: Some(Duration::from_millis(50)),
        ..TransportConfig::default()
    };
    let mut world = World::with_transport(&transport);
    world.connected();
    let begin = Instant::now();
    world.run_until("keep-alives", |_| begin.elapsed() > Duration::from_millis(1000));
    assert_eq!((world.client.connections(), world.server.connections()), (1, 1));
}

#[test]
fn nobody_there_is_told_in_time() {
    let nobody = std::net::UdpSocket::bind(loopback()).unwrap();
    let transport = TransportConfig {
        handshake_timeout: Duration::from_millis(300),
        ..TransportConfig::default()
    };
    let config = ClientConfig::pinned(identity().fingerprint()).with_transport(transport);
    let mut driver = Driver::new(endpoint()).unwrap();
    let handle = driver.connect(&config, nobody.local_addr().unwrap()).unwrap();
    let begin = Instant::now();
    loop {
        assert!(begin.elapsed() < Duration::from_secs(60));
        driver.turn(None).unwrap();
        if let Some((whose, event)) = driver.poll_event() {
            assert_eq!(whose, handle);
            assert!(matches!(event, Event::Closed(CloseReason::HandshakeTimeout)), "{event:?}");
            break;
        }
    }
}

#[test]
fn what_cannot_be_reached_is_refused_at_once() {
    let mut endpoint = endpoint();
    let config = ClientConfig::pinned(identity().fingerprint());
    let mut connect = |to: &str| endpoint.connect(&config, to.parse().unwrap());
    assert_eq!(connect("[::1]:1").unwrap_err(), ConnectError::AddressFamily);
    assert_eq!(connect("127.0.0.1:0").unwrap_err(), ConnectError::BadAddress);
    endpoint.close(AppCode(0), b"");
    let refused = endpoint.connect(&config, "127.0.0.1:1".parse().unwrap());
    assert_eq!(refused.unwrap_err(), ConnectError::EndpointClosed);
}

#[test]
fn an_address_that_is_taken_cannot_be_bound() {
    let first = endpoint();
    let second = Endpoint::bind(first.local_addr(), EndpointOptions::default());
    assert_eq!(second.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn a_server_with_another_identity_is_not_trusted() {
    let mut world = World::new();
    world.config = ClientConfig::pinned(identity().fingerprint());
    world.connect();
    world.run("distrust", |end, _, event| match (end, event) {
        (End::Client, Event::Closed(CloseReason::LocalError(error))) => {
            assert_eq!(error.code, Code::IDENTITY);
            true
        }
        (End::Client, event) => panic!("{event:?}"),
        (End::Server, _) => false,
    });
}

#[test]
fn an_attended_door_lets_in_whom_the_application_accepts() {
    let mut world = World::new();
    world.server.set_door(Door::Attended);
    for accept in [true, false] {
        world.connect();
        let begin = Instant::now();
        let mut told = None;
        while told.is_none() {
            assert!(begin.elapsed() < Duration::from_secs(60));
            while let Some(incoming) = world.server.poll_incoming() {
                assert_eq!(incoming.remote_address(), world.client.local_addr());
                if accept {
                    world.server.accept(incoming).unwrap();
                } else {
                    world.server.refuse(incoming);
                }
            }
            world.turn(|end, _, event| {
                if end == End::Client && !matches!(event, Event::Available { .. }) {
                    told = Some(event);
                }
            });
        }
        match told {
            Some(Event::Connected) => assert!(accept),
            Some(Event::Closed(CloseReason::RemoteError { .. })) => assert!(!accept),
            other => panic!("accept: {accept}, {other:?}"),
        }
    }
}

#[test]
fn an_endpoint_that_closes_takes_leave_of_everybody() {
    let mut world = World::new();
    for _ in 0..3 {
        world.connected();
    }
    world.server.close(AppCode(3), b"over");
    let mut told = 0;
    world.run("leave", |end, _, event| {
        if let (End::Client, Event::Closed(CloseReason::Remote { code, .. })) = (end, event) {
            assert_eq!(code, AppCode(3));
            told += 1;
        }
        told == 3
    });
    world.run_until("all gone", |world| {
        world.client.connections() + world.server.connections() == 0
    });
}

/// A signer somewhere else: this driver asks the application instead of it.
struct Elsewhere(PublicIdentity);

impl AsyncSigner for Elsewhere {
    fn public(&self) -> &PublicIdentity {
        &self.0
    }

    fn sign(&self, _: Vec<u8>) -> Signing {
        Box::pin(std::future::ready(Err(CryptoError)))
    }
}

#[test]
fn a_proof_that_is_signed_elsewhere_is_asked_of_the_application() {
    let identity: Identity = identity();
    let signer = identity.signer();
    let elsewhere = SignWith::Remote(Arc::new(Elsewhere(signer.public().clone())));
    let config =
        ServerConfig::with_signer(default_provider(), identity.public().clone(), elsewhere);
    let server = Endpoint::server(loopback(), config).unwrap();
    let config = ClientConfig::pinned(identity.fingerprint());
    let mut world = World::of(endpoint(), server, config);
    world.connect();
    let mut asked = None;
    world.run("question", |end, connection, event| {
        if let (End::Server, Event::SignatureWanted(request)) = (end, event) {
            assert_eq!(request.identity, identity.fingerprint());
            asked = Some((connection.handle(), request));
        }
        asked.is_some()
    });
    // In its own time.
    let (handle, request) = asked.unwrap();
    let mut rng = Rng::new(&Seed::from_u64(1), "elsewhere");
    let signature = signer.sign(&mut rng, &request.message);
    world.server.connection(handle).unwrap().provide_signature(signature);
    world.run("answer", |end, _, event| {
        assert!(matches!(event, Event::Connected), "{event:?}");
        end == End::Client
    });
}
