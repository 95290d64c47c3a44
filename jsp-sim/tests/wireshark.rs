//! Captures read by tshark with the dissector of `spec/wireshark/`: what it shows is what was written.
//!
//! Without tshark these tests say that they were left out; where `JSP_REQUIRE_TSHARK` is set, as in
//! CI, they fail.
#![allow(clippy::unwrap_used)]

#[path = "wireshark/corpus.rs"]
mod corpus;
#[path = "wireshark/simulated.rs"]
mod simulated;
#[path = "wireshark/tshark.rs"]
mod tshark;

use corpus::{Corpus, Record, hex};
use jsp_proto::ids::{Ecn, Side};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tshark::{Shown, Tshark};

/// Nothing is wrong with any record, in the dissector's view or in Wireshark's.
fn assert_clean(shown: &[Shown]) {
    assert_clean_but_for(shown, "nothing");
}

/// The same, where a complaint that holds `expected` is none.
fn assert_clean_but_for(shown: &[Shown], expected: &str) {
    for (at, record) in shown.iter().enumerate() {
        // A comment of the capture's is an expert's remark too.
        let complaints = record.complaints().filter(|c| !c.contains("(Comment/Comment)"));
        let complaints: Vec<_> = complaints.filter(|c| !c.contains(expected)).collect();
        assert_eq!(complaints, [""; 0], "record {}", at + 1);
    }
}

/// The handshake messages of single frames and packets in the vectors are made up.
const MADE_UP: &str = "Malformed message";

