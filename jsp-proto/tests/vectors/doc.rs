//! A JSON document whose objects keep the order in which they were written, so that a file reads from
//! inputs to results, and its bytes are always the same.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// A JSON value.
#[derive(Clone, Debug)]
pub(crate) enum Doc {
    Null,
    Flag(bool),
    Number(u64),
    Text(String),
    List(Vec<Doc>),
    Object(Vec<(&'static str, Doc)>),
}

impl Serialize for Doc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => list.serialize(serializer),
            Self::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, value) in fields {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

impl From<&str> for Doc {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Doc {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Doc {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Doc {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl<T: Into<Doc>> From<Option<T>> for Doc {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<Vec<Doc>> for Doc {
    fn from(list: Vec<Doc>) -> Self {
        Self::List(list)
    }
}

/// An object of `name: value` pairs, in this order.
macro_rules! object {
    ($($name:literal: $value:expr),* $(,)?) => {
        crate::doc::Doc::Object(vec![$(($name, crate::doc::Doc::from($value))),*])
    };
}
pub(crate) use object;

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> Doc {
    use std::fmt::Write;
    let mut digits = String::new();
    for byte in bytes.as_ref() {
        write!(digits, "{byte:02x}").unwrap();
    }
    Doc::Text(digits)
}

/// The file's content.
pub(crate) fn render(doc: &Doc) -> String {
    serde_json::to_string_pretty(doc).unwrap() + "\n"
}
