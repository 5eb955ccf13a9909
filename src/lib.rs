//! **signerd**, a remote signer for Ethereum validators: it holds the BLS keys, and signs over HTTP.
//!
//! This page is a tour. It names the files in the order in which to open them.
//!
//! # A sign request, from socket to signature
//!
//! 1. `server/accept.rs` accepts the connection, if a slot is free, and starts a coroutine for it.
//! 2. `server/connection.rs` is what the coroutine runs: requests in, answers out, in order. It reads and
//!    writes a `server/socket.rs`, or a `server/secure_socket.rs` over TLS. `server/sweeper.rs` ends what
//!    takes too long.
//! 3. `http/request.rs` parses the head of the request, and `http/body.rs` the framing of its body.
//! 4. `api/mod.rs` asks `api/guard.rs` whether this client may ask (host, origin, token), and
//!    `api/routes.rs` for the handler of the route.
//! 5. `api/sign.rs` is that handler, one line for each decision. Its lines are the next five steps.
//! 6. `keys/table.rs` finds the key without a lock. While keys are loaded, `api/readiness.rs` waits for it.
//! 7. `consensus/request.rs` reads the message from the body and computes its signing root. All message
//!    types are in `consensus/messages.rs`, and domains in `consensus/domain.rs`.
//! 8. `slashing/mod.rs` returns a `Cleared`, the proof that the message may be signed. The decision is in
//!    `slashing/rule.rs`. `slashing/store.rs` records it, with one commit for all waiting requests.
//! 9. `server/signers.rs` gives key and proof to a signing thread and parks the coroutine; when nothing else
//!    is to be done, `server/worker_signer.rs` signs instead. Either calls `keys/secret.rs`, which signs in
//!    locked memory: `keys/message_cache.rs` has the point of the message, and `keys/g2/mod.rs` multiplies
//!    it. Without a `Cleared` there is no signature.
//! 10. `api/audit.rs` is the line of the audit log, which `audit_log.rs` writes.
//! 11. `http/response.rs` writes the answer, which `server/connection.rs` sends.
//!
//! # Other ways through the source
//!
//! - **Start-up**: `main.rs`; `cli/mod.rs` reads arguments, environment and configuration file; `config.rs`
//!   checks them into settings; `service.rs` makes each part in the order in which it may fail;
//!   `server/mod.rs` serves until a signal comes. `commands/mod.rs` runs the subcommands instead.
//! - **Import of keys**: `api/keymanager.rs`; `keys/keyring.rs`, which gives it a thread; `keys/import.rs`,
//!   which parses (`keys/keystore.rs`), derives (`keys/pool.rs`), stores (`keys/imported.rs`) and publishes
//!   (`keys/table.rs`).
//! - **Deletion**: the same first two; `keys/delete.rs`, which decides by `keys/keyring_state.rs`, exports
//!   from `slashing/mod.rs`, waits in `keys/table.rs` for the last signature, and removes files
//!   (`keys/imported.rs`).
//! - **Reload**: `api/reload.rs`, or SIGHUP in `service/supervised.rs`; `keys/keyring.rs`, whose loading
//!   thread calls `keys/load.rs`. It lists (`keys/sources.rs`), plans (`keys/load_plan.rs`), opens
//!   (`keys/source.rs`) and publishes (`keys/table.rs`).
//! - **Scrape**: `api/routes.rs` has the routes of the metrics listener; `api/status.rs`; `metrics.rs`. It
//!   reads all figures into a `metrics/snapshot.rs`, which `metrics/own_names.rs` and `metrics/peer_names.rs`
//!   write as text.
//! - **Status page**: `api/status_page.rs` gathers the figures; `status/report.rs` is what they are, and
//!   `status/page.rs` and `status/json.rs` write them. `commands/top.rs` shows them in a terminal.
//!
//! # Order of modules
//!
//! Imports go down this list, and form no circle: `main`; `cli`, `commands`, `config`, `service`;
//! `server`; `api`; `status`; `keys`, `metrics`; `slashing`; `consensus`; and below them leaves such as
//! `http`, `files`, `wait`, through which every wait for another thread goes, and `sync`.
//! `tests/tidy.rs` and `tests/circles.rs` check it.

use std::alloc::System;

use zeroizing_alloc::ZeroAlloc;

pub mod api;
mod audit_log;
pub mod cli;
pub mod commands;
pub mod config;
pub mod consensus;
mod counted;
pub mod critical_thread;
mod data_dir;
pub(crate) mod files;
#[doc(hidden)]
pub mod fuzzing;
pub mod hex;
pub mod http;
pub(crate) mod json;
pub mod keys;
pub mod log;
mod metrics;
mod path_advice;
pub mod server;
pub mod service;
pub mod slashing;
mod status;
mod sync;
pub mod wait;
mod yaml;

// Files that unit tests and the end-to-end suite share name this crate from outside.
#[cfg(test)]
extern crate self as signerd;
#[cfg(test)]
mod testing;

/// Every heap block is wiped when it is freed, also the old one when a buffer grows: what TLS, the
/// JSON reader or a formatted message copied of a password or a token does not outlive its use.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);
