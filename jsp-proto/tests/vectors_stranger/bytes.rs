//! Reading: JSON, hexadecimal digits, and the integers of `spec/01-terms.md`.

use serde_json::Value;
use std::fs;
use std::path::Path;

/// A file of `spec/vectors`.
pub(crate) fn load(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors");
    serde_json::from_str(&fs::read_to_string(folder.join(name)).unwrap()).unwrap()
}

/// A field that holds text.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no text {name}"))
}

/// A field that holds a number.
pub(crate) fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("no number {name}"))
}

/// A field that holds a list.
pub(crate) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap_or_else(|| panic!("no list {name}"))
}

/// A field that holds bytes.
pub(crate) fn bytes(value: &Value, name: &str) -> Vec<u8> {
    let digits = text(value, name).as_bytes();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

/// A field that holds this many bytes.
pub(crate) fn array<const N: usize>(value: &Value, name: &str) -> [u8; N] {
    bytes(value, name).try_into().unwrap()
}

/// A cursor over bytes; what it cannot read fails the test.
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(crate) fn take(&mut self, n: usize) -> &'a [u8] {
        let (now, later) = self.0.split_at(n);
        self.0 = later;
        now
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        self.take(self.0.len())
    }

    /// A big-endian integer of `n` bytes.
    pub(crate) fn uint(&mut self, n: usize) -> u64 {
        self.take(n).iter().fold(0, |value, &byte| value << 8 | u64::from(byte))
    }

    /// Section 1.3.
    pub(crate) fn varint(&mut self) -> u64 {
        let n = 1 << (self.0[0] >> 6);
        self.uint(n) & ((1 << (8 * n - 2)) - 1)
    }

    /// Bytes behind a length of `n` bytes.
    pub(crate) fn prefixed(&mut self, n: usize) -> &'a [u8] {
        let len = self.uint(n);
        self.take(len as usize)
    }

    /// Bytes behind a variable-length length.
    pub(crate) fn varint_prefixed(&mut self) -> &'a [u8] {
        let len = self.varint();
        self.take(len as usize)
    }
}
