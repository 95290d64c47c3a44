//! The scenarios that come with the simulator, and what a run promises.
#![allow(clippy::unwrap_used)] // A story that cannot be told has failed.

use jsp_sim::rule::Rule;
use jsp_sim::scenario::{Report, Scenario};
use jsp_sim::{ms, seeds};
use std::fs;
use std::path::Path;

fn shipped(name: &str) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name);
    let text = fs::read_to_string(&path).unwrap();
    Scenario::from_toml(name, &text).unwrap_or_else(|mistake| panic!("{mistake}"))
}

fn read(text: &str) -> Scenario {
    Scenario::from_toml("it", text).unwrap_or_else(|mistake| panic!("{mistake}"))
}

/// Runs a scenario that comes with the simulator under some seeds.
fn passes(name: &str) -> Vec<Report> {
    let scenario = shipped(name);
    seeds::each(0..4, |seed| {
        let report = scenario.run(seed).unwrap();
        assert!(report.is_success(), "{report}");
        assert!(report.ops.iter().all(|op| op.began.is_some()), "{report}");
        report
    })
}

#[test]
fn bufferbloat() {
    passes("bufferbloat.toml");
}

#[test]
fn satellite() {
    passes("satellite.toml");
}

#[test]
fn home_nat_behind_carrier_grade_nat() {
    passes("carrier-grade-nat.toml");
}

#[test]
fn lossy_mobile() {
    passes("lossy-mobile.toml");
}

#[test]
fn slow_reader() {
    for report in passes("slow-reader.toml") {
        // Three seconds at most go by at 8 Mbit/s, five in a pause.
        assert!(report.time.as_secs() >= 5, "{report}");
    }
}

#[test]
fn server_restart() {
    for report in passes("server-restart.toml") {
        assert!(report.connections[1].server.is_some(), "{report}");
        assert!(report.ops[0].done.is_none() && report.ops[2].done.is_some(), "{report}");
    }
}

#[test]
fn ten_second_outage() {
    for report in passes("ten-second-outage.toml") {
        assert!(report.time.as_secs() >= 12, "{report}");
    }
}

#[test]
fn wifi_to_mobile() {
    for report in passes("wifi-to-mobile.toml") {
        let [home, outside] = &report.connections[..] else { panic!("{report}") };
        assert!(home.delivered >= 1_000_000 && outside.delivered >= 2_000_000, "{report}");
    }
}

#[test]
fn rude_hosts() {
    passes("rude-hosts.toml");
}

#[test]
fn every_shipped_scenario_is_tested_and_reads_back_as_it_was_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let this = include_str!("scenarios.rs");
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name == "README.md" {
            continue;
        }
        assert!(this.contains(&format!("passes(\"{name}\")")), "{name}");
        let scenario = shipped(&name);
        assert_eq!(read(&scenario.to_toml()), scenario);
    }
}

#[test]
fn a_scenario_and_a_seed_give_one_hash_whatever_thread_runs_them() {
    let scenario = shipped("lossy-mobile.toml");
    let alone: Vec<_> = (0..4).map(|seed| scenario.run(seed).unwrap().hash).collect();
    let together = seeds::each(0..4, |seed| scenario.run(seed).unwrap().hash);
    assert_eq!(alone, together);
    assert_ne!(alone[0], alone[1]);
}

#[test]
fn an_operation_that_is_deleted_leaves_the_draws_of_the_rest_alone() {
    let mut scenario = shipped("ten-second-outage.toml");
    let lossy = jsp_sim::link::Link::new().delay(ms(5)).loss(0.1);
    scenario.paths[0].there = jsp_sim::scenario::LinkRef::Inline(lossy);
    scenario.ops.truncate(1);
    let alone = scenario.run(1).unwrap();
    let mut more = scenario.clone();
    // An operation that happens when all is done draws nothing and so changes nothing.
    let late = read("name = \"x\"\n[[op]]\nname = \"late\"\nat = \"9min\"\nping = {}");
    more.ops.insert(0, late.ops[0].clone());
    let with = more.run(1).unwrap();
    assert_eq!(alone.ops[0].done, with.ops[1].done);
    let entered =
        |report: &Report| report.links.iter().map(|(_, stats)| stats.lost).collect::<Vec<_>>();
    assert!(entered(&alone).iter().any(|lost| *lost > 0));
}

