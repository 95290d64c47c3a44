//! How an operation is read: a table of which one key says what happens.

use super::op::{Action, Op};
use crate::units::Span;
use serde::Deserialize;
use serde::de::value::{EnumAccessDeserializer, StrDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess,
    VariantAccess, Visitor,
};
use std::fmt;

/// The keys of an operation, as errors list them: those of every operation, then the actions.
const KEYS: [&str; 3 + Action::NAMES.len()] = {
    let mut keys = ["name", "at", "after"].as_slice();
    let mut all = [""; 3 + Action::NAMES.len()];
    let mut i = 0;
    while i < all.len() {
        if i == 3 {
            keys = &Action::NAMES;
        }
        all[i] = keys[if i < 3 { i } else { i - 3 }];
        i += 1;
    }
    all
};

/// A key of an operation.
enum Key {
    Name,
    At,
    After,
    Action(&'static str),
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl Visitor<'_> for Keys {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key of an operation")
            }

            fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Key, E> {
                match key {
                    "name" => Ok(Key::Name),
                    "at" => Ok(Key::At),
                    "after" => Ok(Key::After),
                    _ => {
                        let action = Action::NAMES.iter().find(|name| **name == key);
                        action
                            .map(|name| Key::Action(name))
                            .ok_or_else(|| E::unknown_field(key, &KEYS))
                    }
                }
            }
        }

        // A string that the deserialiser knows the place of.
        deserializer.deserialize_identifier(Keys)
    }
}

/// One entry of a map as an externally tagged enum.
struct Entry<'a, A> {
    name: &'static str,
    map: &'a mut A,
}

impl<'de, A: MapAccess<'de>> EnumAccess<'de> for Entry<'_, A> {
    type Error = A::Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), A::Error> {
        let name: StrDeserializer<'_, A::Error> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de, A: MapAccess<'de>> VariantAccess<'de> for Entry<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.map.next_value()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        self.map.next_value_seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, A::Error> {
        Err(A::Error::custom("no action is a tuple"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, A::Error> {
        Err(A::Error::custom("no action is written without braces"))
    }
}

impl<'de> Deserialize<'de> for Op {
    /// The action is a key among the others, which a derived implementation with `flatten` could read,
    /// too, but would forget the place of everything wrong.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Op;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an operation")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Op, A::Error> {
                let (mut name, mut at, mut after) = (String::new(), Span::default(), None);
                let mut action: Option<Action> = None;
                while let Some(key) = map.next_key()? {
                    match key {
                        Key::Name => name = map.next_value()?,
                        Key::At => at = map.next_value()?,
                        Key::After => after = Some(map.next_value()?),
                        Key::Action(name) => {
                            if let Some(first) = &action {
                                return Err(A::Error::custom(format_args!(
                                    "an operation does one thing, and this one has `{}` and \
                                     `{name}`",
                                    first.name()
                                )));
                            }
                            let entry = Entry { name, map: &mut map };
                            action = Some(Action::deserialize(EnumAccessDeserializer::new(entry))?);
                        }
                    }
                }
                let action = action.ok_or_else(|| {
                    let names = Action::NAMES.join(", ");
                    A::Error::custom(format_args!(
                        "an operation does something, and this one has none of {names}"
                    ))
                })?;
                Ok(Op { name, at, after, action })
            }
        }

        deserializer.deserialize_map(Fields)
    }
}
