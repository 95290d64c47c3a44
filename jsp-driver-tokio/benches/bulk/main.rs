//! Bulk goodput over loopback, everybody in alternating rounds of one run, with equal cipher
//! (AES-256-GCM), windows, socket buffers and threads: one for each side.
//!
//! First with packets of 1452 bytes, as a network of today carries them, then with the path MTU left
//! free, which on loopback is what one system call can carry. Beside ours and quinn's stand TLS over
//! TCP and raw UDP with the same cipher: nothing can be faster over UDP with these offloads.
//!
//! `cargo bench -p jsp-driver-tokio --bench bulk -- [mib=512] [rounds=5] [only=NAME] [json=FILE]`
#![allow(clippy::unwrap_used)] // A bench that cannot run says so by failing.

#[path = "../common/mod.rs"]
mod common;

mod quinn;
mod raw;
mod tls;

use common::ours::{self, DRIVERS, Driver, Until};
use common::raw::Wait;
use common::report::Report;
use common::{Round, argument, median, option, our_transport, pair};
use jsp_driver_tokio::jsp_proto::path::MtuConfig;
use raw::Ceiling;

/// How large datagrams may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Datagrams {
    /// 1452 bytes.
    Packets,
    /// Whatever the path carries.
    Free,
}

impl Datagrams {
    fn largest(self) -> usize {
        match self {
            Self::Packets => common::PACKET.into(),
            Self::Free => 65_000,
        }
    }
}

/// Who moves bytes.
struct Contender {
    /// In the table and in `only=`.
    name: &'static str,
    /// In the report.
    who: Option<&'static str>,
    round: Box<dyn Fn(Datagrams, usize) -> Round>,
}

fn contender(
    name: &'static str,
    who: Option<&'static str>,
    round: impl Fn(Datagrams, usize) -> Round + 'static,
) -> Contender {
    Contender { name, who, round: Box::new(round) }
}

fn contenders() -> Vec<Contender> {
    let ceiling = |name, who, cipher, wait| {
        let ceiling = Ceiling { cipher, wait };
        contender(name, who, move |datagrams, bytes| ceiling.round(datagrams, bytes))
    };
    let [mio, tokio] = DRIVERS.map(|driver| {
        contender(driver.name, Some(driver.name), move |datagrams, bytes| {
            our_round(driver, datagrams, bytes)
        })
    });
    vec![
        mio,
        tokio,
        contender("quinn", Some("quinn"), quinn::round),
        contender("tls", Some("tls"), |_, bytes| tls::round(bytes)),
        ceiling("raw", Some("raw"), true, Wait::Sleep),
        ceiling("raw-spinning", None, true, Wait::Spin),
        ceiling("raw-open", None, false, Wait::Sleep),
    ]
}

fn main() {
    let bytes = argument("mib", 512) << 20;
    let rounds = argument("rounds", 5);
    let only = option("only");
    let mut report = Report::new("bulk");
    for datagrams in [Datagrams::Packets, Datagrams::Free] {
        let mut contenders = contenders();
        contenders.retain(|one| only.as_deref().is_none_or(|only| only == one.name));
        let what = match datagrams {
            Datagrams::Packets => "packets of 1452 bytes",
            Datagrams::Free => "path MTU left free",
        };
        println!("bulk over loopback, {what}, {} MiB a round", bytes >> 20);
        let results = results(datagrams, bytes, rounds, &contenders);
        table(datagrams, &results);
        let values = |value: fn(&Medians) -> f64| -> Vec<_> {
            results.iter().filter_map(|(one, m)| Some((one.who?, value(m)))).collect()
        };
        report.row(&format!("bulk, {what}"), "GB/s", &values(|m| m.goodput));
        let cost = format!("bulk, {what}, processor time of both sides");
        report.row(&cost, "s/GB", &values(|m| m.cost));
    }
    report.write();
}

/// The medians of a contender's rounds.
struct Medians {
    /// Gigabytes a second.
    goodput: f64,
    /// Processor seconds of both sides for a gigabyte.
    cost: f64,
}

fn results(
    datagrams: Datagrams,
    bytes: usize,
    rounds: usize,
    contenders: &[Contender],
) -> Vec<(&Contender, Medians)> {
    let mut measured = vec![Vec::new(); contenders.len()];
    for _ in 0..rounds {
        for (contender, rounds) in contenders.iter().zip(&mut measured) {
            rounds.push((contender.round)(datagrams, bytes));
        }
    }
    let gb = bytes as f64 / 1e9;
    let medians = measured.into_iter().map(|rounds| Medians {
        goodput: median(rounds.iter().map(|round| gb / round.time).collect()),
        cost: median(rounds.iter().map(|round| round.cpu / gb).collect()),
    });
    contenders.iter().zip(medians).collect()
}

fn table(datagrams: Datagrams, results: &[(&Contender, Medians)]) {
    let find =
        |name: &str| results.iter().find(|(one, _)| one.name == name).map(|(_, medians)| medians);
    let ceiling = ["raw", "raw-spinning"].iter().filter_map(|name| find(name));
    let ceiling = ceiling.map(|medians| medians.goodput).fold(f64::NAN, f64::max);
    println!("{:>14} {:>8} {:>14} {:>16}", "", "GB/s", "CPU s per GB", "of the ceiling");
    for (one, Medians { goodput, cost }) in results {
        let share = goodput / ceiling;
        println!("{:>14} {goodput:>8.3} {cost:>14.3} {share:>16.2}", one.name);
    }
    for (name, more, less) in [("mio", 3.0, 0.45), ("tokio", 2.5, 0.5)] {
        let Some(ours) = find(name) else { continue };
        if let (Datagrams::Packets, Some(quinn)) = (datagrams, find("quinn")) {
            let (goodput, cost) = (ours.goodput / quinn.goodput, ours.cost / quinn.cost);
            println!("{name} / quinn, goodput: {goodput:.2} (bar: at least {more})");
            println!("{name} / quinn, CPU per byte: {cost:.2} (bar: at most {less})");
        }
        if let (Datagrams::Free, Some(tls)) = (datagrams, find("tls")) {
            let goodput = ours.goodput / tls.goodput;
            println!("{name} / TLS over TCP, goodput: {goodput:.2} (bar: more than 1)");
        }
    }
    println!();
}

fn our_round(driver: Driver, datagrams: Datagrams, bytes: usize) -> Round {
    let mut transport = our_transport();
    if datagrams == Datagrams::Free {
        transport.mtu = MtuConfig::LOOPBACK;
    }
    let (client, server) = ours::configs(transport);
    let upload = pair(
        move |tell| (driver.serve)(server, &|address| tell.send(address).unwrap(), Until::Closed),
        |address| (driver.upload)(&client, address, bytes),
    );
    assert_eq!(usize::from(upload.mtu), datagrams.largest());
    upload.round
}
