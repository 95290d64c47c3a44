//! An ordinary application of the tokio driver: a meter that reports readings to a collector.
//!
//! It knows nothing of simulations: it is handed its endpoints, and sleeps and measures with tokio's
//! clock.

use jsp_driver_tokio::{AppCode, ClientConfig, Connection, Endpoint};
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The most bytes of a reading that a collector takes.
const LONGEST: usize = 1 << 16;

/// What a meter does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How many readings it reports.
    pub(crate) readings: u32,
    /// How long it rests between two.
    pub(crate) every: Duration,
    /// Bytes of each.
    pub(crate) size: usize,
}

/// What a meter saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Until the connection stood.
    pub(crate) handshake: Duration,
    /// From each reading to its answer, shortest first.
    pub(crate) answers: Vec<Duration>,
    /// Until everything was said.
    pub(crate) total: Duration,
}

/// Answers each reading with the sum of all bytes that came on its connection so far.
pub(crate) async fn collect(collector: Endpoint) {
    collector
        .serve(|connection: Connection| async move {
            let mut sum = 0;
            while let Ok((mut send, mut recv)) = connection.accept_bi().await {
                let Ok(reading) = recv.read_to_end(LONGEST).await else { return };
                sum += total(&reading);
                if send.write_all(&sum.to_be_bytes()).await.is_err() || send.finish().is_err() {
                    return;
                }
            }
        })
        .await;
}

/// Reports to the collector at `address`, one reading after the other, over one connection.
///
/// # Errors
/// The connection failed, or a reading was lost or counted twice.
pub(crate) async fn report(
    meter: Endpoint,
    trust: ClientConfig,
    address: SocketAddr,
    plan: Plan,
) -> Result<Report, Box<dyn Error + Send + Sync>> {
    let began = Instant::now();
    let connection = meter.connect(&trust, address)?.await?;
    let handshake = began.elapsed();
    let (mut answers, mut expected) = (Vec::new(), 0);
    for n in 0..plan.readings {
        let reading: Vec<u8> = (0..plan.size).map(|i| (i as u32).wrapping_mul(n) as u8).collect();
        let asked = Instant::now();
        let (mut send, mut recv) = connection.open_bi().await?;
        send.write_all(&reading).await?;
        send.finish()?;
        let answer = recv.read_to_end(8).await?;
        answers.push(asked.elapsed());
        expected += total(&reading);
        if answer != expected.to_be_bytes() {
            return Err(format!("reading {n} was not counted exactly once").into());
        }
        sleep(plan.every).await;
    }
    meter.shutdown(AppCode(0), b"good night").await;
    answers.sort_unstable();
    Ok(Report { handshake, answers, total: began.elapsed() })
}

fn total(reading: &[u8]) -> u64 {
    reading.iter().map(|byte| u64::from(*byte)).sum()
}
