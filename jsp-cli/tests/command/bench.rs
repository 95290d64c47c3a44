use crate::run::{Server, assert_exit, jsp};
use serde_json::Value;

fn json(args: &[&str]) -> Value {
    let output = jsp(args);
    assert_exit(&output, 0);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn round_trips_are_told_as_json() {
    let server = Server::start();
    let result = json(&["ping", &server.url, "-c", "20", "-i", "1", "--json"]);
    assert_eq!(result["round_trips"], 20);
    let times: Vec<_> = ["min_ms", "median_ms", "p99_ms", "max_ms"]
        .iter()
        .map(|name| result[name].as_f64().unwrap())
        .collect();
    assert!(times[0] > 0.0 && times.is_sorted(), "{times:?}");
    assert!(result["handshake_ms"].as_f64().unwrap() > 0.0);
    assert!((0.0..=1.0).contains(&result["loss"].as_f64().unwrap()));
}

#[test]
fn goodput_is_measured_in_both_directions_on_several_streams() {
    let server = Server::start();
    for (direction, option) in [("send", None), ("receive", Some("--reverse"))] {
        let mut args = vec!["bench", &server.url, "--bytes", "3000001", "--streams", "3", "--json"];
        args.extend(option);
        let result = json(&args);
        assert_eq!(result["direction"], direction);
        assert_eq!(result["bytes"], 3_000_001);
        assert!(result["bytes_per_second"].as_f64().unwrap() > 0.0);
        assert!(result["cpu_seconds_per_gb"].as_f64().unwrap() > 0.0);

        let mut args = vec!["bench", &server.url, "--time", "0.2", "--json"];
        args.extend(option);
        let result = json(&args);
        assert!(result["seconds"].as_f64().unwrap() >= 0.2);
        assert!(result["bytes"].as_u64().unwrap() > 0);
    }
}

#[test]
fn every_suite_and_provider_can_be_chosen() {
    let server = Server::start();
    for suite in ["aes-256-gcm", "chacha20-poly1305", "aes-256-gcm-siv"] {
        for provider in ["aws-lc", "rustcrypto"] {
            let args = ["--suite", suite, "--provider", provider, "--mtu", "1452"];
            let args = [&["bench", &server.url, "--bytes", "100k", "--json"], &args[..]].concat();
            let result = json(&args);
            assert_eq!((&result["suite"], &result["provider"]), (&suite.into(), &provider.into()));
            assert!(result["datagram_bytes"].as_u64().unwrap() <= 1452);
        }
    }
}

#[test]
fn a_suite_that_the_server_does_not_accept_is_told() {
    let server = Server::start_with(&["--suite", "aes-256-gcm"]);
    let words = assert_exit(&jsp(&["ping", &server.url, "--suite", "chacha20-poly1305"]), 3);
    assert!(words.contains("cipher suite"), "{words}");
}

#[test]
fn the_demo_shows_what_it_did() {
    let output = jsp(&["demo", "--size", "3M"]);
    assert_exit(&output, 0);
    let words = String::from_utf8(output.stdout).unwrap();
    for word in ["X-Wing", "ML-DSA-65", "handshake", "goodput", "s/GB", "SHA-256", "3 MiB"] {
        assert!(words.contains(word), "{word} is missing in:\n{words}");
    }
    assert!(!words.contains('\x1b'), "colours where there is no terminal");
}
