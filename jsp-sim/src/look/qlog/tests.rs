use super::*;
use crate::app::{Idle, Sink, Source};
use crate::invariant::{SharedObserver, Who};
use crate::link::Link;
use crate::pair::{Pair, Scenario};
use crate::trace::TraceHash;
use crate::{ms, secs};
use jsp_proto::connection::{Event, Tap, TapPacket, TransportConfig};
use jsp_proto::ids::{PacketNumber, Side};
use jsp_proto::time::Time;
use jsp_proto::wire::header::Kind;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// Two connections over a path that loses; the second one can be recorded whole.
fn story(recorder: Option<&Arc<Mutex<Recorder>>>) -> (Pair, Who) {
    let link = Link::new().delay(ms(10)).rate(10_000_000).queue(20_000).loss(0.05);
    let mut pair = Scenario::new(5)
        .link(&link)
        .client_app(Idle::new())
        .server_app(|_| Sink::new(2, 50_000))
        .start()
        .unwrap();
    for node in [pair.client, pair.server] {
        if let Some(recorder) = recorder {
            let observer: SharedObserver = recorder.clone();
            pair.world.act(node, |machine, _| machine.observe(node, observer)).unwrap();
        }
    }
    let handle = pair.connect_again(Source::new(2, 50_000).then_close()).unwrap();
    let client = Who { node: pair.client, handle, side: Side::Client };
    (pair, client)
}

/// Tells the story to its end.
fn tell(pair: &mut Pair, client: Who, mut each: impl FnMut(&Pair)) {
    let closed = |pair: &Pair| {
        let session = pair.world.host(client.node).session(client.handle);
        session.is_some_and(|session| session.closed.is_some())
    };
    while !closed(pair) {
        assert!(pair.world.now() < Time::ZERO + secs(60));
        pair.world.step().unwrap();
        each(pair);
    }
    pair.world.run_for(ms(50)).unwrap();
}

/// What is recorded of that story.
fn recorded(limit: usize) -> (Qlog, TraceHash) {
    let log = Qlog::with_limit("a story, seed 5", limit);
    let recorder = Recorder::new(log.clone(), ["alice", "bob"]);
    let recorder = Arc::new(Mutex::new(recorder));
    let (mut pair, client) = story(Some(&recorder));
    let trace = recorder.lock().unwrap().trace(client).clone();
    let (here, there) = ("192.0.2.1:4433".parse().unwrap(), "192.0.2.2:4433".parse().unwrap());
    trace.started(Time::ZERO, here, there);
    trace.parameters(Time::ZERO, &TransportConfig::default(), &TransportConfig::default());
    tell(&mut pair, client, |pair| {
        let session = pair.world.host(client.node).session(client.handle).unwrap();
        trace.metrics(pair.world.now(), &session.connection().stats(), 1234);
    });
    let session = pair.world.host(client.node).session(client.handle).unwrap();
    let (when, reason) = session.closed.clone().unwrap();
    trace.event(when, &Event::Closed(reason));
    (log, pair.world.trace().hash())
}

fn parsed(log: &Qlog) -> Value {
    let mut file = Vec::new();
    log.write(&mut file).unwrap();
    serde_json::from_slice(&file).unwrap()
}

/// The traces of the client's end and the server's, of the connection that is recorded whole.
fn whole(file: &Value) -> [&Value; 2] {
    let traces = file["traces"].as_array().unwrap();
    let client = traces.iter().find(|trace| trace["vantage_point"]["type"] == "client").unwrap();
    let peer = |trace: &&Value| {
        trace["vantage_point"]["type"] == "server"
            && trace["common_fields"] == client["common_fields"]
    };
    [client, traces.iter().find(peer).unwrap()]
}

fn named<'a>(trace: &'a Value, name: &'a str) -> impl Iterator<Item = &'a Value> + 'a {
    let events = trace["events"].as_array().unwrap().iter();
    events.filter(move |event| event["name"] == name).map(|event| &event["data"])
}

#[test]
fn the_file_has_what_qvis_asks_for() {
    let (log, _) = recorded(Qlog::LIMIT);
    let file = parsed(&log);
    assert_eq!(file["qlog_version"], "0.3");
    assert_eq!(file["qlog_format"], "JSON");
    let traces = whole(&file);
    let vantage =
        |i: usize| (&traces[i]["vantage_point"]["name"], &traces[i]["vantage_point"]["type"]);
    assert_eq!(vantage(0), (&json!("alice"), &json!("client")));
    assert_eq!(vantage(1), (&json!("bob"), &json!("server")));
    let name = &traces[0]["common_fields"]["group_id"];
    assert!(name.as_str().is_some_and(|name| name.len() == 16), "{name}");
    for trace in &traces {
        assert_eq!(trace["common_fields"]["time_format"], "relative");
        assert_eq!(trace["common_fields"]["group_id"], *name);
        let events = trace["events"].as_array().unwrap();
        let times: Vec<_> = events.iter().map(|event| event["time"].as_f64().unwrap()).collect();
        assert!(times.is_sorted());
        for event in events {
            let (category, name) = event["name"].as_str().unwrap().split_once(':').unwrap();
            let known = ["transport", "recovery", "connectivity", "security", "jsp"];
            assert!(known.contains(&category) && !name.is_empty(), "{event}");
        }
        for direction in ["transport:packet_sent", "transport:packet_received"] {
            let mut kinds = Vec::new();
            for packet in named(trace, direction) {
                let kind = packet["header"]["packet_type"].as_str().unwrap();
                assert!(packet["header"]["packet_number"].is_u64());
                let (whole, payload) = (&packet["raw"]["length"], &packet["raw"]["payload_length"]);
                assert!(whole.as_u64() > payload.as_u64() && payload.as_u64() > Some(16));
                assert!(packet["frames"].as_array().is_some_and(|frames| !frames.is_empty()));
                if kinds.last() != Some(&kind) {
                    kinds.push(kind);
                }
            }
            assert!(["initial", "handshake", "1RTT"].iter().all(|kind| kinds.contains(kind)));
        }
    }
    let client = traces[0];
    assert!(named(client, "recovery:metrics_updated").count() > 10);
    assert!(named(client, "recovery:packet_lost").count() > 0);
    let owners: Vec<_> = named(client, "transport:parameters_set").map(|p| &p["owner"]).collect();
    assert_eq!(owners, ["local", "remote"]);
    let closed = named(client, "connectivity:connection_closed").next().unwrap();
    assert_eq!((&closed["owner"], &closed["application_code"]), (&json!("local"), &json!(0)));
}

