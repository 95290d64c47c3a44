use super::*;
use crate::units::Span;
use quickcheck::quickcheck;

/// The mistake in a file that begins with a name.
fn mistake(rest: &str) -> String {
    let text = format!("name = \"x\"\n{rest}");
    match Scenario::from_toml("x.toml", &text) {
        Ok(scenario) => panic!("{text}\nis taken for {scenario:#?}"),
        Err(mistake) => format!("\n{mistake}\n"),
    }
}

quickcheck! {
    fn what_is_written_reads_back_as_the_same_scenario(scenario: Scenario) -> bool {
        let text = scenario.to_toml();
        match Scenario::from_toml("it", &text) {
            Ok(read) => {
                assert_eq!(read, scenario, "\n{text}");
                true
            }
            Err(mistake) => panic!("{mistake}\n{text}"),
        }
    }

    fn no_text_makes_reading_panic(text: String) -> bool {
        let _ = Scenario::from_toml("it", &text);
        true
    }

    fn no_cut_makes_reading_panic(scenario: Scenario, at: usize) -> bool {
        let text = scenario.to_toml();
        let at = at % (text.len() + 1);
        let _ = Scenario::from_toml("it", text.get(..at).unwrap_or_default());
        true
    }
}

#[test]
fn a_line_is_a_scenario() {
    let scenario = Scenario::from_toml("it", "name = \"nothing happens\"").unwrap();
    assert_eq!(scenario, Scenario::new("nothing happens"));
}

#[test]
fn a_scenario_reads_well() {
    let text = r#"name = "an upload from behind a NAT"
about = "A phone in a home network sends while its Wi-Fi has a bad moment."

[limits]
time = "1min"
events = 1000000

[link]
wifi = [
    { rate = { limit = "20 Mbit/s", queue = "64 kB" } },
    { delay = { base = "5ms", jitter = "1ms", distribution = "normal" } },
]

[host.phone]
interfaces = [{ name = "wifi", segment = "home", address = "10.0.0.2", up = "wifi", down = "wifi" }]

[host.server]
admission = "retry"
transport = { idle_timeout = "10s" }

[box.router]
inner = "home"
up = [{ loss = { share = "1%" } }]
router = { through = ["10.0.0.0/8"] }

[[connection]]
name = "c0"
from = "phone"

[[op]]
name = "upload"
after = { connected = "c0" }
send = { streams = 3, size = "1 MB" }

[[op]]
name = "bad moment"
at = "200ms"
after = { delivered = { bytes = "100 kB" } }
outage = { of = "wifi", for = "2s" }

[[op]]
name = "op3"
after = { done = "upload" }
close = {}

[expect]
within = "10s"

[expect.connection.c0]
ends = "closed"
handshake = "200ms"
"#;
    let scenario = Scenario::from_toml("it", text).unwrap_or_else(|mistake| panic!("{mistake}"));
    assert_eq!(scenario.to_toml(), text);
    assert_eq!(scenario.hosts["phone"].interfaces[0].segment, "home");
    assert_eq!(Place::all(&scenario, "wifi").len(), 2);
}

#[test]
fn what_has_no_name_gets_one_by_its_place_that_nothing_else_has() {
    let text = r#"
        name = "x"
        op = [{ ping = {} }, { name = "op3", ping = {} }, { ping = {} }]
    "#;
    let scenario = Scenario::from_toml("it", text).unwrap();
    let names: Vec<_> = scenario.ops.iter().map(|op| op.name.as_str()).collect();
    assert_eq!(names, ["op1", "op3", "op4"]);
}

#[test]
fn every_action_is_listed_by_its_name() {
    let mut g = quickcheck::Gen::new(100);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let scenario: Scenario = quickcheck::Arbitrary::arbitrary(&mut g);
        for op in scenario.ops {
            assert!(Action::NAMES.contains(&op.action.name()));
            let table = toml::Table::try_from(&op.action).unwrap();
            assert_eq!(table.keys().collect::<Vec<_>>(), [op.action.name()]);
            seen.insert(op.action.name());
        }
    }
    assert!(seen.len() >= Action::NAMES.len() - 1, "{seen:?}");
}

