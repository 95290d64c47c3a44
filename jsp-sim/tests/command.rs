//! The command as people run it: real processes, real files.
#![allow(clippy::unwrap_used)] // A story that cannot be told has failed.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const PASSES: &str = r#"
name = "an upload"
[[path]]
there = [
    { rate = { limit = "10 Mbit/s", queue = "64 kB" } },
    { loss = { share = "2%" } },
    { delay = { base = "20ms" } },
]
[[op]]
send = { size = "300 kB" }
[[op]]
at = "200ms"
update_keys = {}
[expect]
within = "5s"
"#;

fn jsp_sim(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jsp-sim")).args(args).current_dir(folder).output().unwrap()
}

/// What a command that ends with `code` printed: results, and everything else.
fn ends(folder: &Path, args: &[&str], code: i32) -> (String, String) {
    let output = jsp_sim(folder, args);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
    (out, err)
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("upload.toml"), PASSES).unwrap();
    let late = PASSES.replace("within = \"5s\"", "within = \"10ms\"");
    fs::write(folder.path().join("too late.toml"), late).unwrap();
    folder
}

#[test]
fn a_run_that_passes_is_summed_up() {
    let folder = folder();
    let (out, err) = ends(folder.path(), &["run", "upload.toml", "--seed", "3"], 0);
    assert!(out.starts_with("PASSED  an upload, seed 3\n"), "{out}");
    for part in ["client > server", "300 kB", "path1.there", "key updates", "RTT", "\ntrace  "] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert_eq!(err, "");
}

#[test]
fn a_run_that_fails_says_why_when_where_and_how_to_see_it_again() {
    let folder = folder();
    let (out, _) = ends(folder.path(), &["run", "too late.toml", "--seed", "3"], 1);
    assert!(out.starts_with("FAILED  an upload, seed 3\n"), "{out}");
    for part in ["rule    progress", "10ms", "when    0.", "host    client", "before  "] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert!(out.contains("replay  jsp-sim run 'too late.toml' --seed 3\n"), "{out}");
}

#[test]
fn a_wrong_file_is_told_with_line_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let text = "name = \"wrong\"\n\n[[op]]\nsend = { sise = \"1 MB\" }\n";
    fs::write(folder.path().join("wrong.toml"), text).unwrap();
    let (out, err) = ends(folder.path(), &["run", "wrong.toml"], 2);
    assert_eq!(out, "");
    assert_eq!(
        err,
        "\
error: unknown key `sise`; did you mean `size`?
 --> wrong.toml:4:10
  |
4 | send = { sise = \"1 MB\" }
  |          ^^^^
"
    );
    let (_, err) = ends(folder.path(), &["run", "absent.toml"], 2);
    assert!(err.starts_with("error: cannot read absent.toml: "), "{err}");
    let (_, err) = ends(folder.path(), &["run", "wrong.toml", "--plot", "wrong.gif"], 2);
    assert!(err.contains(".svg or .png"), "{err}");
}

