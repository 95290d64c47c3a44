//! The proxy on loopback sockets, and its command.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

use jsp_proto::ids::Ecn;
use jsp_proto::time::Duration;
use jsp_sim::link::{EcnFault, Link};
use jsp_sim::ms;
use jsp_sim::proxy::{Proxy, Settings, Stopper, Summary};
use jsp_sim::share::Share;
use quinn_udp::{EcnCodepoint, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
#[cfg(unix)]
use std::io::{BufRead as _, BufReader, Read as _};
use std::io::{IoSliceMut, Write as _};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// No wait is longer: a machine may be busy.
const PATIENCE: Duration = Duration::from_secs(20);

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// A proxy in a thread, and a target behind it.
struct Wire {
    target: UdpSocket,
    address: SocketAddr,
    stopper: Stopper,
    thread: JoinHandle<Summary>,
}

impl Wire {
    fn new(change: impl FnOnce(Settings) -> Settings) -> Self {
        let target = socket();
        let settings = change(Settings::new(target.local_addr().unwrap(), Link::new()));
        let mut proxy = Proxy::bind((Ipv4Addr::LOCALHOST, 0).into(), &settings).unwrap();
        let (address, stopper) = (proxy.local_addr(), proxy.stopper());
        let thread = thread::spawn(move || proxy.run(Some(3 * PATIENCE)).unwrap());
        Self { target, address, stopper, thread }
    }

    fn client(&self) -> UdpSocket {
        let client = socket();
        client.connect(self.address).unwrap();
        client
    }

    /// What the target hears next, and from where.
    fn hear(&self) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; 2000];
        let (len, from) = self.target.recv_from(&mut buffer).unwrap();
        (buffer[..len].to_vec(), from)
    }

    fn end(self) -> Summary {
        self.stopper.stop();
        self.thread.join().unwrap()
    }
}

fn hear(client: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 2000];
    let len = client.recv(&mut buffer).unwrap();
    buffer[..len].to_vec()
}

#[test]
fn each_way_takes_as_long_as_its_link_says() {
    let (there, back) = (Link::new().delay(ms(30)), Link::new().delay(ms(20)));
    let wire = Wire::new(|settings| Settings { there, back, ..settings });
    let client = wire.client();
    let start = Instant::now();
    client.send(b"ping").unwrap();
    let (ping, from) = wire.hear();
    let there = start.elapsed();
    wire.target.send_to(b"pong", from).unwrap();
    assert_eq!((ping, hear(&client)), (b"ping".to_vec(), b"pong".to_vec()));
    let both = start.elapsed();
    assert!(there >= ms(30) && both >= ms(50), "{there:?}, {both:?}");
    assert!(both < Duration::from_secs(5), "{both:?}");
    let summary = wire.end();
    let delay = summary.there.counts.delay(1.0).unwrap();
    assert!(delay >= ms(30).mul_f64(0.99), "{delay:?}");
    assert_eq!((summary.there.counts.left, summary.back.counts.left, summary.clients), (1, 1, 1));
}

#[test]
fn exactly_the_listed_are_lost_and_the_rest_keeps_order_and_content() {
    let there = Link::new().delay(ms(5)).lose_indices([0, 3, 99]);
    let wire = Wire::new(|settings| Settings { there, ..settings });
    let client = wire.client();
    // Empty ones and trains of equal ones among them.
    let payload = |i: u8| vec![i; if i == 7 { 0 } else { 1 + usize::from(i / 10) }];
    (0..100).for_each(|i| assert_eq!(client.send(&payload(i)).unwrap(), payload(i).len()));
    for i in (0..100).filter(|i| ![0, 3, 99].contains(i)) {
        assert_eq!(wire.hear().0, payload(i), "{i}");
    }
    let summary = wire.end();
    let counts = &summary.there.counts;
    assert_eq!((counts.came, counts.left, counts.dropped["lost"]), (100, 97, 3));
    assert_eq!((counts.dropped.len(), counts.overtaken, summary.there.in_flight()), (1, 0, 0));
    assert_eq!(counts.came_bytes, (0..100).map(|i| payload(i).len() as u64).sum::<u64>());
}

#[test]
fn clients_are_kept_apart() {
    let wire = Wire::new(|settings| settings);
    let clients = [wire.client(), wire.client()];
    for (i, client) in clients.iter().enumerate() {
        client.send(&[i as u8]).unwrap();
        let (payload, from) = wire.hear();
        wire.target.send_to(&[payload[0] + 10], from).unwrap();
    }
    assert_eq!(clients.map(|client| hear(&client)), [vec![10], vec![11]]);
    assert_eq!(wire.end().clients, 2);
}

#[test]
fn only_the_target_is_heard() {
    let wire = Wire::new(|settings| settings);
    let client = wire.client();
    client.send(b"hello").unwrap();
    let (_, from) = wire.hear();
    socket().send_to(b"I am the target", from).unwrap();
    wire.target.send_to(b"no, I am", from).unwrap();
    assert_eq!(hear(&client), b"no, I am");
    assert_eq!(wire.end().back.counts.came, 1);
}

/// A socket with ECN.
struct Marked {
    socket: UdpSocket,
    state: UdpSocketState,
}

