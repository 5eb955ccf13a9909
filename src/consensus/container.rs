//! Containers: one declaration gives the struct, its strict JSON reader and its hash tree root.
//!
//! The reader takes an object, never an array. Every field without a default must be there, and none
//! twice; an `Option` may be null. Unknown fields are ignored, as the remote signing API may grow.

use std::cell::RefCell;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

thread_local! {
    /// The way to the field that failed, from the inside out. An error gathers it while it travels
    /// up, which serde's errors cannot do by themselves; nothing waits meanwhile.
    static PATH: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Notes that the error arose in this field.
pub(super) fn blame(field: &str) {
    PATH.with_borrow_mut(|path| path.push(name(field).to_owned()));
}

/// What JSON calls a field whose name Rust has taken.
fn name(field: &str) -> &str {
    field.strip_prefix("r#").unwrap_or(field)
}

/// Takes the way to the field that failed last, and forgets it.
pub(super) fn blamed() -> String {
    let mut path = PATH.take();
    path.reverse();
    path.join(".").replace(".[", "[")
}

/// Reads the value of a field, once. Not inlined, as [`finish`]: hundreds of fields have few types.
#[inline(never)]
pub(super) fn read<'de, T: Deserialize<'de>, M: MapAccess<'de>>(
    map: &mut M,
    field: &'static str,
    value: &mut Option<T>,
) -> Result<(), M::Error> {
    match value.replace(map.next_value().inspect_err(|_| blame(field))?) {
        Some(_) => Err(M::Error::duplicate_field(name(field))),
        None => Ok(()),
    }
}

/// The value that was read.
#[inline(never)]
pub(super) fn finish<T, E: Error>(field: &'static str, value: Option<T>) -> Result<T, E> {
    value.ok_or_else(|| E::missing_field(name(field)))
}

/// Which of these names a key is.
pub(super) struct Names(pub(super) &'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Names {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Names {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|field| name(field) == key))
    }
}

/// Declares objects that are only read: `Name { field: Type = default }`, with one type parameter at most.
macro_rules! objects {
    ($(
        $(#[$doc:meta])*
        $name:ident $(<$param:ident>)? { $($field:ident: $type:ty $(= $default:expr)?),* $(,)? }
    )*) => {$(
        $(#[$doc])*
        #[allow(non_snake_case, reason = "fields have the names that JSON gives them")]
        pub(super) struct $name $(<$param>)? {
            $(pub(super) $field: $type,)*
        }

        #[allow(non_snake_case, reason = "fields have the names that JSON gives them")]
        impl<'de $(, $param: serde::Deserialize<'de>)?> serde::Deserialize<'de> for $name $(<$param>)? {
            #[inline(never)] // lists and other containers call it
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use serde::de::{Error, IgnoredAny, MapAccess, Unexpected, Visitor};
                use $crate::consensus::container::{Names, finish, read};

                #[allow(non_camel_case_types, reason = "the variants are the names of the fields")]
                enum Key { $($field,)* }

                struct Fields<T>(std::marker::PhantomData<T>);

                impl<'de $(, $param: serde::Deserialize<'de>)?> Visitor<'de> for Fields<$name $(<$param>)?> {
                    type Value = $name $(<$param>)?;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    // The default would repeat the whole text in its message.
                    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
                        Err(E::invalid_type(Unexpected::Other("string"), &self))
                    }

                    fn visit_map<Map: MapAccess<'de>>(self, mut map: Map) -> Result<Self::Value, Map::Error> {
                        $(let mut $field: Option<$type> = None;)*
                        const NAMES: &[&str] = &[$(stringify!($field),)*];
                        while let Some(key) = map.next_key_seed(Names(NAMES))? {
                            match key {
                                $(Some(key) if key == Key::$field as usize => {
                                    read(&mut map, stringify!($field), &mut $field)?;
                                })*
                                _ => drop(map.next_value::<IgnoredAny>()?),
                            }
                        }
                        Ok($name {
                            $($field: finish(stringify!($field), $field$(.or(Some($default)))?)?,)*
                        })
                    }
                }

                deserializer.deserialize_any(Fields(std::marker::PhantomData))
            }
        }
    )*};
}

/// Declares SSZ containers: `Name = container { field: Type }`; the word names the function of
/// `ssz` that merkleizes, `container` or `progressive_container`.
macro_rules! containers {
    ($(
        $(#[$doc:meta])*
        $name:ident $(<$param:ident>)? = $merkleize:ident { $($field:ident: $type:ty),* $(,)? }
    )*) => {$(
        objects! {
            $(#[$doc])*
            $name $(<$param>)? { $($field: $type),* }
        }

        impl $(<$param: HashTreeRoot>)? HashTreeRoot for $name $(<$param>)? {
            fn hash_tree_root(&self) -> Root {
                ssz::$merkleize(&mut [$(self.$field.hash_tree_root().0,)*])
            }
        }
    )*};
}

pub(super) use {containers, objects};