#[test]
fn a_peer_that_acknowledges_what_was_never_sent_is_found_out() {
    for by in ["client", "server"] {
        for keys in ["", "[[op]]\nat = \"200ms\"\nupdate_keys = {}\n"] {
            let scenario = read(&format!(
                "name = \"x\"\npath = [{{ there = [{{ delay = {{ base = \"10ms\" }} }}] }}]\n\
                 [[op]]\necho = {{ streams = 100, gap = \"10ms\", size = \"1 kB\" }}\n{keys}\
                 [[op]]\nat = \"500ms\"\nforge = {{ by = \"{by}\" }}\n\
                 [expect]\nwithin = \"1s\"\nconnection.c0.ends = \"error\"\n"
            ));
            let report = scenario.run(1).unwrap();
            assert!(report.is_success(), "{report}");
            assert!((ms(500)..ms(540)).contains(&report.time), "{report}");
        }
    }
}

/// The rule that a scenario's run breaks, and what it says.
fn breaks(text: &str) -> (Rule, String) {
    let report = read(text).run(1).unwrap();
    let failure = report.failure.unwrap_or_else(|| panic!("{text} passes"));
    (failure.violation.rule, failure.violation.what)
}

#[test]
fn what_is_expected_and_does_not_happen_fails_the_run() {
    let path = "name = \"x\"\npath = [{ there = [{ delay = { base = \"50ms\" } }] }]\n";
    let (rule, what) = breaks(&format!(
        "{path}op = [{{ send = {{ size = \"1 MB\" }} }}]\nexpect.within = \"200ms\""
    ));
    assert_eq!(rule, Rule::Progress);
    assert!(what.starts_with("all is done after ") && what.ends_with("within 200ms"), "{what}");

    let (rule, what) = breaks(&format!("{path}expect.connection.c0.handshake = \"99ms\""));
    assert_eq!(rule, Rule::Progress);
    assert_eq!(what, "c0's handshake took Some(100ms), and 99ms at most were expected");

    let (_, what) = breaks(&format!(
        "{path}op = [{{ send = {{ size = \"1 MB\" }} }}]\nexpect.connection.c0.goodput = \"1 Gbit/s\""
    ));
    assert!(what.contains("and 1 Gbit/s at least were expected"), "{what}");

    let (rule, what) =
        breaks(&format!("{path}limits.time = \"1min\"\nexpect.connection.c0.ends = \"error\""));
    assert_eq!(rule, Rule::Ended);
    assert!(what.contains("ended, idle"), "{what}");
}

#[test]
fn a_connection_that_ends_though_nobody_said_so_fails_the_run() {
    let (rule, what) =
        breaks("name = \"x\"\n[host.client]\n[host.server]\nadmission = \"refuse\"\n");
    assert_eq!(rule, Rule::Ended);
    assert!(what.starts_with("the Client's end of c0 ended, refused"), "{what}");
}

#[test]
fn what_does_not_go_on_though_the_network_delivers_fails_the_run() {
    // Acknowledgements of keep-alives come and go, and the reader that would read never does.
    let (rule, what) = breaks(
        "name = \"x\"\n[host.client]\ntransport = { keep_alive = \"1s\" }\n[host.server]\n\
         [[op]]\nread = { by = \"server\", how = { rate = \"1 bit/s\" } }\n\
         [[op]]\nat = \"1ms\"\nsend = { size = \"1 MB\" }",
    );
    assert_eq!(rule, Rule::Progress);
    assert!(what.contains("time is up") || what.contains("does not go on"), "{what}");
}
