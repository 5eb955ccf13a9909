//! Containers: one declaration gives the struct, its strict JSON reader and its hash tree root.
//!
//! The reader takes an object, never an array. Every field must be there, and none twice. Unknown
//! fields are ignored, as the remote signing API may grow.

/// Declares objects that are only read: `Name { field: Type }`, with at most one type parameter.
macro_rules! objects {
    ($(
        $(#[$doc:meta])*
        $name:ident $(<$param:ident>)? { $($field:ident: $type:ty),* $(,)? }
    )*) => {$(
        $(#[$doc])*
        pub(super) struct $name $(<$param>)? {
            $(pub(super) $field: $type,)*
        }

        impl $(<$param: FromJson>)? FromJson for $name $(<$param>)? {
            fn from_json(value: JsonValue<'_>) -> Result<Self, FieldError> {
                let [$($field),*] = value.fields([$(stringify!($field)),*])?;
                Ok(Self {
                    $($field: read_field(stringify!($field), $field)?,)*
                })
            }
        }
    )*};
}

/// Declares SSZ containers: `Name = container { field: Type }`. The word before the brace names the
/// function of `ssz` that merkleizes: `container` or `progressive_container`.
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
