//! Applications of the tokio driver on simulated networks, in paused time.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

#[path = "../examples/driver/app.rs"]
mod app;

use app::{Plan, Report};
use jsp_driver_tokio::jsp_proto::crypto::IdentitySecret;
use jsp_driver_tokio::jsp_proto::handshake::Pinned;
use jsp_driver_tokio::{
    Batch, ClientConfig, DatagramSocket, Endpoint, EndpointOptions, Identity, Seed, SendOutcome,
    ServerConfig, Transmit, portable_provider,
};
use jsp_proto::time::Time;
use jsp_sim::link::Link;
use jsp_sim::network::{LineRef, Network};
use jsp_sim::tokio::{SimNet, SimSocket};
use jsp_sim::trace::TraceHash;
use jsp_sim::{ms, secs, seeds};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::runtime::Builder;

/// A socket that counts how often it is asked for datagrams.
#[derive(Debug)]
struct Counting {
    inner: SimSocket,
    polls: Arc<AtomicUsize>,
}

impl DatagramSocket for Counting {
    fn local_addr(&self) -> SocketAddr {
        self.inner.local_addr()
    }

    fn try_send(&self, transmit: &Transmit, bytes: &[u8]) -> SendOutcome {
        self.inner.try_send(transmit, bytes)
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.inner.poll_writable(cx)
    }

    fn poll_recv(&self, cx: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>> {
        // An endpoint that never sleeps stops time: without a limit the test would not end.
        assert!(self.polls.fetch_add(1, Ordering::Relaxed) < 100_000, "the endpoint never sleeps");
        self.inner.poll_recv(cx, batch)
    }
}

/// An endpoint that follows from a seed.
fn endpoint(net: &SimNet, address: &str, seed: u64) -> (Endpoint, Arc<AtomicUsize>) {
    let inner = net.socket(address.parse::<SocketAddr>().unwrap()).unwrap();
    let polls = Arc::new(AtomicUsize::new(0));
    let socket = Counting { inner, polls: Arc::clone(&polls) };
    let options = EndpointOptions::reproducible(Seed::from_u64(seed));
    (Endpoint::with_socket(socket, options).unwrap(), polls)
}

/// The application between the two hosts of `net`.
async fn run(net: &SimNet, plan: Plan, seed: u64) -> Report {
    let (meter, _) = endpoint(net, "192.0.2.1:0", 2 * seed);
    let (collector, _) = endpoint(net, "192.0.2.2:4433", 2 * seed + 1);
    between(meter, collector, plan).await
}

/// The application between a meter's endpoint and a collector's.
async fn between(meter: Endpoint, collector: Endpoint, plan: Plan) -> Report {
    let secret = IdentitySecret { ed25519: [1; 32], ml_dsa: Some([2; 32]) };
    let identity = Identity::from_secret(&*portable_provider(), secret).unwrap();
    collector.set_server(Some(ServerConfig::with_provider(portable_provider(), &identity)));
    let trust = Arc::new(Pinned::new(identity.fingerprint()));
    let trust = ClientConfig::with_provider(portable_provider(), trust);
    let address = collector.local_addr();
    tokio::spawn(app::collect(collector));
    let report = app::report(meter, trust, address, plan);
    tokio::time::timeout(secs(2 * 3600), report).await.expect("two hours are enough").unwrap()
}

/// A run in virtual time of its own, over a path that is the same in both directions.
fn paused(plan: Plan, link: &Link, seed: u64) -> (Report, TraceHash) {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let net = SimNet::pair(&Seed::from_u64(seed), link.clone(), link.clone());
        let report = run(&net, plan, seed).await;
        (report, net.hash())
    })
}

#[test]
fn an_application_gets_through_a_bad_network_and_the_same_seed_is_the_same_run() {
    let plan = Plan { readings: 30, every: secs(7), size: 5_000 };
    let bad = Link::new().delay(ms(40)).jitter(ms(10)).loss(0.1).duplicate(0.02);
    let mut runs = seeds::each(0..20, |seed| {
        let run = paused(plan, &bad, seed);
        assert_eq!(run.0.answers.len(), 30);
        assert!(run.0.answers[0] >= ms(80), "quicker than light: {:?}", run.0);
        assert!(run.0.total < secs(30 * 7 + 60), "{:?}", run.0);
        assert_eq!(paused(plan, &bad, seed), run, "seed {seed}");
        run.1
    });
    runs.sort_unstable();
    runs.dedup();
    assert_eq!(runs.len(), 20, "each seed is a run of its own");
}

