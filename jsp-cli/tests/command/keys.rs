use crate::run::{Server, assert_exit, jsp, jsp_in};
use std::fs;

#[cfg(unix)]
fn mode(path: &std::path::Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[cfg(unix)]
#[test]
fn an_identity_is_its_owners_alone_and_is_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let made = jsp_in(dir.path(), &["keygen", "-o", "key"]);
    assert_exit(&made, 0);
    let fingerprint = String::from_utf8(made.stdout).unwrap();
    assert_eq!(fingerprint.trim_end().len(), 64);
    let path = dir.path().join("key");
    assert_eq!(mode(&path), 0o600);
    let before = fs::read(&path).unwrap();
    let words = assert_exit(&jsp_in(dir.path(), &["keygen", "-o", "key"]), 1);
    assert!(words.contains("exists already"), "{words}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_server_with_an_identity_file_is_the_same_whenever_it_starts() {
    let dir = tempfile::tempdir().unwrap();
    let made = jsp_in(dir.path(), &["keygen", "-o", "key"]);
    let fingerprint = String::from_utf8(made.stdout).unwrap();
    let path = dir.path().join("key");
    for _ in 0..2 {
        let server = Server::start_with(&["--identity", path.to_str().unwrap()]);
        assert!(server.url.starts_with(&format!("jsp://{}@127.0.0.1:", fingerprint.trim_end())));
        assert_exit(&jsp(&["ping", "-c", "1", &server.url]), 0);
    }
    fs::write(&path, "something else").unwrap();
    assert_exit(&jsp_in(dir.path(), &["serve", "--identity", "key"]), 1);
    let words = assert_exit(&jsp_in(dir.path(), &["serve", "--identity", "none"]), 1);
    assert!(words.contains("jsp keygen"), "{words}");
}

#[cfg(unix)]
#[test]
fn secrets_are_logged_on_request_with_a_warning() {
    let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    for _ in 0..2 {
        let pinged = jsp_in(dir.path(), &["ping", "-c1", &server.url, "--keylog", "keys"]);
        let words = assert_exit(&pinged, 0);
        assert!(words.contains("warning"), "{words}");
    }
    let path = dir.path().join("keys");
    assert_eq!(mode(&path), 0o600);
    let log = fs::read_to_string(path).unwrap();
    let secrets: Vec<_> =
        log.lines().filter_map(|line| line.strip_prefix("CLIENT_TRAFFIC_SECRET_0 ")).collect();
    assert_eq!(secrets.len(), 2, "{log}");
    for line in secrets {
        let (random, secret) = line.split_once(' ').unwrap();
        assert!(
            [random, secret].iter().all(|hex| {
                hex.len() == 64 && hex.bytes().all(|digit| digit.is_ascii_hexdigit())
            })
        );
    }
}
