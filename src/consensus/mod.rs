//! The consensus layer's rules: JSON body → [`request::SignRequest`] → signing root.
//!
//! Pure: values in, values out, no clock, no socket, no file but `config.yaml` as text.

pub mod primitives;
pub mod slashable;
