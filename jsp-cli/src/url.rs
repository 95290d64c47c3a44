//! `jsp://FINGERPRINT@HOST:PORT/PATH`: where a server is, who it must be, and what is wanted of it.
//!
//! The path's characters may be written as they are, or as `%` and two hexadecimal digits.

use jsp_driver_tokio::Fingerprint;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::str::FromStr;

const SCHEME: &str = "jsp://";
/// What would end a URL where people paste it, or be taken for an escape.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%').add(b'<').add(b'>');

/// A parsed URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    /// Who the server must prove to be.
    pub(crate) fingerprint: Fingerprint,
    /// A name or an address; IPv6 without its brackets.
    pub(crate) host: String,
    /// The UDP port, never 0.
    pub(crate) port: u16,
    /// What follows the first slash, decoded; often empty.
    pub(crate) path: String,
}

/// Why a text is no such URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BadUrl {
    Scheme,
    NoFingerprint,
    Fingerprint,
    NoPort,
    Port,
    NoHost,
    Brackets,
    Path,
}

impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Scheme => "it does not begin with jsp://",
            Self::NoFingerprint => "there is no FINGERPRINT@ before the host",
            Self::Fingerprint => "the fingerprint must have 64 hexadecimal digits",
            Self::NoPort => "there is no :PORT after the host",
            Self::Port => "the port must be a number from 1 to 65535",
            Self::NoHost => "there is no host before the port",
            Self::Brackets => "an IPv6 address must be written in brackets, as in [::1]:4433",
            Self::Path => "the path's %-escapes are not UTF-8",
        };
        write!(
            f,
            "{what}\n\nA URL has the form jsp://FINGERPRINT@HOST:PORT/PATH; `jsp serve` prints its own"
        )
    }
}

impl std::error::Error for BadUrl {}

impl FromStr for Url {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let rest = text.trim().strip_prefix(SCHEME).ok_or(BadUrl::Scheme)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (fingerprint, at) = authority.split_once('@').ok_or(BadUrl::NoFingerprint)?;
        let fingerprint = fingerprint.parse().map_err(|_| BadUrl::Fingerprint)?;
        let (host, port) = split_port(at)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(BadUrl::Port)?;
        let path = percent_decode_str(path).decode_utf8().map_err(|_| BadUrl::Path)?;
        Ok(Self { fingerprint, host: host.into(), port, path: path.into() })
    }
}

/// Takes host and port apart.
fn split_port(at: &str) -> Result<(&str, &str), BadUrl> {
    if let Some(rest) = at.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or(BadUrl::Brackets)?;
        // What follows a % is the interface of a link-local address.
        let address = host.split('%').next().unwrap_or_default();
        address.parse::<Ipv6Addr>().map_err(|_| BadUrl::Brackets)?;
        return Ok((host, port.strip_prefix(':').ok_or(BadUrl::NoPort)?));
    }
    let (host, port) = at.rsplit_once(':').ok_or(BadUrl::NoPort)?;
    match host {
        "" => Err(BadUrl::NoHost),
        host if host.contains(':') => Err(BadUrl::Brackets),
        host => Ok((host, port)),
    }
}

impl Url {
    /// The root of the server at `address`.
    pub(crate) fn new(fingerprint: Fingerprint, address: SocketAddr) -> Self {
        let host = address.ip().to_string();
        Self { fingerprint, host, port: address.port(), path: String::new() }
    }

    /// Host and port, as people write them.
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = utf8_percent_encode(&self.path, ESCAPED);
        write!(f, "{SCHEME}{}@{}/{path}", self.fingerprint, self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(rest: &str) -> Result<Url, BadUrl> {
        format!("jsp://{}@{rest}", "ab".repeat(32)).parse()
    }

    #[test]
    fn hosts_of_every_kind_are_understood_and_written_as_they_were() {
        for (text, host, port, path) in [
            ("example.org:4433/", "example.org", 4433, ""),
            ("127.0.0.1:1", "127.0.0.1", 1, ""),
            ("[::1]:65535/a/b", "::1", 65535, "a/b"),
            ("[fe80::1%eth0]:9/", "fe80::1%eth0", 9, ""),
            ("h:1/my%20file%25.txt", "h", 1, "my file%.txt"),
            ("h:1//etc/passwd", "h", 1, "/etc/passwd"),
        ] {
            let url = parse(text).unwrap();
            assert_eq!((&*url.host, url.port, &*url.path), (host, port, path), "{text}");
            assert_eq!(url.to_string().parse(), Ok(url));
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, error) in [
            ("h", BadUrl::NoPort),
            ("h:", BadUrl::Port),
            ("h:0", BadUrl::Port),
            ("h:65536", BadUrl::Port),
            (":1", BadUrl::NoHost),
            ("::1:443", BadUrl::Brackets),
            ("[::1:443", BadUrl::Brackets),
            ("[localhost]:443", BadUrl::Brackets),
            ("[::1]", BadUrl::NoPort),
            ("h:1/%ff", BadUrl::Path),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
        assert_eq!("http://h:1/".parse::<Url>(), Err(BadUrl::Scheme));
        assert_eq!("jsp://h:1/".parse::<Url>(), Err(BadUrl::NoFingerprint));
        assert_eq!("jsp://abc@h:1/".parse::<Url>(), Err(BadUrl::Fingerprint));
    }
}
