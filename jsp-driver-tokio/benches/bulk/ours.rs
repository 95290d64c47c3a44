//! Ours, with the tokio driver.

use crate::common::{CHUNK, our_endpoint, our_transport, pair, process_cpu, runtime};
use crate::{Datagrams, Door, Round, measured};
use bytes::Bytes;
use jsp_driver_tokio::jsp_proto::crypto::Suite;
use jsp_driver_tokio::jsp_proto::path::MtuConfig;
use jsp_driver_tokio::{AppCode, ClientConfig, Identity, ServerConfig, default_provider};
use std::sync::mpsc::Sender;
use std::time::Instant;

pub(crate) fn round(datagrams: Datagrams, bytes: usize) -> Round {
    pair(
        move |tell| runtime().block_on(server(datagrams, tell)),
        |door| runtime().block_on(client(datagrams, door, bytes)),
    )
}

/// Both sides of either driver.
pub(crate) fn configs(datagrams: Datagrams) -> (ClientConfig, ServerConfig) {
    let mut transport = our_transport();
    if datagrams == Datagrams::Free {
        transport.mtu = MtuConfig::LOOPBACK;
    }
    let identity = Identity::generate(&*default_provider()).unwrap();
    let client = ClientConfig::pinned(identity.fingerprint())
        .with_suites(&[Suite::Aes256Gcm])
        .with_transport(transport.clone());
    (client, ServerConfig::with_identity(&identity).with_transport(transport))
}

async fn server(datagrams: Datagrams, tell: Sender<Door<ClientConfig>>) {
    let (client, server) = configs(datagrams);
    let endpoint = our_endpoint();
    endpoint.set_server(Some(server));
    tell.send((endpoint.local_addr(), client)).unwrap();
    let connection = endpoint.accept().await.unwrap().await.unwrap();
    let (mut send, mut recv) = connection.accept_bi().await.unwrap();
    let mut total = 0u64;
    while let Some(read) = recv.with_chunk(<[u8]>::len).await.unwrap() {
        total += read as u64;
    }
    send.write_all(&total.to_be_bytes()).await.unwrap();
    send.finish().unwrap();
    connection.closed().await;
}

async fn client(
    datagrams: Datagrams,
    (address, config): Door<ClientConfig>,
    bytes: usize,
) -> Round {
    let endpoint = our_endpoint();
    let connection = endpoint.connect(&config, address).unwrap().await.unwrap();
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    let chunk = Bytes::from(vec![0x5a; CHUNK]);
    let (start, cpu) = (Instant::now(), process_cpu());
    for _ in 0..bytes / CHUNK {
        send.write_bytes(chunk.clone()).await.unwrap();
    }
    send.finish().unwrap();
    let answer = recv.read_to_end(8).await.unwrap();
    let round = measured(start, cpu);
    assert_eq!(answer, (bytes as u64).to_be_bytes());
    if std::env::var_os("STATS").is_some() {
        println!("{:#?}", connection.stats());
    }
    assert_eq!(usize::from(connection.stats().path.mtu), datagrams.largest());
    connection.close(AppCode(0), b"");
    endpoint.wait_idle().await;
    round
}
