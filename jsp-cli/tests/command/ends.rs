//! Processes that end before their work does. (Unix: signals.)
#![cfg(unix)]

use crate::run::{Server, assert_exit, command, content, finish, jsp_in, names, signal, until};
use std::fs::{self, File};
use std::path::Path;

/// More than can be moved before somebody acts.
const ENDLESS: u64 = 1 << 40;

/// Whether something of an unfinished file has arrived in `dir`.
fn is_under_way(dir: &Path) -> bool {
    let entries = fs::read_dir(dir).unwrap().filter_map(Result::ok);
    entries.filter_map(|entry| entry.metadata().ok()).any(|file| file.len() > 0)
}

fn endless(path: &Path) {
    File::create(path).unwrap().set_len(ENDLESS).unwrap();
}

#[test]
fn a_server_that_is_killed_leaves_no_part_of_a_file() {
    let (mut server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    endless(&server.shared("file"));
    let get = command(&["get", &server.at("file"), "--idle-timeout", "1"])
        .current_dir(dir.path())
        .spawn()
        .unwrap();
    until("the transfer", || is_under_way(dir.path()));
    assert!(names(dir.path()).iter().all(|name| name.starts_with('.')));
    server.child.kill().unwrap();
    let words = assert_exit(&finish(get), 3);
    assert!(words.contains("silent"), "{words}");
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn a_client_that_is_killed_leaves_no_part_of_a_file_at_the_server() {
    let server = Server::start_with(&["--idle-timeout", "1"]);
    let dir = tempfile::tempdir().unwrap();
    endless(&dir.path().join("file"));
    let mut send = command(&["send", "file", &server.url]).current_dir(dir.path()).spawn().unwrap();
    until("the transfer", || is_under_way(&server.shared("")));
    send.kill().unwrap();
    finish(send);
    until("the server's removal of it", || names(&server.shared("")).is_empty());
}

#[test]
fn a_client_that_is_interrupted_clears_up_and_says_so() {
    let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    endless(&server.shared("file"));
    let get = command(&["get", &server.at("file")]).current_dir(dir.path()).spawn().unwrap();
    until("the transfer", || is_under_way(dir.path()));
    signal(get.id(), "-INT");
    let words = assert_exit(&finish(get), 130);
    assert!(words.contains("interrupted"), "{words}");
    assert_eq!(names(dir.path()), [""; 0]);
    // The server has other clients.
    fs::write(server.shared("small"), "x").unwrap();
    assert_exit(&jsp_in(dir.path(), &["get", &server.at("small")]), 0);
}

#[test]
fn a_server_that_is_asked_to_end_completes_what_is_under_way() {
    let (mut server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    let bytes = content(4 << 20);
    fs::write(server.shared("file"), &bytes).unwrap();
    let get = command(&["get", &server.at("file")]).current_dir(dir.path()).spawn().unwrap();
    until("the transfer", || !names(dir.path()).is_empty());
    signal(server.child.id(), "-TERM");
    assert_exit(&finish(get), 0);
    assert_eq!(fs::read(dir.path().join("file")).unwrap(), bytes);
    assert_eq!(server.wait().code(), Some(0));
}
