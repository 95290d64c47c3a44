//! The command line.

use crate::units::{parse_seconds, parse_size};
use crate::url::Url;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use jsp_driver_tokio::jsp_proto::crypto::Suite;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  something on this machine failed
    2  the command line is wrong
    3  no connection, or it was lost
    4  the server is not the one of the URL
    5  the server refuses
    6  what arrived is not what was sent
  130  interrupted";

/// Files, round trips and measurements over JetStreamProto, post-quantum secure.
///
/// `jsp serve` prints a URL that says where the server is and who it is. With that URL others get
/// files from it, send files to it, and measure the way there. Begin with `jsp demo`.
#[derive(Debug, Parser)]
#[command(name = "jsp", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What all commands take.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Shared options")]
pub(crate) struct Shared {
    /// Accept this cipher suite only [default: what this CPU does best, first]
    #[arg(long, global = true, value_name = "SUITE")]
    pub(crate) suite: Option<SuiteName>,
    /// The cryptography to use: aws-lc (fast) or rustcrypto (portable)
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) provider: Option<String>,
    /// The largest UDP payload to try [default: 9000, and 65000 on a loopback]
    #[arg(long, global = true, value_name = "BYTES",
        value_parser = clap::value_parser!(u16).range(1200..=65000))]
    pub(crate) mtu: Option<u16>,
    /// Tell what happens, on standard error; twice for single datagrams
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Append the connections' secrets to FILE: who reads it reads the connections
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) keylog: Option<PathBuf>,
    /// How long silence is borne before a peer counts as gone
    #[arg(long, global = true, hide = true, value_name = "SECONDS", default_value = "15",
        value_parser = parse_seconds)]
    pub(crate) idle_timeout: Duration,
}

/// A suite by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SuiteName {
    #[value(name = "aes-256-gcm")]
    Aes256Gcm,
    #[value(name = "chacha20-poly1305")]
    ChaCha20Poly1305,
    #[value(name = "aes-256-gcm-siv")]
    Aes256GcmSiv,
}

impl From<SuiteName> for Suite {
    fn from(name: SuiteName) -> Self {
        match name {
            SuiteName::Aes256Gcm => Self::Aes256Gcm,
            SuiteName::ChaCha20Poly1305 => Self::ChaCha20Poly1305,
            SuiteName::Aes256GcmSiv => Self::Aes256GcmSiv,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make an identity, and print its fingerprint
    Keygen(Keygen),
    /// Share a folder, and answer measurements; prints one line with the URL
    Serve(Serve),
    /// Get a file, or a folder if the URL ends with a slash
    Get(Get),
    /// Send files or folders
    Send(Send),
    /// Measure the handshake and round trips
    Ping(Ping),
    /// Measure goodput and what it costs
    Bench(Bench),
    /// Show it all: hand a file from a server to a client in this process, over a real UDP socket
    Demo(Demo),
}

#[derive(Args, Debug)]
pub(crate) struct Keygen {
    /// The new file; it must not exist
    #[arg(short, long, value_name = "FILE", default_value = "jsp.key")]
    pub(crate) output: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// Where to listen; port 0 is any free one [default: any address and port]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// The folder to share: whoever reaches this server can get all that is below it and add to it
    /// [default: none]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// The server's identity, from `jsp keygen` [default: one for this run]
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Get {
    /// What to get: jsp://FINGERPRINT@HOST:PORT/PATH
    pub(crate) url: Url,
    /// The new file, or the folder to put it into [default: its name there]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Get all that is below PATH, as if it ended with a slash
    #[arg(short, long)]
    pub(crate) recursive: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Send {
    /// Files, and folders with all that is below them
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Where to: jsp://FINGERPRINT@HOST:PORT/, with a new name or a folder's name and a slash behind it
    pub(crate) url: Url,
}

#[derive(Args, Debug)]
pub(crate) struct Ping {
    /// The server: jsp://FINGERPRINT@HOST:PORT/
    pub(crate) url: Url,
    /// How many round trips
    #[arg(short = 'c', long, value_name = "N", default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) count: u32,
    /// Milliseconds between two of them
    #[arg(short = 'i', long, value_name = "MS", default_value_t = 100)]
    pub(crate) interval: u32,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Bench {
    /// The server: jsp://FINGERPRINT@HOST:PORT/
    pub(crate) url: Url,
    /// Seconds to measure [default: 5]
    #[arg(long, value_name = "S", value_parser = parse_seconds, conflicts_with = "bytes")]
    pub(crate) time: Option<Duration>,
    /// Bytes to measure, such as 500M
    #[arg(long, value_name = "N", value_parser = parse_size)]
    pub(crate) bytes: Option<u64>,
    /// Have the server send
    #[arg(long)]
    pub(crate) reverse: bool,
    /// Streams at once
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=32))]
    pub(crate) streams: u16,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// How large the file is
    #[arg(long, value_name = "BYTES", value_parser = parse_size, default_value = "256M")]
    pub(crate) size: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn shared_options_stand_before_or_behind_the_command() {
        for line in [&["jsp", "--mtu", "1452", "demo"][..], &["jsp", "demo", "--mtu", "1452"]] {
            assert_eq!(Cli::try_parse_from(line).unwrap().shared.mtu, Some(1452));
        }
        assert!(Cli::try_parse_from(["jsp", "demo", "--mtu", "1199"]).is_err());
    }

    #[test]
    fn what_is_sent_comes_before_where_to() {
        let url = format!("jsp://{}@h:1/", "00".repeat(32));
        let cli = Cli::try_parse_from(["jsp", "send", "a", "b", &url]).unwrap();
        let Command::Send(send) = cli.command else { panic!() };
        assert_eq!((send.files.len(), send.url.port), (2, 1));
        assert!(Cli::try_parse_from(["jsp", "send", &url]).is_err());
    }
}