/// `[1, 2]` of a JSON array of numbers or strings, as tshark writes them.
fn texts(values: &Value) -> Vec<String> {
    values.as_array().unwrap().iter().map(text).collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[test]
fn sealed_datagrams_show_their_ip_headers_and_what_is_not_protected() {
    let Some(tshark) = Tshark::find() else { return };
    for corpus in Corpus::connections() {
        let fields = [
            "frame.time_epoch",
            "ip.dsfield.ecn",
            "ip.checksum.status",
            "udp.checksum.status",
            "udp.payload",
            "frame.comment",
            "jsp.kind",
            "jsp.dcid",
            "jsp.scid",
            "jsp.protected",
        ];
        let shown = tshark.fields(&corpus.sealed(), &fields);
        assert_clean(&shown);
        assert_eq!(shown.len(), corpus.datagrams.len());
        for (shown, datagram) in shown.iter().zip(&corpus.datagrams) {
            let us = datagram.time_us;
            let time = format!("{}.{:06}000", us / 1_000_000, us % 1_000_000);
            assert_eq!(shown.all("frame.time_epoch"), [time]);
            assert_eq!(shown.all("ip.dsfield.ecn"), ["2"], "ECT(0)");
            // 1: good.
            assert_eq!(shown.all("ip.checksum.status"), ["1"]);
            assert_eq!(shown.all("udp.checksum.status"), ["1"]);
            assert_eq!(shown.all("udp.payload"), [hex::write(&datagram.bytes)]);
            assert_eq!(shown.all("frame.comment"), [datagram.comment()]);
            let kinds: Vec<&str> = datagram.records.iter().map(|r| r.kind.as_str()).collect();
            assert_eq!(shown.all("jsp.kind"), kinds);
            let header_ids: Vec<_> = datagram.records.iter().map(Record::ids).collect();
            let dcids: Vec<_> = header_ids.iter().map(|(dcid, _)| dcid.clone()).collect();
            let scids: Vec<_> = header_ids.iter().filter_map(|(_, scid)| scid.clone()).collect();
            assert_eq!(shown.all("jsp.dcid"), dcids);
            assert_eq!(shown.all("jsp.scid"), scids);
            assert_eq!(shown.all("jsp.protected"), datagram.protected());
        }
    }
}

#[test]
fn opened_packets_show_their_kinds_numbers_and_frames() {
    let Some(tshark) = Tshark::find() else { return };
    for corpus in Corpus::connections().into_iter().chain([Corpus::packets(), Corpus::updates()]) {
        let fields =
            ["jsp.kind", "jsp.number", "jsp.opened.generation", "jsp.opened.server", "jsp.frame"];
        let shown = tshark.fields(&corpus.opened(), &fields);
        assert_clean_but_for(&shown, if corpus.messages.is_empty() { MADE_UP } else { "nothing" });
        let records: Vec<&Record> = corpus.opened_records().collect();
        assert_eq!(shown.len(), records.len());
        for (shown, record) in shown.iter().zip(records) {
            assert_eq!(shown.all("jsp.kind"), [record.kind.as_str()]);
            assert_eq!(shown.all("jsp.number"), [record.number.to_string()]);
            assert_eq!(shown.all("jsp.opened.generation"), [record.generation.to_string()]);
            let server = u8::from(record.from == Side::Server).to_string();
            assert_eq!(shown.all("jsp.opened.server"), [server]);
            assert_eq!(shown.all("jsp.frame"), record.frames);
        }
    }
}

#[test]
fn handshake_messages_are_found_across_frames_and_packets() {
    let Some(tshark) = Tshark::find() else { return };
    for corpus in Corpus::connections() {
        let fields = ["jsp.handshake", "jsp.handshake.length"];
        let shown = tshark.fields(&corpus.opened(), &fields);
        let all = |field| shown.iter().flat_map(|s| s.all(field)).collect::<Vec<&str>>();
        let message = |(name, bytes): &(String, Vec<u8>)| (name.clone(), bytes.len() - 4);
        let mut expected: Vec<_> = corpus.messages.iter().map(message).collect();
        if corpus.retried() {
            // The same ClientHello, before the Retry.
            expected.insert(0, expected[0].clone());
        }
        let (names, lens): (Vec<_>, Vec<_>) =
            expected.into_iter().map(|(name, len)| (name, len.to_string())).unzip();
        assert_eq!(all("jsp.handshake"), names);
        assert_eq!(all("jsp.handshake.length"), lens);
    }
}

#[test]
fn handshake_messages_show_identities_parameters_and_what_was_agreed() {
    let Some(tshark) = Tshark::find() else { return };
    for corpus in Corpus::connections() {
        let fields = [
            "jsp.handshake",
            "jsp.handshake.random",
            "jsp.handshake.suite",
            "jsp.handshake.alpn",
            "jsp.handshake.ed25519",
            "jsp.handshake.ml_dsa",
            "jsp.handshake.ml_dsa_signature",
            "jsp.handshake.verify_data",
            "jsp.parameter",
            "jsp.parameter.bytes",
            "jsp.parameter.value",
        ];
        let shown = tshark.fields(&corpus.opened(), &fields);
        assert_clean(&shown);
        let all = |field| shown.iter().flat_map(|s| s.all(field)).collect::<Vec<&str>>();
        let bytes = |name: &str, nth: usize| {
            let mut named = corpus.messages.iter().filter(|(n, _)| n == name);
            hex::write(&named.nth(nth).unwrap().1[4..])
        };
        let identities: Vec<_> = ["server_identity", "client_identity"]
            .into_iter()
            .filter_map(|identity| corpus.json[identity]["fingerprint"].as_str())
            .collect();

        // Hybrid keys, whose fingerprint the vectors tell.
        let keys = all("jsp.handshake.ed25519").into_iter().zip(all("jsp.handshake.ml_dsa"));
        let fingerprints: Vec<_> = keys
            .map(|(ed25519, ml_dsa)| {
                let mut hash = Sha256::new_with_prefix(b"jsp identity\0\x01");
                hash.update(hex::read(ed25519));
                hash.update(hex::read(ml_dsa));
                hex::write(&hash.finalize())
            })
            .collect();
        assert_eq!(fingerprints, identities);
        // Both end their messages.
        for (nth, data) in all("jsp.handshake.verify_data").into_iter().enumerate() {
            assert_eq!(data, bytes("Finished", nth));
        }
        for (nth, signature) in all("jsp.handshake.ml_dsa_signature").into_iter().enumerate() {
            assert_eq!(signature.len(), 2 * 3309);
            assert!(bytes("Proof", nth).ends_with(signature));
        }
        assert_eq!(all("jsp.handshake.ml_dsa_signature").len(), identities.len());

        // What the server chose, alone in its messages.
        let of =
            |message: &str| shown.iter().find(|s| s.all("jsp.handshake") == [message]).unwrap();
        let suites = ["aes-256-gcm", "chacha20-poly1305", "aes-256-gcm-siv"];
        let suite: usize = of("ServerHello").all("jsp.handshake.suite")[0].parse().unwrap();
        assert_eq!(suites[suite - 1], text(&corpus.json["suite"]));
        let random = of("ServerHello").all("jsp.handshake.random");
        assert!(bytes("ServerHello", 0).starts_with(&format!("4a535001{}", random[0])));
        assert_eq!(of("Encrypted").all("jsp.handshake.alpn"), ["vectors/1"]);
        let names = of("Encrypted").all("jsp.parameter");
        assert_eq!(names[..2], ["original_dcid", "initial_scid"]);
        let ids = of("Encrypted").all("jsp.parameter.bytes");
        assert_eq!(ids[0], text(&corpus.json["original_dcid"]));
        let scids = corpus.opened_records().filter(|record| record.from == Side::Server);
        assert_eq!(Some(ids[1].to_owned()), scids.map(Record::ids).next().unwrap().1);
        assert!(names.contains(&"idle_timeout"));
        assert_eq!(names.contains(&"retry_scid"), corpus.retried());
        assert_eq!(of("Encrypted").all("jsp.parameter.value")[0], "30000");
    }
}

#[test]
fn simulated_connections_are_read_as_they_were() {
    let Some(tshark) = Tshark::find() else { return };
    let run = simulated::upload();
    let shown = tshark.fields(&run.sealed, &["udp.payload", "frame.comment", "jsp.kind"]);
    assert_clean(&shown);
    assert_eq!(shown.len(), run.datagrams.len());
    for (shown, (bytes, dropped)) in shown.iter().zip(&run.datagrams) {
        assert_eq!(shown.all("udp.payload"), [hex::write(bytes)]);
        assert_eq!(shown.all("frame.comment"), Vec::from_iter(*dropped));
        assert!(!shown.all("jsp.kind").is_empty());
    }
    assert!(run.datagrams.iter().any(|(_, dropped)| dropped.is_some()));

    let fields = [
        "jsp.kind",
        "jsp.number",
        "jsp.opened.generation",
        "jsp.opened.received",
        "jsp.frame.type",
        "jsp.ack.range",
        "jsp.crypto.offset",
        "jsp.stream.id",
        "jsp.stream.position",
    ];
    let shown = tshark.fields(&run.opened, &fields);
    assert_clean(&shown);
    assert_eq!(shown.len(), run.packets.len());
    for (shown, packet) in shown.iter().zip(&run.packets) {
        assert_eq!(shown.all("jsp.kind"), [packet.kind.as_str()]);
        assert_eq!(shown.all("jsp.number"), [packet.number.as_str()]);
        assert_eq!(shown.all("jsp.opened.generation"), [packet.generation.as_str()]);
        assert_eq!(shown.all("jsp.opened.received"), [packet.received.as_str()]);
        assert_eq!(shown.all("jsp.frame.type"), packet.frame_types);
        assert_eq!(shown.all("jsp.ack.range"), packet.acknowledged);
        assert_eq!(shown.all("jsp.crypto.offset"), packet.crypto_offsets);
        assert_eq!(shown.all("jsp.stream.id"), packet.streams);
        assert_eq!(shown.all("jsp.stream.position"), packet.positions);
    }
    // The run has what is worth looking at.
    let has = |test: fn(&simulated::Expected) -> bool| run.packets.iter().any(test);
    assert!(has(|packet| packet.generation == "1"));
    assert!(has(|packet| packet.acknowledged.len() > 1));
    for (received, kind) in [("0", "Initial"), ("1", "Handshake"), ("1", "Data")] {
        let found = |p: &&simulated::Expected| p.received == received && p.kind == kind;
        assert!(run.packets.iter().any(|packet| found(&packet)), "{kind}");
    }
    assert!(has(|packet| packet.frame_types.iter().any(|kind| kind == "0x1d")));
}

#[test]
fn a_message_is_whole_however_its_bytes_overlap_and_wherever_they_go() {
    let Some(tshark) = Tshark::find() else { return };
    let corpus = Corpus::connections().remove(0);
    let hello = &corpus.messages[0].1;
    let piece = |from: usize, to: usize| (from as u64, &hello[from..to]);
    // The last piece comes too early, then again; a client's DCID changes on the way, its SCID stays.
    let pieces = [piece(0, 3), piece(900, hello.len()), piece(2, 500), piece(1, 901)];
    let pieces = pieces.into_iter().chain([piece(800, hello.len()), piece(0, 500)]);
    let shown = tshark.fields(&corpus::capture_of_crypto(pieces), &["jsp.handshake.server_name"]);
    assert_clean(&shown);
    let names: Vec<_> = shown.iter().map(|s| s.all("jsp.handshake.server_name")).collect();
    assert_eq!(names[..4], [[""; 0]; 4]);
    assert_eq!(names[4], ["server.example"]);
    assert_eq!(names[5], [""; 0]);
}

#[test]
fn a_second_look_shows_the_same() {
    let Some(tshark) = Tshark::find() else { return };
    // Positions and messages are found in the first pass, and shown in the second.
    let connection = Corpus::connections().remove(1).opened();
    for (capture, what) in
        [(connection, "Message: Finished"), (corpus::far_stream().1, "Position: 11811160064")]
    {
        let (once, twice) = (tshark.details(&capture, &[]), tshark.details(&capture, &["-2"]));
        assert!(once.contains(what));
        assert_eq!(once, twice);
    }
}

#[test]
fn every_frame_shows_all_its_fields() {
    let Some(tshark) = Tshark::find() else { return };
    let frames = corpus::frames();
    let capture = corpus::capture_of_frames(&frames);
    let (mut names, mut checked) = (vec!["jsp.frame"], 0);
    names.extend(FRAME_FIELDS.map(|(_, field)| field));
    names.extend(["jsp.ack.range", "jsp.stream.position"]);
    names.sort_unstable();
    names.dedup();
    let shown = tshark.fields(&capture, &names);
    assert_clean_but_for(&shown, MADE_UP);
    assert_eq!(shown.len(), frames.len());
    for (shown, frame) in shown.iter().zip(&frames) {
        let name = text(&frame["name"]);
        assert_eq!(shown.all("jsp.frame")[0], name);
        for (key, value) in frame["fields"].as_object().unwrap() {
            let expected = match key.as_str() {
                "with_length" => continue,
                "ecn" if value.is_null() => continue,
                "ecn" => {
                    for (count, value) in value.as_object().unwrap() {
                        assert_eq!(shown.all(&format!("jsp.ack.{count}")), [text(value)]);
                    }
                    continue;
                }
                "ranges" => {
                    let range = |r: &Value| match (text(&r["smallest"]), text(&r["largest"])) {
                        (smallest, largest) if smallest == largest => largest,
                        (smallest, largest) => format!("{smallest}-{largest}"),
                    };
                    let ranges: Vec<_> = value.as_array().unwrap().iter().map(range).collect();
                    assert_eq!(shown.all("jsp.ack.range"), ranges);
                    continue;
                }
                // No earlier frame tells the high bits: `a_position_is_whole` has those.
                "offset" if name == "STREAM" => {
                    let low = value.as_u64().unwrap() % (1 << 32);
                    let position: u64 = shown.all("jsp.stream.position")[0].parse().unwrap();
                    assert_eq!(position % (1 << 32), low);
                    continue;
                }
                "frame_type" => format!("0x{:02x}", value.as_u64().unwrap()),
                "fin" => u8::from(value.as_bool().unwrap()).to_string(),
                _ => text(value),
            };
            let field = field_of(&name, key);
            let found = shown.all(field);
            // tshark leaves out what is empty.
            assert_eq!(found, Vec::from_iter(Some(expected.as_str()).filter(|e| !e.is_empty())));
            checked += 1;
        }
    }
    assert!(checked > 60, "{checked} fields checked");
}

/// Fields of the vectors (with the frame where a name means two things), and what the dissector calls
/// them.
const FRAME_FIELDS: [(&str, &str); 32] = [
    ("PADDING.count", "jsp.padding.length"),
    ("delay_us", "jsp.ack.delay"),
    ("ect0", "jsp.ack.ect0"),
    ("ect1", "jsp.ack.ect1"),
    ("ce", "jsp.ack.ce"),
    ("stream", "jsp.stream.id"),
    ("APPLICATION_CLOSE.code", "jsp.close.app_code"),
    ("CONNECTION_CLOSE.code", "jsp.close.code"),
    ("code", "jsp.stream.error"),
    ("final_size", "jsp.stream.final_size"),
    ("CRYPTO.offset", "jsp.crypto.offset"),
    ("CRYPTO.data", "jsp.crypto.data"),
    ("MAX_DATA.max", "jsp.max_data"),
    ("MAX_STREAM_DATA.max", "jsp.max_stream_data"),
    ("MAX_STREAMS bidirectional.max", "jsp.max_streams"),
    ("MAX_STREAMS unidirectional.max", "jsp.max_streams"),
    ("DATA_BLOCKED.limit", "jsp.max_data"),
    ("STREAM_DATA_BLOCKED.limit", "jsp.max_stream_data"),
    ("STREAMS_BLOCKED bidirectional.limit", "jsp.max_streams"),
    ("STREAMS_BLOCKED unidirectional.limit", "jsp.max_streams"),
    ("ACK_FREQUENCY.sequence", "jsp.ack_frequency.sequence"),
    ("threshold", "jsp.ack_frequency.threshold"),
    ("max_delay", "jsp.ack_frequency.max_delay"),
    ("reordering", "jsp.ack_frequency.reordering"),
    ("sequence", "jsp.cid.sequence"),
    ("retire_prior_to", "jsp.cid.retire_prior_to"),
    ("id", "jsp.cid.id"),
    ("reset_token", "jsp.cid.reset_token"),
    ("frame_type", "jsp.close.frame_type"),
    ("reason", "jsp.close.reason"),
    ("fin", "jsp.stream.fin"),
    ("data", "jsp.stream.data"),
];

fn field_of(frame: &str, key: &str) -> &'static str {
    let full = format!("{frame}.{key}");
    let find = |wanted: &str| FRAME_FIELDS.iter().find(|(name, _)| *name == wanted);
    find(&full).or_else(|| find(key)).unwrap_or_else(|| panic!("no field for {full}")).1
}