impl Marked {
    fn new(socket: UdpSocket) -> Self {
        let state = UdpSocketState::new(UdpSockRef::from(&socket)).unwrap();
        // It has made it one that does not wait.
        socket.set_nonblocking(false).unwrap();
        Self { socket, state }
    }

    fn send(&self, to: SocketAddr, ecn: Ecn) {
        let ecn = EcnCodepoint::from_bits(ecn as u8);
        let (contents, segment_size, src_ip) = (&b"x"[..], None, None);
        let transmit = Transmit { destination: to, ecn, contents, segment_size, src_ip };
        self.state.try_send(UdpSockRef::from(&self.socket), &transmit).unwrap();
    }

    fn hear(&self) -> (Ecn, SocketAddr) {
        let (mut buffer, mut meta) = (vec![0; 65_535], [RecvMeta::default()]);
        let buffers = &mut [IoSliceMut::new(&mut buffer)];
        assert_eq!(self.state.recv((&self.socket).into(), buffers, &mut meta).unwrap(), 1);
        (Ecn::from_bits(meta[0].ecn.map_or(0, |ecn| ecn as u8)), meta[0].addr)
    }
}

#[test]
fn the_ecn_field_is_kept_and_altered_by_the_stages() {
    let back = Link::new().ecn(EcnFault::Mark(Share::from(1.0)));
    let wire = Wire::new(|settings| Settings { back, ..settings });
    let client = Marked::new(socket());
    let target = Marked::new(wire.target.try_clone().unwrap());
    for ecn in [Ecn::NotEct, Ecn::Ect0, Ecn::Ect1, Ecn::Ce] {
        client.send(wire.address, ecn);
        let (kept, from) = target.hear();
        assert_eq!(kept, ecn);
        target.send(from, ecn);
        let marked = if ecn == Ecn::NotEct { ecn } else { Ecn::Ce };
        assert_eq!(client.hear().0, marked);
    }
    assert_eq!(wire.end().back.link.marked, 3);
}

#[test]
fn rebinding_changes_the_port_that_the_target_sees_and_closes_the_old_one_in_silence() {
    let wire = Wire::new(|settings| Settings { rebind: Some(ms(1000)), ..settings });
    let client = wire.client();
    let start = Instant::now();
    let mut ports = Vec::new();
    while ports.len() < 3 {
        assert!(start.elapsed() < PATIENCE);
        client.send(b"who am I?").unwrap();
        let (_, from) = wire.hear();
        if ports.last() != Some(&from) {
            ports.push(from);
        }
        thread::sleep(ms(10));
    }
    assert!(start.elapsed() >= ms(1500), "before its time");
    assert!(ports[0] != ports[1] && ports[1] != ports[2]);
    // The port before the present one is open still, and mute.
    wire.target.send_to(b"late", ports[1]).unwrap();
    wire.target.send_to(b"welcome", ports[2]).unwrap();
    assert_eq!(hear(&client), b"welcome");
    let summary = wire.end();
    assert!(summary.rebindings >= 2);
    assert_eq!(summary.clients, 1);
    assert_eq!(summary.back.counts.dropped["no-mapping"], 1);
}

#[test]
fn it_ends_when_it_was_told_to_and_tells_what_is_left() {
    let link = Link::new().delay(Duration::from_secs(3600));
    let settings = Settings::new((Ipv4Addr::LOCALHOST, 9).into(), link);
    let mut proxy = Proxy::bind((Ipv4Addr::LOCALHOST, 0).into(), &settings).unwrap();
    socket().send_to(b"never", proxy.local_addr()).unwrap();
    let summary = proxy.run(Some(ms(50))).unwrap();
    assert!(summary.time >= ms(50));
    assert_eq!(summary.there.in_flight(), 1);
    let text = summary.to_string();
    assert!(text.contains("1 client\n") && text.contains("on their way  1"), "{text}");
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jsp-sim"));
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn link_file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[cfg(unix)] // Elsewhere nothing simple interrupts a process.
#[test]
fn the_command_says_where_it_listens_and_what_it_did_when_it_is_interrupted() {
    let file = link_file("link = [{ delay = { base = \"5ms\" } }]");
    let target = socket();
    let (address, path) = (target.local_addr().unwrap().to_string(), file.path().to_str().unwrap());
    let args = ["proxy", &address, "--link", path, "--for", "1min"];
    let mut child = command(&args).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let (listening, to) = line.trim_end().split_once(" -> ").unwrap();
    assert_eq!(to, address);
    socket().send_to(b"through", listening).unwrap();
    assert_eq!(target.recv(&mut [0; 100]).unwrap(), 7);
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let mut text = String::new();
    out.read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(text.contains("1 client") && text.contains("of it ours"), "{text}");
}

#[test]
fn the_command_tells_what_is_wrong_with_a_file() {
    let file = link_file("link = [\n  { loss = { share = 2.0 } },\n]");
    let path = file.path().to_str().unwrap();
    let output = command(&["proxy", "127.0.0.1:9", "--link", path]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains(&format!("{path}:2:")), "{text}");
    let output = command(&["proxy", "nowhere", "--link", path]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let output = command(&["proxy", "127.0.0.1:9", "--link", "/no/such.toml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}
