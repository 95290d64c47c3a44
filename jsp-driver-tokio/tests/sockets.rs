//! Endpoints on sockets that are not the system's own.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod common;

use common::{identity, loopback, pattern, soon};
use jsp_driver_tokio::{
    Batch, ClientConfig, ConnectError, Connection, DatagramSocket, Endpoint, EndpointOptions,
    SendOutcome, ServerConfig, SocketOptions, Transmit, UdpSocket,
};
use std::future::IntoFuture as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

/// A socket that refuses every other train, and is always ready for more all the same; it reaches no
/// port below 1024.
#[derive(Debug)]
struct Grudging {
    inner: UdpSocket,
    asked: AtomicUsize,
    longest: AtomicUsize,
}

impl Grudging {
    fn bind() -> Arc<Self> {
        let inner = UdpSocket::bind(loopback(), &SocketOptions::default()).unwrap();
        Arc::new(Self { inner, asked: AtomicUsize::new(0), longest: AtomicUsize::new(0) })
    }
}

impl DatagramSocket for Grudging {
    fn local_addr(&self) -> SocketAddr {
        self.inner.local_addr()
    }

    fn reaches(&self, remote: SocketAddr) -> bool {
        self.inner.reaches(remote) && remote.port() >= 1024
    }

    fn max_segments(&self) -> usize {
        5.min(self.inner.max_segments())
    }

    fn try_send(&self, transmit: &Transmit, bytes: &[u8]) -> SendOutcome {
        assert_eq!(transmit.len, bytes.len());
        self.longest.fetch_max(bytes.len().div_ceil(transmit.segment), Ordering::Relaxed);
        match self.asked.fetch_add(1, Ordering::Relaxed) % 2 {
            0 => SendOutcome::Full,
            _ => self.inner.try_send(transmit, bytes),
        }
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn poll_recv(&self, cx: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>> {
        self.inner.poll_recv(cx, batch)
    }
}

#[tokio::test]
async fn an_endpoint_lives_on_any_socket_and_loses_nothing_to_one_that_refuses() {
    let identity = identity();
    let (ours, theirs) = (Grudging::bind(), Grudging::bind());
    let server = Endpoint::with_socket(Arc::clone(&theirs), EndpointOptions::default()).unwrap();
    server.set_server(Some(ServerConfig::with_identity(&identity)));
    let client = Endpoint::with_socket(Arc::clone(&ours), EndpointOptions::default()).unwrap();
    let config = ClientConfig::pinned(identity.fingerprint());
    let connecting = client.connect(&config, server.local_addr()).unwrap();
    tokio::spawn(serve_echo(server));

    let connection = soon("handshake", connecting.into_future()).await.unwrap();
    let data = pattern(1 << 20, 7);
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    let write = async {
        send.write_all(&data).await.unwrap();
        send.finish().unwrap();
    };
    let (back, ()) = soon("echo", async { tokio::join!(recv.read_to_end(1 << 20), write) }).await;
    assert!(back.unwrap() == data);
    for socket in [ours, theirs] {
        let asked = socket.asked.load(Ordering::Relaxed);
        assert!(asked > 100, "the socket was asked {asked} times");
        assert!(socket.longest.load(Ordering::Relaxed) <= 5, "as many segments as it takes");
    }
}

#[tokio::test]
async fn an_address_that_the_socket_does_not_reach_is_not_tried() {
    let client = Endpoint::with_socket(Grudging::bind(), EndpointOptions::default()).unwrap();
    let config = ClientConfig::pinned(identity().fingerprint());
    let refused = client.connect(&config, "127.0.0.1:80".parse().unwrap()).unwrap_err();
    assert!(matches!(refused, ConnectError::AddressFamily), "{refused:?}");
}

async fn serve_echo(server: Endpoint) {
    let echo = |connection: Connection| async move {
        while let Ok((mut send, mut recv)) = connection.accept_bi().await {
            let data = recv.read_to_end(1 << 20).await.unwrap();
            send.write_all(&data).await.unwrap();
            send.finish().unwrap();
        }
    };
    server.serve(echo).await;
}