#[test]
fn a_connection_survives_ten_seconds_without_a_network() {
    let gap = Time::ZERO + secs(20)..Time::ZERO + secs(30);
    let plan = Plan { readings: 40, every: secs(1), size: 5_000 };
    for seed in 0..5 {
        let (report, _) = paused(plan, &Link::new().delay(ms(40)).outage(gap.clone()), seed);
        assert_eq!(report.answers.len(), 40);
        let slow = report.answers.iter().filter(|answer| **answer > ms(500)).count();
        assert_eq!(slow, 1, "one reading met the gap: {report:?}");
        let slowest = *report.answers.last().unwrap();
        assert!((secs(8)..secs(20)).contains(&slowest), "{slowest:?}");
    }
}

#[test]
fn a_link_that_changes_under_way_changes_what_follows() {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let report = runtime.block_on(async {
        let link = |delay| Link::new().delay(ms(delay));
        let net = SimNet::pair(&Seed::from_u64(1), link(10), link(10));
        let slow = net.clone();
        tokio::spawn(async move {
            tokio::time::sleep(secs(10)).await;
            slow.change(|network, now| {
                assert_eq!(now, Time::ZERO + secs(10));
                let client = network.nodes().next().unwrap();
                let interface = network.interfaces(client).next().unwrap();
                network.set_link(LineRef::Up(interface), link(300));
            });
        });
        run(&net, Plan { readings: 20, every: secs(1), size: 100 }, 1).await
    });
    let (first, last) = (report.answers[0], report.answers[19]);
    assert!(first < ms(30) && (ms(310)..ms(330)).contains(&last), "{report:?}");
    let quick = report.answers.iter().filter(|answer| **answer < ms(30)).count();
    assert!((9..12).contains(&quick), "{report:?}");
}

#[test]
fn in_real_time_and_on_several_threads_it_works_as_well() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let report = runtime.block_on(async {
        let net = SimNet::pair(&Seed::from_u64(1), Link::new(), Link::new());
        let plan = Plan { readings: 50, every: Duration::ZERO, size: 50_000 };
        tokio::spawn(async move { run(&net, plan, 1).await }).await.unwrap()
    });
    assert_eq!(report.answers.len(), 50);
}

#[tokio::test(start_paused = true)]
async fn endpoints_sleep_while_nothing_happens() {
    let net = SimNet::pair(&Seed::from_u64(1), Link::new(), Link::new());
    let (meter, ours) = endpoint(&net, "192.0.2.1:4433", 1);
    let (collector, theirs) = endpoint(&net, "192.0.2.2:4433", 2);
    // Half an hour, most of it between two readings.
    let plan = Plan { readings: 90, every: secs(20), size: 100 };
    let report = between(meter, collector, plan).await;
    assert_eq!(report.answers.len(), 90);
    for polls in [ours, theirs] {
        let polls = polls.load(Ordering::Relaxed);
        assert!(polls < 2_500, "{polls} looks at the socket");
    }
}

#[tokio::test(start_paused = true)]
async fn sockets_have_addresses_as_real_ones_do() {
    let net = SimNet::pair(&Seed::from_u64(1), Link::new(), Link::new());
    let bind = |address: &str| net.socket(address.parse::<SocketAddr>().unwrap());
    let taken = bind("192.0.2.1:7").unwrap();
    assert_eq!(bind("192.0.2.1:7").unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(bind("192.0.2.9:7").unwrap_err().kind(), ErrorKind::AddrNotAvailable);
    assert_eq!(bind("0.0.0.0:7").unwrap_err().kind(), ErrorKind::AddrNotAvailable);
    let any: SocketAddr = "0.0.0.0:7".parse().unwrap();
    assert_eq!(net.socket_of(taken.node(), any).unwrap_err().kind(), ErrorKind::AddrInUse);
    let node = taken.node();
    drop(taken);
    assert!(net.socket_of(node, any).is_ok());
    let elsewhere = Network::new(&Seed::from_u64(1));
    let nobody =
        SimNet::new(elsewhere).socket_of(node, "192.0.2.1:7".parse::<SocketAddr>().unwrap());
    assert_eq!(nobody.unwrap_err().kind(), ErrorKind::AddrNotAvailable);
}