#[test]
fn a_position_is_whole_however_far_the_stream_has_come() {
    let Some(tshark) = Tshark::find() else { return };
    let (positions, capture) = corpus::far_stream();
    let shown = tshark.fields(&capture, &["jsp.stream.position"]);
    assert_clean(&shown);
    let found: Vec<u64> =
        shown.iter().map(|s| s.all("jsp.stream.position")[0].parse().unwrap()).collect();
    assert_eq!(found, positions);
}

#[test]
fn every_kind_of_sealed_packet_is_recognised() {
    let Some(tshark) = Tshark::find() else { return };
    let corpus = Corpus::packets();
    let fields = ["jsp.kind", "jsp.token", "jsp.retry.tag", "jsp.supported_version"];
    let shown = tshark.fields(&corpus.sealed(), &fields);
    assert_clean(&shown);
    for (shown, datagram) in shown.iter().zip(&corpus.datagrams) {
        let [record] = &datagram.records[..] else { panic!("one packet each") };
        // A reset looks like Data to everybody who does not know the token.
        let kind = if record.kind == "Stateless Reset" { "Data" } else { &record.kind };
        assert_eq!(shown.all("jsp.kind"), [kind]);
        if kind == "Retry" {
            assert_eq!(shown.all("jsp.token"), [text(&record.json["token"])]);
            assert_eq!(shown.all("jsp.retry.tag"), [text(&record.json["tag"])]);
        }
        if kind == "Version Negotiation" {
            let versions: Vec<_> =
                texts(&record.json["versions"]).iter().map(|v| format!("0x{v}")).collect();
            assert_eq!(shown.all("jsp.supported_version"), versions);
        }
    }
}

