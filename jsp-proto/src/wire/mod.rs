//! Codecs without state: bytes to values and back (`spec/02-packets.md`, `spec/03-frames.md`).
//!
//! Decoders borrow from the datagram, never allocate and never panic. Encoders write into a slice
//! and say when it is full.

mod buf;
pub mod frame;
pub mod header;
mod number;
pub mod parameters;
pub mod permission;
#[cfg(test)]
mod tests;

pub use buf::{Full, Malformed, Put, Reader, VARINT_MAX, Writer, varint_len};
pub use number::TruncatedNumber;
