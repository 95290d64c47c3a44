//! Connections over real sockets: who is trusted, how they end, and through which door.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod common;

use common::{Pair, endpoint, identity, loopback, pattern, soon};
use jsp_driver_tokio::jsp_proto::crypto::{PublicIdentity, Signer, Suite};
use jsp_driver_tokio::jsp_proto::error::Code;
use jsp_driver_tokio::jsp_proto::handshake::{
    AcceptAny, AllowList, ClientAuth, ServerName, TrustOnFirstUse,
};
use jsp_driver_tokio::jsp_proto::rng::{Rng, Seed};
use jsp_driver_tokio::{
    AppCode, AsyncSigner, ClientConfig, CloseReason, ConnectError, Connection, Endpoint,
    EndpointOptions, FilePins, Identity, MemoryPins, ServerConfig, SignWith, Signing,
    TransportConfig, default_provider, portable_provider,
};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

async fn ping_pong(client: &Connection, server: &Connection) {
    let data = pattern(5000, 3);
    let (mut send, mut recv) = client.open_bi().await.unwrap();
    send.write_all(&data).await.unwrap();
    send.finish().unwrap();
    let (mut back, mut there) = soon("accept", server.accept_bi()).await.unwrap();
    let got = soon("read", there.read_to_end(1 << 20)).await.unwrap();
    back.write_all(&got).await.unwrap();
    back.finish().unwrap();
    assert!(soon("back", recv.read_to_end(1 << 20)).await.unwrap() == data);
}

async fn refused(pair: &Pair) -> CloseReason {
    let server = pair.server.clone();
    let accepting = tokio::spawn(async move { server.accept().await.unwrap().await });
    let connecting = pair.client.connect(&pair.config, pair.server.local_addr()).unwrap();
    let reason = soon("failure", connecting.into_future()).await.unwrap_err();
    accepting.abort();
    reason
}

fn remote_code(reason: &CloseReason) -> Option<Code> {
    if let CloseReason::RemoteError { code, .. } = reason { Some(*code) } else { None }
}

#[tokio::test]
async fn both_ends_agree_on_everything() {
    let pair = Pair::with(
        |server| server.with_alpn(["chat/2", "chat/1"]).unwrap(),
        |client| client.with_alpn(["chat/1"]).unwrap(),
    );
    let (client, server) = pair.connect().await;
    ping_pong(&client, &server).await;
    assert_eq!(client.alpn().as_deref(), Some(&b"chat/1"[..]));
    assert_eq!(server.alpn(), client.alpn());
    let (mut ours, mut theirs, mut other) = ([0; 64], [0; 64], [0; 64]);
    client.export_keying_material(b"test", b"context", &mut ours).unwrap();
    server.export_keying_material(b"test", b"context", &mut theirs).unwrap();
    server.export_keying_material(b"test", b"another", &mut other).unwrap();
    assert_eq!(ours, theirs);
    assert_ne!(ours, other);
    assert!(client.peer_identity().is_some() && server.peer_identity().is_none());
    assert_eq!(client.remote_address(), pair.server.local_addr());
    assert_eq!(server.remote_address(), pair.client.local_addr());
    assert_eq!(client.stats().suite, server.stats().suite);
    assert!(client.stats().handshake.is_some());
}

#[tokio::test]
async fn every_suite_and_both_providers_work_with_each_other() {
    let identity = identity();
    for (ours, theirs) in [
        (default_provider(), portable_provider()),
        (portable_provider(), default_provider()),
        (portable_provider(), portable_provider()),
    ] {
        for suite in Suite::ALL {
            let config = ServerConfig::with_provider(Arc::clone(&theirs), &identity);
            let server = Endpoint::server(loopback(), config).unwrap();
            let verifier = Arc::new(AllowList::new([identity.fingerprint()]));
            let config = ClientConfig::with_provider(Arc::clone(&ours), verifier);
            let pair = Pair { server, client: endpoint(), config: config.with_suites(&[suite]) };
            let (client, server) = pair.connect().await;
            assert_eq!(server.stats().suite, Some(suite));
            ping_pong(&client, &server).await;
        }
    }
}