#[test]
fn the_columns_say_in_one_line_what_a_packet_is() {
    let Some(tshark) = Tshark::find() else { return };
    let corpus = Corpus::connections().remove(0);
    let sealed = tshark.columns(&corpus.sealed());
    let dcid = corpus.datagrams[0].records[0].ids().0;
    assert!(sealed[0].starts_with(&format!("JSP Initial, DCID={dcid}, SCID=")), "{}", sealed[0]);
    assert!(sealed.iter().any(|line| line.contains(" | Handshake, DCID=")), "coalesced packets");
    let opened = tshark.columns(&corpus.opened());
    assert_eq!(opened[0], "JSP Initial #0: CRYPTO off 0 len 456 (ClientHello), PADDING 697");
    let hello = "JSP Data #1: ACK 0, STREAM 0 off 0 len 21 FIN";
    assert!(opened.iter().any(|line| line == hello), "{opened:#?}");
    assert!(
        opened.iter().any(|line| line.ends_with(": APPLICATION_CLOSE 0 \"done\"")),
        "{opened:#?}"
    );
}

#[test]
fn a_frame_where_it_must_not_be_and_one_that_does_not_parse_are_marked() {
    let Some(tshark) = Tshark::find() else { return };
    let no_id = [&[0x18, 1, 0, 0][..], &[7; 16]].concat();
    let late_retirement = [&[0x18, 1, 2, 1, 9][..], &[7; 16]].concat();
    let frames = [
        vec![0x06, 0, 1, 7],
        vec![0x20],
        vec![0x1c, 0x13, 0, 5, b'n', b'o'],
        vec![0x01],
        // Below 0: an ACK's first range, its second; a stream limit above 2^60; IDs.
        vec![0x02, 3, 0, 0, 4],
        vec![0x02, 5, 0, 1, 2, 2, 0],
        vec![0x12, 0xd0, 0, 0, 0, 0, 0, 0, 1],
        no_id,
        late_retirement,
        vec![],
    ];
    let fields = ["jsp.forbidden", "jsp.malformed", "jsp.close.name", "jsp.frame"];
    let shown = tshark.fields(&corpus::capture_of_data(frames), &fields);
    let marks: Vec<_> = shown
        .iter()
        .map(|s| (s.all("jsp.forbidden").len(), s.all("jsp.malformed").len()))
        .collect();
    let (fine, malformed, forbidden) = ((0, 0), (0, 1), (1, 0));
    let mut expected = vec![forbidden, malformed, malformed, fine];
    expected.extend([malformed; 5]);
    expected.push(forbidden);
    assert_eq!(marks, expected);
    assert_eq!(shown[2].all("jsp.close.name"), ["IDENTITY"]);
    assert_eq!(shown[3].all("jsp.frame"), ["PING"]);
}