#[test]
fn watching_changes_nothing_and_every_file_is_well_formed() {
    let folder = folder();
    let hash = |more: &[&str]| {
        let args = [&["run", "upload.toml", "--seed", "5", "--hash"], more].concat();
        let (out, err) = ends(folder.path(), &args, 0);
        assert_eq!(err, "");
        assert!(out.len() == 65 && out.trim_end().bytes().all(|b| b.is_ascii_hexdigit()), "{out}");
        out
    };
    let files = [
        ["--trace", "run.jsonl"],
        ["--qlog", "run.qlog"],
        ["--pcap", "sealed.pcapng"],
        ["--pcap-unsealed", "opened.pcapng"],
        ["--plot", "run.svg"],
        ["--samples", "run.samples"],
    ];
    assert_eq!(hash(&files.concat()), hash(&[]));
    assert_eq!(hash(&["--plot", "run.png"]), hash(&[]));

    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let text = |name: &str| String::from_utf8(read(name)).unwrap();
    let lines: Vec<Value> =
        text("run.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sent = lines.iter().filter(|line| line["kind"] == "sent").count();
    assert!(sent > 200, "{sent}");

    let qlog: Value = serde_json::from_slice(&read("run.qlog")).unwrap();
    let traces = qlog["traces"].as_array().unwrap();
    assert_eq!(traces.len(), 2);
    for trace in traces {
        assert_eq!(trace["common_fields"]["group_id"], "c0");
        let events = trace["events"].as_array().unwrap();
        for name in [
            "transport:packet_sent",
            "recovery:metrics_updated",
            "connectivity:connection_started",
            "jsp:note",
        ] {
            assert!(events.iter().any(|event| event["name"] == name), "{name}");
        }
    }

    // Every datagram of the trace is in the capture; and more packets than that are in the other.
    assert_eq!(packets(&read("sealed.pcapng")), sent);
    assert!(packets(&read("opened.pcapng")) > sent);
    let svg = text("run.svg");
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    assert!(svg.contains("an upload, seed 5"));
    assert!(read("run.png").starts_with(b"\x89PNG"));

    let compare = ["compare", "run.samples", "upload.toml", "--seed", "1", "--seed", "2"];
    ends(folder.path(), &[&compare[..], &["-o", "both.svg"]].concat(), 0);
    let svg = text("both.svg");
    for run in ["3 runs compared", "an upload, seed 5", "an upload, seed 1", "an upload, seed 2"] {
        assert!(svg.contains(run), "{run}");
    }
}

/// How many packets a pcapng file holds, whose blocks are whole to its last byte.
fn packets(mut file: &[u8]) -> usize {
    let mut packets = 0;
    while !file.is_empty() {
        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        let len = word(4) as usize;
        assert_eq!(word(len - 4) as usize, len);
        packets += usize::from(word(0) == 6);
        file = &file[len..];
    }
    packets
}

#[test]
fn many_seeds_are_told_in_a_line_each() {
    let folder = folder();
    let (out, _) = ends(folder.path(), &["run", "upload.toml", "--seeds", "3..7"], 0);
    assert_eq!(out.lines().filter(|line| line.contains("PASSED")).count(), 4, "{out}");
    assert!(out.ends_with("4 runs, 0 failed\n"), "{out}");
    let (out, _) = ends(folder.path(), &["run", "too late.toml", "--seeds", "3..5"], 1);
    assert!(out.contains("jsp-sim run 'too late.toml' --seed 4\n"), "{out}");
    assert!(out.ends_with("2 runs, 2 failed\n"), "{out}");
    let (one, _) = ends(folder.path(), &["run", "upload.toml", "--seed", "3", "--hash"], 0);
    let (all, _) = ends(folder.path(), &["run", "upload.toml", "--seeds", "3..5", "--hash"], 0);
    assert!(all.starts_with(&format!("3 {one}")), "{all}");
}

#[test]
fn a_swarm_has_the_same_hash_on_one_thread_and_on_two() {
    let folder = tempfile::tempdir().unwrap();
    let hash = |workers: &str| {
        let args = ["swarm", "--runs", "20", "--workers", workers];
        let (out, err) = ends(folder.path(), &args, 0);
        assert!(out.starts_with("20 runs: ") && out.ends_with("found  nothing\n"), "{out}");
        assert!(err.ends_with("20 of 20 runs\n") && err.lines().count() == 10, "{err}");
        out.lines().find(|line| line.starts_with("hash ")).unwrap().to_owned()
    };
    assert_eq!(hash("1"), hash("2"));
    assert!(!folder.path().join("failures").exists());
}

#[cfg(feature = "planted")]
#[test]
fn what_a_swarm_finds_is_shrunk_written_and_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let search = ["swarm", "--plant", "pacing-ignored", "--runs", "20", "--shrink", "40"];
    let (out, _) = ends(folder.path(), &search, 1);
    assert!(out.contains("found  ") && out.contains(" pacing"), "{out}");
    let replay = out.lines().find(|line| line.contains("jsp-sim run failures")).unwrap().trim();
    assert!(replay.ends_with(" --plant pacing-ignored"), "{replay}");
    let args: Vec<_> = replay.split(' ').skip(1).collect();
    let file = fs::read_to_string(folder.path().join(args[1])).unwrap();
    assert!(file.starts_with("# rule: ") && file.contains("\n# seed: "), "{file}");
    let (out, _) = ends(folder.path(), &args, 1);
    assert!(out.starts_with("FAILED"), "{out}");
    // Without the mistake, the same run is fine.
    ends(folder.path(), &args[..4], 0);
}

#[test]
fn help_is_there_for_whoever_asks() {
    let folder = tempfile::tempdir().unwrap();
    let (out, _) = ends(folder.path(), &["--help"], 0);
    for part in ["run", "swarm", "compare", "proxy", "Exit codes"] {
        assert!(out.contains(part), "{part}: {out}");
    }
    for command in ["run", "swarm", "compare", "proxy"] {
        let (out, _) = ends(folder.path(), &[command, "--help"], 0);
        assert!(out.lines().all(|line| line.chars().count() <= 100), "{out}");
    }
    let (_, err) = ends(folder.path(), &["rum"], 2);
    assert!(err.contains("run"), "{err}");
}

#[test]
fn the_scenario_in_the_help_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (help, _) = ends(folder.path(), &["--help"], 0);
    let body = help.split("$ cat upload.toml\n").nth(1).unwrap();
    let body = body.split("$ jsp-sim").next().unwrap();
    fs::write(folder.path().join("upload.toml"), body).unwrap();
    ends(folder.path(), &["run", "upload.toml", "--seed", "1", "--plot", "upload.svg"], 0);
}
