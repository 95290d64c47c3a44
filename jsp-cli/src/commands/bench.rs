//! `jsp bench`

use crate::args::Bench;
use crate::client::{Link, with_link};
use crate::failure::Failure;
use crate::protocol::{Request, ServerReport, read_exact};
use crate::report::{headline, row};
use crate::server::filling;
use crate::setup::Setup;
use crate::units::{Rate, Size, Span};
use cpu_time::ProcessTime;
use serde::Serialize;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How long it takes if nobody says.
const TIME: Duration = Duration::from_secs(5);

/// How much is to be moved on each stream: one of the two is without a limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    pub(crate) bytes: u64,
    pub(crate) time: Duration,
}

/// The result.
#[derive(Debug, Serialize)]
struct Measured {
    server: String,
    direction: &'static str,
    streams: u16,
    bytes: u64,
    seconds: f64,
    bytes_per_second: f64,
    /// CPU time of this process.
    cpu_seconds_per_gb: f64,
    /// Of the bytes of streams, how many were sent again.
    retransmitted: f64,
    rtt_ms: f64,
    min_rtt_ms: f64,
    datagram_bytes: u16,
    handshake_ms: f64,
    suite: String,
    provider: &'static str,
}

/// Moves bytes in one direction, and tells how fast and at what cost.
pub(crate) async fn run(setup: &Setup, args: Bench) -> Result<(), Failure> {
    with_link(setup, &args.url, async |link| {
        let before = sender_report(&link, args.reverse).await?;
        let (start, cpu) = (Instant::now(), ProcessTime::now());
        let bytes = transfer(&link, &args).await?;
        let (time, cpu) = (start.elapsed(), cpu.elapsed());
        let after = sender_report(&link, args.reverse).await?;
        let stats = link.connection.stats();
        let sent = after.sent.saturating_sub(before.sent);
        let again = after.retransmitted.saturating_sub(before.retransmitted);
        let measured = Measured {
            server: args.url.authority(),
            direction: if args.reverse { "receive" } else { "send" },
            streams: args.streams,
            bytes,
            seconds: time.as_secs_f64(),
            bytes_per_second: Rate::of(bytes, time).0,
            cpu_seconds_per_gb: cpu.as_secs_f64() / bytes.max(1) as f64 * 1e9,
            retransmitted: again as f64 / sent.max(1) as f64,
            rtt_ms: stats.path.rtt.as_secs_f64() * 1e3,
            min_rtt_ms: stats.path.min_rtt.as_secs_f64() * 1e3,
            datagram_bytes: stats.path.mtu,
            handshake_ms: link.handshake.as_secs_f64() * 1e3,
            suite: stats.suite.map(|suite| suite.to_string()).unwrap_or_default(),
            provider: stats.provider,
        };
        if args.json {
            let json = serde_json::to_string(&measured);
            anstream::println!("{}", json.map_err(|error| Failure::local(error.to_string()))?);
            return Ok(());
        }
        let verb = if args.reverse { "received from" } else { "sent to" };
        let plural = if args.streams == 1 { "" } else { "s" };
        headline(format_args!(
            "{} in {} {verb} {}, on {} stream{plural}",
            Size(bytes),
            Span(time),
            measured.server,
            args.streams
        ));
        row("goodput", Rate::of(bytes, time));
        row("CPU", format_args!("{:.2} s/GB on this side", measured.cpu_seconds_per_gb));
        row("retransmitted", format_args!("{:.2} %", 100.0 * measured.retransmitted));
        row(
            "round trip",
            format_args!("{}, least {}", Span(stats.path.rtt), Span(stats.path.min_rtt)),
        );
        row("datagrams", format_args!("up to {} bytes", measured.datagram_bytes));
        row("handshake", Span(link.handshake));
        row("suite", format_args!("{} by {}", measured.suite, measured.provider));
        Ok(())
    })
    .await
}

/// What the sending end has measured so far.
async fn sender_report(link: &Link, reverse: bool) -> Result<ServerReport, Failure> {
    if !reverse {
        let streams = link.connection.stats().streams;
        return Ok(ServerReport { sent: streams.sent, retransmitted: streams.retransmitted });
    }
    let (mut send, mut recv) = link.ask(&Request::Report).await?;
    let _ = send.finish();
    link.answer(&mut recv).await?;
    let mut report = [0; ServerReport::LEN];
    match read_exact(&mut recv, &mut report).await {
        Ok(true) => Ok(ServerReport::decode(report)),
        Ok(false) => Err(Link::cut()),
        Err(error) => Err(link.unread(&error)),
    }
}

/// Moves bytes on all streams; returns how many arrived.
async fn transfer(link: &Link, args: &Bench) -> Result<u64, Failure> {
    let mut tasks = JoinSet::new();
    for number in 0..u64::from(args.streams) {
        let task = match args.bytes {
            Some(bytes) => {
                let streams = u64::from(args.streams);
                let share = bytes / streams + u64::from(number < bytes % streams);
                if share == 0 {
                    continue;
                }
                Task { bytes: share, time: Duration::ZERO }
            }
            None => Task { bytes: 0, time: args.time.unwrap_or(TIME) },
        };
        let (link, reverse) = (link.clone(), args.reverse);
        tasks.spawn(async move {
            if reverse { receive(&link, task).await } else { send(&link, task).await }
        });
    }
    let mut bytes = 0;
    while let Some(moved) = tasks.join_next().await {
        bytes += moved.map_err(|error| Failure::local(error.to_string()))??;
    }
    Ok(bytes)
}

async fn send(link: &Link, task: Task) -> Result<u64, Failure> {
    let filling = filling();
    let (mut send, mut recv) = link.ask(&Request::Sink).await?;
    let start = Instant::now();
    let mut left = if task.bytes == 0 { u64::MAX } else { task.bytes };
    while left > 0 && (task.time.is_zero() || start.elapsed() < task.time) {
        let piece = filling.slice(..left.min(filling.len() as u64) as usize);
        left -= piece.len() as u64;
        send.write_bytes(piece).await.map_err(|error| link.unwritten(&error))?;
    }
    let _ = send.finish();
    link.answer(&mut recv).await?;
    let mut count = [0; 8];
    match read_exact(&mut recv, &mut count).await {
        Ok(true) => Ok(u64::from_be_bytes(count)),
        Ok(false) => Err(Link::cut()),
        Err(error) => Err(link.unread(&error)),
    }
}

/// Has the server send; returns how many bytes arrived.
pub(crate) async fn receive(link: &Link, task: Task) -> Result<u64, Failure> {
    let Task { bytes, time } = task;
    // Milliseconds are what can be asked for; none at all would be without an end.
    let time = if time.is_zero() { time } else { time.max(Duration::from_millis(1)) };
    let (mut send, mut recv) = link.ask(&Request::Source { bytes, time }).await?;
    let _ = send.finish();
    link.answer(&mut recv).await?;
    let mut count = 0;
    loop {
        match recv.with_chunk(<[u8]>::len).await {
            Ok(Some(n)) => count += n as u64,
            Ok(None) => return Ok(count),
            Err(error) => return Err(link.unread(&error)),
        }
    }
}
