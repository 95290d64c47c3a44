//! quinn: one stream for all requests.

use crate::common::{pair, quinn_configs, quinn_endpoint};
use crate::{SIZE, Stopwatch, run};
use quinn::ClientConfig;
use std::net::SocketAddr;
use std::sync::mpsc::Sender;
use std::time::Duration;

pub(crate) fn round(echoes: usize) -> Vec<Duration> {
    pair(|tell| run(serve(tell)), |door| run(ask(door, echoes)))
}

async fn serve(tell: Sender<(SocketAddr, ClientConfig)>) {
    let (client, server) = quinn_configs(false);
    let endpoint = quinn_endpoint(Some(server));
    tell.send((endpoint.local_addr().unwrap(), client)).unwrap();
    let connection = endpoint.accept().await.unwrap().await.unwrap();
    let (mut send, mut recv) = connection.accept_bi().await.unwrap();
    let mut request = [0; SIZE];
    while recv.read_exact(&mut request).await.is_ok() {
        send.write_all(&request).await.unwrap();
    }
    endpoint.wait_idle().await;
}

async fn ask((address, config): (SocketAddr, ClientConfig), echoes: usize) -> Vec<Duration> {
    let endpoint = quinn_endpoint(None);
    let connecting = endpoint.connect_with(config, address, "localhost").unwrap();
    let connection = connecting.await.unwrap();
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    let mut answer = [0; SIZE];
    let mut watch = Stopwatch::new(echoes);
    while watch.begins() {
        send.write_all(&[1; SIZE]).await.unwrap();
        recv.read_exact(&mut answer).await.unwrap();
        watch.ends();
    }
    connection.close(0u32.into(), b"");
    endpoint.wait_idle().await;
    watch.times
}
