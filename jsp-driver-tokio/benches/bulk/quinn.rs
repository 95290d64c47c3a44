//! quinn, over the same sockets and threads.

use crate::Datagrams;
use crate::common::{self, CHUNK, Round, pair, quinn_endpoint, runtime, start};
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;

pub(crate) fn round(datagrams: Datagrams, bytes: usize) -> Round {
    pair(
        move |tell| runtime().block_on(server(datagrams, tell)),
        |door| runtime().block_on(client(door, bytes)),
    )
}

/// Where a server is, and how to connect to it.
type Door = (SocketAddr, quinn::ClientConfig);

/// Both sides, with the datagrams that are asked for.
fn configs(datagrams: Datagrams) -> (quinn::ClientConfig, quinn::ServerConfig) {
    let (mut client, mut server) = common::quinn_configs(false);
    if datagrams == Datagrams::Free {
        let mut transport = common::quinn_transport();
        let mut discovery = quinn::MtuDiscoveryConfig::default();
        discovery.upper_bound(u16::MAX);
        transport.initial_mtu(1200).min_mtu(1200).mtu_discovery_config(Some(discovery));
        let transport = Arc::new(transport);
        client.transport_config(Arc::clone(&transport));
        server.transport_config(transport);
    }
    (client, server)
}

async fn server(datagrams: Datagrams, tell: Sender<Door>) {
    let (client, server) = configs(datagrams);
    let endpoint = quinn_endpoint(Some(server));
    tell.send((endpoint.local_addr().unwrap(), client)).ok().unwrap();
    let connection = endpoint.accept().await.unwrap().await.unwrap();
    let (mut send, mut recv) = connection.accept_bi().await.unwrap();
    let mut total = 0u64;
    while let Some(chunk) = recv.read_chunk(usize::MAX, true).await.unwrap() {
        total += chunk.bytes.len() as u64;
    }
    send.write_all(&total.to_be_bytes()).await.unwrap();
    send.finish().unwrap();
    connection.closed().await;
}

async fn client((address, config): Door, bytes: usize) -> Round {
    let endpoint = quinn_endpoint(None);
    let connecting = endpoint.connect_with(config, address, "localhost").unwrap();
    let connection = connecting.await.unwrap();
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    let chunk = Bytes::from(vec![0x5a; CHUNK]);
    let clock = start();
    for _ in 0..bytes / CHUNK {
        send.write_chunk(chunk.clone()).await.unwrap();
    }
    send.finish().unwrap();
    let answer = recv.read_to_end(8).await.unwrap();
    let round = clock.round();
    assert_eq!(answer, (bytes as u64).to_be_bytes());
    if std::env::var_os("STATS").is_some() {
        println!("{:#?}", connection.stats());
    }
    connection.close(0u32.into(), b"");
    endpoint.wait_idle().await;
    round
}
