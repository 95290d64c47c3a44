//! Files on their way to and from the network: names, a folder that nothing leads out of, and content
//! that is read, written and hashed on threads for blocking work.
//!
//! ```text
//!  name ──▶ root ──┬── reader: file ─▶ pieces, SHA-256
//!                  └── writer: pieces ─▶ partial ─▶ file, SHA-256
//! ```

mod name;
mod partial;
mod reader;
mod root;
mod work;
mod writer;

pub(crate) use name::Name;
pub(crate) use reader::{Opened, Reader};
pub(crate) use root::{FileError, Listing, Root};
pub(crate) use work::Work;
pub(crate) use writer::{Create, Verdict, Writer};

/// How much of a file is read, hashed, handed over or written at once: large against the cost of
/// changing threads, small against a processor's second-level cache.
pub(crate) const PIECE: usize = 512 << 10;

/// A file's SHA-256.
pub(crate) type Hash = [u8; crate::protocol::HASH_LEN];
