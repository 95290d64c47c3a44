//! TLS over TCP, on tokio as the others are.

use crate::common::{pair, tls};
use crate::{SIZE, Stopwatch, run};
use rustls::ClientConfig;
use std::net::SocketAddr;
use std::sync::mpsc::Sender;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(crate) fn round(echoes: usize) -> Vec<Duration> {
    pair(|tell| run(serve(tell)), |door| run(ask(door, echoes)))
}

async fn serve(tell: Sender<(SocketAddr, ClientConfig)>) {
    let (client, server) = tls::configs(false);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    tell.send((listener.local_addr().unwrap(), client)).unwrap();
    let (tcp, _) = listener.accept().await.unwrap();
    let mut stream = tls::accept(server, tcp).await;
    let mut request = [0; SIZE];
    while stream.read_exact(&mut request).await.is_ok() {
        stream.write_all(&request).await.unwrap();
        stream.flush().await.unwrap();
    }
}

async fn ask((address, config): (SocketAddr, ClientConfig), echoes: usize) -> Vec<Duration> {
    let tcp = TcpStream::connect(address).await.unwrap();
    let mut stream = tls::connect(config, tcp).await;
    let mut answer = [0; SIZE];
    let mut watch = Stopwatch::new(echoes);
    while watch.begins() {
        stream.write_all(&[1; SIZE]).await.unwrap();
        stream.flush().await.unwrap();
        stream.read_exact(&mut answer).await.unwrap();
        watch.ends();
    }
    watch.times
}
