//! Containers: one declaration gives the struct, its strict JSON reader and its hash tree root.
//!
//! The reader takes an object, never an array. Every field must be there once; unknown fields are
//! ignored, as the remote signing API may grow.

/// Declares objects that are only read: `Name { field: Type }`, with one type parameter at most.
macro_rules! objects {
    ($(
        $(#[$doc:meta])*
        $name:ident $(<$param:ident>)? { $($field:ident: $type:ty),* $(,)? }
    )*) => {$(
        $(#[$doc])*
        pub(super) struct $name $(<$param>)? {
            $(pub(super) $field: $type,)*
        }

        impl<'de $(, $param: serde::Deserialize<'de>)?> serde::Deserialize<'de> for $name $(<$param>)? {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use serde::de::{Error, IgnoredAny, MapAccess, Unexpected, Visitor};

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
                                $(Key::$field => if $field.replace(map.next_value()?).is_some() {
                                    return Err(Error::duplicate_field(stringify!($field)));
                                },)*
                                Key::unknown_field => drop(map.next_value::<IgnoredAny>()?),
                            }
                        }
                        Ok($name {
                            $($field: $field.ok_or_else(|| Error::missing_field(stringify!($field)))?,)*
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
