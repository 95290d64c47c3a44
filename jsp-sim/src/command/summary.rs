//! From a run's report to the summary that people read.

use jsp_proto::time::{Duration, Time};
use jsp_sim::look::samples::{Samples, Series};
use jsp_sim::look::summary::{ConnectionSummary, EndSummary, LinkSummary, Summary};
use jsp_sim::scenario::{ConnectionReport, EndReport, Place, Report, Scenario};

/// Sums a run of a scenario up. `samples` are its time series, `wall` how long it took here, `replay` the command that runs
/// it again.
pub(super) fn summarise(
    scenario: &Scenario,
    report: &Report,
    samples: &Samples,
    wall: Duration,
    replay: String,
) -> Summary {
    let connections = report.connections.iter().filter(|connection| connection.begun.is_some());
    Summary {
        scenario: report.name.clone(),
        seed: report.seed,
        failure: report.failure.as_deref().map(Into::into),
        virtual_time: report.time,
        wall_time: Some(wall),
        events: report.events,
        trace: report.hash,
        connections: connections.map(|it| connection(it, report.time, samples)).collect(),
        links: links(scenario, report),
        replay,
    }
}

/// What happened at the places where anything can happen.
fn links(scenario: &Scenario, report: &Report) -> Vec<LinkSummary> {
    let places = Place::each(scenario).into_iter();
    let idle: Vec<Place> = places
        .filter(|(_, link)| scenario.link(link).is_none_or(|link| link.stages().is_empty()))
        .map(|(place, _)| place)
        .collect();
    let links = report.links.iter().filter_map(|(place, stats)| {
        let link = LinkSummary::new(place.to_string(), stats);
        let dull = link.dropped.is_empty() && link.changed.is_empty() && idle.contains(place);
        (!dull).then_some(link)
    });
    links.collect()
}

fn connection(report: &ConnectionReport, time: Duration, samples: &Samples) -> ConnectionSummary {
    let [client_host, server_host] = report.hosts.clone();
    let ended = report.client.as_ref().and_then(|end| end.ended);
    let end_time = ended.map_or(Time::ZERO + time, |(time, _)| time);
    let summarise = |end: &Option<EndReport>, host: &str| {
        end.as_ref().map(|end| end_summary(end, series(samples, &report.name, host)))
    };
    ConnectionSummary {
        name: report.name.clone(),
        open: report.begun.map_or(Duration::ZERO, |begun| end_time.since(begun)),
        client: summarise(&report.client, &client_host),
        server: summarise(&report.server, &server_host),
        client_host,
        server_host,
    }
}

fn series<'a>(samples: &'a Samples, connection: &str, host: &str) -> Option<&'a Series> {
    samples.series().iter().find(|series| series.connection == connection && series.host == host)
}

fn end_summary(end: &EndReport, series: Option<&Series>) -> EndSummary {
    EndSummary {
        stats: end.stats.clone(),
        mean_rtt: series.and_then(Series::mean_rtt),
        done: end.done,
        ended: end.reason.as_ref().map(ToString::to_string),
    }
}
