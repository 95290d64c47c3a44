use crate::run::{Server, assert_exit, content, jsp, jsp_in, names};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::fs;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[test]
fn a_file_travels_there_and_back_and_its_hash_is_told() {
    let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    for (name, length) in [("empty", 0), ("one", 1), ("some", 3 * (512 << 10) + 17)] {
        let bytes = content(length);
        fs::write(dir.path().join(name), &bytes).unwrap();
        assert_exit(&jsp_in(dir.path(), &["send", name, &server.at("deep/in/")]), 0);
        assert_eq!(fs::read(server.shared("deep/in").join(name)).unwrap(), bytes);

        let got = jsp_in(dir.path(), &["get", &server.at(&format!("deep/in/{name}")), "-o", "got"]);
        assert_exit(&got, 0);
        let told = String::from_utf8(got.stdout).unwrap();
        assert!(told.contains(&hex(&Sha256::digest(&bytes))), "{told}");
        assert_eq!(fs::read(dir.path().join("got")).unwrap(), bytes);
        fs::remove_file(dir.path().join("got")).unwrap();
    }
}

#[test]
fn without_a_name_a_file_keeps_its_own_and_a_folder_takes_it_in() {
    let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    fs::write(server.shared("my file %.txt"), "x").unwrap();
    fs::create_dir(dir.path().join("folder")).unwrap();
    let url = server.at("my%20file%20%25.txt");
    assert_exit(&jsp_in(dir.path(), &["get", &url]), 0);
    assert_exit(&jsp_in(dir.path(), &["get", &url, "-o", "folder"]), 0);
    assert_eq!(names(dir.path()), ["folder", "my file %.txt"]);
    assert_eq!(names(&dir.path().join("folder")), ["my file %.txt"]);
}

#[test]
fn a_thousand_small_files_travel_over_one_connection() {
    let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    let from = dir.path().join("from");
    for n in 0..1000 {
        let folder = from.join((n % 7).to_string());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(n.to_string()), content(1000 + n)).unwrap();
    }
    let sent = jsp_in(dir.path(), &["send", "from", &server.url]);
    assert_exit(&sent, 0);
    assert!(String::from_utf8(sent.stdout).unwrap().starts_with("sent 1000 files"));
    let got = jsp_in(dir.path(), &["get", &server.at("from/"), "-o", "back"]);
    assert_exit(&got, 0);
    assert!(String::from_utf8(got.stdout).unwrap().starts_with("got 1000 files"));
    for n in 0..1000 {
        let name = format!("{}/{n}", n % 7);
        assert_eq!(fs::read(dir.path().join("back").join(name)).unwrap(), content(1000 + n));
    }
}

#[test]
fn of_many_files_those_that_exist_stay_and_the_others_arrive() {
    let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    for name in ["a", "b", "c"] {
        fs::write(server.shared(name), name).unwrap();
    }
    fs::write(dir.path().join("b"), "mine").unwrap();
    let target = dir.path().to_str().unwrap();
    let words = assert_exit(&jsp(&["get", &server.url, "-o", target]), 1);
    assert!(words.contains("1 of 3 files failed"), "{words}");
    let contents: Vec<_> =
        ["a", "b", "c"].iter().map(|name| fs::read(dir.path().join(name)).unwrap()).collect();
    assert_eq!(contents, [&b"a"[..], b"mine", b"c"]);
}
