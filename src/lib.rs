//! **signerd**, a remote BLS signer for Ethereum validators: it holds the keys, so that the
//! validator client does not, and gives signatures over HTTP.
//!
//! # What a request meets, from socket to signature
//!
//! 1. [`server`] accepts the connection and runs one coroutine for it (`server::connection`):
//!    deadlines, TLS, keep-alive. Everything below is free of sockets and clocks.
//! 2. [`http`] turns bytes into a `Request`, or into the refusal that the RFCs ask for.
//! 3. [`api`] guards (host, origin, token) and routes: one match on method and path.
//! 4. [`consensus`] reads the JSON body as a `Duty` and computes its signing root.
//! 5. [`slashing`] records the duty on disk and hands out the proof of it, a `Cleared`.
//! 6. [`keys`] finds the secret key and signs, in locked memory, for the holder of a `Cleared`:
//!    there is no other way to a signature.
//!
//! # How keys come and go
//!
//! [`keys::keyring`] is the handle. A load lists the sources (`keys::sources`), reads what is new
//! (`keys::source`), decides (`keys::load_plan`) and opens it (`keys::load`). An import is one function
//! in `keys::import`, a deletion one in `keys::delete`. What they know of each source is in
//! [`keys::keyring_state`], with the rules that they follow.
//!
//! [`cli`] and `config` turn arguments into checked settings before the first thread starts, and
//! `service` makes the parts of them, once. Whoever must wait for another thread does so in [`wait`]; a
//! thread without which nothing works is a [`critical_thread`], whose death ends the process.
//! Imports go down this list only; `tests/tidy.rs` watches over it.

use std::alloc::System;

use zeroizing_alloc::ZeroAlloc;

pub mod api;
pub mod cli;
mod config;
pub mod consensus;
pub mod critical_thread;
mod data_dir;
pub mod files;
pub mod hex;
pub mod http;
pub mod json;
pub mod keys;
pub mod log;
pub mod metrics;
pub mod server;
mod service;
pub mod slashing;
pub mod wait;
pub mod yaml;

/// Every heap block is wiped when it is freed, also the old one when a buffer grows: what TLS, the
/// JSON reader or a formatted message copied of a password or a token does not outlive its use.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);
