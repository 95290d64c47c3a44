//! `jsp-sim proxy`: a link between real programs.

use super::failure::Failure;
use super::link;
use jsp_proto::rng::Seed;
use jsp_sim::proxy::{Proxy, Settings};
use jsp_sim::units::Span;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};

const EXAMPLE: &str = "\
Example:
    $ cat slow.toml
    link = [
        { rate = { limit = \"20 Mbit/s\", queue = \"64 kB\" } },
        { loss = { share = \"1%\" } },
        { delay = { base = \"25ms\" } },
    ]
    $ jsp-sim proxy 127.0.0.1:4433 --link slow.toml --listen 127.0.0.1:5000

    Clients that send to port 5000 now reach the server at port 4433 as if it were far away.";

/// Delay, lose, reorder and mark the datagrams of real UDP programs.
///
/// Clients send to the proxy instead of TARGET. It prints where to; each client has a port of its own
/// towards TARGET, as behind a router at home. Ctrl-C ends it, and it tells what it did, and by how
/// much datagrams were later than the link says. On a busy machine, give it a core of its own, or a
/// real-time priority.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    /// Where clients are relayed to: HOST:PORT
    target: String,
    /// The stages on the way to TARGET: a TOML file, or FILE:NAME for one of several links in it
    #[arg(long, value_name = "FILE")]
    link: String,
    /// The stages on the way back [default: the same, with random choices of their own]
    #[arg(long, value_name = "FILE")]
    back: Option<String>,
    /// Where clients send to; port 0 is any free one [default: this machine only, any port]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// What all random choices follow from
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Give each client a new port towards TARGET this often, such as 30s; what TARGET still sends to
    /// the old one is lost [default: never]
    #[arg(long, value_name = "EVERY", value_parser = parse_time)]
    rebind: Option<Span>,
    /// End after this long, such as 10s [default: with Ctrl-C]
    #[arg(long = "for", value_name = "TIME", value_parser = parse_time)]
    time: Option<Span>,
}

/// Runs it to its end.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let there = link::read(&args.link)?;
    let back = args.back.as_deref().map(link::read).transpose()?;
    let mut settings = Settings::new(resolve(&args.target)?, there);
    if let Some(back) = back {
        settings.back = back;
    }
    settings.seed = Seed::from_u64(args.seed);
    settings.rebind = args.rebind.map(Span::duration);
    let listen = args.listen.unwrap_or_else(|| {
        let ip: IpAddr = match settings.target {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        SocketAddr::new(ip, 0)
    });
    let mut proxy = Proxy::bind(listen, &settings)
        .map_err(|error| Failure::io(format!("cannot listen on {listen}"), &error))?;
    let stopper = proxy.stopper();
    ctrlc::set_handler(move || stopper.stop())
        .map_err(|error| Failure::io("cannot listen for Ctrl-C", &std::io::Error::other(error)))?;
    anstream::println!("{} -> {}", proxy.local_addr(), settings.target);
    let summary = proxy
        .run(args.time.map(Span::duration))
        .map_err(|error| Failure::io("the proxy cannot go on", &error))?;
    anstream::print!("\n{summary}");
    Ok(())
}

fn resolve(target: &str) -> Result<SocketAddr, Failure> {
    let wrong = |why: String| {
        Failure::usage(format!("cannot relay to {target}: {why}"))
            .with_hint("TARGET is an address or a name with a port, such as 127.0.0.1:4433")
    };
    let mut addresses = target.to_socket_addrs().map_err(|error| wrong(error.to_string()))?;
    addresses.next().ok_or_else(|| wrong("it has no address".into()))
}

fn parse_time(text: &str) -> Result<Span, String> {
    let span: Span = text.parse().map_err(|error| format!("{error}"))?;
    if span.is_zero() { Err("it must be longer than that".into()) } else { Ok(span) }
}