#[tokio::test]
async fn a_server_that_asks_learns_who_the_client_is() {
    let who = identity();
    let allowed = Arc::new(AllowList::new([who.fingerprint()]));
    let pair = Pair::with(
        |server| server.with_client_auth(ClientAuth::Required(allowed.clone())),
        |client| client.with_identity(&who),
    );
    let (client, server) = pair.connect().await;
    ping_pong(&client, &server).await;
    assert_eq!(server.peer_identity().unwrap().fingerprint(), who.fingerprint());

    // A stranger, and somebody who will not say.
    let server = |config: ServerConfig| config.with_client_auth(ClientAuth::Required(allowed));
    let mut pair = Pair::with(server, |client| client.with_identity(&identity()));
    for code in [Code::IDENTITY, Code::IDENTITY_REQUIRED] {
        let connecting = pair.client.connect(&pair.config, pair.server.local_addr()).unwrap();
        let server = pair.server.clone();
        let accepted =
            tokio::spawn(async move { server.accept().await.unwrap().await.unwrap_err() });
        let reason = match soon("client", connecting.into_future()).await {
            Ok(connection) => soon("close", connection.closed()).await,
            Err(reason) => reason,
        };
        let server = soon("server", accepted).await.unwrap();
        let found = match (remote_code(&reason), &reason, &server) {
            (Some(code), ..) => code,
            (None, CloseReason::LocalError(error), _)
            | (None, _, CloseReason::LocalError(error)) => error.code,
            other => panic!("{other:?}"),
        };
        assert_eq!(found, code);
        let identity = pair.config.handshake();
        identity.identity = None;
    }
}

#[tokio::test]
async fn a_server_with_another_identity_is_not_trusted() {
    let mut pair = Pair::new();
    pair.config = ClientConfig::pinned(identity().fingerprint());
    let reason = refused(&pair).await;
    let CloseReason::LocalError(error) = reason else { panic!("{reason}") };
    assert_eq!(error.code, Code::IDENTITY);
}

