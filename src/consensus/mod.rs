//! The consensus layer's rules: JSON body → [`request::SignRequest`] → signing root.
//!
//! Pure: values in, values out, no clock, no socket, no file but `config.yaml` as text.

mod block;
mod container;
mod document;
mod duty;
pub(crate) mod extension;
mod forms;
pub mod network;
pub mod primitives;
pub mod request;
mod root;
pub mod slashable;
mod ssz;
mod values;
