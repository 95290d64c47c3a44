//! `jsp demo`

use super::bench;
use crate::args::Demo;
use crate::client::{self, Link, with_link};
use crate::failure::{Failure, Kind};
use crate::files::{Hash, Name, Root};
use crate::noise;
use crate::progress::Progress;
use crate::report::{headline, row};
use crate::say::{self, GOOD};
use crate::server::{self, Service, Stop};
use crate::setup::Setup;
use crate::units::{Rate, Size, Span, hex};
use crate::url::Url;
use cpu_time::ProcessTime;
use jsp_driver_tokio::jsp_proto::crypto::Algorithm;
use jsp_driver_tokio::jsp_proto::handshake::PeerIdentity;
use jsp_driver_tokio::{Endpoint, Identity, Stats};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

const FILE: &str = "demo.bin";
const BLOCK: usize = 1 << 20;

/// What the first connection has found out.
struct Greeting {
    identity: Option<PeerIdentity>,
    handshake: Duration,
    /// Bytes of datagrams, there and back.
    bytes: [u64; 2],
}

/// What the second connection has found out.
struct Transfer {
    stats: Stats,
    size: u64,
    /// Until the last byte was there.
    time: Duration,
    /// Until the file was verified, and all of it on the disk.
    on_disk: Duration,
    cpu: Duration,
    hash: Hash,
    /// The same number of bytes from memory to memory: time, and CPU time of both ends.
    bare: [Duration; 2],
}

/// Starts a server on a thread of its own, and gets a file from it as any client would.
pub(crate) async fn run(setup: &Setup, args: Demo) -> Result<(), Failure> {
    let temporary = |error| Failure::io("cannot use the temporary folder", &error);
    let dir = tempfile::tempdir().map_err(temporary)?;
    let [shared, got] = ["shared", "got"].map(|name| dir.path().join(name));
    for folder in [&shared, &got] {
        fs::create_dir(folder).map_err(temporary)?;
    }
    say::note(format_args!("Writing a file of {} ...", Size(args.size)));
    let expected = generate(&shared.join(FILE), args.size).map_err(|error| {
        temporary(error).with_hint("A smaller file may fit: `jsp demo --size 16M`.")
    })?;

    let identity = Identity::generate(setup.provider())
        .map_err(|error| Failure::io("cannot make an identity", &error))?;
    let root = Arc::new(Root::open(&shared).map_err(temporary)?);
    let server = Server::start(setup, &identity, Service::new(Some(root)))?;
    let url = Url { path: FILE.into(), ..Url::new(identity.fingerprint(), server.address) };
    let root = Arc::new(Root::open(&got).map_err(temporary)?);
    say::note("Getting it over UDP on loopback ...\n");
    let greeting =
        with_link(&setup.with_smallest_datagrams(), &url, async |link| Ok(greet(&link))).await?;
    let transfer = with_link(setup, &url, async |link| fetch(&link, &url, root).await).await?;
    server.stop();

    if transfer.hash != expected || hash_of(&got.join(FILE)).map_err(temporary)? != expected {
        return Err(Failure::new(
            Kind::Corrupt,
            "the file that arrived is not the one that was sent",
        ));
    }
    print(&url, &greeting, &transfer);
    Ok(())
}

fn greet(link: &Link) -> Greeting {
    let path = link.connection.stats().path;
    Greeting {
        identity: link.connection.peer_identity(),
        handshake: link.handshake,
        bytes: [path.sent_bytes, path.received_bytes],
    }
}

