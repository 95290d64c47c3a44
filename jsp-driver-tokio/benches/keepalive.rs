//! Many idle connections that keep themselves alive, in one server process: its processor time beside
//! that of a server which answers raw UDP datagrams that come as often, and its memory.
//!
//! Each client sends a PING after some silence, and the server acknowledges it. What a keep-alive
//! costs depends on how many come in a second, and so 10,000 connections with 3 s stand for 100,000
//! with 30 s. The latter are `connections=100000 keep_alive=30`; their handshakes take about a minute.
//!
//! `cargo bench -p jsp-driver-tokio --bench keepalive -- [connections=10000] [keep_alive=3] [seconds=10]
//! [only=NAME] [json=FILE]`
#![allow(clippy::unwrap_used)] // A bench that cannot run says so by failing.

mod common;

use common::ours::{DRIVERS, Driver, Until};
use common::report::Report;
use common::{argument, option, our_endpoint, our_transport, process_cpu, resident, runtime};
use jsp_driver_tokio::jsp_proto::crypto::Fingerprint;
use jsp_driver_tokio::{
    ClientConfig, Connection, Endpoint, Identity, ServerConfig, default_provider,
};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Bytes of a raw datagram, about as many as those of a packet with a PING.
const SIZE: usize = 32;
/// Handshakes under way at once.
const AT_ONCE: usize = 32;
/// Sockets of the clients.
const SOCKETS: usize = 4;
/// The bar: processor time of ours, as a multiple of raw UDP's.
const BAR: f64 = 1.6;

fn main() {
    if let Some(kind) = option("serve") {
        return match DRIVERS.into_iter().find(|driver| driver.name == kind) {
            Some(driver) => serve_ours(driver),
            None => serve_raw(),
        };
    }
    let load = Load {
        connections: argument("connections", 10_000),
        keep_alive: Duration::from_secs(argument("keep_alive", 3) as u64),
        time: Duration::from_secs(argument("seconds", 10) as u64),
    };
    println!(
        "{} idle connections, a keep-alive each {} s: {:.0} a second, for {} s",
        load.connections,
        load.keep_alive.as_secs(),
        load.per_second(),
        load.time.as_secs()
    );
    let only = option("only");
    let mut ours = Vec::new();
    let mut raws = vec![raw(&load)];
    for driver in DRIVERS.map(|driver| driver.name) {
        if only.as_deref().is_none_or(|only| only == driver) {
            ours.push((driver, runtime().block_on(self::ours(driver, &load))));
            raws.push(raw(&load));
        }
    }
    let raw = raws.iter().sum::<f64>() / raws.len() as f64;
    let each = |cpu: f64| cpu * 1e6 / (load.per_second() * load.time.as_secs_f64());
    println!(
        "{:>8} {:>14} {:>18} {:>16}",
        "", "server's CPU", "us per keep-alive", "resident bytes"
    );
    let line = |who: &str, cpu: f64| {
        let share = cpu / load.time.as_secs_f64() * 100.0;
        print!("{who:>8} {share:>12.2} % {:>18.2}", each(cpu));
    };
    for (who, ours) in &ours {
        line(who, ours.cpu);
        println!(" {:>16.0}", ours.bytes);
    }
    line("raw", raw);
    println!();
    for (who, ours) in &ours {
        println!("{who} / raw: {:.2} (bar: at most {BAR})", ours.cpu / raw);
    }
    let mut values: Vec<_> = ours.iter().map(|(who, ours)| (*who, each(ours.cpu))).collect();
    values.push(("raw", each(raw)));
    let mut report = Report::new("keepalive");
    let what = format!("{} idle connections, server's processor time", load.connections);
    report.row(&what, "us for a keep-alive", &values);
    let memory: Vec<_> = ours.iter().map(|(who, ours)| (*who, ours.bytes / 1024.0)).collect();
    let what = format!("{} idle connections, resident memory of the server", load.connections);
    report.row(&what, "KiB each", &memory);
    report.write();
}

/// What the server has to bear.
struct Load {
    connections: usize,
    keep_alive: Duration,
    /// How long it is measured.
    time: Duration,
}

impl Load {
    /// Keep-alives a second.
    fn per_second(&self) -> f64 {
        self.connections as f64 / self.keep_alive.as_secs_f64()
    }
}

/// A server in a process of its own, which says what it has used whenever it is asked.
struct Server {
    process: Child,
    ask: ChildStdin,
    answer: BufReader<ChildStdout>,
    /// What clients need to know.
    door: String,
}

/// What a server has used so far.
struct Used {
    cpu: f64,
    memory: f64,
}

