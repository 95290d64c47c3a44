use crate::run::{Server, assert_exit, jsp, jsp_in, names};
use std::fs;
use std::net::UdpSocket;

#[test]
fn what_exists_is_never_replaced_on_either_side() {
    let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    fs::write(server.shared("name"), "theirs").unwrap();
    fs::write(dir.path().join("name"), "mine").unwrap();
    let words = assert_exit(&jsp_in(dir.path(), &["get", &server.at("name")]), 1);
    assert!(words.contains("exists already") && words.contains("-o FILE"), "{words}");
    let words = assert_exit(&jsp_in(dir.path(), &["send", "name", &server.url]), 5);
    assert!(words.contains("already"), "{words}");
    assert_eq!(fs::read(dir.path().join("name")).unwrap(), b"mine");
    assert_eq!(fs::read(server.shared("name")).unwrap(), b"theirs");
    assert_eq!(names(dir.path()), ["name"]);
    assert_eq!(names(&server.shared("")), ["name"]);
}

#[cfg(unix)]
#[test]
fn no_name_and_no_link_leads_out_of_the_folder() {
    use std::os::unix::fs::symlink;
    let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    let secret = server.shared("../secret");
    fs::write(&secret, "secret").unwrap();
    symlink("../secret", server.shared("relative")).unwrap();
    symlink(fs::canonicalize(&secret).unwrap(), server.shared("absolute")).unwrap();
    symlink("..", server.shared("up")).unwrap();
    symlink("/", server.shared("root")).unwrap();
    for name in [
        "../secret",
        "%2e%2e/secret",
        "x/../../secret",
        "/etc/passwd",
        "relative",
        "absolute",
        "up/secret",
        "root/etc/passwd",
        "..%5csecret",
        "a%00b",
    ] {
        let got = jsp_in(dir.path(), &["get", &server.at(name), "-o", "got"]);
        assert_exit(&got, 5);
        fs::write(dir.path().join("mine"), "mine").unwrap();
        if !name.contains("lut") && name != "relative" {
            let sent = jsp_in(dir.path(), &["send", "mine", &server.at(&format!("{name}2"))]);
            assert_exit(&sent, 5);
        }
    }
    assert_exit(&jsp_in(dir.path(), &["get", &server.at("up/"), "-o", "all"]), 5);
    assert_exit(&jsp_in(dir.path(), &["get", &server.url, "-o", "all"]), 0);
    assert_eq!(names(dir.path()), ["all", "mine"]);
    assert_eq!(names(&dir.path().join("all")), [""; 0]);
    assert_eq!(names(&server.shared("..")), ["secret", "shared"]);
    assert_eq!(names(&server.shared("")), ["absolute", "relative", "root", "up"]);
}

#[test]
fn a_server_with_another_identity_is_not_talked_to() {
    let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    fs::write(server.shared("name"), "x").unwrap();
    let at = server.url.split_once('@').unwrap().1;
    let url = format!("jsp://{}@{at}name", "00".repeat(32));
    let words = assert_exit(&jsp_in(dir.path(), &["get", &url]), 4);
    assert!(words.contains("not the server of this URL"), "{words}");
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn where_nobody_answers_the_message_says_what_to_look_at() {
    // Bound, so that nobody else gets the port; and silent.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let url = format!("jsp://{}@{}/", "00".repeat(32), silent.local_addr().unwrap());
    let words = assert_exit(&jsp(&["ping", &url, "--idle-timeout", "0.5"]), 3);
    assert!(words.contains("does not answer") && words.contains("firewall"), "{words}");
}

#[test]
fn what_is_not_there_or_not_shared_is_refused_with_words() {
    let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    fs::create_dir(server.shared("folder")).unwrap();
    let words = assert_exit(&jsp_in(dir.path(), &["get", &server.at("none")]), 5);
    assert!(words.contains("no such file"), "{words}");
    let words = assert_exit(&jsp_in(dir.path(), &["get", &server.at("folder")]), 5);
    assert!(words.contains("slash"), "{words}");
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn wrong_command_lines_have_an_exit_code_of_their_own() {
    assert_exit(&jsp(&["get"]), 2);
    let words = assert_exit(&jsp(&["get", "http://example.org/"]), 2);
    assert!(words.contains("does not begin with jsp://"), "{words}");
    let words = assert_exit(&jsp(&["demo", "--provider", "rot13"]), 2);
    assert!(words.contains("rustcrypto"), "{words}");
    assert_exit(&jsp(&["demo", "--suite", "none"]), 2);
}
