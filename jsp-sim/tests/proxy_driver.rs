//! Our own driver's connections through the proxy.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

use jsp_driver_tokio::jsp_proto::handshake::Pinned;
use jsp_driver_tokio::{
    ClientConfig, Connection, Endpoint, EndpointOptions, Identity, ServerConfig, portable_provider,
};
use jsp_sim::link::Link;
use jsp_sim::ms;
use jsp_sim::proxy::{Proxy, Settings};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Echoes each stream until the connection ends.
async fn echo(connection: Connection) {
    while let Ok((mut send, mut recv)) = connection.accept_bi().await {
        tokio::spawn(async move {
            let data = recv.read_to_end(1 << 20).await.unwrap();
            send.write_all(&data).await.unwrap();
            send.finish().unwrap();
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_come_back_whole_over_a_slow_and_lossy_link() {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let identity = Identity::generate(&*portable_provider()).unwrap();
    let config = ServerConfig::with_provider(portable_provider(), &identity);
    let server = Endpoint::server(any, config).unwrap();
    let target = server.local_addr();
    tokio::spawn(async move { server.serve(echo).await });

    let link = Link::new().delay(ms(20)).loss(0.05);
    let mut proxy = Proxy::bind(any, &Settings::new(target, link)).unwrap();
    let (address, stopper) = (proxy.local_addr(), proxy.stopper());
    let relaying = tokio::task::spawn_blocking(move || proxy.run(Some(Duration::from_secs(60))));

    let talking = async {
        let client = Endpoint::bind(any, EndpointOptions::default()).unwrap();
        let trust = Arc::new(Pinned::new(identity.fingerprint()));
        let config = ClientConfig::with_provider(portable_provider(), trust);
        let connection = client.connect(&config, address).unwrap().await.unwrap();
        let start = Instant::now();
        for i in 0..20_u8 {
            let data = vec![i; 20_000];
            let asked = Instant::now();
            let (mut send, mut recv) = connection.open_bi().await.unwrap();
            send.write_all(&data).await.unwrap();
            send.finish().unwrap();
            assert!(recv.read_to_end(1 << 20).await.unwrap() == data, "stream {i}");
            assert!(asked.elapsed() >= ms(40), "quicker than the link");
        }
        start.elapsed()
    };
    let took = tokio::time::timeout(Duration::from_secs(60), talking).await;
    stopper.stop();
    let took = took.unwrap();
    let summary = relaying.await.unwrap().unwrap();
    assert!(took >= ms(20 * 40));
    for way in [&summary.there, &summary.back] {
        let lost = way.counts.dropped["lost"];
        let share = lost as f64 / way.counts.came as f64;
        assert!((0.01..0.15).contains(&share), "{summary}");
        assert!(way.counts.delay(0.0).unwrap() >= ms(20).mul_f64(0.99), "{summary}");
    }
    assert!(summary.rebindings == 0 && summary.clients == 1, "{summary}");
}
