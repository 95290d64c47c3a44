//! What a packet costs as the number of streams, or of connections, grows: both ends and their
//! acknowledgements count, there is no cipher, and each figure stands beside that of one alone.
//!
//! `cargo bench -p jsp-proto --bench curve --features aws-lc`
//!
//! | after `--` | |
//! |---|---|
//! | `streams`, `busy`, `idle` | these curves, not all |
//! | `max=10000` | how far they go |
//! | `times` | no instructions |
//! | `json=FILE` | also writes what it found there |
//! | `only=streams n=100 mib=8` | one point and nothing else, for a profiler |

#[path = "../tests/support/bulk.rs"]
mod bulk;
mod common;
#[path = "../tests/support/counting.rs"]
mod counting;
#[path = "../tests/support/engine.rs"]
mod engine;

use bulk::{Ends, bulk};
use common::callgrind::{self, Cost};
use common::report::Report;
use common::{PACKET, Shielding, argument, cpu_per_unit, flag, median, number};
use counting::{Counting, live};
use engine::Net;
use jsp_proto::connection::{Connection, TransportConfig};
use jsp_proto::crypto::Suite;
use jsp_proto::ids::{Dir, StreamId};
use jsp_proto::path::MtuConfig;
use jsp_proto::stream::StreamConfig;
use jsp_proto::time::Duration;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Cost at 10,000 active streams, against that of one, at most.
const BAR: f64 = 1.3;

/// What there are many of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Curve {
    /// Streams of one connection, each with something to send at any time.
    Streams,
    /// Connections that take turns, a train each.
    Busy,
    /// Connections that are silent, beside a busy one.
    Idle,
}

impl Curve {
    const ALL: [Self; 3] = [Self::Streams, Self::Busy, Self::Idle];

    fn name(self) -> &'static str {
        match self {
            Self::Streams => "streams",
            Self::Busy => "busy",
            Self::Idle => "idle",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Streams => "active streams in one connection",
            Self::Busy => "busy connections in turns",
            Self::Idle => "idle connections beside a busy one",
        }
    }

    /// How far the curve goes, and how far its instructions are counted.
    fn ends(self) -> [usize; 2] {
        match self {
            Self::Streams => [100_000, 10_000],
            Self::Busy => [10_000, 1_000],
            Self::Idle => [100_000, 1_000],
        }
    }

    /// What the application writes at once.
    fn piece(self) -> usize {
        match self {
            // What a packet holds, and more: its frames are about as many at every point of the curve.
            Self::Streams => 4 << 10,
            Self::Busy | Self::Idle => 16 << 10,
        }
    }
}

/// Many of them.
struct Many {
    curve: Curve,
    net: Net,
    /// Connection and stream of those that send.
    flows: Vec<(usize, StreamId)>,
    /// Whose turn it is.
    at: usize,
}

impl Many {
    fn new(curve: Curve, n: usize) -> Self {
        let most = 1 << 30;
        let transport = TransportConfig {
            mtu: MtuConfig::fixed(PACKET),
            idle_timeout: None,
            streams: StreamConfig {
                max_streams: [n as u64; 2],
                connection_window: most,
                connection_window_max: most,
                send_buffer: most as usize,
                send_backlog: most as usize,
                ..StreamConfig::default()
            },
            ..TransportConfig::default()
        };
        let mut net = Net::new(&Shielding::None.provider(), Suite::Aes256Gcm, transport);
        let connections = match curve {
            Curve::Streams => 1,
            Curve::Busy => n,
            Curve::Idle => n + 1,
        };
        for _ in 0..connections {
            net.connect();
        }
        let mut open = |connection: usize| {
            let stream = net.client.connections[connection].open_stream(Dir::Uni);
            (connection, stream.expect("a stream"))
        };
        let flows = match curve {
            Curve::Streams => (0..n).map(|_| open(0)).collect(),
            Curve::Busy => (0..n).map(open).collect(),
            Curve::Idle => vec![open(n / 2)],
        };
        let mut many = Self { curve, net, flows, at: 0 };
        // Everyone had a turn, and windows have grown.
        let first = match curve {
            Curve::Streams => 4 * many.ahead(),
            Curve::Busy => (n as u64) << 17,
            Curve::Idle => 4 << 20,
        };
        many.transfer(first);
        many
    }

    fn transfer(&mut self, bytes: u64) -> u64 {
        let data = [7; 16 << 10];
        bulk(self, &data[..self.curve.piece()], bytes)
    }

    fn next(&mut self) {
        self.at = (self.at + 1) % self.flows.len();
    }

    fn connection(&self) -> usize {
        self.flows[self.at].0
    }

    /// Heap that a connection of the server takes in silence, keys apart.
    fn idle_bytes(&mut self) -> usize {
        self.net.pass(Duration::from_secs(2));
        self.net.pass(Duration::from_secs(2));
        let before = live();
        let count = self.net.server.connections.len();
        self.net.server.connections.clear();
        (before - live()) as usize / count + size_of::<Connection>()
    }
}

