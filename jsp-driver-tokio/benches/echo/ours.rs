//! Ours on tokio: one stream for all requests.

use crate::common::ours::configs;
use crate::common::{our_endpoint, our_transport, pair};
use crate::{SIZE, SPIN, Stopwatch, run};
use jsp_driver_tokio::{AppCode, ClientConfig, Endpoint, RecvStream};
use std::net::SocketAddr;
use std::sync::mpsc::Sender;
use std::time::Duration;

pub(crate) fn sleeping(echoes: usize) -> Vec<Duration> {
    round(echoes, Duration::ZERO)
}

pub(crate) fn spinning(echoes: usize) -> Vec<Duration> {
    round(echoes, SPIN)
}

fn round(echoes: usize, spin: Duration) -> Vec<Duration> {
    pair(move |tell| run(serve(tell, spin)), |door| run(ask(door, spin, echoes)))
}

fn endpoint(spin: Duration) -> Endpoint {
    let endpoint = our_endpoint();
    endpoint.set_spin(spin);
    endpoint
}

async fn serve(tell: Sender<(SocketAddr, ClientConfig)>, spin: Duration) {
    let endpoint = endpoint(spin);
    let (client, server) = configs(our_transport());
    endpoint.set_server(Some(server));
    tell.send((endpoint.local_addr(), client)).unwrap();
    let connection = endpoint.accept().await.unwrap().await.unwrap();
    let (mut send, mut recv) = connection.accept_bi().await.unwrap();
    let mut request = [0; SIZE];
    while read(&mut recv, &mut request).await {
        send.write_all(&request).await.unwrap();
    }
    endpoint.wait_idle().await;
}

async fn ask(
    (address, config): (SocketAddr, ClientConfig),
    spin: Duration,
    echoes: usize,
) -> Vec<Duration> {
    let endpoint = endpoint(spin);
    let connection = endpoint.connect(&config, address).unwrap().await.unwrap();
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    let mut answer = [0; SIZE];
    let mut watch = Stopwatch::new(echoes);
    while watch.begins() {
        send.write_all(&[1; SIZE]).await.unwrap();
        assert!(read(&mut recv, &mut answer).await);
        watch.ends();
    }
    connection.close(AppCode(0), b"");
    endpoint.wait_idle().await;
    watch.times
}

/// Whether all of it came before the connection ended.
async fn read(recv: &mut RecvStream, out: &mut [u8]) -> bool {
    let mut at = 0;
    while at < out.len() {
        match recv.read(&mut out[at..]).await {
            Ok(Some(read)) => at += read,
            Ok(None) | Err(_) => return false,
        }
    }
    true
}