#[tokio::test]
async fn trust_on_first_use_remembers_and_refuses_a_change() {
    let dir = tempfile::tempdir().unwrap();
    let file = FilePins::open(dir.path().join("pins")).unwrap();
    let memory = MemoryPins::default();
    let configs = [
        ClientConfig::new(Arc::new(TrustOnFirstUse::new(file).remember_as("server"))),
        ClientConfig::new(Arc::new(TrustOnFirstUse::new(memory).remember_as("server"))),
    ];
    for config in configs {
        let mut pair = Pair::new();
        pair.config = config;
        for _ in 0..2 {
            let (client, server) = pair.connect().await;
            ping_pong(&client, &server).await;
        }
        // The same name, somebody else.
        pair.server.set_server(Some(ServerConfig::with_identity(&identity())));
        let reason = refused(&pair).await;
        assert!(
            matches!(&reason, CloseReason::LocalError(e) if e.code == Code::IDENTITY),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn an_identity_is_rotated_while_connections_live_on() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect().await;
    let new = identity();
    pair.server.set_server(Some(ServerConfig::with_identity(&new)));
    ping_pong(&client, &server).await;
    let reason = refused(&pair).await;
    assert!(matches!(reason, CloseReason::LocalError(_)), "{reason}");
    pair.config = ClientConfig::pinned(new.fingerprint());
    let (client, server) = pair.connect().await;
    ping_pong(&client, &server).await;
}

#[tokio::test]
async fn a_client_gets_the_identity_of_the_name_that_it_asks_for() {
    let (default, named) = (identity(), identity());
    let name: ServerName = "inner".parse().unwrap();
    let config = ServerConfig::with_identity(&default).with_named_identity(name.clone(), &named);
    let server = Endpoint::server(loopback(), config).unwrap();
    let config = ClientConfig::pinned(named.fingerprint()).with_server_name(name);
    let pair = Pair { server, client: endpoint(), config };
    let (client, server) = pair.connect().await;
    ping_pong(&client, &server).await;
}

#[tokio::test]
async fn without_a_common_protocol_there_is_no_connection() {
    let pair = Pair::with(
        |server| server.with_alpn(["chat/1"]).unwrap(),
        |client| client.with_alpn(["mail/1"]).unwrap(),
    );
    let reason = refused(&pair).await;
    assert_eq!(remote_code(&reason), Some(Code::NO_ALPN), "{reason}");
}

#[tokio::test]
async fn a_refused_client_learns_it_at_once() {
    let pair = Pair::new();
    let server = pair.server.clone();
    tokio::spawn(async move { server.accept().await.unwrap().refuse() });
    let connecting = pair.client.connect(&pair.config, pair.server.local_addr()).unwrap();
    let reason = soon("refusal", connecting.into_future()).await.unwrap_err();
    assert_eq!(remote_code(&reason), Some(Code::REFUSED), "{reason}");
}

#[tokio::test]
async fn a_client_that_is_asked_for_proof_of_its_address_gives_it() {
    let pair = Pair::new();
    let server = pair.server.clone();
    let accepting = tokio::spawn(async move {
        let first = server.accept().await.unwrap();
        assert!(!first.is_validated());
        first.retry();
        let second = server.accept().await.unwrap();
        assert!(second.is_validated());
        second.await.unwrap()
    });
    let connecting = pair.client.connect(&pair.config, pair.server.local_addr()).unwrap();
    let client = soon("client", connecting.into_future()).await.unwrap();
    let server = soon("server", accepting).await.unwrap();
    ping_pong(&client, &server).await;
}

#[tokio::test]
async fn beyond_the_quota_everybody_is_asked_for_proof_and_nobody_refused() {
    let mut options = EndpointOptions::default();
    options.limits.unvalidated_per_second = 0;
    let identity = identity();
    let server = Endpoint::bind(loopback(), options).unwrap();
    server.set_server(Some(ServerConfig::with_identity(&identity)));
    let config = ClientConfig::pinned(identity.fingerprint());
    let pair = Pair { server, client: endpoint(), config };
    let (client, server) = pair.connect().await;
    ping_pong(&client, &server).await;
}

#[tokio::test]
async fn a_peer_that_is_gone_without_a_word_ends_in_an_idle_timeout() {
    let short = || TransportConfig {
        idle_timeout: Some(Duration::from_millis(300)),
        ..TransportConfig::default()
    };
    let pair = Pair::with(|server| server, |client| client.with_transport(short()));
    // The server runs in a runtime that stops dead, as a process that is killed.
    let identity = identity();
    let doomed =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = {
        let _inside = doomed.enter();
        Endpoint::server(loopback(), ServerConfig::with_identity(&identity)).unwrap()
    };
    let config = ClientConfig::pinned(identity.fingerprint()).with_transport(short());
    let address = server.local_addr();
    let accepting = doomed.spawn(async move { (server.accept().await.unwrap().await, server) });
    let client = pair.client.connect(&config, address).unwrap().await.unwrap();
    let held = soon("server", accepting).await.unwrap();
    doomed.shutdown_background();
    let reason = soon("timeout", client.closed()).await;
    assert_eq!(reason, CloseReason::IdleTimeout);
    drop(held);
}

#[tokio::test]
async fn nobody_home_ends_in_a_handshake_timeout() {
    let silent = std::net::UdpSocket::bind(loopback()).unwrap();
    let transport = TransportConfig {
        handshake_timeout: Duration::from_millis(400),
        ..TransportConfig::default()
    };
    let config = ClientConfig::pinned(identity().fingerprint()).with_transport(transport);
    let client = endpoint();
    let connecting = client.connect(&config, silent.local_addr().unwrap()).unwrap();
    let reason = soon("timeout", connecting.into_future()).await.unwrap_err();
    assert_eq!(reason, CloseReason::HandshakeTimeout);
}

#[tokio::test]
async fn a_dual_stack_server_takes_both_families() {
    let identity = identity();
    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    let server = Endpoint::server(any, ServerConfig::with_identity(&identity)).unwrap();
    let port = server.local_addr().port();
    let config = ClientConfig::pinned(identity.fingerprint());
    let client = Endpoint::client().unwrap();
    for target in [
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
    ] {
        let connecting = client.connect(&config, target).unwrap();
        let accepting = async { server.accept().await.unwrap().await.unwrap() };
        let (ours, theirs) =
            soon("handshake", async { tokio::join!(connecting.into_future(), accepting) }).await;
        let ours = ours.unwrap();
        assert_eq!(theirs.remote_address().ip(), target.ip());
        ping_pong(&ours, &theirs).await;
    }
    let only_v4 = endpoint();
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    assert_eq!(only_v4.connect(&config, v6).unwrap_err(), ConnectError::AddressFamily);
}

#[tokio::test]
async fn a_dead_address_costs_a_quarter_of_a_second_not_the_connection() {
    let pair = Pair::new();
    let server = pair.server.clone();
    tokio::spawn(async move {
        server
            .serve(|connection| async move {
                connection.closed().await;
            })
            .await;
    });
    // IPv6 first, where nobody answers.
    let silent = std::net::UdpSocket::bind("[::1]:0").unwrap();
    let addresses = [silent.local_addr().unwrap(), pair.server.local_addr()];
    let client = Endpoint::client().unwrap();
    let began = Instant::now();
    let connection = soon("race", client.connect_any(&pair.config, &addresses)).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(250));
    assert_eq!(connection.remote_address(), pair.server.local_addr());
    // By name; the literal of an address is one, too.
    let port = pair.server.local_addr().port();
    for host in ["localhost", "127.0.0.1"] {
        let connection = soon("name", client.connect_host(&pair.config, host, port)).await.unwrap();
        assert_eq!(connection.remote_address().port(), port);
    }
}

#[tokio::test]
async fn signatures_may_be_made_elsewhere() {
    struct Slow(Identity);
    impl AsyncSigner for Slow {
        fn public(&self) -> &PublicIdentity {
            self.0.public().public()
        }
        fn sign(&self, message: Vec<u8>) -> Signing {
            let signer: Arc<dyn Signer> = self.0.signer();
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                signer.sign(&mut Rng::new(&Seed::from_u64(1), "test"), &message)
            })
        }
    }
    let identity = identity();
    for signer in
        [SignWith::Remote(Arc::new(Slow(identity.clone()))), SignWith::Blocking(identity.signer())]
    {
        let public = identity.public().clone();
        let config = ServerConfig::with_signer(default_provider(), public, signer);
        let server = Endpoint::server(loopback(), config).unwrap();
        let config = ClientConfig::pinned(identity.fingerprint());
        let pair = Pair { server, client: endpoint(), config };
        let (client, server) = pair.connect().await;
        ping_pong(&client, &server).await;
    }
}

#[tokio::test]
async fn a_closed_endpoint_takes_and_makes_no_connections() {
    let pair = Pair::new();
    let (client, _server) = pair.connect().await;
    pair.server.close(AppCode(3), b"going");
    let reason = soon("close", client.closed()).await;
    assert_eq!(reason, CloseReason::Remote { code: AppCode(3), reason: "going".into() });
    assert!(soon("accept", pair.server.accept()).await.is_none());
    let error = pair.server.connect(&pair.config, pair.client.local_addr()).unwrap_err();
    assert_eq!(error, ConnectError::EndpointClosed);
    soon("idle", async { tokio::join!(pair.client.wait_idle(), pair.server.wait_idle()) }).await;
}

#[tokio::test]
async fn a_client_that_verifies_nobody_must_say_so() {
    let mut pair = Pair::new();
    pair.config = ClientConfig::new(Arc::new(AcceptAny));
    let (client, server) = pair.connect().await;
    ping_pong(&client, &server).await;
}
