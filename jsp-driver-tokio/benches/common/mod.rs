//! What the benches share: the peer's set-up, processor time, medians.
#![allow(dead_code, unreachable_pub)] // Each bench uses its part.
#![allow(clippy::unwrap_used)] // A bench that cannot run says so by failing.

pub mod engine;
pub mod ours;
pub mod raw;
// The engine's benches have it, too.
#[path = "../../../jsp-proto/benches/common/report.rs"]
pub mod report;
pub mod tls;

use jsp_driver_tokio::jsp_proto::path::MtuConfig;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::SupportedCipherSuite;
use rustls::crypto::aws_lc_rs;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// The UDP payload of every full packet, on both sides.
pub const PACKET: u16 = 1452;
/// Every window and send buffer.
pub const WINDOW: u32 = 8 << 20;
/// Every socket buffer.
pub const SOCKET: usize = 4 << 20;
/// What an application hands over at once.
pub const CHUNK: usize = 1 << 20;

/// Processor seconds of this process, all threads.
pub fn process_cpu() -> f64 {
    cpu(rustix::time::ClockId::ProcessCPUTime)
}

/// What a round measured.
#[derive(Clone, Copy)]
pub struct Round {
    /// Seconds.
    pub time: f64,
    /// Processor seconds of all threads meanwhile.
    pub cpu: f64,
}

/// The begin of a round.
#[derive(Clone, Copy)]
pub struct Clock {
    start: Instant,
    cpu: f64,
}

pub fn start() -> Clock {
    Clock { start: Instant::now(), cpu: process_cpu() }
}

impl Clock {
    /// What passed until now.
    pub fn round(self) -> Round {
        Round { time: self.start.elapsed().as_secs_f64(), cpu: process_cpu() - self.cpu }
    }
}

/// Processor seconds of this thread.
pub fn thread_cpu() -> f64 {
    cpu(rustix::time::ClockId::ThreadCPUTime)
}

fn cpu(clock: rustix::time::ClockId) -> f64 {
    let t = rustix::time::clock_gettime(clock);
    Duration::new(t.tv_sec as u64, t.tv_nsec as u32).as_secs_f64()
}

/// Bytes of memory that this process holds, what C libraries allocate included.
pub fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * rustix::param::page_size()
}

/// A runtime of one thread.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Runs a server on a thread of its own, which first tells what a client needs to know of it, and a
/// client on this one.
pub fn pair<T: Send + 'static, R>(
    server: impl FnOnce(mpsc::Sender<T>) + Send + 'static,
    client: impl FnOnce(T) -> R,
) -> R {
    let (tell, told) = mpsc::channel();
    let serving = std::thread::spawn(move || server(tell));
    let result = client(told.recv().unwrap());
    serving.join().unwrap();
    result
}

/// The middle of the values.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// An argument of the form `name=text`; `cargo bench` itself passes others.
pub fn option(name: &str) -> Option<String> {
    let prefix = format!("{name}=");
    std::env::args().find_map(|arg| arg.strip_prefix(&prefix).map(str::to_owned))
}

/// An argument of the form `name=number`.
pub fn argument(name: &str, default: usize) -> usize {
    option(name).map_or(default, |number| number.parse().unwrap())
}

fn initial() -> rustls::quic::Suite {
    let SupportedCipherSuite::Tls13(suite) = aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
    suite.quic_suite().unwrap()
}

/// The peer's transport, with the windows and packets of ours.
pub fn quinn_transport() -> quinn::TransportConfig {
    let mut transport = quinn::TransportConfig::default();
    transport
        .stream_receive_window(WINDOW.into())
        .receive_window(WINDOW.into())
        .send_window(WINDOW.into())
        .max_idle_timeout(Some(quinn::VarInt::from_u32(600_000).into()))
        .initial_mtu(PACKET)
        .min_mtu(PACKET)
        .mtu_discovery_config(None);
    transport
}

/// The peer's two sides.
pub fn quinn_configs(mutual: bool) -> (quinn::ClientConfig, quinn::ServerConfig) {
    let (client, server) = tls::configs(mutual);
    let client = QuicClientConfig::with_initial(Arc::new(client), initial()).unwrap();
    let server = QuicServerConfig::with_initial(Arc::new(server), initial()).unwrap();
    let mut client = quinn::ClientConfig::new(Arc::new(client));
    let transport = Arc::new(quinn_transport());
    client.transport_config(Arc::clone(&transport));
    let mut server = quinn::ServerConfig::with_crypto(Arc::new(server));
    server.transport_config(transport);
    (client, server)
}

/// A socket on loopback, with the buffers of every other.
pub fn udp_socket() -> std::net::UdpSocket {
    let socket = socket2::Socket::new(
        socket2::Domain::IPV4,
        socket2::Type::DGRAM,
        Some(socket2::Protocol::UDP),
    )
    .unwrap();
    let _ = socket.set_recv_buffer_size(SOCKET);
    let _ = socket.set_send_buffer_size(SOCKET);
    let loopback: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&loopback.into()).unwrap();
    socket.into()
}

/// An endpoint of the peer's, that takes datagrams of any size.
pub fn quinn_endpoint(server: Option<quinn::ServerConfig>) -> quinn::Endpoint {
    let mut config = quinn::EndpointConfig::default();
    config.max_udp_payload_size(65_527).unwrap();
    quinn::Endpoint::new(config, server, udp_socket(), Arc::new(quinn::TokioRuntime)).unwrap()
}

/// Our transport with the same windows and packets.
pub fn our_transport() -> jsp_driver_tokio::TransportConfig {
    let mut transport = jsp_driver_tokio::TransportConfig {
        idle_timeout: Some(Duration::from_secs(600)),
        ..Default::default()
    };
    let window = u64::from(WINDOW);
    transport.streams.stream_window = window;
    transport.streams.stream_window_max = window;
    transport.streams.connection_window = window;
    transport.streams.connection_window_max = window;
    transport.streams.send_buffer = WINDOW as usize;
    transport.mtu = MtuConfig::fixed(PACKET);
    transport
}

/// What our endpoints are set up with.
pub fn our_options() -> jsp_driver_tokio::EndpointOptions {
    let mut options = jsp_driver_tokio::EndpointOptions::default();
    options.socket.receive_buffer = SOCKET;
    options.socket.send_buffer = SOCKET;
    options.limits.unvalidated_per_second = 1_000_000;
    options.limits.unvalidated_per_second_per_prefix = 1_000_000;
    options.limits.partial_hellos_per_prefix = 1024;
    options
}

/// An endpoint of ours on loopback.
pub fn our_endpoint() -> jsp_driver_tokio::Endpoint {
    jsp_driver_tokio::Endpoint::bind("127.0.0.1:0".parse().unwrap(), our_options()).unwrap()
}
