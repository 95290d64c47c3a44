//! One application, two networks: the real loopback, and a bad one that is simulated in paused time.
//!
//! ```text
//! cargo run -p jsp-sim --example driver --features tokio
//! ```
//!
//! `app.rs` is an application as people write it. Only the few lines here, which make its endpoints,
//! know what network it runs on.

mod app;

use app::{Plan, Report};
use jsp_driver_tokio::jsp_proto::crypto::IdentitySecret;
use jsp_driver_tokio::jsp_proto::handshake::Pinned;
use jsp_driver_tokio::{
    ClientConfig, Endpoint, EndpointOptions, Identity, Seed, ServerConfig, portable_provider,
};
use jsp_sim::link::Link;
use jsp_sim::network::LineRef;
use jsp_sim::tokio::SimNet;
use jsp_sim::trace::TraceHash;
use jsp_sim::{ms, secs};
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Builder;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    println!("Real sockets on the loopback, one second:");
    let plan = Plan { readings: 20, every: ms(50), size: 2_000 };
    print(&Builder::new_current_thread().enable_all().build()?.block_on(real(plan))?);

    println!("\nA simulated network with 10 % loss and a round trip of 80 ms, one hour:");
    let plan = Plan { readings: 360, every: secs(10), size: 2_000 };
    let mut hashes = Vec::new();
    for seed in [7, 7, 8] {
        let began = Instant::now();
        let paused = Builder::new_current_thread().enable_time().start_paused(true).build()?;
        let (report, lost, hash) = paused.block_on(simulated(plan, seed))?;
        println!("  seed {seed}, which took {:.1?}; {lost} datagrams were lost", began.elapsed());
        print(&report);
        println!("  {hash}");
        hashes.push(hash);
    }
    assert_eq!(hashes[0], hashes[1], "the same seed is the same run");
    assert_ne!(hashes[0], hashes[2], "another seed is another");
    println!("\nThe same seed was the same run, datagram by datagram; the other was not.");
    Ok(())
}

/// On the real loopback.
async fn real(plan: Plan) -> Result<Report, Failure> {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let bind = || Endpoint::bind(loopback, EndpointOptions::default());
    run(bind()?, bind()?, plan).await
}

/// On a network that follows from a seed, as the endpoints do.
async fn simulated(plan: Plan, seed: u64) -> Result<(Report, u64, TraceHash), Failure> {
    let bad = Link::new().delay(ms(40)).loss(0.1);
    let net = SimNet::pair(&Seed::from_u64(seed), bad.clone(), bad);
    let bind = |address, seed| {
        let options = EndpointOptions::reproducible(Seed::from_u64(seed));
        Endpoint::with_socket(net.socket((address, 4433))?, options)
    };
    let (meter, collector) = (bind(SimNet::CLIENT, 2 * seed)?, bind(SimNet::SERVER, 2 * seed + 1)?);
    let report = run(meter, collector, plan).await?;
    let lost = net.change(|network, _| {
        let interfaces = network.nodes().flat_map(|node| network.interfaces(node));
        let lines = interfaces.flat_map(|at| [LineRef::Up(at), LineRef::Down(at)]);
        lines.map(|line| network.stats(line).lost).sum()
    });
    Ok((report, lost, net.hash()))
}

/// The application between two endpoints.
async fn run(meter: Endpoint, collector: Endpoint, plan: Plan) -> Result<Report, Failure> {
    // A fixed identity and the portable provider, so that a run can be repeated. In production an
    // identity is loaded from a file.
    let secret = IdentitySecret { ed25519: [1; 32], ml_dsa: Some([2; 32]) };
    let identity = Identity::from_secret(&*portable_provider(), secret)?;
    collector.set_server(Some(ServerConfig::with_provider(portable_provider(), &identity)));
    let trust = Arc::new(Pinned::new(identity.fingerprint()));
    let trust = ClientConfig::with_provider(portable_provider(), trust);
    let address = collector.local_addr();
    let serving = tokio::spawn(app::collect(collector));
    let report = app::report(meter, trust, address, plan).await;
    serving.abort();
    report
}

fn print(report: &Report) {
    let Report { handshake, answers, total } = report;
    let (typical, slowest) = (answers.get(answers.len() / 2), answers.last());
    println!(
        "  connected in {handshake:.1?}; {} readings answered, typically in {:.1?}, the slowest in \
         {:.1?}; {total:.1?} in all",
        answers.len(),
        typical.copied().unwrap_or_default(),
        slowest.copied().unwrap_or_default(),
    );
}
