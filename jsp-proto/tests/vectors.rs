//! The test vectors of `spec/vectors`: what this engine makes of fixed seeds, byte by byte.
//!
//! They are committed. After a change of the wire format, or of what the engine sends when,
//! `JSP_WRITE_VECTORS=1 cargo test -p jsp-proto --test vectors` writes them anew. That they are right is
//! for `vectors_stranger.rs` to say, which follows the specification alone.

// The vectors need a provider that repeats itself.
#![cfg(feature = "rustcrypto")]
// What cannot be made is a failed test.
#![allow(clippy::unwrap_used)]

#[path = "vectors/admission.rs"]
mod admission;
#[path = "vectors/doc.rs"]
mod doc;
#[path = "vectors/exchange.rs"]
mod exchange;
#[path = "vectors/frames.rs"]
mod frames;
#[path = "vectors/handshake.rs"]
mod handshake;
#[path = "vectors/packets.rs"]
mod packets;
#[path = "vectors/provider.rs"]
mod provider;

use doc::{Doc, render};
use std::path::Path;
use std::{env, fs};

fn documents() -> Vec<(&'static str, Doc)> {
    let connections = handshake::CASES.iter().map(|case| (case.name, handshake::document(case)));
    let others = [
        ("packets.json", packets::document()),
        ("key-update.json", packets::key_updates()),
        ("frames.json", frames::document()),
        ("connection-ids.json", admission::connection_ids()),
        ("retry-tokens.json", admission::tokens()),
    ];
    connections.chain(others).collect()
}

#[test]
fn the_engine_makes_the_committed_vectors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors");
    for (name, doc) in documents() {
        let (path, content) = (folder.join(name), render(&doc));
        if env::var_os("JSP_WRITE_VECTORS").is_some() {
            fs::write(&path, &content).unwrap();
        }
        // Not assert_eq: nobody wants to read both.
        assert!(
            fs::read_to_string(&path).unwrap_or_default() == content,
            "{name} differs: see the head of this file"
        );
    }
}
