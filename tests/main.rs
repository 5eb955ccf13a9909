//! The end-to-end suite: the real binary over real sockets, and the parts below it. One binary.
#![allow(clippy::too_many_lines, reason = "tables of cases are long")]

// What the suites stand on: the binary and a client; directories, random numbers, a failing disk, a
// server with a small service.
mod keystore_text;
mod memory_disk;
mod random;
mod rig;
mod scratch;
mod support;

// Bytes in, bytes out: framing, limits, deadlines, on coroutines and on threads; TLS and Unix sockets;
// stress; attacks.
mod attack;
mod clients;
mod floods;
mod http;
mod listeners;
mod load;
mod runtime;
mod tls;
mod tls_files;

// Every good request's signing root and signature, every bad one's refusal.

mod refusals;
mod requests;
mod roots;
mod sign;

// EIP-3076: its suite, a full-history reference, a disk that fails, a process that is killed.
mod crash;
mod database;
mod database_fleet;
mod database_network;
mod database_trouble;
mod disk_trouble;
mod faults;
mod haproxy;
mod interchange;
mod large_import;
mod protection;
mod slashing;
mod slashing_limits;
mod store_loss;

// Keys: signatures, files that must open and must not, where they come from, where they lie.
mod bls;
mod bounds;
mod key_files;
mod key_life;
mod key_model;
mod keymanager;
mod kills;
mod memory;
mod remains;
mod start;
mod waiting;

// The service: health, negotiation, guards, metrics, start and end; command lines.
// The service: health, negotiation, guards, start and end; command lines.
mod audit_log;
mod cli;
mod commands;
mod control_socket;
mod dashboards;
mod duplicate_use;
mod ending;
mod exits;
mod logs;
mod metrics;
mod readiness;
mod service;
mod status_page;
mod supervision;
mod tokens;

// Fuzz targets, over their corpora and random mutations.
#[path = "fuzz/src/targets/mod.rs"]
mod fuzz_targets;
mod fuzzed;

// The rules of the source.
mod circles;
mod readme;
mod tidy;
