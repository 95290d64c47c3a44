//! What can go wrong, one small enum for each operation.

pub use jsp_driver_mio::ConnectError;

use jsp_proto::error::{AppCode, CloseReason};
use jsp_proto::stream;
use std::fmt;
use std::io;

/// Why no address of a host led to a connection.
#[derive(Debug)]
pub enum ConnectHostError {
    /// The host's name could not be resolved.
    Resolve(io::Error),
    /// The name has no address that the endpoint's socket can reach.
    NoAddress,
    /// No attempt could be begun; this is why the last one was not.
    Connect(ConnectError),
    /// Every attempt failed; this is how the last one ended.
    Closed(CloseReason),
}

impl fmt::Display for ConnectHostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(error) => write!(f, "the host's name could not be resolved: {error}"),
            Self::NoAddress => f.write_str("the host has no address that can be reached from here"),
            Self::Connect(error) => error.fmt(f),
            Self::Closed(reason) => reason.fmt(f),
        }
    }
}

impl std::error::Error for ConnectHostError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Resolve(error) => Some(error),
            Self::NoAddress => None,
            Self::Connect(error) => Some(error),
            Self::Closed(reason) => Some(reason),
        }
    }
}

/// Why nothing could be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// The peer wants no more of it, for this reason; the stream was reset.
    Stopped(AppCode),
    /// The stream was finished or reset before.
    Closed,
    /// The connection has ended.
    ConnectionLost(CloseReason),
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(code) => write!(f, "the peer stopped the stream (code {})", code.0),
            Self::Closed => f.write_str("the stream was finished or reset"),
            Self::ConnectionLost(reason) => write!(f, "connection lost: {reason}"),
        }
    }
}

impl std::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::ConnectionLost(reason) => Some(reason),
            Self::Stopped(_) | Self::Closed => None,
        }
    }
}

impl From<WriteError> for io::Error {
    fn from(error: WriteError) -> Self {
        let kind = match &error {
            WriteError::Stopped(_) => io::ErrorKind::ConnectionReset,
            WriteError::Closed => io::ErrorKind::BrokenPipe,
            WriteError::ConnectionLost(reason) => kind(reason),
        };
        Self::new(kind, error)
    }
}

/// Why nothing could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The peer abandoned the stream, for this reason.
    Reset(AppCode),
    /// The stream was stopped, or its reset was told before.
    Closed,
    /// The connection ended before the stream did; what had arrived was read.
    ConnectionLost(CloseReason),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reset(code) => write!(f, "the peer reset the stream (code {})", code.0),
            Self::Closed => f.write_str("the stream was stopped"),
            Self::ConnectionLost(reason) => write!(f, "connection lost: {reason}"),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::ConnectionLost(reason) => Some(reason),
            Self::Reset(_) | Self::Closed => None,
        }
    }
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        let kind = match &error {
            ReadError::Reset(_) => io::ErrorKind::ConnectionReset,
            ReadError::Closed => io::ErrorKind::NotConnected,
            ReadError::ConnectionLost(reason) => kind(reason),
        };
        Self::new(kind, error)
    }
}

/// Why a stream could not be read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadToEndError {
    /// It is longer than was allowed.
    TooLong,
    /// Reading failed.
    Read(ReadError),
}

impl fmt::Display for ReadToEndError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the stream is longer than was allowed"),
            Self::Read(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReadToEndError {}

impl From<ReadToEndError> for io::Error {
    fn from(error: ReadToEndError) -> Self {
        match error {
            ReadToEndError::TooLong => Self::new(io::ErrorKind::InvalidData, error),
            ReadToEndError::Read(error) => error.into(),
        }
    }
}

/// The stream had ended before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedStream;

impl fmt::Display for ClosedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stream had ended before")
    }
}

impl std::error::Error for ClosedStream {}

impl From<stream::ClosedStream> for ClosedStream {
    fn from(_: stream::ClosedStream) -> Self {
        Self
    }
}

fn kind(reason: &CloseReason) -> io::ErrorKind {
    match reason {
        CloseReason::IdleTimeout | CloseReason::HandshakeTimeout => io::ErrorKind::TimedOut,
        CloseReason::StatelessReset => io::ErrorKind::ConnectionReset,
        CloseReason::Local { .. } => io::ErrorKind::NotConnected,
        _ => io::ErrorKind::ConnectionAborted,
    }
}