#[test]
fn datagrams_of_others_are_left_to_others_and_ours_follow_a_new_address() {
    let Some(tshark) = Tshark::find() else { return };
    let corpus = Corpus::connections().remove(0);
    let data = corpus.datagrams.last().unwrap().bytes.clone();
    let mut stranger = data.clone();
    stranger[0] = 0x05;
    let capture = corpus::capture_of_datagrams([
        ("192.0.2.9:7", "192.0.2.8:7", data.clone(), Ecn::NotEct),
        ("192.0.2.1:50000", "192.0.2.2:4433", corpus.datagrams[0].bytes.clone(), Ecn::Ce),
        ("192.0.2.77:1024", "192.0.2.2:4433", data.clone(), Ecn::NotEct),
        ("[2001:db8::1]:1024", "[2001:db8::2]:4433", corpus.datagrams[0].bytes.clone(), Ecn::Ect0),
        ("[2001:db8::1]:1024", "[2001:db8::2]:4433", data, Ecn::Ect0),
        ("192.0.2.77:1025", "192.0.2.2:4433", stranger, Ecn::NotEct),
    ]);
    let shown = tshark.fields(&capture, &["frame.protocols", "jsp.kind", "udp.checksum.status"]);
    let ours: Vec<_> =
        shown.iter().map(|s| s.all("frame.protocols")[0].ends_with(":jsp")).collect();
    assert_eq!(ours, [false, true, true, true, true, false]);
    let kinds: Vec<_> = shown.iter().map(|s| s.all("jsp.kind").join("+")).collect();
    assert_eq!(kinds, ["", "Initial", "Data", "Initial", "Data", ""]);
    assert!(shown.iter().all(|s| s.all("udp.checksum.status") == ["1"]));
}

#[test]
fn flipped_bits_and_cut_packets_never_stop_the_dissector() {
    let Some(tshark) = Tshark::find() else { return };
    let corpora = Corpus::connections().into_iter().chain([Corpus::packets(), Corpus::updates()]);
    // A pcapng file may have several sections: one behind the other is a file again.
    let capture: Vec<u8> = corpora
        .enumerate()
        .flat_map(|(seed, corpus)| corpus.damaged(seed as u64))
        .flatten()
        .collect();
    let shown = tshark.fields(&capture, &["jsp.malformed"]);
    assert!(shown.len() > 2_000, "{} records", shown.len());
    let mut malformed = 0;
    for (at, shown) in shown.iter().enumerate() {
        // Only complaints of the dissector's own: no error in Lua, no read beyond the packet.
        let foreign = |c: &&str| c.contains("Lua") || c.contains("Exception");
        let foreign: Vec<_> = shown.complaints().filter(foreign).collect();
        assert_eq!(foreign, [""; 0], "record {}", at + 1);
        malformed += shown.all("jsp.malformed").len();
    }
    assert!(malformed > 100, "{malformed} faults: the damage does not reach the dissector");
}