#[test]
fn what_is_acknowledged_or_lost_was_sent() {
    let (log, _) = recorded(Qlog::LIMIT);
    let file = parsed(&log);
    let traces = whole(&file);
    for (trace, peer) in [(traces[0], traces[1]), (traces[1], traces[0])] {
        let key = |data: &Value| {
            (
                data["header"]["packet_type"].clone(),
                data["header"]["packet_number"].as_u64().unwrap(),
            )
        };
        let sent: Vec<_> = named(trace, "transport:packet_sent").map(key).collect();
        assert!(named(trace, "recovery:packet_lost").all(|lost| sent.contains(&key(lost))));
        for packet in named(peer, "transport:packet_sent") {
            let frames = packet["frames"].as_array().unwrap().iter();
            for ack in frames.filter(|frame| frame["frame_type"] == "ack") {
                for range in ack["acked_ranges"].as_array().unwrap() {
                    let kind = &packet["header"]["packet_type"];
                    let [first, last] = [0, 1].map(|i| range[i].as_u64().unwrap());
                    assert!((first..=last).all(|number| sent.contains(&(kind.clone(), number))));
                }
            }
        }
    }
}

#[test]
fn metrics_are_told_only_where_they_change() {
    let (log, _) = recorded(Qlog::LIMIT);
    let file = parsed(&log);
    for name in ["smoothed_rtt", "congestion_window", "bytes_in_flight"] {
        let values =
            named(whole(&file)[0], "recovery:metrics_updated").filter_map(|data| data.get(name));
        let values: Vec<_> = values.collect();
        assert!(values.windows(2).all(|two| two[0] != two[1]), "{name}");
        assert!(!values.is_empty(), "{name}");
    }
}

#[test]
fn recording_changes_nothing_and_the_same_run_gives_the_same_bytes() {
    let bytes = |log: &Qlog| {
        let mut file = Vec::new();
        log.write(&mut file).unwrap();
        file
    };
    let ((first, hash), (second, _)) = (recorded(Qlog::LIMIT), recorded(Qlog::LIMIT));
    assert_eq!(bytes(&first), bytes(&second));
    let (mut alone, client) = story(None);
    tell(&mut alone, client, |_| {});
    assert_eq!(alone.world.trace().hash(), hash);
}

#[test]
fn a_full_log_says_how_much_is_missing() {
    let (log, _) = recorded(20_000);
    let file = parsed(&log);
    let last = whole(&file)[0]["events"].as_array().unwrap().last().unwrap();
    assert_eq!(last["name"], "jsp:truncated");
    assert!(last["data"]["missing"].as_u64() > Some(100));
    assert!(file.to_string().len() < 40_000);
}

#[test]
fn an_end_of_which_nothing_is_known_is_left_out() {
    let log = Qlog::new("nothing");
    log.trace("c0", "alice", Side::Client);
    assert_eq!(parsed(&log)["traces"], json!([]));
}

#[test]
fn a_key_update_shows_with_the_first_packet_under_the_new_keys() {
    let log = Qlog::new("keys");
    let mut trace = log.trace("c0", "alice", Side::Client);
    for generation in [0, 1, 1] {
        trace.received(&TapPacket {
            now: Time::ZERO,
            kind: Kind::Data,
            number: PacketNumber(generation),
            generation,
            header: &[0x44, 1, 2, 3, 4, 5, 6, 7, 8, 0],
            payload: &[1],
            size: 27,
            datagram: 27,
            ack_eliciting: true,
            in_flight: false,
            exempt: false,
            paced: false,
            mtu_probe: false,
        });
    }
    let file = parsed(&log);
    let names: Vec<_> = file["traces"][0]["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["name"].as_str().unwrap())
        .collect();
    let received = "transport:packet_received";
    assert_eq!(names, [received, "security:key_updated", received, received]);
    let update = named(&file["traces"][0], "security:key_updated").next().unwrap();
    assert_eq!(*update, json!({ "key_type": "server_1rtt_secret", "generation": 1 }));
    let packet = named(&file["traces"][0], received).next().unwrap();
    assert_eq!(packet["header"]["dcid"], "0102030405060708");
    assert_eq!(packet["header"]["key_phase"], 1);
}
