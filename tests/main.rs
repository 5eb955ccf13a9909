//! The end-to-end suite: the real binary over real sockets, and the parts below it. One binary.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod support;

mod http; // bytes in, bytes out: framing, limits, deadlines, on coroutines and on threads
mod rig; // a server with a small service, for the suite above

mod roots; // every good request's signing root, every bad one's refusal

mod crash; // slashing protection in a process that is killed
mod faults; // slashing protection on a disk that fails
mod interchange; // the EIP-3076 suite through import and clear, broken files, export
mod memory_disk; // a disk that fails as planned
mod protection; // slashing protection against a full-history reference
mod random; // reproducible random numbers
mod scratch; // a directory for one test

mod bls; // signatures and their ciphersuite
mod keystores; // EIP-2335 files that must open, and that must not
mod memory; // where secrets are, and where not
mod sources; // layouts, key configurations, reload
mod table; // keys that come and go under load

mod cli; // command lines, environments, files: effective settings or an error
mod service; // health, keys, negotiation, guards, start and end
mod tidy; // the rules of the source
// What the suites stand on: the binary and a client; directories, random numbers, a failing disk, a
// server with a small service.
mod memory_disk;
mod random;
mod rig;
mod scratch;
mod support;

// Bytes in, bytes out: framing, limits, deadlines, on coroutines and on threads.
mod http;

// Every good request's signing root, every bad one's refusal.
mod roots;

// EIP-3076: its suite, a full-history reference, a disk that fails, a process that is killed.
mod crash;
mod faults;
mod interchange;
mod protection;

// Keys: signatures, files that must open and must not, where they come from, where they lie.
mod bls;
mod keystores;
mod memory;
mod sources;
mod table;

// The service: health, negotiation, guards, start and end; command lines.
mod cli;
mod service;

// The rules of the source.
mod tidy;