impl Server {
    fn start(kind: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .arg(format!("serve={kind}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let ask = process.stdin.take().unwrap();
        let mut answer = BufReader::new(process.stdout.take().unwrap());
        let mut door = String::new();
        answer.read_line(&mut door).unwrap();
        Self { process, ask, answer, door }
    }

    fn used(&mut self) -> Used {
        writeln!(self.ask).unwrap();
        let mut line = String::new();
        self.answer.read_line(&mut line).unwrap();
        let (cpu, memory) = line.trim().split_once(' ').unwrap();
        Used { cpu: cpu.parse().unwrap(), memory: memory.parse().unwrap() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The server's side of [`Server`]: tells the door, then answers until nobody asks any more.
fn answer(door: &str) {
    println!("{door}");
    for _ in std::io::stdin().lines() {
        println!("{} {}", process_cpu(), resident());
    }
}

fn serve_raw() {
    let socket = common::udp_socket();
    let door = socket.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut buffer = [0; 2 * SIZE];
        loop {
            let (len, client) = socket.recv_from(&mut buffer).unwrap();
            socket.send_to(&buffer[..len], client).unwrap();
        }
    });
    answer(&door);
}

fn serve_ours(driver: Driver) {
    let (tell, told) = mpsc::channel();
    let identity = Identity::generate(&*default_provider()).unwrap();
    let fingerprint = identity.fingerprint();
    let config = ServerConfig::with_identity(&identity).with_transport(our_transport());
    std::thread::spawn(move || {
        (driver.serve)(config, &|address| tell.send(address).unwrap(), Until::Killed);
    });
    answer(&format!("{} {fingerprint}", told.recv().unwrap()));
}

/// Processor seconds of a raw server.
fn raw(load: &Load) -> f64 {
    let mut server = Server::start("raw");
    let address: SocketAddr = server.door.trim().parse().unwrap();
    let sockets: [_; SOCKETS] = std::array::from_fn(|_| common::udp_socket());
    for socket in &sockets {
        socket.set_nonblocking(true).unwrap();
    }
    let (start, mut sent) = (Instant::now(), 0);
    let before = server.used();
    let mut buffer = [0; 2 * SIZE];
    // As timers of a millisecond have it: those that are due by then.
    while start.elapsed() < load.time {
        let due = (start.elapsed().as_secs_f64() * load.per_second()) as usize;
        for n in sent..due {
            sockets[n % SOCKETS].send_to(&[0; SIZE], address).unwrap();
        }
        sent = due;
        for socket in &sockets {
            while socket.recv(&mut buffer).is_ok() {}
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    server.used().cpu - before.cpu
}

/// What ours used.
struct Ours {
    /// Processor seconds while idle.
    cpu: f64,
    /// Resident bytes for each connection.
    bytes: f64,
}

async fn ours(driver: &str, load: &Load) -> Ours {
    let mut server = Server::start(driver);
    let (address, fingerprint) = server.door.trim().split_once(' ').unwrap();
    let address: SocketAddr = address.parse().unwrap();
    let fingerprint: Fingerprint = fingerprint.parse().unwrap();
    let mut transport = our_transport();
    transport.keep_alive = Some(load.keep_alive);
    let config = ClientConfig::pinned(fingerprint).with_transport(transport);
    let endpoints: Vec<_> = (0..SOCKETS).map(|_| our_endpoint()).collect();
    // The first pays for what is there only once.
    let first = connect(&endpoints[0], &config, address).await;
    let before = server.used();
    let start = Instant::now();
    let held = connect_all(&endpoints, &config, address, load.connections - 1).await;
    let after = server.used();
    println!(
        "{driver}: {} handshakes in {:.1} s, of which the server worked {:.1} s",
        held.len(),
        start.elapsed().as_secs_f64(),
        after.cpu - before.cpu
    );
    // Until the first flights are over, and the keep-alives have spread.
    tokio::time::sleep(load.keep_alive.max(Duration::from_secs(1))).await;
    let idle = server.used();
    tokio::time::sleep(load.time).await;
    let end = server.used();
    drop((first, held));
    Ours {
        cpu: end.cpu - idle.cpu,
        bytes: (end.memory - before.memory) / (load.connections - 1) as f64,
    }
}

async fn connect(endpoint: &Endpoint, config: &ClientConfig, address: SocketAddr) -> Connection {
    endpoint.connect(config, address).unwrap().await.unwrap()
}

async fn connect_all(
    endpoints: &[Endpoint],
    config: &ClientConfig,
    address: SocketAddr,
    count: usize,
) -> Vec<Connection> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = Vec::with_capacity(count);
    for n in 0..count {
        let place = Arc::clone(&places).acquire_owned().await.unwrap();
        let (endpoint, config) = (endpoints[n % endpoints.len()].clone(), config.clone());
        tasks.push(tokio::spawn(async move {
            let connection = connect(&endpoint, &config, address).await;
            drop(place);
            connection
        }));
    }
    let mut held = Vec::with_capacity(count);
    for task in tasks {
        held.push(task.await.unwrap());
    }
    held
}