async fn fetch(link: &Link, url: &Url, root: Arc<Root>) -> Result<Transfer, Failure> {
    let (start, cpu) = (Instant::now(), ProcessTime::now());
    let name = Name::parse(FILE).unwrap_or_else(|_| Name::root());
    // The network is done before the disk is.
    let last_byte = Arc::new(AtomicU64::new(0));
    let bar = |size| {
        let (progress, last_byte) = (Progress::bytes(FILE, size), Arc::clone(&last_byte));
        let heard = move |by| {
            progress.advance(by);
            last_byte.store(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        };
        Box::new(heard) as Box<dyn Fn(u64) + Send>
    };
    let (size, hash) = client::get(link, &url.path, root, name, bar).await?;
    let (on_disk, cpu) = (start.elapsed(), cpu.elapsed());
    let time = Duration::from_nanos(last_byte.load(Ordering::Relaxed));
    let (start, bare_cpu) = (Instant::now(), ProcessTime::now());
    bench::receive(link, bench::Task { bytes: size, time: Duration::ZERO }).await?;
    let bare = [start.elapsed(), bare_cpu.elapsed()];
    Ok(Transfer { stats: link.connection.stats(), size, time, on_disk, cpu, hash, bare })
}

fn print(url: &Url, greeting: &Greeting, transfer: &Transfer) {
    let Greeting { identity, handshake, bytes: [there, back] } = greeting;
    let Transfer { stats, size, time, on_disk, cpu, hash, bare } = transfer;
    headline("A file has crossed a real UDP socket, post-quantum secure.");
    let fingerprint = url.fingerprint.to_string();
    row("server", format_args!("{}, made for this run", url.authority()));
    row("fingerprint", &fingerprint);
    let signatures = match identity.map(|identity| identity.algorithm()) {
        Some(Algorithm::Hybrid) => "Ed25519 and ML-DSA-65, both verified",
        Some(Algorithm::Ed25519) => "Ed25519, verified",
        None => "none",
    };
    row("key exchange", "X-Wing: X25519 and ML-KEM-768");
    row("signatures", signatures);
    let suite = stats.suite.map(|suite| suite.to_string()).unwrap_or_default();
    row("suite", format_args!("{suite} by {}", stats.provider));
    row(
        "handshake",
        format_args!("{}; {there} bytes to the server, {back} bytes back", Span(*handshake)),
    );
    row(
        "file",
        format_args!("{} in {}; safe on disk after {}", Size(*size), Span(*time), Span(*on_disk)),
    );
    let per_gb = |cpu: &Duration| cpu.as_secs_f64() / (*size).max(1) as f64 * 1e9;
    row("goodput", Rate::of(*size, *time));
    row("CPU", format_args!("{:.2} s/GB for both ends, with files and hashes", per_gb(cpu)));
    let [bare_time, bare_cpu] = bare;
    row(
        "without files",
        format_args!("{}, {:.2} s/GB for both ends", Rate::of(*size, *bare_time), per_gb(bare_cpu)),
    );
    row("datagrams", format_args!("up to {} bytes", stats.path.mtu));
    row("SHA-256", hex(hash));
    anstream::println!("\n  {GOOD}The file that arrived is the file that was sent.{GOOD:#}");
    anstream::println!("\nNext: `jsp serve --dir DIR` here, and `jsp get` with its URL elsewhere.");
}

/// The server's thread, which has a runtime of its own.
struct Server {
    address: SocketAddr,
    stop: tokio::sync::watch::Sender<bool>,
    thread: thread::JoinHandle<()>,
}

impl Server {
    fn start(setup: &Setup, identity: &Identity, service: Service) -> Result<Self, Failure> {
        // The first client gets none of the probes that look for larger datagrams: they are no part
        // of a handshake.
        let first = setup.with_smallest_datagrams().server(identity, true)?;
        let others = setup.server(identity, true)?;
        let default = others.clone();
        let greeted = AtomicBool::new(false);
        let config = move |_| {
            if greeted.swap(true, Ordering::Relaxed) { others.clone() } else { first.clone() }
        };
        let (stop, stopped) = Stop::new();
        let (bound, address) = mpsc::channel();
        let setup = setup.clone();
        let thread = thread::spawn(move || {
            let served = crate::runtime::single().map(|runtime| {
                runtime.block_on(async {
                    let endpoint = bind(&setup);
                    let _ = bound
                        .send(endpoint.as_ref().map(Endpoint::local_addr).map_err(io::Error::kind));
                    if let Ok(endpoint) = endpoint {
                        endpoint.set_server(Some(default));
                        server::serve(endpoint, config, Arc::new(service), stopped).await;
                    }
                });
            });
            if let Err(error) = served {
                let _ = bound.send(Err(error.kind()));
            }
        });
        match address.recv() {
            Ok(Ok(address)) => Ok(Self { address, stop, thread }),
            Ok(Err(kind)) => Err(Failure::io("cannot start a server on loopback", &kind.into())),
            Err(_) => Err(Failure::local("the server's thread has ended")),
        }
    }

    fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.thread.join();
    }
}

/// A socket on loopback, of whichever family there is.
fn bind(setup: &Setup) -> io::Result<Endpoint> {
    setup
        .bind(Some((Ipv4Addr::LOCALHOST, 0).into()))
        .or_else(|_| setup.bind(Some((Ipv6Addr::LOCALHOST, 0).into())))
}

/// Writes a file that is always the same; returns its hash.
fn generate(path: &Path, size: u64) -> io::Result<Hash> {
    let (mut file, mut hash) = (File::create_new(path)?, Sha256::new());
    let mut block = vec![0; BLOCK];
    let mut written = 0;
    while written < size {
        noise::fill(written, &mut block);
        let length = (size - written).min(BLOCK as u64) as usize;
        let part = block.get(..length).unwrap_or_default();
        file.write_all(part)?;
        hash.update(part);
        written += length as u64;
    }
    Ok(hash.finalize().into())
}

/// Reads a file again, so that nothing but the file itself is believed.
fn hash_of(path: &Path) -> io::Result<Hash> {
    let (mut file, mut hash, mut block) = (File::open(path)?, Sha256::new(), vec![0; BLOCK]);
    loop {
        match io::Read::read(&mut file, &mut block)? {
            0 => return Ok(hash.finalize().into()),
            n => hash.update(block.get(..n).unwrap_or_default()),
        }
    }
}
