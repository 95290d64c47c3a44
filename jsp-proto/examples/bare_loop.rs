//! The engine in the barest loop: one `std::net::UdpSocket` for each end, a clock, and nothing else.
//!
//! A client says something, the server echoes it, both end. What drivers add (offloads, timers for
//! thousands of connections, `async`) is faster or more pleasant; the engine hears the same from all:
//!
//! ```text
//!   datagram in ──▶ endpoint.handle ──▶ connection.handle_datagrams  ┐
//!   time passes ──────────────────────▶ connection.handle_timeout    ├─▶ poll_event, poll_transmit,
//!   application ──────────────────────▶ connection.write, read, ...  ┘   next_timeout
//! ```
//! `cargo run -p jsp-proto --example bare_loop`
#![expect(clippy::disallowed_methods, reason = "its user has a clock and a thread")]

use jsp_proto::connection::{Connection, Event};
use jsp_proto::crypto::rustcrypto::RustCrypto;
use jsp_proto::crypto::{IdentitySecret, Provider, Signer};
use jsp_proto::endpoint::{ClientConfig, Endpoint, EndpointConfig, Routed, ServerConfig};
use jsp_proto::error::AppCode;
use jsp_proto::handshake::{self, Identity, IdentitySet, Pinned};
use jsp_proto::ids::{Dir, Ecn, Side};
use jsp_proto::record::Received;
use jsp_proto::rng::{Rng, Seed};
use jsp_proto::stream::{ReadError, StreamEvent};
use jsp_proto::time::Time;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Result<()> {
    let provider: Arc<dyn Provider> = Arc::new(RustCrypto);
    let endpoint = |seed: u64| {
        // A real application takes its seeds and secrets from the operating system's randomness.
        Endpoint::new(EndpointConfig::new(Arc::clone(&provider)), &Seed::from_u64(seed))
    };

    // The server has an identity. Who it is, is its fingerprint.
    let secret = IdentitySecret { ed25519: [1; 32], ml_dsa: Some([2; 32]) };
    let signer = provider.signer(&secret).map_err(|_| "the provider makes no signer")?;
    let identity = Identity::new(&*provider, signer.public().clone());
    let verifier = Arc::new(Pinned::new(identity.fingerprint()));
    let identities = IdentitySet::single(identity);
    let handshake = Arc::new(handshake::ServerConfig::new(Arc::clone(&provider), identities));
    let config = Arc::new(ServerConfig { handshake, transport: Arc::default() });
    let (mut server, socket) = (endpoint(1), UdpSocket::bind("127.0.0.1:0")?);
    server.set_server(Some(config));
    let address = socket.local_addr()?;
    let serving = std::thread::spawn(move || drive(&socket, server, None, Some(&*signer)));

    // The client trusts this fingerprint, and no other.
    let handshake = Arc::new(handshake::ClientConfig::new(Arc::clone(&provider), verifier));
    let config = ClientConfig { handshake, transport: Arc::default() };
    let mut client = endpoint(2);
    let connection = client.connect(Time::ZERO, &config, address, None)?;
    let answer = drive(&UdpSocket::bind("127.0.0.1:0")?, client, Some(connection), None)?;
    serving.join().map_err(|_| "the server panicked")??;
    println!("the server echoed: {}", String::from_utf8_lossy(&answer));
    if answer == b"hello" { Ok(()) } else { Err("that was not what the client said".into()) }
}

/// The loop: serves one connection, the client's own or the first that comes, until it has ended, and
/// returns what the client received.
fn drive(
    socket: &UdpSocket,
    mut endpoint: Endpoint,
    mut connection: Option<Connection>,
    signer: Option<&dyn Signer>,
) -> Result<Vec<u8>> {
    let origin = Instant::now();
    let clock = || Time::ZERO + origin.elapsed();
    // A datagram in, a datagram out, and an answer to a stranger.
    let (mut input, mut output, mut reply) = (vec![0; 65_535], vec![0; 65_535], [0; 1500]);
    let mut received = Vec::new();
    loop {
        let mut wait = None;
        if let Some(connection) = &mut connection {
            // What happened is for the application; what that led to, for the network.
            while let Some(event) = connection.poll_event() {
                on_event(connection, event, clock(), signer, &mut received)?;
            }
            while let Some(transmit) = connection.poll_transmit(clock(), &mut output, 1) {
                socket.send_to(&output[..transmit.len], transmit.remote)?;
            }
            if connection.is_drained() {
                return Ok(received);
            }
            wait = connection.next_timeout().map(|at| at - clock());
        }
        // Sleep until a datagram comes or a timer is due. For the socket, zero would be for ever.
        socket.set_read_timeout(wait.map(|wait| wait.max(Duration::from_micros(1))))?;
        if let Ok((len, remote)) = socket.recv_from(&mut input) {
            let (now, bytes) = (clock(), &mut input[..len]);
            let meta = Received { remote, local: None, ecn: Ecn::NotEct };
            match (endpoint.handle(now, &meta, bytes, &mut reply), &mut connection) {
                (Routed::Connection(_) | Routed::Stray, Some(connection)) => {
                    connection.handle_datagrams(now, &meta, bytes, len);
                }
                (Routed::Incoming(incoming), None) => {
                    connection = Some(endpoint.accept(now, &incoming, None, &mut reply)?);
                }
                (Routed::Reply(to), _) => drop(socket.send_to(&reply[..to.len], to.remote)?),
                _ => {}
            }
        }
        if let Some(connection) = &mut connection {
            connection.handle_timeout(clock());
        }
    }
}

/// The application: the client says hello and closes after the answer, the server echoes.
fn on_event(
    connection: &mut Connection,
    event: Event,
    now: Time,
    signer: Option<&dyn Signer>,
    received: &mut Vec<u8>,
) -> Result<()> {
    match (event, connection.side()) {
        (Event::Connected, Side::Client) => {
            let id = connection.open_stream(Dir::Bi).ok_or("the server allows no stream")?;
            connection.write(id, b"hello")?;
            connection.finish(id)?;
        }
        (Event::Stream(StreamEvent::Readable(id)), side) => {
            let mut buffer = [0; 100];
            let end = loop {
                match connection.read(id, &mut buffer) {
                    Ok(n) if side == Side::Server => drop(connection.write(id, &buffer[..n])?),
                    Ok(n) => received.extend_from_slice(&buffer[..n]),
                    Err(error) => break error,
                }
            };
            match (end, side) {
                (ReadError::Finished, Side::Server) => connection.finish(id)?,
                (ReadError::Finished, Side::Client) => connection.close(now, AppCode(0), b""),
                _ => {}
            }
        }
        (Event::Sign(request), _) => {
            let signer = signer.ok_or("nobody can sign")?;
            let mut rng = Rng::new(&Seed::from_u64(3), "signatures");
            connection.provide_signature(now, signer.sign(&mut rng, &request.message));
        }
        _ => {}
    }
    Ok(())
}
