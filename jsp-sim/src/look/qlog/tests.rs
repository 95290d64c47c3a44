use super::*;
use crate::app::{Sink, Source};
use crate::link::Link;
use crate::ms;
use crate::pair::{Pair, Scenario};
use crate::trace::TraceHash;
use jsp_proto::connection::TapFactory;
use jsp_proto::ids::ConnectionHandle;

/// Records each end's packets.
#[derive(Debug)]
struct Taps(QlogTrace);

impl TapFactory for Taps {
    fn tap(&self, _: ConnectionHandle, _: Side) -> Option<Box<dyn Tap>> {
        Some(Box::new(self.0.clone()))
    }
}

fn story() -> Scenario {
    let link = Link::new().delay(ms(10)).rate(10_000_000).queue(20_000).loss(0.05);
    Scenario::new(5)
        .link(&link)
        .client_app(Source::new(2, 50_000).then_close())
        .server_app(|_| Sink::new(2, 50_000))
}

/// A run that is recorded wherever that is possible.
fn recorded(limit: usize) -> (Qlog, TraceHash) {
    let log = Qlog::with_limit("a story, seed 5", limit);
    let client = log.trace("c0", "alice", Side::Client);
    let server = log.trace("c0", "bob", Side::Server);
    let mut story = story();
    let (here, there) = ("192.0.2.1:4433".parse().unwrap(), "192.0.2.2:4433".parse().unwrap());
    client.started(Time::ZERO, here, there);
    client.parameters(Time::ZERO, &story.client_transport, &story.server_transport);
    story.client_transport.taps = Some(Arc::new(Taps(client.clone())));
    story.server_transport.taps = Some(Arc::new(Taps(server.clone())));
    let mut pair = story.start().unwrap();
    pair.run_until(|pair| {
        let now = pair.world.now();
        for (trace, session) in [(&client, pair.client()), (&server, pair.server())] {
            let Some(session) = session else { continue };
            trace.metrics(now, &session.connection().stats(), 1234);
        }
        pair.is_over()
    })
    .unwrap();
    let closed = pair.client().and_then(|session| session.closed.clone()).unwrap();
    client.event(closed.0, &Event::Closed(closed.1));
    (log, pair.world.trace().hash())
}

fn parsed(log: &Qlog) -> Value {
    let mut file = Vec::new();
    log.write(&mut file).unwrap();
    serde_json::from_slice(&file).unwrap()
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
    let traces = file["traces"].as_array().unwrap();
    let vantage =
        |i: usize| (&traces[i]["vantage_point"]["name"], &traces[i]["vantage_point"]["type"]);
    assert_eq!(vantage(0), (&json!("alice"), &json!("client")));
    assert_eq!(vantage(1), (&json!("bob"), &json!("server")));
    for trace in traces {
        assert_eq!(trace["common_fields"]["time_format"], "relative");
        assert_eq!(trace["common_fields"]["group_id"], "c0");
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
        assert!(named(trace, "recovery:metrics_updated").count() > 2);
    }
    let client = &traces[0];
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
    let traces = file["traces"].as_array().unwrap();
    for (trace, peer) in [(&traces[0], &traces[1]), (&traces[1], &traces[0])] {
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
            named(&file["traces"][0], "recovery:metrics_updated").filter_map(|data| data.get(name));
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
    let mut alone = story().start().unwrap();
    alone.run_until(Pair::is_over).unwrap();
    assert_eq!(alone.world.trace().hash(), hash);
}

#[test]
fn a_full_log_says_how_much_is_missing() {
    let (log, _) = recorded(20_000);
    let file = parsed(&log);
    let last = file["traces"][0]["events"].as_array().unwrap().last().unwrap();
    assert_eq!(last["name"], "jsp:truncated");
    assert!(last["data"]["missing"].as_u64() > Some(100));
    assert!(lock(&log.log).bytes < 40_000);
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
