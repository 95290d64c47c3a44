//! An echo server and its client.
//!
//! ```text
//! cargo run --example echo -- serve 0.0.0.0:4433
//! cargo run --example echo -- ask HOST 4433 FINGERPRINT "hello"
//! ```

use jsp_driver_tokio::{
    AppCode, ClientConfig, Connection, Endpoint, Identity, ServerConfig, default_provider,
};
use std::error::Error;

/// The most that a client may ask to have echoed.
const LIMIT: usize = 1 << 20;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", address] => {
            let identity = Identity::generate(&*default_provider())?;
            let config = ServerConfig::with_identity(&identity).with_alpn(["echo"])?;
            let server = Endpoint::server(address.parse()?, config)?;
            println!("echoing on {} as {}", server.local_addr(), identity.fingerprint());
            server.serve(echo).await;
        }
        ["ask", host, port, fingerprint, text] => {
            let client = Endpoint::client()?;
            let config = ClientConfig::pinned(fingerprint.parse()?).with_alpn(["echo"])?;
            let connection = client.connect_host(&config, host, port.parse()?).await?;
            let (mut send, mut recv) = connection.open_bi().await?;
            send.write_all(text.as_bytes()).await?;
            send.finish()?;
            println!("{}", String::from_utf8_lossy(&recv.read_to_end(LIMIT).await?));
            client.shutdown(AppCode(0), b"thank you").await;
        }
        _ => return Err("serve ADDRESS, or ask HOST PORT FINGERPRINT TEXT".into()),
    }
    Ok(())
}

/// Sends back what comes on each stream.
async fn echo(connection: Connection) {
    while let Ok((mut send, mut recv)) = connection.accept_bi().await {
        tokio::spawn(async move {
            let Ok(text) = recv.read_to_end(LIMIT).await else { return };
            if send.write_all(&text).await.is_ok() {
                let _ = send.finish();
            }
        });
    }
}