#[test]
fn a_file_that_is_no_toml() {
    assert_eq!(
        mistake("[[op]\n"),
        "
error: unclosed array table, expected `]`
 --> x.toml:2:6
  |
2 | [[op]
  |      ^
"
    );
}

#[test]
fn an_unknown_key() {
    assert_eq!(
        mistake("[[op]]\nsend = { size = \"1 MB\", sreams = 3 }"),
        "
error: unknown key `sreams`; did you mean `streams`?
 --> x.toml:3:25
  |
3 | send = { size = \"1 MB\", sreams = 3 }
  |                         ^^^^^^
"
    );
    assert_eq!(
        mistake("[limits]\nduration = 3"),
        "
error: unknown key `duration`; there is `time`, `events`
 --> x.toml:3:1
  |
3 | duration = 3
  | ^^^^^^^^
"
    );
}

#[test]
fn an_unknown_action() {
    assert_eq!(
        mistake("\n[[op]]\n\tsned = { size = \"1 MB\" }"),
        "
error: unknown key `sned`; did you mean `send`?
 --> x.toml:4:2
  |
4 | \tsned = { size = \"1 MB\" }
  | \t^^^^
"
    );
}

#[test]
fn an_unknown_value() {
    assert_eq!(
        mistake("[[op]]\nping = { by = \"clint\" }"),
        "
error: unknown value `clint`; did you mean `client`?
 --> x.toml:3:15
  |
3 | ping = { by = \"clint\" }
  |               ^^^^^^^
"
    );
}

#[test]
fn a_missing_key() {
    assert_eq!(
        mistake("[[op]]\nsend = { streams = 2 }"),
        "
error: missing field `size`
 --> x.toml:3:8
  |
3 | send = { streams = 2 }
  |        ^^^^^^^^^^^^^^^
"
    );
}

#[test]
fn an_operation_that_does_nothing_or_two_things() {
    assert_eq!(
        mistake("[[op]]\nat = \"1s\""),
        format!(
            "
error: an operation does something, and this one has none of {}
 --> x.toml:2:1
  |
2 | [[op]]
  | ^^^^^^
",
            Action::NAMES.join(", ")
        )
    );
    assert_eq!(
        mistake("[[op]]\nping = {}\nclose = {}"),
        "
error: an operation does one thing, and this one has `ping` and `close`
 --> x.toml:2:1
  |
2 | [[op]]
  | ^^^^^^
"
    );
}

#[test]
fn a_wrong_unit() {
    assert_eq!(
        mistake("[[op]]\nat = \"3 MB\"\nping = {}"),
        "
error: \"3 MB\" is not a length of time: a number and ns, us, ms, s, min or h, in whole \
         nanoseconds, such as \"25ms\"
 --> x.toml:3:6
  |
3 | at = \"3 MB\"
  |      ^^^^^^
"
    );
}

#[test]
fn a_stage_that_is_none() {
    assert_eq!(
        mistake("[[path]]\nthere = [{ dely = { base = \"1s\" } }]"),
        "
error: unknown key `dely`; did you mean `delay`?
 --> x.toml:3:12
  |
3 | there = [{ dely = { base = \"1s\" } }]
  |            ^^^^
"
    );
    assert_eq!(
        mistake("[[path]]\nthere = 7"),
        "
error: invalid type: integer `7`, expected the name of a link, or a list of stages
 --> x.toml:3:9
  |
3 | there = 7
  |         ^
"
    );
}

#[test]
fn a_host_that_does_not_exist() {
    assert_eq!(
        mistake("[[connection]]\nto = \"sever\""),
        "
error: no host is called `sever`; did you mean `server`?
 --> x.toml:3:6
  |
3 | to = \"sever\"
  |      ^^^^^^^
"
    );
}

#[test]
fn a_link_that_does_not_exist_or_is_used_nowhere() {
    assert_eq!(
        mistake("[[path]]\nthere = \"dsl\""),
        "
error: no link is called `dsl`; there is none
 --> x.toml:3:9
  |
3 | there = \"dsl\"
  |         ^^^^^
"
    );
    assert_eq!(
        mistake("link.dsl = []\n[[op]]\noutage = { of = \"dsl\", for = \"1s\" }"),
        "
error: the link `dsl` is used nowhere
 --> x.toml:4:17
  |
4 | outage = { of = \"dsl\", for = \"1s\" }
  |                 ^^^^^
"
    );
}

#[test]
fn a_connection_that_does_not_exist() {
    assert_eq!(
        mistake("[[op]]\nafter = { connected = \"c1\" }\nping = {}"),
        "
error: no connection is called `c1`; there is `c0`
 --> x.toml:3:23
  |
3 | after = { connected = \"c1\" }
  |                       ^^^^
"
    );
    assert_eq!(
        mistake("[expect.connection.c1]\nends = \"idle\""),
        "
error: no connection is called `c1`; there is `c0`
 --> x.toml:2:1
  |
2 | [expect.connection.c1]
  | ^^^^^^^^^^^^^^^^^^^^^^
"
    );
}

#[test]
fn a_segment_that_does_not_exist() {
    assert_eq!(
        mistake("[host.client]\n[host.server]\ninterfaces = [{ segment = \"home\" }]"),
        "
error: no segment is called `home`; there is `internet`
 --> x.toml:4:27
  |
4 | interfaces = [{ segment = \"home\" }]
  |                           ^^^^^^
"
    );
}

#[test]
fn an_address_that_two_have() {
    let hosts = "[host.client]\ninterfaces = [{ address = \"192.0.2.1\" }]\n[host.server]\n\
                 interfaces = [{ address = \"192.0.2.1\" }]";
    assert_eq!(
        mistake(hosts),
        "
error: 192.0.2.1 is the address of `client.eth0` in `internet` already
 --> x.toml:5:27
  |
5 | interfaces = [{ address = \"192.0.2.1\" }]
  |                           ^^^^^^^^^^^
"
    );
}

#[test]
fn a_name_that_two_have() {
    assert_eq!(
        mistake("[[op]]\nname = \"a\"\nping = {}\n[[op]]\nname = \"a\"\nping = {}"),
        "
error: `a` is the operation at place 1 already
 --> x.toml:6:8
  |
6 | name = \"a\"
  |        ^^^
"
    );
    assert_eq!(
        mistake("[link]\nserver = []"),
        "
error: `server` is the name of a host, and outages name links, too
 --> x.toml:3:10
  |
3 | server = []
  |          ^^
"
    );
}

#[test]
fn a_stream_that_an_end_cannot_stop() {
    let op = "[[op]]\nname = \"up\"\nsend = { size = \"1 MB\" }\n[[op]]\n";
    assert_eq!(
        mistake(&format!("{op}stop = {{ of = \"up\", by = \"client\" }}")),
        "
error: the client cannot stop the streams of `up`: only the server receives on them
 --> x.toml:6:26
  |
6 | stop = { of = \"up\", by = \"client\" }
  |                          ^^^^^^^^
"
    );
    assert_eq!(
        mistake(&format!("{op}reset = {{ of = \"op2\" }}")),
        "
error: `op2` opens no streams: it is a `reset`
 --> x.toml:6:16
  |
6 | reset = { of = \"op2\" }
  |                ^^^^^
"
    );
}

#[test]
fn a_time_beyond_the_limit() {
    assert_eq!(
        mistake("limits.time = \"1min\"\n[[op]]\nat = \"61s\"\nping = {}"),
        "
error: 61s is beyond the limit of 1min
 --> x.toml:4:6
  |
4 | at = \"61s\"
  |      ^^^^^
"
    );
}

#[test]
fn a_box_that_is_nothing_or_outside_of_itself() {
    assert_eq!(
        mistake("[box.b]\ninner = \"home\""),
        "
error: a box is a `nat`, a `firewall` or a `router`
 --> x.toml:2:1
  |
2 | [box.b]
  | ^^^^^^^
"
    );
    assert_eq!(
        mistake("[box.b]\ninner = \"home\"\nouter = \"home\"\nrouter = { through = [] }"),
        "
error: `home` would be outside of itself
 --> x.toml:4:9
  |
4 | outer = \"home\"
  |         ^^^^^^
"
    );
}

#[test]
fn a_rebinding_of_what_is_no_nat() {
    assert_eq!(
        mistake(
            "[[op]]\nrebind = { box = \"b\" }\n[box.b]\ninner = \"i\"\nrouter = { through = [] }"
        ),
        "
error: no NAT is called `b`; there is none
 --> x.toml:3:18
  |
3 | rebind = { box = \"b\" }
  |                  ^^^
"
    );
}

#[test]
fn an_operation_that_comes_after_itself() {
    assert_eq!(
        mistake("[[op]]\nafter = { done = \"op1\" }\nping = {}"),
        "
error: an operation does not come after itself
 --> x.toml:3:18
  |
3 | after = { done = \"op1\" }
  |                  ^^^^^
"
    );
}

#[test]
fn a_scenario_that_was_made_tells_where_it_makes_no_sense() {
    let mut scenario = Scenario::new("x");
    let ping = At { on: "c7".into(), by: By::Client };
    scenario.ops.push(Op::new("op1", Span::ZERO, Action::Ping(ping)));
    let fault = scenario.check().unwrap_err();
    assert_eq!(fault.to_string(), "op[0].ping.on: no connection is called `c7`; there is `c0`");
}
