//! Containers: one declaration gives the struct, its strict JSON reader and its hash tree root.
//!
//! The reader takes an object, never an array. Every field must be there once, but an `Option` may
//! be absent or null; unknown fields are ignored, as the remote signing API may grow.

use std::cell::RefCell;

use serde::de::value::UnitDeserializer;
use serde::de::{Deserialize, Error};

thread_local! {
    /// The way to the field that failed, from the inside out. An error gathers it while it travels
    /// up, which serde's errors cannot do by themselves; nothing waits meanwhile.
    static PATH: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Notes that the error arose in this field.
pub(super) fn blame(field: &str) {
    PATH.with_borrow_mut(|path| path.push(field.trim_start_matches("r#").to_owned()));
}

/// Takes the way to the field that failed last, and forgets it.
pub(super) fn blamed() -> String {
    let mut path = PATH.take();
    path.reverse();
    path.join(".").replace(".[", "[")
}

/// The value of a field that is absent: only an `Option` takes nothing for one.
pub(super) fn absent<'de, T: Deserialize<'de>, E: Error>(field: &'static str) -> Result<T, E> {
    let missing = |_| E::missing_field(field.trim_start_matches("r#"));
    T::deserialize(UnitDeserializer::<E>::new()).map_err(missing)
}

/// Declares objects that are only read: `Name { field: Type }`, with one type parameter at most.
macro_rules! objects {
    ($(
        $(#[$doc:meta])*
        $name:ident $(<$param:ident>)? { $($field:ident: $type:ty),* $(,)? }
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
                use $crate::consensus::container::{absent, blame};

                #[derive(serde::Deserialize)]
                #[serde(field_identifier)]
                #[allow(non_camel_case_types, reason = "the variants are the names of the fields")]
                enum Key {
                    $($field,)*
                    #[serde(other)]
                    unknown_field,
                }

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
                        while let Some(key) = map.next_key()? {
                            match key {
                                $(Key::$field => {
                                    let value = map.next_value().inspect_err(|_| blame(stringify!($field)))?;
                                    if $field.replace(value).is_some() {
                                        return Err(Error::duplicate_field(stringify!($field)));
                                    }
                                })*
                                Key::unknown_field => drop(map.next_value::<IgnoredAny>()?),
                            }
                        }
                        Ok($name {
                            $($field: $field.map_or_else(|| absent(stringify!($field)), Ok)?,)*
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
