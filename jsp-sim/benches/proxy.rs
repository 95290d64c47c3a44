//! How exact the proxy's delays are, and how much it carries: real sockets on loopback, one client, one
//! target, each on a thread of its own beside the proxy's.
//!
//! `cargo bench -p jsp-sim --bench proxy` on a machine that does nothing else.
#![allow(clippy::unwrap_used)] // A measurement that cannot go on ends.

use hdrhistogram::Histogram;
use jsp_proto::time::{Duration, nanos};
use jsp_sim::link::Link;
use jsp_sim::ms;
use jsp_sim::proxy::{Proxy, Settings, Summary};
use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use std::io::IoSliceMut;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::Instant;

const SIZE: usize = 1452;
const SEGMENTS: usize = 32;

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20);
    socket.set_read_timeout(Some(ms(1500))).unwrap();
    socket
}

fn main() {
    let pauses = [Duration::from_micros(200), ms(1), ms(5)];
    println!("Delay from send to receive, in microseconds beyond what the link says:");
    println!("{:<34}{:>8}{:>8}{:>8}{:>8}", "", "p50", "p99", "p99.9", "most");
    for pause in pauses {
        let target = socket();
        let direct = delays(target.local_addr().unwrap(), &target, pause, Duration::ZERO);
        show(&format!("no proxy, every {pause:?}"), &direct);
        let (through, summary) = with(Link::new().delay(ms(20)), |address, target| {
            delays(address, target, pause, ms(20))
        });
        show(&format!("20 ms, every {pause:?}"), &through);
        let own = |share| summary.there.counts.error(share).unwrap().as_nanos() as f64 / 1e3;
        println!(
            "{:<34}{:>8.1}{:>8.1}{:>8.1}{:>8.1}",
            "  as the proxy tells",
            own(0.5),
            own(0.99),
            own(0.999),
            own(1.0)
        );
    }
    println!("\nThroughput, datagrams of {SIZE} bytes, through 20 ms:");
    for rate in [300, 600, 1200, 2400, 4800] {
        let (got, _) = with(Link::new().delay(ms(20)), |address, target| {
            carried(address, target, rate * 1_000_000)
        });
        println!("{rate:>6} Mbit/s offered: {:>6.0} Mbit/s, {:.3} % missing", got.0, got.1);
    }
}

/// Does `act` with a proxy's address and the target behind it.
fn with<T>(link: Link, act: impl FnOnce(SocketAddr, &UdpSocket) -> T) -> (T, Summary) {
    let target = socket();
    let settings = Settings::new(target.local_addr().unwrap(), link);
    let mut proxy = Proxy::bind((Ipv4Addr::LOCALHOST, 0).into(), &settings).unwrap();
    let (address, stopper) = (proxy.local_addr(), proxy.stopper());
    let thread = thread::spawn(move || proxy.run(None).unwrap());
    let result = act(address, &target);
    stopper.stop();
    (result, thread.join().unwrap())
}

/// How much longer than `least` datagrams take to `target`, one each `pause`.
fn delays(to: SocketAddr, target: &UdpSocket, pause: Duration, least: Duration) -> Histogram<u64> {
    let start = Instant::now();
    let count = (ms(4000).as_nanos() / pause.as_nanos()) as u32;
    let mut histogram = Histogram::new(3).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let client = socket();
            for i in 0..count {
                thread::sleep((pause * i).saturating_sub(start.elapsed()));
                client.send_to(&start.elapsed().as_nanos().to_le_bytes(), to).unwrap();
            }
        });
        let mut buffer = [0; 16];
        for _ in 0..count {
            target.recv(&mut buffer).unwrap();
            let took = start.elapsed().as_nanos() - u128::from_le_bytes(buffer);
            histogram += (took as u64).saturating_sub(nanos(least));
        }
    });
    histogram
}

fn show(name: &str, histogram: &Histogram<u64>) {
    let at = |share| histogram.value_at_quantile(share) as f64 / 1e3;
    println!("{name:<34}{:>8.1}{:>8.1}{:>8.1}{:>8.1}", at(0.5), at(0.99), at(0.999), at(1.0));
}

/// Mbit/s that arrive of `rate` bits per second, and per cent that do not arrive.
fn carried(to: SocketAddr, target: &UdpSocket, rate: u64) -> (f64, f64) {
    let time = ms(3000);
    let trains = rate * 3 / (SIZE * SEGMENTS * 8) as u64;
    let (mut first, mut last, mut bytes) = (None, Instant::now(), 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let client = socket();
            let state = UdpSocketState::new(UdpSockRef::from(&client)).unwrap();
            client.set_nonblocking(false).unwrap();
            let contents = vec![7; SIZE * SEGMENTS];
            let start = Instant::now();
            for i in 0..trains {
                let due = time.mul_f64(i as f64 / trains as f64);
                while start.elapsed() < due {
                    thread::yield_now();
                }
                let transmit = Transmit {
                    destination: to,
                    ecn: None,
                    contents: &contents,
                    segment_size: Some(SIZE),
                    src_ip: None,
                };
                state.try_send(UdpSockRef::from(&client), &transmit).unwrap();
            }
        });
        let state = UdpSocketState::new(UdpSockRef::from(target)).unwrap();
        target.set_nonblocking(false).unwrap();
        let mut buffer = vec![0; 65_535];
        let mut meta = [RecvMeta::default()];
        while bytes < trains * (SIZE * SEGMENTS) as u64 {
            let mut buffers = [IoSliceMut::new(&mut buffer)];
            match state.recv(UdpSockRef::from(target), &mut buffers, &mut meta) {
                Ok(_) => bytes += meta[0].len as u64,
                Err(_) => break,
            }
            last = Instant::now();
            first.get_or_insert(last);
        }
    });
    let took = last.duration_since(first.unwrap_or(last)).as_secs_f64().max(1e-9);
    let all = (trains * (SIZE * SEGMENTS) as u64) as f64;
    (bytes as f64 * 8e-6 / took, 100.0 * (1.0 - bytes as f64 / all))
}
