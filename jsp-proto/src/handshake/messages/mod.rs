//! The handshake's messages, to bytes and back (`spec/04-handshake.md`, section 4.1).
//!
//! ```text
//! type u8 | length of the body u24 | body
//! ```
//!
//! A decoder takes a whole body and refuses what is left over. Lengths are checked against the
//! type's largest before anything is kept.

mod auth;
mod client_hello;
mod codec;
mod server;

#[cfg(test)]
mod tests;

pub(super) use auth::{Finished, IdentityMessage, Proof};
pub(super) use client_hello::ClientHello;
pub(super) use codec::{Kind, MAX_FEATURES, bad_message, body};
pub(super) use server::{AuthWish, Encrypted, ServerHello};

pub(super) use codec::Extension;
pub use codec::Feature;
