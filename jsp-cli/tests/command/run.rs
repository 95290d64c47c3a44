//! Running `jsp`, with an end to every wait.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jsp"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs `jsp` in `dir` to its end.
pub(crate) fn jsp_in(dir: &Path, args: &[&str]) -> Output {
    finish(command(args).current_dir(dir).spawn().unwrap())
}

pub(crate) fn jsp(args: &[&str]) -> Output {
    jsp_in(&std::env::temp_dir(), args)
}

/// Waits for a process, but not for ever.
pub(crate) fn finish(child: Child) -> Output {
    let (id, (sender, receiver)) = (child.id(), mpsc::channel());
    thread::spawn(move || sender.send(child.wait_with_output()));
    let output = receiver.recv_timeout(LIMIT).unwrap_or_else(|_| {
        signal(id, "-KILL");
        panic!("it does not end")
    });
    output.unwrap()
}

/// Sends a signal to a process.
pub(crate) fn signal(id: u32, name: &str) {
    assert!(Command::new("kill").args([name, &id.to_string()]).status().unwrap().success());
}

/// Waits until `condition` holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "{what} does not happen");
        // Between two looks; nothing depends on how long it takes.
        thread::sleep(Duration::from_millis(2));
    }
}

#[track_caller]
pub(crate) fn assert_exit(output: &Output, code: i32) -> String {
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    words
}

/// A `jsp serve` that is killed with the test, and the folder that it shares.
pub(crate) struct Server {
    pub(crate) child: Child,
    /// Ends with a slash.
    pub(crate) url: String,
    dir: TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("shared")).unwrap();
        let mut child = command(&["serve", "--listen", "127.0.0.1:0", "--dir", "shared"])
            .args(options)
            .current_dir(dir.path())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut url).unwrap();
        let url = url.strip_suffix('\n').expect("one whole line").to_owned();
        assert!(url.starts_with("jsp://") && url.ends_with('/'), "{url}");
        Self { child, url, dir }
    }

    /// The URL of something that it shares.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Where something that it shares is.
    pub(crate) fn shared(&self, name: &str) -> PathBuf {
        self.dir.path().join("shared").join(name)
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        until("the server's end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The names in a folder.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Content that differs from place to place.
pub(crate) fn content(length: usize) -> Vec<u8> {
    (0..length as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}
