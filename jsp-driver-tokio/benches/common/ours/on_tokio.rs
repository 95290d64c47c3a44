//! With the driver for tokio.

use super::{Until, Upload};
use crate::common::{CHUNK, our_endpoint, runtime, start};
use bytes::Bytes;
use jsp_driver_tokio::{AppCode, ClientConfig, Connection, ServerConfig};
use std::net::SocketAddr;

pub(super) fn serve(config: ServerConfig, tell: &dyn Fn(SocketAddr), until: Until) {
    runtime().block_on(async {
        let endpoint = our_endpoint();
        endpoint.set_server(Some(config));
        tell(endpoint.local_addr());
        match until {
            Until::Closed => count(endpoint.accept().await.unwrap().await.unwrap()).await,
            Until::Killed => endpoint.serve(count).await,
        }
    });
}

/// Tells on each stream how much came in on it.
async fn count(connection: Connection) {
    while let Ok((mut send, mut recv)) = connection.accept_bi().await {
        let mut total = 0u64;
        while let Some(read) = recv.with_chunk(<[u8]>::len).await.unwrap() {
            total += read as u64;
        }
        send.write_all(&total.to_be_bytes()).await.unwrap();
        send.finish().unwrap();
    }
}

pub(super) fn upload(config: &ClientConfig, address: SocketAddr, bytes: usize) -> Upload {
    runtime().block_on(async {
        let endpoint = our_endpoint();
        let connection = endpoint.connect(config, address).unwrap().await.unwrap();
        let (mut send, mut recv) = connection.open_bi().await.unwrap();
        let chunk = Bytes::from(vec![0x5a; CHUNK]);
        let clock = start();
        for _ in 0..bytes / CHUNK {
            send.write_bytes(chunk.clone()).await.unwrap();
        }
        send.finish().unwrap();
        let answer = recv.read_to_end(8).await.unwrap();
        let upload = Upload { round: clock.round(), mtu: connection.stats().path.mtu };
        assert_eq!(answer, (bytes as u64).to_be_bytes());
        connection.close(AppCode(0), b"");
        endpoint.wait_idle().await;
        upload
    })
}
