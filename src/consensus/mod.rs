//! The consensus layer's rules: from a JSON body to a [`request::SignRequest`] and its signing root.
//!
//! No clock, no socket, and of files only `config.yaml` as text. The only state is which networks requests
//! have shown (`seen_networks`).

mod block;
mod built_in_networks;
mod container;
mod domain;
pub(crate) mod extension;
mod field_types;
mod forms;
mod json_body;
mod json_text;
mod json_tree;
mod messages;
pub mod network;
mod network_config;
pub mod networks;
pub mod primitives;
pub mod request;
mod seen_networks;
mod signable;
pub mod slashable;
pub(crate) mod slot_clock;
mod ssz;