impl Ends for Many {
    fn ahead(&self) -> u64 {
        match self.curve {
            // As much at most points of the curve, so that caches hold as little of it.
            Curve::Streams => (self.flows.len() * self.curve.piece()).max(40 << 20) as u64,
            // A train.
            Curve::Busy => 60 << 10,
            Curve::Idle => 1 << 20,
        }
    }

    fn tick(&mut self) {
        if self.curve == Curve::Busy {
            self.next();
        }
        self.net.tick(self.connection());
    }

    fn write(&mut self, data: &[u8]) -> usize {
        let (connection, stream) = self.flows[self.at];
        if self.curve == Curve::Streams {
            self.next();
        }
        self.net.write(connection, stream, data)
    }

    fn send(&mut self) -> u64 {
        self.net.send(self.connection())
    }

    fn receive(&mut self) {
        self.net.receive();
    }

    fn acknowledge(&mut self) -> bool {
        self.net.acknowledge(self.connection())
    }

    fn acknowledged(&mut self) {
        self.net.acknowledged();
    }

    fn read(&mut self) -> usize {
        self.net.read(self.connection())
    }
}

fn main() {
    if let Some(name) = argument("only") {
        let curve = Curve::ALL.into_iter().find(|curve| curve.name() == name);
        let mut many = Many::new(curve.expect("a curve"), number("n", 1) as usize);
        println!("{}", many.transfer(number("mib", 8) << 20));
        return;
    }
    let mut report = Report::new("curve");
    let some = Curve::ALL.iter().any(|curve| flag(curve.name()));
    for curve in Curve::ALL {
        if !some || flag(curve.name()) {
            report_on(&show(curve), curve, &mut report);
        }
    }
    report.write();
}

/// One point.
struct Point {
    n: usize,
    nanoseconds: f64,
    instructions: Option<f64>,
    idle_bytes: Option<usize>,
}

/// Measures and prints a curve.
fn show(curve: Curve) -> Vec<Point> {
    println!("\n{}: cost of a packet", curve.title());
    println!(
        "{:>8} {:>8} {:>6} {:>8} {:>6} {:>10}",
        "number", "ns", "ratio", "instr.", "ratio", "idle bytes"
    );
    let [end, counted] = curve.ends();
    let end = end.min(number("max", end as u64) as usize);
    let mut points: Vec<Point> = Vec::new();
    for n in (0..).map(|power| 10_usize.pow(power)).take_while(|n| *n <= end) {
        let point = measure(curve, n, n <= counted && !flag("times"));
        let one = points.first().unwrap_or(&point);
        let slower = point.nanoseconds / one.nanoseconds;
        let more = point.instructions.zip(one.instructions).map(|(all, one)| all / one);
        println!(
            "{:>8} {:>8.0} {:>6.2} {:>8} {:>6} {:>10} {}",
            point.n,
            point.nanoseconds,
            slower,
            cell(point.instructions.map(|n| format!("{n:.0}"))),
            cell(more.map(|ratio| format!("{ratio:.2}"))),
            cell(point.idle_bytes.map(|n| n.to_string())),
            "#".repeat((slower * 20.0) as usize),
        );
        if (curve, n) == (Curve::Streams, 10_000) {
            judge("nanoseconds", slower);
            if let Some(more) = more {
                judge("instructions", more);
            }
        }
        points.push(point);
    }
    points
}

fn report_on(points: &[Point], curve: Curve, report: &mut Report) {
    let mut row = |unit: &str, value: fn(&Point) -> Option<f64>| {
        let values: Vec<_> =
            points.iter().filter_map(|point| Some((point.n.to_string(), value(point)?))).collect();
        let values: Vec<_> = values.iter().map(|(n, value)| (n.as_str(), *value)).collect();
        report.row(curve.title(), unit, &values);
    };
    row("ns for a packet", |point| Some(point.nanoseconds));
    row("instructions for a packet", |point| point.instructions);
}

/// Says whether the bar is kept. Instructions tell what the engine does; nanoseconds, what memory takes that
/// no cache holds, too.
fn judge(what: &str, ratio: f64) {
    let verdict = if ratio <= BAR { "within" } else { "beyond" };
    println!("{what}: {ratio:.2} times at 10,000, {verdict} the bar of {BAR}");
}

fn cell(value: Option<String>) -> String {
    value.unwrap_or_else(|| "-".into())
}

fn measure(curve: Curve, n: usize, count: bool) -> Point {
    let mut many = Many::new(curve, n);
    let bytes = many.ahead().max(64 << 20);
    let rounds = (0..3).map(|_| cpu_per_unit(|| many.transfer(bytes))).collect();
    let idle_bytes = (curve != Curve::Streams).then(|| many.idle_bytes());
    let instructions = count.then(|| instructions(curve, n));
    let instructions = instructions.and_then(|cost| {
        cost.inspect_err(|error| println!("not counted: {error}")).ok().map(|cost| cost.total)
    });
    Point { n, nanoseconds: median(rounds), instructions, idle_bytes }
}

fn instructions(curve: Curve, n: usize) -> Result<Cost, String> {
    let run = |mib: u64| {
        let only = format!("only={}", curve.name());
        callgrind::run(&[only, format!("n={n}"), format!("mib={mib}")], &[])
    };
    Ok(&run(18)? - &run(2)?)
}
