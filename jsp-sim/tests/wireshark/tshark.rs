//! tshark, as a reader of captures.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// Between the values of a field that occurs several times: none of ours holds it.
const AGGREGATOR: char = '\u{1f}';

/// What dissectors complain about, errors in Lua included.
const EXPERT: &str = "_ws.expert";

/// tshark with the dissector of `spec/wireshark/`.
pub(crate) struct Tshark;

/// What tshark showed of one record: the fields that were asked for, with all their values.
pub(crate) struct Shown(Vec<(String, Vec<String>)>);

impl Shown {
    /// A field's values, in order; none where the field is absent.
    pub(crate) fn all(&self, field: &str) -> Vec<&str> {
        let (_, values) = self.0.iter().find(|(name, _)| name == field).expect(field);
        values.iter().map(String::as_str).collect()
    }
}

impl Shown {
    /// What is wrong with the record.
    pub(crate) fn complaints(&self) -> impl Iterator<Item = &str> {
        self.all(EXPERT).into_iter()
    }
}

impl Tshark {
    /// tshark, if it is installed. Its absence fails the test where `JSP_REQUIRE_TSHARK` is set.
    pub(crate) fn find() -> Option<Self> {
        let found = Command::new("tshark").arg("--version").output().is_ok();
        if !found {
            assert!(std::env::var_os("JSP_REQUIRE_TSHARK").is_none(), "tshark is not installed");
            eprintln!("left out: tshark is not installed");
        }
        found.then_some(Self)
    }

    /// What tshark shows of each record of a capture: `fields`, and every complaint of its own.
    #[allow(clippy::unused_self, reason = "that there is a Tshark says that it is installed")]
    pub(crate) fn fields(&self, capture: &[u8], fields: &[&str]) -> Vec<Shown> {
        let mut names: Vec<&str> = fields.to_vec();
        names.push(EXPERT);
        let mut args = vec!["-T".to_owned(), "fields".to_owned()];
        args.extend(
            ["occurrence=a".to_owned(), format!("aggregator={AGGREGATOR}")]
                .map(|e| format!("-E{e}")),
        );
        args.extend(names.iter().map(|name| format!("-e{name}")));
        Self::run(capture, &args)
            .lines()
            .map(|line| {
                let values = line.split('\t').map(|values| {
                    let values = values.split(AGGREGATOR).filter(|value| !value.is_empty());
                    values.map(str::to_owned).collect()
                });
                let shown: Vec<_> =
                    names.iter().map(|name| (*name).to_owned()).zip(values).collect();
                assert_eq!(shown.len(), names.len());
                Shown(shown)
            })
            .collect()
    }

    /// The columns Protocol and Info of each record.
    #[allow(clippy::unused_self, reason = "that there is a Tshark says that it is installed")]
    pub(crate) fn columns(&self, capture: &[u8]) -> Vec<String> {
        let columns = r#"gui.column.format:"Protocol","%p","Info","%i""#;
        let out = Self::run(capture, &["-o".to_owned(), columns.to_owned()]);
        out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    /// Everything that is shown of JSP.
    #[allow(clippy::unused_self, reason = "that there is a Tshark says that it is installed")]
    pub(crate) fn details(&self, capture: &[u8], args: &[&str]) -> String {
        let args: Vec<_> = args.iter().chain(&["-O", "jsp"]).map(|&arg| arg.to_owned()).collect();
        Self::run(capture, &args)
    }

    fn run(capture: &[u8], args: &[String]) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("wireshark-{}.pcapng", NEXT.fetch_add(1, Ordering::Relaxed));
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&file, capture).unwrap();
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../spec/wireshark/jsp.lua");
        let Output { status, stdout, stderr } = Command::new("tshark")
            .arg("-X")
            .arg(format!("lua_script:{}", script.display()))
            .args(["-n", "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"])
            .args(args)
            .arg("-r")
            .arg(&file)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&stderr);
        assert!(status.success(), "{stderr}");
        assert!(!stderr.contains("Lua") && !stderr.contains("lua"), "{stderr}");
        fs::remove_file(&file).unwrap();
        String::from_utf8_lossy(&stdout).into_owned()
    }
}
